/* analysis_words.c - what is written in the pictures: its part in the curve,
 * and in analysis.json. */
#include "affect/mapping.h"
#include "base/json.h"
#include "base/mem.h"
#include "emotion/analysis.h"

#include <math.h>

/* Our choice: no films with written words and ratings are at hand to fit it.
 * A title says much, but it is one moment's word against all else. */
const double ems_titles_share = 0.25;

/* ---- Feeling ------------------------------------------------------------ */

/* Mix `share` of what the title tells into one moment. */
static void mix(const ems_title *t, double share, double *valence,
                double *arousal, double emotion[EMS_EKMAN])
{
    double p[EMS_EKMAN], sum = 0, v, a;
    for (int e = 0; e < EMS_EKMAN; e++)
        sum += t->emotion[e];
    const double w = share * ems_titles_share * (1 - t->neutral);
    if (!(sum > 0 && w > 0))
        return;
    for (int e = 0; e < EMS_EKMAN; e++)
        p[e] = t->emotion[e] / sum;
    ems_emotion_to_va(&v, &a, p);
    *valence += w * (v - *valence);
    *arousal += w * (a - *arousal);
    for (int e = 0; e < EMS_EKMAN; e++)
        emotion[e] += w * (p[e] - emotion[e]);
}

void ems_titles_feel(const ems_title *titles, size_t count, ems_shot *shots,
                     size_t shot_count, ems_knot *knots,
                     ems_feeling *feelings, size_t knot_count)
{
    for (size_t i = 0; i < count; i++) {
        const ems_title *t = &titles[i];
        for (size_t s = 0; s < shot_count; s++) {
            ems_shot *shot = &shots[s];
            const double from = fmax(t->from, shot->start);
            const double to = fmin(t->to, shot->end);
            if (to > from)
                mix(t, (to - from) / (shot->end - shot->start),
                    &shot->valence, &shot->arousal, shot->emotion);
        }
        for (size_t k = 0; k < knot_count; k++)
            if (knots[k].time >= t->from && knots[k].time < t->to)
                mix(t, 1, &knots[k].valence, &knots[k].arousal,
                    feelings[k].emotion);
    }
}

/* ---- In memory ---------------------------------------------------------- */

void ems_titles_drop(ems_title *title)
{
    ems_free((char *)(uintptr_t)title->text);
    title->text = NULL;
}

void ems_titles_clear(ems_title *titles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ems_titles_drop(&titles[i]);
    ems_free(titles);
}

const ems_title *ems_analysis_titles(const ems_analysis *a, size_t *count)
{
    *count = a->title_count;
    return a->title_count ? a->titles : NULL;
}

/* ---- analysis.json ------------------------------------------------------ */

json_t *ems_titles_json(const ems_analysis *a)
{
    json_t *array = json_array();
    for (size_t i = 0; i < a->title_count; i++) {
        const ems_title *t = &a->titles[i];
        json_t *o = json_object(), *emotion = json_object();
        for (int e = 0; e < EMS_EKMAN; e++)
            json_object_set_new(emotion, ems_emotion_names[e],
                                ems_json_real(t->emotion[e], 4));
        json_object_set_new(emotion, "neutral", ems_json_real(t->neutral, 4));
        json_object_set_new(o, "from", ems_json_real(t->from, 3));
        json_object_set_new(o, "to", ems_json_real(t->to, 3));
        json_object_set_new(o, "text", json_string(t->text));
        json_object_set_new(o, "emotion", emotion);
        json_array_append_new(array, o);
    }
    return array;
}

static int read_emotion(const json_t *parent, const ems_json_at *at,
                        ems_title *t)
{
    json_t *o;
    int code = ems_json_object(parent, at, "emotion", &o);
    const ems_json_at here = ems_json_key(at, "emotion");
    for (int e = 0; e < EMS_EKMAN && code == EMS_OK; e++)
        code = ems_json_number(o, &here, ems_emotion_names[e], 0, 1,
                               &t->emotion[e]);
    return code < 0 ? code
                    : ems_json_number(o, &here, "neutral", 0, 1, &t->neutral);
}

static int read_title(const json_t *o, const ems_json_at *at, double after,
                      double duration, ems_title *t)
{
    const char *text = "";
    int code = ems_json_number(o, at, "from", 0, duration, &t->from);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "to", 0, duration, &t->to);
    if (code == EMS_OK)
        code = read_emotion(o, at, t);
    if (code == EMS_OK)
        code = ems_json_string(o, at, "text", &text);
    if (code < 0)
        return code;
    if (!(t->to > t->from) || t->from < after)
        return ems_json_fail(at, "from %g to %g is no stretch after %g",
                             t->from, t->to, after);
    t->text = ems_strdup(text);
    return t->text ? EMS_OK : ems_out_of_memory(at->err);
}

int ems_titles_json_read(ems_analysis *a, const json_t *root,
                         const ems_json_at *at)
{
    json_t *array;
    if (!json_object_get(root, "words"))
        return EMS_OK;
    int code = ems_json_array(root, at, "words", EMS_ANALYSIS_MOST, &array);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(at, "words");
    const size_t n = json_array_size(array);
    a->titles = ems_alloc(n, sizeof *a->titles);
    if (!a->titles)
        return ems_out_of_memory(at->err);
    for (size_t i = 0; i < n && code == EMS_OK; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        code = read_title(json_array_get(array, i), &here,
                          i ? a->titles[i - 1].to : 0, a->duration,
                          &a->titles[i]);
        a->title_count += code == EMS_OK;
    }
    return code;
}

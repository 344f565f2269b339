/* analysis_json.c - analysis.json, docs/FORMATS.md. */
#include "affect/mapping.h"
#include "base/json.h"
#include "base/mem.h"
#include "emotion/analysis.h"

#include <math.h>
#include <string.h>

static const char *const KINDS[] = {
    [EMS_CUT] = "cut", [EMS_DISSOLVE] = "dissolve",
    [EMS_FADE_IN] = "fade_in", [EMS_FADE_OUT] = "fade_out",
};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS };

/* ---- Writing ------------------------------------------------------------ */

static json_t *emotion_json(const double p[EMS_EKMAN])
{
    json_t *o = json_object();
    for (int e = 0; e < EMS_EKMAN; e++)
        json_object_set_new(o, ems_emotion_names[e], ems_json_real(p[e], 4));
    return o;
}

static json_t *cuts_json(const ems_analysis *a)
{
    json_t *array = json_array();
    for (size_t i = 0; i < a->cut_count; i++) {
        const ems_cut *c = &a->cuts[i];
        json_t *o = json_object();
        json_object_set_new(o, "time", ems_json_real(c->time, 6));
        json_object_set_new(o, "kind", json_string(KINDS[c->kind]));
        json_object_set_new(o, "strength", ems_json_real(c->strength, 3));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *features_json(const ems_features *f)
{
    json_t *o = json_object();
#define X(name, digits, low, high)                                          \
    if (!isnan(f->name))                                                    \
        json_object_set_new(o, #name, ems_json_real(f->name, digits));
    EMS_FEATURE_LIST(X)
#undef X
    return o;
}

static json_t *shots_json(const ems_analysis *a)
{
    json_t *array = json_array();
    for (size_t i = 0; i < a->shot_count; i++) {
        const ems_shot *s = &a->shots[i];
        json_t *o = json_object();
        json_object_set_new(o, "start", ems_json_real(s->start, 6));
        json_object_set_new(o, "end", ems_json_real(s->end, 6));
        json_object_set_new(o, "valence", ems_json_real(s->valence, 3));
        json_object_set_new(o, "arousal", ems_json_real(s->arousal, 3));
        json_object_set_new(o, "valence_sd",
                            ems_json_real(s->feeling_sd[0], 3));
        json_object_set_new(o, "arousal_sd",
                            ems_json_real(s->feeling_sd[1], 3));
        json_object_set_new(o, "emotion", emotion_json(s->emotion));
        json_object_set_new(o, "features", features_json(&s->features));
        json_array_append_new(array, o);
    }
    return array;
}

static void feeling_json(json_t *o, const ems_feeling *f)
{
    json_object_set_new(o, "valence_sd", ems_json_real(f->valence_sd, 3));
    json_object_set_new(o, "arousal_sd", ems_json_real(f->arousal_sd, 3));
    json_object_set_new(o, "emotion", emotion_json(f->emotion));
}

static json_t *curve_json(const ems_analysis *a)
{
    json_t *array = json_array();
    for (size_t i = 0; i < a->knot_count; i++) {
        const ems_knot *k = &a->curve[i];
        json_t *o = json_object();
        json_object_set_new(o, "time", ems_json_real(k->time, 6));
        json_object_set_new(o, "valence", ems_json_real(k->valence, 3));
        json_object_set_new(o, "arousal", ems_json_real(k->arousal, 3));
        if (a->feelings)
            feeling_json(o, &a->feelings[i]);
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *spans_json(const ems_stretch *spans, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "from", ems_json_real(spans[i].from, 3));
        json_object_set_new(o, "to", ems_json_real(spans[i].to, 3));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *loudness_json(const ems_analysis *a)
{
    json_t *o = json_object();
    json_t *array = json_array();
    for (size_t i = 0; i < a->loudness_count; i++)
        json_array_append_new(array,
                              ems_json_real((double)a->loudness[i], 1));
    json_object_set_new(o, "step", ems_json_real(a->loudness_step, 6));
    json_object_set_new(o, "whole", ems_json_real(a->loudness_whole, 1));
    json_object_set_new(o, "lufs", array);
    return o;
}

/* JSON is UTF-8; file names are any bytes. */
static json_t *name_json(const char *name)
{
    json_t *text = json_string(name);
    if (text)
        return text;
    char *plain = ems_strdup(name);
    for (char *c = plain; c && *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    text = json_string(plain ? plain : "");
    ems_free(plain);
    return text;
}

json_t *ems_analysis_json(const ems_analysis *a)
{
    json_t *root = json_object();
    if (!root)
        return NULL;
    json_object_set_new(root, "format", json_string("emsync-analysis"));
    json_object_set_new(root, "version", json_integer(1));
    json_object_set_new(root, "source", name_json(a->source));
    json_object_set_new(root, "duration", ems_json_real(a->duration, 6));
    json_object_set_new(root, "fps", ems_json_real(a->fps, 6));
    json_object_set_new(root, "width", json_integer(a->width));
    json_object_set_new(root, "height", json_integer(a->height));
    json_object_set_new(root, "emotion", emotion_json(a->emotion));
    json_object_set_new(root, "cuts", cuts_json(a));
    json_object_set_new(root, "shots", shots_json(a));
    json_object_set_new(root, "curve", curve_json(a));
    if (a->expert_count)
        json_object_set_new(root, "experts", ems_experts_json(a));
    if (a->title_count)
        json_object_set_new(root, "words", ems_titles_json(a));
    json_object_set_new(root, "speech",
                        spans_json(a->speech, a->speech_count));
    json_object_set_new(root, "music", spans_json(a->music, a->music_count));
    if (a->loudness_count)
        json_object_set_new(root, "loudness", loudness_json(a));
    return root;
}

int ems_analysis_save(const ems_analysis *a, const char *path, ems_error *err)
{
    json_t *root = ems_analysis_json(a);
    const int code = root ? ems_json_save(root, path, err)
                          : ems_out_of_memory(err);
    json_decref(root);
    return code;
}

/* ---- Reading ------------------------------------------------------------ */

static int read_emotion(const json_t *parent, const ems_json_at *at,
                        double p[EMS_EKMAN])
{
    json_t *o;
    int code = ems_json_object(parent, at, "emotion", &o);
    const ems_json_at here = ems_json_key(at, "emotion");
    double sum = 0;
    for (int e = 0; e < EMS_EKMAN && code == EMS_OK; e++) {
        code = ems_json_number(o, &here, ems_emotion_names[e], 0, 1, &p[e]);
        if (code == EMS_OK)
            sum += p[e];
    }
    if (code == EMS_OK && !(sum > 0.99 && sum < 1.01))
        return ems_json_fail(&here, "sums to %g; it must sum to 1", sum);
    return code;
}

static int read_cut(const json_t *o, const ems_json_at *at, double after,
                    double duration, ems_cut *c)
{
    const char *kind = "";
    int code = ems_json_number(o, at, "time", 0, duration, &c->time);
    if (code == EMS_OK)
        code = ems_json_string(o, at, "kind", &kind);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "strength", 0, 1, &c->strength);
    if (code < 0)
        return code;
    if (!(c->time > after))
        return ems_json_fail(at, "time %g is not after %g", c->time, after);
    for (int k = 0; k < KIND_COUNT; k++)
        if (strcmp(kind, KINDS[k]) == 0) {
            c->kind = (ems_cut_kind)k;
            return EMS_OK;
        }
    return ems_json_fail(at, "kind is \"%.20s\"; it must be cut, dissolve,"
                         " fade_in or fade_out", kind);
}

static int read_cuts(ems_analysis *a, const json_t *root,
                     const ems_json_at *at)
{
    json_t *array;
    const int code =
        ems_json_array(root, at, "cuts", EMS_ANALYSIS_MOST, &array);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(at, "cuts");
    const size_t n = json_array_size(array);
    a->cuts = ems_alloc(n, sizeof *a->cuts);
    if (!a->cuts)
        return ems_out_of_memory(at->err);
    for (size_t i = 0; i < n; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        const int bad = read_cut(json_array_get(array, i), &here,
                                 i ? a->cuts[i - 1].time : 0, a->duration,
                                 &a->cuts[i]);
        if (bad < 0)
            return bad;
    }
    a->cut_count = n;
    return EMS_OK;
}

static int read_features(const json_t *shot, const ems_json_at *at,
                         ems_features *f)
{
    json_t *o;
    int code = ems_json_object(shot, at, "features", &o);
    if (code < 0)
        return code;
    const ems_json_at here = ems_json_key(at, "features");
#define X(name, digits, low, high)                                          \
    f->name = NAN;                                                          \
    if (code == EMS_OK && json_object_get(o, #name))                        \
        code = ems_json_number(o, &here, #name, low, high, &f->name);
    EMS_FEATURE_LIST(X)
#undef X
    return code;
}

/* A file by hand need not know what it may be off by. */
static int read_sd(const json_t *o, const ems_json_at *at, double *valence,
                   double *arousal)
{
    int code = EMS_OK;
    if (json_object_get(o, "valence_sd"))
        code = ems_json_number(o, at, "valence_sd", 0, 2, valence);
    if (code == EMS_OK && json_object_get(o, "arousal_sd"))
        code = ems_json_number(o, at, "arousal_sd", 0, 2, arousal);
    return code;
}

static int read_shot(const json_t *o, const ems_json_at *at, double after,
                     double duration, ems_shot *s)
{
    int code = ems_json_number(o, at, "start", 0, duration, &s->start);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "end", 0, duration, &s->end);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "valence", -1, 1, &s->valence);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "arousal", -1, 1, &s->arousal);
    if (code == EMS_OK)
        code = read_sd(o, at, &s->feeling_sd[0], &s->feeling_sd[1]);
    if (code == EMS_OK)
        code = read_emotion(o, at, s->emotion);
    if (code == EMS_OK)
        code = read_features(o, at, &s->features);
    if (code < 0)
        return code;
    if (s->start < after || !(s->end > s->start))
        return ems_json_fail(at, "from %g to %g is no shot after %g",
                             s->start, s->end, after);
    return EMS_OK;
}

static int read_shots(ems_analysis *a, const json_t *root,
                      const ems_json_at *at)
{
    json_t *array;
    const int code =
        ems_json_array(root, at, "shots", EMS_ANALYSIS_MOST, &array);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(at, "shots");
    const size_t n = json_array_size(array);
    a->shots = ems_alloc(n, sizeof *a->shots);
    if (!a->shots)
        return ems_out_of_memory(at->err);
    for (size_t i = 0; i < n; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        const int bad = read_shot(json_array_get(array, i), &here,
                                  i ? a->shots[i - 1].end : 0, a->duration,
                                  &a->shots[i]);
        if (bad < 0)
            return bad;
    }
    a->shot_count = n;
    return EMS_OK;
}

static int read_knot(const json_t *o, const ems_json_at *at, double duration,
                     ems_knot *k)
{
    int code = ems_json_number(o, at, "time", 0, duration, &k->time);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "valence", -1, 1, &k->valence);
    return code < 0 ? code
                    : ems_json_number(o, at, "arousal", -1, 1, &k->arousal);
}

static int read_feeling(const json_t *o, const ems_json_at *at,
                        ems_feeling *f)
{
    const int code = read_sd(o, at, &f->valence_sd, &f->arousal_sd);
    return code < 0 ? code : read_emotion(o, at, f->emotion);
}

static int read_curve(ems_analysis *a, const json_t *root,
                      const ems_json_at *at)
{
    json_t *array;
    const int code =
        ems_json_array(root, at, "curve", EMS_ANALYSIS_MOST, &array);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(at, "curve");
    const size_t n = json_array_size(array);
    if (n == 0)
        return ems_json_fail(&all, "is empty; it needs at least one knot");
    a->curve = ems_alloc(n, sizeof *a->curve);
    /* Feelings are there for every knot or for none. */
    if (json_object_get(json_array_get(array, 0), "emotion"))
        a->feelings = ems_alloc(n, sizeof *a->feelings);
    if (!a->curve || (json_object_get(json_array_get(array, 0), "emotion") &&
                      !a->feelings))
        return ems_out_of_memory(at->err);
    for (size_t i = 0; i < n; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        const json_t *o = json_array_get(array, i);
        int bad = read_knot(o, &here, a->duration, &a->curve[i]);
        if (bad == EMS_OK && a->feelings)
            bad = read_feeling(o, &here, &a->feelings[i]);
        if (bad < 0)
            return bad;
        if (i && !(a->curve[i].time > a->curve[i - 1].time))
            return ems_json_fail(&here, "time %g is not after %g",
                                 a->curve[i].time, a->curve[i - 1].time);
    }
    a->knot_count = n;
    return EMS_OK;
}

/* Files of before these keys were known do not have them. */
static int read_spans(const json_t *root, const ems_json_at *at,
                      const char *key, double duration, ems_stretch **out,
                      size_t *count)
{
    json_t *array;
    if (!json_object_get(root, key))
        return EMS_OK;
    int code = ems_json_array(root, at, key, EMS_ANALYSIS_MOST, &array);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(at, key);
    const size_t n = json_array_size(array);
    ems_stretch *spans = *out = ems_alloc(n, sizeof *spans);
    if (!spans)
        return ems_out_of_memory(at->err);
    for (size_t i = 0; i < n && code == EMS_OK; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        const json_t *o = json_array_get(array, i);
        ems_stretch *s = &spans[i];
        code = ems_json_number(o, &here, "from", 0, duration, &s->from);
        if (code == EMS_OK)
            code = ems_json_number(o, &here, "to", 0, duration, &s->to);
        if (code == EMS_OK &&
            (!(s->to > s->from) || (i && s->from <= spans[i - 1].to)))
            code = ems_json_fail(&here, "from %g to %g is no stretch after"
                                 " %g", s->from, s->to,
                                 i ? spans[i - 1].to : 0);
    }
    *count = code == EMS_OK ? n : 0;
    return code;
}

static int read_levels(ems_analysis *a, const json_t *o,
                       const ems_json_at *at)
{
    json_t *array;
    int code = ems_json_array(o, at, "lufs", EMS_ANALYSIS_MOST, &array);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(at, "lufs");
    const size_t n = json_array_size(array);
    a->loudness = ems_alloc(n, sizeof *a->loudness);
    if (!a->loudness)
        return ems_out_of_memory(at->err);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(array, i);
        const ems_json_at here = ems_json_index(&all, i);
        if (!json_is_number(x) || !(json_number_value(x) >= -70) ||
            !(json_number_value(x) <= 20))
            return ems_json_fail(&here, "is no loudness; it must be a number"
                                 " from -70 to 20");
        a->loudness[i] = (float)json_number_value(x);
    }
    a->loudness_count = n;
    return EMS_OK;
}

static int read_loudness(ems_analysis *a, const json_t *root,
                         const ems_json_at *at)
{
    json_t *o;
    if (!json_object_get(root, "loudness"))
        return EMS_OK;
    int code = ems_json_object(root, at, "loudness", &o);
    const ems_json_at here = ems_json_key(at, "loudness");
    if (code == EMS_OK)
        code = ems_json_number(o, &here, "step", 0.01, 1e6,
                               &a->loudness_step);
    if (code == EMS_OK)
        code = ems_json_number(o, &here, "whole", -70, 20,
                               &a->loudness_whole);
    return code < 0 ? code : read_levels(a, o, &here);
}

static int read_hearing(ems_analysis *a, const json_t *root,
                        const ems_json_at *at)
{
    int code = read_spans(root, at, "speech", a->duration, &a->speech,
                          &a->speech_count);
    if (code == EMS_OK)
        code = read_spans(root, at, "music", a->duration, &a->music,
                          &a->music_count);
    return code < 0 ? code : read_loudness(a, root, at);
}

static int read_head(ems_analysis *a, const json_t *root,
                     const ems_json_at *at)
{
    json_int_t width = 0, height = 0;
    const char *source = "";
    int code = ems_json_format(root, at, "emsync-analysis", 1);
    if (code == EMS_OK)
        code = ems_json_string(root, at, "source", &source);
    if (code == EMS_OK)
        code = ems_json_number(root, at, "duration", 1e-6, 1e6, &a->duration);
    if (code == EMS_OK)
        code = ems_json_number(root, at, "fps", 0, 1e6, &a->fps);
    if (code == EMS_OK)
        code = ems_json_integer(root, at, "width", 0, 1 << 20, &width);
    if (code == EMS_OK)
        code = ems_json_integer(root, at, "height", 0, 1 << 20, &height);
    if (code < 0)
        return code;
    a->width = (int)width;
    a->height = (int)height;
    a->source = ems_strdup(source);
    return a->source ? EMS_OK : ems_out_of_memory(at->err);
}

static ems_analysis *from_json(const json_t *root, const char *name,
                               ems_error *err)
{
    const ems_json_at at = ems_json_root(name, err);
    ems_analysis *a = ems_alloc(1, sizeof *a);
    if (!a) {
        ems_out_of_memory(err);
        return NULL;
    }
    if (read_head(a, root, &at) < 0 ||
        read_emotion(root, &at, a->emotion) < 0 ||
        read_cuts(a, root, &at) < 0 || read_shots(a, root, &at) < 0 ||
        read_curve(a, root, &at) < 0 || read_hearing(a, root, &at) < 0 ||
        ems_experts_read(a, root, &at) < 0 ||
        ems_titles_json_read(a, root, &at) < 0) {
        ems_analysis_free(a);
        return NULL;
    }
    return a;
}

ems_analysis *ems_analysis_parse(const char *data, size_t size,
                                 const char *name, ems_error *err)
{
    json_t *root = ems_json_parse(data, size, name, err);
    ems_analysis *a = root ? from_json(root, name, err) : NULL;
    json_decref(root);
    return a;
}

ems_analysis *ems_analysis_load(const char *path, ems_error *err)
{
    json_t *root = ems_json_load(path, err);
    ems_analysis *a = root ? from_json(root, path, err) : NULL;
    json_decref(root);
    return a;
}

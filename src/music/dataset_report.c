#include "music/dataset_build.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/run.h"
#include "music/piece.h"

#include <math.h>
#include <stdlib.h>

enum { GRID = 5, TEMPO_BINS = 12, TEMPO_STEP = 20 };

static const char *const skip_name[EMS_SKIPS] = {
    "kept", "unreadable", "no usable notes", "bars without sense",
    "shorter than 8 s", "longer than 4 million tokens", "duplicate",
};

static int float_order(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Arousal is notes per second and instrument (Sulun et al. 2022), Tukey's fences and
 * min-max to [-1,1] over the collection. Collections of one file get 0. */
int ems_build_arousal(ems_build *b, ems_error *err)
{
    float *d = ems_alloc(b->count, sizeof *d);
    if (!d)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < b->count; i++)
        d[i] = b->pieces[i].density;
    qsort(d, b->count, sizeof *d, float_order);
    const float q1 = d[b->count / 4], q3 = d[b->count * 3 / 4];
    const float reach = 1.5f * (q3 - q1);
    const float low = fmaxf(d[0], q1 - reach);
    const float high = fminf(d[b->count - 1], q3 + reach);
    ems_free(d);
    for (size_t i = 0; i < b->count; i++) {
        ems_built_piece *p = &b->pieces[i];
        if (!isnan(p->arousal))
            continue;
        const float a = high > low
                            ? 2 * (p->density - low) / (high - low) - 1
                            : 0;
        p->arousal = a < -1 ? -1 : a > 1 ? 1 : a;
    }
    return EMS_OK;
}

typedef struct totals {
    double seconds;
    size_t chords, labelled, held_out, no_valence;
    size_t families[EMS_FAMILIES], tempo[TEMPO_BINS];
    size_t histogram[GRID][GRID]; /* [arousal][valence] */
} totals;

static int bin(float x)
{
    const int i = (int)((x + 1) * GRID / 2);
    return i < 0 ? 0 : i >= GRID ? GRID - 1 : i;
}

static totals count_all(const ems_build *b)
{
    totals t = {0};
    for (size_t i = 0; i < b->count; i++) {
        const ems_built_piece *p = &b->pieces[i];
        t.seconds += p->seconds;
        t.chords += p->chords;
        t.labelled += p->labelled;
        t.held_out += p->held_out;
        for (int f = 0; f < EMS_FAMILIES; f++)
            t.families[f] += p->families >> f & 1;
        const int tempo = (int)(p->bpm / TEMPO_STEP);
        t.tempo[tempo < TEMPO_BINS ? tempo : TEMPO_BINS - 1]++;
        if (isnan(p->valence) || isnan(p->arousal))
            t.no_valence++;
        else
            t.histogram[bin(p->arousal)][bin(p->valence)]++;
    }
    return t;
}

static json_t *integers(const size_t *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer((json_int_t)values[i]));
    return array;
}

static json_t *to_json(const ems_build *b, const totals *t)
{
    json_t *families = json_object(), *skipped = json_object();
    for (int f = 0; f < EMS_FAMILIES; f++)
        json_object_set_new(families, ems_family_name[f],
                            json_integer((json_int_t)t->families[f]));
    for (int s = EMS_KEPT + 1; s < EMS_SKIPS; s++)
        json_object_set_new(skipped, skip_name[s],
                            json_integer((json_int_t)b->skipped[s]));
    json_t *grid = json_array();
    for (int a = 0; a < GRID; a++)
        json_array_append_new(grid, integers(t->histogram[a], GRID));
    return json_pack(
        "{s:s s:i s:I s:I s:o s:I s:I s:I s:o s:I s:I s:I s:o s:o s:o s:I"
        " s:o}",
        "format", "emsync-dataset-report", "version", 1,
        "files", (json_int_t)b->files, "pieces", (json_int_t)b->count,
        "hours", ems_json_real(t->seconds / 3600, 3),
        "tokens", (json_int_t)b->token_count,
        "bars", (json_int_t)b->bar_count,
        "chords", (json_int_t)t->chords,
        "chords_per_minute",
        ems_json_real((double)t->chords * 60 / t->seconds, 3),
        "labelled", (json_int_t)t->labelled,
        "held_out", (json_int_t)t->held_out,
        "repairs", (json_int_t)b->warnings,
        "families", families,
        "tempo_per_20_bpm", integers(t->tempo, TEMPO_BINS),
        "arousal_by_valence", grid,
        "emotion_unknown", (json_int_t)t->no_valence,
        "skipped", skipped);
}

static void log_all(const ems_build *b, const totals *t, const ems_run *run)
{
    ems_log(run, EMS_LOG_INFO, "%zu of %zu files, %.2f hours, %llu tokens,"
            " %zu bars", b->count, b->files, t->seconds / 3600,
            (unsigned long long)b->token_count, b->bar_count);
    ems_log(run, EMS_LOG_INFO, "%.1f long chords a minute, %zu labelled, %zu"
            " held out, %zu without valence",
            (double)t->chords * 60 / t->seconds, t->labelled, t->held_out,
            t->no_valence);
    for (int f = 0; f < EMS_FAMILIES; f++)
        ems_log(run, EMS_LOG_INFO, "%s: %zu pieces", ems_family_name[f],
                t->families[f]);
    for (int a = GRID - 1; a >= 0; a--)
        ems_log(run, EMS_LOG_INFO, "arousal %+.1f: valence -..+ %zu %zu %zu"
                " %zu %zu", (a - GRID / 2) * 0.4, t->histogram[a][0],
                t->histogram[a][1], t->histogram[a][2], t->histogram[a][3],
                t->histogram[a][4]);
    for (int s = EMS_KEPT + 1; s < EMS_SKIPS; s++)
        if (b->skipped[s])
            ems_log(run, EMS_LOG_INFO, "skipped, %s: %zu", skip_name[s],
                    b->skipped[s]);
}

int ems_build_report(const ems_build *b, const char *path,
                     const ems_run *run, ems_error *err)
{
    const totals t = count_all(b);
    log_all(b, &t, run);
    if (!path)
        return EMS_OK;
    json_t *root = to_json(b, &t);
    if (!root)
        return ems_out_of_memory(err);
    const int code = ems_json_save(root, path, err);
    json_decref(root);
    return code;
}

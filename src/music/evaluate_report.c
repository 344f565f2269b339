/* An evaluation as JSON (docs/FORMATS.md). */
#include "base/json.h"
#include "music/evaluate.h"

#include <math.h>

/* JSON has no NaN: what is not known is null. */
static json_t *real(double x, int digits)
{
    return isfinite(x) ? ems_json_real(x, digits) : json_null();
}

static json_t *measures_json(const ems_evaluation *e)
{
    json_t *list = json_array();
    for (size_t i = 0; i < e->measures; i++) {
        const ems_measure *m = &e->measure[i];
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", m->name,
                            "mean", real(m->mean, 5), "deviation",
                            real(m->deviation, 5), "real_mean",
                            real(m->real_mean, 5), "real_deviation",
                            real(m->real_deviation, 5), "overlap",
                            real(m->overlap, 4)));
    }
    return list;
}

static json_t *grid_json(const ems_evaluation *e)
{
    json_t *list = json_array();
    for (int v = 0; v < EMS_EVALUATE_GRID; v++)
        for (int a = 0; a < EMS_EVALUATE_GRID; a++)
            json_array_append_new(
                list, json_pack("{s:[o, o], s:[o, o]}", "asked",
                                real(e->asked[v], 2),
                                real(e->asked[a], 2), "heard",
                                real(e->valence[v][a], 4),
                                real(e->arousal[v][a], 4)));
    return list;
}

static json_t *emotion_json(const ems_evaluation *e)
{
    return json_pack("{s:o, s:{s:o, s:o}, s:{s:o, s:o}, s:o}", "l1",
                     real(e->l1, 4), "spearman", "valence",
                     real(e->rho_valence, 4), "arousal",
                     real(e->rho_arousal, 4), "pearson", "valence",
                     real(e->r_valence, 4), "arousal",
                     real(e->r_arousal, 4), "grid", grid_json(e));
}

static json_t *chords_json(const ems_chord_row *r)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "chords",
                     (json_int_t)r->chords, "notes", real(r->notes, 3),
                     "known", real(r->known, 4), "sharp", real(r->sharp, 4),
                     "nll", real(r->nats, 4));
}

static json_t *means_json(const ems_evaluation *e, const double *mean)
{
    json_t *object = json_object();
    for (size_t i = 0; i < e->measures; i++)
        json_object_set_new(object, e->measure[i].name, real(mean[i], 5));
    return object;
}

static json_t *boundaries_json(const ems_evaluation *e)
{
    json_t *list = json_array();
    for (int i = 0; i < EMS_EVALUATE_WAYS; i++) {
        const ems_boundary_row *r = &e->boundary[i];
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
                            " s:o, s:o, s:o, s:o}", "way", r->name,
                            "boundaries", (json_int_t)r->boundaries,
                            "within_100ms", real(r->within_100ms, 4),
                            "within_1s", real(r->within_1s, 4),
                            "chords_per_minute",
                            real(r->chords_per_minute, 3),
                            "chords_per_minute_near",
                            real(r->chords_near, 3),
                            "chords_per_minute_away",
                            real(r->chords_away, 3), "nll",
                            real(r->nats, 4), "nll_rules",
                            real(r->rules, 4), "due", real(r->due, 4),
                            "at_boundaries", chords_json(&r->chords[1]),
                            "elsewhere", chords_json(&r->chords[0]),
                            "music", means_json(e, r->mean)));
    }
    return list;
}

static json_t *nll_json(const ems_evaluation *e)
{
    json_t *list = json_array();
    for (int i = 0; i < EMS_EVALUATE_TELLINGS; i++) {
        const ems_nll_row *r = &e->nll[i];
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "told", r->name,
                            "tokens", (json_int_t)r->tokens, "nll",
                            real(r->nll, 5), "early",
                            real(r->early, 5), "top1",
                            real(r->top1, 5), "top5",
                            real(r->top5, 5)));
    }
    return list;
}

static json_t *novelty_json(const ems_evaluation *e)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:s}", "limit",
                     real(EMS_NOVELTY_BARS, 2), "longest_bars",
                     real(e->longest.bars, 2), "mean_bars",
                     real(e->shared_bars, 3), "too_long",
                     (json_int_t)e->too_long, "source", e->longest.source);
}

int ems_evaluation_save(const ems_evaluation *e, const char *json,
                        ems_error *err)
{
    json_t *root = json_pack(
        "{s:s, s:i, s:s, s:I, s:I, s:I, s:o}", "format", "emsync-evaluation",
        "version", 1, "emsync", EMS_VERSION, "pieces", (json_int_t)e->pieces,
        "real_pieces", (json_int_t)e->real_pieces, "skipped",
        (json_int_t)e->skipped, "composed_seconds",
        real(e->seconds, 1));
    const struct {
        unsigned part;
        const char *name;
        json_t *(*make)(const ems_evaluation *e);
    } parts[] = {
        {EMS_EVALUATE_NLL, "held_out", nll_json},
        {EMS_EVALUATE_MUSIC, "music", measures_json},
        {EMS_EVALUATE_EMOTION, "emotion", emotion_json},
        {EMS_EVALUATE_BOUNDARIES, "boundaries", boundaries_json},
        {EMS_EVALUATE_NOVELTY, "novelty", novelty_json},
    };
    int wrong = !root;
    for (size_t i = 0; root && i < sizeof parts / sizeof *parts; i++)
        if (e->parts & parts[i].part)
            wrong |= json_object_set_new(root, parts[i].name,
                                         parts[i].make(e)) < 0;
    const int code = wrong ? ems_out_of_memory(err)
                           : ems_json_save(root, json, err);
    json_decref(root);
    return code;
}

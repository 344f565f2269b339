/* How likely a model finds held-out music: the excerpts of training's own
 * validation, with the offsets to the boundaries and the emotion given, left
 * out, and taken from another excerpt. */
#include "base/mem.h"
#include "base/run.h"
#include "music/evaluate.h"
#include "music/graph.h"
#include "music/model_io.h"
#include "music/train_sample.h"
#include "music/vocab.h"

#include <math.h>
#include <string.h>

enum { BATCH = 4 };
typedef enum telling {
    ALL, NO_OFFSETS, OTHER_OFFSETS, NO_EMOTION, OTHER_EMOTION, OTHER_VALENCE,
    OTHER_AROUSAL
} telling;
#define HELD_STREAM 0x68656c64 /* as in train.c */

static const char *const telling_name[EMS_EVALUATE_TELLINGS] = {
    "all", "no offsets", "another excerpt's offsets", "no emotion",
    "another excerpt's emotion", "another excerpt's valence",
    "another excerpt's arousal"};

typedef struct scorer {
    ems_params params;
    ems_graph *graph;
    ems_sampler sampler;
    uint16_t *ids;     /* tokens, targets [BATCH, length], one spare row */
    float *reals;      /* seconds, conditions, a spare row */
} scorer;

static int open_weights(scorer *s, const char *model, ems_error *err)
{
    char *found = model ? NULL : ems_model_find(err);
    const char *path = model ? model : found;
    ems_safetensors *st = path ? ems_safetensors_open(path, err) : NULL;
    int code = st ? ems_params_load(st, path, &s->params, err)
                  : (int)err->code;
    if (code == EMS_OK && s->params.shape.vocab_size != EMS_VOCAB)
        code = ems_fail(err, EMS_EFORMAT, "%s knows %d tokens; music needs"
                        " the %d of EMSYNC", path, s->params.shape.vocab_size,
                        EMS_VOCAB);
    ems_safetensors_free(st);
    ems_free(found);
    return code;
}

static int open_scorer(scorer *s, const ems_evaluator *e, ems_error *err)
{
    int code = open_weights(s, e->o->compose.model, err);
    if (code < 0)
        return code;
    const size_t most = (size_t)s->params.shape.context_len - EMS_CONDITIONS;
    const size_t asked = (size_t)e->o->window;
    const size_t length = asked && asked < most ? asked : most;
    const ems_graph_options o = {
        .shape = s->params.shape, .batch = BATCH, .tokens = length,
        .precision = EMS_F32, .forward_only = 1};
    code = ems_sampler_open(&s->sampler, e->data, length, err);
    if (code < 0)
        return code;
    s->ids = ems_alloc(2 * (BATCH + 1) * length, sizeof *s->ids);
    s->reals = ems_alloc((BATCH + 1) * (length + 2), sizeof *s->reals);
    if (!s->ids || !s->reals)
        return ems_out_of_memory(err);
    s->graph = ems_graph_new(&o, ems_cpu_best(), e->pool, err);
    return s->graph ? EMS_OK : (int)err->code;
}

static void close_scorer(scorer *s)
{
    ems_graph_free(s->graph);
    ems_sampler_close(&s->sampler);
    ems_free(s->ids);
    ems_free(s->reals);
    ems_free(s->params.block);
}

static ems_excerpt row_of(const scorer *s, size_t row)
{
    const size_t n = s->sampler.length, rows = BATCH + 1;
    return (ems_excerpt){s->ids + row * n, s->ids + (rows + row) * n,
                         s->reals + row * n, s->reals + rows * n + 2 * row};
}

static void take_excerpt(const scorer *s, size_t number, int blind,
                         ems_excerpt e)
{
    ems_rng rng = ems_rng_seed(HELD_STREAM, number);
    ems_sample_held(&s->sampler, &rng, blind, &e);
}

static void tell_row(const scorer *s, size_t number, size_t next, telling way,
                     ems_excerpt row)
{
    const ems_excerpt spare = row_of(s, BATCH);
    take_excerpt(s, number, way == NO_OFFSETS, row);
    if (way == OTHER_OFFSETS || way >= OTHER_EMOTION)
        take_excerpt(s, next, 0, spare);
    if (way == OTHER_OFFSETS)
        memcpy(row.seconds, spare.seconds,
               s->sampler.length * sizeof *row.seconds);
    if (way == NO_EMOTION)
        row.conditions[0] = row.conditions[1] = NAN;
    if (way == OTHER_EMOTION || way == OTHER_VALENCE)
        row.conditions[0] = spare.conditions[0];
    if (way == OTHER_EMOTION || way == OTHER_AROUSAL)
        row.conditions[1] = spare.conditions[1];
}

/* `most` tokens of each excerpt count. */
static void fill_batch(const scorer *s, size_t first, size_t count,
                       telling way, size_t most)
{
    const size_t n = s->sampler.length;
    for (size_t i = 0; i < BATCH; i++) {
        const ems_excerpt row = row_of(s, i);
        tell_row(s, first + i, (first + i + 1) % count, way, row);
        const size_t keep = first + i >= count ? 0 : most < n ? most : n;
        memset(row.targets + keep, 0, (n - keep) * sizeof *row.targets);
    }
}

static int score(ems_evaluator *e, const scorer *s, telling way, size_t most,
                 ems_score_sums *sum, ems_error *err)
{
    const size_t count = (size_t)e->o->excerpts;
    const size_t n = s->sampler.length, rows = BATCH + 1;
    const ems_batch batch = {.tokens = s->ids, .targets = s->ids + rows * n,
                             .seconds = s->reals,
                             .conditions = s->reals + rows * n};
    *sum = (ems_score_sums){0};
    for (size_t first = 0; first < count; first += BATCH) {
        if (ems_cancelled(e->run))
            return ems_fail_cancelled(err);
        fill_batch(s, first, count, way, most);
        ems_graph_forward(s->graph, &s->params, &batch, 0);
        const ems_score_sums more = ems_graph_score(s->graph, &batch);
        sum->count += more.count;
        sum->nll += more.nll;
        sum->top1 += more.top1;
        sum->top5 += more.top5;
        ems_progress(e->run, "held-out",
                     e->done + e->share *
                         ((double)way + (double)first / (double)count) /
                         EMS_EVALUATE_TELLINGS);
    }
    return EMS_OK;
}

static int score_row(ems_evaluator *e, const scorer *s, telling way,
                     ems_error *err)
{
    ems_score_sums all, early = {0};
    int code = score(e, s, way, SIZE_MAX, &all, err);
    if (code == EMS_OK)
        code = score(e, s, way, EMS_EVALUATE_EARLY, &early, err);
    if (code < 0)
        return code;
    e->out->nll[way] = (ems_nll_row){.name = telling_name[way],
                                     .tokens = all.count};
    if (all.count > 0) {
        e->out->nll[way].nll = all.nll / all.count;
        e->out->nll[way].top1 = all.top1 / all.count;
        e->out->nll[way].top5 = all.top5 / all.count;
        e->out->nll[way].early = early.nll / early.count;
    }
    return EMS_OK;
}

int ems_evaluate_nll(ems_evaluator *e, ems_error *err)
{
    scorer *s = ems_alloc(1, sizeof *s);
    int code = s ? open_scorer(s, e, err) : ems_out_of_memory(err);
    if (code == EMS_OK && s->sampler.held_pieces == 0)
        code = ems_fail(err, EMS_EINVAL, "\"%s\" holds no piece out; build it"
                        " with --held-out", e->o->dataset);
    for (int way = 0; way < EMS_EVALUATE_TELLINGS && code == EMS_OK; way++)
        code = score_row(e, s, (telling)way, err);
    if (s)
        close_scorer(s);
    ems_free(s);
    return code;
}

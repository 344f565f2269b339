/* One step: a batch in parts, over ranks; and the same for held-out scores. */
#include "base/run.h"
#include "music/train.h"
#include "music/vocab.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { HELD_EXCERPTS = 48 }; /* of a validation */
#define HELD_STREAM 0x68656c64 /* generators of the held-out excerpts */

static size_t parts_of(const ems_training *t)
{
    return (size_t)t->o.accumulate;
}

size_t ems_train_sequences(const ems_training *t)
{
    return (size_t)ems_ranks_size(t->ranks) * parts_of(t) *
           (size_t)t->o.batch;
}

/* ---- Excerpts ----------------------------------------------------------- */

static ems_excerpt row_of(const ems_training *t, size_t row)
{
    const size_t n = t->sampler.length;
    const size_t rows = parts_of(t) * (size_t)t->o.batch * n;
    return (ems_excerpt){t->ids + row * n, t->ids + rows + row * n,
                         t->reals + row * n, t->reals + rows + 2 * row};
}

static size_t first_of(const ems_training *t, size_t part)
{
    const size_t rank = (size_t)ems_ranks_rank(t->ranks);
    return (rank * parts_of(t) + part) * (size_t)t->o.batch;
}

static ems_batch part_of(const ems_training *t, size_t part)
{
    const ems_excerpt e = row_of(t, part * (size_t)t->o.batch);
    return (ems_batch){.tokens = e.tokens, .targets = e.targets,
                       .seconds = e.seconds, .conditions = e.conditions,
                       .first = first_of(t, part), .weight = t->turn.weight};
}

static double draw_excerpts(ems_training *t)
{
    double weight = 0;
    const uint64_t from = t->state.step * ems_train_sequences(t) +
                          first_of(t, 0);
    for (size_t i = 0; i < parts_of(t) * (size_t)t->o.batch; i++) {
        ems_rng rng = ems_rng_seed(t->o.seed, from + i);
        ems_excerpt e = row_of(t, i);
        ems_sample(&t->sampler, &rng, &e);
    }
    for (size_t part = 0; part < parts_of(t); part++) {
        const ems_batch b = part_of(t, part);
        weight += ems_graph_weight(t->graph, &b);
    }
    return weight;
}

int ems_train_turn(ems_training *t, ems_error *err)
{
    double x[3];
    x[0] = draw_excerpts(t) + ems_pairs_draw(t);
    x[1] = ems_train_leads(t) ? ems_train_seconds(t) : 0;
    x[2] = ems_cancelled(&t->run) != 0;
    const int code = ems_ranks_sum(t->ranks, x, 3, err);
    t->turn = (ems_turn){x[0], x[1], x[2]};
    return code;
}

/* ---- Gradient ----------------------------------------------------------- */

typedef struct add_pass {
    float *to;
    const float *x;
    size_t count;
} add_pass;

static void add_span(void *ctx, size_t i)
{
    const add_pass *a = ctx;
    const size_t end = (i + 1) * EMS_SPAN;
    for (size_t j = i * EMS_SPAN; j < end && j < a->count; j++)
        a->to[j] += a->x[j];
}

static void add(ems_training *t, float *to, const float *x, size_t count)
{
    add_pass a = {to, x, count};
    ems_pool_for(t->pool, (count + EMS_SPAN - 1) / EMS_SPAN, add_span, &a);
}

/* Floats of a layer in the block; layer -1 is all that comes before layer 0. */
static size_t layer_range(const ems_params *p, int layer, size_t *count)
{
    const int last = layer == p->shape.n_layer - 1;
    const float *from = layer < 0 ? p->block : p->layer[layer].rel;
    const float *to = last ? p->block + p->count : p->layer[layer + 1].rel;
    *count = (size_t)(to - from);
    return (size_t)(from - p->block);
}

/* A layer's gradient is complete: on its way while others are computed. */
static void send_layer(void *user, int layer)
{
    ems_training *t = user;
    size_t count;
    const size_t at = layer_range(&t->d, layer, &count);
    if (t->sum)
        add(t, t->d.block + at, t->sum + at, count);
    ems_ranks_begin(t->ranks, t->d.block + at, count);
}

/* `kept` parts came before. */
static void keep_part(ems_training *t, size_t kept)
{
    if (kept == 0)
        memcpy(t->sum, t->d.block, t->d.count * sizeof *t->sum);
    else
        add(t, t->sum, t->d.block, t->d.count);
}

static int gradient(ems_training *t, double *loss, ems_error *err)
{
    const uint64_t masks = t->state.step + 1 + (t->o.seed << 40);
    size_t kept = 0;
    *loss = 0;
    if (t->pairs.graph) {
        *loss += ems_pairs_gradient(t, masks);
        keep_part(t, kept++);
    }
    for (size_t part = 0; part < parts_of(t); part++) {
        const ems_batch b = part_of(t, part);
        const int last = part + 1 == parts_of(t);
        ems_graph_forward(t->graph, &t->p, &b, masks);
        ems_graph_watch(t->graph, last ? send_layer : NULL, t);
        *loss += ems_graph_backward(t->graph, &t->p, &b, &t->d);
        if (!last)
            keep_part(t, kept++);
    }
    const int code = ems_ranks_wait(t->ranks, err);
    return code < 0 ? code : ems_ranks_sum(t->ranks, loss, 1, err);
}

static int went_wrong(const ems_training *t, double loss, ems_error *err)
{
    return ems_fail(err, EMS_EINTERNAL, "step %" PRIu64 ": loss %g, gradient"
                    " norm %g: training has diverged and stops; \"%s\" and"
                    " the last checkpoint are from before: resume with a"
                    " lower learning rate than %g", t->state.step + 1, loss,
                    t->norm, t->o.out, t->o.lr);
}

int ems_train_step(ems_training *t, ems_error *err)
{
    double loss;
    t->lr = ems_train_rate(&t->o, t->state.step, t->turn.seconds);
    if (gradient(t, &loss, err) < 0)
        return err->code;
    t->norm = ems_optim_norm(&t->optim);
    if (!isfinite(loss) || !isfinite(t->norm))
        return went_wrong(t, loss, err);
    const double scale = t->o.clip > 0 && t->norm > t->o.clip
                             ? t->o.clip / t->norm : 1;
    ems_optim_step(&t->optim, t->state.step + 1, t->lr, t->o.weight_decay,
                   scale);
    t->state.step++;
    t->state.tokens += ems_train_sequences(t) * t->sampler.length;
    t->loss += loss;
    return EMS_OK;
}

/* ---- Held-out scores ---------------------------------------------------- */

/* Excerpts first .. first + batch, as far as there are; always the same ones,
 * however many ranks and sequences share them. */
static void draw_held(ems_training *t, uint64_t first, int blind)
{
    for (size_t i = 0; i < (size_t)t->o.batch; i++) {
        ems_rng rng = ems_rng_seed(HELD_STREAM, first + i);
        ems_excerpt e = row_of(t, i);
        ems_sample_held(&t->sampler, &rng, blind, &e);
        if (first + i >= HELD_EXCERPTS)
            memset(e.targets, EMS_PAD, t->sampler.length * sizeof *e.targets);
    }
}

int ems_train_score(ems_training *t, int blind, ems_score_sums *sum,
                    ems_error *err)
{
    const uint64_t batch = (uint64_t)t->o.batch;
    const uint64_t ranks = (uint64_t)ems_ranks_size(t->ranks);
    double x[5] = {0}; /* the last: who was told to stop */
    for (uint64_t at = 0; at < HELD_EXCERPTS; at += ranks * batch) {
        const uint64_t mine = (uint64_t)ems_ranks_rank(t->ranks) * batch;
        if (at + mine >= HELD_EXCERPTS || ems_cancelled(&t->run))
            continue;
        draw_held(t, at + mine, blind);
        const ems_batch b = part_of(t, 0);
        ems_graph_forward(t->graph, &t->p, &b, 0);
        const ems_score_sums s = ems_graph_score(t->graph, &b);
        const double more[] = {s.nll, s.count, s.top1, s.top5};
        for (int i = 0; i < 4; i++)
            x[i] += more[i];
    }
    x[4] = ems_cancelled(&t->run) != 0;
    const int code = ems_ranks_sum(t->ranks, x, 5, err);
    *sum = (ems_score_sums){x[0], x[4] > 0 ? 0 : x[1], x[2], x[3]};
    return code;
}

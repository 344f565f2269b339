/* The part of a step that makes valence count.
 *
 * Over a long excerpt it is worth a fraction of a thousandth of a nat a token
 * to know whether the music will be minor before it has said so: the loss of
 * the next token hardly asks for it. So every step also takes short excerpts,
 * each twice, and asks which of the two valences is its own (graph_loss.c). */
#include "base/mem.h"
#include "music/train.h"

enum { TOKENS = 128 };
#define PAIR_STREAM 0x70616972 /* generators of the pairs */

static ems_graph_options graph_options(const ems_train_options *o)
{
    const size_t most = (size_t)o->shape.context_len - EMS_CONDITIONS;
    return (ems_graph_options){
        .shape = o->shape, .batch = 2 * (size_t)o->pairs,
        .tokens = most < TOKENS ? most : TOKENS, .precision = o->precision,
        .dropout = o->dropout, .contrast = o->contrast};
}

static size_t ids_of(const ems_graph_options *g)
{
    return 2 * g->batch * g->tokens;
}

static size_t reals_of(const ems_graph_options *g)
{
    return g->batch * (g->tokens + EMS_CONDITIONS);
}

double ems_pairs_flops(const ems_train_options *o)
{
    const ems_graph_options g = graph_options(o);
    return o->contrast > 0 ? ems_graph_flops(&g) : 0;
}

size_t ems_pairs_bytes(const ems_train_options *o, int threads)
{
    const ems_graph_options g = graph_options(o);
    return o->contrast > 0 ? ems_graph_bytes(&g, threads) +
                                 ids_of(&g) * sizeof(uint16_t) +
                                 reals_of(&g) * sizeof(float)
                           : 0;
}

int ems_pairs_open(ems_training *t, ems_error *err)
{
    const ems_graph_options g = graph_options(&t->o);
    ems_train_pairs *p = &t->pairs;
    if (!(t->o.contrast > 0))
        return EMS_OK;
    p->ids = ems_alloc(ids_of(&g), sizeof *p->ids);
    p->reals = ems_alloc(reals_of(&g), sizeof *p->reals);
    if (!p->ids || !p->reals)
        return ems_out_of_memory(err);
    p->graph = ems_graph_new(&g, ems_cpu_best(), t->pool, err);
    return p->graph ? EMS_OK : (int)err->code;
}

void ems_pairs_close(ems_train_pairs *p)
{
    ems_graph_free(p->graph);
    ems_free(p->ids);
    ems_free(p->reals);
    *p = (ems_train_pairs){0};
}

static size_t pairs_of(const ems_training *t)
{
    return (size_t)t->o.pairs;
}

/* Row i: of the excerpts, then of the others. */
static ems_excerpt row_of(const ems_training *t, size_t i)
{
    const size_t length = graph_options(&t->o).tokens;
    const size_t all = 2 * pairs_of(t) * length;
    const ems_train_pairs *p = &t->pairs;
    return (ems_excerpt){p->ids + i * length, p->ids + all + i * length,
                         p->reals + i * length,
                         p->reals + all + EMS_CONDITIONS * i};
}

static ems_batch batch_of(const ems_training *t)
{
    const ems_excerpt e = row_of(t, 0);
    const size_t rank = (size_t)ems_ranks_rank(t->ranks);
    return (ems_batch){.tokens = e.tokens, .targets = e.targets,
                       .seconds = e.seconds, .conditions = e.conditions,
                       .first = rank * pairs_of(t),
                       .weight = t->turn.weight};
}

double ems_pairs_draw(ems_training *t)
{
    ems_sampler s = t->sampler; /* shorter excerpts of the same pieces */
    if (!t->pairs.graph)
        return 0;
    s.length = graph_options(&t->o).tokens;
    const ems_batch b = batch_of(t);
    const uint64_t ranks = (uint64_t)ems_ranks_size(t->ranks);
    const uint64_t from = t->state.step * ranks * pairs_of(t) + b.first;
    for (size_t i = 0; i < pairs_of(t); i++) {
        ems_rng rng = ems_rng_seed(t->o.seed ^ PAIR_STREAM, from + i);
        ems_excerpt e = row_of(t, i), other = row_of(t, pairs_of(t) + i);
        ems_sample_pair(&s, &rng, &e, &other);
    }
    return ems_graph_weight(t->pairs.graph, &b);
}

double ems_pairs_gradient(ems_training *t, uint64_t masks)
{
    const ems_batch b = batch_of(t);
    ems_graph_forward(t->pairs.graph, &t->p, &b,
                      masks ^ (uint64_t)PAIR_STREAM << 8);
    return ems_graph_backward(t->pairs.graph, &t->p, &b, &t->d);
}

ems_graph_pairs ems_pairs_told(const ems_training *t)
{
    return t->pairs.graph ? ems_graph_told(t->pairs.graph)
                          : (ems_graph_pairs){0};
}

/* What comes after the last layer: losses, their gradient, scores.
 *
 * Every target weighs 1, a <CHORD> 10. In a pair the excerpt's beginning is
 * there twice, the second time with another condition, and `gain` is what
 * more of its targets weigh: w p in the excerpt, -w p in the other, where p
 * is the probability, by the model, that the other's condition is its own. */
#include "music/graph_parts.h"
#include "music/vocab.h"

#include <math.h>
#include <string.h>

#define CHORD_WEIGHT 10.0

static double weight_of(unsigned target)
{
    return target == EMS_PAD ? 0 : target == EMS_CHORD ? CHORD_WEIGHT : 1;
}

/* The target of a position, EMS_PAD for the conditions. */
static unsigned target_of(const ems_graph *g, const ems_batch *b,
                          size_t sequence, size_t position)
{
    return position < EMS_CONDITIONS
               ? EMS_PAD
               : b->targets[sequence * g->o.tokens + position -
                            EMS_CONDITIONS];
}

typedef struct loss_pass {
    ems_graph *g;
    const ems_batch *b;
    double total; /* weight of all targets */
    int gradient; /* nonzero: it is wanted, gains are known */
} loss_pass;

/* Rows that a sequence shares with the other of its pair. */
static size_t shared_rows(const ems_graph *g, size_t sequence)
{
    const size_t n = ems_excerpts(g);
    if (n == g->o.batch)
        return 0;
    const size_t other = sequence % n + n;
    return g->begin[other + 1] - g->begin[other];
}

static double gradient_weight(const ems_graph *g, unsigned target,
                              size_t sequence, size_t position)
{
    double weight = sequence < ems_excerpts(g) ? weight_of(target) : 0;
    if (position < shared_rows(g, sequence))
        weight += g->gain[sequence];
    return weight;
}

/* The NLL of every target; with the gradient in place of the logits where that
 * is asked for. */
static void loss_rows(void *ctx, size_t turn)
{
    const loss_pass *l = ctx;
    ems_graph *g = l->g;
    const ems_rows *r = &g->turn[turn];
    for (size_t i = 0; i < r->count; i++) {
        const size_t position = r->position + i;
        const unsigned target = target_of(g, l->b, r->sequence, position);
        const float weight =
            !l->gradient ? 1
                         : (float)(gradient_weight(g, target, r->sequence,
                                                   position) / l->total);
        float *const row = g->logits + (r->row + i) * g->ld;
        double *const nll = &g->row_nll[r->row + i];
        *nll = 0;
        if (target != EMS_PAD && !(fabsf(weight) <= 0))
            *nll = g->ops->cross_entropy(row, g->V, target, weight,
                                         !l->gradient) / (double)weight;
        else if (l->gradient)
            memset(row, 0, g->V * sizeof *row);
    }
}

double ems_graph_weight(const ems_graph *g, const ems_batch *b)
{
    double sum = 0;
    for (size_t i = 0; i < ems_excerpts(g) * g->o.tokens; i++)
        sum += weight_of(b->targets[i]);
    return sum;
}

static double excerpts_nll(const ems_graph *g, const ems_batch *b)
{
    double sum = 0;
    for (size_t n = 0; n < ems_excerpts(g); n++)
        for (size_t i = g->begin[n]; i < g->begin[n + 1]; i++)
            sum += g->row_nll[i] *
                   weight_of(target_of(g, b, n, i - g->begin[n]));
    return sum;
}

/* The loss of one pair; its gains. */
static double contrast(ems_graph *g, size_t n)
{
    const size_t other = n + ems_excerpts(g), rows = shared_rows(g, n);
    double d = 0;
    for (size_t i = 0; i < rows; i++)
        d += g->row_nll[g->begin[n] + i] - g->row_nll[g->begin[other] + i];
    g->gain[n] = g->o.contrast / (1 + exp(-d));
    g->gain[other] = -g->gain[n];
    if (rows == 0)
        return 0;
    g->pairs.count++;
    g->pairs.told += 1 / (1 + exp(d));
    return g->o.contrast * (fmax(d, 0) + log1p(exp(-fabs(d))));
}

static loss_pass begin_pass(ems_graph *g, const ems_batch *b)
{
    loss_pass l = {g, b, b->weight, 0};
    if (!(l.total > 0))
        l.total = ems_graph_weight(g, b);
    if (!(l.total > 0))
        l.total = 1;
    return l;
}

/* From the rows' losses; with the pairs' gains. */
static double loss_of(const loss_pass *l)
{
    ems_graph *g = l->g;
    double sum = excerpts_nll(g, l->b);
    for (size_t n = 0; n < g->o.batch - ems_excerpts(g); n++)
        sum += contrast(g, n);
    return sum / l->total;
}

double ems_graph_loss(ems_graph *g, const ems_batch *b)
{
    loss_pass l = begin_pass(g, b);
    ems_rows_each(g, loss_rows, &l);
    return loss_of(&l);
}

/* Pairs have to be compared before their gradient is known. */
double ems_graph_gradient(ems_graph *g, const ems_batch *b)
{
    loss_pass l = begin_pass(g, b);
    double value = 0;
    const int pairs = ems_excerpts(g) < g->o.batch;
    if (pairs) {
        ems_rows_each(g, loss_rows, &l);
        value = loss_of(&l);
    }
    l.gradient = 1;
    ems_rows_each(g, loss_rows, &l);
    return pairs ? value : loss_of(&l);
}

/* ---- Evaluation --------------------------------------------------------- */

static size_t rank_of(const float *logits, size_t n, size_t target)
{
    size_t above = 0;
    for (size_t i = 0; i < n; i++)
        above += logits[i] > logits[target];
    return above;
}

static void score_row(ems_score_sums *s, const ems_graph *g, size_t row,
                      unsigned target)
{
    const size_t rank = rank_of(g->logits + row * g->ld, g->V, target);
    s->nll += g->row_nll[row];
    s->count++;
    s->top1 += rank < 1;
    s->top5 += rank < 5;
}

ems_score_sums ems_graph_score(ems_graph *g, const ems_batch *b)
{
    ems_score_sums s = {0};
    loss_pass l = {.g = g, .b = b};
    ems_rows_each(g, loss_rows, &l);
    for (size_t n = 0; n < ems_excerpts(g); n++)
        for (size_t i = g->begin[n]; i < g->begin[n + 1]; i++) {
            const unsigned target = target_of(g, b, n, i - g->begin[n]);
            if (target != EMS_PAD)
                score_row(&s, g, i, target);
        }
    return s;
}

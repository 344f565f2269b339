#include "music/sampler.h"

#include "base/exact.h"

#include <math.h>
#include <string.h>

static const double PENALTY = 0.4;    /* of narrow choices */
static const double SERVE_REACH = 1.0; /* seconds from <CHORD> to boundary */
enum { NARROW = 2 };                  /* candidates that count as narrow */

void ems_sampler_start(ems_sampler *s, uint64_t seed, uint64_t stream,
                       double temperature, double top_p)
{
    *s = (ems_sampler){.temperature = temperature, .top_p = top_p};
    s->rng = ems_rng_seed(seed, stream);
}

double ems_sampler_temperature(const ems_sampler *s)
{
    const double raise = PENALTY * ems_exact_log((s->repeats + 1) / 4.0);
    return s->temperature * (1 + (raise > 0 ? raise : 0));
}

static int never_sampled(int token)
{
    return token == EMS_PAD || token == EMS_START ||
           token == EMS_LESS_INSTRUMENTS || token == EMS_MORE_INSTRUMENTS;
}

static double logit_at(const float *logits, int token)
{
    return isnan(logits[token]) ? 0 : (double)logits[token];
}

typedef struct pool {
    int n;               /* tokens that may be sampled */
    double sum;          /* of their weights */
    double weight[EMS_VOCAB];
    int token[EMS_VOCAB];
} pool;

/* All tokens that may be sampled, with their logits. Infinite ones are cut to
 * what a float can hold, so that differences exist. */
static void collect(pool *p, const float *logits, const uint8_t *banned)
{
    p->n = 0;
    for (int token = 0; token < EMS_VOCAB; token++) {
        if (never_sampled(token) || (banned && banned[token]))
            continue;
        const double x = logit_at(logits, token);
        p->weight[p->n] = x > 1e38 ? 1e38 : x < -1e38 ? -1e38 : x;
        p->token[p->n++] = token;
    }
}

/* Logits to the terms of a softmax; the likeliest token's is 1. */
static void exponentiate(pool *p, double temperature)
{
    const double rate = 1 / temperature;
    double max = p->weight[0];
    for (int i = 1; i < p->n; i++)
        max = p->weight[i] > max ? p->weight[i] : max;
    for (int i = 0; i < p->n; i++)
        p->weight[i] = (p->weight[i] - max) * rate;
    ems_exact_exps(p->weight, (size_t)p->n);
    p->sum = 0;
    for (int i = 0; i < p->n; i++)
        p->sum += p->weight[i];
}

/* ---- The likeliest first: a heap gives as many as are asked for ---------- */

static int likelier(const pool *p, int a, int b)
{
    if (p->weight[a] != p->weight[b])
        return p->weight[a] > p->weight[b];
    return p->token[a] < p->token[b];
}

static void swap(pool *p, int a, int b)
{
    const double weight = p->weight[a];
    const int token = p->token[a];
    p->weight[a] = p->weight[b], p->token[a] = p->token[b];
    p->weight[b] = weight, p->token[b] = token;
}

static void sink(pool *p, int at)
{
    for (int child; (child = 2 * at + 1) < p->n; at = child) {
        if (child + 1 < p->n && likelier(p, child + 1, child))
            child++;
        if (!likelier(p, child, at))
            return;
        swap(p, at, child);
    }
}

static void make_heap(pool *p)
{
    for (int i = p->n / 2 - 1; i >= 0; i--)
        sink(p, i);
}

static ems_candidate top(const pool *p)
{
    return (ems_candidate){p->weight[0] / p->sum, p->token[0]};
}

static void pop(pool *p)
{
    swap(p, 0, --p->n);
    sink(p, 0);
}

/* The candidates that stay, in falling order: each whose inclusive cumulative
 * probability does not exceed top_p, and always the first. The one that
 * crosses top_p goes too: stricter than the textbook, as in EMSYNC. */
static int nucleus(ems_candidate *c, pool *p, double top_p)
{
    int kept = 0;
    double sum = 0;
    for (; p->n; pop(p)) {
        c[kept] = top(p);
        sum += c[kept].p;
        if (kept && top_p < 1 && sum > top_p)
            break;
        kept++;
    }
    return kept;
}

int ems_sampler_pick(ems_sampler *s, const float *logits,
                     const uint8_t *banned)
{
    pool p;
    collect(&p, logits, banned);
    s->survivors = 0;
    if (p.n == 0)
        return -1;
    exponentiate(&p, ems_sampler_temperature(s));
    make_heap(&p);
    const int n = nucleus(s->candidate, &p, s->top_p);
    s->survivors = n;
    s->repeats = n <= NARROW ? s->repeats + 1 : s->repeats / 2;
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += s->candidate[i].p;
    double at = ems_rng_uniform(&s->rng) * sum;
    for (int i = 0; i < n; i++) {
        at -= s->candidate[i].p;
        if (at < 0)
            return s->candidate[i].token;
    }
    return s->candidate[n - 1].token;
}

double ems_sampler_share(const float *logits, const uint8_t *chosen)
{
    pool p;
    double share = 0;
    collect(&p, logits, NULL);
    exponentiate(&p, 1);
    for (int i = 0; i < p.n; i++)
        if (chosen[p.token[i]])
            share += p.weight[i];
    return share / p.sum;
}

/* ---- Boundaries ---------------------------------------------------------- */

void ems_boundaries_start(ems_boundaries *b, const double *time,
                          uint8_t *served, size_t count)
{
    *b = (ems_boundaries){.time = time, .served = served, .count = count};
    if (count)
        memset(served, 0, count);
}

float ems_boundaries_left(ems_boundaries *b)
{
    while (b->next < b->count && b->time[b->next] <= b->cursor - SERVE_REACH)
        b->next++;
    for (size_t i = b->next; i < b->count; i++) {
        const double left = b->time[i] - b->cursor;
        if (left >= EMS_OFFSET_REACH)
            break;
        if (left >= 0 && !b->served[i])
            return (float)left;
    }
    return (float)EMS_OFFSET_REACH;
}

float ems_boundaries_step(ems_boundaries *b, int token)
{
    for (size_t i = b->next; token == EMS_CHORD && i < b->count; i++) {
        if (b->time[i] >= b->cursor + SERVE_REACH)
            break;
        if (fabs(b->cursor - b->time[i]) < SERVE_REACH)
            b->served[i] = 1;
    }
    if (ems_is_shift(token))
        b->cursor += EMS_TICK * ems_shift_ticks(token);
    return ems_boundaries_left(b);
}

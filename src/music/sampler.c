#include "music/sampler.h"

#include "base/exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PENALTY = 0.4;    /* of narrow choices */
static const double SERVE_REACH = 1.0; /* seconds from <CHORD> to boundary */
enum { NARROW = 2 };                  /* candidates that count as narrow */

void ems_sampler_start(ems_sampler *s, uint64_t seed, double temperature,
                       double top_p)
{
    *s = (ems_sampler){.temperature = temperature, .top_p = top_p};
    s->rng = ems_rng_seed(seed, 0);
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

static int likelier(const void *a, const void *b)
{
    const ems_candidate *x = a, *y = b;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    return x->token - y->token;
}

/* All tokens that may be sampled, with their logits. Infinite ones are cut to
 * what a float can hold, so that differences exist. */
static int collect(ems_candidate *c, const float *logits,
                   const uint8_t *banned)
{
    int n = 0;
    for (int token = 0; token < EMS_VOCAB; token++) {
        if (never_sampled(token) || (banned && banned[token]))
            continue;
        const double x = logit_at(logits, token);
        c[n++] = (ems_candidate){x > 1e38 ? 1e38 : x < -1e38 ? -1e38 : x,
                                 token};
    }
    return n;
}

/* Logits to probabilities. */
static void softmax(ems_candidate *c, int n, double temperature)
{
    double max = c[0].p, sum = 0;
    for (int i = 1; i < n; i++)
        max = c[i].p > max ? c[i].p : max;
    for (int i = 0; i < n; i++) {
        c[i].p = ems_exact_exp((c[i].p - max) / temperature);
        sum += c[i].p;
    }
    for (int i = 0; i < n; i++)
        c[i].p /= sum;
}

/* How many of the sorted candidates stay: each whose inclusive cumulative
 * probability does not exceed p, and always the first. The one that crosses p
 * goes too: stricter than the textbook, as in EMSYNC. */
static int nucleus(const ems_candidate *c, int n, double p)
{
    double sum = c[0].p;
    int kept = 1;
    if (p >= 1)
        return n;
    while (kept < n && sum + c[kept].p <= p)
        sum += c[kept++].p;
    return kept;
}

int ems_sampler_pick(ems_sampler *s, const float *logits,
                     const uint8_t *banned)
{
    int n = collect(s->candidate, logits, banned);
    s->survivors = 0;
    if (n == 0)
        return -1;
    softmax(s->candidate, n, ems_sampler_temperature(s));
    qsort(s->candidate, (size_t)n, sizeof *s->candidate, likelier);
    n = nucleus(s->candidate, n, s->top_p);
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
    ems_candidate c[EMS_VOCAB];
    double share = 0;
    const int n = collect(c, logits, NULL);
    softmax(c, n, 1);
    for (int i = 0; i < n; i++)
        if (chosen[c[i].token])
            share += c[i].p;
    return share;
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

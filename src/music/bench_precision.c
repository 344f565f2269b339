/* How much rounding the weights changes: ems_bench_precision. */
#include "base/mem.h"
#include "base/run.h"
#include "music/infer.h"
#include "music/train_sample.h"
#include "music/vocab.h"

#include <math.h>

enum { LONGEST = 600 }; /* tokens of an excerpt */

typedef struct reader { /* one precision's view of an excerpt */
    ems_net *net;
    ems_session *session;
} reader;

typedef struct agreement {
    ems_pool *pool;
    ems_dataset *data;
    ems_sampler sampler;
    reader exact, rounded;
    size_t length, vocab;
    uint16_t tokens[LONGEST], targets[LONGEST];
    float seconds[LONGEST], conditions[EMS_CONDITIONS];
    ems_precision_loss sum; /* shares not yet divided */
} agreement;

static int open_reader(reader *r, const char *weights, ems_precision precision,
                       ems_pool *pool, ems_error *err)
{
    r->net = ems_net_open(weights, precision, err);
    r->session = r->net ? ems_session_new(r->net, pool, err) : NULL;
    return r->session ? EMS_OK : EMS_EINVAL;
}

static void close_reader(reader *r)
{
    ems_session_free(r->session);
    ems_net_free(r->net);
}

static int open_all(agreement *a, const char *weights, const char *data,
                    ems_precision precision, const ems_run *run,
                    ems_error *err)
{
    if (!weights)
        return ems_fail(err, EMS_EINVAL, "name the weights of a model to"
                        " compare it with itself in float32");
    a->pool = ems_pool_new(ems_run_threads(run), err);
    if (!a->pool ||
        open_reader(&a->exact, weights, EMS_F32, a->pool, err) < 0 ||
        open_reader(&a->rounded, weights, precision, a->pool, err) < 0)
        return EMS_EINVAL;
    const ems_model_shape *shape = ems_net_shape(a->exact.net);
    if (shape->vocab_size != EMS_VOCAB)
        return ems_fail(err, EMS_EFORMAT, "%s knows %d tokens; a data set has"
                        " the %d of EMSYNC", weights, shape->vocab_size,
                        EMS_VOCAB);
    a->vocab = EMS_VOCAB;
    a->length = (size_t)shape->context_len - EMS_CONDITIONS;
    a->length = a->length < LONGEST ? a->length : LONGEST;
    a->data = ems_dataset_open(data, err);
    if (!a->data ||
        ems_sampler_open(&a->sampler, a->data, a->length, err) < 0)
        return EMS_EINVAL;
    if (a->sampler.held_pieces == 0)
        return ems_fail(err, EMS_EINVAL, "%s holds out no piece; build it with"
                        " a larger held-out share", data);
    return EMS_OK;
}

static size_t most_likely(const float *logits, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static double log_sum(const float *logits, size_t n)
{
    const double most = (double)logits[most_likely(logits, n)];
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - most);
    return log(sum) + most;
}

static void compare(agreement *a, int target)
{
    const float *p = ems_session_logits(a->exact.session);
    const float *q = ems_session_logits(a->rounded.session);
    const double zp = log_sum(p, a->vocab), zq = log_sum(q, a->vocab);
    for (size_t i = 0; i < a->vocab; i++) {
        const double lp = (double)p[i] - zp;
        a->sum.divergence += exp(lp) * (lp - ((double)q[i] - zq));
    }
    a->sum.other_top1 += most_likely(p, a->vocab) != most_likely(q, a->vocab);
    a->sum.nll_exact += zp - (double)p[target];
    a->sum.nll += zq - (double)q[target];
    a->sum.steps++;
}

/* Read token i of the excerpt; -1 on failure. */
static int read_on(const agreement *a, const reader *r, size_t i,
                   ems_error *err)
{
    if (i == 0)
        return ems_session_fill(r->session, a->conditions[0],
                                a->conditions[1], a->tokens, a->seconds, 1,
                                err);
    return ems_session_append(r->session, a->tokens[i], a->seconds[i], err);
}

static int read_excerpt(agreement *a, ems_rng *rng, uint64_t steps,
                        const ems_run *run, ems_error *err)
{
    ems_excerpt e = {a->tokens, a->targets, a->seconds, a->conditions};
    ems_sample_held(&a->sampler, rng, 0, &e);
    for (size_t i = 0; i < a->length && a->sum.steps < steps; i++) {
        if (a->tokens[i] == EMS_PAD || a->targets[i] == EMS_PAD)
            break;
        if (ems_cancelled(run))
            return ems_fail_cancelled(err);
        int code = read_on(a, &a->exact, i, err);
        if (code == EMS_OK)
            code = read_on(a, &a->rounded, i, err);
        if (code < 0)
            return code;
        compare(a, a->targets[i]);
        ems_progress(run, "compare",
                     (double)a->sum.steps / (double)steps);
    }
    return EMS_OK;
}

static int measure(agreement *a, uint64_t steps, const ems_run *run,
                   ems_precision_loss *out, ems_error *err)
{
    ems_rng rng = ems_rng_seed(1, 0);
    while (a->sum.steps < steps) {
        const int code = read_excerpt(a, &rng, steps, run, err);
        if (code < 0)
            return code;
    }
    const double n = (double)a->sum.steps;
    *out = (ems_precision_loss){a->sum.steps, a->sum.other_top1 / n,
                                a->sum.divergence / n, a->sum.nll / n,
                                a->sum.nll_exact / n};
    return EMS_OK;
}

int ems_bench_precision(ems_precision_loss *out, const char *weights,
                        const char *dataset, ems_precision precision,
                        int steps, const ems_run *run, ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    agreement *a = ems_alloc(1, sizeof *a);
    if (!a)
        return ems_out_of_memory(e);
    int code = open_all(a, weights, dataset, precision, run, e);
    if (code == EMS_OK)
        code = measure(a, steps > 0 ? (uint64_t)steps : 1, run, out, e);
    ems_sampler_close(&a->sampler);
    ems_dataset_close(a->data);
    close_reader(&a->exact);
    close_reader(&a->rounded);
    ems_pool_free(a->pool);
    ems_free(a);
    return code < 0 ? e->code : EMS_OK;
}

/* The training graph: against the authors' PyTorch, against differences,
 * against itself on other threads and instruction sets. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "music/graph.h"
#include "music/vocab.h"

#include <math.h>

enum { B = 2, T = 70, TARGETS = B * T };

static const ems_model_shape SHAPE = {24, 2, 3, 40, 90, EMS_VOCAB};

typedef struct rig {
    ems_pool *pool;
    ems_graph *graph;
    ems_params p, d;
    float *weights, *grads;
    uint16_t tokens[TARGETS], targets[TARGETS];
    float seconds[TARGETS], conditions[2 * B];
    ems_batch batch;
} rig;

static void rig_batch(rig *r)
{
    ems_rng rng = ems_rng_seed(3, 1);
    for (size_t i = 0; i < TARGETS; i++) {
        r->tokens[i] = (uint16_t)(1 + ems_rng_below(&rng, EMS_VOCAB - 1));
        r->targets[i] = (uint16_t)(1 + ems_rng_below(&rng, EMS_VOCAB - 1));
        r->seconds[i] = (float)(8 * ems_rng_uniform(&rng));
    }
    r->targets[5] = r->targets[90] = EMS_CHORD;
    for (size_t i = TARGETS - 7; i < TARGETS; i++)
        r->tokens[i] = r->targets[i - 1] = r->targets[i] = EMS_PAD;
    r->conditions[0] = 0.3f;
    r->conditions[1] = -0.7f;
    r->conditions[2] = NAN;
    r->conditions[3] = 0.5f;
    r->batch = (ems_batch){.tokens = r->tokens, .targets = r->targets,
                           .seconds = r->seconds,
                           .conditions = r->conditions};
}

/* Away from 0, where a ReLU of weight times condition has its kink. */
static void push(float *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        w[i] += w[i] < 0 ? -0.1f : 0.1f;
}

static rig *rig_new(ems_cpu_level level, int threads, double dropout,
                    int forward_only)
{
    rig *r = ems_alloc(1, sizeof *r);
    const size_t n = ems_params_count(&SHAPE);
    const ems_graph_options o = {.shape = SHAPE, .batch = B, .tokens = T,
                                 .dropout = dropout,
                                 .forward_only = forward_only};
    r->weights = ems_alloc_aligned(n, sizeof(float));
    r->grads = ems_alloc_aligned(n, sizeof(float));
    ems_params_place(&r->p, &SHAPE, r->weights);
    ems_params_place(&r->d, &SHAPE, r->grads);
    ems_params_init(&r->p, 5);
    push(r->p.v1_w, (size_t)SHAPE.d_model / 2);
    push(r->p.a1_w, (size_t)SHAPE.d_model / 2);
    push(r->p.off1_w, (size_t)SHAPE.d_model / 4);
    rig_batch(r);
    r->pool = ems_pool_new(threads, NULL);
    r->graph = ems_graph_new(&o, level, r->pool, NULL);
    assert_non_null(r->graph);
    return r;
}

static void rig_free(rig *r)
{
    ems_graph_free(r->graph);
    ems_pool_free(r->pool);
    ems_free(r->weights);
    ems_free(r->grads);
    ems_free(r);
}

/* ---- The reference ------------------------------------------------------ */

static void count_tensor(void *user, const char *tensor, double error)
{
    (void)tensor;
    int *const count = user;
    ++*count;
    assert_true(error <= 1e-4);
}

static void check_reference(const char *weights, const char *io,
                            const char *grads, int tensors)
{
    ems_error err;
    int count = 0;
    if (access(weights, R_OK) != 0)
        skip();
    const int above = ems_model_check(weights, io, grads, 1e-4, count_tensor,
                                      &count, NULL, &err);
    if (above < 0)
        fail_msg("%s", err.text);
    assert_int_equal(above, 0);
    assert_int_equal(count, tensors);
    /* Without gradients: logits and loss. */
    count = 0;
    assert_int_equal(ems_model_check(weights, io, NULL, 1e-4, count_tensor,
                                     &count, NULL, &err), 0);
    assert_int_equal(count, 2);
}

#define GOLDEN EMS_SHARED "/golden/reference-model/"

static void equals_pytorch_tiny(void **state)
{
    (void)state;
    check_reference(GOLDEN "tiny.weights.safetensors",
                    GOLDEN "tiny.io.safetensors",
                    GOLDEN "tiny.grads.safetensors", 2 + 18 + 2 * 17);
}

static void equals_pytorch_odd(void **state)
{
    (void)state;
    check_reference(GOLDEN "odd.weights.safetensors",
                    GOLDEN "odd.io.safetensors",
                    GOLDEN "odd.grads.safetensors", 2 + 18 + 3 * 17);
}

/* The weights of one model are no gradients of it. */
static void wrong_reference_is_found(void **state)
{
    (void)state;
    if (access(GOLDEN "tiny.io.safetensors", R_OK) != 0)
        skip();
    ems_error err;
    const int above = ems_model_check(
        GOLDEN "tiny.weights.safetensors", GOLDEN "tiny.io.safetensors",
        GOLDEN "tiny.weights.safetensors", 1e-4, NULL, NULL, NULL, &err);
    assert_true(above > 40);
    assert_int_equal(ems_model_check(GOLDEN "tiny.weights.safetensors",
                                     GOLDEN "odd.weights.safetensors", NULL,
                                     1e-4, NULL, NULL, NULL, &err),
                     EMS_EFORMAT);
}

/* ---- Differences -------------------------------------------------------- */

static double loss_at(rig *r, uint64_t step)
{
    ems_graph_forward(r->graph, &r->p, &r->batch, step);
    return ems_graph_loss(r->graph, &r->batch);
}

/* d loss / d (weights along `way`), by five points: error of the order h^4. */
static double slope(rig *r, const ems_tensor *t, const float *way, double h,
                    uint64_t step)
{
    float *const w = r->weights + t->offset;
    float *const kept = ems_alloc(t->count, sizeof *kept);
    static const double at[] = {-2, -1, 1, 2}, by[] = {1, -8, 8, -1};
    double sum = 0;
    memcpy(kept, w, t->count * sizeof *w);
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < t->count; i++)
            w[i] = (float)((double)kept[i] + at[k] * h * (double)way[i]);
        sum += by[k] * loss_at(r, step);
    }
    memcpy(w, kept, t->count * sizeof *w);
    ems_free(kept);
    return sum / (12 * h);
}

static double length(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

typedef struct differences {
    rig *r;
    uint64_t step;
    double rounding; /* of the loss, over the step */
    int checked;
} differences;

/* Along the gradient plus as long a random vector: a wrong or missing part
 * of the gradient shows in one or the other. Tolerance: 0.5 % for the ReLUs
 * whose kink a step of 0.001 crosses, and the loss's own rounding. */
static void check_tensor(void *user, const ems_tensor *t)
{
    differences *k = user;
    const float *g = k->r->grads + t->offset;
    float *const way = ems_alloc(t->count, sizeof *way);
    ems_rng rng = ems_rng_seed(9, t->offset);
    const double size = length(g, t->count);
    for (size_t i = 0; i < t->count; i++)
        way[i] = (float)ems_rng_normal(&rng);
    const double random = length(way, t->count);
    double want = 0;
    for (size_t i = 0; i < t->count; i++) {
        way[i] = (float)((double)way[i] / random +
                         (size > 0 ? (double)g[i] / size : 0));
        want += (double)way[i] * (double)g[i];
    }
    const double got = slope(k->r, t, way, 1e-3, k->step);
    if (!(fabs(got - want) <= 5e-3 * fabs(want) + k->rounding))
        fail_msg("%s: slope %.8g, gradient %.8g", t->name, got, want);
    k->checked++;
    ems_free(way);
}

static void check_slopes(rig *r, uint64_t step, double rounding)
{
    differences k = {r, step, rounding, 0};
    const double loss = loss_at(r, step);
    assert_true(fabs(ems_graph_backward(r->graph, &r->p, &r->batch, &r->d) -
                     loss) < 1e-9);
    ems_params_each(&SHAPE, check_tensor, &k);
    assert_int_equal(k.checked, 18 + 2 * 17);
    rig_free(r);
}

static void gradient_is_the_slope(void **state)
{
    (void)state;
    for (uint64_t step = 0; step < 2; step++) /* without, with dropout */
        check_slopes(rig_new(ems_cpu_best(), 2, 0.2, 0), step, 3e-5);
}

/* ---- Pairs -------------------------------------------------------------- */

enum { SHARED = 40 };
#define CONTRAST 5.0

/* Sequence 1 is the beginning of sequence 0 with another valence. */
static rig *rig_of_pair(double dropout, int threads)
{
    rig *r = rig_new(ems_cpu_best(), threads, dropout, 0);
    const ems_graph_options o = {.shape = SHAPE, .batch = B, .tokens = T,
                                 .dropout = dropout, .contrast = CONTRAST};
    ems_graph_free(r->graph);
    r->graph = ems_graph_new(&o, ems_cpu_best(), r->pool, NULL);
    assert_non_null(r->graph);
    for (size_t i = 0; i < T; i++) {
        r->tokens[T + i] = r->tokens[i];
        r->targets[T + i] = i < SHARED ? r->targets[i] : EMS_PAD;
        r->seconds[T + i] = r->seconds[i];
    }
    r->conditions[2] = -0.8f;
    r->conditions[3] = r->conditions[1];
    return r;
}

static float logit(const rig *r, size_t sequence, size_t position, size_t i)
{
    size_t stride;
    const float *x = ems_graph_logits(r->graph, &stride);
    return x[(sequence * (T + EMS_CONDITIONS) + position) * stride + i];
}

static double nll_of(const rig *r, size_t sequence, size_t targets)
{
    double nll = 0;
    for (size_t i = 0; i < targets; i++) {
        double sum = 0;
        for (size_t v = 0; v < EMS_VOCAB; v++)
            sum += exp((double)logit(r, sequence, i + EMS_CONDITIONS, v));
        const size_t t = r->targets[i];
        nll += (t == EMS_CHORD ? 10 : 1) *
               (log(sum) - (double)logit(r, sequence, i + EMS_CONDITIONS, t));
    }
    return nll;
}

/* From the logits alone; no <CHORD> among the shared targets. */
static void pairs_are_told_apart(void **state)
{
    (void)state;
    rig *r = rig_of_pair(0, 2);
    for (size_t i = 0; i < (size_t)(SHAPE.d_model * SHAPE.d_model / 2); i++)
        r->p.v2_w[i] *= 20; /* so that valence says something */
    r->targets[5] = r->targets[T + 5] = 17;
    const double loss = loss_at(r, 0);
    const double d = nll_of(r, 0, SHARED) - nll_of(r, 1, SHARED);
    const double weight = ems_graph_weight(r->graph, &r->batch);
    assert_true(fabs(weight - T) < 1e-12);
    const double want = (nll_of(r, 0, T) + CONTRAST * log1p(exp(d))) / weight;
    assert_true(fabs(d) > 0.05 && fabs(loss - want) < 1e-5 * want);
    const ems_graph_pairs pairs = ems_graph_told(r->graph);
    assert_true(pairs.count == 1 &&
                fabs(pairs.told - 1 / (1 + exp(d))) < 1e-4);
    assert_true(ems_graph_score(r->graph, &r->batch).count == T);
    rig_free(r);
}

static void slope_of_pairs(void **state)
{
    (void)state;
    for (uint64_t step = 0; step < 2; step++)
        check_slopes(rig_of_pair(0.2, 2), step, 1e-4);
}

/* A pair loses the same values: with equal conditions nothing differs. */
static void pairs_share_dropout(void **state)
{
    (void)state;
    rig *r = rig_of_pair(0.4, 2);
    r->conditions[2] = r->conditions[0];
    loss_at(r, 3);
    for (size_t i = 0; i < SHARED + EMS_CONDITIONS; i++)
        for (size_t v = 0; v < EMS_VOCAB; v++)
            assert_true(logit(r, 0, i, v) == logit(r, 1, i, v));
    rig_free(r);
}

/* Where nothing is to be told apart, the batch is an ordinary one. */
static void empty_pairs_cost_nothing(void **state)
{
    (void)state;
    rig *pair = rig_of_pair(0.1, 2), *plain = rig_new(ems_cpu_best(), 2, 0.1,
                                                      0);
    memset(pair->targets + T, 0, T * sizeof *pair->targets);
    memset(plain->targets + T, 0, T * sizeof *plain->targets);
    assert_true(loss_at(pair, 2) == loss_at(plain, 2));
    ems_graph_backward(pair->graph, &pair->p, &pair->batch, &pair->d);
    ems_graph_backward(plain->graph, &plain->p, &plain->batch, &plain->d);
    assert_memory_equal(pair->grads, plain->grads,
                        plain->p.count * sizeof *plain->grads);
    rig_free(pair);
    rig_free(plain);
}

/* ---- Sameness ----------------------------------------------------------- */

static void same_gradients(ems_cpu_level level, int threads, const rig *want)
{
    rig *r = rig_new(level, threads, 0.1, 0);
    ems_graph_forward(r->graph, &r->p, &r->batch, 3);
    ems_graph_backward(r->graph, &r->p, &r->batch, &r->d);
    assert_memory_equal(r->grads, want->grads,
                        r->p.count * sizeof *r->grads);
    rig_free(r);
}

static void threads_and_levels_agree(void **state)
{
    (void)state;
    if (!ems_cpu_can(EMS_CPU_AVX2))
        skip();
    rig *r = rig_new(EMS_CPU_AVX2, 1, 0.1, 0);
    ems_graph_forward(r->graph, &r->p, &r->batch, 3);
    ems_graph_backward(r->graph, &r->p, &r->batch, &r->d);
    same_gradients(EMS_CPU_AVX2, 2, r);
    same_gradients(EMS_CPU_AVX2, 3, r);
    same_gradients(EMS_CPU_WIDE, 2, r);
    if (ems_cpu_can(EMS_CPU_AVX512))
        same_gradients(EMS_CPU_AVX512, 2, r);
    rig_free(r);
}

static void nothing_sees_the_future(void **state)
{
    (void)state;
    rig *r = rig_new(ems_cpu_best(), 2, 0, 1);
    enum { CHANGED = 40 };
    loss_at(r, 0);
    const float before = logit(r, 0, CHANGED + 1, 7);
    const float at = logit(r, 0, CHANGED + 2, 7);
    const float other = logit(r, 1, T + 1, 7);
    r->tokens[CHANGED] = 500;
    r->seconds[CHANGED] = 1;
    loss_at(r, 0);
    assert_true(logit(r, 0, CHANGED + 1, 7) == before);
    assert_true(logit(r, 0, CHANGED + 2, 7) != at);
    assert_true(logit(r, 1, T + 1, 7) == other);
    rig_free(r);
}

static void padding_is_not_seen(void **state)
{
    (void)state;
    rig *r = rig_new(ems_cpu_best(), 2, 0, 1);
    r->tokens[10] = EMS_PAD; /* a hole: its key is masked for later ones */
    loss_at(r, 0);
    const float later = logit(r, 0, 30, 7);
    r->seconds[10] = 0.25f;
    loss_at(r, 0);
    assert_true(logit(r, 0, 30, 7) == later);
    rig_free(r);
}

static void forward_only_is_the_same(void **state)
{
    (void)state;
    rig *a = rig_new(ems_cpu_best(), 2, 0.1, 0);
    rig *b = rig_new(ems_cpu_best(), 2, 0.1, 1);
    assert_true(loss_at(a, 0) == loss_at(b, 0));
    assert_true(loss_at(a, 4) == loss_at(b, 4));
    assert_true(loss_at(a, 4) != loss_at(a, 5));
    rig_free(a);
    rig_free(b);
}

static rig *rig_of_rows(int all_rows)
{
    rig *r = rig_new(ems_cpu_best(), 2, 0.1, 0);
    const ems_graph_options o = {.shape = SHAPE, .batch = B, .tokens = T,
                                 .dropout = 0.1, .all_rows = all_rows};
    ems_graph_free(r->graph);
    r->graph = ems_graph_new(&o, ems_cpu_best(), r->pool, NULL);
    assert_non_null(r->graph);
    for (size_t i = 31; i < T; i++) /* sequence 0 has 31 targets */
        r->targets[i] = r->tokens[i] = EMS_PAD;
    return r;
}

/* What comes after the last target changes nothing, with or without it. */
static void padding_costs_nothing(void **state)
{
    (void)state;
    rig *a = rig_of_rows(1), *b = rig_of_rows(0);
    for (int empty = 0; empty < 2; empty++) {
        for (size_t i = 0; empty && i < T; i++) /* the other one has none */
            a->targets[T + i] = b->targets[T + i] = EMS_PAD;
        ems_graph_forward(a->graph, &a->p, &a->batch, 3);
        ems_graph_forward(b->graph, &b->p, &b->batch, 3);
        const ems_score_sums s = ems_graph_score(b->graph, &b->batch);
        assert_true(s.count == 31 + (empty ? 0 : T - 8));
        const double all = ems_graph_backward(a->graph, &a->p, &a->batch,
                                              &a->d);
        const double some = ems_graph_backward(b->graph, &b->p, &b->batch,
                                               &b->d);
        assert_true(fabs(all - some) < 1e-6);
        const double most = length(a->grads, a->p.count);
        for (size_t i = 0; i < a->p.count; i++)
            assert_true(fabs((double)a->grads[i] - (double)b->grads[i]) <
                        1e-6 * most);
    }
    rig_free(a);
    rig_free(b);
}

static void no_targets_no_gradient(void **state)
{
    (void)state;
    rig *r = rig_new(ems_cpu_best(), 2, 0.1, 0);
    memset(r->targets, 0, sizeof r->targets);
    ems_graph_forward(r->graph, &r->p, &r->batch, 3);
    assert_true(ems_graph_backward(r->graph, &r->p, &r->batch, &r->d) == 0);
    assert_true(length(r->grads, r->p.count) == 0);
    rig_free(r);
}

static void score_counts_targets(void **state)
{
    (void)state;
    rig *r = rig_new(ems_cpu_best(), 2, 0, 1);
    loss_at(r, 0);
    double nll = 0;
    size_t top1 = 0, top5 = 0, count = 0;
    for (size_t i = 0; i < TARGETS; i++) {
        const size_t t = r->targets[i], pos = i % T + EMS_CONDITIONS;
        if (t == EMS_PAD)
            continue;
        double sum = 0;
        size_t above = 0;
        for (size_t v = 0; v < EMS_VOCAB; v++) {
            sum += exp((double)logit(r, i / T, pos, v));
            above += logit(r, i / T, pos, v) > logit(r, i / T, pos, t);
        }
        nll += log(sum) - (double)logit(r, i / T, pos, t);
        top1 += above < 1;
        top5 += above < 5;
        count++;
    }
    const ems_score_sums s = ems_graph_score(r->graph, &r->batch);
    assert_true(fabs(s.nll - nll) < 1e-3);
    assert_true(s.count == (double)count && s.top1 == (double)top1 &&
                s.top5 == (double)top5);
    rig_free(r);
}

static void bf16_is_near(void **state)
{
    (void)state;
    rig *r = rig_new(ems_cpu_best(), 2, 0, 0);
    const double loss = loss_at(r, 0);
    const ems_graph_options o = {.shape = SHAPE, .batch = B, .tokens = T,
                                 .precision = EMS_BF16};
    ems_graph_free(r->graph);
    r->graph = ems_graph_new(&o, ems_cpu_best(), r->pool, NULL);
    const double rounded = loss_at(r, 0);
    assert_true(rounded != loss && fabs(rounded - loss) < 0.01 * loss);
    rig_free(r);
}

static void options_are_checked(void **state)
{
    (void)state;
    ems_error err;
    ems_graph_options o = {.shape = SHAPE, .batch = B,
                           .tokens = (size_t)SHAPE.context_len - 1};
    assert_null(ems_graph_new(&o, ems_cpu_best(), NULL, &err));
    assert_int_equal(err.code, EMS_EINVAL);
    o.tokens = T;
    o.precision = EMS_INT8;
    assert_null(ems_graph_new(&o, ems_cpu_best(), NULL, &err));
    assert_int_equal(err.code, EMS_EUNSUPPORTED);
    o.precision = EMS_F32;
    o.dropout = 1;
    assert_null(ems_graph_new(&o, ems_cpu_best(), NULL, &err));
    assert_int_equal(err.code, EMS_EINVAL);
    o.dropout = 0;
    for (long n = 1;; n++) {
        ems_alloc_fail_at(n);
        ems_graph *g = ems_graph_new(&o, ems_cpu_best(), NULL, &err);
        ems_alloc_fail_at(0);
        if (g) {
            ems_graph_free(g);
            assert_true(n > 4);
            break;
        }
        assert_int_equal(err.code, EMS_ENOMEM);
    }
    assert_true(ems_graph_bytes(&o, 2) > (size_t)B * T * EMS_VOCAB * 4);
    assert_true(ems_graph_flops(&o) > 1e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_pytorch_tiny),
        cmocka_unit_test(equals_pytorch_odd),
        cmocka_unit_test(wrong_reference_is_found),
        cmocka_unit_test(gradient_is_the_slope),
        cmocka_unit_test(pairs_are_told_apart),
        cmocka_unit_test(slope_of_pairs),
        cmocka_unit_test(pairs_share_dropout),
        cmocka_unit_test(empty_pairs_cost_nothing),
        cmocka_unit_test(threads_and_levels_agree),
        cmocka_unit_test(nothing_sees_the_future),
        cmocka_unit_test(padding_is_not_seen),
        cmocka_unit_test(forward_only_is_the_same),
        cmocka_unit_test(padding_costs_nothing),
        cmocka_unit_test(no_targets_no_gradient),
        cmocka_unit_test(score_counts_targets),
        cmocka_unit_test(bf16_is_near),
        cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The passes of training against plain code in double, their gradients
 * against differences, the instruction sets against each other. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "nn/ops.h"
#include "nn/optim.h"

#include <math.h>

enum { MOST = 1100 };

static const size_t SIZES[] = {1, 3, 8, 15, 16, 17, 31, 48, 64, 100, 1011};
enum { CASES = sizeof SIZES / sizeof *SIZES };

static void fill(float *x, size_t n, uint64_t stream)
{
    ems_rng rng = ems_rng_seed(11, stream);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(4 * ems_rng_uniform(&rng) - 2);
}

static const ems_ops *best(void)
{
    return ems_ops_get(ems_cpu_best());
}

static void near(double x, double want, double tolerance)
{
    if (!(fabs(x - want) <= tolerance))
        fail_msg("%.9g, want %.9g within %g", x, want, tolerance);
}

static void exp_is_exact_enough(void **state)
{
    (void)state;
    float x[MOST], y[MOST];
    for (size_t i = 0; i < MOST; i++)
        x[i] = y[i] = (float)i * 0.159f - 87;
    best()->exp(y, MOST);
    for (size_t i = 0; i < MOST; i++)
        near((double)y[i] / exp((double)x[i]), 1, 3e-7);
    float ends[3] = {-1000, 0, -INFINITY};
    best()->exp(ends, 3);
    assert_true(ends[0] == 0 && ends[1] == 1 && ends[2] == 0);
}

static void softmax_and_gradient(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        const size_t n = SIZES[c], width = n + 5;
        float s[MOST], mask[MOST], d[MOST], g[MOST];
        double e[MOST], sum = 0, dot = 0;
        fill(s, width, 1);
        fill(g, width, 3);
        for (size_t i = 0; i < n; i++) {
            mask[i] = i % 5 == 3 ? -1e30f : 0;
            e[i] = i % 5 == 3 ? 0 : exp((double)s[i] * 0.5);
            sum += e[i];
        }
        best()->softmax(s, s, mask, n, width, 0.5f);
        for (size_t i = 0; i < width; i++)
            near((double)s[i], i < n ? e[i] / sum : 0, 1e-6);
        for (size_t i = 0; i < n; i++)
            dot += (double)s[i] * (double)g[i];
        memcpy(d, g, sizeof d);
        best()->softmax_back(d, s, (float)dot, n, width, 0.5f);
        for (size_t i = 0; i < width; i++)
            near((double)d[i],
                 i < n ? (double)s[i] * ((double)g[i] - dot) * 0.5 : 0, 1e-6);
    }
}

static void cross_entropy_and_gradient(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        const size_t n = SIZES[c], target = n / 2;
        float x[MOST], kept[MOST];
        double sum = 0;
        fill(x, n, 4);
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i]);
        const double want = 0.25 * (log(sum) - (double)x[target]);
        memcpy(kept, x, sizeof x);
        near(best()->cross_entropy(kept, n, target, 0.25f, 1), want, 1e-6);
        assert_memory_equal(kept, x, n * sizeof *x);
        near(best()->cross_entropy(kept, n, target, 0.25f, 0), want, 1e-6);
        for (size_t i = 0; i < n; i++)
            near((double)kept[i], 0.25 * (exp((double)x[i]) / sum -
                                          (i == target)), 1e-6);
    }
}

typedef struct norm_case {
    size_t n;
    float x[2 * MOST], branch[2 * MOST], gain[MOST], bias[MOST];
    float normal[2 * MOST], rstd[2], y[2 * MOST];
    float dy[2 * MOST], dx[2 * MOST], dbranch[2 * MOST];
    ems_drop drop;
} norm_case;

static void norm_forward(norm_case *t, const ems_ops *ops)
{
    ops->add_norm(&(ems_add_norm){
        .rows = 2, .n = t->n, .first = 5, .x = t->x, .branch = t->branch,
        .gain = t->gain, .bias = t->bias, .drop = t->drop,
        .normal = t->normal, .rstd = t->rstd, .y = t->y});
}

static void norm_backward(norm_case *t, const ems_ops *ops)
{
    ops->norm_back(&(ems_norm_back){
        .rows = 2, .n = t->n, .first = 5, .dy = t->dy, .normal = t->normal,
        .rstd = t->rstd, .gain = t->gain, .drop = t->drop, .dx = t->dx,
        .dbranch = t->dbranch});
}

static void norm_fill(norm_case *t, size_t n)
{
    *t = (norm_case){.n = n, .drop = {12345, 1 << 22, 1 / 0.75f}};
    fill(t->x, 2 * n, 5);
    fill(t->branch, 2 * n, 6);
    fill(t->gain, n, 7);
    fill(t->bias, n, 8);
    fill(t->dy, 2 * n, 9);
}

/* Plain layer norm in double of what the pass adds up. */
static double norm_dot(const norm_case *t, const double *sum)
{
    double dot = 0;
    for (size_t row = 0; row < 2; row++) {
        const double *s = sum + row * t->n;
        double mean = 0, var = 0;
        for (size_t i = 0; i < t->n; i++)
            mean += s[i] / (double)t->n;
        for (size_t i = 0; i < t->n; i++)
            var += (s[i] - mean) * (s[i] - mean) / (double)t->n;
        for (size_t i = 0; i < t->n; i++)
            dot += (double)t->dy[row * t->n + i] *
                   ((s[i] - mean) / sqrt(var + 1e-6) * (double)t->gain[i] +
                    (double)t->bias[i]);
    }
    return dot;
}

static void norm_and_gradient(void **state)
{
    (void)state;
    norm_case *t = ems_alloc(1, sizeof *t);
    double *sum = ems_alloc(2 * MOST, sizeof *sum);
    for (size_t c = 3; c < CASES; c++) {
        const size_t n = SIZES[c];
        norm_fill(t, n);
        norm_forward(t, best());
        norm_backward(t, best());
        float kept[2 * MOST];
        for (size_t i = 0; i < 2 * n; i++)
            kept[i] = 1;
        best()->drop(kept, 2 * n, 5 * n, t->drop);
        double dot = 0;
        for (size_t i = 0; i < 2 * n; i++) {
            sum[i] = (double)t->x[i] + (double)t->branch[i] * (double)kept[i];
            dot += (double)t->dy[i] * (double)t->y[i];
        }
        near(dot, norm_dot(t, sum), 1e-3);
        for (size_t i = 0; i < 2 * n; i += 1 + n / 9) {
            const double at = sum[i], h = 1e-5;
            sum[i] = at + h;
            const double up = norm_dot(t, sum);
            sum[i] = at - h;
            const double slope = (up - norm_dot(t, sum)) / (2 * h);
            sum[i] = at;
            near((double)t->dx[i], slope, 2e-5 * (1 + fabs(slope)));
            near((double)t->dbranch[i], slope * (double)kept[i],
                 3e-5 * (1 + fabs(slope)));
        }
    }
    ems_free(sum);
    ems_free(t);
}

static void dropout_counts(void **state)
{
    (void)state;
    enum { N = 40000 };
    float *x = ems_alloc(N, sizeof *x), *y = ems_alloc(N, sizeof *y);
    const ems_drop d = {77, (uint32_t)(0.1 * 16777216), 1 / 0.9f};
    size_t dropped = 0;
    for (size_t i = 0; i < N; i++)
        x[i] = y[i] = 1;
    best()->drop(x, N, 1000, d);
    for (size_t i = 0; i < N; i++) {
        dropped += x[i] == 0;
        assert_true(x[i] == 0 || x[i] == d.scale);
    }
    near((double)dropped / N, 0.1, 0.006);
    best()->drop(y, 123, 1000, d); /* in parts: the same mask */
    best()->drop(y + 123, N - 123, 1123, d);
    assert_memory_equal(x, y, N * sizeof *x);
    ems_free(x);
    ems_free(y);
}

static void columns_add_up(void **state)
{
    (void)state;
    float x[7 * 40], y[7 * 40], sum[33] = {0}, dot[33] = {0};
    fill(x, 7 * 40, 10);
    fill(y, 7 * 40, 11);
    best()->columns(7, 33, 40, x, y, sum, dot);
    for (size_t j = 0; j < 33; j++) {
        double s = 0, d = 0;
        for (size_t i = 0; i < 7; i++) {
            s += (double)x[i * 40 + j];
            d += (double)x[i * 40 + j] * (double)y[i * 40 + j];
        }
        near((double)sum[j], s, 1e-5);
        near((double)dot[j], d, 1e-5);
    }
}

/* Ten steps of AdamW on a few numbers, in double. */
static void adamw_matches(void **state)
{
    (void)state;
    enum { N = 37 };
    float p[N], g[N], m[N] = {0}, v[N] = {0};
    double dp[N], dm[N] = {0}, dv[N] = {0}, sum = 0;
    fill(p, N, 12);
    const ems_span spans[] = {{0, 20, 1}, {20, N - 20, 0}};
    double sums[2];
    ems_optim o = {.ops = best(), .span = spans, .spans = 2, .sums = sums,
                   .p = p, .m = m, .v = v, .g = g};
    for (size_t i = 0; i < N; i++)
        dp[i] = (double)p[i];
    for (int step = 1; step <= 10; step++) {
        fill(g, N, 20 + (uint64_t)step);
        ems_optim_step(&o, (uint64_t)step, 0.01, 0.1, 0.5);
        for (size_t i = 0; i < N; i++) {
            const double x = (double)g[i] * 0.5;
            dm[i] = 0.9 * dm[i] + 0.1 * x;
            dv[i] = 0.98 * dv[i] + 0.02 * x * x;
            const double up = dm[i] / (1 - pow(0.9, step));
            const double down = sqrt(dv[i] / (1 - pow(0.98, step))) + 1e-9;
            dp[i] -= 0.01 * ((i < 20 ? 0.1 * dp[i] : 0) + up / down);
        }
    }
    for (size_t i = 0; i < N; i++) {
        near((double)p[i], dp[i], 1e-5);
        sum += (double)g[i] * (double)g[i];
    }
    near(ems_optim_norm(&o), sqrt(sum), 1e-4);
    g[21] = NAN;
    assert_true(isnan(ems_optim_norm(&o)));
}

static void learning_rate_shape(void **state)
{
    (void)state;
    near(ems_learning_rate(1, 0.1, 10, 0, 0), 0.1, 1e-12);
    near(ems_learning_rate(1, 0.1, 10, 9, 0), 1, 1e-12);
    near(ems_learning_rate(1, 0.1, 10, 10, 0), 1, 1e-12);
    near(ems_learning_rate(1, 0.1, 0, 50, 0.5), 0.55, 1e-9);
    near(ems_learning_rate(1, 0.1, 0, 50, 1), 0.1, 1e-9);
    near(ems_learning_rate(1, 0.1, 0, 50, 2), 0.1, 1e-9);
    near(ems_learning_rate(1, 1, 0, 50, 0.7), 1, 1e-9);
}

/* Everything at once into `out`, to be compared between levels. */
static size_t everything(const ems_ops *ops, size_t n, float *out)
{
    norm_case *t = ems_alloc(1, sizeof *t);
    norm_fill(t, n);
    norm_forward(t, ops);
    norm_backward(t, ops);
    size_t at = 0;
    memcpy(out + at, t->y, 2 * n * sizeof *out);
    at += 2 * n;
    memcpy(out + at, t->dbranch, 2 * n * sizeof *out);
    at += 2 * n;
    ops->softmax(t->x, t->x, NULL, n, n, 0.3f);
    ops->softmax_back(t->dy, t->x, 0.25f, n, n, 0.3f);
    memcpy(out + at, t->dy, n * sizeof *out);
    at += n;
    out[at++] = (float)ops->cross_entropy(t->branch, n, n - 1, 0.5f, 0);
    memcpy(out + at, t->branch, n * sizeof *out);
    at += n;
    out[at++] = (float)ops->sum_squares(t->gain, n);
    for (size_t i = 0; i < n; i++)
        t->y[i] = fabsf(t->y[i]); /* a second moment */
    const ems_adamw a = {0.01f, 0.9f, 0.98f, 1e-9f, 0.1f, 10, 50, 0.5f};
    ops->adamw(t->gain, t->bias, t->dx, t->y, n, &a);
    memcpy(out + at, t->gain, n * sizeof *out);
    ems_free(t);
    return at + n;
}

static void levels_agree(void **state)
{
    (void)state;
    static const ems_cpu_level levels[] = {EMS_CPU_AVX2, EMS_CPU_WIDE,
                                           EMS_CPU_AVX512};
    float *a = ems_alloc(9 * MOST, sizeof *a);
    float *b = ems_alloc(9 * MOST, sizeof *b);
    for (size_t c = 0; c < CASES; c++) {
        const size_t n = everything(ems_ops_get(EMS_CPU_BASE), SIZES[c], a);
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
            if (!ems_cpu_can(levels[l]))
                continue;
            everything(ems_ops_get(levels[l]), SIZES[c], b);
            assert_memory_equal(a, b, n * sizeof *a);
        }
    }
    ems_free(a);
    ems_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_exact_enough),
        cmocka_unit_test(softmax_and_gradient),
        cmocka_unit_test(cross_entropy_and_gradient),
        cmocka_unit_test(norm_and_gradient),
        cmocka_unit_test(dropout_counts),
        cmocka_unit_test(columns_add_up),
        cmocka_unit_test(adamw_matches),
        cmocka_unit_test(learning_rate_shape),
        cmocka_unit_test(levels_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

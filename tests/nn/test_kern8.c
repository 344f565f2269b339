/* The 8-bit kernels at every level against the oracle, bit for bit. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "nn/kern8.h"

#include <float.h>
#include <math.h>

static const ems_cpu_level LEVELS[] = {EMS_CPU_AVX2, EMS_CPU_WIDE,
                                       EMS_CPU_AVX512, EMS_CPU_BASE};
#define EACH_LEVEL(kern, count)                                               \
    for (size_t at_ = 0; at_ < (count); at_++)                                \
        for (const ems_kern8 *kern = ems_cpu_can(LEVELS[at_])                 \
                                         ? ems_kern8_get(LEVELS[at_])         \
                                         : NULL;                              \
             kern; kern = NULL)
enum { EXACT = 4, FUSED = 3 }; /* the base level has no FMA */

static uint64_t draws;
static int64_t draw(int64_t most)
{
    ems_rng rng = ems_rng_seed(3, draws++);
    return (int64_t)(ems_rng_uniform(&rng) * (double)(2 * most + 1)) - most;
}

/* Random, and with every factor as large as it may be. */
static void dots_once(size_t m, size_t k, int extreme)
{
    const size_t ldx = k + 6, ldy = EMS_PANEL + 3;
    int8_t *panel = ems_alloc_aligned(k * EMS_PANEL, 1);
    int16_t *x = ems_alloc(m * ldx, sizeof *x);
    int32_t *want = ems_alloc(m * ldy, sizeof *want);
    int32_t *got = ems_alloc(m * ldy, sizeof *got);
    const int range = ems_range(k);
    for (size_t i = 0; i < k * EMS_PANEL; i++)
        panel[i] = (int8_t)(extreme ? (i % 4 ? -127 : 127) : draw(127));
    for (size_t i = 0; i < m * ldx; i++)
        x[i] = (int16_t)(extreme ? (i % 3 ? range : -range) : draw(range));
    ems_kern8_get(EMS_CPU_REF)->dots(want, ldy, panel, x, ldx, m, k);
    EACH_LEVEL(kern, EXACT) {
        memset(got, 0, m * ldy * sizeof *got);
        kern->dots(got, ldy, panel, x, ldx, m, k);
        assert_memory_equal(want, got, m * ldy * sizeof *got);
    }
    ems_free(panel), ems_free(x), ems_free(want), ems_free(got);
}

static void test_dots(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 2, 3, 4, 5, 6, 7, 11, 13};
    static const size_t depth[] = {2, 20, 64, 258, 512};
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 5; j++)
            for (int extreme = 0; extreme < 2; extreme++)
                dots_once(rows[i], depth[j], extreme);
    dots_once(2, 4096, 1);
}

/* No sum of k products can be too large. */
static void test_range(void **state)
{
    (void)state;
    for (size_t k = 1; k <= 1 << 20; k = k * 3 / 2 + 1) {
        const int64_t range = ems_range(k);
        assert_true(range >= 8 && range <= INT16_MAX);
        assert_true(range * EMS_BYTE * (int64_t)k <= INT32_MAX);
    }
    assert_true((int64_t)INT16_MAX * EMS_BYTE * EMS_STRETCH <= INT32_MAX);
}

static void test_quantise(void **state)
{
    (void)state;
    enum { N = 203 };
    float x[N];
    int16_t want[N], got[N];
    for (size_t count = 1; count <= N; count += 29) {
        for (size_t i = 0; i < count; i++)
            x[i] = (float)draw(1000) * 0.00137f;
        x[count / 2] = -1.5f;
        const float s = ems_kern8_get(EMS_CPU_REF)->quantise(want, x, count,
                                                             16512);
        assert_int_equal(want[count / 2], -16512);
        for (size_t i = 0; i < count; i++)
            assert_true(fabs((double)x[i] - want[i] * (double)s) <=
                        0.501 * (double)s);
        EACH_LEVEL(kern, FUSED) {
            assert_true(kern->quantise(got, x, count, 16512) == s);
            assert_memory_equal(want, got, count * sizeof *got);
        }
    }
}

/* Nothing, too little, too much and no number at all. */
static void test_odd_numbers(void **state)
{
    (void)state;
    static const float odd[] = {0, 1e-38f, -FLT_MAX, INFINITY, -INFINITY};
    for (size_t i = 0; i < 5; i++) {
        float x[40] = {0};
        int16_t q[40];
        x[11] = x[38] = odd[i];
        EACH_LEVEL(kern, EXACT) {
            memset(q, 1, sizeof q);
            assert_true(kern->quantise(q, x, 40, 127) == 0);
            for (size_t j = 0; j < 40; j++)
                assert_int_equal(q[j], 0);
        }
    }
    float x[40] = {1, [5] = NAN, [39] = NAN};
    int16_t q[40];
    EACH_LEVEL(kern, EXACT) {
        assert_true(kern->quantise(q, x, 40, 127) > 0);
        assert_int_equal(q[0], 127);
        assert_int_equal(q[5], 0);
        assert_int_equal(q[39], 0);
    }
}

static void fill(float *x, size_t count, double size)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((double)draw(100000) * 1e-5 * size);
}

static void test_floats(void **state)
{
    (void)state;
    enum { N = 64 };
    const ems_kern8 *ref = ems_kern8_get(EMS_CPU_REF);
    int32_t sum[N];
    float by[N], bias[N], start[N], want[N], got[N];
    int16_t narrow[N], narrow_got[N];
    for (size_t i = 0; i < N; i++)
        sum[i] = (int32_t)draw(2000000000);
    fill(by, N, 1e-4), fill(bias, N, 1), fill(start, N, 1);
    EACH_LEVEL(kern, FUSED) {
        for (int relu = 0; relu < 2; relu++) {
            ref->finish(want, sum, 1e-5f, by, bias, relu);
            kern->finish(got, sum, 1e-5f, by, bias, relu);
            assert_memory_equal(want, got, sizeof want);
        }
        for (size_t count = 0; count <= N; count++) {
            memset(want, 0, sizeof want), memset(got, 0, sizeof got);
            ref->begin_scores(want, sum, by, count);
            kern->begin_scores(got, sum, by, count);
            assert_memory_equal(want, got, sizeof want);
        }
        memcpy(want, start, sizeof want), memcpy(got, start, sizeof got);
        ref->scores(want, sum, by, 0.37f);
        kern->scores(got, sum, by, 0.37f);
        assert_memory_equal(want, got, sizeof want);
        ref->weigh(narrow, start, by, 3e8f, N);
        kern->weigh(narrow_got, start, by, 3e8f, N);
        assert_memory_equal(narrow, narrow_got, sizeof narrow);
    }
}

/* A packed matrix times rows is what it should be, within its precision. */
static void test_affine(void **state)
{
    (void)state;
    enum { N = 67, K = 91, M = 50, WIDE = 128 };
    static float w[N * K], b[N], x[M * K], y[M * WIDE], one[WIDE];
    static int16_t q[M * (K + 1)];
    float scale[M];
    fill(w, N * K, 0.1), fill(b, N, 1), fill(x, M * K, 1);
    ems_weights p;
    ems_arena a = {0};
    ems_weights_place(&p, &a, EMS_INT8, N, K);
    a.base = ems_alloc_aligned(a.used, 1);
    a.used = 0;
    ems_weights_place(&p, &a, EMS_INT8, N, K);
    ems_weights_pack(&p, 0, w, b, N);
    const ems_kern8 *kern = ems_kern8_get(EMS_CPU_REF);
    for (size_t r = 0; r < M; r++)
        scale[r] = kern->quantise(q + r * (K + 1), x + r * K, K,
                                  (float)ems_range(K));
    ems_affine8(kern, &p, 0, 2, q, K + 1, scale, M, y, WIDE, 0);
    for (size_t r = 0; r < M; r++)
        for (size_t n = 0; n < N; n++) {
            double want = (double)b[n];
            for (size_t k = 0; k < K; k++)
                want += (double)w[n * K + k] * (double)x[r * K + k];
            assert_true(fabs((double)y[r * WIDE + n] - want) < 0.02);
        }
    for (size_t r = 0; r < M; r += 7) { /* alone, and by panels */
        ems_affine8(kern, &p, 0, 1, q + r * (K + 1), 0, scale + r, 1, one, 0,
                    0);
        ems_affine8(kern, &p, 1, 1, q + r * (K + 1), 0, scale + r, 1,
                    one + 64, 0, 0);
        assert_memory_equal(one, y + r * WIDE, N * sizeof *y);
    }
    ems_free(a.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dots),   cmocka_unit_test(test_range),
        cmocka_unit_test(test_quantise), cmocka_unit_test(test_odd_numbers),
        cmocka_unit_test(test_floats), cmocka_unit_test(test_affine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

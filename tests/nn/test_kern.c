/* Every kernel at every level against the oracle, bit for bit; only the level
 * without fused multiply-add is compared by tolerance. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "nn/kern.h"

#include <math.h>

static float *noise(size_t count, uint64_t stream, double size)
{
    ems_rng rng = ems_rng_seed(7, stream);
    float *x = ems_alloc_aligned(count, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(size * (2 * ems_rng_uniform(&rng) - 1));
    return x;
}

/* Equal bits; at the base level nearly equal. */
static void same(ems_cpu_level level, const float *a, const float *b,
                 size_t count, double size)
{
    if (level != EMS_CPU_BASE) {
        assert_memory_equal(a, b, count * sizeof *a);
        return;
    }
    for (size_t i = 0; i < count; i++)
        assert_true(fabs((double)a[i] - (double)b[i]) <= 1e-5 * size);
}

/* Pack `parts` matrices w[i] of [n, k] one below the other, in a block of
 * their own, p->packed's to free. */
static void pack(ems_weights *p, ems_precision precision,
                 const float *const *w, const float *const *b, size_t parts,
                 size_t n, size_t k)
{
    ems_arena a = {0};
    ems_weights_place(p, &a, precision, parts * n, k);
    a.base = ems_alloc_aligned(a.used, 1);
    a.used = 0;
    ems_weights_place(p, &a, precision, parts * n, k);
    for (size_t i = 0; i < parts; i++)
        ems_weights_pack(p, i * n, w[i], b[i], n);
}

static const ems_cpu_level LEVELS[] = {EMS_CPU_BASE, EMS_CPU_AVX2,
                                       EMS_CPU_WIDE, EMS_CPU_AVX512};

/* Each runnable level with its kernels. */
#define EACH_LEVEL(level, kern)                                               \
    for (size_t at_ = 0; at_ < 4; at_++)                                      \
        for (ems_cpu_level level = LEVELS[at_], once_ = 1;                    \
             once_ && ems_cpu_can(level); once_ = 0)                          \
            for (const ems_kern *kern = ems_kern_get(level); kern;            \
                 kern = NULL)

static void linear_once(ems_precision precision, size_t n, size_t k, size_t m,
                        int threads)
{
    float *w = noise(2 * n * k, 1, 0.1), *b = noise(2 * n, 2, 1);
    float *x = noise(m * (k + 3), 3, 1);
    const size_t ldy = 2 * n + 5;
    float *want = ems_alloc(m * ldy, sizeof *want);
    float *got = ems_alloc(m * ldy, sizeof *got);
    const float *ws[] = {w, w + n * k}, *bs[] = {b, b + n};
    ems_weights p;
    pack(&p, precision, ws, bs, 2, n, k);
    const ems_kern *ref = ems_kern_get(EMS_CPU_REF);
    for (size_t r = 0; r < m; r++) /* one row at a time: the definition */
        ems_affine(ref, NULL, &p, x + r * (k + 3), 0, 1, want + r * ldy, 0,
                   1);
    ems_pool *pool = ems_pool_new(threads, NULL);
    EACH_LEVEL(level, kern) {
        memset(got, 0, m * ldy * sizeof *got); /* and guards stay zero */
        ems_affine(kern, pool, &p, x, k + 3, m, got, ldy, 1);
        same(level, want, got, m * ldy, 10);
        for (size_t r = 0; r < m; r++)
            ems_affine(kern, pool, &p, x + r * (k + 3), 0, 1, got + r * ldy,
                       0, 1);
        same(level, want, got, m * ldy, 10);
    }
    ems_pool_free(pool);
    ems_free(p.packed);
    ems_free(w), ems_free(b), ems_free(x), ems_free(want), ems_free(got);
}

static void test_linear(void **state)
{
    (void)state;
    static const size_t size[][3] = {{1, 1, 1},   {3, 5, 2},    {32, 64, 7},
                                     {50, 257, 49}, {70, 300, 13},
                                     {129, 33, 100}};
    for (int precision = EMS_F32; precision <= EMS_BF16; precision++)
        for (size_t i = 0; i < sizeof size / sizeof *size; i++)
            linear_once((ems_precision)precision, size[i][0], size[i][1],
                        size[i][2], 1 + (int)i % 3);
}

/* Packing keeps what the precision can hold. */
static void test_precision(void **state)
{
    (void)state;
    enum { N = 67, K = 90 };
    float *w = noise(N * K, 1, 0.1), *b = noise(N, 2, 1), *x = noise(K, 3, 1);
    const float *ws[] = {w}, *bs[] = {b};
    static const double allowed[] = {1e-6, 0.02};
    for (int precision = EMS_F32; precision <= EMS_BF16; precision++) {
        ems_weights p;
        float y[N];
        pack(&p, (ems_precision)precision, ws, bs, 1, N, K);
        ems_affine(ems_kern_get(EMS_CPU_REF), NULL, &p, x, K, 1, y, N, 0);
        for (size_t n = 0; n < N; n++) {
            double want = (double)b[n];
            for (size_t k = 0; k < K; k++)
                want += (double)w[n * K + k] * (double)x[k];
            assert_true(fabs((double)y[n] - want) < allowed[precision]);
        }
        ems_free(p.packed);
    }
    ems_free(w), ems_free(b), ems_free(x);
}

static void test_attention(void **state)
{
    (void)state;
    static const size_t depth[] = {1, 7, 24, 64};
    const ems_kern *ref = ems_kern_get(EMS_CPU_REF);
    for (size_t i = 0; i < 4; i++) {
        const size_t d = depth[i], stride = 131;
        float *q = noise(d, 1, 2), *keys = noise(d * EMS_PANEL, 2, 1);
        float *rel = noise(d * stride, 3, 1), want[64], got[64];
        ref->scores(want, q, keys, rel + 3, stride, d, 0.125f);
        EACH_LEVEL(level, kern) {
            kern->scores(got, q, keys, rel + 3, stride, d, 0.125f);
            same(level, want, got, 64, 10);
        }
        ems_free(q), ems_free(keys), ems_free(rel);
    }
}

static void test_softmax(void **state)
{
    (void)state;
    const ems_kern *ref = ems_kern_get(EMS_CPU_REF);
    for (size_t count = 64; count <= 256; count += 64) {
        float *x = noise(count, count, 30);
        for (size_t i = count - 9; i < count; i++)
            x[i] = -INFINITY;
        float *want = noise(count, 1, 1), *got = noise(count, 1, 1);
        memcpy(want, x, count * sizeof *x);
        const float sum = ref->softmax(want, count);
        assert_true(want[count - 1] == 0);
        float max = -1e9f;
        for (size_t i = 0; i < count; i++)
            max = x[i] > max ? x[i] : max;
        for (size_t i = 0; i < count; i++) {
            const double e = exp((double)(x[i] - max));
            assert_true(fabs((double)want[i] - e) <= 3e-7 * e + 1e-37);
        }
        EACH_LEVEL(level, kern) {
            memcpy(got, x, count * sizeof *x);
            const float s = kern->softmax(got, count);
            same(level, &sum, &s, 1, (double)sum);
            same(level, want, got, count, 1);
        }
        ems_free(x), ems_free(want), ems_free(got);
    }
}

static void test_mix(void **state)
{
    (void)state;
    const ems_kern *ref = ems_kern_get(EMS_CPU_REF);
    for (size_t d = 16; d <= 144; d += 16) {
        const size_t count = d / 3 + 1;
        float *p = noise(count, 1, 1), *v = noise(count * d, 2, 1);
        float want[144], got[144];
        ref->mix(want, p, v, count, d, 0.3f);
        EACH_LEVEL(level, kern) {
            kern->mix(got, p, v, count, d, 0.3f);
            same(level, want, got, d, 10);
        }
        ems_free(p), ems_free(v);
    }
}

static void test_norm(void **state)
{
    (void)state;
    const ems_kern *ref = ems_kern_get(EMS_CPU_REF);
    static const size_t counts[] = {4, 16, 20, 48, 60, 512};
    for (size_t i = 0; i < 6; i++) {
        const size_t n = counts[i];
        float *a = noise(n, 1, 3), *b = noise(n, 2, 3);
        float *gain = noise(n, 3, 1), *bias = noise(n, 4, 1);
        float want[512], got[512];
        ref->norm(want, a, b, gain, bias, n);
        EACH_LEVEL(level, kern) {
            kern->norm(got, a, b, gain, bias, n);
            same(level, want, got, n, 10);
            memcpy(got, a, n * sizeof *a);
            kern->norm(got, got, b, gain, bias, n); /* in place */
            same(level, want, got, n, 10);
        }
        ems_free(a), ems_free(b), ems_free(gain), ems_free(bias);
    }
}

/* One number for all of it: the same under every compiler. */
static void test_hash(void **state)
{
    (void)state;
    const ems_kern *kern = ems_kern_get(ems_cpu_best());
    if (ems_cpu_best() == EMS_CPU_BASE)
        skip();
    float *w = noise(100 * 200, 1, 0.3), *b = noise(200, 2, 1);
    float *x = noise(200, 3, 1), y[192];
    const float *ws[] = {w}, *bs[] = {b};
    ems_weights p;
    char hash[65];
    pack(&p, EMS_BF16, ws, bs, 1, 100, 200);
    memset(y, 0, sizeof y);
    ems_affine(kern, NULL, &p, x, 200, 1, y, 192, 0);
    kern->norm(y, y, b, w, b, 100);
    y[191] = kern->softmax(y, 128);
    ems_sha256_hex(y, sizeof y, hash);
    assert_string_equal(hash, "3ca4bbbe61539e253e99efa44e8c586e36d5b465f88b89"
                        "a98a2d1137b27c6417");
    ems_free(p.packed);
    ems_free(w), ems_free(b), ems_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),  cmocka_unit_test(test_precision),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_mix),     cmocka_unit_test(test_norm),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The matrix product: every instruction set, thread count, layout and odd
 * size against the scalar oracle, bit for bit. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "nn/gemm.h"
#include "nn/gemm_tmpl.h"

#include <math.h>

enum { MOST = 600, GUARD = 64, PAD = 7, LARGE = 1250000 };

typedef struct bench { /* operands big enough for every case */
    float *a, *b, *c, *want, *bias, *gate, *packed;
    void *work;
} bench;

static void fill(float *x, size_t n, uint64_t stream)
{
    ems_rng rng = ems_rng_seed(7, stream);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(2 * ems_rng_uniform(&rng) - 1);
}

static int setup(void **state)
{
    const size_t n = LARGE;
    bench *t = ems_alloc(1, sizeof *t);
    float **const all[] = {&t->a, &t->b, &t->c, &t->want, &t->bias,
                           &t->gate, &t->packed};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i] = ems_alloc_aligned(n, sizeof(float));
        fill(*all[i], n, i);
    }
    t->work = ems_alloc_aligned(8 << 20, 1);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    bench *t = *state;
    float *const all[] = {t->a, t->b, t->c, t->want, t->bias, t->gate,
                          t->packed};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ems_free(all[i]);
    ems_free(t->work);
    ems_free(t);
    return 0;
}

static const size_t SIZES[][3] = { /* m, n, k */
    {1, 1, 1}, {1, 17, 3}, {5, 15, 31}, {6, 16, 256}, {7, 33, 257},
    {12, 32, 64}, {13, 48, 300}, {97, 65, 63}, {100, 31, 513},
    {131, 129, 77}, {64, 512, 48}, {3, 600, 5},
};
enum { CASES = sizeof SIZES / sizeof *SIZES };

/* layout bit 0: A transposed, bit 1: B transposed */
static ems_gemm make(const bench *t, const size_t *size, int layout,
                     int flags)
{
    const size_t m = size[0], n = size[1], k = size[2];
    const size_t lda = (layout & 1 ? m : k) + PAD;
    const size_t ldb = (layout & 2 ? k : n) + PAD;
    return (ems_gemm){
        .c = t->c + GUARD, .ldc = n + 3, .a = t->a,
        .a_row = layout & 1 ? 1 : lda, .a_col = layout & 1 ? lda : 1,
        .b = t->b, .b_row = layout & 2 ? 1 : ldb,
        .b_col = layout & 2 ? ldb : 1, .m = m, .n = n, .k = k,
        .bias = flags & 16 ? t->bias : NULL,
        .gate = flags & 32 ? t->gate : NULL, .ldgate = n + 1,
        .flags = flags & 15};
}

static size_t extent(const ems_gemm *g)
{
    return g->m * g->ldc + 2 * GUARD;
}

/* What the oracle makes of it, in t->want. */
static void expect(const bench *t, const ems_gemm *g)
{
    ems_gemm r = *g;
    fill(t->want, extent(g), 99);
    r.c = t->want + GUARD;
    ems_gemm_ref.one(&r, t->work);
}

static void check_bits(const bench *t, const ems_gemm *g)
{
    assert_memory_equal(t->c, t->want, extent(g) * sizeof(float));
}

static void check_near(const bench *t, const ems_gemm *g, double tolerance)
{
    for (size_t i = 0; i < extent(g); i++)
        if (!(fabs((double)t->c[i] - (double)t->want[i]) <= tolerance))
            fail_msg("element %zu: %g, want %g", i, (double)t->c[i],
                     (double)t->want[i]);
}

static void run(const bench *t, const ems_gemm_kernel *k, const ems_gemm *g)
{
    fill(t->c, extent(g), 99);
    k->one(g, t->work);
}

/* Every layout, size and what may follow the sums. */
static void each_case(bench *t, const ems_gemm_kernel *k, int more,
                      double tolerance)
{
    static const int flags[] = {0, EMS_GEMM_ADD, EMS_GEMM_RELU | 16, 32,
                                EMS_GEMM_ADD | EMS_GEMM_RELU | 16 | 32,
                                EMS_GEMM_DIRECT,
                                EMS_GEMM_DIRECT | EMS_GEMM_ADD | 16};
    for (size_t s = 0; s < CASES; s++)
        for (int layout = 0; layout < 4; layout++)
            for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
                const ems_gemm g = make(t, SIZES[s], layout, flags[f] | more);
                expect(t, &g);
                run(t, k, &g);
                if (tolerance > 0)
                    check_near(t, &g, tolerance);
                else
                    check_bits(t, &g);
            }
}

static void avx2_equals_ref(void **state)
{
    if (!ems_cpu_can(EMS_CPU_AVX2))
        skip();
    each_case(*state, &ems_gemm_avx2, 0, 0);
}

static void wide_equals_ref(void **state)
{
    if (!ems_cpu_can(EMS_CPU_WIDE))
        skip();
    each_case(*state, &ems_gemm_wide, 0, 0);
}

static void avx512_equals_ref(void **state)
{
    if (!ems_cpu_can(EMS_CPU_AVX512))
        skip();
    each_case(*state, &ems_gemm_avx512, 0, 0);
}

static void base_is_near_ref(void **state)
{
    each_case(*state, &ems_gemm_base, 0, 1e-4);
}

static void bf16_falls_back_exactly(void **state)
{
    if (!ems_cpu_can(EMS_CPU_AVX2))
        skip();
    each_case(*state, &ems_gemm_avx2, EMS_GEMM_BF16, 0);
    each_case(*state, &ems_gemm_wide, EMS_GEMM_BF16, 0);
}

static void bf16_pairs_are_near_ref(void **state)
{
    if (!ems_cpu_can(EMS_CPU_AVX2))
        skip();
    each_case(*state, &ems_gemm_pairs, EMS_GEMM_BF16, 1e-4);
    if (ems_cpu_has_bf16())
        each_case(*state, &ems_gemm_bf16, EMS_GEMM_BF16, 1e-4);
}

static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_true(ems_bf16_round(1.0f) == 1.0f);
    assert_true(ems_bf16_round(1.00390625f) == 1.0f);       /* tie to even */
    assert_true(ems_bf16_round(1.01171875f) == 1.015625f);  /* tie to even */
    assert_true(ems_bf16_round(1.00390637f) == 1.0078125f); /* above a tie */
    assert_true(ems_bf16_round(-INFINITY) == -INFINITY);
    assert_true(isnan(ems_bf16_round(NAN)));
}

/* A packed B, used from a later column, for fewer rows and columns. */
static void packed_parts(void **state)
{
    bench *t = *state;
    static const ems_cpu_level levels[] = {EMS_CPU_REF, EMS_CPU_BASE,
                                           EMS_CPU_AVX2, EMS_CPU_WIDE,
                                           EMS_CPU_AVX512};
    const size_t whole[] = {0, 130, 301};
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        if (!ems_cpu_can(levels[l]))
            continue;
        ems_packed packed = ems_gemm_pack(levels[l], t->packed, t->b, 130, 1,
                                          whole[2], whole[1], 0);
        packed.first = 64;
        const size_t size[] = {11, 50, 270};
        ems_gemm g = make(t, size, 0, 0);
        g.b = t->b + packed.first;
        g.b_row = 130;
        expect(t, &g);
        g.packed = &packed;
        fill(t->c, extent(&g), 99);
        ems_gemm_one(levels[l], &g, t->work);
        if (levels[l] == EMS_CPU_BASE)
            check_near(t, &g, 1e-4);
        else
            check_bits(t, &g);
    }
}

/* A packed B from row 36 on: the first block of k ends where its does. */
static void packed_rows(void **state)
{
    bench *t = *state;
    static const ems_cpu_level levels[] = {EMS_CPU_REF, EMS_CPU_AVX2,
                                           EMS_CPU_WIDE, EMS_CPU_AVX512};
    const size_t size[] = {11, 50, 270}, row = 36, first = 256 - row;
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        if (!ems_cpu_can(levels[l]))
            continue;
        ems_packed packed = ems_gemm_pack(levels[l], t->packed, t->b, 130, 1,
                                          310, 50, 0);
        ems_gemm g = make(t, size, 0, 0), part = g;
        part.b = t->b + row * 130;
        part.b_row = 130;
        part.k = first;
        expect(t, &part);
        part.c = t->want + GUARD;
        part.a += first;
        part.b += first * part.b_row;
        part.k = g.k - first;
        part.flags = EMS_GEMM_ADD;
        ems_gemm_ref.one(&part, t->work);
        packed.row = row;
        g.packed = &packed;
        fill(t->c, extent(&g), 99);
        ems_gemm_one(levels[l], &g, t->work);
        check_bits(t, &g);
    }
}

static void threads_do_not_matter(void **state)
{
    bench *t = *state;
    const ems_cpu_level level = ems_cpu_best();
    static const size_t sizes[][3] = {{599, 65, 300}, {40, 555, 64},
                                      {260, 256, 600}, {1, 1, 1},
                                      {25, 290, 4100} /* B in parts */};
    for (int threads = 1; threads <= 5; threads++) {
        ems_pool *pool = ems_pool_new(threads, NULL);
        ems_gemm_pool *p = ems_gemm_pool_new(pool, level, NULL);
        assert_non_null(p);
        for (int s = 0; s < 20; s++) {
            const int flags = s < 10 ? EMS_GEMM_ADD | 16 | 32 : EMS_GEMM_BF16;
            const ems_gemm g = make(t, sizes[s % 5], s / 2 % 4, flags);
            fill(t->want, extent(&g), 99);
            ems_gemm one = g;
            one.c = t->want + GUARD;
            ems_gemm_one(level, &one, t->work);
            fill(t->c, extent(&g), 99);
            ems_gemm_all(p, &g);
            check_bits(t, &g);
        }
        ems_gemm_pool_free(p);
        ems_pool_free(pool);
    }
}

static void memory_can_run_out(void **state)
{
    (void)state;
    ems_error err;
    for (long n = 1;; n++) {
        ems_alloc_fail_at(n);
        ems_gemm_pool *p = ems_gemm_pool_new(NULL, EMS_CPU_BASE, &err);
        ems_alloc_fail_at(0);
        if (p) {
            assert_true(n > 1);
            ems_gemm_pool_free(p);
            return;
        }
        assert_int_equal(err.code, EMS_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avx2_equals_ref),
        cmocka_unit_test(wide_equals_ref),
        cmocka_unit_test(avx512_equals_ref),
        cmocka_unit_test(base_is_near_ref),
        cmocka_unit_test(bf16_falls_back_exactly),
        cmocka_unit_test(bf16_pairs_are_near_ref),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(packed_parts),
        cmocka_unit_test(packed_rows),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(memory_can_run_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

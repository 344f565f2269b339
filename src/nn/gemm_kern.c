/* gemm_kern.c - the one fast product. Compiled once per instruction set:
 * EMS_ISA its name, EMS_VW floats per vector.
 *
 * B is packed in blocks of KC rows, each block in panels of NR columns; A in
 * tiles of MR rows, or read in place. The innermost loop keeps MR x NR sums
 * in registers. */
#include "nn/gemm_tmpl.h"

#include <string.h>

#define FN(x) EMS_CAT(x, EMS_ISA)

#if EMS_VW == 4
enum { MR = 4, NV = 2 };
#elif EMS_VW == 8
enum { MR = 6, NV = 2 };
#elif defined(__AVX512F__)
enum { MR = 12, NV = 2 };
#else
enum { MR = 6, NV = 1 };
#endif
enum {
    NR = NV * EMS_VW, KC = EMS_GEMM_BLOCK, MC = MR * 16, NC = 1024,
    WORK = MC * KC + KC * NC + MR * KC,
};

typedef float vf __attribute__((vector_size(EMS_VW * 4)));
typedef float vfu __attribute__((vector_size(EMS_VW * 4), aligned(4)));
typedef int vi __attribute__((vector_size(EMS_VW * 4)));

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Where the sums of a tile go, and what happens to them there. */
typedef struct sink {
    float *c;
    const float *bias, *gate; /* at this tile; NULL: none */
    size_t ldc, ldgate;
    int add, relu;
} sink;

INLINE vf finish(const sink *s, vf x, size_t row, size_t column)
{
    if (s->add)
        x = *(const vfu *)(s->c + row * s->ldc + column) + x;
    if (s->bias)
        x += *(const vfu *)(s->bias + column);
    if (s->relu)
        x = (vf)((vi)x & (x > 0));
    if (s->gate) {
        const vf gate = *(const vfu *)(s->gate + row * s->ldgate + column);
        x = (vf)((vi)x & (gate > 0));
    }
    return x;
}

static float finish_one(const sink *s, float x, size_t row, size_t column)
{
    if (s->add)
        x = s->c[row * s->ldc + column] + x;
    if (s->bias)
        x += s->bias[column];
    if (s->relu)
        x = x > 0 ? x : 0;
    if (s->gate)
        x = s->gate[row * s->ldgate + column] > 0 ? x : 0;
    return x;
}

static void store_edge(const sink *s, const float *sums, size_t m, size_t n)
{
    for (size_t r = 0; r < m; r++)
        for (size_t j = 0; j < n; j++)
            s->c[r * s->ldc + j] = finish_one(s, sums[r * NR + j], r, j);
}

/* The sums as they are, for the common tile that nothing more happens to. */
INLINE void store_plain(const sink *s, vf sum[MR][NV])
{
    float *c = s->c;
    UNROLL
    for (int r = 0; r < MR; r++, c += s->ldc)
        UNROLL
        for (int v = 0; v < NV; v++) {
            vfu *const out = (vfu *)(c + v * EMS_VW);
            *out = s->add ? *out + sum[r][v] : sum[r][v];
        }
}

INLINE void store_finished(const sink *s, vf sum[MR][NV])
{
    UNROLL
    for (int r = 0; r < MR; r++)
        UNROLL
        for (int v = 0; v < NV; v++)
            *(vfu *)(s->c + (size_t)r * s->ldc + v * EMS_VW) =
                finish(s, sum[r][v], (size_t)r, (size_t)v * EMS_VW);
}

/* sums[MR][NR] of a[r*row + p*col] times panel b[p*NR + j] over k. */
INLINE void tile(const sink *s, const float *a, size_t row, size_t col,
                 const float *restrict b, size_t k, size_t m, size_t n)
{
    vf sum[MR][NV];
    UNROLL
    for (int r = 0; r < MR; r++)
        UNROLL
        for (int v = 0; v < NV; v++)
            sum[r][v] = (vf){0};
    for (size_t p = 0; p < k; p++, a += col, b += NR) {
        vf x[NV];
        UNROLL
        for (int v = 0; v < NV; v++)
            x[v] = *(const vf *)(b + v * EMS_VW);
        UNROLL
        for (int r = 0; r < MR; r++) {
            const vf y = a[(size_t)r * row] - (vf){0};
            UNROLL
            for (int v = 0; v < NV; v++)
                sum[r][v] += y * x[v];
        }
    }
    if (m == MR && n == NR && !s->bias && !s->relu && !s->gate) {
        store_plain(s, sum);
    } else if (m == MR && n == NR) {
        store_finished(s, sum);
    } else {
        float t[MR * NR];
        UNROLL
        for (int r = 0; r < MR; r++)
            UNROLL
            for (int v = 0; v < NV; v++)
                *(vfu *)(t + r * NR + v * EMS_VW) = sum[r][v];
        store_edge(s, t, m, n);
    }
}

static __attribute__((noinline)) void
tile_packed(const sink *s, const float *a, const float *b, size_t k, size_t m,
            size_t n)
{
    tile(s, a, 1, MR, b, k, m, n);
}

static __attribute__((noinline)) void
tile_rows(const sink *s, const float *a, size_t row, const float *b, size_t k,
          size_t n)
{
    tile(s, a, row, 1, b, k, MR, n);
}

static __attribute__((noinline)) void
tile_columns(const sink *s, const float *a, size_t col, const float *b,
             size_t k, size_t n)
{
    tile(s, a, 1, col, b, k, MR, n);
}

static void pack_a(float *restrict d, const float *restrict a, size_t row,
                   size_t col, size_t m, size_t k, int bf16)
{
    float *const end = d + (m + MR - 1) / MR * MR * k;
    float *const start = d;
    for (size_t i = 0; i < m; i += MR) {
        const size_t rows = least(m - i, MR);
        const float *x = a + i * row;
        if (rows == MR)
            for (size_t p = 0; p < k; p++, x += col)
                for (size_t r = 0; r < MR; r++)
                    *d++ = x[r * row];
        else
            for (size_t p = 0; p < k; p++, x += col)
                for (size_t r = 0; r < MR; r++)
                    *d++ = r < rows ? x[r * row] : 0;
    }
    if (bf16)
        for (d = start; d < end; d++)
            *d = ems_bf16_round(*d);
}

static void pack_panel(float *restrict d, const float *restrict b,
                       size_t b_row, size_t b_col, size_t k, size_t n)
{
    if (n == NR && b_col == 1)
        for (size_t p = 0; p < k; p++, d += NR, b += b_row)
            memcpy(d, b, NR * sizeof *d);
    else if (n == NR)
        for (size_t p = 0; p < k; p++, d += NR, b += b_row)
            for (size_t j = 0; j < NR; j++)
                d[j] = b[j * b_col];
    else
        for (size_t p = 0; p < k; p++, d += NR, b += b_row)
            for (size_t j = 0; j < NR; j++)
                d[j] = j < n ? b[j * b_col] : 0;
}

/* One block of at most KC rows, all n columns. */
static void pack_block(float *d, const float *b, size_t b_row, size_t b_col,
                       size_t k, size_t n, int bf16)
{
    float *const start = d;
    for (size_t j = 0; j < n; j += NR, d += NR * k)
        pack_panel(d, b + j * b_col, b_row, b_col, k, least(n - j, NR));
    if (bf16)
        for (float *x = start; x < d; x++)
            *x = ems_bf16_round(*x);
}

static void pack(float *data, const float *b, size_t b_row, size_t b_col,
                 size_t k, size_t n, int flags)
{
    const size_t width = (n + NR - 1) / NR * NR;
    for (size_t p = 0; p < k; p += KC)
        pack_block(data + p * width, b + p * b_row, b_row, b_col,
                   least(k - p, KC), n, flags & EMS_GEMM_BF16);
}

/* One block of k and of columns: what the loops below hand down. */
typedef struct block {
    const ems_gemm *g;
    const float *b;        /* packed panels */
    size_t panel;          /* floats from one panel to the next */
    size_t at_k, k, at_n, n;
} block;

static sink sink_at(const block *x, size_t i, size_t j)
{
    const ems_gemm *g = x->g;
    const int last = x->at_k + x->k == g->k;
    sink s = {g->c + i * g->ldc + j, NULL, NULL, g->ldc, g->ldgate,
              (g->flags & EMS_GEMM_ADD) || x->at_k > 0,
              last && (g->flags & EMS_GEMM_RELU)};
    if (last && g->bias)
        s.bias = g->bias + j;
    if (last && g->gate)
        s.gate = g->gate + i * g->ldgate + j;
    return s;
}

static void rows_packed(const block *x, size_t at, size_t m, float *work)
{
    const ems_gemm *g = x->g;
    pack_a(work, g->a + at * g->a_row + x->at_k * g->a_col, g->a_row,
           g->a_col, m, x->k, g->flags & EMS_GEMM_BF16);
    for (size_t j = 0; j < x->n; j += NR)
        for (size_t i = 0; i < m; i += MR) {
            const sink s = sink_at(x, at + i, x->at_n + j);
            tile_packed(&s, work + i * x->k, x->b + j / NR * x->panel, x->k,
                        least(m - i, MR), least(x->n - j, NR));
        }
}

/* Whole tiles of A in place; what is left over goes through `work`. */
static void rows_direct(const block *x, size_t at, size_t m, float *work)
{
    const ems_gemm *g = x->g;
    const size_t whole = m / MR * MR;
    const float *const a = g->a + at * g->a_row + x->at_k * g->a_col;
    for (size_t j = 0; j < x->n; j += NR) {
        const float *b = x->b + j / NR * x->panel;
        const size_t n = least(x->n - j, NR);
        for (size_t i = 0; i < whole; i += MR) {
            const sink s = sink_at(x, at + i, x->at_n + j);
            if (g->a_col == 1)
                tile_rows(&s, a + i * g->a_row, g->a_row, b, x->k, n);
            else
                tile_columns(&s, a + i, g->a_col, b, x->k, n);
        }
    }
    if (whole < m)
        rows_packed(x, at + whole, m - whole, work);
}

/* Rows of A are read well where they are; its columns are packed first,
 * unless C is so narrow that it would not pay. */
static void run_block(const block *x, float *work)
{
    const ems_gemm *g = x->g;
    const int direct = g->a_col == 1 ||
                       (g->a_row == 1 && (g->flags & EMS_GEMM_DIRECT));
    for (size_t i = 0; i < g->m; i += MC) {
        const size_t m = least(g->m - i, MC);
        if (direct && !(g->flags & EMS_GEMM_BF16))
            rows_direct(x, i, m, work);
        else
            rows_packed(x, i, m, work);
    }
}

static void one(const ems_gemm *g, float *work)
{
    float *const wa = work, *const wb = work + MC * KC;
    const ems_packed *packed = g->packed;
    for (size_t jc = 0; jc < g->n; jc += NC)
        for (size_t pc = 0; pc < g->k; pc += KC) {
            block x = {g, wb, 0, pc, least(g->k - pc, KC), jc,
                       least(g->n - jc, NC)};
            x.panel = x.k * NR;
            if (packed) {
                const size_t width = (packed->n + NR - 1) / NR * NR;
                x.panel = least(packed->k - pc, KC) * NR;
                x.b = packed->data + pc * width +
                      (packed->first + jc) / NR * x.panel;
            } else {
                pack_block(wb, g->b + pc * g->b_row + jc * g->b_col,
                           g->b_row, g->b_col, x.k, x.n,
                           g->flags & EMS_GEMM_BF16);
            }
            run_block(&x, wa);
        }
}

const ems_gemm_kernel FN(ems_gemm_) = {NR, WORK, one, pack};

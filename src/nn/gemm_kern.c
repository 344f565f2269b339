/* gemm_kern.c - the one fast product. Compiled once per instruction set:
 * EMS_ISA its name, EMS_VW floats per vector, EMS_PAIRS for products of
 * bfloat16, whose operands are packed as pairs along k.
 *
 * B is packed in blocks of KC rows, each block in panels of NR columns; A in
 * tiles of MR rows, or read in place. The innermost loop keeps MR x NR sums
 * in registers. */
#include "nn/gemm_tmpl.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

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
    NR = NV * EMS_VW, KC = EMS_GEMM_BLOCK, MC = MR * 16, NC = 512, WIDE = 256,
    WORK = MC * KC + KC * NC,
};

typedef float vf __attribute__((vector_size(EMS_VW * 4)));
typedef float vfu __attribute__((vector_size(EMS_VW * 4), aligned(4)));
typedef int vi __attribute__((vector_size(EMS_VW * 4)));

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#define UNROLL_K _Pragma("unroll 4")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_K _Pragma("GCC unroll 4")
#endif

#ifdef EMS_PAIRS
enum { PER = 2 }; /* of k in one unit: the first in the low half */
typedef uint32_t unit;
typedef uint32_t vu __attribute__((vector_size(EMS_VW * 4)));

static unit gather(const float *x, size_t col, size_t left)
{
    return ems_bf16_bits(x[0]) >> 16 |
           (left > 1 ? ems_bf16_bits(x[col]) : 0);
}

INLINE vf multiply_add(vf sum, unit a, const unit *b)
{
    const vu y = a - (vu){0}, x = *(const vu *)b;
#ifdef __AVX512BF16__
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)y, (__m512bh)x);
#else /* what it computes, but for the rounding of its sums */
    sum += (vf)(y << 16) * (vf)(x << 16);
    return sum + (vf)(y & 0xffff0000) * (vf)(x & 0xffff0000);
#endif
}
#else
enum { PER = 1 };
typedef float unit;

INLINE unit gather(const float *x, size_t col, size_t left)
{
    (void)col;
    (void)left;
    return *x;
}

INLINE vf multiply_add(vf sum, unit a, const unit *b)
{
    return sum + (a - (vf){0}) * *(const vf *)b;
}
#endif

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t units(size_t k)
{
    return (k + PER - 1) / PER;
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

/* Ask for the tile's place in C while its sums are made. Where a row lies
 * across two cache lines, the panel before has had the first. */
INLINE void fetch_tile(const sink *s)
{
    UNROLL
    for (int r = 0; r < MR; r++)
        __builtin_prefetch(s->c + (size_t)r * s->ldc + NR - 1, 1);
}

/* One step of k: every sum plus its product. */
INLINE void multiply(vf sum[MR][NV], const unit *a, size_t row, const unit *b)
{
    UNROLL
    for (int r = 0; r < MR; r++)
        UNROLL
        for (int v = 0; v < NV; v++)
            sum[r][v] = multiply_add(sum[r][v], a[(size_t)r * row],
                                     b + v * EMS_VW);
}

/* sums[MR][NR] of a[r*row + p*col] times panel b[p*NR + j] over k units. */
INLINE void tile(const sink *s, const unit *a, size_t row, size_t col,
                 const unit *restrict b, size_t k, size_t m, size_t n)
{
    vf sum[MR][NV];
    fetch_tile(s);
    UNROLL
    for (int r = 0; r < MR; r++)
        UNROLL
        for (int v = 0; v < NV; v++)
            sum[r][v] = (vf){0};
    UNROLL_K
    for (size_t p = 0; p < k; p++)
        multiply(sum, a + p * col, row, b + p * NR);
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

/* Tiles one below the other against one panel; A advances by `step`. */
INLINE void tiles(sink s, const unit *a, size_t row, size_t col, size_t step,
                  const unit *b, size_t k, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i += MR, a += step) {
        tile(&s, a, row, col, b, k, least(m - i, MR), n);
        s.c += MR * s.ldc;
        if (s.gate)
            s.gate += MR * s.ldgate;
    }
}

static __attribute__((noinline)) void
tiles_packed(const sink *s, const unit *a, const unit *b, size_t k, size_t m,
             size_t n)
{
    tiles(*s, a, 1, MR, MR * k, b, k, m, n);
}

#ifndef EMS_PAIRS
static __attribute__((noinline)) void
tiles_rows(const sink *s, const float *a, size_t row, const float *b,
           size_t k, size_t m, size_t n)
{
    tiles(*s, a, row, 1, MR * row, b, k, m, n);
}

static __attribute__((noinline)) void
tiles_columns(const sink *s, const float *a, size_t col, const float *b,
              size_t k, size_t m, size_t n)
{
    tiles(*s, a, 1, col, MR, b, k, m, n);
}
#endif

static void round_all(float *x, size_t n, int bf16)
{
    for (size_t i = 0; bf16 && i < n; i++)
        x[i] = ems_bf16_round(x[i]);
}

/* Whole tiles of columns of A: each row is read once, in order. */
static void pack_columns(unit *restrict d, const float *restrict a,
                         size_t col, size_t tiles, size_t k)
{
    for (size_t p = 0; p < k; p++, a += col)
        for (size_t i = 0; i < tiles; i++)
            memcpy(d + (i * k + p) * MR, a + i * MR, MR * sizeof *d);
}

static void pack_a(unit *restrict d, const float *restrict a, size_t row,
                   size_t col, size_t m, size_t k)
{
    size_t done = 0;
    if (PER == 1 && row == 1) {
        done = m / MR * MR;
        pack_columns(d, a, col, m / MR, k);
        d += done * k;
    }
    for (size_t i = done; i < m; i += MR) {
        const size_t rows = least(m - i, MR);
        const float *x = a + i * row;
        for (size_t p = 0; p < k; p += PER, x += PER * col) {
            if (rows == MR)
                for (size_t r = 0; r < MR; r++)
                    *d++ = gather(x + r * row, col, k - p);
            else
                for (size_t r = 0; r < MR; r++)
                    *d++ = r < rows ? gather(x + r * row, col, k - p) : 0;
        }
    }
}

static void pack_panel(unit *restrict d, const float *restrict b,
                       size_t b_row, size_t b_col, size_t k, size_t n)
{
    for (size_t p = 0; p < k; p += PER, d += NR, b += PER * b_row) {
        if (n == NR && b_col == 1 && PER == 1)
            memcpy(d, b, NR * sizeof *d);
        else if (n == NR)
            for (size_t j = 0; j < NR; j++)
                d[j] = gather(b + j * b_col, b_row, k - p);
        else
            for (size_t j = 0; j < NR; j++)
                d[j] = j < n ? gather(b + j * b_col, b_row, k - p) : 0;
    }
}

#ifndef EMS_PAIRS
/* The whole panels of rows that lie in memory as they are: row by row. */
static void pack_rows(float *restrict d, const float *restrict b,
                      size_t b_row, size_t k, size_t panels)
{
    for (size_t p = 0; p < k; p++, b += b_row)
        for (size_t j = 0; j < panels; j++)
            memcpy(d + (j * k + p) * NR, b + j * NR, NR * sizeof *d);
}
#endif

/* One block of at most KC rows, all n columns. */
static void pack_block(float *d, const float *b, size_t b_row, size_t b_col,
                       size_t k, size_t n, int bf16)
{
    const size_t panel = NR * units(k), panels = (n + NR - 1) / NR;
    size_t done = 0;
#ifndef EMS_PAIRS
    if (b_col == 1 && n >= WIDE) {
        done = n / NR;
        pack_rows(d, b, b_row, k, done);
    }
#endif
    for (size_t j = done; j < panels; j++)
        pack_panel((unit *)d + j * panel, b + j * NR * b_col, b_row, b_col,
                   k, least(n - j * NR, NR));
    if (PER == 1)
        round_all(d, panels * panel, bf16);
}

static void pack(float *data, const float *b, size_t b_row, size_t b_col,
                 size_t k, size_t n, int flags)
{
    const size_t width = (n + NR - 1) / NR * NR;
    for (size_t p = 0; p < k; p += KC)
        pack_block(data + p / PER * width, b + p * b_row, b_row, b_col,
                   least(k - p, KC), n, flags & EMS_GEMM_BF16);
}

/* One block of k and of columns: what the loops below hand down. */
typedef struct block {
    const ems_gemm *g;
    const unit *b;         /* packed panels */
    size_t panel;          /* units from one panel to the next */
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
    unit *const a = (unit *)work;
    const size_t k = units(x->k);
    pack_a(a, g->a + at * g->a_row + x->at_k * g->a_col, g->a_row, g->a_col,
           m, x->k);
    if (PER == 1)
        round_all(work, (m + MR - 1) / MR * MR * k, g->flags & EMS_GEMM_BF16);
    for (size_t j = 0; j < x->n; j += NR) {
        const sink s = sink_at(x, at, x->at_n + j);
        tiles_packed(&s, a, x->b + j / NR * x->panel, k, m,
                     least(x->n - j, NR));
    }
}

#ifndef EMS_PAIRS
/* Ask for a share of the rows of A that come after the MC at `at`: while one
 * panel is worked on, as many as that panel is of all columns. */
static void fetch_rows(const block *x, size_t at, size_t j)
{
    enum { LINE = 16 };
    const ems_gemm *g = x->g;
    const size_t from = at + MC + MC * j / x->n;
    const size_t to = least(at + MC + MC * (j + NR) / x->n, g->m);
    for (size_t i = from; i < to; i++)
        for (size_t p = 0; p < x->k; p += LINE)
            __builtin_prefetch(g->a + i * g->a_row + x->at_k + p, 0, 2);
}

/* Whole tiles of A in place; what is left over goes through `work`. */
static void rows_direct(const block *x, size_t at, size_t m, float *work)
{
    const ems_gemm *g = x->g;
    const size_t whole = m / MR * MR;
    const float *const a = g->a + at * g->a_row + x->at_k * g->a_col;
    for (size_t j = 0; j < x->n; j += NR) {
        if (g->a_col == 1)
            fetch_rows(x, at, j);
        const float *b = x->b + j / NR * x->panel;
        const size_t n = least(x->n - j, NR);
        const sink s = sink_at(x, at, x->at_n + j);
        if (g->a_col == 1)
            tiles_rows(&s, a, g->a_row, b, x->k, whole, n);
        else
            tiles_columns(&s, a, g->a_col, b, x->k, whole, n);
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
#else
static void run_block(const block *x, float *work)
{
    for (size_t i = 0; i < x->g->m; i += MC)
        rows_packed(x, i, least(x->g->m - i, MC), work);
}
#endif

/* Where a packed B holds the block, rows at_k and columns at_n on. */
static void find_packed(block *x, const ems_packed *b)
{
    const size_t row = b->row + x->at_k, first = row / KC * KC;
    const size_t width = (b->n + NR - 1) / NR * NR;
    x->panel = units(least(b->k - first, KC)) * NR;
    x->b = (const unit *)b->data + first / PER * width +
           (b->first + x->at_n) / NR * x->panel + (row - first) / PER * NR;
}

static void one(const ems_gemm *g, float *work)
{
    float *const wa = work, *const wb = work + MC * KC;
    for (size_t jc = 0; jc < g->n; jc += NC)
        for (size_t pc = 0, k; pc < g->k; pc += k) {
            k = ems_gemm_block(g, pc);
            block x = {g, (unit *)wb, units(k) * NR, pc, k, jc,
                       least(g->n - jc, NC)};
            if (g->packed)
                find_packed(&x, g->packed);
            else
                pack_block(wb, g->b + pc * g->b_row + jc * g->b_col,
                           g->b_row, g->b_col, k, x.n,
                           g->flags & EMS_GEMM_BF16);
            run_block(&x, wa);
        }
}

/* Sums enough to keep every multiply-add unit busy, and no memory. */
static double spin(size_t turns, float *result)
{
    enum { SUMS = 12 };
    vf sum[SUMS], b;
    unit a;
    memset(&a, 0x3f, sizeof a); /* about 0.75 */
    memset(&b, 0x3f, sizeof b);
    UNROLL
    for (int r = 0; r < SUMS; r++)
        sum[r] = (vf){(float)r};
    for (size_t i = 0; i < turns; i++)
        UNROLL
        for (int r = 0; r < SUMS; r++)
            sum[r] = multiply_add(sum[r], a, (const unit *)&b);
    for (int r = 0; r < SUMS; r++)
        *result += sum[r][0];
    return (double)turns * SUMS * EMS_VW * PER * 2;
}

const ems_gemm_kernel FN(ems_gemm_) = {NR, PER, WORK, spin, one, pack};

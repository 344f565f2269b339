/* kern8_fast.c - the 8-bit kernels in vector extensions; compiled once per
 * instruction set with EMS_ISA and EMS_VW. What each computes: kern8.h and
 * kern8_ref.c. The one thing that vector extensions cannot say is the sum of
 * products of neighbours. */
#include "nn/kern8_tables.h"
#include "nn/vec.h"

#include <immintrin.h>
#include <math.h>

#define GLUE2(a, b) a##b
#define GLUE(a, b) GLUE2(a, b)
#define ALWAYS static inline __attribute__((always_inline))

enum {
    W = EMS_PANEL / EMS_VW,   /* vectors across a panel */
    L = EMS_LANES / EMS_VW,   /* vectors of canonical lanes */
    ROWS = EMS_VW == 4 ? 4 : 6, COLS = 2, /* tile of a matrix product */
    STEP = 128,               /* inputs that many rows read together */
    AHEAD = 1024,             /* bytes fetched before they are needed */
};

typedef int16_t vs __attribute__((vector_size(4 * EMS_VW)));
typedef int8_t vb_any __attribute__((vector_size(2 * EMS_VW), aligned(1),
                                     may_alias));
typedef vs vs_any __attribute__((aligned(2), may_alias));
typedef vi vi_any __attribute__((aligned(4), may_alias));
typedef int32_t pair_any __attribute__((aligned(2), may_alias));
typedef int16_t vh __attribute__((vector_size(2 * EMS_VW)));
typedef vh vh_any __attribute__((aligned(2), may_alias));

/* a[2i] b[2i] + a[2i+1] b[2i+1] in lane i. */
ALWAYS vi pairs(vs a, vs b)
{
#if EMS_VW == 4
    return (vi)_mm_madd_epi16((__m128i)a, (__m128i)b);
#elif EMS_VW == 8
    return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__AVX512BW__)
    return (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#else
    union { vs all; __m256i half[2]; } x = {a}, y = {b};
    union { __m256i half[2]; vi all; } z;
    z.half[0] = _mm256_madd_epi16(x.half[0], y.half[0]);
    z.half[1] = _mm256_madd_epi16(x.half[1], y.half[1]);
    return z.all;
#endif
}

/* 2 * EMS_VW bytes as 16 bits each. */
ALWAYS vs widen(const int8_t *w)
{
#if EMS_VW == 4
    const __m128i byte = _mm_loadl_epi64((const __m128i *)(const void *)w);
    return (vs)_mm_srai_epi16(_mm_unpacklo_epi8(byte, byte), 8);
#elif EMS_VW == 8
    return (vs)_mm256_cvtepi8_epi16(
        _mm_loadu_si128((const __m128i *)(const void *)w));
#else
    return __builtin_convertvector(*(const vb_any *)w, vs);
#endif
}

ALWAYS vi vload_whole(const int32_t *p)
{
    return *(const vi_any *)p;
}

ALWAYS void vstore_whole(int32_t *p, vi v)
{
    *(vi_any *)p = v;
}

/* Two neighbours, everywhere. */
ALWAYS vs spread(const int16_t *x)
{
    return (vs)((vi){0} + *(const pair_any *)x);
}

/* y[rows][COLS vectors], from 0 or with `add` from what is there. rows is a
 * constant wherever this is inlined, so the sums stay in registers. */
ALWAYS void tile(int32_t *y, size_t ldy, const int8_t *w, const int16_t *x,
                 size_t ldx, size_t k, int add, const int rows)
{
    vi sum[ROWS][COLS];
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < COLS; c++)
            sum[r][c] = add ? vload_whole(y + (size_t)r * ldy + c * EMS_VW)
                            : (vi){0};
    for (size_t i = 0; i < k; i += 2, w += 2 * EMS_PANEL) {
        vs column[COLS];
        for (int c = 0; c < COLS; c++)
            column[c] = widen(w + c * 2 * EMS_VW);
        for (int r = 0; r < rows; r++) {
            const vs two = spread(x + (size_t)r * ldx + i);
            for (int c = 0; c < COLS; c++)
                sum[r][c] += pairs(column[c], two);
        }
        __builtin_prefetch(w + STEP * EMS_PANEL);
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < COLS; c++)
            vstore_whole(y + (size_t)r * ldy + c * EMS_VW, sum[r][c]);
}

/* One row: nothing is used twice, and memory is what there is to wait for. */
static void one_row(int32_t *y, const int8_t *w, const int16_t *x, size_t k)
{
    vi sum[W] = {{0}};
    for (size_t i = 0; i < k; i += 2, w += 2 * EMS_PANEL) {
        const vs two = spread(x + i);
        for (int c = 0; c < W; c++)
            sum[c] += pairs(widen(w + c * 2 * EMS_VW), two);
        __builtin_prefetch(w + AHEAD);
        __builtin_prefetch(w + AHEAD + 64);
    }
    for (int c = 0; c < W; c++)
        vstore_whole(y + c * EMS_VW, sum[c]);
}

/* A few rows against [k][64] of a panel that the nearest cache can hold. */
static void few_rows(int32_t *y, size_t ldy, const int8_t *w, const int16_t *x,
                     size_t ldx, size_t k, int add, size_t rows)
{
    for (int c = 0; c < W; c += COLS) {
        int32_t *to = y + c * EMS_VW;
        const int8_t *from = w + c * 2 * EMS_VW;
        if (rows == ROWS)
            tile(to, ldy, from, x, ldx, k, add, ROWS);
        else if (rows == 4)
            tile(to, ldy, from, x, ldx, k, add, 4);
        else if (rows == 2)
            tile(to, ldy, from, x, ldx, k, add, 2);
        else
            tile(to, ldy, from, x, ldx, k, add, 1);
    }
}

static void dots(int32_t *y, size_t ldy, const int8_t *panel,
                 const int16_t *x, size_t ldx, size_t m, size_t k)
{
    if (m == 1) {
        one_row(y, panel, x, k);
        return;
    }
    for (size_t at = 0; at < k; at += STEP) {
        const size_t count = k - at < STEP ? k - at : STEP;
        for (size_t r = 0, rows; r < m; r += rows) {
            const size_t left = m - r;
            rows = left >= ROWS ? ROWS : left >= 4 ? 4 : left >= 2 ? 2 : 1;
            few_rows(y + r * ldy, ldy, panel + at * EMS_PANEL,
                     x + r * ldx + at, ldx, count, at > 0, rows);
        }
    }
}

/* Integers in the low 16 bits of what was added to EMS_MAGIC. */
ALWAYS void store_low(int16_t *q, vf shifted)
{
    *(vh_any *)q = __builtin_convertvector((vi)shifted, vh);
}

ALWAYS float largest(const float *x, size_t count)
{
    vf most[L];
    size_t i = 0;
    for (int j = 0; j < L; j++)
        most[j] = vset(0);
    for (; i + EMS_LANES <= count; i += EMS_LANES)
        for (int j = 0; j < L; j++) {
            const vu bits = (vu)vload(x + i + j * EMS_VW) & 0x7fffffffu;
            most[j] = vmax((vf)bits, most[j]);
        }
    float lane[EMS_LANES], most_of_all = 0;
    for (int j = 0; j < L; j++)
        vstore(lane + j * EMS_VW, most[j]);
    for (int l = 0; l < EMS_LANES; l++)
        most_of_all = lane[l] > most_of_all ? lane[l] : most_of_all;
    for (; i < count; i++)
        most_of_all = fabsf(x[i]) > most_of_all ? fabsf(x[i]) : most_of_all;
    return most_of_all;
}

ALWAYS int16_t nearest(float x, float factor)
{
    const union { float f; uint32_t u; } v = {fmaf(x, factor, EMS_MAGIC)};
    return (int16_t)(uint16_t)v.u;
}

static float quantise(int16_t *q, const float *x, size_t count, float range)
{
    const float most = largest(x, count);
    size_t i = 0;
    if (!(most > EMS_LEAST && most < EMS_MOST)) {
        for (; i < count; i++)
            q[i] = 0;
        return 0;
    }
    const float factor = range / most;
    for (; i + EMS_VW <= count; i += EMS_VW)
        store_low(q + i, vfma(vload(x + i), vset(factor), vset(EMS_MAGIC)));
    for (; i < count; i++)
        q[i] = nearest(x[i], factor);
    return most / range;
}

ALWAYS vf whole(const int32_t *sum)
{
    return __builtin_convertvector(vload_whole(sum), vf);
}

static void finish(float *y, const int32_t *sum, float scale, const float *by,
                   const float *bias, int relu)
{
    for (size_t i = 0; i < EMS_PANEL; i += EMS_VW) {
        const vf value = vfma(whole(sum + i), vload(by + i) * scale,
                              vload(bias + i));
        const vi positive = (value > 0) | (relu ? (vi){0} : ~(vi){0});
        vstore(y + i, (vf)((vi)value & positive));
    }
}

static void begin_scores(float *out, const int32_t *sum, const float *by,
                         size_t count)
{
    size_t i = 0;
    for (; i + EMS_VW <= count; i += EMS_VW)
        vstore(out + i, whole(sum + i) * vload(by + i));
    for (; i < count; i++)
        out[i] = (float)sum[i] * by[i];
}

static void scores(float *x, const int32_t *sum, const float *by,
                   float factor)
{
    for (size_t i = 0; i < EMS_PANEL; i += EMS_VW)
        vstore(x + i, vfma(whole(sum + i), vload(by + i), vload(x + i)) *
                          factor);
}

static void weigh(int16_t *q, const float *p, const float *by, float factor,
                  size_t count)
{
    for (size_t i = 0; i < count; i += EMS_VW)
        store_low(q + i, vfma(vload(p + i) * vload(by + i), vset(factor),
                              vset(EMS_MAGIC)));
}

const ems_kern8 GLUE(ems_kern8_, EMS_ISA) = {
    dots, quantise, finish, begin_scores, scores, weigh,
};

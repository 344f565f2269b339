/* kern_fast.c - the kernels in vector extensions; compiled once per
 * instruction set with EMS_ISA and EMS_VW. What each computes: kern.h; the
 * order of every operation: kern_ref.c. */
#include "nn/kern.h"
#include "nn/kern_tables.h"
#include "nn/vec.h"

#include <math.h>

#define GLUE2(a, b) a##b
#define GLUE(a, b) GLUE2(a, b)
#define ALWAYS static inline __attribute__((always_inline))

enum {
    W = EMS_PANEL / EMS_VW,   /* vectors across a panel */
    L = EMS_LANES / EMS_VW,   /* vectors of canonical lanes */
    AHEAD = 16 * EMS_PANEL,   /* floats fetched before they are needed */
    COLS = 2,                 /* tile of gemm, in vectors */
    ROWS = EMS_VW == 4 ? 4 : EMS_VW == 8 ? 6 : 12,
};

/* Ask for the 64-byte lines of [p, p + bytes). Past the end is harmless. */
ALWAYS void fetch(const void *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)p + i);
}

ALWAYS vf low_half(vu word)
{
    return (vf)(word << 16);
}

ALWAYS vf high_half(vu word)
{
    return (vf)(word & 0xffff0000u);
}

static void gemv_f32(float *y, const void *panel, const float *x, size_t k)
{
    const float *w = panel;
    vf sum[W] = {{0}};
    for (size_t i = 0; i < k; i++, w += EMS_PANEL) {
        const vf factor = vset(x[i]);
        fetch(w + AHEAD, EMS_PANEL * sizeof *w);
        for (int j = 0; j < W; j++)
            sum[j] = vfma(factor, vload(w + j * EMS_VW), sum[j]);
    }
    for (int j = 0; j < W; j++)
        vstore(y + j * EMS_VW, sum[j]);
}

static void gemv_bf16(float *y, const void *panel, const float *x, size_t k)
{
    const uint32_t *w = panel;
    vf sum[W] = {{0}};
    for (size_t i = 0; i < k; i++, w += EMS_PANEL / 2) {
        const vf factor = vset(x[i]);
        fetch(w + AHEAD, EMS_PANEL * 2);
        for (int j = 0; j < W / 2; j++) {
            const vu word = vload_bits(w + j * EMS_VW);
            sum[j] = vfma(factor, low_half(word), sum[j]);
            sum[j + W / 2] = vfma(factor, high_half(word), sum[j + W / 2]);
        }
    }
    for (int j = 0; j < W; j++)
        vstore(y + j * EMS_VW, sum[j]);
}

static void widen_f32(float *out, const void *panel, size_t count)
{
    const float *w = panel;
    for (size_t i = 0; i < count * EMS_PANEL; i += EMS_VW)
        vstore(out + i, vload(w + i));
}

static void widen_bf16(float *out, const void *panel, size_t count)
{
    const uint32_t *w = panel;
    for (size_t i = 0; i < count; i++, w += EMS_PANEL / 2, out += EMS_PANEL)
        for (int j = 0; j < W / 2; j++) {
            const vu word = vload_bits(w + j * EMS_VW);
            vstore(out + j * EMS_VW, low_half(word));
            vstore(out + (j + W / 2) * EMS_VW, high_half(word));
        }
}

/* y[rows][COLS vectors] += x[rows][k] w[k][COLS vectors]; rows is a constant
 * wherever this is inlined, so the sums stay in registers. */
ALWAYS void tile(float *y, size_t ldy, const float *w, const float *x,
                 size_t ldx, size_t k, const int rows)
{
    vf sum[ROWS][COLS];
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < COLS; c++)
            sum[r][c] = vload(y + (size_t)r * ldy + c * EMS_VW);
    for (size_t i = 0; i < k; i++, w += EMS_PANEL) {
        vf column[COLS];
        for (int c = 0; c < COLS; c++)
            column[c] = vload(w + c * EMS_VW);
        for (int r = 0; r < rows; r++) {
            const vf factor = vset(x[(size_t)r * ldx + i]);
            for (int c = 0; c < COLS; c++)
                sum[r][c] = vfma(factor, column[c], sum[r][c]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < COLS; c++)
            vstore(y + (size_t)r * ldy + c * EMS_VW, sum[r][c]);
}

static void gemm(float *y, size_t ldy, const float *w, const float *x,
                 size_t ldx, size_t m, size_t k)
{
    for (size_t c = 0; c < EMS_PANEL; c += COLS * EMS_VW) {
        size_t r = 0;
        for (; r + ROWS <= m; r += ROWS)
            tile(y + r * ldy + c, ldy, w + c, x + r * ldx, ldx, k, ROWS);
        for (; r + 2 <= m; r += 2)
            tile(y + r * ldy + c, ldy, w + c, x + r * ldx, ldx, k, 2);
        if (r < m)
            tile(y + r * ldy + c, ldy, w + c, x + r * ldx, ldx, k, 1);
    }
}

static void scores(float *out, const float *q, const float *keys,
                   const float *rel, size_t stride, size_t d, float scale)
{
    vf sum[W] = {{0}};
    for (size_t i = 0; i < d; i++, keys += EMS_PANEL, rel += stride) {
        const vf factor = vset(q[i]);
        for (int j = 0; j < W; j++) {
            const vf key = vload(keys + j * EMS_VW) + vload(rel + j * EMS_VW);
            sum[j] = vfma(factor, key, sum[j]);
        }
    }
    for (int j = 0; j < W; j++)
        vstore(out + j * EMS_VW, sum[j] * scale);
}

static float fold(const float *lanes)
{
    float lane[EMS_LANES];
    for (int l = 0; l < EMS_LANES; l++)
        lane[l] = lanes[l];
    for (int half = EMS_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] = lane[l] + lane[l + half];
    return lane[0];
}

ALWAYS vf exponential(vf x)
{
    const vf shifted = vfma(x, vset(EMS_LOG2E), vset(EMS_ROUND));
    const vf n = shifted - EMS_ROUND;
    vf r = vfma(n, vset(-EMS_LN2_HIGH), x);
    r = vfma(n, vset(-EMS_LN2_LOW), r);
    vf p = vset(EMS_EXP7);
    p = vfma(p, r, vset(EMS_EXP6));
    p = vfma(p, r, vset(EMS_EXP5));
    p = vfma(p, r, vset(EMS_EXP4));
    p = vfma(p, r, vset(EMS_EXP3));
    p = vfma(p, r, vset(0.5f));
    p = vfma(p, r, vset(1.0f));
    p = vfma(p, r, vset(1.0f));
    const vu bits = (vu)p + ((vu)shifted << 23);
    const vi tiny = x < EMS_EXP_LOWEST;
    return (vf)(bits & ~(vu)tiny);
}

static float softmax(float *x, size_t count)
{
    vf most[L], sum[L];
    for (int j = 0; j < L; j++) {
        most[j] = vload(x + j * EMS_VW);
        sum[j] = vset(0);
    }
    for (size_t i = EMS_LANES; i < count; i += EMS_LANES)
        for (int j = 0; j < L; j++)
            most[j] = vmax(most[j], vload(x + i + j * EMS_VW));
    float lane[EMS_LANES];
    for (int j = 0; j < L; j++)
        vstore(lane + j * EMS_VW, most[j]);
    float max = lane[0];
    for (int l = 1; l < EMS_LANES; l++)
        max = lane[l] > max ? lane[l] : max;
    for (size_t i = 0; i < count; i += EMS_LANES)
        for (int j = 0; j < L; j++) {
            const vf e = exponential(vload(x + i + j * EMS_VW) - max);
            vstore(x + i + j * EMS_VW, e);
            sum[j] = sum[j] + e;
        }
    for (int j = 0; j < L; j++)
        vstore(lane + j * EMS_VW, sum[j]);
    return fold(lane);
}

/* `vectors` (a constant where inlined) of the d outputs. */
ALWAYS void mix_some(float *out, const float *p, const float *v, size_t count,
                     size_t d, float scale, const int vectors)
{
    vf sum[W];
    for (int j = 0; j < vectors; j++)
        sum[j] = vset(0);
    for (size_t i = 0; i < count; i++, v += d) {
        const vf factor = vset(p[i]);
        for (int j = 0; j < vectors; j++)
            sum[j] = vfma(factor, vload(v + j * EMS_VW), sum[j]);
    }
    for (int j = 0; j < vectors; j++)
        vstore(out + j * EMS_VW, sum[j] * scale);
}

static void mix(float *out, const float *p, const float *v, size_t count,
                size_t d, float scale)
{
    size_t i = 0;
    for (; i + EMS_PANEL <= d; i += EMS_PANEL)
        mix_some(out + i, p, v + i, count, d, scale, W);
    for (; i < d; i += EMS_LANES)
        mix_some(out + i, p, v + i, count, d, scale, L);
}

/* out = a + b; returns the mean. */
static float norm_sum(float *out, const float *a, const float *b,
                      size_t count)
{
    float lane[EMS_LANES];
    vf sum[L];
    size_t i = 0;
    for (int j = 0; j < L; j++)
        sum[j] = vset(0);
    for (; i + EMS_LANES <= count; i += EMS_LANES)
        for (int j = 0; j < L; j++) {
            const size_t at = i + (size_t)(j * EMS_VW);
            const vf t = vload(a + at) + vload(b + at);
            vstore(out + at, t);
            sum[j] = sum[j] + t;
        }
    for (int j = 0; j < L; j++)
        vstore(lane + j * EMS_VW, sum[j]);
    for (size_t l = 0; i < count; i++, l++) {
        out[i] = a[i] + b[i];
        lane[l] = lane[l] + out[i];
    }
    return fold(lane) / (float)count;
}

/* out -= mean; returns the variance. */
static float norm_centre(float *out, float mean, size_t count)
{
    float lane[EMS_LANES];
    vf sum[L];
    size_t i = 0;
    for (int j = 0; j < L; j++)
        sum[j] = vset(0);
    for (; i + EMS_LANES <= count; i += EMS_LANES)
        for (int j = 0; j < L; j++) {
            float *at = out + i + j * EMS_VW;
            const vf t = vload(at) - mean;
            vstore(at, t);
            sum[j] = vfma(t, t, sum[j]);
        }
    for (int j = 0; j < L; j++)
        vstore(lane + j * EMS_VW, sum[j]);
    for (size_t l = 0; i < count; i++, l++) {
        out[i] = out[i] - mean;
        lane[l] = fmaf(out[i], out[i], lane[l]);
    }
    return fold(lane) / (float)count;
}

static void norm(float *out, const float *a, const float *b,
                 const float *gain, const float *bias, size_t count)
{
    const float mean = norm_sum(out, a, b, count);
    const float variance = norm_centre(out, mean, count);
    const float rate = 1 / sqrtf(variance + EMS_NORM_EPS);
    size_t i = 0;
    for (; i + EMS_VW <= count; i += EMS_VW)
        vstore(out + i, vfma(vload(out + i) * rate, vload(gain + i),
                             vload(bias + i)));
    for (; i < count; i++)
        out[i] = fmaf(out[i] * rate, gain[i], bias[i]);
}

const ems_kern GLUE(ems_kern_, EMS_ISA) = {
    {gemv_f32, gemv_bf16},
    {widen_f32, widen_bf16},
    gemm, scores, softmax, mix, norm,
};

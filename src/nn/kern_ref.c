/* kern_ref.c - the oracle: the shortest code that computes what kern.h says,
 * operation by operation. Never tuned. */
#include "nn/kern.h"
#include "nn/kern_tables.h"

#include <math.h>
#include <string.h>

static float weight(const void *panel, ems_precision precision, size_t i,
                    size_t n)
{
    if (precision == EMS_F32)
        return ((const float *)panel)[EMS_PANEL * i + n];
    const uint16_t half =
        ((const uint16_t *)panel)[EMS_PANEL * i + n % 32 * 2 + n / 32];
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void gemv(float *y, const void *panel, const float *x, size_t k,
                 ems_precision precision)
{
    for (size_t n = 0; n < EMS_PANEL; n++) {
        float sum = 0;
        for (size_t i = 0; i < k; i++)
            sum = fmaf(x[i], weight(panel, precision, i, n), sum);
        y[n] = sum;
    }
}

static void widen(float *out, const void *panel, size_t count,
                  ems_precision precision)
{
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < EMS_PANEL; n++)
            out[EMS_PANEL * i + n] = weight(panel, precision, i, n);
}

#define BY_PRECISION(suffix, precision)                                       \
    static void gemv_##suffix(float *y, const void *panel, const float *x,    \
                              size_t k)                                       \
    {                                                                         \
        gemv(y, panel, x, k, precision);                                      \
    }                                                                         \
    static void widen_##suffix(float *out, const void *panel, size_t count)   \
    {                                                                         \
        widen(out, panel, count, precision);                                  \
    }
BY_PRECISION(f32, EMS_F32)
BY_PRECISION(bf16, EMS_BF16)

static void gemm(float *y, size_t ldy, const float *w, const float *x,
                 size_t ldx, size_t m, size_t k)
{
    for (size_t r = 0; r < m; r++)
        for (size_t n = 0; n < EMS_PANEL; n++) {
            float sum = y[r * ldy + n];
            for (size_t i = 0; i < k; i++)
                sum = fmaf(x[r * ldx + i], w[EMS_PANEL * i + n], sum);
            y[r * ldy + n] = sum;
        }
}

static void scores(float *out, const float *q, const float *keys,
                   const float *rel, size_t stride, size_t d, float scale)
{
    for (size_t j = 0; j < EMS_PANEL; j++) {
        float sum = 0;
        for (size_t i = 0; i < d; i++) {
            const float key = keys[EMS_PANEL * i + j] + rel[stride * i + j];
            sum = fmaf(q[i], key, sum);
        }
        out[j] = sum * scale;
    }
}

static float fold(float lane[EMS_LANES])
{
    for (size_t half = EMS_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] = lane[l] + lane[l + half];
    return lane[0];
}

/* e^x for x <= 0: x = n ln 2 + r, a polynomial in r (the Taylor series to
 * r^7; relative error below 2e-7), the exponent by integer addition. */
static float exponential(float x)
{
    const float shifted = fmaf(x, EMS_LOG2E, EMS_ROUND);
    const float n = shifted - EMS_ROUND;
    float r = fmaf(n, -EMS_LN2_HIGH, x);
    r = fmaf(n, -EMS_LN2_LOW, r);
    float p = EMS_EXP7;
    p = fmaf(p, r, EMS_EXP6);
    p = fmaf(p, r, EMS_EXP5);
    p = fmaf(p, r, EMS_EXP4);
    p = fmaf(p, r, EMS_EXP3);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    uint32_t bits, exponent;
    memcpy(&bits, &p, sizeof bits);
    memcpy(&exponent, &shifted, sizeof exponent);
    bits += exponent << 23; /* EMS_ROUND's own bits are shifted out */
    memcpy(&p, &bits, sizeof p);
    return x < EMS_EXP_LOWEST ? 0 : p;
}

static float softmax(float *x, size_t count)
{
    float max = x[0], lane[EMS_LANES] = {0};
    for (size_t i = 0; i < count; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < count; i++) {
        x[i] = exponential(x[i] - max);
        lane[i % EMS_LANES] = lane[i % EMS_LANES] + x[i];
    }
    return fold(lane);
}

static void mix(float *out, const float *p, const float *v, size_t count,
                size_t d, float scale)
{
    for (size_t i = 0; i < d; i++) {
        float sum = 0;
        for (size_t j = 0; j < count; j++)
            sum = fmaf(p[j], v[j * d + i], sum);
        out[i] = sum * scale;
    }
}

static void norm(float *out, const float *a, const float *b,
                 const float *gain, const float *bias, size_t count)
{
    float lane[EMS_LANES] = {0}, square[EMS_LANES] = {0};
    for (size_t i = 0; i < count; i++) {
        out[i] = a[i] + b[i];
        lane[i % EMS_LANES] = lane[i % EMS_LANES] + out[i];
    }
    const float mean = fold(lane) / (float)count;
    for (size_t i = 0; i < count; i++) {
        out[i] = out[i] - mean;
        float *s = &square[i % EMS_LANES];
        *s = fmaf(out[i], out[i], *s);
    }
    const float variance = fold(square) / (float)count;
    const float rate = 1 / sqrtf(variance + EMS_NORM_EPS);
    for (size_t i = 0; i < count; i++)
        out[i] = fmaf(out[i] * rate, gain[i], bias[i]);
}

const ems_kern ems_kern_ref = {
    {gemv_f32, gemv_bf16},
    {widen_f32, widen_bf16},
    gemm, scores, softmax, mix, norm,
};

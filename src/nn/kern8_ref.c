/* kern8_ref.c - the oracle: the shortest code that computes what kern8.h says.
 * Never tuned. */
#include "nn/kern8_tables.h"

#include <math.h>
#include <string.h>

static void dots(int32_t *y, size_t ldy, const int8_t *panel,
                 const int16_t *x, size_t ldx, size_t m, size_t k)
{
    for (size_t r = 0; r < m; r++)
        for (size_t n = 0; n < EMS_PANEL; n++) {
            int64_t sum = 0;
            for (size_t i = 0; i < k; i++)
                sum += x[r * ldx + i] *
                       panel[i / 2 * 2 * EMS_PANEL + 2 * n + i % 2];
            y[r * ldy + n] = (int32_t)(uint32_t)sum;
        }
}

static int16_t nearest(float x, float factor)
{
    const float shifted = fmaf(x, factor, EMS_MAGIC);
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return (int16_t)(uint16_t)bits;
}

static float quantise(int16_t *q, const float *x, size_t count, float range)
{
    float most = 0;
    for (size_t i = 0; i < count; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    const int fits = most > EMS_LEAST && most < EMS_MOST;
    const float factor = fits ? range / most : 0;
    for (size_t i = 0; i < count; i++)
        q[i] = fits ? nearest(x[i], factor) : 0;
    return fits ? most / range : 0;
}

static void finish(float *y, const int32_t *sum, float scale, const float *by,
                   const float *bias, int relu)
{
    for (size_t n = 0; n < EMS_PANEL; n++) {
        const float value = fmaf((float)sum[n], scale * by[n], bias[n]);
        y[n] = relu && !(value > 0) ? 0 : value;
    }
}

static void begin_scores(float *out, const int32_t *sum, const float *by,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)sum[i] * by[i];
}

static void scores(float *x, const int32_t *sum, const float *by,
                   float factor)
{
    for (size_t j = 0; j < EMS_PANEL; j++)
        x[j] = factor * fmaf((float)sum[j], by[j], x[j]);
}

static void weigh(int16_t *q, const float *p, const float *by, float factor,
                  size_t count)
{
    for (size_t i = 0; i < count; i++)
        q[i] = nearest(p[i] * by[i], factor);
}

const ems_kern8 ems_kern8_ref = {
    dots, quantise, finish, begin_scores, scores, weigh,
};

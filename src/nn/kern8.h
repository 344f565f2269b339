/* kern8.h - the kernels of 8-bit inference.
 *
 * Weights, keys and values are whole numbers of 8 bits with a scale for each
 * row; what they are multiplied with has 16 bits and one scale. Products are
 * summed exactly, in 32 bits, so every order of additions, vector width,
 * number of rows and number of threads gives the same bits. What follows in
 * float is done element by element, product and sum fused. */
#ifndef EMS_KERN8_H
#define EMS_KERN8_H
#include "nn/kern.h"

enum {
    EMS_STRETCH = 512, /* positions whose values are summed as integers */
    EMS_BYTE = 127,    /* largest magnitude of 8 bits */
};

typedef struct ems_kern8 {
    /* y[m][ldy], 64 columns of it, = x[m][ldx] times a panel [k/2][64][2]; k
     * even. The sums must fit: |x| <= ems_range(k) sees to it. */
    void (*dots)(int32_t *y, size_t ldy, const int8_t *panel,
                 const int16_t *x, size_t ldx, size_t m, size_t k);
    /* q[i] = x[i] * range / max|x|, to nearest even; NaN gives 0. Returns
     * max|x| / range, or 0 with all q 0 where that has no finite inverse. */
    float (*quantise)(int16_t *q, const float *x, size_t count, float range);
    /* y[64] = sum * (scale * by) + bias, then max(0, .) if relu. */
    void (*finish)(float *y, const int32_t *sum, float scale, const float *by,
                   const float *bias, int relu);
    /* out[i] = sum[i] * by[i]; any count. */
    void (*begin_scores)(float *out, const int32_t *sum, const float *by,
                         size_t count);
    /* x[64] = factor * (sum * by + x) */
    void (*scores)(float *x, const int32_t *sum, const float *by,
                   float factor);
    /* q[i] = p[i] * by[i] * factor, to nearest even; count a multiple of
     * 16. */
    void (*weigh)(int16_t *q, const float *p, const float *by, float factor,
                  size_t count);
} ems_kern8;

const ems_kern8 *ems_kern8_get(ems_cpu_level level);

/* The largest magnitude of 16 bits of which k products with 8 bits cannot
 * overflow their sum; k <= 2^20. */
int ems_range(size_t k);
/* k rounded up to pairs: the length of rows that `dots` takes. */
static inline size_t ems_even(size_t k)
{
    return (k + 1) & ~(size_t)1;
}

/* y[m][ldy] = x W' + b with W packed as EMS_INT8 and x as `quantise` made it:
 * q[m][ldq], a scale for each row. For the outputs of panels [first, first +
 * panels), which go to y from its first column on; whole panels are written.
 * On the calling thread. */
void ems_affine8(const ems_kern8 *kern, const ems_weights *w, size_t first,
                 size_t panels, const int16_t *q, size_t ldq,
                 const float *scale, size_t m, float *y, size_t ldy,
                 int relu);
#endif

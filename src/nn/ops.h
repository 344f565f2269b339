/* ops.h - the passes of training that are not matrix products, as a table of
 * functions per instruction set. All work on rows of n floats, on the calling
 * thread; sums run in 16 lanes (element i in lane i % 16, then folded 8, 4,
 * 2, 1) and nothing is contracted, so every set gives the same bits. */
#ifndef EMS_OPS_H
#define EMS_OPS_H
#include "nn/cpu.h"

#include <stddef.h>
#include <stdint.h>

/* Dropout by counting: element i of a pass is kept when a hash of (key, i)
 * is at or above `threshold` of 2^24, and then scaled. Threshold 0: off. */
#define EMS_DROP_STEP 0x9e3779b1u /* what the hash adds from i to i + 1 */
typedef struct ems_drop {
    uint32_t key, threshold;
    float scale; /* 1 / (1 - rate) */
} ems_drop;

/* The same dropout for a pass whose element 0 is element `first`. */
static inline ems_drop ems_drop_from(ems_drop d, size_t first)
{
    d.key += (uint32_t)first * EMS_DROP_STEP;
    return d;
}

typedef struct ems_add_norm { /* y = norm(x + drop(branch)) * gain + bias */
    size_t rows, n, first;    /* first: row number of row 0, for the dropout */
    const float *x, *branch, *gain, *bias;
    ems_drop drop;
    float *normal, *rstd, *y; /* normal: before gain and bias; rstd: [rows] */
} ems_add_norm;

typedef struct ems_norm_back {
    size_t rows, n, first;
    const float *dy, *normal, *rstd, *gain;
    ems_drop drop;
    float *dx, *dbranch; /* of the two terms of the sum */
} ems_norm_back;

typedef struct ems_adamw {
    float lr, beta1, beta2, epsilon, decay; /* decay: already 0 where none */
    float correct1, correct2;               /* 1 / (1 - beta^step) */
    float scale;                            /* of the gradient (clipping) */
} ems_adamw;

typedef struct ems_ops {
    void (*add_norm)(const ems_add_norm *a);
    void (*norm_back)(const ems_norm_back *a);
    /* sum[j] += rows of x[i*ld + j] (and dot[j] += x*y; NULL: no dot) for
     * n columns, from row 0 on. */
    void (*columns)(size_t rows, size_t n, size_t ld, const float *x,
                    const float *y, float *sum, float *dot);
    /* x[i] *= keep(i) for i of n, counting from `first`. */
    void (*drop)(float *x, size_t n, size_t first, ems_drop d);
    /* One row of attention: p[j] = the softmax of s[j] * scale + mask[j] over
     * j < n (mask NULL: none), and 0 for n <= j < width. s is used up; both
     * have room up to the next multiple of 16, p may be s. */
    void (*softmax)(float *p, float *s, const float *mask, size_t n,
                    size_t width, float scale);
    /* Its gradient, where `dot` is the sum of p d: d[j] becomes
     * p[j] * (d[j] - dot) * scale for j < n, 0 up to width. Room as above. */
    void (*softmax_back)(float *d, const float *p, float dot, size_t n,
                         size_t width, float scale);
    float (*dot)(const float *x, const float *y, size_t n);
    /* Cross-entropy of n logits against `target`, times weight. The logits
     * become the gradient unless `weight` is 0 or `keep`. */
    double (*cross_entropy)(float *logits, size_t n, size_t target,
                            float weight, int keep);
    double (*sum_squares)(const float *x, size_t n); /* n <= 65536 */
    void (*adamw)(float *p, const float *g, float *m, float *v, size_t n,
                  const ems_adamw *a);
    void (*exp)(float *x, size_t n); /* in place; error < 2 ulp; 0 below -87 */
} ems_ops;

/* REF is the same source as BASE: for training ops the tests' own scalar
 * code is the oracle. */
const ems_ops *ems_ops_get(ems_cpu_level level);
#endif

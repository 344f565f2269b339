/* parts.h - what both fusions are made of, forward and backward, on one
 * thread. Rows are `width` floats apart unless said otherwise. Gradients of
 * weights are added to what is there. */
#ifndef EMS_FUSION_PARTS_H
#define EMS_FUSION_PARTS_H
#include "fusion/fusion.h"
#include "nn/gemm.h"
#include "nn/ops.h"

typedef struct ems_tools {
    ems_cpu_level level;
    const ems_ops *ops;
    void *work; /* ems_gemm_work bytes */
} ems_tools;

/* y[rows,n] = x[rows,k] w' + b */
typedef struct ems_affine_pass {
    const float *x;
    float *y;
    size_t ldx, ldy, rows, n, k;
    ems_linear w;
    int relu;
} ems_affine_pass;

void ems_linear_forward(const ems_tools *t, const ems_affine_pass *p);
/* From dy (ldy apart): grad, and dx (NULL: not asked; ldx apart), which is
 * added to where `add`. */
typedef struct ems_affine_back {
    const float *x, *dy;
    float *dx;
    size_t ldx, ldy, rows, n, k;
    ems_linear w, grad;
    int add;
} ems_affine_back;

void ems_linear_backward(const ems_tools *t, const ems_affine_back *p);

/* Attention of one clip over h heads: out[nq,D] = softmax(q k' / sqrt(D/h))
 * v, head by head. `p` keeps the softmax: [h, nq, ems_attention_width(nk)].
 * nk > 0. */
typedef struct ems_attention_pass {
    const float *q, *k, *v;
    float *p, *out;
    size_t nq, nk, d, heads;
} ems_attention_pass;

static inline size_t ems_attention_width(size_t nk)
{
    return (nk + 15) & ~(size_t)15;
}

void ems_attention_forward(const ems_tools *t, const ems_attention_pass *a);
/* Overwrites dq[nq,D], dk and dv[nk,D]; `scratch` holds one head of p. */
void ems_attention_backward(const ems_tools *t, const ems_attention_pass *a,
                            const float *dout, float *dq, float *dk,
                            float *dv, float *scratch);

/* y = normal * gain + bias, normal = (x - mean) / sqrt(variance + 1e-5);
 * y may be x. */
void ems_norm_forward(float *y, float *normal, float *rstd, const float *x,
                      const float *gain, const float *bias, size_t rows,
                      size_t d);
/* dy becomes dx. */
void ems_norm_backward(float *dy, float *dgain, float *dbias,
                       const float *normal, const float *rstd,
                       const float *gain, size_t rows, size_t d);
#endif

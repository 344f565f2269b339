#include "fusion/parts.h"

#include <math.h>
#include <string.h>

/* torch.nn.LayerNorm's */
static const double EPSILON = 1e-5;

void ems_linear_forward(const ems_tools *t, const ems_affine_pass *p)
{
    if (p->rows)
        ems_gemm_one(t->level, &(ems_gemm){
            .c = p->y, .ldc = p->ldy, .a = p->x, .a_row = p->ldx, .a_col = 1,
            .b = p->w.w, .b_row = 1, .b_col = p->k, .m = p->rows, .n = p->n,
            .k = p->k, .bias = p->w.b, .flags = p->relu ? EMS_GEMM_RELU : 0},
            t->work);
}

void ems_linear_backward(const ems_tools *t, const ems_affine_back *p)
{
    if (!p->rows) /* a product over no rows adds nothing */
        return;
    ems_gemm_one(t->level, &(ems_gemm){
        .c = p->grad.w, .ldc = p->k, .a = p->dy, .a_row = 1, .a_col = p->ldy,
        .b = p->x, .b_row = p->ldx, .b_col = 1, .m = p->n, .n = p->k,
        .k = p->rows, .flags = EMS_GEMM_ADD}, t->work);
    t->ops->columns(p->rows, p->n, p->ldy, p->dy, NULL, p->grad.b, NULL);
    if (p->dx)
        ems_gemm_one(t->level, &(ems_gemm){
            .c = p->dx, .ldc = p->ldx, .a = p->dy, .a_row = p->ldy,
            .a_col = 1, .b = p->w.w, .b_row = p->k, .b_col = 1, .m = p->rows,
            .n = p->k, .k = p->n, .flags = p->add ? EMS_GEMM_ADD : 0},
            t->work);
}

/* ---- Attention ---------------------------------------------------------- */

static float scale_of(const ems_attention_pass *a)
{
    return (float)(1 / sqrt((double)(a->d / a->heads)));
}

static void attend(const ems_tools *t, const ems_attention_pass *a, size_t h)
{
    const size_t dh = a->d / a->heads, w = ems_attention_width(a->nk);
    float *p = a->p + h * a->nq * w;
    ems_gemm_one(t->level, &(ems_gemm){
        .c = p, .ldc = w, .a = a->q + h * dh, .a_row = a->d, .a_col = 1,
        .b = a->k + h * dh, .b_row = 1, .b_col = a->d, .m = a->nq,
        .n = a->nk, .k = dh}, t->work);
    for (size_t i = 0; i < a->nq; i++)
        t->ops->softmax(p + i * w, p + i * w, NULL, a->nk, w, scale_of(a));
    ems_gemm_one(t->level, &(ems_gemm){
        .c = a->out + h * dh, .ldc = a->d, .a = p, .a_row = w, .a_col = 1,
        .b = a->v + h * dh, .b_row = a->d, .b_col = 1, .m = a->nq, .n = dh,
        .k = a->nk}, t->work);
}

void ems_attention_forward(const ems_tools *t, const ems_attention_pass *a)
{
    for (size_t h = 0; h < a->heads; h++)
        attend(t, a, h);
}

void ems_attention_backward(const ems_tools *t, const ems_attention_pass *a,
                            const float *dout, float *dq, float *dk,
                            float *dv, float *scratch)
{
    const size_t dh = a->d / a->heads, w = ems_attention_width(a->nk);
    for (size_t h = 0; h < a->heads; h++) {
        const float *p = a->p + h * a->nq * w;
        const size_t at = h * dh;
        ems_gemm_one(t->level, &(ems_gemm){
            .c = scratch, .ldc = w, .a = dout + at, .a_row = a->d, .a_col = 1,
            .b = a->v + at, .b_row = 1, .b_col = a->d, .m = a->nq, .n = a->nk,
            .k = dh}, t->work);
        ems_gemm_one(t->level, &(ems_gemm){
            .c = dv + at, .ldc = a->d, .a = p, .a_row = 1, .a_col = w,
            .b = dout + at, .b_row = a->d, .b_col = 1, .m = a->nk, .n = dh,
            .k = a->nq}, t->work);
        for (size_t i = 0; i < a->nq; i++)
            t->ops->softmax_back(scratch + i * w, p + i * w,
                                 t->ops->dot(p + i * w, scratch + i * w,
                                             a->nk), a->nk, w, scale_of(a));
        ems_gemm_one(t->level, &(ems_gemm){
            .c = dq + at, .ldc = a->d, .a = scratch, .a_row = w, .a_col = 1,
            .b = a->k + at, .b_row = a->d, .b_col = 1, .m = a->nq, .n = dh,
            .k = a->nk}, t->work);
        ems_gemm_one(t->level, &(ems_gemm){
            .c = dk + at, .ldc = a->d, .a = scratch, .a_row = 1, .a_col = w,
            .b = a->q + at, .b_row = a->d, .b_col = 1, .m = a->nk, .n = dh,
            .k = a->nq}, t->work);
    }
}

/* ---- Layer norm --------------------------------------------------------- */

void ems_norm_forward(float *y, float *normal, float *rstd, const float *x,
                      const float *gain, const float *bias, size_t rows,
                      size_t d)
{
    for (size_t i = 0; i < rows; i++, x += d, y += d, normal += d) {
        double sum = 0, square = 0;
        for (size_t j = 0; j < d; j++)
            sum += (double)x[j];
        const double mean = sum / (double)d;
        for (size_t j = 0; j < d; j++)
            square += ((double)x[j] - mean) * ((double)x[j] - mean);
        const double r = 1 / sqrt(square / (double)d + EPSILON);
        rstd[i] = (float)r;
        for (size_t j = 0; j < d; j++) {
            normal[j] = (float)(((double)x[j] - mean) * r);
            y[j] = normal[j] * gain[j] + bias[j];
        }
    }
}

void ems_norm_backward(float *dy, float *dgain, float *dbias,
                       const float *normal, const float *rstd,
                       const float *gain, size_t rows, size_t d)
{
    for (size_t i = 0; i < rows; i++, dy += d, normal += d) {
        double sum = 0, dot = 0;
        for (size_t j = 0; j < d; j++) {
            dgain[j] += dy[j] * normal[j];
            dbias[j] += dy[j];
            dy[j] *= gain[j];
            sum += (double)dy[j];
            dot += (double)dy[j] * (double)normal[j];
        }
        sum /= (double)d;
        dot /= (double)d;
        for (size_t j = 0; j < d; j++)
            dy[j] = (float)(((double)dy[j] - sum - dot * (double)normal[j]) *
                            (double)rstd[i]);
    }
}

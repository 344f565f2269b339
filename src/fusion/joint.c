/* EMS_FUSION_JOINT between the experts' codes and the code of the whole. */
#include "fusion/net.h"

#include <string.h>

static ems_linear third(ems_linear in, size_t d, size_t which)
{
    return (ems_linear){in.w + which * d * d, in.b + which * d};
}

static void affine(const ems_fusion_run *r, const float *x, float *y,
                   size_t rows, size_t n, size_t k, ems_linear w, int relu)
{
    ems_linear_forward(&r->tools, &(ems_affine_pass){
        .x = x, .y = y, .ldx = k, .ldy = n, .rows = rows, .n = n, .k = k,
        .w = w, .relu = relu});
}

static void affine_back(const ems_fusion_run *r, const float *x,
                        const float *dy, float *dx, size_t rows, size_t n,
                        size_t k, ems_linear w, ems_linear grad, int add)
{
    ems_linear_backward(&r->tools, &(ems_affine_back){
        .x = x, .dy = dy, .dx = dx, .ldx = k, .ldy = n, .rows = rows, .n = n,
        .k = k, .w = w, .grad = grad, .add = add});
}

/* ---- Forward ------------------------------------------------------------ */

/* z of clip c: the start, then of each expert a separator and its rows. */
static size_t lay_clip(const ems_fusion_run *r, size_t c, size_t row)
{
    const ems_fusion_params *p = r->net->params;
    const size_t d = r->d, experts = r->net->shape.experts;
    float *z = r->s->joint.z;
    memcpy(z + row++ * d, p->start, d * sizeof *z);
    for (size_t e = 0; e < experts; e++) {
        const ems_shard_expert *x = &r->s->expert[e];
        const size_t n = ems_fusion_rows_of(x, c);
        for (size_t i = 0; n && i <= n; i++, row++) {
            const float *from = i ? x->c + (x->at[c] + i - 1) * d
                                  : p->separator[e];
            for (size_t j = 0; j < d; j++)
                z[row * d + j] = from[j] + p->position[e][i * d + j];
        }
    }
    return row;
}

static void lay(const ems_fusion_run *r)
{
    ems_shard_joint *x = &r->s->joint;
    const size_t d = r->d;
    size_t row = 0;
    for (size_t c = 0; c < r->s->clips; c++) {
        x->at[c] = row;
        row = lay_clip(r, c, row);
    }
    x->at[r->s->clips] = row;
    ems_fusion_drop(r, x->z, row * d, EMS_DROP_INPUT);
    for (size_t c = 0; c < r->s->clips; c++)
        memcpy(x->s + c * d, x->z + x->at[c] * d, d * sizeof *x->s);
}

static ems_attention_pass pass_of(const ems_fusion_run *r, size_t c)
{
    const ems_shard_joint *x = &r->s->joint;
    const size_t at = x->at[c] * r->d;
    size_t before = 0;
    for (size_t i = 0; i < c; i++)
        before += ems_attention_width(x->at[i + 1] - x->at[i]);
    return (ems_attention_pass){
        .q = x->q + c * r->d, .k = x->k + at, .v = x->v + at,
        .p = x->p + before * r->net->shape.heads, .out = x->mix + c * r->d,
        .nq = 1, .nk = x->at[c + 1] - x->at[c], .d = r->d,
        .heads = r->net->shape.heads};
}

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

void ems_joint_forward(const ems_fusion_run *r)
{
    const ems_fusion_params *p = r->net->params;
    ems_shard_joint *x = &r->s->joint;
    const size_t d = r->d, n = r->s->clips, inner = r->net->shape.inner;
    lay(r);
    const size_t rows = x->at[n];
    affine(r, x->s, x->q, n, d, d, third(p->mha.in, d, 0), 0);
    affine(r, x->z, x->k, rows, d, d, third(p->mha.in, d, 1), 0);
    affine(r, x->z, x->v, rows, d, d, third(p->mha.in, d, 2), 0);
    for (size_t c = 0; c < n; c++) {
        const ems_attention_pass pass = pass_of(r, c);
        ems_attention_forward(&r->tools, &pass);
    }
    affine(r, x->mix, x->h, n, d, d, p->mha.out, 0);
    add(x->h, x->s, n * d);
    ems_norm_forward(x->h, x->normal[0], x->rstd[0], x->h, p->gain[0],
                     p->bias[0], n, d);
    affine(r, x->h, x->f, n, inner, d, p->inner, 1);
    affine(r, x->f, x->y, n, d, inner, p->outer, 0);
    add(x->y, x->h, n * d);
    ems_norm_forward(x->y, x->normal[1], x->rstd[1], x->y, p->gain[1],
                     p->bias[1], n, d);
    ems_norm_forward(r->s->code, x->normal[2], x->rstd[2], x->y, p->gain[2],
                     p->bias[2], n, d);
}

/* ---- Backward ----------------------------------------------------------- */

static void feed_back(const ems_fusion_run *r)
{
    const ems_fusion_params *p = r->net->params, *g = &r->s->grad;
    ems_shard_joint *x = &r->s->joint;
    const size_t d = r->d, n = r->s->clips, inner = r->net->shape.inner;
    float *dy = r->s->dcode;
    ems_norm_backward(dy, g->gain[2], g->bias[2], x->normal[2], x->rstd[2],
                      p->gain[2], n, d);
    ems_norm_backward(dy, g->gain[1], g->bias[1], x->normal[1], x->rstd[1],
                      p->gain[1], n, d);
    affine_back(r, x->f, dy, x->df, n, d, inner, p->outer, g->outer, 0);
    for (size_t i = 0; i < n * inner; i++)
        x->df[i] = x->f[i] > 0 ? x->df[i] : 0;
    memcpy(x->dh, dy, n * d * sizeof *dy);
    affine_back(r, x->h, x->df, x->dh, n, inner, d, p->inner, g->inner, 1);
    ems_norm_backward(x->dh, g->gain[0], g->bias[0], x->normal[0],
                      x->rstd[0], p->gain[0], n, d);
}

static void attend_back(const ems_fusion_run *r)
{
    const ems_fusion_params *p = r->net->params, *g = &r->s->grad;
    ems_shard_joint *x = &r->s->joint;
    const size_t d = r->d, n = r->s->clips, rows = x->at[n];
    affine_back(r, x->mix, x->dh, x->dmix, n, d, d, p->mha.out, g->mha.out,
                0);
    for (size_t c = 0; c < n; c++) {
        const ems_attention_pass pass = pass_of(r, c);
        const size_t at = x->at[c] * d;
        ems_attention_backward(&r->tools, &pass, x->dmix + c * d,
                               x->dq + c * d, x->dk + at, x->dv + at,
                               r->s->scratch);
    }
    memcpy(x->ds, x->dh, n * d * sizeof *x->ds);
    affine_back(r, x->s, x->dq, x->ds, n, d, d, third(p->mha.in, d, 0),
                third(g->mha.in, d, 0), 1);
    affine_back(r, x->z, x->dk, x->dz, rows, d, d, third(p->mha.in, d, 1),
                third(g->mha.in, d, 1), 0);
    affine_back(r, x->z, x->dv, x->dz, rows, d, d, third(p->mha.in, d, 2),
                third(g->mha.in, d, 2), 1);
    for (size_t c = 0; c < n; c++)
        add(x->dz + x->at[c] * d, x->ds + c * d, d);
}

static void lift_clip(const ems_fusion_run *r, size_t c)
{
    const ems_fusion_params *g = &r->s->grad;
    const size_t d = r->d, experts = r->net->shape.experts;
    const float *dz = r->s->joint.dz + r->s->joint.at[c] * d;
    add(g->start, dz, d);
    dz += d;
    for (size_t e = 0; e < experts; e++) {
        const ems_shard_expert *x = &r->s->expert[e];
        const size_t n = ems_fusion_rows_of(x, c);
        for (size_t i = 0; n && i <= n; i++, dz += d) {
            add(g->position[e] + i * d, dz, d);
            if (i)
                memcpy(x->dc + (x->at[c] + i - 1) * d, dz, d * sizeof *dz);
            else
                add(g->separator[e], dz, d);
        }
    }
}

void ems_joint_backward(const ems_fusion_run *r)
{
    ems_shard_joint *x = &r->s->joint;
    feed_back(r);
    attend_back(r);
    ems_fusion_drop(r, x->dz, x->at[r->s->clips] * r->d, EMS_DROP_INPUT);
    for (size_t c = 0; c < r->s->clips; c++)
        lift_clip(r, c);
}

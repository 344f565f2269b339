/* EMS_FUSION_CROSS between the experts' codes and the code of the whole. */
#include "fusion/net.h"

#include <string.h>

static const ems_fusion_pair *pair_at(const ems_fusion_run *r, size_t i)
{
    return &r->net->params->pair[i];
}

/* Rows of clip c on both sides; 0: the pair has nothing to say of it. */
static int both(const ems_fusion_run *r, const ems_fusion_pair *p, size_t c,
                size_t *na, size_t *nb)
{
    *na = ems_fusion_rows_of(&r->s->expert[p->a], c);
    *nb = ems_fusion_rows_of(&r->s->expert[p->b], c);
    return *na && *nb;
}

static size_t total(const ems_fusion_run *r, size_t expert)
{
    return r->s->expert[expert].at[r->s->clips];
}

/* ---- Forward ------------------------------------------------------------ */

static void project(const ems_fusion_run *r, const float *x, float *y,
                    size_t rows, ems_linear w)
{
    ems_linear_forward(&r->tools, &(ems_affine_pass){
        .x = x, .y = y, .ldx = r->d, .ldy = r->d, .rows = rows, .n = r->d,
        .k = r->d, .w = w});
}

static void project_expert(const ems_fusion_run *r, size_t e)
{
    const ems_fusion_params *p = r->net->params;
    const ems_shard_expert *x = &r->s->expert[e];
    const size_t rows = total(r, e), n = rows * r->d;
    project(r, x->c, x->q, rows, p->query[e]);
    project(r, x->c, x->k, rows, p->key[e]);
    project(r, x->c, x->v, rows, p->value[e]);
    ems_fusion_drop(r, x->q, n, EMS_DROP_QUERY + (uint32_t)e);
    ems_fusion_drop(r, x->k, n, EMS_DROP_KEY + (uint32_t)e);
    ems_fusion_drop(r, x->v, n, EMS_DROP_VALUE + (uint32_t)e);
}

/* The third of in_proj that makes q (0), k (1) or v (2). */
static ems_linear third(ems_linear in, size_t d, size_t which)
{
    return (ems_linear){in.w + which * d * d, in.b + which * d};
}

/* Room that clip c takes in the pair's p. */
static size_t softmax_at(const ems_fusion_run *r, const ems_fusion_pair *p,
                         size_t c)
{
    size_t at = 0, na, nb;
    for (size_t i = 0; i < c; i++)
        if (both(r, p, i, &na, &nb))
            at += r->net->shape.heads * na * ems_attention_width(nb);
    return at;
}

static ems_attention_pass pass_of(const ems_fusion_run *r, size_t i, size_t c,
                                  size_t na, size_t nb)
{
    const ems_fusion_pair *p = pair_at(r, i);
    const ems_shard_pair *x = &r->s->pair[i];
    const size_t a = r->s->expert[p->a].at[c] * r->d;
    const size_t b = r->s->expert[p->b].at[c] * r->d;
    return (ems_attention_pass){
        .q = x->q + a, .k = x->k + b, .v = x->v + b, .out = x->mix + a,
        .p = x->p + softmax_at(r, p, c), .nq = na, .nk = nb, .d = r->d,
        .heads = r->net->shape.heads};
}

static void mean_rows(float *out, const float *x, size_t rows, size_t d)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < d; j++)
            out[j] += x[i * d + j] / (float)rows;
}

static void pair_forward(const ems_fusion_run *r, size_t i, float *code)
{
    const ems_fusion_pair *p = pair_at(r, i);
    const ems_shard_pair *x = &r->s->pair[i];
    const ems_shard_expert *a = &r->s->expert[p->a], *b = &r->s->expert[p->b];
    const size_t d = r->d, ra = total(r, p->a), rb = total(r, p->b);
    size_t na, nb;
    project(r, a->q, x->q, ra, third(p->mha.in, d, 0));
    project(r, b->k, x->k, rb, third(p->mha.in, d, 1));
    project(r, b->v, x->v, rb, third(p->mha.in, d, 2));
    memset(x->mix, 0, ra * d * sizeof *x->mix);
    for (size_t c = 0; c < r->s->clips; c++)
        if (both(r, p, c, &na, &nb)) {
            const ems_attention_pass pass = pass_of(r, i, c, na, nb);
            ems_attention_forward(&r->tools, &pass);
        }
    project(r, x->mix, x->y, ra, p->mha.out);
    ems_norm_forward(x->y, x->normal, x->rstd, x->y, p->gain, p->bias, ra, d);
    ems_fusion_drop(r, x->y, ra * d, EMS_DROP_PAIR + (uint32_t)i);
    for (size_t c = 0; c < r->s->clips; c++)
        if (both(r, p, c, &na, &nb))
            mean_rows(code + c * r->net->params->code, x->y + a->at[c] * d,
                      na, d);
}

static void single_forward(const ems_fusion_run *r, size_t e, float *code)
{
    const ems_shard_expert *x = &r->s->expert[e];
    for (size_t c = 0; c < r->s->clips; c++)
        if (ems_fusion_rows_of(x, c))
            memcpy(code + c * r->net->params->code, x->c + x->at[c] * r->d,
                   r->d * sizeof *code);
}

void ems_cross_forward(const ems_fusion_run *r)
{
    const ems_fusion_params *p = r->net->params;
    const size_t n = r->s->clips * p->code;
    for (size_t e = 0; e < r->net->shape.experts; e++)
        if (r->net->shape.expert[e].rows > 1)
            project_expert(r, e);
    memset(r->s->code, 0, n * sizeof *r->s->code);
    for (size_t u = 0; u < p->units; u++)
        if (p->unit[u].single)
            single_forward(r, p->unit[u].index, r->s->code + u * r->d);
        else
            pair_forward(r, p->unit[u].index, r->s->code + u * r->d);
    for (size_t i = 0; i < n; i++)
        r->s->code[i] = r->s->code[i] > 0 ? r->s->code[i] : 0;
}

/* ---- Backward ----------------------------------------------------------- */

static void project_back(const ems_fusion_run *r, const float *x,
                         const float *dy, float *dx, size_t rows,
                         ems_linear w, ems_linear grad, int add)
{
    ems_linear_backward(&r->tools, &(ems_affine_back){
        .x = x, .dy = dy, .dx = dx, .ldx = r->d, .ldy = r->d, .rows = rows,
        .n = r->d, .k = r->d, .w = w, .grad = grad, .add = add});
}

/* From the mean over rows to the rows. */
static void spread(const ems_fusion_run *r, const ems_fusion_pair *p,
                   const float *dcode, float *dy)
{
    const ems_shard_expert *a = &r->s->expert[p->a];
    size_t na, nb;
    memset(dy, 0, total(r, p->a) * r->d * sizeof *dy);
    for (size_t c = 0; c < r->s->clips; c++) {
        const float *from = dcode + c * r->net->params->code;
        if (!both(r, p, c, &na, &nb))
            continue;
        for (size_t i = a->at[c]; i < a->at[c + 1]; i++)
            for (size_t j = 0; j < r->d; j++)
                dy[i * r->d + j] = from[j] / (float)na;
    }
}

static void attention_back(const ems_fusion_run *r, size_t i, float *dmix)
{
    const ems_fusion_pair *p = pair_at(r, i);
    ems_fusion_shard *s = r->s;
    const size_t d = r->d, row = d * sizeof(float);
    size_t na, nb;
    memset(s->dq, 0, total(r, p->a) * row);
    memset(s->dk, 0, total(r, p->b) * row);
    memset(s->dv, 0, total(r, p->b) * row);
    for (size_t c = 0; c < s->clips; c++)
        if (both(r, p, c, &na, &nb)) {
            const ems_attention_pass pass = pass_of(r, i, c, na, nb);
            const size_t a = s->expert[p->a].at[c] * d;
            const size_t b = s->expert[p->b].at[c] * d;
            ems_attention_backward(&r->tools, &pass, dmix + a, s->dq + a,
                                   s->dk + b, s->dv + b, s->scratch);
        }
}

static void pair_backward(const ems_fusion_run *r, size_t i,
                          const float *dcode)
{
    const ems_fusion_pair *p = pair_at(r, i), *g = &r->s->grad.pair[i];
    const ems_shard_pair *x = &r->s->pair[i];
    const ems_shard_expert *a = &r->s->expert[p->a], *b = &r->s->expert[p->b];
    const size_t d = r->d, ra = total(r, p->a), rb = total(r, p->b);
    float *dy = r->s->dy, *dmix = x->y; /* y has been used up */
    spread(r, p, dcode, dy);
    ems_fusion_drop(r, dy, ra * d, EMS_DROP_PAIR + (uint32_t)i);
    ems_norm_backward(dy, g->gain, g->bias, x->normal, x->rstd, p->gain, ra,
                      d);
    project_back(r, x->mix, dy, dmix, ra, p->mha.out, g->mha.out, 0);
    attention_back(r, i, dmix);
    project_back(r, a->q, r->s->dq, a->dq, ra, third(p->mha.in, d, 0),
                 third(g->mha.in, d, 0), 1);
    project_back(r, b->k, r->s->dk, b->dk, rb, third(p->mha.in, d, 1),
                 third(g->mha.in, d, 1), 1);
    project_back(r, b->v, r->s->dv, b->dv, rb, third(p->mha.in, d, 2),
                 third(g->mha.in, d, 2), 1);
}

static void single_backward(const ems_fusion_run *r, size_t e,
                            const float *dcode)
{
    const ems_shard_expert *x = &r->s->expert[e];
    for (size_t c = 0; c < r->s->clips; c++)
        if (ems_fusion_rows_of(x, c))
            memcpy(x->dc + x->at[c] * r->d, dcode + c * r->net->params->code,
                   r->d * sizeof *dcode);
}

static void project_expert_back(const ems_fusion_run *r, size_t e)
{
    const ems_fusion_params *p = r->net->params, *g = &r->s->grad;
    const ems_shard_expert *x = &r->s->expert[e];
    const size_t rows = total(r, e), n = rows * r->d;
    ems_fusion_drop(r, x->dq, n, EMS_DROP_QUERY + (uint32_t)e);
    ems_fusion_drop(r, x->dk, n, EMS_DROP_KEY + (uint32_t)e);
    ems_fusion_drop(r, x->dv, n, EMS_DROP_VALUE + (uint32_t)e);
    project_back(r, x->c, x->dq, x->dc, rows, p->query[e], g->query[e], 0);
    project_back(r, x->c, x->dk, x->dc, rows, p->key[e], g->key[e], 1);
    project_back(r, x->c, x->dv, x->dc, rows, p->value[e], g->value[e], 1);
}

void ems_cross_backward(const ems_fusion_run *r)
{
    const ems_fusion_params *p = r->net->params;
    const size_t experts = r->net->shape.experts;
    for (size_t i = 0; i < r->s->clips * p->code; i++)
        r->s->dcode[i] = r->s->code[i] > 0 ? r->s->dcode[i] : 0;
    for (size_t e = 0; e < experts; e++)
        if (r->net->shape.expert[e].rows > 1) {
            const size_t bytes = total(r, e) * r->d * sizeof(float);
            memset(r->s->expert[e].dq, 0, bytes);
            memset(r->s->expert[e].dk, 0, bytes);
            memset(r->s->expert[e].dv, 0, bytes);
        }
    for (size_t u = 0; u < p->units; u++)
        if (p->unit[u].single)
            single_backward(r, p->unit[u].index, r->s->dcode + u * r->d);
        else
            pair_backward(r, p->unit[u].index, r->s->dcode + u * r->d);
    for (size_t e = 0; e < experts; e++)
        if (r->net->shape.expert[e].rows > 1)
            project_expert_back(r, e);
}

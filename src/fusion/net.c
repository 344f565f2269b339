#include "fusion/net.h"

#include "base/arena.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

/* ---- Room --------------------------------------------------------------- */

static float *floats(ems_arena *a, size_t rows, size_t cols)
{
    return ems_take(a, rows * cols, sizeof(float));
}

static void place_expert(ems_shard_expert *x, ems_arena *a,
                         const ems_fusion_shape *s, size_t e, size_t most,
                         int forward_only)
{
    const size_t rows = most * s->expert[e].rows, d = s->width;
    x->at = ems_take(a, most + 1, sizeof *x->at);
    x->x = floats(a, rows, s->expert[e].dim);
    x->c = floats(a, rows, d);
    if (!forward_only)
        x->dc = floats(a, rows, d);
    if (s->kind == EMS_FUSION_JOINT || s->expert[e].rows == 1)
        return;
    float **const all[] = {&x->q, &x->k, &x->v, &x->dq, &x->dk, &x->dv};
    for (size_t i = 0; i < (forward_only ? 3 : 6); i++)
        *all[i] = floats(a, rows, d);
}

static void place_pair(ems_shard_pair *x, ems_arena *a,
                       const ems_fusion_shape *s, const ems_fusion_pair *p,
                       size_t most)
{
    const size_t d = s->width, ra = s->expert[p->a].rows;
    const size_t rb = s->expert[p->b].rows;
    x->q = floats(a, most * ra, d);
    x->k = floats(a, most * rb, d);
    x->v = floats(a, most * rb, d);
    x->p = floats(a, most * s->heads * ra, ems_attention_width(rb));
    x->mix = floats(a, most * ra, d);
    x->y = floats(a, most * ra, d);
    x->normal = floats(a, most * ra, d);
    x->rstd = floats(a, most * ra, 1);
}

static void place_joint(ems_shard_joint *x, ems_arena *a,
                        const ems_fusion_shape *s, size_t positions,
                        size_t most)
{
    const size_t d = s->width, rows = most * positions;
    float **const long_ones[] = {&x->z, &x->k, &x->v, &x->dz, &x->dk, &x->dv};
    float **const short_ones[] = {&x->s, &x->q, &x->mix, &x->h, &x->y, &x->ds,
                                  &x->dq, &x->dmix, &x->dh};
    x->at = ems_take(a, most + 1, sizeof *x->at);
    for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++)
        *long_ones[i] = floats(a, rows, d);
    for (size_t i = 0; i < sizeof short_ones / sizeof *short_ones; i++)
        *short_ones[i] = floats(a, most, d);
    x->f = floats(a, most, s->inner);
    x->df = floats(a, most, s->inner);
    x->p = floats(a, most * s->heads, ems_attention_width(positions));
    for (size_t i = 0; i < 3; i++) {
        x->normal[i] = floats(a, most, d);
        x->rstd[i] = floats(a, most, 1);
    }
}

static size_t longest(const ems_fusion_shape *s)
{
    size_t rows = 1;
    for (size_t e = 0; e < s->experts; e++)
        rows = s->expert[e].rows > rows ? s->expert[e].rows : rows;
    return rows;
}

static void place(ems_fusion_shard *s, ems_arena *a,
                  const ems_fusion_shape *shape, int forward_only)
{
    ems_fusion_params p;
    const size_t most = s->most, rows = longest(shape), d = shape->width;
    const size_t out = ems_fusion_outputs(shape);
    s->floats = ems_fusion_place(&p, NULL, shape, NULL, NULL);
    s->clip = ems_take(a, most, sizeof *s->clip);
    s->absent = ems_take(a, most, sizeof *s->absent);
    s->output = floats(a, most, out);
    s->doutput = floats(a, most, out);
    s->code = floats(a, most, p.code);
    s->dcode = floats(a, most, p.code);
    for (size_t e = 0; e < shape->experts; e++)
        place_expert(&s->expert[e], a, shape, e, most, forward_only);
    s->pair = ems_take(a, p.pairs, sizeof *s->pair);
    for (size_t i = 0; i < p.pairs; i++) {
        ems_shard_pair unused;
        place_pair(s->pair ? &s->pair[i] : &unused, a, shape, &p.pair[i],
                   most);
    }
    if (shape->kind == EMS_FUSION_JOINT)
        place_joint(&s->joint, a, shape, p.positions, most);
    if (forward_only)
        return;
    const size_t wide = p.positions > rows ? p.positions : rows;
    s->scratch = floats(a, rows, ems_attention_width(wide));
    float **const four[] = {&s->dy, &s->dq, &s->dk, &s->dv};
    for (size_t i = 0; i < 4 && shape->kind == EMS_FUSION_CROSS; i++)
        *four[i] = floats(a, most * rows, d);
    s->grads = floats(a, s->floats, 1);
    ems_fusion_place(&s->grad, s->grads, shape, NULL, NULL);
}

ems_fusion_shard *ems_fusion_shard_new(const ems_fusion_shape *shape,
                                       size_t most, int forward_only,
                                       ems_error *err)
{
    ems_fusion_shard *s = ems_alloc(1, sizeof *s);
    ems_arena a = {0};
    if (s) {
        s->most = most;
        place(s, &a, shape, forward_only);
        a = (ems_arena){.base = ems_alloc_aligned(a.used, 1)};
        s->block = a.base;
    }
    if (!s || !s->block) {
        ems_fusion_shard_free(s);
        ems_out_of_memory(err);
        return NULL;
    }
    place(s, &a, shape, forward_only);
    return s;
}

void ems_fusion_shard_free(ems_fusion_shard *s)
{
    if (!s)
        return;
    ems_free(s->block);
    ems_free(s);
}

/* ---- Inputs ------------------------------------------------------------- */

void ems_fusion_drop(const ems_fusion_run *r, float *x, size_t n,
                     uint32_t site)
{
    const float rate = r->net->dropout;
    if (rate > 0 && n)
        r->tools.ops->drop(x, n, 0, (ems_drop){
            .key = r->s->key * 1009u + site,
            .threshold = (uint32_t)(rate * (float)(1 << 24)),
            .scale = 1 / (1 - rate)});
}

/* Row i of `most` out of n rows: equidistant where there are too many, as
 * round(linspace(0, n - 1, most)). */
static size_t pick(size_t i, size_t n, size_t most)
{
    if (n <= most)
        return i;
    if (most == 1)
        return 0;
    return (size_t)rint((double)i * (double)(n - 1) / (double)(most - 1));
}

static void gather(const ems_fusion_run *r, size_t e)
{
    const ems_fusion_expert *who = &r->net->shape.expert[e];
    const float *mean = r->net->mean[e], *unit = r->net->unit[e];
    ems_shard_expert *x = &r->s->expert[e];
    float *to = x->x;
    x->at[0] = 0;
    for (size_t c = 0; c < r->s->clips; c++) {
        const ems_fusion_rows *part = &r->s->clip[c]->part[e];
        const size_t n = r->s->absent[c] >> e & 1 ? 0 : part->rows;
        const size_t rows = n < who->rows ? n : who->rows;
        x->at[c + 1] = x->at[c] + rows;
        for (size_t i = 0; i < rows; i++, to += who->dim) {
            const float *from = part->data + pick(i, n, rows) * who->dim;
            for (size_t j = 0; j < who->dim; j++)
                to[j] = isnan(from[j]) ? 0 : (from[j] - mean[j]) * unit[j];
        }
    }
}

static void encode(const ems_fusion_run *r, size_t e)
{
    const size_t dim = r->net->shape.expert[e].dim, d = r->d;
    ems_shard_expert *x = &r->s->expert[e];
    const size_t rows = x->at[r->s->clips];
    ems_linear_forward(&r->tools, &(ems_affine_pass){
        .x = x->x, .y = x->c, .ldx = dim, .ldy = d, .rows = rows, .n = d,
        .k = dim, .w = r->net->params->encode[e]});
    if (r->net->shape.kind == EMS_FUSION_CROSS)
        ems_fusion_drop(r, x->c, rows * d, EMS_DROP_ENCODE + (uint32_t)e);
}

static void encode_back(const ems_fusion_run *r, size_t e)
{
    const size_t dim = r->net->shape.expert[e].dim, d = r->d;
    ems_shard_expert *x = &r->s->expert[e];
    const size_t rows = x->at[r->s->clips];
    if (r->net->shape.kind == EMS_FUSION_CROSS)
        ems_fusion_drop(r, x->dc, rows * d, EMS_DROP_ENCODE + (uint32_t)e);
    ems_linear_backward(&r->tools, &(ems_affine_back){
        .x = x->x, .dy = x->dc, .ldx = dim, .ldy = d, .rows = rows, .n = d,
        .k = dim, .w = r->net->params->encode[e],
        .grad = r->s->grad.encode[e]});
}

/* ---- Loss --------------------------------------------------------------- */

static double emotion_loss(const ems_clip *clip, const float *o, float w,
                           float *d)
{
    double most = -INFINITY, sum = 0, loss = 0;
    for (size_t i = 0; i < EMS_EKMAN; i++)
        most = fmax(most, (double)o[i]);
    for (size_t i = 0; i < EMS_EKMAN; i++)
        sum += exp((double)o[i] - most);
    for (size_t i = 0; i < EMS_EKMAN; i++) {
        const double log_p = (double)o[i] - most - log(sum);
        loss -= (double)clip->emotion[i] * log_p;
        if (d)
            d[i] = w * (float)(exp(log_p) - (double)clip->emotion[i]);
    }
    return (double)w * loss;
}

static double affect_loss(const ems_clip *clip, const float *o, float w,
                          float *d)
{
    double loss = 0;
    for (size_t i = 0; i < 2; i++) {
        const double e = (double)o[i] - (double)clip->affect[i];
        loss += e * e / 2;
        if (d)
            d[i] = w * (float)e;
    }
    return (double)w * loss;
}

static double genre_loss(const ems_clip *clip, const float *o, size_t n,
                         float w, float *d)
{
    double loss = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = (double)o[i], y = (double)clip->genre[i];
        const double e = exp(-fabs(x));
        loss += fmax(x, 0) - x * y + log1p(e);
        if (d)
            d[i] = w / (float)n * (float)((x >= 0 ? 1 : e) / (1 + e) - y);
    }
    return (double)w * loss / (double)n;
}

double ems_fusion_loss(const ems_fusion_shape *s, const float weight[3],
                       const ems_clip *clip, const float *output,
                       float *doutput)
{
    const size_t affect = s->emotions, genre = affect + s->affect;
    double loss = 0;
    if (doutput)
        memset(doutput, 0, ems_fusion_outputs(s) * sizeof *doutput);
    if (s->emotions && clip->known & EMS_KNOWN_EMOTION)
        loss += emotion_loss(clip, output, weight[0], doutput);
    if (s->affect && clip->known & EMS_KNOWN_AFFECT)
        loss += affect_loss(clip, output + affect, weight[1],
                            doutput ? doutput + affect : NULL);
    if (s->genres && clip->known & EMS_KNOWN_GENRES)
        loss += genre_loss(clip, output + genre, s->genres, weight[2],
                           doutput ? doutput + genre : NULL);
    return loss;
}

/* ---- All of it ---------------------------------------------------------- */

static ems_fusion_run run_of(ems_fusion_shard *s, const ems_fusion_net *net,
                             void *work)
{
    return (ems_fusion_run){.s = s, .net = net, .d = net->shape.width,
                            .tools = {net->level, net->ops, work}};
}

void ems_fusion_forward(ems_fusion_shard *s, const ems_fusion_net *net,
                        void *work)
{
    const ems_fusion_run r = run_of(s, net, work);
    const ems_fusion_params *p = net->params;
    const size_t out = ems_fusion_outputs(&net->shape);
    for (size_t e = 0; e < net->shape.experts; e++) {
        gather(&r, e);
        encode(&r, e);
    }
    if (net->shape.kind == EMS_FUSION_CROSS)
        ems_cross_forward(&r);
    else
        ems_joint_forward(&r);
    ems_linear_forward(&r.tools, &(ems_affine_pass){
        .x = s->code, .y = s->output, .ldx = p->code, .ldy = out,
        .rows = s->clips, .n = out, .k = p->code, .w = p->output});
}

void ems_fusion_learn(ems_fusion_shard *s, const ems_fusion_net *net,
                      void *work)
{
    const ems_fusion_run r = run_of(s, net, work);
    const ems_fusion_params *p = net->params;
    const size_t out = ems_fusion_outputs(&net->shape);
    ems_fusion_forward(s, net, work);
    s->loss = 0;
    for (size_t c = 0; c < s->clips; c++)
        s->loss += ems_fusion_loss(&net->shape, net->weight, s->clip[c],
                                   s->output + c * out, s->doutput + c * out);
    memset(s->grads, 0, s->floats * sizeof *s->grads);
    ems_linear_backward(&r.tools, &(ems_affine_back){
        .x = s->code, .dy = s->doutput, .dx = s->dcode, .ldx = p->code,
        .ldy = out, .rows = s->clips, .n = out, .k = p->code, .w = p->output,
        .grad = s->grad.output});
    if (net->shape.kind == EMS_FUSION_CROSS)
        ems_cross_backward(&r);
    else
        ems_joint_backward(&r);
    for (size_t e = 0; e < net->shape.experts; e++)
        encode_back(&r, e);
}

/* infer_net.c - the weights of a model, packed for the kernels. */
#include "music/infer_parts.h"

#include "base/arena.h"
#include "base/mem.h"
#include "music/model_io.h"

#include <string.h>

/* Everything below runs twice: with an arena that measures, then for real. */
typedef struct builder {
    ems_net *net;
    ems_arena arena;
    ems_precision precision;
} builder;

static float *copy_of(builder *b, const float *from, size_t count)
{
    float *to = ems_take(&b->arena, count, sizeof *to);
    if (to)
        memcpy(to, from, count * sizeof *to);
    return to;
}

static void pack(builder *b, ems_weights *to, ems_precision precision,
                 const float *w, const float *bias, size_t n, size_t k)
{
    ems_weights_place(to, &b->arena, precision, n, k);
    ems_weights_pack(to, 0, w, bias, n);
}

static void pack_heads(builder *b, ems_weights *to,
                       const ems_layer_params *from)
{
    const ems_net *net = b->net;
    const size_t C = net->C, D = net->D, each = net->head_panels * EMS_PANEL;
    ems_weights_place(to, &b->arena, b->precision, net->H * each, C);
    for (size_t h = 0; h < net->H; h++) {
        const size_t w = h * D * C;
        ems_weights_pack(to, h * each, from->q_w + w, from->q_b + h * D, D);
        ems_weights_pack(to, h * each + D, from->k_w + w, from->k_b + h * D,
                         D);
        ems_weights_pack(to, h * each + 2 * D, from->v_w + w,
                         from->v_b + h * D, D);
    }
}

/* E[T][D] to [D][stride], so that 64 keys' distances lie side by side. */
static float *transpose_rel(builder *b, const float *rel)
{
    const ems_net *net = b->net;
    float *to = ems_take(&b->arena, net->D * net->rel_stride, sizeof *to);
    for (size_t t = 0; to && t < net->T; t++)
        for (size_t d = 0; d < net->D; d++)
            to[d * net->rel_stride + t] = rel[t * net->D + d];
    return to;
}

static void build_layer(builder *b, ems_net_layer *to,
                        const ems_layer_params *from)
{
    const size_t C = b->net->C, F = b->net->F;
    const ems_precision p = b->precision;
    pack_heads(b, &to->qkv, from);
    pack(b, &to->o, p, from->o_w, from->o_b, C, C);
    pack(b, &to->ff1, p, from->ff1_w, from->ff1_b, F, C);
    pack(b, &to->ff2, p, from->ff2_w, from->ff2_b, C, F);
    if (p == EMS_INT8)
        pack(b, &to->rel8, p, from->rel, NULL, b->net->T, b->net->D);
    else
        to->rel = transpose_rel(b, from->rel);
    to->ln1_w = copy_of(b, from->ln1_w, C);
    to->ln1_b = copy_of(b, from->ln1_b, C);
    to->ln2_w = copy_of(b, from->ln2_w, C);
    to->ln2_b = copy_of(b, from->ln2_b, C);
}

static void build(builder *b, const ems_params *p)
{
    ems_net *net = b->net;
    const size_t C = net->C;
    const float *const w1[] = {p->v1_w, p->a1_w}, *const b1[] = {p->v1_b,
                                                                 p->a1_b};
    const float *const w2[] = {p->v2_w, p->a2_w}, *const b2[] = {p->v2_b,
                                                                 p->a2_b};
    const float *const nulls[] = {p->v_null, p->a_null};
    for (int i = 0; i < net->shape.n_layer; i++)
        build_layer(b, &net->layer[i], &p->layer[i]);
    pack(b, &net->out, b->precision, p->out_w, p->out_b, net->V, C);
    net->emb = copy_of(b, p->emb, net->V * C);
    net->pos = copy_of(b, p->pos, net->T * C / 2);
    net->off_w = copy_of(b, p->off1_w, C / 4);
    net->off_b = copy_of(b, p->off1_b, C / 4);
    pack(b, &net->off, EMS_F32, p->off2_w, p->off2_b, C / 2, C / 4);
    for (int i = 0; i < EMS_CONDITIONS; i++) {
        net->nulls[i] = copy_of(b, nulls[i], C);
        net->cond_w[i] = copy_of(b, w1[i], C / 2);
        net->cond_b[i] = copy_of(b, b1[i], C / 2);
        pack(b, &net->cond[i], EMS_F32, w2[i], b2[i], C, C / 2);
    }
}

ems_net *ems_net_new(const ems_params *p, ems_precision precision,
                     ems_error *err)
{
    const ems_model_shape *s = &p->shape;
    ems_net *net = ems_alloc(1, sizeof *net);
    if (!net) {
        ems_out_of_memory(err);
        return NULL;
    }
    net->shape = *s;
    net->C = (size_t)s->d_model;
    net->H = (size_t)s->n_head;
    net->D = net->C / net->H;
    net->F = (size_t)s->d_inner;
    net->T = (size_t)s->context_len;
    net->V = (size_t)s->vocab_size;
    net->rel_stride = (net->T + EMS_PANEL + 15) & ~(size_t)15;
    net->v_width = (net->D + EMS_LANES - 1) & ~(size_t)(EMS_LANES - 1);
    net->head_panels = ems_panels_of(3 * net->D);
    net->precision = precision;
    net->kern = ems_kern_get(ems_cpu_best());
    net->kern8 = ems_kern8_get(ems_cpu_best());
    net->layer = ems_alloc((size_t)s->n_layer, sizeof *net->layer);
    builder b = {.net = net, .precision = precision};
    if (net->layer)
        build(&b, p);
    net->block = net->layer ? ems_alloc_aligned(b.arena.used, 1) : NULL;
    if (!net->block) {
        ems_net_free(net);
        ems_out_of_memory(err);
        return NULL;
    }
    b.arena = (ems_arena){.base = net->block};
    build(&b, p);
    return net;
}

ems_net *ems_net_open(const char *path, ems_precision precision,
                      ems_error *err)
{
    ems_safetensors *st = ems_safetensors_open(path, err);
    ems_params *p = ems_alloc(1, sizeof *p);
    ems_net *net = NULL;
    if (!p)
        ems_out_of_memory(err);
    if (st && p && ems_params_load(st, path, p, err) == EMS_OK) {
        net = ems_net_new(p, precision, err);
        ems_free(p->block);
    }
    ems_free(p);
    ems_safetensors_free(st);
    return net;
}

const ems_model_shape *ems_net_shape(const ems_net *net)
{
    return &net->shape;
}

static size_t packed_bytes(const ems_weights *w)
{
    return w->panels * ems_panel_bytes(w->precision, w->k);
}

size_t ems_net_bytes(const ems_net *net)
{
    size_t bytes = packed_bytes(&net->out) + packed_bytes(&net->off);
    for (int i = 0; i < net->shape.n_layer; i++) {
        const ems_net_layer *l = &net->layer[i];
        bytes += packed_bytes(&l->qkv) + packed_bytes(&l->o) +
                 packed_bytes(&l->ff1) + packed_bytes(&l->ff2);
    }
    return bytes;
}

void ems_net_free(ems_net *net)
{
    if (!net)
        return;
    ems_free(net->layer);
    ems_free(net->block);
    ems_free(net);
}

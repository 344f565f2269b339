#include "music/infer.h"

#include "base/arena.h"
#include "base/mem.h"
#include "music/model_io.h"
#include "music/vocab.h"
#include "nn/kern.h"

#include <math.h>
#include <string.h>

enum {
    ROWS = 96,           /* tokens that go through the layers together */
    MAX_CONTEXT = 65536, /* ems_shape_check allows no more */
};

typedef struct net_layer {
    ems_weights qkv, o, ff1, ff2;
    float *rel;          /* [D][rel_stride]: the relative table, transposed */
    float *ln1_w, *ln1_b, *ln2_w, *ln2_b;
} net_layer;

struct ems_net {
    ems_model_shape shape;
    size_t C, H, D, F, T, V;
    size_t rel_stride;   /* T and 64 columns that are never used */
    const ems_kern *kern;
    float *emb, *pos, *nulls[EMS_CONDITIONS];
    float *cond_w[EMS_CONDITIONS], *cond_b[EMS_CONDITIONS], *off_w, *off_b;
    ems_weights cond[EMS_CONDITIONS], off, out;
    net_layer *layer;
    void *block;         /* all weights */
};

/* ---- Building ---------------------------------------------------------- */

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
    ems_weights_pack(to, &b->arena, precision, &w, &bias, 1, n, k);
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

static void build_layer(builder *b, net_layer *to,
                        const ems_layer_params *from)
{
    const size_t C = b->net->C, F = b->net->F;
    const float *w[] = {from->q_w, from->k_w, from->v_w};
    const float *bias[] = {from->q_b, from->k_b, from->v_b};
    const ems_precision p = b->precision;
    ems_weights_pack(&to->qkv, &b->arena, p, w, bias, 3, C, C);
    pack(b, &to->o, p, from->o_w, from->o_b, C, C);
    pack(b, &to->ff1, p, from->ff1_w, from->ff1_b, F, C);
    pack(b, &to->ff2, p, from->ff2_w, from->ff2_b, C, F);
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
    net->kern = ems_kern_get(ems_cpu_best());
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
        const net_layer *l = &net->layer[i];
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

/* ---- Session ----------------------------------------------------------- */

/* Everything a piece needs lies in one block; copying `state` bytes of it
 * takes a snapshot. */
struct ems_session {
    const ems_net *net;
    ems_pool *pool;
    void *block;
    size_t length;       /* positions whose keys and values are known */
    size_t v_width;      /* D rounded up to 16 */
    size_t k_head, v_head; /* floats of one head of one layer */
    float *keys;         /* [layer][head][T/64][D][64] */
    float *values;       /* [layer][head][T][v_width] */
    /* Scratch for ROWS positions. */
    float *x, *h, *qkv, *att, *ff, *hidden, *logits;
};

static void place(ems_session *s, ems_arena *a)
{
    const ems_net *n = s->net;
    const size_t heads = (size_t)n->shape.n_layer * n->H;
    s->keys = ems_take(a, heads * s->k_head, sizeof(float));
    s->values = ems_take(a, heads * s->v_head, sizeof(float));
    s->x = ems_take(a, ROWS * n->C, sizeof(float));
    s->h = ems_take(a, ROWS * n->C, sizeof(float));
    s->qkv = ems_take(a, ROWS * 3 * n->C, sizeof(float));
    s->att = ems_take(a, ROWS * n->C, sizeof(float));
    s->ff = ems_take(a, ROWS * n->F, sizeof(float));
    s->hidden = ems_take(a, n->C, sizeof(float));
    s->logits = ems_take(a, n->V, sizeof(float));
}

ems_session *ems_session_new(const ems_net *net, ems_pool *pool,
                             ems_error *err)
{
    ems_session *s = ems_alloc(1, sizeof *s);
    if (!s) {
        ems_out_of_memory(err);
        return NULL;
    }
    s->net = net;
    s->pool = pool;
    s->v_width = (net->D + EMS_LANES - 1) & ~(size_t)(EMS_LANES - 1);
    s->k_head = (net->T + EMS_PANEL - 1) / EMS_PANEL * EMS_PANEL * net->D;
    s->v_head = net->T * s->v_width;
    ems_arena a = {0};
    place(s, &a);
    s->block = a.base = ems_alloc_aligned(a.used, 1);
    if (!s->block) {
        ems_free(s);
        ems_out_of_memory(err);
        return NULL;
    }
    a.used = 0;
    place(s, &a);
    return s;
}

void ems_session_free(ems_session *s)
{
    if (!s)
        return;
    ems_free(s->block);
    ems_free(s);
}

const float *ems_session_logits(const ems_session *s)
{
    return s->logits;
}

void ems_session_rewind(ems_session *s, int length)
{
    s->length = (size_t)length;
}

int ems_session_length(const ems_session *s)
{
    return (int)s->length;
}

/* ---- Input: condition or token, offset to the boundary, position ------- */

/* hidden = max(0, w x + b): the first layer of the small networks. */
static void expand(float *hidden, const float *w, const float *b, float x,
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float value = w[i] * x + b[i];
        hidden[i] = value > 0 ? value : 0;
    }
}

/* Add [position vector | offset vector] to row `x` at `position`. */
static void add_position(ems_session *s, float *x, size_t position,
                         float seconds)
{
    const ems_net *n = s->net;
    const size_t half = n->C / 2;
    const float reach = (float)EMS_OFFSET_REACH;
    const float t = seconds < 0 ? 0 : seconds < reach ? seconds : reach;
    float *offset = s->att; /* free until the layers run */
    expand(s->hidden, n->off_w, n->off_b, reach - t, n->C / 4);
    ems_affine(n->kern, NULL, &n->off, s->hidden, 0, 1, offset, 0, 0);
    for (size_t i = 0; i < half; i++) {
        x[i] += n->pos[position * half + i];
        x[half + i] += offset[i];
    }
}

static void condition_row(ems_session *s, float *x, int which, float value,
                          float seconds)
{
    const ems_net *n = s->net;
    if (isnan(value)) {
        memcpy(x, n->nulls[which], n->C * sizeof *x);
    } else {
        expand(s->hidden, n->cond_w[which], n->cond_b[which], value,
               n->C / 2);
        ems_affine(n->kern, NULL, &n->cond[which], s->hidden, 0, 1, x, 0, 0);
    }
    add_position(s, x, (size_t)which, seconds);
}

static void token_row(ems_session *s, float *x, size_t position, int token,
                      float seconds)
{
    const ems_net *n = s->net;
    const float *emb = n->emb + (size_t)token * n->C;
    const float scale = (float)sqrt((double)n->C);
    for (size_t i = 0; i < n->C; i++)
        x[i] = emb[i] * scale;
    add_position(s, x, position, seconds);
}

/* ---- Layers ------------------------------------------------------------ */

typedef struct head_job {
    ems_session *s;
    const net_layer *layer;
    float *keys, *values;  /* of this layer */
    size_t rows;
} head_job;

static void store_head(const head_job *job, size_t head)
{
    const ems_session *s = job->s;
    const size_t D = s->net->D, C = s->net->C;
    float *keys = job->keys + head * s->k_head;
    float *values = job->values + head * s->v_head;
    for (size_t r = 0; r < job->rows; r++) {
        const size_t at = s->length + r;
        const float *k = s->qkv + r * 3 * C + C + head * D, *v = k + C;
        float *column = keys + at / EMS_PANEL * EMS_PANEL * D + at % EMS_PANEL;
        for (size_t d = 0; d < D; d++)
            column[d * EMS_PANEL] = k[d];
        memcpy(values + at * s->v_width, v, D * sizeof *v);
    }
}

/* One query at position `at` against all positions up to it. */
static void attend(const head_job *job, size_t head, size_t row)
{
    const ems_session *s = job->s;
    const ems_net *n = s->net;
    const size_t at = s->length + row, D = n->D;
    const float *keys = job->keys + head * s->k_head;
    const float *q = s->qkv + row * 3 * n->C + head * D;
    const float scale = (float)(1 / sqrt((double)D));
    _Alignas(64) float p[MAX_CONTEXT + EMS_PANEL];
    _Alignas(64) float out[8192 + EMS_LANES];
    const size_t end = (at / EMS_PANEL + 1) * EMS_PANEL;
    for (size_t j = 0; j < end; j += EMS_PANEL)
        n->kern->scores(p + j, q, keys + j * D,
                        job->layer->rel + (n->T - 1 - at + j), n->rel_stride,
                        D, scale);
    for (size_t j = at + 1; j < end; j++)
        p[j] = -INFINITY;
    const float sum = n->kern->softmax(p, end);
    n->kern->mix(out, p, job->values + head * s->v_head, at + 1, s->v_width,
                 1 / sum);
    memcpy(s->att + row * n->C + head * D, out, D * sizeof *out);
}

static void run_head(void *ctx, size_t head)
{
    const head_job *job = ctx;
    store_head(job, head);
    for (size_t row = 0; row < job->rows; row++)
        attend(job, head, row);
}

static void norm_rows(const ems_session *s, float *out, const float *a,
                      const float *b, const float *gain, const float *bias,
                      size_t rows)
{
    const size_t C = s->net->C;
    for (size_t r = 0; r < rows; r++)
        s->net->kern->norm(out + r * C, a + r * C, b + r * C, gain, bias, C);
}

static void run_layer(ems_session *s, size_t index, size_t rows)
{
    const ems_net *n = s->net;
    const net_layer *l = &n->layer[index];
    const size_t C = n->C, F = n->F;
    head_job job = {s, l, s->keys + index * n->H * s->k_head,
                    s->values + index * n->H * s->v_head, rows};
    ems_affine(n->kern, s->pool, &l->qkv, s->x, C, rows, s->qkv, 3 * C, 0);
    ems_pool_for(s->pool, n->H, run_head, &job);
    ems_affine(n->kern, s->pool, &l->o, s->att, C, rows, s->h, C, 0);
    norm_rows(s, s->h, s->x, s->h, l->ln1_w, l->ln1_b, rows);
    ems_affine(n->kern, s->pool, &l->ff1, s->h, C, rows, s->ff, F, 1);
    ems_affine(n->kern, s->pool, &l->ff2, s->ff, F, rows, s->x, C, 0);
    norm_rows(s, s->x, s->h, s->x, l->ln2_w, l->ln2_b, rows);
}

/* Rows of s->x are the input; the positions become part of the past. */
static void run_rows(ems_session *s, size_t rows)
{
    for (size_t i = 0; i < (size_t)s->net->shape.n_layer; i++)
        run_layer(s, i, rows);
    s->length += rows;
}

static void make_logits(ems_session *s, size_t row)
{
    const ems_net *n = s->net;
    ems_affine(n->kern, s->pool, &n->out, s->x + row * n->C, n->C, 1,
               s->logits, n->V, 0);
}

static int check_token(const ems_session *s, int token, ems_error *err)
{
    if (token >= 0 && token < s->net->shape.vocab_size)
        return EMS_OK;
    return ems_fail(err, EMS_EINVAL, "token %d does not exist in this model",
                    token);
}

int ems_session_fill(ems_session *s, float valence, float arousal,
                     const uint16_t *tokens, const float *seconds,
                     size_t count, ems_error *err)
{
    const size_t C = s->net->C;
    if (count < 1 || count + EMS_CONDITIONS > s->net->T)
        return ems_fail(err, EMS_EINVAL, "%zu tokens do not fit the model's"
                        " context of %zu", count, s->net->T);
    for (size_t i = 0; i < count; i++)
        if (check_token(s, tokens[i], err) < 0)
            return EMS_EINVAL;
    s->length = 0;
    condition_row(s, s->x, 0, valence, seconds[0]);
    condition_row(s, s->x + C, 1, arousal, seconds[0]);
    size_t rows = EMS_CONDITIONS;
    for (size_t i = 0; i < count; i++) {
        token_row(s, s->x + rows * C, s->length + rows, tokens[i],
                  seconds[i]);
        if (++rows == ROWS || i + 1 == count) {
            run_rows(s, rows);
            if (i + 1 == count)
                make_logits(s, rows - 1);
            rows = 0;
        }
    }
    return EMS_OK;
}

int ems_session_append(ems_session *s, int token, float seconds,
                       ems_error *err)
{
    if (check_token(s, token, err) < 0)
        return EMS_EINVAL;
    if (s->length == 0 || s->length >= s->net->T)
        return ems_fail(err, EMS_EINVAL, "the session holds %zu of %zu"
                        " positions; fill it anew", s->length, s->net->T);
    token_row(s, s->x, s->length, token, seconds);
    run_rows(s, 1);
    make_logits(s, 0);
    return EMS_OK;
}

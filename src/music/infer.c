#include "music/infer_parts.h"

#include "base/arena.h"
#include "base/mem.h"
#include "music/vocab.h"

#include <math.h>
#include <string.h>

/* ---- Session ----------------------------------------------------------- */

static void place_float(ems_arena *a, const ems_net *n, ems_head_cache *c)
{
    c->keys = ems_take(a, ems_whole(n->T) * n->D, sizeof(float));
    c->values = ems_take(a, n->T * n->v_width, sizeof(float));
}

static void place_int8(ems_arena *a, const ems_net *n, ems_head_cache *c)
{
    const size_t Tp = ems_whole(n->T);
    c->keys8 = ems_take(a, Tp / EMS_PANEL, ems_panel_bytes(EMS_INT8, n->D));
    c->values8 = ems_take(a, ems_whole(n->D), Tp);
    c->key_scale = ems_take(a, Tp, sizeof(float));
    c->value_scale = ems_take(a, Tp, sizeof(float));
    c->value_most = ems_take(a, Tp, sizeof(float));
}

/* Runs twice: with an arena that measures, then for real. */
static void place(ems_session *s, ems_arena *a)
{
    const ems_net *n = s->net;
    const size_t heads = (size_t)n->shape.n_layer * n->H;
    s->cache = ems_take(a, heads, sizeof *s->cache);
    for (size_t i = 0; i < heads; i++) {
        ems_head_cache c = {0};
        if (n->precision == EMS_INT8)
            place_int8(a, n, &c);
        else
            place_float(a, n, &c);
        if (s->cache)
            s->cache[i] = c;
    }
    s->logits = ems_take(a, ems_whole(n->V), sizeof(float));
    s->x = ems_take(a, EMS_ROWS * s->x_width, sizeof(float));
    s->h = ems_take(a, EMS_ROWS * s->x_width, sizeof(float));
    s->qkv = ems_take(a, EMS_ROWS * s->qkv_width, sizeof(float));
    s->att = ems_take(a, EMS_ROWS * s->x_width, sizeof(float));
    s->ff = ems_take(a, EMS_ROWS * s->ff_width, sizeof(float));
    s->q = ems_take(a, EMS_ROWS * s->q_width, sizeof *s->q);
    s->q_scale = ems_take(a, EMS_ROWS, sizeof(float));
    s->hidden = ems_take(a, n->C, sizeof(float));
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
    s->x_width = ems_whole(net->C);
    s->ff_width = ems_whole(net->F);
    s->qkv_width = net->H * net->head_panels * EMS_PANEL;
    s->q_width = s->x_width > s->ff_width ? s->x_width : s->ff_width;
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

/* ---- Layers: rows [0, rows) of s->row, side by side ---------------------- */

/* y[rows][ldy] = x[rows] W' + b for a part of the panels; in 8 bits x is
 * what prepare() made of it. */
typedef struct product {
    ems_session *s;
    const ems_weights *w;
    const float *x;
    size_t ldx, first_row, rows;
    float *y;
    size_t ldy;
    int relu;
} product;

static void multiply(const product *p, size_t first, size_t panels, float *y,
                     size_t ldy)
{
    const ems_session *s = p->s;
    if (p->w->precision == EMS_INT8)
        ems_affine8(s->net->kern8, p->w, first, panels,
                    s->q + p->first_row * s->q_width, s->q_width,
                    s->q_scale + p->first_row, p->rows, y, ldy, p->relu);
    else
        ems_affine_panels(s->net->kern, p->w, first, panels,
                          p->x + p->first_row * p->ldx, p->ldx, p->rows, y,
                          ldy, p->relu);
}

static void multiply_panel(void *ctx, size_t panel)
{
    const product *p = ctx;
    multiply(p, panel, 1, p->y + panel * EMS_PANEL, p->ldy);
}

typedef struct row_job {
    ems_session *s;
    float *out;          /* a + b, normed; NULL: a as it is */
    const float *a, *b, *gain, *bias;
    size_t lda, count;   /* out and b have a's stride */
} row_job;

static void run_row(void *ctx, size_t r)
{
    const row_job *j = ctx;
    const ems_net *n = j->s->net;
    const float *x = j->a + r * j->lda;
    if (j->out) {
        float *out = j->out + r * j->lda;
        n->kern->norm(out, x, j->b + r * j->lda, j->gain, j->bias, j->count);
        x = out;
    }
    if (n->precision == EMS_INT8)
        j->s->q_scale[r] = n->kern8->quantise(
            j->s->q + r * j->s->q_width, x, j->count,
            (float)ems_range(j->count));
}

enum { ALONE = 8 }; /* rows that are not worth waking anybody */

static void each_row(row_job *job, size_t rows)
{
    ems_pool_for(rows > ALONE ? job->s->pool : NULL, rows, run_row, job);
}

/* Get rows of x ready to be multiplied. */
static void prepare(ems_session *s, const float *x, size_t ldx, size_t count,
                    size_t rows)
{
    if (s->net->precision == EMS_INT8)
        each_row(&(row_job){.s = s, .a = x, .lda = ldx, .count = count},
                 rows);
}

/* out = norm(a + b), ready to be multiplied. */
static void add_norm(ems_session *s, float *out, const float *a,
                     const float *b, const float *gain, const float *bias,
                     size_t rows)
{
    each_row(&(row_job){s, out, a, b, gain, bias, s->x_width, s->net->C},
             rows);
}

typedef struct head_job {
    product qkv;
    size_t layer;
} head_job;

static void run_head(void *ctx, size_t head)
{
    const head_job *job = ctx;
    ems_session *s = job->qkv.s;
    const size_t panels = s->net->head_panels;
    multiply(&job->qkv, head * panels, panels,
             s->qkv + head * panels * EMS_PANEL, s->qkv_width);
    if (s->net->precision == EMS_INT8)
        ems_head_int8(s, job->layer, head, job->qkv.rows);
    else
        ems_head_float(s, job->layer, head, job->qkv.rows);
}

static void run_layer(ems_session *s, size_t index, size_t rows)
{
    const ems_net *n = s->net;
    const ems_net_layer *l = &n->layer[index];
    const size_t X = s->x_width, F = s->ff_width;
    head_job heads = {{s, &l->qkv, s->x, X, 0, rows, NULL, 0, 0}, index};
    product o = {s, &l->o, s->att, X, 0, rows, s->h, X, 0};
    product ff1 = {s, &l->ff1, s->h, X, 0, rows, s->ff, F, 1};
    product ff2 = {s, &l->ff2, s->ff, F, 0, rows, s->x, X, 0};
    ems_pool_for(s->pool, n->H, run_head, &heads);
    prepare(s, s->att, X, n->C, rows);
    ems_pool_for(s->pool, l->o.panels, multiply_panel, &o);
    add_norm(s, s->h, s->x, s->h, l->ln1_w, l->ln1_b, rows);
    ems_pool_for(s->pool, l->ff1.panels, multiply_panel, &ff1);
    prepare(s, s->ff, F, n->F, rows);
    ems_pool_for(s->pool, l->ff2.panels, multiply_panel, &ff2);
    add_norm(s, s->x, s->h, s->x, l->ln2_w, l->ln2_b, rows);
}

/* Rows of s->x are the input; their positions become part of the past. */
static void run_rows(ems_session *s, size_t rows)
{
    prepare(s, s->x, s->x_width, s->net->C, rows);
    for (size_t i = 0; i < (size_t)s->net->shape.n_layer; i++)
        run_layer(s, i, rows);
    for (size_t r = 0; r < rows; r++)
        s->row[r].session->length = s->row[r].at + 1;
}

static void logits_panel(void *ctx, size_t panel)
{
    const product *p = ctx;
    _Alignas(64) float y[EMS_ROWS * EMS_PANEL];
    multiply(p, panel, 1, y, EMS_PANEL);
    for (size_t r = 0; r < p->rows; r++)
        memcpy(p->s->row[p->first_row + r].session->logits +
                   panel * EMS_PANEL,
               y + r * EMS_PANEL, EMS_PANEL * sizeof *y);
}

/* Of rows [first, first + rows), each to its own session. */
static void make_logits(ems_session *s, size_t first, size_t rows)
{
    const ems_weights *w = &s->net->out;
    product out = {s, w, s->x, s->x_width, first, rows, NULL, 0, 0};
    ems_pool_for(s->pool, w->panels, logits_panel, &out);
}

/* ---- Filling and appending ----------------------------------------------- */

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
    const size_t X = s->x_width, all = count + EMS_CONDITIONS;
    if (count < 1 || all > s->net->T)
        return ems_fail(err, EMS_EINVAL, "%zu tokens do not fit the model's"
                        " context of %zu", count, s->net->T);
    for (size_t i = 0; i < count; i++)
        if (check_token(s, tokens[i], err) < 0)
            return EMS_EINVAL;
    s->length = 0;
    for (size_t at = 0, rows = 0; at < all; at++) {
        const size_t i = at < EMS_CONDITIONS ? 0 : at - EMS_CONDITIONS;
        s->row[rows] = (ems_infer_row){s, at};
        if (at < EMS_CONDITIONS)
            condition_row(s, s->x + rows * X, (int)at, at ? arousal : valence,
                          seconds[0]);
        else
            token_row(s, s->x + rows * X, at, tokens[i], seconds[i]);
        if (++rows == EMS_ROWS || at + 1 == all) {
            run_rows(s, rows);
            if (at + 1 == all)
                make_logits(s, rows - 1, 1);
            rows = 0;
        }
    }
    return EMS_OK;
}

int ems_session_renew(ems_session *s, float valence, float arousal,
                      float seconds, ems_error *err)
{
    const size_t length = s->length;
    if (length < EMS_CONDITIONS)
        return ems_fail(err, EMS_EINVAL, "there is nothing to renew the"
                        " conditions of; fill the session first");
    for (size_t at = 0; at < EMS_CONDITIONS; at++) {
        s->row[at] = (ems_infer_row){s, at};
        condition_row(s, s->x + at * s->x_width, (int)at,
                      at ? arousal : valence, seconds);
    }
    run_rows(s, EMS_CONDITIONS);
    s->length = length;
    if (s->net->precision == EMS_INT8)
        for (size_t i = 0; i < (size_t)s->net->shape.n_layer * s->net->H; i++)
            ems_cache8_scales(&s->cache[i], length);
    return EMS_OK;
}

static int check_append(const ems_session *s, int token, ems_error *err)
{
    if (check_token(s, token, err) < 0)
        return EMS_EINVAL;
    if (s->length == 0 || s->length >= s->net->T)
        return ems_fail(err, EMS_EINVAL, "the session holds %zu of %zu"
                        " positions; fill it anew", s->length, s->net->T);
    return EMS_OK;
}

int ems_sessions_append(ems_session *const *s, const int *token,
                        const float *seconds, size_t n, ems_error *err)
{
    ems_session *first = s[0];
    for (size_t i = 0; i < n; i++)
        if (check_append(s[i], token[i], err) < 0)
            return EMS_EINVAL;
    for (size_t i = 0; i < n;) {
        size_t rows = 0;
        for (; rows < EMS_ROWS && i < n; rows++, i++) {
            first->row[rows] = (ems_infer_row){s[i], s[i]->length};
            token_row(first, first->x + rows * first->x_width, s[i]->length,
                      token[i], seconds[i]);
        }
        run_rows(first, rows);
        make_logits(first, 0, rows);
    }
    return EMS_OK;
}

int ems_session_append(ems_session *s, int token, float seconds,
                       ems_error *err)
{
    return ems_sessions_append(&s, &token, &seconds, 1, err);
}

/* What the first layer sees: conditions and scaled token embeddings, plus
 * [learned position | boundary offset], and the way back. */
#include "music/graph_parts.h"
#include "music/vocab.h"

#include <math.h>
#include <string.h>

enum { STRIP = 64 }; /* columns of one turn of a parallel loop */

typedef struct condition { /* one of the two MLPs, 1 -> C/2 -> C, and null */
    const float *w1, *b1, *w2, *b2, *null;
    float *dw1, *db1, *dw2, *db2, *dnull;
} condition;

static condition condition_of(const ems_params *p, const ems_params *d, int i)
{
    condition c = i == 0 ? (condition){.w1 = p->v1_w, .b1 = p->v1_b,
                                       .w2 = p->v2_w, .b2 = p->v2_b,
                                       .null = p->v_null}
                         : (condition){.w1 = p->a1_w, .b1 = p->a1_b,
                                       .w2 = p->a2_w, .b2 = p->a2_b,
                                       .null = p->a_null};
    if (d) {
        c.dw1 = i == 0 ? d->v1_w : d->a1_w;
        c.db1 = i == 0 ? d->v1_b : d->a1_b;
        c.dw2 = i == 0 ? d->v2_w : d->a2_w;
        c.db2 = i == 0 ? d->v2_b : d->a2_b;
        c.dnull = i == 0 ? d->v_null : d->a_null;
    }
    return c;
}

/* out[n] = relu(x w + b) of a scalar x */
static void expand(float *out, float x, const float *w, const float *b,
                   size_t n)
{
    for (size_t j = 0; j < n; j++) {
        const float y = x * w[j] + b[j];
        out[j] = y > 0 ? y : 0;
    }
}

static float value_of(const ems_batch *b, size_t sequence, int i)
{
    return b->conditions[sequence * EMS_CONDITIONS + (size_t)i];
}

/* Drops of x[B, C], the vectors of condition i. */
static void drop_condition(const ems_graph *g, float *x, int i)
{
    const size_t n = ems_excerpts(g) * g->C;
    for (size_t at = 0; at < g->o.batch * g->C; at += n)
        g->ops->drop(x + at, n, 0, ems_graph_drop(g, 1 + (unsigned)i));
}

static void conditions_forward(ems_graph *g, const ems_params *p,
                               const ems_batch *b, int i)
{
    const size_t B = g->o.batch, C = g->C, half = C / 2;
    const condition c = condition_of(p, NULL, i);
    float *const hidden = g->cond_hidden + (size_t)i * B * half;
    float *const out = g->cond + (size_t)i * B * C;
    for (size_t n = 0; n < B; n++) {
        const float x = value_of(b, n, i);
        expand(hidden + n * half, isnan(x) ? 0 : x, c.w1, c.b1, half);
    }
    const ems_matrix h = {hidden, B, half, half};
    ems_linear(g, out, C, h, c.w2, c.b2, C, 0);
    drop_condition(g, out, i);
    for (size_t n = 0; n < B; n++)
        if (isnan(value_of(b, n, i)))
            memcpy(out + n * C, c.null, C * sizeof *out);
}

/* Seconds of a position; the conditions take those of the first token. */
static float seconds_at(const ems_graph *g, const ems_batch *b,
                        size_t sequence, size_t position)
{
    return b->seconds[sequence * g->o.tokens +
                      (position < EMS_CONDITIONS ? 0 : position -
                                                       EMS_CONDITIONS)];
}

typedef struct embed_pass {
    ems_graph *g;
    const ems_params *p;
    const ems_batch *b;
    ems_params *d;
    ems_drop drop;
} embed_pass;

static void offset_rows(void *ctx, size_t turn)
{
    const embed_pass *e = ctx;
    ems_graph *g = e->g;
    const ems_rows *r = &g->turn[turn];
    for (size_t i = 0; i < r->count; i++) {
        const size_t row = r->row + i;
        g->offset[row] = (float)EMS_OFFSET_REACH -
                         seconds_at(g, e->b, r->sequence, r->position + i);
        expand(g->offset_hidden + row * (g->C / 4), g->offset[row],
               e->p->off1_w, e->p->off1_b, g->C / 4);
    }
}

/* x holds the offset's half already. */
static void embed_row(const embed_pass *e, float *x, size_t sequence,
                      size_t position)
{
    const ems_graph *g = e->g;
    const size_t C = g->C, half = C / 2;
    memcpy(x, e->p->pos + position * half, half * sizeof *x);
    if (position < EMS_CONDITIONS) {
        const float *c = g->cond + (position * g->o.batch + sequence) * C;
        for (size_t j = 0; j < C; j++)
            x[j] += c[j];
    } else {
        const float *w = e->p->emb +
                         ems_token_at(g, e->b, sequence, position) * C;
        const float scale = sqrtf((float)C);
        for (size_t j = 0; j < C; j++)
            x[j] += w[j] * scale;
    }
}

static void embed_rows(void *ctx, size_t turn)
{
    const embed_pass *e = ctx;
    ems_graph *g = e->g;
    const ems_rows *r = &g->turn[turn];
    float *const x = g->x0 + r->row * g->C;
    for (size_t i = 0; i < r->count; i++)
        embed_row(e, x + i * g->C, r->sequence, r->position + i);
    g->ops->drop(x, r->count * g->C, ems_rows_number(g, r) * g->C, e->drop);
}

void ems_embed(ems_graph *g, const ems_params *p, const ems_batch *b)
{
    const size_t quarter = g->C / 4;
    embed_pass e = {g, p, b, NULL, ems_graph_drop(g, 0)};
    for (int i = 0; i < EMS_CONDITIONS; i++)
        conditions_forward(g, p, b, i);
    ems_rows_each(g, offset_rows, &e);
    const ems_matrix hidden = {g->offset_hidden, g->M, quarter, quarter};
    ems_linear(g, g->x0 + g->C / 2, g->C, hidden, p->off2_w, p->off2_b,
               g->C / 2, 0);
    ems_rows_each(g, embed_rows, &e);
}

/* ---- Backwards ---------------------------------------------------------- */

static void drop_rows(void *ctx, size_t turn)
{
    const embed_pass *e = ctx;
    ems_graph *g = e->g;
    const ems_rows *r = &g->turn[turn];
    g->ops->drop(g->dx + r->row * g->C, r->count * g->C,
                 ems_rows_number(g, r) * g->C, e->drop);
}

/* Columns [from, to) of what one row gives to the tables. */
static void table_row(const embed_pass *e, const float *dx, size_t sequence,
                      size_t position, size_t from, size_t to)
{
    const ems_graph *g = e->g;
    const size_t C = g->C, half = C / 2;
    const float scale = sqrtf((float)C);
    for (size_t j = from; j < to && j < half; j++)
        e->d->pos[position * half + j] += dx[j];
    if (position < EMS_CONDITIONS)
        return;
    const unsigned token = ems_token_at(g, e->b, sequence, position);
    float *const w = e->d->emb + token * C;
    for (size_t j = from; j < to && token != EMS_PAD; j++)
        w[j] += dx[j] * scale;
}

/* Token embeddings and positions, columns [turn * STRIP, + STRIP): every sum
 * runs over the rows in order. */
static void table_strip(void *ctx, size_t turn)
{
    const embed_pass *e = ctx;
    const ems_graph *g = e->g;
    const size_t from = turn * STRIP;
    const size_t to = from + STRIP < g->C ? from + STRIP : g->C;
    for (size_t s = 0; s < g->o.batch; s++)
        for (size_t i = g->begin[s]; i < g->begin[s + 1]; i++)
            table_row(e, g->dx + i * g->C, s, i - g->begin[s], from, to);
}

/* dw1 and db1 of out = relu(x w1 + b1) from d out (gated). */
static void expand_back(const float *dhidden, const float *x, size_t stride,
                        size_t rows, size_t n, float *dw, float *db)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) {
            const float value = isnan(x[i * stride]) ? 0 : x[i * stride];
            dw[j] += dhidden[i * n + j] * value;
            db[j] += dhidden[i * n + j];
        }
}

static void condition_back(ems_graph *g, const ems_params *p,
                           const ems_batch *b, ems_params *grads, int i)
{
    const size_t B = g->o.batch, C = g->C, half = C / 2;
    const condition c = condition_of(p, grads, i);
    const float *hidden = g->cond_hidden + (size_t)i * B * half;
    memset(g->dcond, 0, B * C * sizeof *g->dcond);
    for (size_t n = 0; n < B; n++)
        if (g->begin[n] < g->begin[n + 1])
            memcpy(g->dcond + n * C, g->dx + (g->begin[n] + (size_t)i) * C,
                   C * sizeof *g->dcond);
    for (size_t n = 0; n < B; n++)
        if (isnan(value_of(b, n, i)))
            for (size_t j = 0; j < C; j++) {
                c.dnull[j] += g->dcond[n * C + j];
                g->dcond[n * C + j] = 0;
            }
    drop_condition(g, g->dcond, i);
    const ems_matrix dy = {g->dcond, B, C, C}, h = {hidden, B, half, half};
    ems_linear_dw(g, c.dw2, c.db2, dy, h);
    ems_linear_dx(g, g->dhidden, dy, c.w2, half, hidden, 0);
    expand_back(g->dhidden, b->conditions + i, EMS_CONDITIONS, B, half,
                c.dw1, c.db1);
}

void ems_embed_back(ems_graph *g, const ems_params *p, const ems_batch *b,
                    ems_params *grads)
{
    const size_t C = g->C, quarter = C / 4;
    embed_pass e = {g, p, b, grads, ems_graph_drop(g, 0)};
    if (e.drop.threshold)
        ems_rows_each(g, drop_rows, &e);
    ems_pool_for(g->pool, (C + STRIP - 1) / STRIP, table_strip, &e);
    for (int i = 0; i < EMS_CONDITIONS; i++)
        condition_back(g, p, b, grads, i);
    const ems_matrix dy = {g->dx + C / 2, g->M, C / 2, C};
    const ems_matrix hidden = {g->offset_hidden, g->M, quarter, quarter};
    ems_linear_dw(g, grads->off2_w, grads->off2_b, dy, hidden);
    ems_linear_dx(g, g->dhidden, dy, p->off2_w, quarter, g->offset_hidden,
                  0);
    expand_back(g->dhidden, g->offset, 1, g->M, quarter, grads->off1_w,
                grads->off1_b);
}

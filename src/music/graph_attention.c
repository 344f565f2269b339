/* Relative attention (Music Transformer) by blocks of queries.
 *
 *     s[i][j] = (q_i . k_j + q_i . E[last - (i - j)]) / sqrt(D),  j <= i
 *
 * The second term is a product with the rows of E by distance, read shifted:
 * with E laid out so that its last row is distance 0, row i of Q E^T starts
 * its j = 0 at column w - 1 - i, w being the columns of the block. */
#include "music/graph_parts.h"

#include <math.h>
#include <string.h>

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* Scratch of one thread. */
typedef struct head {
    ems_graph *g;
    float *first, *second; /* packed operands, [N,D] each */
    float *near, *far;     /* [rows of a block, wide] */
    void *work;
    size_t slot, batch;
    size_t at;             /* floats from the start of q, k, v, o */
    float *prob;
} head;

static size_t packed_floats(const ems_graph *g)
{
    const size_t a = ems_gemm_packed_floats(g->level, g->D, g->N);
    const size_t b = ems_gemm_packed_floats(g->level, g->N, g->D);
    return round_up(a > b ? a : b, 16);
}

size_t ems_attention_scratch(const ems_graph *g)
{
    return 2 * packed_floats(g) + 2 * round_up(g->block_rows * g->wide, 16);
}

static head head_begin(ems_graph *g, const ems_layer_state *s, size_t index)
{
    head h = {.g = g};
    h.work = ems_gemm_borrow(g->gemm, &h.slot);
    h.first = g->scratch + h.slot * g->scratch_floats;
    h.second = h.first + packed_floats(g);
    h.near = h.second + packed_floats(g);
    h.far = h.near + round_up(g->block_rows * g->wide, 16);
    h.batch = index / g->H;
    h.at = h.batch * g->N * g->C + index % g->H * g->D;
    h.prob = s->prob + index * g->prob_floats;
    return h;
}

static void head_end(const head *h)
{
    ems_gemm_return(h->g->gemm, h->slot);
}

static void multiply(const head *h, const ems_gemm *g)
{
    ems_gemm_one(h->g->level, g, h->work);
}

/* c[r, n] = x[r, D] times a packed [D, n]. */
static void times_packed(const head *h, float *c, size_t ldc, const float *x,
                         size_t rows, const ems_packed *b, size_t n)
{
    multiply(h, &(ems_gemm){.c = c, .ldc = ldc, .a = x, .a_row = h->g->C,
                            .a_col = 1, .packed = b, .m = rows, .n = n,
                            .k = h->g->D, .flags = EMS_GEMM_DIRECT});
}

typedef struct pass {
    ems_graph *g;
    const ems_layer_state *s;
    const float *grad;
    ems_packed rel;
} pass;

static void block_forward(const head *h, const pass *p, const ems_packed *keys,
                          const ems_packed *values, const ems_att_block *b)
{
    const ems_graph *g = h->g;
    const size_t rows = b->to - b->from, w = round_up(b->to, EMS_ATT_UNIT);
    float *const s = h->prob + b->at;
    const float *q = p->s->q + h->at + b->from * g->C;
    ems_packed rel = p->rel;
    rel.first = g->wide - w;
    times_packed(h, s, b->stride, q, rows, keys, b->to);
    times_packed(h, h->far, w, q, rows, &rel, w);
    const float *mask = g->masked[h->batch] ? g->mask + h->batch * g->N : NULL;
    const float scale = 1 / sqrtf((float)g->D);
    for (size_t r = 0; r < rows; r++) {
        const size_t i = b->from + r;
        g->ops->softmax(s + r * b->stride, h->far + r * w + (w - 1 - i), mask,
                        i + 1, b->to, scale);
    }
    multiply(h, &(ems_gemm){.c = p->s->o + h->at + b->from * g->C,
                            .ldc = g->C, .a = s, .a_row = b->stride,
                            .a_col = 1, .packed = values, .m = rows,
                            .n = g->D, .k = b->to,
                            .flags = EMS_GEMM_DIRECT});
}

static void head_forward(void *ctx, size_t index)
{
    const pass *p = ctx;
    ems_graph *g = p->g;
    const head h = head_begin(g, p->s, index);
    const ems_packed keys = ems_gemm_pack(g->level, h.first, p->s->k + h.at,
                                          1, g->C, g->D, g->N, 0);
    const ems_packed values = ems_gemm_pack(g->level, h.second,
                                            p->s->v + h.at, g->C, 1, g->N,
                                            g->D, 0);
    for (size_t i = 0; i < g->blocks; i++)
        block_forward(&h, p, &keys, &values, &g->block[i]);
    head_end(&h);
}

/* The last `wide` rows of E (zeros before its start): row wide-1-d is that
 * of distance d. */
static void rel_rows(ems_graph *g, const float *rel)
{
    const size_t have = (size_t)g->o.shape.context_len;
    const size_t rows = have < g->wide ? have : g->wide;
    memset(g->rel, 0, (g->wide - rows) * g->D * sizeof *g->rel);
    memcpy(g->rel + (g->wide - rows) * g->D, rel + (have - rows) * g->D,
           rows * g->D * sizeof *rel);
}

void ems_attention(ems_graph *g, const ems_layer_state *s, const float *rel)
{
    pass p = {.g = g, .s = s};
    rel_rows(g, rel);
    p.rel = ems_gemm_pack(g->level, g->rel_packed, g->rel, 1, g->D, g->D,
                          g->wide, 0);
    ems_pool_for(g->pool, g->o.batch * g->H, head_forward, &p);
}

/* out[n, D] (+)= transposed x[rows, n] times y[rows, D] */
static void add_outer(const head *h, float *out, size_t ldo, const float *x,
                      size_t ldx, const float *y, size_t rows, size_t n,
                      int add)
{
    multiply(h, &(ems_gemm){.c = out, .ldc = ldo, .a = x, .a_row = 1,
                            .a_col = ldx, .b = y, .b_row = h->g->C,
                            .b_col = 1, .m = n, .n = h->g->D, .k = rows,
                            .flags = EMS_GEMM_DIRECT |
                                     (add ? EMS_GEMM_ADD : 0)});
}

/* near[r][j] = d s, and the same shifted to distances in far. */
static void scores_back(const head *h, const ems_att_block *b, size_t w)
{
    const ems_graph *g = h->g;
    const float scale = 1 / sqrtf((float)g->D);
    for (size_t r = 0; r < b->to - b->from; r++) {
        const size_t i = b->from + r, shift = w - 1 - i;
        float *const d = h->near + r * b->stride, *const f = h->far + r * w;
        g->ops->softmax_back(d, h->prob + b->at + r * b->stride, i + 1,
                             b->to, scale);
        memset(f, 0, shift * sizeof *f);
        memcpy(f + shift, d, (i + 1) * sizeof *f);
    }
}

static void block_back(const head *h, const pass *p, const ems_packed *keys,
                       const ems_packed *values, const ems_att_block *b,
                       float *drel)
{
    const ems_graph *g = h->g;
    const size_t rows = b->to - b->from, w = round_up(b->to, EMS_ATT_UNIT);
    const size_t at = h->at + b->from * g->C;
    const int add = b->to != g->N; /* blocks come last to first */
    const float *grad = p->grad + at, *q = p->s->q + at;
    times_packed(h, h->near, b->stride, grad, rows, values, b->to);
    add_outer(h, g->dv + h->at, g->C, h->prob + b->at, b->stride, grad, rows,
              b->to, add);
    scores_back(h, b, w);
    multiply(h, &(ems_gemm){.c = g->dq + at, .ldc = g->C, .a = h->near,
                            .a_row = b->stride, .a_col = 1, .packed = keys,
                            .m = rows, .n = g->D, .k = b->to,
                            .flags = EMS_GEMM_DIRECT});
    multiply(h, &(ems_gemm){.c = g->dq + at, .ldc = g->C, .a = h->far,
                            .a_row = w, .a_col = 1,
                            .b = g->rel + (g->wide - w) * g->D,
                            .b_row = g->D, .b_col = 1, .m = rows, .n = g->D,
                            .k = w,
                            .flags = EMS_GEMM_DIRECT | EMS_GEMM_ADD});
    add_outer(h, g->dk + h->at, g->C, h->near, b->stride, q, rows, b->to,
              add);
    add_outer(h, drel + (g->wide - w) * g->D, g->D, h->far, w, q, rows, w,
              add);
}

static void head_back(void *ctx, size_t index)
{
    const pass *p = ctx;
    ems_graph *g = p->g;
    const head h = head_begin(g, p->s, index);
    const ems_packed values = ems_gemm_pack(g->level, h.first, p->s->v + h.at,
                                            1, g->C, g->D, g->N, 0);
    const ems_packed keys = ems_gemm_pack(g->level, h.second, p->s->k + h.at,
                                          g->C, 1, g->N, g->D, 0);
    float *const drel = g->drel + index * g->wide * g->D;
    for (size_t i = g->blocks; i-- > 0;)
        block_back(&h, p, &keys, &values, &g->block[i], drel);
    head_end(&h);
}

typedef struct rel_sum {
    ems_graph *g;
    float *out;
} rel_sum;

/* Row `index` of the table: the sum over sequences and heads, in order. */
static void sum_rel_row(void *ctx, size_t index)
{
    const rel_sum *s = ctx;
    const ems_graph *g = s->g;
    const size_t have = (size_t)g->o.shape.context_len, D = g->D;
    float *const out = s->out + index * D;
    memset(out, 0, D * sizeof *out);
    if (have - index > g->N)
        return; /* a distance that does not occur */
    const float *x = g->drel + (g->wide - (have - index)) * D;
    for (size_t n = g->o.batch * g->H; n-- > 0; x += g->wide * D)
        for (size_t d = 0; d < D; d++)
            out[d] += x[d];
}

void ems_attention_back(ems_graph *g, const ems_layer_state *s,
                        const float *rel, const float *grad, float *drel_out)
{
    pass p = {.g = g, .s = s, .grad = grad};
    rel_rows(g, rel);
    ems_pool_for(g->pool, g->o.batch * g->H, head_back, &p);
    rel_sum sum = {g, drel_out};
    ems_pool_for(g->pool, (size_t)g->o.shape.context_len, sum_rel_row, &sum);
}

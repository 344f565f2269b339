/* Relative attention (Music Transformer), causal, by blocks of queries.
 *
 *     s[i][j] = (q_i . k_j + q_i . E[last - (i - j)]) / sqrt(D),  j <= i
 *
 * The second term is a product with the rows of E by distance, read shifted.
 * With E laid out so that its last row is distance 0, row i of Q E' has its
 * j = 0 at column w - 1 - i, w being the columns of the block. So in rows of
 * `stride` floats, where s[i][j] is at i * stride + j, the same memory seen
 * with rows of stride + 1 floats is ordered by distance: the product adds
 * straight into the scores, and gradients are read for E without a copy.
 *
 * Seen so, a block's rows begin up to `reach` floats early, with keys j < 0:
 * that lies in the unused end of the row before. */
#include "base/run.h"
#include "music/graph_parts.h"

#include <math.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* ---- Layout ------------------------------------------------------------- */

static size_t reach(const ems_graph *g)
{
    return round_up(g->block_rows + EMS_ATT_UNIT, 16);
}

/* Floats of a row for n: an odd number of cache lines, so that the rows of a
 * column do not share a set of the cache. */
static size_t odd_lines(size_t n)
{
    return round_up(n, 32) + 16;
}

/* Of a row of scores. */
static size_t stride_of(const ems_graph *g)
{
    return odd_lines(g->N + reach(g));
}

void ems_attention_sizes(ems_graph *g)
{
    const size_t parts = (g->N + EMS_ATT_ROWS - 1) / EMS_ATT_ROWS;
    g->block_rows = round_up((g->N + parts - 1) / parts, 12);
    const size_t rows = g->block_rows * EMS_ATT_GROUP;
    g->groups = (g->N + rows - 1) / rows;
}

void ems_attention_groups(ems_graph *g)
{
    const size_t rows = g->block_rows * EMS_ATT_GROUP;
    size_t at = 0;
    for (size_t i = 0; i < g->groups; i++) {
        const size_t from = i * rows, to = least(from + rows, g->N);
        const size_t stride = odd_lines(to);
        if (g->group)
            g->group[i] = (ems_att_group){from, to, stride, at};
        at += (to - from) * stride;
    }
    g->prob_floats = at;
}

static size_t packed_floats(const ems_graph *g)
{
    const size_t a = ems_gemm_packed_floats(g->level, g->D, g->N);
    const size_t b = ems_gemm_packed_floats(g->level, g->N, g->D);
    return round_up(a > b ? a : b, 16);
}

size_t ems_attention_scratch(const ems_graph *g)
{
    const size_t rows = g->block_rows * (1 + EMS_ATT_GROUP);
    return 2 * packed_floats(g) + 2 * reach(g) + rows * stride_of(g);
}

/* ---- One head ----------------------------------------------------------- */

typedef struct pass {
    ems_graph *g;
    const ems_layer_state *s;
    const float *grad;
    ems_packed rel;
} pass;

typedef struct head {
    ems_graph *g;
    const pass *p;
    ems_packed keys, values;
    float *first, *second; /* packed operands, [N,D] each */
    float *scores;         /* of a block: rows of `stride` */
    float *ds;             /* gradient of a group's scores: also; 0 past N
                              and before the first */
    size_t stride;
    void *work;
    size_t slot;
    size_t n;              /* rows of its sequence */
    size_t at;             /* floats from the start of q, k, v, o */
    float *prob;
    const float *mask;     /* NULL: no padding */
} head;

static head head_begin(const pass *p, size_t index)
{
    ems_graph *g = p->g;
    const size_t sequence = index / g->H;
    head h = {.g = g, .p = p, .stride = stride_of(g)};
    h.work = ems_gemm_borrow(g->gemm, &h.slot);
    h.first = g->scratch + h.slot * g->scratch_floats;
    h.second = h.first + packed_floats(g);
    h.scores = h.second + packed_floats(g) + reach(g);
    h.ds = h.scores + g->block_rows * h.stride + reach(g);
    const size_t first = g->begin[sequence];
    h.n = g->begin[sequence + 1] - first;
    h.at = first * g->C + index % g->H * g->D;
    h.prob = p->s->prob + index * g->prob_floats;
    h.mask = g->masked[sequence] ? g->mask + first : NULL;
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

/* A group as far as the sequence goes; it may be empty. */
static ems_att_group group_of(const head *h, size_t i)
{
    ems_att_group x = h->g->group[i];
    x.to = least(x.to, h->n);
    return x;
}

/* A block of queries: their scores, or the gradients of these. */
typedef struct block {
    const head *h;
    size_t from, rows, keys;   /* the keys are [0, from + rows) */
    size_t at;                 /* of its first row in q, o, ... */
    size_t distances;          /* keys, padded */
} block;

static block block_of(const head *h, size_t from, size_t to)
{
    return (block){h, from, to - from, to, h->at + from * h->g->C,
                   round_up(to, EMS_ATT_UNIT)};
}

/* c[row, key] = x[row, D] times packed [D, key]. */
static void times_keys(const block *b, float *c, size_t stride,
                       const float *x, const ems_packed *keys)
{
    multiply(b->h, &(ems_gemm){.c = c, .ldc = stride, .a = x + b->at,
                               .a_row = b->h->g->C, .a_col = 1,
                               .packed = keys, .m = b->rows, .n = b->keys,
                               .k = b->h->g->D, .flags = EMS_GEMM_DIRECT});
}

/* c[row, D] = s[row, key] times packed [key, D]. */
static void sum_keys(const block *b, float *c, const float *s, size_t stride,
                     const ems_packed *values)
{
    multiply(b->h, &(ems_gemm){.c = c + b->at, .ldc = b->h->g->C, .a = s,
                               .a_row = stride, .a_col = 1, .packed = values,
                               .m = b->rows, .n = b->h->g->D, .k = b->keys,
                               .flags = EMS_GEMM_DIRECT});
}

/* ---- Forwards ----------------------------------------------------------- */

static void add_distances(const block *b, float *s, size_t stride,
                          const float *q)
{
    const ems_graph *g = b->h->g;
    ems_packed rel = b->h->p->rel;
    rel.first = g->wide - b->distances;
    multiply(b->h, &(ems_gemm){.c = s - (b->distances - 1 - b->from),
                               .ldc = stride + 1, .a = q + b->at,
                               .a_row = g->C, .a_col = 1, .packed = &rel,
                               .m = b->rows, .n = b->distances, .k = g->D,
                               .flags = EMS_GEMM_DIRECT | EMS_GEMM_ADD});
}

static void block_forward(const block *b, float *prob, size_t stride)
{
    const head *h = b->h;
    const ems_graph *g = h->g;
    const ems_layer_state *s = h->p->s;
    const float scale = 1 / sqrtf((float)g->D);
    times_keys(b, h->scores, h->stride, s->q, &h->keys);
    add_distances(b, h->scores, h->stride, s->q);
    for (size_t r = 0; r < b->rows; r++)
        g->ops->softmax(prob + r * stride, h->scores + r * h->stride, h->mask,
                        b->from + r + 1, b->keys, scale);
    sum_keys(b, s->o, prob, stride, &h->values);
}

static void head_forward(void *ctx, size_t index)
{
    const pass *p = ctx;
    const ems_graph *g = p->g;
    head h = head_begin(p, index);
    h.keys = ems_gemm_pack(g->level, h.first, p->s->k + h.at, 1, g->C, g->D,
                           h.n, 0);
    h.values = ems_gemm_pack(g->level, h.second, p->s->v + h.at, g->C, 1,
                             h.n, g->D, 0);
    for (size_t i = 0; i < g->groups; i++) {
        const ems_att_group x = group_of(&h, i);
        for (size_t from = x.from; from < x.to; from += g->block_rows) {
            const block b = block_of(&h, from,
                                     least(from + g->block_rows, x.to));
            block_forward(&b, h.prob + x.at + (from - x.from) * x.stride,
                          x.stride);
        }
    }
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

/* Add to what ems_graph_done tells: `products` of query and key per head. */
static void count(ems_graph *g, double products, double start)
{
    double pairs = 0;
    for (size_t s = 0; s < g->o.batch; s++) {
        const double n = (double)(g->begin[s + 1] - g->begin[s]);
        pairs += n * (n + 1) / 2;
    }
    g->attention += products * 2 * pairs * (double)g->C;
    g->attention_seconds += ems_now() - start;
}

void ems_attention(ems_graph *g, const ems_layer_state *s, const float *rel)
{
    const double start = ems_now();
    pass p = {.g = g, .s = s};
    rel_rows(g, rel);
    p.rel = ems_gemm_pack(g->level, g->rel_packed, g->rel, 1, g->D, g->D,
                          g->wide, 0);
    ems_pool_for(g->pool, g->o.batch * g->H, head_forward, &p);
    count(g, 3, start);
}

/* ---- Backwards ---------------------------------------------------------- */

/* dq[row, D] += ds by distance times E. */
static void sum_distances(const block *b, float *dq, const float *ds)
{
    const head *h = b->h;
    const ems_graph *g = h->g;
    ems_packed rel = h->p->rel;
    rel.row = g->wide - b->distances;
    multiply(h, &(ems_gemm){.c = dq + b->at, .ldc = g->C,
                            .a = ds - (b->distances - 1 - b->from),
                            .a_row = h->stride + 1, .a_col = 1,
                            .packed = &rel, .m = b->rows, .n = g->D,
                            .k = b->distances,
                            .flags = EMS_GEMM_DIRECT | EMS_GEMM_ADD});
}

/* The gradient of the scores and of q. The sum of p dp over a row, which the
 * softmax needs, is that of o do. */
static void block_back(const block *b, const float *prob, size_t stride,
                       float *ds)
{
    const head *h = b->h;
    const ems_graph *g = h->g;
    const float *grad = h->p->grad, *o = h->p->s->o;
    const float scale = 1 / sqrtf((float)g->D);
    times_keys(b, ds, h->stride, grad, &h->values);
    for (size_t r = 0; r < b->rows; r++)
        g->ops->softmax_back(ds + r * h->stride, prob + r * stride,
                             g->ops->dot(o + b->at + r * g->C,
                                         grad + b->at + r * g->C, g->D),
                             b->from + r + 1, b->keys, scale);
    sum_keys(b, g->dq, ds, h->stride, &h->keys);
    sum_distances(b, g->dq, ds);
}

/* Queries that a sum over queries takes together. */
typedef struct rows {
    const head *h;
    const float *a, *b;  /* transposed a[row, n], times b[row, D] */
    size_t stride, ldb;  /* of a, b */
    float *c;            /* [n, D] */
    size_t ldc;
} rows;

/* c[n,D] (+)= a' b */
static void add_outer(const rows *x, size_t count, size_t n, int add)
{
    multiply(x->h, &(ems_gemm){.c = x->c, .ldc = x->ldc, .a = x->a,
                               .a_row = 1, .a_col = x->stride, .b = x->b,
                               .b_row = x->ldb, .b_col = 1, .m = n,
                               .n = x->h->g->D, .k = count,
                               .flags = EMS_GEMM_DIRECT |
                                        (add ? EMS_GEMM_ADD : 0)});
}

/* dv, dk and the gradient of E from a group of queries. Keys and distances
 * [0, first block's end) meet all its queries, those of the next block only
 * the queries from there on. */
static void group_sums(const head *h, const ems_att_group *x, float *drel)
{
    const ems_graph *g = h->g;
    const ems_layer_state *s = h->p->s;
    const int add = x->to != h->n; /* groups come last to first */
    for (size_t from = x->from; from < x->to; from += g->block_rows) {
        const size_t to = least(from + g->block_rows, x->to);
        const size_t low = from == x->from ? 0 : from, n = to - low;
        const size_t row = from - x->from, count = x->to - from;
        const size_t at = h->at + from * g->C, key = h->at + low * g->C;
        const float *ds = h->ds + row * h->stride;
        add_outer(&(rows){h, h->prob + x->at + row * x->stride + low,
                          h->p->grad + at, x->stride, g->C, g->dv + key,
                          g->C}, count, n, add);
        add_outer(&(rows){h, ds + low, s->q + at, h->stride, g->C,
                          g->dk + key, g->C}, count, n, add);
        add_outer(&(rows){h, ds + from - (to - 1), s->q + at, h->stride + 1,
                          g->C, drel + (g->wide - to) * g->D, g->D}, count,
                  n, add);
    }
}

static void head_back(void *ctx, size_t index)
{
    const pass *p = ctx;
    const ems_graph *g = p->g;
    head h = head_begin(p, index);
    h.values = ems_gemm_pack(g->level, h.first, p->s->v + h.at, 1, g->C,
                             g->D, h.n, 0);
    h.keys = ems_gemm_pack(g->level, h.second, p->s->k + h.at, g->C, 1, h.n,
                           g->D, 0);
    for (size_t i = g->groups; i-- > 0;) {
        const ems_att_group x = group_of(&h, i);
        for (size_t from = x.from; from < x.to; from += g->block_rows) {
            const size_t row = from - x.from;
            const block b = block_of(&h, from,
                                     least(from + g->block_rows, x.to));
            block_back(&b, h.prob + x.at + row * x.stride, x.stride,
                       h.ds + row * h.stride);
        }
        group_sums(&h, &x, g->drel + index * g->wide * g->D);
    }
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
    const size_t distance = have - 1 - index;
    if (distance >= g->N)
        return;
    const float *x = g->drel + (g->wide - 1 - distance) * D;
    for (size_t n = g->o.batch * g->H; n-- > 0; x += g->wide * D) {
        const size_t sequence = g->o.batch - 1 - n / g->H;
        if (distance < g->begin[sequence + 1] - g->begin[sequence])
            for (size_t d = 0; d < D; d++)
                out[d] += x[d];
    }
}

void ems_attention_back(ems_graph *g, const ems_layer_state *s,
                        const float *rel, const float *grad, float *drel_out)
{
    const double start = ems_now();
    pass p = {.g = g, .s = s, .grad = grad};
    rel_rows(g, rel);
    p.rel = ems_gemm_pack(g->level, g->rel_rows, g->rel, g->D, 1, g->wide,
                          g->D, 0);
    ems_pool_for(g->pool, g->o.batch * g->H, head_back, &p);
    rel_sum sum = {g, drel_out};
    ems_pool_for(g->pool, (size_t)g->o.shape.context_len, sum_rel_row, &sum);
    count(g, 6, start);
}

/* graph_parts.h - what the files of the graph share. */
#ifndef EMS_GRAPH_PARTS_H
#define EMS_GRAPH_PARTS_H
#include "base/arena.h"
#include "music/graph.h"
#include "nn/gemm.h"
#include "nn/ops.h"

enum {
    EMS_ATT_ROWS = 36,  /* queries that are worked on together, about */
    EMS_ATT_GROUP = 6,  /* such blocks whose sums over queries go together */
    EMS_ATT_UNIT = 32,  /* padding of distances: a multiple of all panels */
};

typedef struct ems_layer_state { /* kept from forward to backward */
    float *q, *k, *v, *o;        /* [M,C] */
    float *normal1, *h, *normal2, *y; /* [M,C] */
    float *f;                    /* [M,F] */
    float *rstd1, *rstd2;        /* [M] */
    float *prob;                 /* attention: see ems_attention */
} ems_layer_state;

/* Queries [from, to): their probabilities over the keys [0, to) are kept as
 * rows of `stride` floats. */
typedef struct ems_att_group {
    size_t from, to, stride, at; /* at: floats from the head's start */
} ems_att_group;

/* Rows that are worked on in one turn of a loop: of one sequence. */
typedef struct ems_rows {
    size_t row, count;         /* [row, row + count) of all rows */
    size_t sequence, position; /* of the first */
} ems_rows;

struct ems_graph {
    ems_graph_options o;
    ems_cpu_level level;
    ems_pool *pool;
    ems_gemm_pool *gemm;
    const ems_ops *ops;
    size_t C, H, D, F, V, N;
    size_t M;                   /* rows of this batch, at most batch * N */
    size_t *begin;              /* [B+1]: first row of each sequence */
    ems_rows *turn;             /* all rows, in order */
    size_t turns;
    size_t wide;                /* N rounded up to EMS_ATT_UNIT */
    size_t ld;                  /* of the logits */
    size_t block_rows, groups, prob_floats; /* of one head */
    ems_att_group *group;
    uint64_t step;
    size_t first;               /* ems_batch.first */
    void (*done)(void *user, int layer);
    void *done_user;
    double attention, attention_seconds; /* operations so far */
    ems_graph_pairs pairs;      /* so far */
    int flags;                  /* EMS_GEMM_BF16 or 0 */

    ems_layer_state layer[EMS_MAX_LAYERS];
    float *x0, *logits;
    float *offset, *offset_hidden;       /* [M], [M,C/4] */
    float *cond, *cond_hidden;           /* [2,B,C], [2,B,C/2] */
    float *mask;                         /* [M]: 0, or very low at PAD */
    unsigned char *masked;               /* [B]: whether there is any PAD */
    double *row_nll;                     /* [M] of the targets, unweighted */
    double *gain;                        /* [B]: see graph_loss.c */
    float *t;                            /* [M,C] */
    float *rel;                          /* this layer's E: [wide,D] */
    float *rel_packed, *rel_rows;        /* packed as [D,wide], [wide,D] */
    float *scratch;                      /* attention, per thread; 0 at first */
    size_t scratch_floats;
    /* gradients */
    float *dx, *dh, *dq, *dk, *dv, *df, *drel, *dcond, *dhidden;
    char *base;                          /* of the arena */
};

/* begin, turn and mask (graph_rows.c): memory; of a batch; a loop. */
void ems_rows_place(ems_graph *g, ems_arena *a);
void ems_rows_find(ems_graph *g, const ems_batch *b);
void ems_rows_each(ems_graph *g, void (*fn)(void *ctx, size_t turn),
                   void *ctx);

/* The token at a position after the conditions. */
static inline unsigned ems_token_at(const ems_graph *g, const ems_batch *b,
                                    size_t sequence, size_t position)
{
    return b->tokens[sequence * g->o.tokens + position - EMS_CONDITIONS];
}

/* Sequences that are excerpts: all, or the first of each pair. */
static inline size_t ems_excerpts(const ems_graph *g)
{
    return g->o.contrast > 0 ? g->o.batch / 2 : g->o.batch;
}

/* The number of a turn's first row among all rows of full excerpts, by which
 * dropout goes: both of a pair lose the same. */
static inline size_t ems_rows_number(const ems_graph *g, const ems_rows *r)
{
    return r->sequence % ems_excerpts(g) * g->N + r->position;
}

/* After forward: the loss, and its gradient in place of the logits
 * (graph_loss.c). */
double ems_graph_gradient(ems_graph *g, const ems_batch *b);

/* Rows of a row-major matrix. */
typedef struct ems_matrix {
    const float *data;
    size_t rows, columns, ld;
} ems_matrix;

/* y[rows, out] = x W' + b (NULL: none), W [out, x.columns]. */
void ems_linear(ems_graph *g, float *y, size_t ldy, ems_matrix x,
                const float *w, const float *b, size_t out, int flags);
/* dx[rows, in] = dy W, 0 where gate (NULL: none; the output of a ReLU) is. */
void ems_linear_dx(ems_graph *g, float *dx, ems_matrix dy, const float *w,
                   size_t in, const float *gate, int flags);
/* dW = dy' x, db (NULL: none) = column sums of dy. */
void ems_linear_dw(ems_graph *g, float *dw, float *db, ems_matrix dy,
                   ems_matrix x);

/* The dropout of this step at a site: 0 the embeddings, 1 and 2 the
 * conditions, 16 and above the layers. */
ems_drop ems_graph_drop(const ems_graph *g, unsigned site);

/* x0 from the batch; and the gradients from dx. */
void ems_embed(ems_graph *g, const ems_params *p, const ems_batch *b);
void ems_embed_back(ems_graph *g, const ems_params *p, const ems_batch *b,
                    ems_params *grads);

/* Divides the queries into blocks and groups; the groups themselves are
 * written where g->group is not NULL. */
void ems_attention_sizes(ems_graph *g);
void ems_attention_groups(ems_graph *g);
/* Floats of scratch one thread needs. */
size_t ems_attention_scratch(const ems_graph *g);
/* o = attention(q, k, v) for all heads; E as rows of distances. */
void ems_attention(ems_graph *g, const ems_layer_state *s, const float *rel);
/* dq, dk, dv of g from `grad` = d o; grad of E to `drel_out` (the whole
 * table, [context_len, D]). */
void ems_attention_back(ems_graph *g, const ems_layer_state *s,
                        const float *rel, const float *grad,
                        float *drel_out);
#endif

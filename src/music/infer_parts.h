/* infer_parts.h - what the parts of inference share: infer_net.c packs
 * weights, infer.c carries rows through the layers, infer_float.c and
 * infer_int8.c are a head's attention. */
#ifndef EMS_INFER_PARTS_H
#define EMS_INFER_PARTS_H
#include "music/infer.h"
#include "nn/kern.h"
#include "nn/kern8.h"

enum {
    EMS_ROWS = 96,            /* positions that go through together */
    EMS_MAX_CONTEXT = 65536,  /* ems_shape_check allows no more */
    EMS_MAX_HEAD = 8192,      /* nor a wider head */
    EMS_TILE = 12,            /* rows of one session that attend together */
};

typedef struct ems_net_layer {
    /* qkv: for each head q, k and v of D rows each, then zeros up to whole
     * panels. */
    ems_weights qkv, o, ff1, ff2;
    float *rel;          /* [D][rel_stride]: the relative table, transposed */
    ems_weights rel8;    /* EMS_INT8 instead: T rows of D */
    float *ln1_w, *ln1_b, *ln2_w, *ln2_b;
} ems_net_layer;

struct ems_net {
    ems_model_shape shape;
    ems_precision precision;
    size_t C, H, D, F, T, V;
    size_t head_panels;  /* of a head's q, k and v */
    size_t rel_stride;   /* T and 64 columns that are never used */
    size_t v_width;      /* D rounded up to 16 */
    const ems_kern *kern;
    const ems_kern8 *kern8;
    float *emb, *pos, *nulls[EMS_CONDITIONS];
    float *cond_w[EMS_CONDITIONS], *cond_b[EMS_CONDITIONS], *off_w, *off_b;
    ems_weights cond[EMS_CONDITIONS], off, out;
    ems_net_layer *layer;
    void *block;         /* all weights */
};

/* Keys and values of one head of one layer; what is not of the net's
 * precision is NULL. Tp is T rounded up to whole panels. */
typedef struct ems_head_cache {
    float *keys;         /* [Tp/64][D][64] */
    float *values;       /* [T][v_width] */
    int8_t *keys8;       /* [Tp/64] panels [D/2][64][2] */
    int8_t *values8;     /* [D/64] panels [Tp/2][64][2] */
    float *key_scale, *value_scale; /* [Tp] */
    float *value_most;   /* [Tp] largest value_scale up to there */
} ems_head_cache;

/* One position of one session on its way through the layers. */
typedef struct ems_infer_row {
    ems_session *session;
    size_t at;
} ems_infer_row;

struct ems_session {
    const ems_net *net;
    ems_pool *pool;
    void *block;
    size_t length;       /* positions whose keys and values are known */
    ems_head_cache *cache; /* [layer][head] */
    float *logits;       /* [V rounded up to 64] */
    /* Scratch for EMS_ROWS positions, of any sessions of this net; widths are
     * whole panels, W(n) = n rounded up to 64. */
    ems_infer_row row[EMS_ROWS];
    float *x, *h;        /* [rows][W(C)] */
    float *qkv;          /* [rows][H][head_panels * 64] */
    float *att;          /* [rows][W(C)] */
    float *ff;           /* [rows][W(F)] */
    int16_t *q;          /* [rows][q_width]: EMS_INT8, a product's input */
    float *q_scale;      /* [rows] */
    size_t q_width, x_width, ff_width, qkv_width;
    float *hidden;
};

static inline size_t ems_panels_of(size_t n)
{
    return (n + EMS_PANEL - 1) / EMS_PANEL;
}

static inline size_t ems_whole(size_t n)
{
    return ems_panels_of(n) * EMS_PANEL;
}

/* Rows [0, rows) of s->row have q, k and v of this head in s->qkv: remember k
 * and v, then fill the head's columns of s->att. */
void ems_head_float(ems_session *s, size_t layer, size_t head, size_t rows);
void ems_head_int8(ems_session *s, size_t layer, size_t head, size_t rows);
/* Scales of the first positions have changed: set right value_most[length]. */
void ems_cache8_scales(ems_head_cache *c, size_t length);
#endif

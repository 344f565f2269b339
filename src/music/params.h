/* params.h - the learned tensors of the music transformer, laid out by one
 * table in one block. Names are those of the released EMSYNC model.
 *
 * Letters: C d_model, H heads, D = C/H, F d_inner, T context_len,
 * V vocab_size. Weights of a Linear are [out, in], row-major. */
#ifndef EMS_PARAMS_H
#define EMS_PARAMS_H
#include "base/error.h"

enum { EMS_CONDITIONS = 2, EMS_MAX_LAYERS = 64 };

/* X(field, name, rows, cols, init, decay)
 * rows = 0: a vector of cols; init: see ems_params_init; decay: AdamW's
 * weight decay applies. `c` is the shape. Order is the order in the block. */
#define EMS_MODEL_PARAMS(X)                                                   \
    X(pos, "positional_encoding", c->context_len, c->d_model / 2, TENTH, 0)   \
    X(emb, "embedding.weight", c->vocab_size, c->d_model, TENTH, 0)           \
    X(v1_w, "fc_conditions.0.0.weight", c->d_model / 2, 1, TENTH, 1)          \
    X(v1_b, "fc_conditions.0.0.bias", 0, c->d_model / 2, ZERO, 0)             \
    X(v2_w, "fc_conditions.0.2.weight", c->d_model, c->d_model / 2, TENTH, 1) \
    X(v2_b, "fc_conditions.0.2.bias", 0, c->d_model, ZERO, 0)                 \
    X(a1_w, "fc_conditions.1.0.weight", c->d_model / 2, 1, TENTH, 1)          \
    X(a1_b, "fc_conditions.1.0.bias", 0, c->d_model / 2, ZERO, 0)             \
    X(a2_w, "fc_conditions.1.2.weight", c->d_model, c->d_model / 2, TENTH, 1) \
    X(a2_b, "fc_conditions.1.2.bias", 0, c->d_model, ZERO, 0)                 \
    X(v_null, "null_conditions.0", 1, c->d_model, TENTH, 0)                   \
    X(a_null, "null_conditions.1", 1, c->d_model, TENTH, 0)                   \
    X(off1_w, "ff_times_to_chord.0.weight", c->d_model / 4, 1, TENTH, 1)      \
    X(off1_b, "ff_times_to_chord.0.bias", 0, c->d_model / 4, ZERO, 0)         \
    X(off2_w, "ff_times_to_chord.2.weight", c->d_model / 2, c->d_model / 4,   \
      TENTH, 1)                                                               \
    X(off2_b, "ff_times_to_chord.2.bias", 0, c->d_model / 2, ZERO, 0)         \
    X(out_w, "fc.weight", c->vocab_size, c->d_model, TENTH, 1)                \
    X(out_b, "fc.bias", 0, c->vocab_size, FAN_IN, 0)

/* As above, once per layer; the name follows "enc_layers.<i>.". */
#define EMS_LAYER_PARAMS(X)                                                   \
    X(rel, "rga.E", c->context_len, c->d_model / c->n_head, NORMAL, 0)        \
    X(q_w, "rga.Wq.weight", c->d_model, c->d_model, FAN_IN, 1)                \
    X(q_b, "rga.Wq.bias", 0, c->d_model, FAN_IN, 0)                           \
    X(k_w, "rga.Wk.weight", c->d_model, c->d_model, FAN_IN, 1)                \
    X(k_b, "rga.Wk.bias", 0, c->d_model, FAN_IN, 0)                           \
    X(v_w, "rga.Wv.weight", c->d_model, c->d_model, FAN_IN, 1)                \
    X(v_b, "rga.Wv.bias", 0, c->d_model, FAN_IN, 0)                           \
    X(o_w, "rga.fc.weight", c->d_model, c->d_model, FAN_IN, 1)                \
    X(o_b, "rga.fc.bias", 0, c->d_model, FAN_IN, 0)                           \
    X(ff1_w, "FFN_pre.weight", c->d_inner, c->d_model, FAN_IN, 1)             \
    X(ff1_b, "FFN_pre.bias", 0, c->d_inner, FAN_IN, 0)                        \
    X(ff2_w, "FFN_suf.weight", c->d_model, c->d_inner, FAN_IN_INNER, 1)       \
    X(ff2_b, "FFN_suf.bias", 0, c->d_model, FAN_IN_INNER, 0)                  \
    X(ln1_w, "layernorm1.weight", 0, c->d_model, ONE, 0)                      \
    X(ln1_b, "layernorm1.bias", 0, c->d_model, ZERO, 0)                       \
    X(ln2_w, "layernorm2.weight", 0, c->d_model, ONE, 0)                      \
    X(ln2_b, "layernorm2.bias", 0, c->d_model, ZERO, 0)

typedef struct ems_layer_params {
#define X(field, name, rows, cols, init, decay) float *field;
    EMS_LAYER_PARAMS(X)
#undef X
} ems_layer_params;

typedef struct ems_params {
    ems_model_shape shape;
    size_t count;    /* floats in the block, all tensors back to back */
    float *block;    /* not owned */
#define X(field, name, rows, cols, init, decay) float *field;
    EMS_MODEL_PARAMS(X)
#undef X
    ems_layer_params layer[EMS_MAX_LAYERS];
} ems_params;

typedef enum ems_init {
    EMS_INIT_ZERO, EMS_INIT_ONE,
    EMS_INIT_TENTH,        /* uniform in +-0.1 */
    EMS_INIT_NORMAL,       /* N(0, 1) */
    EMS_INIT_FAN_IN,       /* uniform in +-1/sqrt(d_model) */
    EMS_INIT_FAN_IN_INNER, /* uniform in +-1/sqrt(d_inner) */
} ems_init;

typedef struct ems_tensor { /* one row of the table, for this shape */
    char name[48];
    size_t offset, count;   /* in floats from the start of the block */
    size_t dims[3];
    int ndim;
    ems_init init;
    int decay;
} ems_tensor;

/* EMS_EINVAL (with the reason) unless the sizes can be a model: d_model a
 * multiple of 4 and of n_head, every size positive and sane. */
int ems_shape_check(const ems_model_shape *shape, ems_error *err);
/* Floats that a model of this (checked) shape takes; 37,178,355 for the
 * released one. */
size_t ems_params_count(const ems_model_shape *shape);
/* Point every field into `block` (count floats). */
void ems_params_place(ems_params *p, const ems_model_shape *shape,
                      float *block);
/* Visit all tensors in block order. */
void ems_params_each(const ems_model_shape *shape,
                     void (*visit)(void *user, const ems_tensor *t),
                     void *user);
/* The paper's initialisation (docs/MODEL.md 2.4), from a seed. */
void ems_params_init(ems_params *p, uint64_t seed);
#endif

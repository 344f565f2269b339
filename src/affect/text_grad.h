/* text_grad.h - the classifier with gradients, on a few lines at a time. */
#ifndef EMS_TEXT_GRAD_H
#define EMS_TEXT_GRAD_H
#include "affect/text_model.h"
#include "nn/gemm.h"
#include "nn/ops.h"

enum {
    EMS_SHARD = 8, /* lines that are worked on together */
    EMS_SHARD_WORDS = EMS_SHARD * EMS_WORDS_MAX,
    EMS_SHARD_ROWS = EMS_SHARD_WORDS + EMS_SHARD + 1,
};

typedef struct ems_shard_input {
    size_t lines;
    size_t line[EMS_SHARD + 1];  /* words line[i] .. line[i+1] - 1, each line
                                    has one at least */
    size_t word[EMS_SHARD_WORDS + 1]; /* rows word[w] .. word[w+1] - 1 */
    uint32_t row[EMS_SHARD_WORDS * EMS_WORD_PIECES]; /* of the embedding */
    float target[EMS_SHARD][EMS_TEXT_OUTPUTS]; /* probabilities */
    uint32_t key;                /* of the dropout */
} ems_shard_input;

/* Scratch and results. */
typedef struct ems_shard {
    ems_shard_input in;
    ems_text_params grad;   /* of the sum of the lines' losses */
    float *dword;           /* [words,D]: of each word's mean */
    double loss;            /* summed over the lines */
    float *v, *z, *dv, *dz, *window; /* [rows,D] [rows,C] .. [rows,3D] */
    float *u, *du, *h, *dh, *o;      /* [lines, 2C+D] [lines,H] [lines,P] */
    float *share;           /* [words]: the attention's weights */
    size_t *arg;            /* [lines,C]: word with the maximum */
    void *block;
} ems_shard;

typedef struct ems_text_net { /* shared by all shards */
    ems_text_shape shape;
    const ems_text_params *params;
    const float *table;     /* [B,D] */
    float dropout;
    ems_cpu_level level;
    const ems_ops *ops;
} ems_text_net;

ems_shard *ems_shard_new(const ems_text_shape *s, ems_error *err);
void ems_shard_free(ems_shard *s);
/* Loss and gradients of s->in; `work`: ems_gemm_work bytes. */
void ems_shard_run(ems_shard *s, const ems_text_net *net, void *work);
#endif

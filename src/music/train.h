/* train.h - the training loop's parts; ems_train_music is in emsync.h. */
#ifndef EMS_TRAIN_H
#define EMS_TRAIN_H
#include "music/graph.h"
#include "music/train_sample.h"
#include "nn/optim.h"

#include <stdio.h>

/* What a checkpoint holds besides parameters and moments. All randomness of
 * a step comes from (seed, step), so no generator state is kept. */
typedef struct ems_train_state {
    ems_model_shape shape;
    uint64_t step;      /* steps done */
    uint64_t tokens;    /* targets seen */
    uint64_t seed;
    double seconds;     /* of training so far */
    double best;        /* lowest held-out NLL */
} ems_train_state;

typedef struct ems_training {
    ems_train_options o;
    const ems_run *run;
    ems_train_state state;
    ems_pool *pool;
    ems_graph *graph;
    ems_dataset *data;
    ems_sampler sampler;
    ems_params p, d;      /* parameters and gradient */
    float *block;         /* parameters, gradient, two moments */
    ems_optim optim;
    ems_span *span;
    ems_batch batch;
    uint16_t *ids;        /* tokens and targets of a batch */
    float *reals;         /* seconds and conditions */
    char *checkpoint, *log_path;
    FILE *log;
    double started, saved; /* ems_now() */
    double loss;          /* since the last line of the log */
    double lr, norm, speed;
    int unsaved;          /* the last checkpoint failed: disk full */
} ems_training;

/* out.ckpt: the state, parameters and moments; whole or not at all. */
int ems_checkpoint_save(const ems_training *t, ems_error *err);
/* The state, to know the shape before memory is taken. */
int ems_checkpoint_state(const char *path, ems_train_state *s,
                         ems_error *err);
/* Parameters and moments into t->block. */
int ems_checkpoint_load(ems_training *t, ems_error *err);
#endif

/* train.h - the training loop's parts; ems_train_music is in emsync.h.
 *
 *     train.c             options, setting up, the loop, the end
 *     train_step.c        one step over all parts of its batch and all ranks
 *     train_pairs.c       its part that tells valences apart
 *     train_sample.c      excerpts; train_breaks.c: some that break off
 *     train_from.c        existing weights as the beginning, context grown
 *     train_checkpoint.c  what resuming needs
 *     train_log.c         lines of the log, held-out scores, best weights
 *     train_curve.c       the log as a picture
 *
 * A step's batch has ranks x accumulate x batch excerpts. Rank r takes
 * r * accumulate * batch and on, in parts of `batch`, which is what a graph
 * holds. */
#ifndef EMS_TRAIN_H
#define EMS_TRAIN_H
#include "base/ranks.h"
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
    uint64_t held;      /* fingerprint of the pieces it was measured on */
} ems_train_state;

typedef struct ems_turn { /* what all ranks agree on before a step */
    double weight;    /* of the targets of the whole batch */
    double seconds;   /* of training so far, by rank 0's clock */
    double cancelled; /* how many were told to stop */
} ems_turn;

/* Short excerpts, o.pairs of them, each twice: with its own valence and with
 * another's. */
typedef struct ems_train_pairs {
    ems_graph *graph;     /* NULL: no pairs are asked for */
    uint16_t *ids;        /* tokens and targets */
    float *reals;         /* seconds and conditions */
} ems_train_pairs;

typedef struct ems_training {
    ems_train_options o;
    ems_run run;          /* only rank 0 talks */
    ems_ranks *ranks;     /* NULL: one process */
    ems_train_state state;
    ems_pool *pool;
    ems_graph *graph;
    ems_train_pairs pairs;
    ems_dataset *data;
    ems_sampler sampler;
    ems_params p, d;      /* parameters and gradient */
    float *block;         /* parameters, gradient, two moments */
    float *sum;           /* gradient of a step's earlier parts, or NULL */
    ems_optim optim;
    ems_span *span;
    uint16_t *ids;        /* tokens and targets of all parts */
    float *reals;         /* seconds and conditions */
    char *checkpoint, *log_path, *curve_path;
    FILE *log;            /* NULL but on rank 0 */
    ems_turn turn;
    double started, saved; /* ems_now() */
    double loss;          /* since the last line of the log */
    double lr, norm;
    uint64_t line_step;   /* of the last line of the log */
    double line_time;
    ems_graph_pairs line_pairs;
    int unsaved;          /* the last checkpoint failed: disk full */
} ems_training;

static inline int ems_train_leads(const ems_training *t)
{
    return ems_ranks_rank(t->ranks) == 0;
}

/* Excerpts of one step on all ranks. */
size_t ems_train_sequences(const ems_training *t);
double ems_train_seconds(const ems_training *t);
/* How much of the run is done, 0..1, by steps or by time. */
double ems_train_progress(const ems_train_options *o, uint64_t step,
                          double seconds);
/* The learning rate of the step after `step`. */
double ems_train_rate(const ems_train_options *o, uint64_t step,
                      double seconds);
/* Bytes that training with these options takes. */
size_t ems_train_bytes(const ems_train_options *o, int threads);

/* Graph, pool, memory for t->o. Close whatever came of it. */
int ems_train_engine(ems_training *t, ems_error *err);
void ems_train_close(ems_training *t);

/* Does a step's gradient come in parts? */
static inline int ems_train_has_parts(const ems_train_options *o)
{
    return o->accumulate > 1 || o->contrast > 0;
}

/* Floating point operations and bytes of the pairs that these options ask for;
 * memory for them; its end. */
double ems_pairs_flops(const ems_train_options *o);
size_t ems_pairs_bytes(const ems_train_options *o, int threads);
int ems_pairs_open(ems_training *t, ems_error *err);
void ems_pairs_close(ems_train_pairs *p);
/* Draw the pairs of the next step: the weight of their targets. 0: no pairs. */
double ems_pairs_draw(ems_training *t);
/* Forward and backward through them: their part of the step's loss; the
 * gradient goes to t->d. */
double ems_pairs_gradient(ems_training *t, uint64_t masks);
/* How surely the pairs so far were told apart; all zero: there are none. */
ems_graph_pairs ems_pairs_told(const ems_training *t);

/* Draw the excerpts of the next step and agree about it. */
int ems_train_turn(ems_training *t, ems_error *err);
/* Gradient and optimiser's step. EMS_EINTERNAL: diverged. */
int ems_train_step(ems_training *t, ems_error *err);
/* Scores of the held-out excerpts; the next turn draws its own anew. A count
 * of 0: told to stop. */
int ems_train_score(ems_training *t, int blind, ems_score_sums *sum,
                    ems_error *err);

/* `want` takes the sizes of `weights`; its context_len stays if larger. */
int ems_train_from_shape(const char *weights, ems_model_shape *want,
                         ems_error *err);
/* Set p, which is initialised, to the weights as far as they go. New far
 * distances of attention get the mean of the farthest known ones. */
int ems_train_from(const char *weights, ems_params *p, ems_error *err);

/* Open the log and lock it: two runs must not write the same files. */
int ems_train_log_open(ems_training *t, ems_error *err);
/* A line about the steps since the last one. */
void ems_train_log_step(ems_training *t);
/* Steps and time count from here for the next line. */
void ems_train_log_restart(ems_training *t);
void ems_train_log_end(ems_training *t, int code, const ems_error *err);
/* Held-out scores; the weights are written when they are the best so far. */
int ems_train_validate(ems_training *t, ems_error *err);
int ems_train_save_weights(ems_training *t, double nll, ems_error *err);

typedef struct ems_curve { /* what a log says, ascending steps */
    double *step, *loss, *rate;      /* [count] */
    size_t count;
    double *held_step, *held, *blind; /* [held_count] NLL */
    size_t held_count;
} ems_curve;

/* From the text of a log. Where a run went back to a checkpoint, what was
 * undone is left out; lines of other kinds are ignored. EMS_ENOMEM. */
int ems_curve_parse(ems_curve *c, const char *text, size_t size,
                    ems_error *err);
void ems_curve_clear(ems_curve *c);
/* The log as a picture. */
int ems_curve_draw(const char *log_path, const char *svg_path,
                   ems_error *err);

/* out.ckpt: the state, parameters and moments; whole or not at all. */
int ems_checkpoint_save(const ems_training *t, ems_error *err);
/* The state, to know the shape before memory is taken. */
int ems_checkpoint_state(const char *path, ems_train_state *s,
                         ems_error *err);
/* Parameters and moments into t->block. */
int ems_checkpoint_load(ems_training *t, ems_error *err);
#endif

/* evaluate.h - the parts of ems_evaluate_music. What each number means:
 * docs/MUSIC.md. */
#ifndef EMS_EVALUATE_H
#define EMS_EVALUATE_H
#include "base/pool.h"
#include "music/dataset.h"
#include "music/piece.h"
#include "music/plan.h"

#define EMS_JUDGE_NAME "emsync-judge.safetensors" /* beside the model */

/* A piece to compose: the plan first, then the piece or why there is none. */
typedef struct ems_task {
    ems_plan plan;     /* its arrays are the task's */
    ems_knot knot;     /* the one knot of its curve */
    double asked_valence, asked_arousal;
    ems_piece *piece;
    ems_error error;
    int code;
} ems_task;

typedef struct ems_evaluator {
    const ems_evaluate_options *o;
    const ems_run *run;
    ems_evaluation *out;
    ems_pool *pool;
    ems_dataset *data;     /* NULL: none */
    ems_task *emotions;    /* [25 * o->pieces], composed */
    size_t emotion_count;
    double done, share;    /* of all the work; of the part in progress */
} ems_evaluator;

/* A plan of one emotion; takes `hits` (from ems_alloc, may be NULL). */
void ems_task_set(ems_task *t, double seconds, double valence, double arousal,
                  double *hits, size_t hit_count, ems_sync sync,
                  uint64_t seed);
void ems_task_clear(ems_task *t);
/* Compose all, one on each thread. The first error that is met, or 0. */
int ems_tasks_compose(ems_evaluator *e, ems_task *tasks, size_t count,
                      ems_error *err);

/* Statistics of composed (or a folder's) and real pieces: out->measure. */
int ems_evaluate_statistics(ems_evaluator *e, ems_piece *const *composed,
                            size_t count, ems_error *err);
/* Names of the measures, into `out`. */
void ems_evaluate_name(ems_evaluation *out);
/* Add a share of each measure of a piece to mean[EMS_EVALUATE_MEASURES]. */
int ems_evaluate_add(double *mean, double share, const ems_piece *p,
                     ems_error *err);
/* Asked against heard: the emotion tasks. */
int ems_evaluate_emotion(ems_evaluator *e, ems_error *err);
int ems_evaluate_boundaries(ems_evaluator *e, ems_error *err);
int ems_evaluate_nll(ems_evaluator *e, ems_error *err);
int ems_evaluate_novelty(ems_evaluator *e, ems_piece *const *pieces,
                         size_t count, ems_error *err);

/* Correlations of x and y, [count]; NaN where one does not vary. */
double ems_pearson(const double *x, const double *y, size_t count);
/* NaN too when out of memory. */
double ems_spearman(const double *x, const double *y, size_t count);
/* Common area of two distributions, each smoothed by a Gaussian of Scott's
 * width. NaN when one is empty. */
double ems_overlap(const double *x, size_t n, const double *y, size_t m);
#endif

/* optim.h - AdamW over one flat block of parameters (Loshchilov and Hutter,
 * 2019), gradient clipping by the global norm, and the learning rate. */
#ifndef EMS_OPTIM_H
#define EMS_OPTIM_H
#include "base/pool.h"
#include "nn/ops.h"

enum { EMS_SPAN = 32768 }; /* floats that are worked on in one turn */

typedef struct ems_span { /* part of the block, at most EMS_SPAN floats */
    size_t at, count;
    int decay;            /* weight decay applies */
} ems_span;

typedef struct ems_optim {
    const ems_ops *ops;
    ems_pool *pool;
    const ems_span *span;
    size_t spans;
    double *sums;      /* [spans], scratch */
    float *p, *m, *v;  /* parameters and the two moments */
    const float *g;    /* gradient */
} ems_optim;

/* The norm of the whole gradient; NaN or infinite if it went wrong. */
double ems_optim_norm(ems_optim *o);
/* One step, numbered from 1, with the gradient times `scale`. */
void ems_optim_step(ems_optim *o, uint64_t step, double lr, double decay,
                    double scale);
/* Linear from 0 over `warmup` steps, then a half cosine from lr to
 * lr * end while `progress` goes from 0 to 1. */
double ems_learning_rate(double lr, double end, double warmup, uint64_t step,
                         double progress);
#endif

/* train.h - the enhancer's training loop in parts; ems_train_enhancer is in
 * emsync.h.
 *
 *     train.c             options, memory, the loop, the log
 *     train_step.c        what a step hears; held-out scores
 *     train_checkpoint.c  what resuming needs */
#ifndef EMS_ENHANCE_TRAIN_H
#define EMS_ENHANCE_TRAIN_H
#include "enhance/net.h"
#include "enhance/tunes.h"
#include "nn/optim.h"

#include <stdio.h>

/* All randomness of a step comes from (seed, step), so a checkpoint holds no
 * generator's state. */
typedef struct ems_enhance_state {
    ems_enhancer_shape shape;
    ems_enhancer_filters filters;
    ems_enhancer_optimizer optimizer;
    uint64_t step, seed;
    double seconds; /* of training so far */
} ems_enhance_state;

typedef struct ems_enhance_train {
    ems_enhancer_options o;
    ems_run run;
    ems_enhance_state state;
    ems_tunes tunes;  /* every eighth is held out */
    size_t *start;    /* [tunes + 1]: where each begins, in frames that may
                         begin a chunk */
    ems_pool *pool;
    ems_cnet *net;
    float *block;     /* parameters, gradient, two moments */
    float *stats;     /* of batch norms */
    float *scratch;   /* of a kernel's step */
    float *whole;     /* [batch][chunk, 2]: what is wanted */
    ems_optim optim;
    ems_span *span;
    char *checkpoint, *log_path;
    FILE *log;
    double started, saved;
    double loss;      /* since the last line of the log */
    uint64_t line_step;
    int failed;       /* a filter of a step had no memory */
} ems_enhance_train;

static inline int ems_enhance_is_held(size_t tune)
{
    return tune % 8 == 7;
}

/* Filtered chunks into the network, whole ones to t->whole, pass, gradient:
 * the mean square error. EMS_ENOMEM. */
int ems_enhance_gradient(ems_enhance_train *t, double *loss, ems_error *err);
/* Mean SNR of filtered and of restored sound over the held-out tunes, 8 s of
 * each. */
typedef struct ems_enhance_snr {
    double in, out;
} ems_enhance_snr;
int ems_enhance_held(ems_enhance_train *t, int filter, ems_enhance_snr *snr,
                     ems_error *err);

int ems_enhance_checkpoint_save(const ems_enhance_train *t, ems_error *err);
int ems_enhance_checkpoint_state(const char *path, ems_enhance_state *s,
                                 ems_error *err);
int ems_enhance_checkpoint_load(ems_enhance_train *t, ems_error *err);
#endif

/* learn.h - training a fusion on clips in memory.
 *
 * A batch is cut into four parts whose gradients are summed in order, so that
 * weights do not depend on the number of threads. */
#ifndef EMS_FUSION_LEARN_H
#define EMS_FUSION_LEARN_H
#include "base/pool.h"
#include "fusion/scores.h"

enum { EMS_ROLE_NONE, EMS_ROLE_TRAIN, EMS_ROLE_VALID, EMS_ROLE_TEST };

typedef struct ems_fusion_lesson {
    const ems_clip *clips;
    const uint8_t *role; /* [count] */
    size_t count;
    int batch, epochs, patience; /* without EMS_ROLE_VALID: all epochs */
    double lr, decay, dropout, absent;
    double mix;       /* share of the clips that are joined with another of
                         like emotion: half of the rows of each */
    int minmax;       /* scale as EMSYNC: one range per expert */
    uint64_t seed;
    ems_pool *pool;
    const ems_run *run;
    double from, to;  /* of the progress "train" */
    int quiet;        /* nonzero: no line per epoch */
} ems_fusion_lesson;

/* Set the scales of `f` from the clips of EMS_ROLE_TRAIN, draw weights (as
 * PyTorch does), teach, and leave the weights that did best on those of
 * EMS_ROLE_VALID. *epoch: theirs, from 1. EMS_EINVAL without clips to learn
 * from, EMS_EINTERNAL when the loss is not finite, EMS_ECANCELLED. */
int ems_fusion_teach(ems_fusion *f, const ems_fusion_lesson *lesson,
                     int *epoch, ems_error *err);
#endif

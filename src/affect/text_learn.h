/* text_learn.h - training the classifier on a set of lines.
 *
 * A batch is cut into shards of EMS_SHARD lines whose gradients are summed in
 * order, so that weights do not depend on the number of threads. Only rows of
 * the embedding that a batch uses are moved. */
#ifndef EMS_TEXT_LEARN_H
#define EMS_TEXT_LEARN_H
#include "affect/text_data.h"
#include "affect/text_grad.h"
#include "base/pool.h"
#include "nn/optim.h"

typedef struct ems_learner ems_learner;

typedef struct ems_lesson {
    const ems_text_set *set;
    const float *target;   /* [lines, EMS_TEXT_OUTPUTS]: probabilities */
    size_t batch, epochs;  /* batch: a multiple of EMS_SHARD */
    double lr, decay, warmup;
    float dropout, forget; /* forget: share of the hashes left out */
    uint64_t seed;
    const ems_run *run;
} ems_lesson;

/* Random weights; outputs begin at the log-odds of `prior`. */
ems_learner *ems_learner_new(const ems_text_shape *s,
                             const float prior[EMS_TEXT_OUTPUTS],
                             uint64_t seed, ems_pool *pool, ems_error *err);
/* EMS_EINTERNAL when the loss is not finite, EMS_ECANCELLED. The log hears
 * the mean loss of each epoch. */
int ems_learner_teach(ems_learner *l, const ems_lesson *lesson,
                      ems_error *err);
/* The same weights for rating, the embedding rounded to 8 bits. */
ems_text *ems_learner_result(const ems_learner *l, ems_error *err);
void ems_learner_free(ems_learner *l);
#endif

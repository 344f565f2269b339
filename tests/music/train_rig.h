/* train_rig.h - a small data set and a short run, for the tests of training. */
#ifndef TRAIN_RIG_H
#define TRAIN_RIG_H
#include "ems_test.h"

#include <emsync/emsync.h>

enum { PHRASE = 8, PHRASES = 60 }; /* tokens, phrases of a piece */

/* A chord every two seconds; the first `pieces` of two long, a short, and a
 * held-out long piece. */
void write_data(const char *path, int pieces);

/* Twelve steps of a model of 40,000 parameters. */
ems_train_options short_run(const char *data, const char *out);
/* Train, told to stop at that progress unless it is 0. */
int train(const ems_train_options *o, int threads, double stop_at,
          ems_error *err);
void must(int code, const ems_error *err);
/* Parameters and moments of two checkpoints, bit for bit. */
void same_checkpoint(const char *a, const char *b);
uint64_t steps_in(const char *checkpoint);
#endif

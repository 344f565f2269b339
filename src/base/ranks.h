/* ranks.h - the processes that mpirun or srun started together.
 *
 * MPI is not linked: libemsync-mpi.so (ranks_mpi.c), built where MPI is at
 * hand, is opened when the environment says that this process is one of
 * several. All functions accept NULL, a process of its own, and then do
 * nothing. Every rank must make the same calls in the same order, from one
 * thread. */
#ifndef EMS_RANKS_H
#define EMS_RANKS_H
#include "base/error.h"

typedef struct ems_ranks ems_ranks;

/* What the launcher said about this process: its number, and how many there
 * are (1: alone). Needs no MPI. */
int ems_ranks_announced(int *size);

/* Join the others; *out is NULL for a process of its own. MPI begins once in
 * a process: after ems_ranks_close there is no second time. EMS_EUNSUPPORTED:
 * no MPI, or started so that the processes do not know each other. */
int ems_ranks_open(ems_ranks **out, ems_error *err);
void ems_ranks_close(ems_ranks *r);

int ems_ranks_rank(const ems_ranks *r);  /* 0 alone */
int ems_ranks_size(const ems_ranks *r);  /* 1 alone */
/* Threads for this rank: `threads` as in ems_run, where 0 shares the cores
 * among the ranks of this computer. */
int ems_ranks_threads(const ems_ranks *r, int threads);

/* x[i] becomes the sum of all ranks' x[i]. */
int ems_ranks_sum(ems_ranks *r, double *x, size_t n, ems_error *err);
/* Rank 0's bytes to all. */
int ems_ranks_share(ems_ranks *r, void *data, size_t bytes, ems_error *err);
/* Did every rank succeed? If one did not, all get its code and sentence. */
int ems_ranks_agree(ems_ranks *r, int code, ems_error *err);

/* Begin to sum x in place while the caller computes; x must not be touched
 * before ems_ranks_wait, which ends all that was begun. */
void ems_ranks_begin(ems_ranks *r, float *x, size_t n);
int ems_ranks_wait(ems_ranks *r, ems_error *err);
#endif

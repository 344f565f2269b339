/* ranks_mpi.h - between libemsync and libemsync-mpi.so. Both are built from
 * one tree: EMS_RANKS_VERSION tells when they are not. */
#ifndef EMS_RANKS_MPI_H
#define EMS_RANKS_MPI_H
#include <stddef.h>

#define EMS_RANKS_SYMBOL "ems_ranks_mpi"
enum { EMS_RANKS_VERSION = 1 };

/* Functions return 0, or -1 when MPI failed. */
typedef struct ems_ranks_calls {
    int version;
    /* NULL with a reason (at least 128 bytes). *local: ranks on this computer. */
    void *(*open)(int *rank, int *size, int *local, char *why, size_t bytes);
    /* failed: leave the others alone, they may not answer any more. */
    void (*close)(void *state, int failed);
    int (*sum)(void *state, double *x, size_t n);
    int (*least)(void *state, int *x);
    int (*share)(void *state, int root, void *data, size_t bytes);
    int (*begin)(void *state, float *x, size_t n);
    int (*wait)(void *state);
} ems_ranks_calls;
#endif

/* The plug-in libemsync-mpi.so: sums and broadcasts through MPI.
 *
 * MPI libraries work on a non-blocking sum only while somebody calls them, so
 * a thread asks every now and then whether it is finished: that moves it on
 * while the others compute. */
#include "base/ranks_mpi.h"

#include <limits.h>
#include <mpi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 256, POLL_NS = 100000 };

typedef struct state {
    MPI_Comm comm;
    int ours;             /* MPI_Init was called here */
    int threaded;         /* there is a thread that moves things on */
    pthread_t mover;
    pthread_mutex_t lock; /* of every MPI call, and what follows */
    pthread_cond_t wake;
    int count, stop, failed;
    MPI_Request request[MOST];
} state;

static void nap(void)
{
    const struct timespec t = {.tv_nsec = POLL_NS};
    nanosleep(&t, NULL);
}

static void *move_on(void *arg)
{
    state *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        int done = 1;
        if (s->count == 0)
            pthread_cond_wait(&s->wake, &s->lock);
        if (s->count)
            s->failed |= MPI_Testall(s->count, s->request, &done,
                                     MPI_STATUSES_IGNORE) != MPI_SUCCESS;
        if (done || s->failed)
            s->count = 0;
        pthread_mutex_unlock(&s->lock);
        if (!done)
            nap();
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int begin_mpi(state *s, int *level, char *why, size_t bytes)
{
    int begun = 0, over = 0;
    MPI_Initialized(&begun);
    MPI_Finalized(&over);
    if (over) {
        snprintf(why, bytes, "MPI has already ended in this process");
        return -1;
    }
    s->ours = !begun;
    if (begun)
        MPI_Query_thread(level);
    else if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, level) !=
             MPI_SUCCESS) {
        snprintf(why, bytes, "MPI does not start");
        return -1;
    }
    if (MPI_Comm_dup(MPI_COMM_WORLD, &s->comm) != MPI_SUCCESS) {
        snprintf(why, bytes, "MPI gives no communicator");
        return -1;
    }
    MPI_Comm_set_errhandler(s->comm, MPI_ERRORS_RETURN);
    return 0;
}

static int count_local(const state *s)
{
    MPI_Comm here;
    int n = 1;
    if (MPI_Comm_split_type(s->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL,
                            &here) != MPI_SUCCESS)
        return 1;
    MPI_Comm_size(here, &n);
    MPI_Comm_free(&here);
    return n;
}

static void *open_ranks(int *rank, int *size, int *local, char *why,
                        size_t bytes)
{
    state *s = calloc(1, sizeof *s);
    int level = 0;
    if (!s) {
        snprintf(why, bytes, "out of memory");
        return NULL;
    }
    if (begin_mpi(s, &level, why, bytes) < 0) {
        free(s);
        return NULL;
    }
    MPI_Comm_rank(s->comm, rank);
    MPI_Comm_size(s->comm, size);
    *local = count_local(s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    s->threaded = level >= MPI_THREAD_SERIALIZED &&
                  pthread_create(&s->mover, NULL, move_on, s) == 0;
    return s;
}

static void close_ranks(void *user, int failed)
{
    state *s = user;
    pthread_mutex_lock(&s->lock);
    s->stop = 1;
    failed |= s->failed;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (s->threaded)
        pthread_join(s->mover, NULL);
    if (!failed) {
        MPI_Comm_free(&s->comm);
        if (s->ours)
            MPI_Finalize();
    }
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int ended(state *s, int code)
{
    s->failed |= code != MPI_SUCCESS;
    const int failed = s->failed;
    pthread_mutex_unlock(&s->lock);
    return failed ? -1 : 0;
}

static int sum(void *user, double *x, size_t n)
{
    state *s = user;
    pthread_mutex_lock(&s->lock);
    return ended(s, MPI_Allreduce(MPI_IN_PLACE, x, (int)n, MPI_DOUBLE,
                                  MPI_SUM, s->comm));
}

static int least(void *user, int *x)
{
    state *s = user;
    pthread_mutex_lock(&s->lock);
    return ended(s, MPI_Allreduce(MPI_IN_PLACE, x, 1, MPI_INT, MPI_MIN,
                                  s->comm));
}

static int share(void *user, int root, void *data, size_t bytes)
{
    enum { PIECE = 1 << 30 };
    state *s = user;
    int code = MPI_SUCCESS;
    pthread_mutex_lock(&s->lock);
    for (size_t at = 0; at < bytes && code == MPI_SUCCESS; at += PIECE) {
        const size_t left = bytes - at;
        code = MPI_Bcast((uint8_t *)data + at, left < PIECE ? (int)left
                         : PIECE, MPI_BYTE, root, s->comm);
    }
    return ended(s, code);
}

static int begin(void *user, float *x, size_t n)
{
    state *s = user;
    pthread_mutex_lock(&s->lock);
    if (n > INT_MAX || s->count == MOST)
        return ended(s, MPI_ERR_COUNT);
    const int code = MPI_Iallreduce(MPI_IN_PLACE, x, (int)n, MPI_FLOAT,
                                    MPI_SUM, s->comm, &s->request[s->count]);
    if (code == MPI_SUCCESS)
        s->count++;
    pthread_cond_signal(&s->wake);
    return ended(s, code);
}

static int wait_all(void *user)
{
    state *s = user;
    pthread_mutex_lock(&s->lock);
    const int code = MPI_Waitall(s->count, s->request, MPI_STATUSES_IGNORE);
    s->count = 0;
    return ended(s, code);
}

__attribute__((visibility("default"))) const ems_ranks_calls ems_ranks_mpi = {
    .version = EMS_RANKS_VERSION, .open = open_ranks, .close = close_ranks,
    .sum = sum, .least = least, .share = share, .begin = begin,
    .wait = wait_all};

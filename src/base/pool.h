/* pool.h - a few threads that share loops. A split never crosses a sum, so
 * results do not depend on the number of threads. */
#ifndef EMS_POOL_H
#define EMS_POOL_H
#include <emsync/emsync.h>

typedef struct ems_pool ems_pool;

/* `threads` as in ems_run (0: EMSYNC_THREADS, else one per core; at most 64).
 * NULL: out of memory. */
ems_pool *ems_pool_new(int threads, ems_error *err);
int ems_pool_threads(const ems_pool *p);
/* Call fn(ctx, i) for i in [0, n), each once, in any order, on any thread;
 * returns when all are done. Not reentrant: one loop at a time. A pool of
 * NULL runs the loop on the caller. */
void ems_pool_for(ems_pool *p, size_t n, void (*fn)(void *ctx, size_t i),
                  void *ctx);
void ems_pool_free(ems_pool *p);
#endif

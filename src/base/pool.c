#include "base/pool.h"

#include "base/error.h"
#include "base/mem.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_THREADS = 64, STACK_BYTES = 1 << 20, SPINS = 4000 };
#define OPEN 0x80000000u

/* A loop is announced by a new `generation`; whoever wakes in time passes the
 * gate and takes indices: first of its own part of them, so that nobody is in
 * anybody's way, then what others have left. The caller works too, closes the
 * gate when none is left and waits only for those inside: a worker the system
 * has put aside is not waited for, so a busy machine costs speed and not
 * standstill. */
typedef struct share { /* of the indices; a cache line for each thread */
    _Alignas(64) atomic_size_t next;
    size_t end;
} share;

typedef struct worker {
    ems_pool *pool;
    int number;
    pthread_t thread;
} worker;

struct ems_pool {
    int threads;
    worker worker[MAX_THREADS];
    share share[MAX_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Alignas(64) atomic_uint generation;
    atomic_int sleeping, stop;
    void (*fn)(void *, size_t);
    void *ctx;
    _Alignas(64) atomic_uint gate; /* OPEN, and how many workers are inside */
};

static void work(ems_pool *p, int number)
{
    for (int i = 0; i < p->threads; i++) {
        share *s = &p->share[(number + i) % p->threads];
        while (atomic_load_explicit(&s->next, memory_order_relaxed) < s->end) {
            const size_t index = atomic_fetch_add(&s->next, 1);
            if (index >= s->end)
                break;
            p->fn(p->ctx, index);
        }
    }
}

static int enter(ems_pool *p)
{
    unsigned gate = atomic_load(&p->gate);
    while (gate & OPEN)
        if (atomic_compare_exchange_weak(&p->gate, &gate, gate + 1))
            return 1;
    return 0;
}

/* Spin a little before sleeping: composing starts a loop every few
 * microseconds. Returns the generation seen. */
static unsigned wait_for_loop(ems_pool *p, unsigned seen)
{
    for (int spin = 0; spin < SPINS; spin++) {
        const unsigned now = atomic_load(&p->generation);
        if (now != seen)
            return now;
        __builtin_ia32_pause();
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleeping, 1);
    while (atomic_load(&p->generation) == seen)
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->lock);
    return atomic_load(&p->generation);
}

static void *worker_main(void *arg)
{
    const worker *w = arg;
    ems_pool *p = w->pool;
    unsigned seen = 0;
    for (;;) {
        seen = wait_for_loop(p, seen);
        if (atomic_load(&p->stop))
            return NULL;
        if (enter(p)) {
            work(p, w->number);
            atomic_fetch_sub(&p->gate, 1);
        }
    }
}

/* Who goes to sleep counts itself before it looks at the generation for the
 * last time, so either it sees the new one or it is seen here. */
static void announce(ems_pool *p)
{
    atomic_fetch_add(&p->generation, 1);
    if (atomic_load(&p->sleeping) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static int wanted_threads(int threads)
{
    if (threads <= 0) {
        const char *env = getenv("EMSYNC_THREADS");
        threads = env ? atoi(env) : 0;
    }
    if (threads <= 0)
        threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
}

ems_pool *ems_pool_new(int threads, ems_error *err)
{
    ems_pool *p = ems_alloc_aligned(1, sizeof *p);
    if (!p) {
        ems_out_of_memory(err);
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    const int wanted = wanted_threads(threads);
    int started = 1;
    /* Fewer threads than wanted is slower, not wrong. */
    while (started < wanted) {
        worker *w = &p->worker[started];
        w->pool = p;
        w->number = started;
        if (pthread_create(&w->thread, &attr, worker_main, w) != 0)
            break;
        started++;
    }
    p->threads = started; /* read by workers once a gate has opened */
    pthread_attr_destroy(&attr);
    return p;
}

int ems_pool_threads(const ems_pool *p)
{
    return p ? p->threads : 1;
}

void ems_pool_for(ems_pool *p, size_t n, void (*fn)(void *, size_t), void *ctx)
{
    if (!p || p->threads == 1 || n < 2) {
        for (size_t i = 0; i < n; i++)
            fn(ctx, i);
        return;
    }
    p->fn = fn;
    p->ctx = ctx;
    for (size_t i = 0, threads = (size_t)p->threads; i < threads; i++) {
        p->share[i].end = n * (i + 1) / threads;
        atomic_store_explicit(&p->share[i].next, n * i / threads,
                              memory_order_relaxed);
    }
    atomic_store(&p->gate, OPEN);
    announce(p);
    work(p, 0);
    atomic_fetch_and(&p->gate, ~OPEN);
    for (int spin = 1; atomic_load(&p->gate) != 0; spin++) {
        if (spin % SPINS == 0)
            sched_yield();
        __builtin_ia32_pause();
    }
}

void ems_pool_free(ems_pool *p)
{
    if (!p)
        return;
    atomic_store(&p->stop, 1);
    announce(p);
    for (int i = 1; i < p->threads; i++)
        pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    ems_free(p);
}

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
 * gate and takes indices. The caller works too, closes the gate when none is
 * left and waits only for those inside: a worker the system has put aside is
 * not waited for, so a busy machine costs speed and not standstill. */
struct ems_pool {
    int threads;
    pthread_t worker[MAX_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_uint generation;
    atomic_int sleeping, stop;
    atomic_uint gate;      /* OPEN, and how many workers are inside */
    atomic_size_t next;    /* next index to hand out */
    size_t n;
    void (*fn)(void *, size_t);
    void *ctx;
};

static void work(ems_pool *p)
{
    for (;;) {
        const size_t i = atomic_fetch_add(&p->next, 1);
        if (i >= p->n)
            return;
        p->fn(p->ctx, i);
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
    ems_pool *p = arg;
    unsigned seen = 0;
    for (;;) {
        seen = wait_for_loop(p, seen);
        if (atomic_load(&p->stop))
            return NULL;
        if (enter(p)) {
            work(p);
            atomic_fetch_sub(&p->gate, 1);
        }
    }
}

static void announce(ems_pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->generation, 1);
    if (atomic_load(&p->sleeping))
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
    ems_pool *p = ems_alloc(1, sizeof *p);
    if (!p) {
        ems_out_of_memory(err);
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->threads = 1;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    const int wanted = wanted_threads(threads);
    /* Fewer threads than wanted is slower, not wrong. */
    while (p->threads < wanted &&
           pthread_create(&p->worker[p->threads], &attr, worker_main, p) == 0)
        p->threads++;
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
    p->n = n;
    atomic_store(&p->next, 0);
    atomic_store(&p->gate, OPEN);
    announce(p);
    work(p);
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
        pthread_join(p->worker[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    ems_free(p);
}

#include "nn/gemm.h"

#include "base/mem.h"
#include "base/run.h"
#include "nn/gemm_tmpl.h"

#include <math.h>
#include <stdatomic.h>

/* ---- The oracle: the shortest code that states the arithmetic ----------- */

static float ref_operand(float x, int flags)
{
    return flags & EMS_GEMM_BF16 ? ems_bf16_round(x) : x;
}

static float ref_b(const ems_gemm *g, size_t p, size_t j)
{
    const ems_packed *b = g->packed;
    return b ? b->data[(b->row + p) * b->n + b->first + j]
             : ref_operand(g->b[p * g->b_row + j * g->b_col], g->flags);
}

static float ref_element(const ems_gemm *g, size_t i, size_t j)
{
    float c = g->flags & EMS_GEMM_ADD ? g->c[i * g->ldc + j] : 0;
    for (size_t pc = 0, k; pc < g->k; pc += k) {
        float s = 0;
        k = ems_gemm_block(g, pc);
        for (size_t p = pc; p < pc + k; p++)
            s = fmaf(ref_operand(g->a[i * g->a_row + p * g->a_col], g->flags),
                     ref_b(g, p, j), s);
        c = pc || (g->flags & EMS_GEMM_ADD) ? c + s : s;
    }
    if (g->bias)
        c += g->bias[j];
    if (g->flags & EMS_GEMM_RELU)
        c = c > 0 ? c : 0;
    if (g->gate)
        c = g->gate[i * g->ldgate + j] > 0 ? c : 0;
    return c;
}

static void ref_one(const ems_gemm *g, float *work)
{
    (void)work;
    for (size_t i = 0; i < g->m; i++)
        for (size_t j = 0; j < g->n; j++)
            g->c[i * g->ldc + j] = ref_element(g, i, j);
}

static void ref_pack(float *data, const float *b, size_t b_row, size_t b_col,
                     size_t k, size_t n, int flags)
{
    for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < n; j++)
            data[p * n + j] = ref_operand(b[p * b_row + j * b_col], flags);
}

static double ref_spin(size_t turns, float *result)
{
    for (size_t i = 0; i < turns; i++)
        *result = fmaf(*result, 0.75f, 0.75f);
    return 2 * (double)turns;
}

const ems_gemm_kernel ems_gemm_ref = {1, 1, 1, ref_spin, ref_one, ref_pack};

/* ---- Choice of a kernel ------------------------------------------------- */

static const ems_gemm_kernel *kernel(ems_cpu_level level, int flags)
{
    if (level == EMS_CPU_AVX512 && (flags & EMS_GEMM_BF16) &&
        ems_cpu_has_bf16())
        return &ems_gemm_bf16;
    switch (level) {
    case EMS_CPU_REF: return &ems_gemm_ref;
    case EMS_CPU_BASE: return &ems_gemm_base;
    case EMS_CPU_AVX2: return &ems_gemm_avx2;
    case EMS_CPU_AVX512: return &ems_gemm_avx512;
    case EMS_CPU_WIDE: return &ems_gemm_wide;
    }
    return &ems_gemm_ref;
}

size_t ems_gemm_work(ems_cpu_level level)
{
    return kernel(level, 0)->work_floats * sizeof(float);
}

void ems_gemm_one(ems_cpu_level level, const ems_gemm *g, void *work)
{
    kernel(level, g->flags)->one(g, work);
}

size_t ems_gemm_packed_floats(ems_cpu_level level, size_t k, size_t n)
{
    const size_t columns = kernel(level, 0)->columns;
    return (n + columns - 1) / columns * columns * k;
}

ems_packed ems_gemm_pack(ems_cpu_level level, float *data, const float *b,
                         size_t b_row, size_t b_col, size_t k, size_t n,
                         int flags)
{
    kernel(level, flags)->pack(data, b, b_row, b_col, k, n, flags);
    return (ems_packed){data, k, n, 0, 0};
}

/* ---- On all threads ----------------------------------------------------- */

enum { SHARED = 1 << 20, SLAB = 1 << 18 };

struct ems_gemm_pool {
    ems_pool *pool;
    ems_cpu_level level;
    size_t slots, stride; /* bytes between scratch blocks */
    char *work;
    float *shared;        /* [SHARED]: a packed B that all blocks use */
    atomic_flag *taken;
    ems_gemm_work_done done;
};

/* Of one thread; pages are not shared. */
static size_t work_stride(ems_cpu_level level)
{
    return (ems_gemm_work(level) + 4095) & ~(size_t)4095;
}

size_t ems_gemm_pool_bytes(ems_cpu_level level, int threads)
{
    return (size_t)threads * work_stride(level) + SHARED * sizeof(float);
}

ems_gemm_pool *ems_gemm_pool_new(ems_pool *pool, ems_cpu_level level,
                                 ems_error *err)
{
    ems_gemm_pool *p = ems_alloc(1, sizeof *p);
    if (p) {
        p->pool = pool;
        p->level = level;
        p->slots = (size_t)ems_pool_threads(pool);
        p->stride = work_stride(level);
        p->work = ems_alloc_aligned(p->slots, p->stride);
        p->shared = ems_alloc_aligned(SHARED, sizeof *p->shared);
        p->taken = ems_alloc(p->slots, sizeof *p->taken);
    }
    if (!p || !p->work || !p->shared || !p->taken) {
        ems_gemm_pool_free(p);
        ems_out_of_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < p->slots; i++)
        atomic_flag_clear(&p->taken[i]);
    return p;
}

void ems_gemm_pool_free(ems_gemm_pool *p)
{
    if (!p)
        return;
    ems_free(p->work);
    ems_free(p->shared);
    ems_free(p->taken);
    ems_free(p);
}

void *ems_gemm_borrow(ems_gemm_pool *p, size_t *slot)
{
    for (size_t i = 0;; i = (i + 1) % p->slots)
        if (!atomic_flag_test_and_set(&p->taken[i])) {
            *slot = i;
            return p->work + i * p->stride;
        }
}

void ems_gemm_return(ems_gemm_pool *p, size_t slot)
{
    atomic_flag_clear(&p->taken[slot]);
}

typedef struct split {
    ems_gemm_pool *pool;
    const ems_gemm *g;
    size_t rows, columns;    /* of a block of C */
    size_t across;           /* blocks in a row of blocks */
} split;

static void run_part(void *ctx, size_t index)
{
    const split *s = ctx;
    const size_t i = index / s->across * s->rows;
    const size_t j = index % s->across * s->columns;
    ems_gemm g = *s->g;
    ems_packed packed;
    g.c += i * g.ldc + j;
    g.a += i * g.a_row;
    g.m = g.m - i < s->rows ? g.m - i : s->rows;
    g.n = g.n - j < s->columns ? g.n - j : s->columns;
    if (g.packed) {
        packed = *g.packed;
        packed.first += j;
        g.packed = &packed;
    } else {
        g.b += j * g.b_col;
    }
    if (g.bias)
        g.bias += j;
    if (g.gate)
        g.gate += i * g.ldgate + j;
    size_t slot;
    void *work = ems_gemm_borrow(s->pool, &slot);
    ems_gemm_one(s->pool->level, &g, work);
    ems_gemm_return(s->pool, slot);
}

static size_t parts_of(size_t n, size_t parts, size_t unit, size_t *step)
{
    if (parts < 1)
        parts = 1;
    *step = ((n + parts - 1) / parts + unit - 1) / unit * unit;
    return (n + *step - 1) / *step;
}

/* Blocks of C, enough of them that no thread waits long for another at the
 * end, and small enough to stay in the cache while k goes by: of rows first,
 * of columns too where the rows give too few. */
static size_t choose_split(split *s)
{
    enum { ROWS = 96, UNIT = 12, COLUMNS = 64, WIDE = 256, SMALL = 1 << 16 };
    const ems_gemm *g = s->g;
    const size_t threads = s->pool->slots, wanted = 12 * threads;
    size_t down = (g->m + ROWS - 1) / ROWS, across = 1, unit = UNIT;
    s->rows = g->m;
    s->columns = g->n;
    s->across = 1;
    if (g->m * g->n * g->k < SMALL)
        return 1;
    if (down >= wanted) {
        down = (g->m + 2 * ROWS - 1) / (2 * ROWS);
        unit = ROWS;
    } else if (threads > 1) { /* a wide block uses its rows of A well */
        across = (g->n + WIDE - 1) / WIDE;
    }
    if (down * across < 2 * threads)
        across = (2 * threads + down - 1) / down;
    down = parts_of(g->m, down, unit, &s->rows);
    s->across = parts_of(g->n, across, COLUMNS, &s->columns);
    return down * s->across;
}

typedef struct shared_pack {
    ems_gemm_pool *pool;
    const ems_gemm *g;
} shared_pack;

/* One block of k of a B that is packed once for everybody. */
static void pack_shared(void *ctx, size_t index)
{
    const shared_pack *s = ctx;
    const ems_gemm *g = s->g;
    const ems_cpu_level level = s->pool->level;
    const size_t from = index * EMS_GEMM_BLOCK;
    const size_t k = g->k - from < EMS_GEMM_BLOCK ? g->k - from
                                                  : EMS_GEMM_BLOCK;
    float *const out = s->pool->shared +
                       ems_gemm_packed_floats(level, from, g->n) /
                           kernel(level, g->flags)->depth;
    ems_gemm_pack(level, out, g->b + from * g->b_row, g->b_row, g->b_col, k,
                  g->n, g->flags);
}

/* All of k that B's room allows. */
static void multiply_slab(ems_gemm_pool *p, const ems_gemm *wanted)
{
    ems_gemm g = *wanted;
    const ems_packed packed = {p->shared, g.k, g.n, 0, 0};
    split s = {.pool = p, .g = &g};
    const size_t parts = choose_split(&s);
    if (parts > 1 && !g.packed &&
        ems_gemm_packed_floats(p->level, g.k, g.n) <= SHARED) {
        shared_pack pack = {p, wanted};
        ems_pool_for(p->pool, (g.k + EMS_GEMM_BLOCK - 1) / EMS_GEMM_BLOCK,
                     pack_shared, &pack);
        g.packed = &packed;
    }
    ems_pool_for(p->pool, parts, run_part, &s);
}

/* Rows of B that are packed in one go: all, or a multiple of a block. Where
 * the sums are long and C is small, little enough to stay in the cache. */
static size_t slab_of(const ems_gemm_pool *p, const ems_gemm *g)
{
    const size_t width = ems_gemm_packed_floats(p->level, 1, g->n);
    const size_t room = g->k > 2 * g->m ? SLAB : SHARED;
    const size_t most = room / width / EMS_GEMM_BLOCK * EMS_GEMM_BLOCK;
    if (g->packed || g->k <= most || most == 0)
        return g->k;
    const size_t slabs = (g->k + most - 1) / most;
    size_t slab;
    parts_of(g->k, slabs, EMS_GEMM_BLOCK, &slab);
    return slab;
}

void ems_gemm_all(ems_gemm_pool *p, const ems_gemm *wanted)
{
    if (!wanted->m || !wanted->n)
        return;
    const size_t slab = slab_of(p, wanted);
    const double start = ems_now();
    for (size_t at = 0; at < wanted->k; at += slab) {
        ems_gemm g = *wanted;
        g.k = wanted->k - at < slab ? wanted->k - at : slab;
        g.a += at * g.a_col;
        if (!g.packed)
            g.b += at * g.b_row;
        if (at > 0)
            g.flags |= EMS_GEMM_ADD;
        if (at + g.k < wanted->k) { /* what is done to the whole sum only */
            g.flags &= ~EMS_GEMM_RELU;
            g.bias = g.gate = NULL;
        }
        multiply_slab(p, &g);
    }
    p->done.seconds += ems_now() - start;
    p->done.operations += 2 * (double)wanted->m * (double)wanted->n *
                          (double)wanted->k;
}

ems_gemm_work_done ems_gemm_done(const ems_gemm_pool *p)
{
    return p->done;
}

/* ---- What is possible --------------------------------------------------- */

typedef struct spinning {
    const ems_gemm_kernel *kernel;
    size_t turns;
} spinning;

static void spin_part(void *ctx, size_t index)
{
    const spinning *s = ctx;
    float result = (float)index;
    s->kernel->spin(s->turns, &result);
}

double ems_gemm_peak(ems_gemm_pool *p, int flags)
{
    enum { TRIES = 20, SHARES = 8 };
    spinning s = {kernel(p->level, flags), 1};
    const size_t parts = SHARES * p->slots;
    double seconds = 0, each = 0, best = 0;
    float result = 0;
    while (seconds < 2e-4) { /* how long a share must be */
        const double start = ems_now();
        s.turns *= 2;
        each = s.kernel->spin(s.turns, &result);
        seconds = ems_now() - start;
    }
    for (int i = 0; i < TRIES; i++) {
        const double start = ems_now();
        ems_pool_for(p->pool, parts, spin_part, &s);
        best = fmax(best, (double)parts * each / (ems_now() - start));
    }
    return best;
}

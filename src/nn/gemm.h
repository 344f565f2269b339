/* gemm.h - matrix products C (+)= A B, for training and the emotion experts.
 *
 * One template in vector extensions, compiled once per instruction set, next
 * to a scalar oracle. Every element of C has one fixed order of summation:
 *
 *     for each block of 256 of k:  s = 0; for p in block: s = fma(a, b, s)
 *                                  c = first block of a fresh C ? s : c + s
 *     then c += bias, relu, gate
 *
 * so ref, avx2, wide and avx512 give the same bits, whatever the number of
 * threads (base has no FMA: equal within rounding). Products of bfloat16 have
 * both operands rounded to nearest even first and are summed in float; with
 * AVX-512 BF16 the order of their sums is the instruction's. */
#ifndef EMS_GEMM_H
#define EMS_GEMM_H
#include "base/error.h"
#include "base/pool.h"
#include "nn/cpu.h"

enum { EMS_GEMM_BLOCK = 256 }; /* of k */

typedef enum ems_gemm_flags {
    EMS_GEMM_ADD = 1,  /* C += A B; else C = A B and C need not be set */
    EMS_GEMM_RELU = 2, /* C = max(C, 0) at the end */
    EMS_GEMM_BF16 = 4, /* products of bfloat16 */
    EMS_GEMM_DIRECT = 8, /* read columns of A in place, too: wins when C is
                            narrow (rows are read in place anyhow; bf16
                            packs A always) */
} ems_gemm_flags;

/* B in the kernel's own order, to be used many times. Made by
 * ems_gemm_pack; a product may use fewer rows and columns than it has. */
typedef struct ems_packed {
    const float *data;
    size_t k, n;
    size_t first; /* column that is B's column 0: a multiple of 32 */
    size_t row;   /* row that is B's row 0: a multiple of 2; blocks of k are
                     then those of the whole */
} ems_packed;

typedef struct ems_gemm {
    float *c;            /* [m,n], row-major */
    size_t ldc;
    const float *a;      /* [m,k]: element (i,p) is a[i*a_row + p*a_col] */
    size_t a_row, a_col;
    const float *b;      /* [k,n]: element (p,j) is b[p*b_row + j*b_col] */
    size_t b_row, b_col;
    const ems_packed *packed; /* instead of b, unless NULL; same precision */
    size_t m, n, k;      /* k >= 1 */
    const float *bias;   /* [n], added to every row; NULL: none */
    const float *gate;   /* [m,n]: C = 0 where gate <= 0; NULL: none */
    size_t ldgate;
    int flags;           /* ems_gemm_flags */
} ems_gemm;

/* Bytes of scratch one product on one thread needs (64-byte aligned). */
size_t ems_gemm_work(ems_cpu_level level);
/* The product on the calling thread. */
void ems_gemm_one(ems_cpu_level level, const ems_gemm *g, void *work);

/* Floats that a packed [k,n] takes. */
size_t ems_gemm_packed_floats(ems_cpu_level level, size_t k, size_t n);
/* Pack b into `data` (64-byte aligned); `flags`: EMS_GEMM_BF16 or 0. */
ems_packed ems_gemm_pack(ems_cpu_level level, float *data, const float *b,
                         size_t b_row, size_t b_col, size_t k, size_t n,
                         int flags);

/* A pool with scratch for every thread. Not reentrant, as the pool is not. */
typedef struct ems_gemm_pool ems_gemm_pool;

/* Bytes that one takes. */
size_t ems_gemm_pool_bytes(ems_cpu_level level, int threads);
/* `pool` is borrowed (NULL: the calling thread alone). */
ems_gemm_pool *ems_gemm_pool_new(ems_pool *pool, ems_cpu_level level,
                                 ems_error *err);
/* The product, C split into blocks of rows and columns over the pool. */
void ems_gemm_all(ems_gemm_pool *p, const ems_gemm *g);
/* Scratch of ems_gemm_work bytes for a loop on the pool that calls
 * ems_gemm_one itself: taken and given back inside one iteration. *slot is
 * in [0, threads), for other scratch kept per thread. */
void *ems_gemm_borrow(ems_gemm_pool *p, size_t *slot);
void ems_gemm_return(ems_gemm_pool *p, size_t slot);
/* Products by ems_gemm_all so far. */
typedef struct ems_gemm_work_done {
    double operations, seconds; /* multiplications and additions */
} ems_gemm_work_done;
ems_gemm_work_done ems_gemm_done(const ems_gemm_pool *p);
/* Operations per second of multiply-add in registers on all threads, the best
 * of some tries: what no product can exceed. `flags`: EMS_GEMM_BF16 or 0. */
double ems_gemm_peak(ems_gemm_pool *p, int flags);
void ems_gemm_pool_free(ems_gemm_pool *p);
#endif

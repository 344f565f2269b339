/* kern.h - the numeric kernels of inference.
 *
 * Every result has ONE order of additions, whatever the vector width, the
 * number of rows and the number of threads: products accumulate over k one
 * after the other with fused multiply-add; sums over a row go to 16 lanes
 * (element i to lane i mod 16) that are folded 8, 4, 2, 1. So all levels with
 * FMA give equal bits (kern_ref.c is the oracle), and a prompt processed at
 * once gives the bits of one processed token by token. */
#ifndef EMS_KERN_H
#define EMS_KERN_H
#include "base/arena.h"
#include "base/error.h"
#include "base/pool.h"
#include "nn/cpu.h"

enum {
    EMS_PANEL = 64,       /* outputs side by side in a packed matrix */
    EMS_CHUNK = 256,      /* inputs per pass of a matrix product */
    EMS_LANES = 16,
    EMS_PRECISIONS = 3,   /* EMS_F32, EMS_BF16, EMS_INT8 */
};

typedef struct ems_kern {
    /* A panel is [k][64] weights. Element (i, n): F32 float at 64 i + n;
     * BF16 half (n / 32) of the 32-bit word 32 i + n % 32 (little-endian);
     * INT8 byte 64 i + 2 n of even i, the byte after that of i - 1 of odd i
     * (kern8.h). */

    /* y[64] = x[k] times panel; by ems_precision, not INT8. */
    void (*gemv[2])(float *y, const void *panel, const float *x, size_t k);
    /* out[count][64]: the weights as float, count <= EMS_CHUNK. */
    void (*widen[2])(float *out, const void *panel, size_t count);
    /* y[m][ldy], 64 columns of it, += x[m][ldx] times w[k][64]. */
    void (*gemm)(float *y, size_t ldy, const float *w, const float *x,
                 size_t ldx, size_t m, size_t k);
    /* Scores of one query against 64 keys: out[j] = scale * sum over i of
     * q[i] (keys[i][j] + rel[i * stride + j]), i < d. */
    void (*scores)(float *out, const float *q, const float *keys,
                   const float *rel, size_t stride, size_t d, float scale);
    /* x[i] = exp(x[i] - max), count a multiple of 64, -inf gives 0.
     * Returns the sum. */
    float (*softmax)(float *x, size_t count);
    /* out[d] = scale * sum over j < count of p[j] v[j][d]; d a multiple
     * of 16. */
    void (*mix)(float *out, const float *p, const float *v, size_t count,
                size_t d, float scale);
    /* out = layer norm of (a + b), variance + 1e-6; out may be a or b. */
    void (*norm)(float *out, const float *a, const float *b,
                 const float *gain, const float *bias, size_t count);
} ems_kern;

/* The kernels of a level; of a level this build lacks, the oracle. */
const ems_kern *ems_kern_get(ems_cpu_level level);

/* y = W x + b with W packed. n outputs, k inputs. */
typedef struct ems_weights {
    ems_precision precision;
    size_t n, k, panels;
    void *packed;       /* [panels] panels; 64-byte aligned, as all here */
    float *scale;       /* [panels * 64], INT8 only: of each row */
    float *bias;        /* [panels * 64] */
} ems_weights;

/* Bytes of one panel with k inputs. */
size_t ems_panel_bytes(ems_precision precision, size_t k);
/* Place an [n, k] matrix of zeros in an arena (of zeroed memory; while it
 * measures p->packed is NULL). All weights of a model in one block lie on
 * large pages. */
void ems_weights_place(ems_weights *p, ems_arena *arena,
                       ems_precision precision, size_t n, size_t k);
/* Pack rows [first, first + n) of it from w[n][k] and b[n] (NULL: zeros);
 * nothing while it is not really there. */
void ems_weights_pack(ems_weights *p, size_t first, const float *w,
                      const float *b, size_t n);

/* y[m][ldy] = x[m][ldx] W' + b, then max(0, .) if relu. Rows of y beyond n
 * columns are untouched. Not for INT8 (ems_affine8). */
void ems_affine(const ems_kern *kern, ems_pool *pool, const ems_weights *w,
                const float *x, size_t ldx, size_t m, float *y, size_t ldy,
                int relu);
/* The same for the outputs of panels [first, first + panels) only, which go to
 * y[m][ldy] from its first column on; on the calling thread. */
void ems_affine_panels(const ems_kern *kern, const ems_weights *w,
                       size_t first, size_t panels, const float *x,
                       size_t ldx, size_t m, float *y, size_t ldy, int relu);

/* Bits of a float rounded to the nearest bfloat16, ties to even. */
uint16_t ems_bf16(float x);
#endif

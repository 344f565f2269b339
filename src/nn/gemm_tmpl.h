/* gemm_tmpl.h - what gemm.c and its kernels share; see gemm.h. */
#ifndef EMS_GEMM_TMPL_H
#define EMS_GEMM_TMPL_H
#include "nn/gemm.h"

#define EMS_CAT_(a, b) a##b
#define EMS_CAT(a, b) EMS_CAT_(a, b)

typedef struct ems_gemm_kernel {
    size_t columns;     /* of a panel of packed B */
    size_t depth;       /* of k in one float's room of packed B: 1 or 2 */
    size_t work_floats; /* scratch */
    /* Multiply and add in registers; returns how many operations that were.
     * The result keeps the compiler from leaving it out. */
    double (*spin)(size_t turns, float *result);
    void (*one)(const ems_gemm *g, float *work);
    void (*pack)(float *data, const float *b, size_t b_row, size_t b_col,
                 size_t k, size_t n, int flags);
} ems_gemm_kernel;

/* bf16: AVX-512 BF16; pairs: its layout on AVX2, for tests. */
extern const ems_gemm_kernel ems_gemm_ref, ems_gemm_base, ems_gemm_avx2,
    ems_gemm_avx512, ems_gemm_wide, ems_gemm_bf16, ems_gemm_pairs;

/* Length of the block of k that begins at `at`. */
static inline size_t ems_gemm_block(const ems_gemm *g, size_t at)
{
    const size_t row = g->packed ? g->packed->row : 0;
    const size_t k = EMS_GEMM_BLOCK - (row + at) % EMS_GEMM_BLOCK;
    return g->k - at < k ? g->k - at : k;
}

/* The bits of x rounded to bfloat16 (to nearest even; NaN stays NaN): the
 * upper half of a float, the lower half 0. */
static inline uint32_t ems_bf16_bits(float x)
{
    union { float f; uint32_t u; } v = {x};
    if ((v.u & 0x7fffffff) > 0x7f800000)
        v.u |= 0x400000;
    else
        v.u += 0x7fff + (v.u >> 16 & 1);
    return v.u & 0xffff0000;
}

static inline float ems_bf16_round(float x)
{
    union { uint32_t u; float f; } v = {ems_bf16_bits(x)};
    return v.f;
}
#endif

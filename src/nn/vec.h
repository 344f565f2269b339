/* vec.h - EMS_VW floats at a time, in GCC vector extensions. Only for sources
 * compiled once per instruction set (ems_kernel in CMakeLists.txt). */
#ifndef EMS_VEC_H
#define EMS_VEC_H
#include <stddef.h>
#include <stdint.h>

typedef float vf __attribute__((vector_size(4 * EMS_VW)));
typedef uint32_t vu __attribute__((vector_size(4 * EMS_VW)));
typedef int32_t vi __attribute__((vector_size(4 * EMS_VW)));
typedef vf vf_any __attribute__((aligned(4), may_alias));
typedef vu vu_any __attribute__((aligned(4), may_alias));

static inline vf vload(const float *p)
{
    return *(const vf_any *)p;
}

static inline vu vload_bits(const uint32_t *p)
{
    return *(const vu_any *)p;
}

static inline void vstore(float *p, vf v)
{
    *(vf_any *)p = v;
}

static inline vf vset(float x)
{
    return x - (vf){0}; /* exact for every x, -0 too */
}

/* One rounding where the machine has FMA: the kernel files are compiled with
 * -ffp-contract=fast. Every product that meets a sum goes through here, so
 * that compilers have no choice to make (single floats: fmaf, because clang
 * does not contract across the checks of a sanitizer). */
static inline vf vfma(vf a, vf b, vf c)
{
    return a * b + c;
}

static inline vf vmax(vf a, vf b)
{
    const vi greater = a > b;
    return (vf)((greater & (vi)a) | (~greater & (vi)b));
}
#endif

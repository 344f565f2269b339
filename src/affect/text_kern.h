/* text_kern.h - the arithmetic of rating a text, per instruction set. Every
 * element has one order of summation: all sets with FMA give the same bits. */
#ifndef EMS_TEXT_KERN_H
#define EMS_TEXT_KERN_H
#include "nn/cpu.h"

#include <stddef.h>
#include <stdint.h>

enum { EMS_TEXT_UNIT = 32 }; /* widths are multiples of this */

typedef struct ems_dense { /* C = A W + bias, then max(C, 0) where relu */
    float *c;              /* [m,n], row-major without gaps */
    const float *a;        /* [m,k], rows `stride` floats apart */
    size_t stride;
    const float *w, *bias; /* [k,n], [n]; n a multiple of EMS_TEXT_UNIT */
    size_t m, n, k;
    int relu;
} ems_dense;

typedef struct ems_rows { /* of an embedding */
    const int8_t *table;   /* [buckets,width] */
    const float *scale;    /* [buckets] */
    size_t buckets, width; /* a multiple of EMS_TEXT_UNIT */
    const uint32_t *hash;  /* [count], spread over the buckets */
    size_t count;
} ems_rows;

typedef struct ems_text_kern {
    void (*dense)(const ems_dense *d);
    /* out[width] = the mean of the rows times their scales */
    void (*mean)(float *out, const ems_rows *r);
} ems_text_kern;

const ems_text_kern *ems_text_kern_get(ems_cpu_level level);

/* Which row of a table of `buckets` a hash stands for. */
static inline size_t ems_text_row(uint32_t hash, size_t buckets)
{
    return (size_t)((uint64_t)hash * buckets >> 32);
}
#endif

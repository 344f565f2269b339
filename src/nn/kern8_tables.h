/* kern8_tables.h - what kern8_ref.c, kern8_fast.c and kern8.c share. */
#ifndef EMS_KERN8_TABLES_H
#define EMS_KERN8_TABLES_H
#include "nn/kern8.h"

extern const ems_kern8 ems_kern8_ref, ems_kern8_base, ems_kern8_avx2,
    ems_kern8_avx512, ems_kern8_wide;

#define EMS_MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to integers,
                                 which then are its low 16 bits */
/* max|x| in this range has an inverse and times `range` stays finite. */
#define EMS_LEAST 1e-30f
#define EMS_MOST 1e30f
#endif

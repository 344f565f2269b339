/* kern_tables.h - what kern_ref.c, kern_fast.c and kern.c share. */
#ifndef EMS_KERN_TABLES_H
#define EMS_KERN_TABLES_H
#include "nn/kern.h"

extern const ems_kern ems_kern_ref, ems_kern_base, ems_kern_avx2,
    ems_kern_avx512, ems_kern_wide;

#define EMS_NORM_EPS 1e-6f
#define EMS_LOG2E 1.44269504f
#define EMS_ROUND 12582912.0f /* 1.5 * 2^23: adding it rounds to integers */
#define EMS_LN2_HIGH 0.693359375f
#define EMS_LN2_LOW -2.12194440e-4f
#define EMS_EXP_LOWEST -87.0f
#define EMS_EXP3 (1.0f / 6)
#define EMS_EXP4 (1.0f / 24)
#define EMS_EXP5 (1.0f / 120)
#define EMS_EXP6 (1.0f / 720)
#define EMS_EXP7 (1.0f / 5040)
#endif

/* cpu.h - which instruction set the kernels use. */
#ifndef EMS_CPU_H
#define EMS_CPU_H

typedef enum ems_cpu_level {
    EMS_CPU_REF,    /* the scalar oracle */
    EMS_CPU_BASE,   /* any x86-64, without FMA: its results may differ */
    EMS_CPU_AVX2,   /* AVX2 and FMA */
    EMS_CPU_AVX512, /* AVX-512 F, BW, VL, DQ */
    EMS_CPU_WIDE,   /* the 16-wide source on AVX2: for tests */
} ems_cpu_level;

/* The best level of this machine, or the one EMSYNC_CPU asks for
 * (ref|base|avx2|avx512|wide) if the machine can run it. Read on each call. */
ems_cpu_level ems_cpu_best(void);
int ems_cpu_can(ems_cpu_level level);
const char *ems_cpu_name(ems_cpu_level level);
/* AVX-512 BF16 products. */
int ems_cpu_has_bf16(void);
#endif

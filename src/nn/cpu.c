#include "nn/cpu.h"

#include <stdlib.h>
#include <string.h>

static const char *const NAMES[] = {"ref", "base", "avx2", "avx512", "wide"};

int ems_cpu_can(ems_cpu_level level)
{
    switch (level) {
    case EMS_CPU_REF:
    case EMS_CPU_BASE:
        return 1;
    case EMS_CPU_AVX2:
    case EMS_CPU_WIDE:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case EMS_CPU_AVX512:
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("fma");
    }
    return 0;
}

ems_cpu_level ems_cpu_best(void)
{
    const char *wanted = getenv("EMSYNC_CPU");
    for (int i = EMS_CPU_REF; wanted && i <= EMS_CPU_WIDE; i++)
        if (strcmp(wanted, NAMES[i]) == 0 && ems_cpu_can((ems_cpu_level)i))
            return (ems_cpu_level)i;
    if (ems_cpu_can(EMS_CPU_AVX512))
        return EMS_CPU_AVX512;
    return ems_cpu_can(EMS_CPU_AVX2) ? EMS_CPU_AVX2 : EMS_CPU_BASE;
}

const char *ems_cpu_name(ems_cpu_level level)
{
    return NAMES[level];
}

int ems_cpu_has_bf16(void)
{
    return ems_cpu_can(EMS_CPU_AVX512) &&
           __builtin_cpu_supports("avx512bf16");
}

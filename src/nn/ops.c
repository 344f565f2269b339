#include "nn/ops.h"

extern const ems_ops ems_ops_base, ems_ops_avx2, ems_ops_avx512,
    ems_ops_wide;

const ems_ops *ems_ops_get(ems_cpu_level level)
{
    switch (level) {
    case EMS_CPU_REF:
    case EMS_CPU_BASE: return &ems_ops_base;
    case EMS_CPU_AVX2: return &ems_ops_avx2;
    case EMS_CPU_AVX512: return &ems_ops_avx512;
    case EMS_CPU_WIDE: return &ems_ops_wide;
    }
    return &ems_ops_base;
}

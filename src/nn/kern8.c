#include "nn/kern8.h"

#include "nn/kern8_tables.h"

const ems_kern8 *ems_kern8_get(ems_cpu_level level)
{
    switch (level) {
    case EMS_CPU_BASE: return &ems_kern8_base;
    case EMS_CPU_AVX2: return &ems_kern8_avx2;
    case EMS_CPU_AVX512: return &ems_kern8_avx512;
    case EMS_CPU_WIDE: return &ems_kern8_wide;
    case EMS_CPU_REF: break;
    }
    return &ems_kern8_ref;
}

int ems_range(size_t k)
{
    const size_t range = (size_t)INT32_MAX / (EMS_BYTE * (k ? k : 1));
    return range < INT16_MAX ? (int)range : INT16_MAX;
}

enum { BLOCK = 48 }; /* rows whose sums are held at once */

void ems_affine8(const ems_kern8 *kern, const ems_weights *w, size_t first,
                 size_t panels, const int16_t *q, size_t ldq,
                 const float *scale, size_t m, float *y, size_t ldy, int relu)
{
    _Alignas(64) int32_t sum[BLOCK * EMS_PANEL];
    const size_t bytes = ems_panel_bytes(EMS_INT8, w->k);
    for (size_t i = 0; i < panels; i++) {
        const int8_t *packed = (const int8_t *)w->packed + (first + i) * bytes;
        const size_t at = (first + i) * EMS_PANEL;
        for (size_t row = 0; row < m; row += BLOCK) {
            const size_t rows = m - row < BLOCK ? m - row : BLOCK;
            kern->dots(sum, EMS_PANEL, packed, q + row * ldq, ldq, rows,
                       ems_even(w->k));
            for (size_t r = 0; r < rows; r++)
                kern->finish(y + (row + r) * ldy + i * EMS_PANEL,
                             sum + r * EMS_PANEL, scale[row + r],
                             w->scale + at, w->bias + at, relu);
        }
    }
}

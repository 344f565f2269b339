#include "nn/kern.h"

#include "nn/kern_tables.h"

#include <math.h>
#include <string.h>

const ems_kern *ems_kern_get(ems_cpu_level level)
{
    switch (level) {
    case EMS_CPU_BASE: return &ems_kern_base;
    case EMS_CPU_AVX2: return &ems_kern_avx2;
    case EMS_CPU_AVX512: return &ems_kern_avx512;
    case EMS_CPU_WIDE: return &ems_kern_wide;
    case EMS_CPU_REF: break;
    }
    return &ems_kern_ref;
}

uint16_t ems_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40); /* a quiet NaN stays one */
    bits += 0x7fff + (bits >> 16 & 1);
    return (uint16_t)(bits >> 16);
}

size_t ems_panel_bytes(ems_precision precision, size_t k)
{
    static const size_t size[EMS_PRECISIONS] = {4, 2, 1};
    if (precision == EMS_INT8)
        k = (k + 1) & ~(size_t)1; /* pairs */
    return k * EMS_PANEL * size[precision];
}

/* One row of W becomes column n of a panel. Returns the scale. */
static float pack_row(void *panel, ems_precision precision, size_t n,
                      const float *row, size_t k)
{
    if (precision == EMS_F32)
        for (size_t i = 0; i < k; i++)
            ((float *)panel)[EMS_PANEL * i + n] = row[i];
    if (precision == EMS_BF16)
        for (size_t i = 0; i < k; i++)
            ((uint16_t *)panel)[EMS_PANEL * i + n % 32 * 2 + n / 32] =
                ems_bf16(row[i]);
    if (precision != EMS_INT8)
        return 1;
    float most = 0;
    for (size_t i = 0; i < k; i++)
        most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    const float scale = most / 127;
    for (size_t i = 0; i < k; i++)
        ((int8_t *)panel)[EMS_PANEL * (i & ~(size_t)1) + 2 * n + i % 2] =
            (int8_t)(scale > 0 ? rintf(row[i] / scale) : 0);
    return scale;
}

void ems_weights_place(ems_weights *p, ems_arena *arena,
                       ems_precision precision, size_t n, size_t k)
{
    const size_t panels = (n + EMS_PANEL - 1) / EMS_PANEL;
    *p = (ems_weights){.precision = precision, .n = n, .k = k,
                       .panels = panels};
    p->packed = ems_take(arena, panels, ems_panel_bytes(precision, k));
    p->scale = ems_take(arena, panels * EMS_PANEL, sizeof *p->scale);
    p->bias = ems_take(arena, panels * EMS_PANEL, sizeof *p->bias);
}

void ems_weights_pack(ems_weights *p, size_t first, const float *w,
                      const float *b, size_t n)
{
    const size_t bytes = ems_panel_bytes(p->precision, p->k);
    for (size_t i = 0; p->packed && i < n; i++) {
        const size_t row = first + i;
        void *panel = (char *)p->packed + row / EMS_PANEL * bytes;
        p->bias[row] = b ? b[i] : 0;
        p->scale[row] = pack_row(panel, p->precision, row % EMS_PANEL,
                                 w + i * p->k, p->k);
    }
}

/* ---- y = W x + b -------------------------------------------------------- */

typedef struct linear_job {
    const ems_kern *kern;
    const ems_weights *w;
    const float *x;
    float *y;
    size_t ldx, ldy, m;
    int relu;
} linear_job;

/* From raw sums to outputs, for the columns that exist. This file is compiled
 * once, without contraction: equal bits at every level. */
static void finish(const linear_job *job, size_t panel, const float *sum,
                   float *y)
{
    const size_t first = panel * EMS_PANEL;
    const size_t left = job->w->n - first;
    const size_t count = left < EMS_PANEL ? left : EMS_PANEL;
    const float *bias = job->w->bias + first;
    for (size_t i = 0; i < count; i++) {
        const float value = sum[i] + bias[i];
        y[i] = job->relu && !(value > 0) ? 0 : value;
    }
}

enum { BLOCK = 48 }; /* rows whose sums are held at once */

static void rows_at_once(const linear_job *job, size_t panel, float *y,
                         size_t row, size_t rows)
{
    const ems_weights *w = job->w;
    _Alignas(64) float sum[BLOCK * EMS_PANEL] = {0};
    _Alignas(64) float wide[EMS_CHUNK * EMS_PANEL];
    const size_t step = ems_panel_bytes(w->precision, 1);
    const char *packed = (const char *)w->packed + panel * w->k * step;
    for (size_t k = 0; k < w->k; k += EMS_CHUNK) {
        const size_t left = w->k - k;
        const size_t count = left < EMS_CHUNK ? left : EMS_CHUNK;
        const float *at = (const float *)(const void *)(packed + k * step);
        if (w->precision != EMS_F32) {
            job->kern->widen[w->precision](wide, packed + k * step, count);
            at = wide;
        }
        job->kern->gemm(sum, EMS_PANEL, at, job->x + row * job->ldx + k,
                        job->ldx, rows, count);
    }
    for (size_t r = 0; r < rows; r++)
        finish(job, panel, sum + r * EMS_PANEL, y + (row + r) * job->ldy);
}

/* The outputs of a panel, to `y`. */
static void one_panel(const linear_job *job, size_t panel, float *y)
{
    const ems_weights *w = job->w;
    if (job->m == 1) {
        _Alignas(64) float sum[EMS_PANEL];
        const size_t bytes = ems_panel_bytes(w->precision, w->k);
        job->kern->gemv[w->precision](
            sum, (const char *)w->packed + panel * bytes, job->x, w->k);
        finish(job, panel, sum, y);
        return;
    }
    for (size_t row = 0; row < job->m; row += BLOCK) {
        const size_t left = job->m - row;
        rows_at_once(job, panel, y, row, left < BLOCK ? left : BLOCK);
    }
}

static void linear_panel(void *ctx, size_t panel)
{
    const linear_job *job = ctx;
    one_panel(job, panel, job->y + panel * EMS_PANEL);
}

void ems_affine(const ems_kern *kern, ems_pool *pool, const ems_weights *w,
                const float *x, size_t ldx, size_t m, float *y, size_t ldy,
                int relu)
{
    linear_job job = {kern, w, x, y, ldx, ldy, m, relu};
    ems_pool_for(pool, w->panels, linear_panel, &job);
}

void ems_affine_panels(const ems_kern *kern, const ems_weights *w,
                       size_t first, size_t panels, const float *x,
                       size_t ldx, size_t m, float *y, size_t ldy, int relu)
{
    const linear_job job = {kern, w, x, y, ldx, ldy, m, relu};
    for (size_t i = 0; i < panels; i++)
        one_panel(&job, first + i, y + i * EMS_PANEL);
}

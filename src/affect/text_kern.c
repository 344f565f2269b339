/* Compiled once per instruction set: EMS_ISA names it, EMS_VW is its width. */
#include "affect/text_kern.h"
#include "nn/vec.h"

#include <string.h>

#define JOIN(a, b) a##b
#define CAT(a, b) JOIN(a, b)

/* Sums are kept in registers: AVX-512 has twice as many. */
enum { ROWS = EMS_VW == 16 ? 8 : 6, WIDE = 64 / EMS_VW };

static inline __attribute__((always_inline)) void
tile(const ems_dense *d, size_t i, size_t j, const int rows, const int cols)
{
    vf s[ROWS][WIDE];
    const float *a = d->a + i * d->stride, *w = d->w + j;
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < cols; v++)
            s[r][v] = (vf){0};
    for (size_t p = 0; p < d->k; p++, w += d->n) {
        __builtin_prefetch(w + 8 * d->n);
        for (int r = 0; r < rows; r++) {
            const vf x = vset(a[(size_t)r * d->stride + p]);
            for (int v = 0; v < cols; v++)
                s[r][v] = vfma(x, vload(w + v * EMS_VW), s[r][v]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < cols; v++) {
            const size_t at = j + (size_t)v * EMS_VW;
            const vf y = s[r][v] + vload(d->bias + at);
            vstore(d->c + (i + (size_t)r) * d->n + at,
                   d->relu ? vmax(y, (vf){0}) : y);
        }
}

static void many_rows(const ems_dense *d)
{
    for (size_t j = 0; j < d->n; j += 2 * EMS_VW) {
        size_t i = 0;
        for (; i + ROWS <= d->m; i += ROWS)
            tile(d, i, j, ROWS, 2);
        for (; i + 4 <= d->m; i += 4)
            tile(d, i, j, 4, 2);
        for (; i < d->m; i++)
            tile(d, i, j, 1, 2);
    }
}

static void dense(const ems_dense *d)
{
    if (d->m > 1 || d->n % 64 != 0) {
        many_rows(d);
        return;
    }
    for (size_t j = 0; j < d->n; j += 64)
        tile(d, 0, j, 1, WIDE);
}

typedef int8_t bytes __attribute__((vector_size(EMS_VW)));

enum { UNIT = EMS_TEXT_UNIT / EMS_VW };

/* `units` columns of EMS_TEXT_UNIT. */
static inline __attribute__((always_inline)) void
mean_of(float *out, const ems_rows *r, const int8_t *table, const int units)
{
    vf s[2 * UNIT] = {{0}};
    for (size_t i = 0; i < r->count; i++) {
        const size_t at = ems_text_row(r->hash[i], r->buckets);
        const int8_t *from = table + at * r->width;
        const vf x = vset(r->scale[at]);
        for (int v = 0; v < units * UNIT; v++) {
            bytes b;
            memcpy(&b, from + v * EMS_VW, sizeof b);
            s[v] = vfma(__builtin_convertvector(b, vf), x, s[v]);
        }
    }
    const vf share = vset(1 / (float)r->count);
    for (int v = 0; v < units * UNIT; v++)
        vstore(out + v * EMS_VW, s[v] * share);
}

static void mean(float *out, const ems_rows *r)
{
    size_t j = 0;
    for (; j + 2 * EMS_TEXT_UNIT <= r->width; j += 2 * EMS_TEXT_UNIT)
        mean_of(out + j, r, r->table + j, 2);
    if (j < r->width)
        mean_of(out + j, r, r->table + j, 1);
}

extern const ems_text_kern CAT(ems_text_kern_, EMS_ISA);
const ems_text_kern CAT(ems_text_kern_, EMS_ISA) = {dense, mean};

/* Compiled once per instruction set: EMS_ISA names it, EMS_VW is its width. */
#include "affect/text_kern.h"
#include "nn/vec.h"

#include <string.h>

#define JOIN(a, b) a##b
#define CAT(a, b) JOIN(a, b)

enum { ROWS = 4, COLUMNS = 2 * EMS_VW };

static inline __attribute__((always_inline)) void
tile(const ems_dense *d, size_t i, size_t j, const int rows)
{
    vf s[ROWS][2] = {{{0}}};
    const float *a = d->a + i * d->stride, *w = d->w + j;
    for (size_t p = 0; p < d->k; p++, w += d->n) {
        const vf w0 = vload(w), w1 = vload(w + EMS_VW);
        for (int r = 0; r < rows; r++) {
            const vf x = vset(a[(size_t)r * d->stride + p]);
            s[r][0] = vfma(x, w0, s[r][0]);
            s[r][1] = vfma(x, w1, s[r][1]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++) {
            const size_t at = j + (size_t)v * EMS_VW;
            const vf y = s[r][v] + vload(d->bias + at);
            vstore(d->c + (i + (size_t)r) * d->n + at,
                   d->relu ? vmax(y, (vf){0}) : y);
        }
}

static void dense(const ems_dense *d)
{
    for (size_t j = 0; j < d->n; j += COLUMNS) {
        size_t i = 0;
        for (; i + ROWS <= d->m; i += ROWS)
            tile(d, i, j, ROWS);
        for (; i < d->m; i++)
            tile(d, i, j, 1);
    }
}

typedef int8_t bytes __attribute__((vector_size(EMS_VW)));

static void mean(float *out, const int8_t *table, const float *scale,
                 size_t buckets, const uint32_t *row, size_t count, size_t n)
{
    const vf share = vset(1 / (float)count);
    for (size_t j = 0; j < n; j += EMS_TEXT_UNIT) {
        vf s[EMS_TEXT_UNIT / EMS_VW] = {{0}};
        for (size_t i = 0; i < count; i++) {
            const size_t at = ems_text_row(row[i], buckets);
            const int8_t *from = table + at * n + j;
            const vf x = vset(scale[at]);
            for (size_t v = 0; v < EMS_TEXT_UNIT / EMS_VW; v++) {
                bytes b;
                memcpy(&b, from + v * EMS_VW, sizeof b);
                s[v] = vfma(__builtin_convertvector(b, vf), x, s[v]);
            }
        }
        for (size_t v = 0; v < EMS_TEXT_UNIT / EMS_VW; v++)
            vstore(out + j + v * EMS_VW, s[v] * share);
    }
}

extern const ems_text_kern CAT(ems_text_kern_, EMS_ISA);
const ems_text_kern CAT(ems_text_kern_, EMS_ISA) = {dense, mean};

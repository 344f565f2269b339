#include "experts/resample.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { REACH = 24 }; /* input samples on each side, at the lower rate */

struct ems_resampler {
    int64_t up, down;  /* to/from as a fraction in lowest terms */
    int64_t taps;      /* of one phase; even */
    float *table;      /* [up, taps] */
    float *kept;       /* input from `start` on */
    size_t held, room;
    int64_t start;     /* index of kept[0]; may be negative: silence before */
    int64_t next;      /* output sample to come */
};

static double bessel0(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; k < 30; k++) {
        term *= x / (2 * k) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

static int64_t common(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Each phase sums to 1, so that a constant stays one. */
static void fill(ems_resampler *r, double band, int64_t reach)
{
    static const double BETA = 8;
    for (int64_t p = 0; p < r->up; p++) {
        float *row = r->table + p * r->taps;
        double sum = 0;
        for (int64_t k = 0; k < r->taps; k++) {
            const double d = (double)(k - reach + 1) -
                             (double)p / (double)r->up;
            const double x = M_PI * d * band;
            const double w = d / (double)reach;
            const double v = (fabs(x) < 1e-9 ? 1 : sin(x) / x) *
                             (fabs(w) < 1 ? bessel0(BETA * sqrt(1 - w * w))
                                          : 0);
            row[k] = (float)v;
            sum += v;
        }
        for (int64_t k = 0; k < r->taps; k++)
            row[k] = (float)((double)row[k] / sum);
    }
}

ems_resampler *ems_resampler_new(int from, int to, ems_error *err)
{
    ems_resampler *r = ems_alloc(1, sizeof *r);
    if (!r) {
        ems_out_of_memory(err);
        return NULL;
    }
    const int64_t g = common(from, to);
    const double ratio = fmin((double)to / from, 1);
    const int64_t reach = (int64_t)ceil(REACH / ratio);
    r->up = to / g;
    r->down = from / g;
    r->taps = 2 * reach;
    r->table = ems_alloc((size_t)(r->up * r->taps), sizeof *r->table);
    r->kept = ems_alloc((size_t)reach, sizeof *r->kept);
    if (!r->table || !r->kept) {
        ems_resampler_free(r);
        ems_out_of_memory(err);
        return NULL;
    }
    fill(r, 0.95 * ratio, reach);
    r->held = r->room = (size_t)reach - 1;
    r->start = 1 - reach;
    return r;
}

size_t ems_resampler_most(const ems_resampler *r, size_t count)
{
    return (size_t)(((int64_t)count + r->taps) * r->up / r->down + 2);
}

int ems_resampler_add(ems_resampler *r, const float *in, size_t count,
                      float *out, size_t *made, ems_error *err)
{
    if (ems_reserve((void **)&r->kept, &r->room, r->held + count,
                    sizeof *r->kept) < 0)
        return ems_out_of_memory(err);
    if (count)
        memcpy(r->kept + r->held, in, count * sizeof *in);
    r->held += count;
    *made = 0;
    int64_t first;
    while ((first = r->next * r->down / r->up - r->taps / 2 + 1 - r->start) +
               r->taps <= (int64_t)r->held) {
        const float *w = r->table + r->next * r->down % r->up * r->taps;
        const float *x = r->kept + first;
        double sum = 0;
        for (int64_t k = 0; k < r->taps; k++)
            sum += (double)(w[k] * x[k]);
        out[(*made)++] = (float)sum;
        r->next++;
    }
    if (first > 0) { /* what no output will need any more */
        const size_t gone = (size_t)first < r->held ? (size_t)first : r->held;
        memmove(r->kept, r->kept + gone, (r->held - gone) * sizeof *r->kept);
        r->held -= gone;
        r->start += (int64_t)gone;
    }
    return EMS_OK;
}

void ems_resampler_free(ems_resampler *r)
{
    if (!r)
        return;
    ems_free(r->table);
    ems_free(r->kept);
    ems_free(r);
}

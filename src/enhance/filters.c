#include "enhance/filters.h"

#include "base/mem.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* BLOCK: frames between two looks for states too small to matter. */
enum { BLOCK = 512, CUTOFF = 11025 };

#define TINY 1e-200 /* far below any float, above a denormal double */

static const char *const family_name[EMS_FILTER_FAMILIES] = {
    "cheby1", "ellip", "bessel", "butter"};

double ems_filter_magnitude(const ems_filter *f, double hz, double rate)
{
    const double complex d = cexp(-2 * M_PI * I * hz / rate); /* one delay */
    double h = 1;
    for (int i = 0; i < f->sections; i++) {
        const ems_section *s = &f->section[i];
        h *= cabs(s->b0 + d * (s->b1 + d * s->b2)) /
             cabs(1 + d * (s->a1 + d * s->a2));
    }
    return h;
}

/* One sample through all sections (transposed direct form II). */
static inline double step(const ems_filter *f, double z[][2], double x)
{
    for (int i = 0; i < f->sections; i++) {
        const ems_section *s = &f->section[i];
        const double y = s->b0 * x + z[i][0];
        z[i][0] = s->b1 * x - s->a1 * y + z[i][1];
        z[i][1] = s->b2 * x - s->a2 * y;
        x = y;
    }
    return x;
}

/* Silence would end in denormal numbers that never reach 0 and are slow. */
static void flush(ems_filter_state *s, int channels, int sections)
{
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < sections; i++)
            for (int d = 0; d < 2; d++)
                if (fabs(s->z[c][i][d]) < TINY)
                    s->z[c][i][d] = 0;
}

static double finite_or_0(float x)
{
    return isfinite(x) ? (double)x : 0;
}

void ems_filter_stream(const ems_filter *f, ems_filter_state *s, float *out,
                       const float *in, size_t frames, int channels)
{
    for (size_t at = 0; at < frames;) {
        const size_t end = frames - at < BLOCK ? frames : at + BLOCK;
        for (; at < end; at++)
            for (int c = 0; c < channels; c++) {
                const size_t k = at * (size_t)channels + (size_t)c;
                out[k] = (float)step(f, s->z[c], finite_or_0(in[k]));
            }
        flush(s, channels, f->sections);
    }
}

/* The state after infinitely many samples of value x. */
static void settle(const ems_filter *f, double z[][2], double x)
{
    for (int i = 0; i < f->sections; i++) {
        const ems_section *s = &f->section[i];
        const double y = x * (s->b0 + s->b1 + s->b2) / (1 + s->a1 + s->a2);
        z[i][1] = s->b2 * x - s->a2 * y;
        z[i][0] = s->b1 * x - s->a1 * y + z[i][1];
        x = y;
    }
}

/* One pass in place over x [frames, channels], first to last frame or, with
 * `back`, last to first. */
static void sweep(const ems_filter *f, double *x, size_t frames, int channels,
                  int back)
{
    const size_t wide = (size_t)channels;
    ems_filter_state s;
    for (size_t c = 0; c < wide; c++)
        settle(f, s.z[c], x[(back ? frames - 1 : 0) * wide + c]);
    for (size_t n = 0; n < frames; n++) {
        double *frame = x + (back ? frames - 1 - n : n) * wide;
        for (size_t c = 0; c < wide; c++)
            frame[c] = step(f, s.z[c], frame[c]);
        if (n % BLOCK == BLOCK - 1)
            flush(&s, channels, f->sections);
    }
}

/* x [pad + frames + pad, channels]: the sound, and both ends turned about
 * their last sample by half a turn, so that value and slope go on. */
static void extend(double *x, const float *in, size_t frames, int channels,
                   size_t pad)
{
    const size_t wide = (size_t)channels, last = pad + frames - 1;
    for (size_t i = 0; i < frames * wide; i++)
        x[pad * wide + i] = finite_or_0(in[i]);
    for (size_t i = 1; i <= pad; i++)
        for (size_t c = 0; c < wide; c++) {
            x[(pad - i) * wide + c] = 2 * x[pad * wide + c] -
                                      x[(pad + i) * wide + c];
            x[(last + i) * wide + c] = 2 * x[last * wide + c] -
                                       x[(last - i) * wide + c];
        }
}

int ems_filter_zero_phase(const ems_filter *f, float *out, const float *in,
                          size_t frames, int channels, ems_error *err)
{
    if (channels != 1 && channels != 2)
        return ems_fail(err, EMS_EINVAL,
                        "cannot filter %d channels: give one or two", channels);
    if (frames == 0)
        return 0;
    const size_t wide = (size_t)channels, most = 3 * ((size_t)f->order + 1);
    const size_t pad = frames - 1 < most ? frames - 1 : most;
    double *x = frames < SIZE_MAX / 64
                    ? ems_alloc((frames + 2 * pad) * wide, sizeof *x)
                    : NULL;
    if (!x)
        return ems_out_of_memory(err);
    extend(x, in, frames, channels, pad);
    sweep(f, x, frames + 2 * pad, channels, 0);
    sweep(f, x, frames + 2 * pad, channels, 1);
    for (size_t i = 0; i < frames * wide; i++)
        out[i] = (float)x[pad * wide + i];
    ems_free(x);
    return 0;
}

ems_filter_spec ems_filter_bank(int i)
{
    static const struct {
        ems_filter_family family;
        int order;
    } bank[EMS_FILTER_BANK] = {
        {EMS_CHEBY1, 6},   {EMS_CHEBY1, 8},    {EMS_CHEBY1, 10},
        {EMS_CHEBY1, 12},  {EMS_BESSEL, 6},    {EMS_BESSEL, 12},
        {EMS_ELLIPTIC, 6}, {EMS_ELLIPTIC, 12}, {EMS_BUTTER, 6}};
    return (ems_filter_spec){bank[i].family, bank[i].order, CUTOFF};
}

ems_filter_spec ems_filter_draw(ems_rng *r)
{
    ems_filter_spec s;
    s.family = (ems_filter_family)ems_rng_below(r, EMS_FILTER_FAMILIES);
    s.order = 2 + (int)ems_rng_below(r, 11);
    s.cutoff = 4000 * exp2(2 * ems_rng_uniform(r));
    return s;
}

void ems_filter_name(char name[EMS_FILTER_NAME], const ems_filter_spec *spec)
{
    snprintf(name, EMS_FILTER_NAME, "%s-%d", family_name[spec->family],
             spec->order);
}

int ems_filter_named(ems_filter_spec *spec, const char *name, ems_error *err)
{
    char known[EMS_FILTER_NAME];
    for (int k = 0; k < EMS_FILTER_FAMILIES; k++)
        for (int order = 1; order <= EMS_FILTER_ORDER; order++) {
            const ems_filter_spec s = {(ems_filter_family)k, order, CUTOFF};
            ems_filter_name(known, &s);
            if (strcmp(name, known) == 0) {
                *spec = s;
                return 0;
            }
        }
    return ems_fail(err, EMS_EINVAL,
                    "no filter \"%.40s\": say cheby1-N, ellip-N, bessel-N or "
                    "butter-N, N from 1 to %d",
                    name, EMS_FILTER_ORDER);
}

#include "media/duck.h"

#include "base/mem.h"

#include <ebur128.h>
#include <math.h>

#define BREATH 1.0 /* seconds */
#define DOWN 0.2
#define UP 0.6
#define SILENCE (-70.0) /* LUFS */

/* ---- Where and how far -------------------------------------------------- */

int ems_duck_open(ems_duck *d, const ems_stretch *speech, size_t count,
                  double db, ems_error *err)
{
    *d = (ems_duck){.db = db};
    d->spans = ems_alloc(count, sizeof *d->spans);
    if (!d->spans)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        const ems_stretch s = speech[i];
        if (!(s.from >= 0 && s.to > s.from && s.to < 1e7) ||
            (i > 0 && s.from < speech[i - 1].to))
            return ems_fail(err, EMS_EINVAL, "span %zu of speech, %g to %g s, "
                            "is out of order", i, s.from, s.to);
        ems_stretch *last = d->count ? &d->spans[d->count - 1] : NULL;
        if (last && s.from - last->to < BREATH)
            last->to = s.to;
        else
            d->spans[d->count++] = s;
    }
    return EMS_OK;
}

/* The first span that ends after `time`, or count. */
static size_t span_after(const ems_duck *d, double time)
{
    size_t low = 0, high = d->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (d->spans[middle].to <= time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double ems_duck_gain(const ems_duck *d, double time)
{
    const size_t i = span_after(d, time);
    double deep = 0; /* share of db */
    if (i < d->count)
        deep = fmax(deep, 1 - (d->spans[i].from - time) / DOWN);
    if (i > 0)
        deep = fmax(deep, 1 - (time - d->spans[i - 1].to) / UP);
    return deep > 0 ? pow(10, -d->db * fmin(deep, 1) / 20) : 1;
}

int ems_duck_speaks(const ems_duck *d, double time)
{
    const size_t i = span_after(d, time);
    return i < d->count && d->spans[i].from <= time;
}

double ems_duck_seconds(const ems_duck *d)
{
    double sum = 0;
    for (size_t i = 0; i < d->count; i++)
        sum += d->spans[i].to - d->spans[i].from;
    return sum;
}

void ems_duck_close(ems_duck *d)
{
    ems_free(d->spans);
    *d = (ems_duck){0};
}

/* ---- The meter ---------------------------------------------------------- */

int ems_speech_meter_open(ems_speech_meter *m, int channels, int rate,
                          ems_error *err)
{
    for (int k = 0; k < 2; k++) {
        m->state[k] = ebur128_init((unsigned)channels, (unsigned long)rate,
                                   EBUR128_MODE_I);
        if (!m->state[k])
            return ems_out_of_memory(err);
    }
    return EMS_OK;
}

int ems_speech_meter_add(ems_speech_meter *m, int what, const float *x,
                         size_t frames)
{
    return ebur128_add_frames_float(m->state[what], x, frames) ==
                   EBUR128_SUCCESS ? 0 : -1;
}

double ems_speech_meter_lufs(const ems_speech_meter *m, int what)
{
    double lufs = SILENCE;
    if (!m->state[what] ||
        ebur128_loudness_global(m->state[what], &lufs) != EBUR128_SUCCESS ||
        !isfinite(lufs))
        return SILENCE;
    return lufs;
}

void ems_speech_meter_close(ems_speech_meter *m)
{
    for (int k = 0; k < 2; k++) {
        ebur128_state *s = m->state[k];
        if (s)
            ebur128_destroy(&s);
        m->state[k] = NULL;
    }
}

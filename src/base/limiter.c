#include "base/limiter.h"

#include <math.h>
#include <string.h>

enum { RATE = 48000, STRETCH = 64, LANES = 8 };

/* Time constant of the release: 120 ms. */
#define RELEASE (1.0 / (0.120 * RATE))

#define UNIT 1099511627776.0 /* 2^40 */

/* ---- True peaks --------------------------------------------------------- */

void ems_peaks_begin(ems_peaks *p)
{
    const double pi = 3.14159265358979323846;
    double most = 1;
    for (int phase = 0; phase < 3; phase++) {
        double tap[2 * EMS_TAPS], sum = 0, spread = 0;
        for (int k = 0; k < 2 * EMS_TAPS; k++) {
            const double t = k - (EMS_TAPS - 1) - 0.25 * (phase + 1);
            const double window = 0.5 + 0.5 * cos(pi * t / EMS_TAPS);
            tap[k] = sin(pi * t) / (pi * t) * window;
            sum += tap[k];
        }
        for (int k = 0; k < 2 * EMS_TAPS; k++) {
            p->fir[phase][k] = (float)(tap[k] / sum);
            spread += fabs(tap[k] / sum);
        }
        most = fmax(most, spread);
    }
    p->spread = (float)(most * 1.0001); /* rounding */
}

static float loudest(const float *x, size_t samples)
{
    float peak[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= samples; i += LANES)
        for (int k = 0; k < LANES; k++)
            peak[k] = fabsf(x[i + (size_t)k]) > peak[k]
                          ? fabsf(x[i + (size_t)k]) : peak[k];
    for (; i < samples; i++)
        peak[0] = fmaxf(peak[0], fabsf(x[i]));
    for (int k = 1; k < LANES; k++)
        peak[0] = peak[k] > peak[0] ? peak[k] : peak[0];
    return peak[0];
}

/* out[0..LANES): |x| or the curve after it, whichever is larger. `first` is
 * the sample EMS_TAPS - 1 frames before x. */
static void peak_lanes(const ems_peaks *p, float *restrict out, const float *x,
                       const float *first, size_t channels)
{
    float a[LANES] = {0}, b[LANES] = {0}, c[LANES] = {0};
    for (size_t k = 0; k < 2 * EMS_TAPS; k++) {
        const float *from = first + k * channels;
        for (int i = 0; i < LANES; i++) {
            a[i] += p->fir[0][k] * from[i];
            b[i] += p->fir[1][k] * from[i];
            c[i] += p->fir[2][k] * from[i];
        }
    }
    for (int i = 0; i < LANES; i++) {
        float top = fabsf(x[i]);
        top = fabsf(a[i]) > top ? fabsf(a[i]) : top;
        top = fabsf(b[i]) > top ? fabsf(b[i]) : top;
        out[i] = fabsf(c[i]) > top ? fabsf(c[i]) : top;
    }
}

/* One stretch; its samples are copied so that lanes may run over the end. */
static void find_stretch(const ems_peaks *p, float *top, const float *x,
                         size_t n, size_t channels)
{
    float near[(STRETCH + 2 * EMS_TAPS + LANES) * 8];
    float each[STRETCH * 8 + LANES];
    const size_t lead = (EMS_TAPS - 1) * channels;
    const size_t samples = n * channels;
    const size_t all = samples + (2 * EMS_TAPS - 1) * channels;
    memcpy(near, x - lead, all * sizeof *near);
    memset(near + all, 0, LANES * sizeof *near);
    for (size_t i = 0; i < samples; i += LANES)
        peak_lanes(p, each + i, near + lead + i, near + i, channels);
    for (size_t i = 0; i < n; i++) {
        top[i] = each[i * channels];
        for (size_t c = 1; c < channels; c++)
            top[i] = fmaxf(top[i], each[i * channels + c]);
    }
}

void ems_peaks_find(const ems_peaks *p, float *top, const float *x, size_t n,
                    int channels, float floor)
{
    const size_t c = (size_t)channels;
    for (size_t at = 0; at < n; at += STRETCH) {
        const size_t m = n - at < STRETCH ? n - at : STRETCH;
        const float *s = x + at * c;
        const float peak = loudest(s - (EMS_TAPS - 1) * c,
                                   (m + 2 * EMS_TAPS - 1) * c);
        if (peak * p->spread <= floor)
            memset(top + at, 0, m * sizeof *top);
        else
            find_stretch(p, top + at, s, m, c);
    }
}

/* ---- The limiter -------------------------------------------------------- */

void ems_limiter_begin(ems_limiter *l, double gain, double ceiling,
                       int channels)
{
    memset(l, 0, sizeof *l);
    l->gain = gain;
    l->ceiling = ceiling;
    l->channels = channels;
    l->released = l->most = 1;
    for (size_t i = 0; i <= EMS_AHEAD; i++)
        l->sum += l->past[i] = (int64_t)UNIT;
    ems_peaks_begin(&l->peaks);
}

/* need[i]: the factor frame i must not exceed. */
static void find_needs(const ems_limiter *l, float *need, const float *x,
                       size_t n)
{
    const double highest = l->ceiling / l->gain;
    ems_peaks_find(&l->peaks, need, x, n, l->channels, (float)highest);
    for (size_t i = 0; i < n; i++)
        need[i] = (double)need[i] > highest ? (float)(highest / (double)need[i])
                                            : 1;
}

/* need[i] becomes the minimum of need[i .. i+EMS_AHEAD]: doubling windows. */
static void slide_minimum(float *need, size_t n)
{
    size_t width = 1;
    for (; width * 2 <= EMS_AHEAD + 1; width *= 2)
        for (size_t i = 0; i + width < n; i++)
            need[i] = need[i + width] < need[i] ? need[i + width] : need[i];
    const size_t rest = EMS_AHEAD + 1 - width;
    for (size_t i = 0; i + rest < n; i++)
        need[i] = need[i + rest] < need[i] ? need[i + rest] : need[i];
}

/* The factor of the frame whose held minimum is `hold`. */
static double advance(ems_limiter *l, double hold)
{
    l->released += (1 - l->released) * RELEASE;
    if (l->released > 0.999999)
        l->released = 1;
    if (hold < l->released)
        l->released = hold;
    const int64_t now = (int64_t)(l->released * UNIT);
    l->sum += now - l->past[l->at];
    l->past[l->at] = now;
    l->at = l->at == EMS_AHEAD ? 0 : l->at + 1;
    return (double)l->sum / (UNIT * (EMS_AHEAD + 1));
}

/* The frames before the first one would have seen it coming. */
static void prime(ems_limiter *l, const float *need)
{
    double hold = 1;
    for (size_t i = 0; i < EMS_AHEAD; i++) {
        hold = (double)need[i] < hold ? (double)need[i] : hold;
        advance(l, hold);
    }
    l->primed = 1;
}

void ems_limiter_next(ems_limiter *l, float *g, float *need, const float *x,
                      size_t n)
{
    find_needs(l, need, x, n + EMS_AHEAD);
    if (!l->primed)
        prime(l, need);
    slide_minimum(need, n + EMS_AHEAD);
    for (size_t i = 0; i < n; i++) {
        const double factor = advance(l, (double)need[i]);
        l->most = factor < l->most ? factor : l->most;
        g[i] = (float)(l->gain * factor);
    }
}

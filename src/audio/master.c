#include "audio/master.h"

#include "audio/audio.h"

#include <math.h>
#include <string.h>

/* Time constant of the release: 120 ms. */
#define RELEASE (1.0 / (0.120 * EMS_RATE))

#define UNIT 1099511627776.0 /* 2^40 */

/* Hann-windowed sinc, 16 taps a phase: the kind of interpolation ITU-R
 * BS.1770-4 annex 2 asks for, at four times the rate. */
static void make_filters(ems_limiter *l)
{
    const double pi = 3.14159265358979323846;
    l->spread = 1;
    for (int phase = 0; phase < 3; phase++) {
        double sum = 0, spread = 0;
        for (int k = 0; k < 2 * EMS_TAPS; k++) {
            const double t = k - (EMS_TAPS - 1) - 0.25 * (phase + 1);
            const double window = 0.5 + 0.5 * cos(pi * t / EMS_TAPS);
            l->fir[phase][k] = sin(pi * t) / (pi * t) * window;
            sum += l->fir[phase][k];
        }
        for (int k = 0; k < 2 * EMS_TAPS; k++) {
            l->fir[phase][k] /= sum;
            spread += fabs(l->fir[phase][k]);
        }
        l->spread = spread > l->spread ? spread : l->spread;
    }
}

void ems_limiter_begin(ems_limiter *l, double gain, double ceiling)
{
    memset(l, 0, sizeof *l);
    l->gain = gain;
    l->ceiling = ceiling;
    l->released = l->most = 1;
    for (size_t i = 0; i <= EMS_AHEAD; i++)
        l->sum += l->past[i] = (int64_t)UNIT;
    make_filters(l);
}

/* The largest of a frame's samples and of the curve up to the next frame. */
static double frame_peak(const ems_limiter *l, const float *x)
{
    double peak = 0;
    for (int c = 0; c < EMS_CHANNELS; c++) {
        peak = fmax(peak, fabs((double)x[c]));
        for (int phase = 0; phase < 3; phase++) {
            double y = 0;
            for (int k = 0; k < 2 * EMS_TAPS; k++)
                y += l->fir[phase][k] *
                     (double)x[(k - EMS_TAPS + 1) * EMS_CHANNELS + c];
            peak = fmax(peak, fabs(y));
        }
    }
    return peak;
}

static float loudest(const float *x, size_t samples)
{
    float peak = 0;
    for (size_t i = 0; i < samples; i++)
        peak = fabsf(x[i]) > peak ? fabsf(x[i]) : peak;
    return peak;
}

/* need[i]: the factor frame i must not exceed. Stretches whose peak could not
 * reach the ceiling between frames either are passed over. */
static void find_needs(const ems_limiter *l, float *need, const float *x,
                       size_t n)
{
    enum { STRETCH = 64 };
    for (size_t at = 0; at < n; at += STRETCH) {
        const size_t m = n - at < STRETCH ? n - at : STRETCH;
        const float *p = x + at * EMS_CHANNELS;
        const float peak = loudest(p - (EMS_TAPS - 1) * EMS_CHANNELS,
                                   (m + 2 * EMS_TAPS - 1) * EMS_CHANNELS);
        const int quiet = (double)peak * l->gain * l->spread <= l->ceiling;
        for (size_t i = 0; i < m; i++) {
            const double top = quiet ? 0 : l->gain *
                                   frame_peak(l, p + i * EMS_CHANNELS);
            need[at + i] = top > l->ceiling ? (float)(l->ceiling / top) : 1;
        }
    }
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
    l->at = (l->at + 1) % (EMS_AHEAD + 1);
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

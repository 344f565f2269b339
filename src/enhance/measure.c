#include "enhance/measure.h"

#include "base/spectrum.h"

#include <math.h>

enum { SIZE = 2048, HOP = SIZE / 2, BINS = SIZE / 2 + 1, CHANNELS = 2 };
#define FLOOR 1e-12f

double ems_measure_snr(const float *truth, const float *x, size_t frames)
{
    double signal = 0, error = 0;
    for (size_t i = 0; i < CHANNELS * frames; i++) {
        const double t = (double)truth[i], e = (double)x[i] - t;
        signal += t * t;
        error += e * e;
    }
    return 10 * log10((signal + 1e-30) / fmax(error, 1e-15 * signal + 1e-30));
}

static void power_at(ems_spectrum *s, float power[BINS], const float *x,
                     size_t at, size_t channel)
{
    float samples[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        samples[i] = x[CHANNELS * (at + i) + channel];
    ems_spectrum_run(s, power, samples);
}

static double distance(const float a[BINS], const float b[BINS])
{
    double sum = 0;
    for (size_t i = 0; i < BINS; i++) {
        const double d = 10 * log10((double)fmaxf(a[i], FLOOR) /
                                    (double)fmaxf(b[i], FLOOR));
        sum += d * d;
    }
    return sqrt(sum / BINS);
}

double ems_measure_lsd(const float *truth, const float *x, size_t frames)
{
    float a[BINS], b[BINS];
    ems_spectrum s;
    double sum = 0, count = 0;
    if (ems_spectrum_init(&s, SIZE) < 0)
        return -1;
    for (size_t at = 0; at + SIZE <= frames; at += HOP)
        for (size_t c = 0; c < CHANNELS; c++) {
            power_at(&s, a, truth, at, c);
            power_at(&s, b, x, at, c);
            sum += distance(a, b);
            count++;
        }
    ems_spectrum_clear(&s);
    return count > 0 ? sum / count : 0;
}

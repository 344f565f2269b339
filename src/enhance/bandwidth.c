#include "enhance/bandwidth.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK = 2 * EMS_BAND_BINS,
    WIDE = 10,   /* bins of a band: 215 Hz at 44.1 kHz */
    BANDS = EMS_BAND_BINS / WIDE,
    LOWEST = EMS_BAND_BINS / 6 / WIDE,     /* of the rate's half */
    HIGHEST = EMS_BAND_BINS * 3 / 4 / WIDE,
    ACROSS = 8,  /* bands over which the fall is measured */
};
#define STEEP 6.0 /* dB: music fades less within ACROSS bands */
#define SILENCE 1e-14 /* -140 dB: below it all is alike */

int ems_bandwidth_init(ems_bandwidth *b, ems_error *err)
{
    *b = (ems_bandwidth){.filled = 0};
    return ems_spectrum_init(&b->spectrum, BLOCK) < 0 ? ems_out_of_memory(err)
                                                      : EMS_OK;
}

void ems_bandwidth_clear(ems_bandwidth *b)
{
    ems_spectrum_clear(&b->spectrum);
}

void ems_bandwidth_add(ems_bandwidth *b, const float *x, size_t frames,
                       size_t channels)
{
    float power[EMS_BAND_BINS + 1];
    for (size_t i = 0; i < frames; i++) {
        float sum = 0;
        for (size_t c = 0; c < channels; c++)
            sum += x[i * channels + c];
        b->block[b->filled++] = sum / (float)channels;
        if (b->filled < BLOCK)
            continue;
        ems_spectrum_run(&b->spectrum, power, b->block);
        for (size_t k = 0; k <= EMS_BAND_BINS; k++)
            b->power[k] += (double)power[k];
        b->filled = 0;
    }
}

static void levels(const ems_bandwidth *b, double level[BANDS])
{
    double all = 0;
    for (size_t k = 0; k <= EMS_BAND_BINS; k++)
        all += b->power[k];
    for (size_t i = 0; i < BANDS; i++) {
        double sum = 0;
        for (size_t k = 0; k < WIDE; k++)
            sum += b->power[i * WIDE + k];
        level[i] = 10 * log10((sum + SILENCE * all + 1e-300) / WIDE);
    }
}

/* How far band `i` stands above everything from ACROSS bands on. */
static double fall_at(const double level[BANDS], int i)
{
    double most = -INFINITY;
    for (int k = i + ACROSS; k < BANDS; k++)
        most = fmax(most, level[k]);
    return level[i] - most;
}

ems_edge ems_bandwidth_edge(const ems_bandwidth *b, double rate)
{
    double level[BANDS];
    ems_edge edge = {0, 0};
    int from = LOWEST;
    levels(b, level);
    for (int i = LOWEST; i < HIGHEST; i++)
        if (fall_at(level, i) > fall_at(level, from) &&
            fall_at(level, from) < EMS_EDGE_FALL)
            from = i;
    int last = from; /* that is still about as loud */
    for (int i = from; i < from + ACROSS; i++)
        if (level[i] > level[from] - STEEP)
            last = i;
    edge.fall = fall_at(level, from);
    edge.hz = (last + 1) * rate * WIDE / BLOCK;
    return edge;
}

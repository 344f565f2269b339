/* bandwidth.h - where does a sound end? Music that was low-passed stops at an
 * edge; whole music fades away towards the top. */
#ifndef EMS_BANDWIDTH_H
#define EMS_BANDWIDTH_H
#include "base/spectrum.h"

#include "base/error.h"

enum { EMS_BAND_BINS = 1024 };

/* A fall from here on is an edge (docs/SOUND.md). */
#define EMS_EDGE_FALL 24.0

typedef struct ems_bandwidth {
    ems_spectrum spectrum;
    double power[EMS_BAND_BINS + 1]; /* sums over all blocks */
    float block[2 * EMS_BAND_BINS];
    size_t filled;
} ems_bandwidth;

int ems_bandwidth_init(ems_bandwidth *b, ems_error *err);
/* The next frames of a sound, [frames, channels]. */
void ems_bandwidth_add(ems_bandwidth *b, const float *x, size_t frames,
                       size_t channels);
/* A fall of the mean spectrum by EMS_EDGE_FALL dB within 1/26 of the rate (1.7
 * kHz at 44.1) that nothing above comes back from, and the frequency in Hz
 * where it begins, between 1/12 and 3/8 of the rate (3.7 to 16.5 kHz): the
 * first, or the deepest if all are less deep. */
typedef struct ems_edge {
    double hz, fall; /* dB */
} ems_edge;
ems_edge ems_bandwidth_edge(const ems_bandwidth *b, double rate);
void ems_bandwidth_clear(ems_bandwidth *b);

/* What lies below this share of an edge is left as it is. */
#define EMS_EDGE_CROSS 0.93
#endif

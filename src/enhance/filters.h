/* filters.h - the low-pass filters of the filter-overfitting study (Sulun and
 * Davies, "On filter generalization for music bandwidth extension using deep
 * neural networks", 2021): designed for any order and cut-off, run once
 * through a stream, or forward and backward without any shift of phase.
 *
 * A filter is plain data, read-only once designed: share it between threads.
 * A stream's state belongs to one thread at a time. Sound is float,
 * interleaved, of one or two channels; arithmetic is double.
 *
 *     ems_filter f;
 *     const ems_filter_spec s = ems_filter_bank(0); (Chebyshev-I, order 6)
 *     if (ems_filter_design(&f, &s, 44100, &err) == 0)
 *         ems_filter_zero_phase(&f, out, in, frames, 2, &err);
 */
#ifndef EMS_FILTERS_H
#define EMS_FILTERS_H
#include "base/error.h"
#include "base/rng.h"

#include <stddef.h>

typedef enum ems_filter_family {
    EMS_CHEBY1,   /* 0.05 dB of ripple in the pass band */
    EMS_ELLIPTIC, /* 0.05 dB of ripple, and 20 dB down in the stop band */
    EMS_BESSEL,   /* -3 dB at the cut-off (scipy's norm "mag") */
    EMS_BUTTER,   /* -3 dB at the cut-off */
    EMS_FILTER_FAMILIES
} ems_filter_family;

enum {
    EMS_FILTER_ORDER = 16, /* at most */
    EMS_FILTER_SECTIONS = EMS_FILTER_ORDER / 2,
    EMS_FILTER_BANK = 9,   /* filters of the study */
    EMS_FILTER_SEEN = 8,   /* of them, the first: those to train with */
    EMS_FILTER_UNSEEN = 8, /* index of the one to test with: Butterworth 6 */
    EMS_FILTER_NAME = 16   /* bytes for a name and its end */
};

typedef struct ems_filter_spec {
    ems_filter_family family;
    int order;     /* 1 to EMS_FILTER_ORDER */
    double cutoff; /* Hz: the edge of the pass band. Chebyshev-I and elliptic
                      filters are 0.05 dB down there, the others 3 dB */
} ems_filter_spec;

/* One second-order section, a0 = 1:
 * y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]. */
typedef struct ems_section {
    double b0, b1, b2, a1, a2;
} ems_section;

/* Sections run in order, from the most to the least damped. An odd order's
 * first section is of first order (b2 = a2 = 0). Every section but the first
 * has gain 1 at 0 Hz; the first has the filter's: 1, or -0.05 dB for even
 * orders of the families with ripple. */
typedef struct ems_filter {
    int order, sections;
    ems_section section[EMS_FILTER_SECTIONS];
} ems_filter;

/* What a stream remembers; all zero at its beginning. */
typedef struct ems_filter_state {
    double z[2][EMS_FILTER_SECTIONS][2]; /* [channel, section, delay] */
} ems_filter_state;

/* Design the digital filter by the bilinear transform, warped so that the
 * cut-off is exact. rate: samples per second. EMS_EINVAL: an unknown family
 * or order, or a cut-off outside (0, rate / 2); a millionth of the rate is
 * kept from both ends, where double precision no longer tells poles apart. */
int ems_filter_design(ems_filter *f, const ems_filter_spec *spec, double rate,
                      ems_error *err);

/* |H| at `hz` of one pass, linear; zero phase has its square. */
double ems_filter_magnitude(const ems_filter *f, double hz, double rate);

/* One pass over the next `frames` of a stream (channels: 1 or 2). out may be
 * in. However a stream is cut, it comes out the same. Samples that are not
 * finite count as 0. */
void ems_filter_stream(const ems_filter *f, ems_filter_state *s, float *out,
                       const float *in, size_t frames, int channels);

/* Forward and backward over a whole sound: no shift of phase, twice the
 * attenuation in dB. Ends as scipy's sosfiltfilt: 3 (order + 1) frames of odd
 * extension (fewer when the sound is shorter) and the steady state of the
 * first sample. out may be in. Samples that are not finite count as 0.
 * EMS_ENOMEM; EMS_EINVAL unless channels is 1 or 2. */
int ems_filter_zero_phase(const ems_filter *f, float *out, const float *in,
                          size_t frames, int channels, ems_error *err);

/* The study's filter i in [0, EMS_FILTER_BANK): Chebyshev-I 6, 8, 10, 12,
 * Bessel 6, 12, elliptic 6, 12, Butterworth 6; cut-off 11025 Hz. */
ems_filter_spec ems_filter_bank(int i);
/* Any family, any order from 2 to 12, a cut-off from 4 to 16 kHz (evenly in
 * octaves), all equally likely. */
ems_filter_spec ems_filter_draw(ems_rng *r);

/* "cheby1-6", "ellip-12", "bessel-6", "butter-6": family and order. */
void ems_filter_name(char name[EMS_FILTER_NAME], const ems_filter_spec *spec);
/* The other way round, cut-off 11025 Hz. EMS_EINVAL says what is known. */
int ems_filter_named(ems_filter_spec *spec, const char *name, ems_error *err);
#endif

/* loudness.h - how loud a sound is: EBU R128 by libebur128, and true peaks.
 * 48 kHz, stereo, interleaved. A meter belongs to one thread at a time. */
#ifndef EMS_LOUDNESS_H
#define EMS_LOUDNESS_H
#include "base/error.h"
#include "base/limiter.h"

#define EMS_SILENCE_LUFS (-70.0) /* EBU R128's absolute gate */
#define EMS_SILENCE_DB (-144.0)  /* 24 bits */

typedef struct ems_meter ems_meter;

/* true_peak: nonzero to measure it by libebur128 too (five times slower).
 * NULL: EMS_ENOMEM. */
ems_meter *ems_meter_new(int true_peak, ems_error *err);
int ems_meter_add(ems_meter *m, const float *x, size_t frames);
/* Integrated; -70 when silent. Sound shorter than one measuring block (0.4 s)
 * is measured as if silence followed. */
double ems_meter_lufs(ems_meter *m);
double ems_meter_true_peak(ems_meter *m); /* dBTP, -144 when silent */
void ems_meter_free(ems_meter *m);

/* The true peak of a stream by our own interpolation: quick, for searching. */
typedef struct ems_peak_meter {
    ems_peaks peaks;
    float top; /* so far, linear; of all but the last EMS_TAPS frames */
    float window[(2 * EMS_TAPS + 512) * 2];
    size_t held; /* frames in the window */
} ems_peak_meter;

void ems_peak_meter_begin(ems_peak_meter *m);
void ems_peak_meter_add(ems_peak_meter *m, const float *x, size_t frames);
/* Linear, after the last frame. */
double ems_peak_meter_end(ems_peak_meter *m);

double ems_to_db(double ratio);   /* at least -144 */
double ems_from_db(double decibel);
#endif

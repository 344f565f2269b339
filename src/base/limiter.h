/* limiter.h - true peaks of 48 kHz sound, and a look-ahead limiter that keeps
 * them below a ceiling. Sound is interleaved float; the samples before and
 * after what is asked about must be readable as stated. */
#ifndef EMS_LIMITER_H
#define EMS_LIMITER_H
#include <stddef.h>
#include <stdint.h>

/* Frames: how far the limiter looks ahead (5 ms), and how many more on both
 * sides its true-peak filter needs. */
enum { EMS_AHEAD = 240, EMS_TAPS = 8, EMS_MARGIN = EMS_AHEAD + EMS_TAPS };

/* Interpolation at 1/4, 1/2 and 3/4 of the way to the next sample by a
 * Hann-windowed sinc of 16 taps: the kind ITU-R BS.1770-4 annex 2 asks for. */
typedef struct ems_peaks {
    float fir[3][2 * EMS_TAPS];
    float spread; /* the most that interpolation can add: sum of |fir| */
} ems_peaks;

void ems_peaks_begin(ems_peaks *p);
/* top[0..n): the largest absolute value of any channel from each frame up to
 * the next. Where it cannot exceed `floor`, 0 may stand for it, which is
 * faster. x: readable from frame -EMS_TAPS to n + EMS_TAPS. */
void ems_peaks_find(const ems_peaks *p, float *top, const float *x, size_t n,
                    int channels, float floor);

/* One gain for all channels: the moving average of a sliding minimum of what
 * each frame needs, so that it is smooth and yet never above what any frame
 * needs. */
typedef struct ems_limiter {
    ems_peaks peaks;
    double gain, ceiling; /* linear */
    int channels;
    double released;      /* state of the release, (0, 1] */
    double most;          /* smallest factor so far: the deepest reduction */
    int64_t past[EMS_AHEAD + 1]; /* the moving average's window, in units */
    int64_t sum;                 /* of 2^-40: the running sum stays exact */
    size_t at;
    int primed;  /* nonzero: past has looked ahead of the first frame */
} ems_limiter;

void ems_limiter_begin(ems_limiter *l, double gain, double ceiling,
                       int channels);
/* The factors g[0..n) for the next n frames. x points to the first of them
 * and is readable from frame -EMS_TAPS to n + EMS_MARGIN. need: scratch of
 * n + EMS_AHEAD + 1 floats. */
void ems_limiter_next(ems_limiter *l, float *g, float *need, const float *x,
                      size_t n);
#endif

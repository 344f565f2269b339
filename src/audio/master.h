/* master.h - the last step: make the mix as loud as asked and keep its true
 * peak below the ceiling. */
#ifndef EMS_MASTER_H
#define EMS_MASTER_H
#include <stddef.h>
#include <stdint.h>

/* Frames: how far the limiter looks ahead (5 ms), and how many more on both
 * sides its true-peak filter needs. */
enum { EMS_AHEAD = 240, EMS_TAPS = 8, EMS_MARGIN = EMS_AHEAD + EMS_TAPS };

/* A look-ahead limiter with one gain for both channels. The gain is the
 * moving average of a sliding minimum of what each frame needs, so that it is
 * smooth and yet never above what any frame needs. */
typedef struct ems_limiter {
    double gain, ceiling; /* linear */
    double released;      /* state of the release, (0, 1] */
    double most;          /* smallest factor so far: the deepest reduction */
    int64_t past[EMS_AHEAD + 1]; /* the moving average's window, in units */
    int64_t sum;                 /* of 2^-40: the running sum stays exact */
    size_t at;
    int primed;  /* nonzero: past has looked ahead of the first frame */
    double fir[3][2 * EMS_TAPS]; /* interpolation at 1/4, 1/2, 3/4 frame */
    double spread; /* the most that interpolation can add: sum of |fir| */
} ems_limiter;

void ems_limiter_begin(ems_limiter *l, double gain, double ceiling);
/* The factors g[0..n) for the next n frames. x points to the first of them
 * and is readable from frame -EMS_TAPS to n + EMS_MARGIN (interleaved stereo).
 * need: scratch of n + EMS_AHEAD + 1 floats. */
void ems_limiter_next(ems_limiter *l, float *g, float *need, const float *x,
                      size_t n);
#endif

/* ahead.h - a window over a stream of frames that moves forwards only, for
 * chunks that hear what lies before and behind them. */
#ifndef EMS_AHEAD_H
#define EMS_AHEAD_H
#include "media/track.h"

typedef struct ems_ahead {
    float *frames;       /* [room, channels] from frame `from` on; owned */
    size_t from, count, channels;
} ems_ahead;

/* Room for so many frames; release with ems_free(a->frames). */
int ems_ahead_begin(ems_ahead *a, size_t room, size_t channels,
                    ems_error *err);
/* Frames [at, at + frames), not before those of the last call and at most the
 * room: channels `first` and, where there is one, the next (else the first
 * again) to x[frames, 2]; zeros past the end of the stream. `read` gives 0 at
 * its end. */
int ems_ahead_pair(ems_ahead *a, float *x, size_t at, size_t frames,
                   size_t first, ems_sound_read *read, void *source,
                   ems_error *err);
#endif

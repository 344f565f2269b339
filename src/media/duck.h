/* duck.h - speech first: where people speak, the music steps back; and how far
 * speech lies above it. Internal to src/media. */
#ifndef EMS_DUCK_H
#define EMS_DUCK_H
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ems_duck {
    ems_stretch *spans; /* ascending, apart by more than a breath */
    size_t count;
    double db;          /* by which the music is lowered there; 0: not */
} ems_duck;

/* Take over spans of speech, in seconds of the film: ascending and disjoint,
 * else EMS_EINVAL. Pauses below one second count as speech, so that the music
 * does not pump. EMS_ENOMEM. */
int ems_duck_open(ems_duck *d, const ems_stretch *speech, size_t count,
                  double db, ems_error *err);
/* The music's gain at a moment, linear: 200 ms down before speech begins,
 * 600 ms up after it has ended, straight lines in dB. */
double ems_duck_gain(const ems_duck *d, double time);
/* Is there speech at this moment? */
int ems_duck_speaks(const ems_duck *d, double time);
double ems_duck_seconds(const ems_duck *d); /* of speech in all */
void ems_duck_close(ems_duck *d); /* harmless when zeroed */

/* Loudness (libebur128, integrated and gated) of the original sound and of
 * the music during speech. */
typedef struct ems_speech_meter {
    void *state[2]; /* NULL: not measuring */
} ems_speech_meter;

enum { EMS_HEAR_SPEECH, EMS_HEAR_MUSIC };

int ems_speech_meter_open(ems_speech_meter *m, int channels, int rate,
                          ems_error *err);
/* frames of `what` (EMS_HEAR_*), interleaved. */
int ems_speech_meter_add(ems_speech_meter *m, int what, const float *x,
                         size_t frames);
/* LUFS; -70 for silence. */
double ems_speech_meter_lufs(const ems_speech_meter *m, int what);
void ems_speech_meter_close(ems_speech_meter *m); /* harmless when zeroed */
#endif

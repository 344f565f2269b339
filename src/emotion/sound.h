/* sound.h - loudness, timbre, onsets and mode of a film's own sound, kept in
 * slices of half a second (joined in pairs when there are too many: memory
 * stays below 8 MB at any length). */
#ifndef EMS_SOUND_H
#define EMS_SOUND_H
#include "base/error.h"
#include "emotion/features.h"
#include "emotion/hear.h"

typedef struct ems_sound ems_sound;

ems_sound *ems_sound_new(ems_error *err);
/* Mono at EMS_MEDIA_RATE, without gaps. */
int ems_sound_add(ems_sound *s, const float *samples, size_t count,
                  ems_error *err);
/* After the last sample. */
int ems_sound_end(ems_sound *s, ems_error *err);
/* Fill loudness .. silence between two times; untouched without sound. */
void ems_sound_measure(const ems_sound *s, double from, double to,
                       ems_features *out);
/* Fill mode and clarity, which need some seconds of music. */
void ems_sound_measure_mode(const ems_sound *s, double from, double to,
                            ems_features *out);
/* Loudness over time: LUFS (ITU-R BS.1770, -70 at least) of the mono sum as two
 * equal channels, for every *step seconds from 0 on, and of the whole with
 * its gates (-70: silent). Returns the number of steps, 0 without sound;
 * *lufs is the caller's. Negative: EMS_ENOMEM. */
long ems_sound_loudness(const ems_sound *s, float **lufs, double *step,
                        double *integrated, ems_error *err);
/* Speech and music; belongs to `s`. */
ems_hear *ems_sound_hear(ems_sound *s);
/* Nonzero when something louder than silence was heard. */
int ems_sound_heard(const ems_sound *s);
void ems_sound_free(ems_sound *s);

/* Fit of the best major and the best minor key to a pitch-class profile:
 * correlations with Krumhansl and Kessler's probe-tone profiles (1982). */
void ems_key_fit(const double chroma[12], double *major, double *minor);
#endif

/* audio_in.h - the main sound of any file, resampled, from its first sample on;
 * for modules that do not know FFmpeg. */
#ifndef EMS_AUDIO_IN_H
#define EMS_AUDIO_IN_H
#include "base/error.h"

typedef struct ems_audio_in ems_audio_in; /* of one thread at a time */

/* `channels`: 1 or 2, mixed down if need be; `rate` in Hz. NULL on failure
 * (EMS_EIO, EMS_EFORMAT, EMS_EINVAL, EMS_ENOMEM). */
ems_audio_in *ems_audio_in_open(const char *path, int rate, int channels,
                          const ems_run *run, ems_error *err);
/* Up to `frames` interleaved frames, +-1 and no louder than +-8; fewer only at
 * the end. Their number, or a negative code. */
int64_t ems_audio_in_read(ems_audio_in *s, float *out, int64_t frames,
                       ems_error *err);
void ems_audio_in_close(ems_audio_in *s);
#endif

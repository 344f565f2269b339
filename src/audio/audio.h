/* audio.h - notes become sound: one FluidSynth per instrument family, a mix,
 * loudness. The only folder that knows FluidSynth. What it does to the sound
 * and how exact it is: docs/SOUND.md.
 *
 * FluidSynth keeps one log function for the whole process; the first render
 * replaces it by one that hands messages to ems_log of the render they belong
 * to and prints nothing. */
#ifndef EMS_AUDIO_H
#define EMS_AUDIO_H
#include "base/error.h"

enum { EMS_RATE = 48000, EMS_CHANNELS = 2 };

/* As ems_render, to a WAV file whatever its name; `out` (may be NULL) tells
 * what its samples were measured to be before they were written. */
int ems_render_wav(const ems_piece *piece, const char *wav,
                   const ems_render_options *options, const ems_run *run,
                   ems_loudness *out, ems_error *err);

/* The SoundFont a render would use: `wanted`, else $EMSYNC_SOUNDFONT, else the
 * first of the usual places that exists. NULL: none, and a sentence that names
 * the package to install. Borrowed from `wanted`, the environment or static. */
const char *ems_soundfont_find(const char *wanted, ems_error *err);
#endif

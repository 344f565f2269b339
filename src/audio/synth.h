/* synth.h - one family of a piece as sound, block after block. A stem belongs
 * to one thread at a time; different stems may be used at the same time. */
#ifndef EMS_SYNTH_H
#define EMS_SYNTH_H
#include "audio/bank.h"
#include "music/piece.h"

/* FluidSynth acts on notes at multiples of this many frames: an onset is off
 * by at most half of it, 0.67 ms. */
enum { EMS_BLOCK = 64 };

typedef struct ems_stem ems_stem;

/* The notes of `family` that begin before frame `frames`. The bank must
 * outlive the stem; the piece need not. NULL: EMS_EFORMAT when the bank lacks
 * the program, EMS_ENOMEM. */
ems_stem *ems_stem_new(const ems_bank *bank, const ems_piece *piece,
                       ems_family family, uint64_t frames, ems_error *err);
/* The next n frames, interleaved; n is a multiple of EMS_BLOCK. */
void ems_stem_render(ems_stem *s, float *out, size_t n);

ems_family ems_stem_family(const ems_stem *s);
const char *ems_stem_name(const ems_stem *s); /* "bass", ... */
size_t ems_stem_notes(const ems_stem *s);
size_t ems_stem_mute(const ems_stem *s); /* notes the bank has no sound for */
/* The first thing FluidSynth complained about; "" when nothing. */
const char *ems_stem_complaint(const ems_stem *s);
void ems_stem_free(ems_stem *s);
#endif

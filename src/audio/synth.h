/* synth.h - one family of a piece as sound, block after block. A stem belongs
 * to one thread at a time; different stems may be used at the same time. */
#ifndef EMS_SYNTH_H
#define EMS_SYNTH_H
#include "audio/bank.h"
#include "audio/events.h"
#include "audio/mixer.h"

typedef struct ems_stem ems_stem;

typedef struct ems_stem_options {
    uint64_t frames;        /* of the piece: what begins later is left out */
    const ems_strip *strip; /* borrowed for the call */
    ems_touch touch;
} ems_stem_options;

/* Play the notes of `family` with the bank's program, at the loudness that
 * the balance wants (measured: the bank is asked to play eight notes). The
 * bank must outlive the stem; the piece need not. NULL: EMS_EFORMAT when the
 * bank lacks the program, EMS_ENOMEM. */
ems_stem *ems_stem_new(const ems_bank *bank, const ems_piece *piece,
                       ems_family family, const ems_stem_options *options,
                       ems_error *err);
/* The next n frames, interleaved; n is a multiple of EMS_BLOCK. */
void ems_stem_render(ems_stem *s, float *out, size_t n);

typedef struct ems_stem_state {
    ems_family family;
    size_t notes;
    size_t mute;          /* of them: the bank has no sound for so many */
    size_t absurd;        /* samples replaced by 0: no numbers, or +24 dBFS */
    double loudness;      /* of the probe before correction, LUFS */
    double correction;    /* dB */
    const char *complaint; /* FluidSynth's first; "" when there is none */
} ems_stem_state;

void ems_stem_tell(const ems_stem *s, ems_stem_state *out);
void ems_stem_free(ems_stem *s);
#endif

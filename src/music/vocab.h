/* vocab.h - the 1011 tokens of EMSYNC (docs/MODEL.md 2.1).
 *
 *     0 PAD   1 START   2 BAR   3 CHORD
 *     4..128     TIMESHIFT k: k ticks of 8 ms, k = 1..125, id = 3 + k
 *     129..1008  notes: families BASS, DRUMS, GUITAR, PIANO, STRINGS (0..4);
 *                OFF = 129 + 176 f + (pitch - 21), ON = OFF + 88,
 *                pitch 21..108
 *     1009 LESS_INSTRUMENTS   1010 MORE_INSTRUMENTS */
#ifndef EMS_VOCAB_H
#define EMS_VOCAB_H
#include <emsync/emsync.h>

enum {
    EMS_PAD, EMS_START, EMS_BAR, EMS_CHORD,
    EMS_SHIFT_BASE = 3, /* id of TIMESHIFT k is EMS_SHIFT_BASE + k */
    EMS_MAX_SHIFT = 125,
    EMS_FIRST_NOTE = 129, EMS_LAST_NOTE = 1008,
    EMS_LESS_INSTRUMENTS = 1009, EMS_MORE_INSTRUMENTS = 1010,
    EMS_VOCAB = 1011,
    EMS_LOW_PITCH = 21, EMS_HIGH_PITCH = 108, EMS_PITCHES = 88,
    EMS_GROUND = 52, /* an E: what lies below carries the music */
    EMS_TICK_MS = 8,
    EMS_CHORD_GAP = 125, /* ticks from a <CHORD> to the next, at least */
};
#define EMS_TICK 0.008 /* seconds */
#define EMS_OFFSET_REACH 8.0 /* seconds a boundary is foreseen */

/* Guitar, piano or strings: who plays chords and melodies. */
static inline int ems_is_melodic(int family)
{
    return family == EMS_GUITAR || family == EMS_PIANO ||
           family == EMS_STRINGS;
}

/* A set of pitch classes, a bit for each, so many semitones higher (0..12). */
static inline unsigned ems_classes_up(unsigned classes, int semitones)
{
    return (classes << semitones | classes >> (12 - semitones)) & 0xfff;
}

static inline int ems_is_shift(int token)
{
    return token > EMS_SHIFT_BASE && token <= EMS_SHIFT_BASE + EMS_MAX_SHIFT;
}

static inline int ems_shift_ticks(int token)
{
    return token - EMS_SHIFT_BASE;
}

static inline int ems_is_note(int token)
{
    return token >= EMS_FIRST_NOTE && token <= EMS_LAST_NOTE;
}

static inline int ems_note_is_on(int token)
{
    return (token - EMS_FIRST_NOTE) % (2 * EMS_PITCHES) >= EMS_PITCHES;
}

static inline int ems_note_family(int token)
{
    return (token - EMS_FIRST_NOTE) / (2 * EMS_PITCHES);
}

static inline int ems_note_pitch(int token)
{
    return EMS_LOW_PITCH + (token - EMS_FIRST_NOTE) % EMS_PITCHES;
}

static inline int ems_note_token(int family, int pitch, int on)
{
    return EMS_FIRST_NOTE + 2 * EMS_PITCHES * family + EMS_PITCHES * on +
           pitch - EMS_LOW_PITCH;
}
#endif

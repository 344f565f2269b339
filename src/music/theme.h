/* theme.h - what a film's music began with comes back.
 *
 * A small model forgets its melody with the bar it stood in. So the highest
 * notes of the first four bars are kept as a theme, in semitones above the
 * tonic and twelfths of a beat, and where the form (harmony.h: A A B A) comes
 * to A again, the same notes are made likelier than others: in the key that is
 * in force then, its mode included, for whichever of guitar, piano and strings
 * plays. A prior only: the model varies them, and scenes differ in tempo,
 * density and instruments. */
#ifndef EMS_THEME_H
#define EMS_THEME_H
#include "music/harmony.h"

enum { EMS_THEME_BARS = EMS_PHRASE,
       EMS_THEME_NOTES = 24 /* of a bar, at most */ };

typedef struct ems_theme_note {
    int twelfth; /* of a beat, from the bar line */
    int pitch;   /* above the tonic that is nearest to middle C */
} ems_theme_note;

typedef struct ems_theme {
    ems_theme_note note[EMS_THEME_BARS][EMS_THEME_NOTES];
    int notes[EMS_THEME_BARS];
    int bar;       /* of the theme, now; -1: none */
    int returns;   /* nonzero: it is known; 0: it is being made */
    int tonic;     /* in force: semitones above middle C, -5..6 */
    unsigned scale; /* pitch classes in force, bits */
} ems_theme;

void ems_theme_start(ems_theme *t);
/* A bar begins, number `bar` of its section. */
void ems_theme_bar(ems_theme *t, size_t bar, int tonic, unsigned scale);
/* A note of guitar, piano or strings begins. */
void ems_theme_strike(ems_theme *t, int twelfth, int pitch);
/* Add the logarithms of the prior, times `steer`, to logits[EMS_VOCAB]. `step`:
 * ticks of a twelfth of a beat; `tick`: from the bar line. */
void ems_theme_apply(const ems_theme *t, int tick, int step, double steer,
                     float *logits);
#endif

/* harmony.h - a chord for every bar, before a note is written.
 *
 * A small model left to itself stays on one chord. So bars get chords of a
 * song's form: phrases of four bars, A A B A, each a walk through the
 * functions of tonal harmony (major: I ii iii IV V vi, at times the dominants
 * of V and vi or a minor iv; minor: i III iv V VI VII, at times a lowered II,
 * a major IV or a diminished vii). A begins on the tonic, B does not, a phrase
 * ends where the next may follow, the ending is prepared by the dominant. They
 * enter the music as a prior only (mood.h). */
#ifndef EMS_HARMONY_H
#define EMS_HARMONY_H
#include <stddef.h>
#include <stdint.h>

enum { EMS_PHRASE = 4, /* bars */ EMS_FORM = 4 /* phrases: A A B A */ };

typedef struct ems_chord {
    int root;         /* semitones above the tonic */
    unsigned pitches; /* a bit for each pitch class above the tonic */
    unsigned scale;   /* the key's, fit for the chord; likewise */
} ems_chord;

typedef enum ems_cadence {
    EMS_CADENCE_NONE, EMS_CADENCE_PREPARE, EMS_CADENCE_CLOSE
} ems_cadence;

/* Is this bar of a section in B of the form? */
int ems_in_bridge(size_t bar);
/* Of bar `bar`, counted from the beginning of a section whose seed this is;
 * valence in [-1,1] counts in steps of 0.2, so that a scene keeps its chords.
 * PREPARE: the bar before the ending's; CLOSE: the ending's. The same for the
 * same arguments everywhere. */
ems_chord ems_harmony_at(uint64_t seed, int minor, double valence, size_t bar,
                         ems_cadence cadence);
#endif

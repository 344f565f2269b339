/* chords.h - what the chords of a piece are like. A chord: three or more notes
 * of any family but drums, struck within 30 ms. */
#ifndef EMS_CHORDS_H
#define EMS_CHORDS_H
#include "music/piece.h"

typedef struct ems_chord_sums { /* over chords; sums can be added up */
    double chords, notes;
    double known;      /* chords whose pitch classes are all of one triad
                          (major, minor, diminished, augmented, suspended) or
                          seventh chord (major, minor, dominant) */
    double pairs, sharp; /* of pitch classes; a semitone or tritone apart */
} ems_chord_sums;

/* Add the piece's chords: those within 30 ms of one of the times, ascending,
 * to *at, the others to *elsewhere. `p` sorted. */
void ems_chords_measure(const ems_piece *p, const double *times, size_t count,
                        ems_chord_sums *at, ems_chord_sums *elsewhere);
#endif

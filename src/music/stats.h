/* stats.h - numbers that tell music from noise, for judging what models and
 * settings compose. Names and definitions where they exist: Mogren 2016 (scale
 * consistency), Wu and Yang 2020 (pitch-class entropy, grooving pattern
 * similarity). */
#ifndef EMS_STATS_H
#define EMS_STATS_H
#include "music/piece.h"

typedef struct ems_piece_stats {
    double notes_per_second;
    double family_share[EMS_FAMILIES]; /* of the notes */
    double families;            /* that play */
    int lowest, highest;        /* MIDI pitch without drums; 0 when none */
    double mean_pitch;
    double polyphony;           /* pitched notes that sound, mean over the time
                                   in which any does */
    double ground;              /* share of the time in which a pitch below
                                   EMS_GROUND sounds */
    double empty_bars;          /* share of the bars in which nothing sounds */
    double silence;             /* share of the time without any note */
    double longest_silence;     /* seconds */
    double longest_note;        /* seconds */
    double scale_consistency;   /* best major or minor scale's share of sound */
    double pitch_class_entropy; /* bits, 0..3.585 */
    double groove;              /* 1 - mean share of 16 positions in which
                                   neighbouring bars differ; 1: all alike */
    double repeated_span;       /* share of bars in the longest run of bars that
                                   is played twice, note for note */
    double figures;             /* share of the families' top voices' figures of
                                   eight notes that were heard before, in any
                                   key */
    double struck_again, theme; /* stats_repeats.h */
    double bar_seconds;         /* median */
    double bar_spread;          /* mean |length / median - 1| */
    double tempo_change;        /* largest between neighbouring bars */
    double on_grid;             /* share of onsets within 10 ms of a sixteenth
                                   or a triplet eighth */
} ems_piece_stats;

/* `p` sorted. EMS_ENOMEM or 0. */
int ems_piece_measure(ems_piece_stats *s, const ems_piece *p, ems_error *err);
#endif

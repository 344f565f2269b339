/* critic_features.h - what the critic hears in a stretch of music, as numbers.
 *
 * Music is heard in frames of half a second; what is heard in a frame is a set
 * of sums (ems_heard), and sums of neighbouring frames add up to what is
 * heard in a window. The features are functions of such a sum. All pitched
 * families are heard as one instrument and doubled notes count once, so that
 * a band and a piano that play the same music sound alike; drums are counted
 * apart; how loud it is played is the last feature, so that it can be left
 * out. */
#ifndef EMS_CRITIC_FEATURES_H
#define EMS_CRITIC_FEATURES_H
#include "base/error.h"

#define EMS_HEARD_FRAME 0.5 /* seconds */

enum { EMS_HEARD_LAGS = 16 }; /* of 0.1 s */

/* Sums over a stretch of time. "Group": notes that begin within 40 ms. */
typedef struct ems_heard {
    double seconds;         /* of frames in which a pitched note sounds */
    double sounding;        /* seconds in which one does */
    double groups, notes;   /* pitched onsets; distinct pitches in them */
    double drums;           /* onsets of drums, grouped likewise */
    double ioi[3];          /* count, sum and sum of squares of ln seconds
                               between groups */
    double jerk;            /* sum |ln of the ratio of neighbouring gaps| */
    double length[3];       /* of notes: as ioi, ln seconds */
    double legato;          /* sum of min(length / gap, 2) over groups */
    double lags[EMS_HEARD_LAGS]; /* pairs of groups by distance */
    double chroma[12];      /* seconds, from C */
    double octave[8];       /* seconds, from C1 (24); the ends take the rest */
    double pitch[2];        /* sum of seconds * pitch, and of its square */
    double top[3], bottom[3]; /* count, sum and sum of squares of the highest
                               and lowest pitch that sounds at a group */
    double over_bass[12];   /* seconds of pitch classes above the lowest */
    double pairs[12];       /* seconds of intervals modulo the octave */
    double chords[6];       /* frames that sound major, minor, diminished,
                               augmented, suspended, none */
    double moves[7];        /* of the highest: same, step, third, fourth and
                               fifth, wider; upward, downward */
    double fresh;           /* pitch classes not heard for a second */
    double tops, bottoms;   /* groups that strike the highest, the lowest */
    double restruck;        /* notes of a pitch that was struck < 1 s ago */
    double full;            /* groups of four pitches or more */
    double brief, held;     /* notes shorter than 0.15 s, longer than 1 s */
    double tight;           /* sum over groups of pitch span / size */
    double changes;         /* sum of the change of chroma between frames */
    double polyphony;       /* sum of seconds of all notes */
    double loudness;        /* sum of (velocity - 80) / 25 over notes */
} ems_heard;

/* Hear notes[0..count) (ascending start) in frames[0..n), which begin at
 * `from`. Only what sounds between their ends is heard. */
void ems_hear(ems_heard *frames, size_t n, double from,
              const ems_note *notes, size_t count);
void ems_heard_add(ems_heard *sum, const ems_heard *part);

enum {
    EMS_HEARD_LOUDNESS = 102, /* the last feature: mean velocity */
    EMS_HEARD_FEATURES,
};
/* x[0..EMS_HEARD_FEATURES) of a sum in which something pitched sounds. */
void ems_heard_features(double *x, const ems_heard *sum);

enum {
    EMS_HEARD_WINDOW = 16, /* seconds */
    EMS_HEARD_WHOLE = 3 * EMS_HEARD_FEATURES,
};
/* Called for each time with EMS_HEARD_WHOLE features: of the window around
 * it, of the music until that window's end, of all music; NULL where nothing
 * pitched sounds in the window. */
typedef void ems_hear_each(void *user, size_t i, const double *x);

/* Where the last note that is heard ends; at most 24 hours. */
double ems_heard_end(const ems_note *notes, size_t count);
/* 0 or EMS_ENOMEM. times[0..n) ascend. */
int ems_hear_piece(const ems_note *notes, size_t count, const double *times,
                   size_t n, ems_hear_each *each, void *user, ems_error *err);
#endif

/* mood.h - what an emotion asks of the notes, whatever the model says: how
 * many, for which instruments, and of which key and mode.
 *
 * Listeners hear arousal in density and valence in mode before all else (the
 * two features that our critic's ratings follow most, docs/MUSIC.md). A small
 * model heeds its conditions little, so in exact mode its probabilities are
 * multiplied by priors:
 *   density  (target / recent)^PULL for every note-ON, where target notes a
 *            second grow with arousal;
 *   parts    (wanted / usual)^LEAN (wanted / heard)^BALANCE for each family's
 *            note-ONs, shares of the notes (lineup.h): who had little lately
 *            comes forward;
 *   key      (profile / mean profile)^WEIGHT for every pitched note-ON, by
 *            pitch class above the tonic (Krumhansl and Kessler 1982), between
 *            the major profile at valence 1 and the minor one at -1;
 *   chord    a factor for the pitch classes of the bar's chord (harmony.h),
 *            less above HIGH, where melodies live; the bass is led to its root;
 *   ground   where no low note has sounded for AFLOAT seconds, a factor for low
 *            ones of those who play, the root above all: left alone, calm
 *            music has no bass;
 *   variety  e^(-WORN (share - FREE)) for a pitch that had more than FREE of
 *            its family's recent notes: a small model hammers.
 * All are raised to the power `steer`; 0 leaves the model alone. */
#ifndef EMS_MOOD_H
#define EMS_MOOD_H
#include "music/harmony.h"
#include "music/vocab.h"

typedef struct ems_mood {
    double steer;          /* 0..1 */
    int tonic;             /* pitch class */
    int minor;             /* mode in force; changes with some reluctance */
    int fixed;             /* nonzero: it does not, a plan gives the key */
    double target;         /* note-ONs a second */
    double wanted[EMS_FAMILIES]; /* shares of the notes */
    unsigned scale;        /* a bit for each pitch class of the key */
    double pull[12];       /* logarithm of the key's prior by pitch class */
    unsigned chord;        /* a bit for each pitch class of the bar's chord */
    int root;              /* its pitch class */
} ems_mood;

/* The tonic is drawn by seed. */
void ems_mood_start(ems_mood *m, uint64_t seed, double steer);
/* The plan's key from here on; a tonic of -1 leaves it to the mood. */
void ems_mood_key(ems_mood *m, int tonic, int minor);
/* Valence and arousal in [-1,1], from here on. */
void ems_mood_set(ems_mood *m, double valence, double arousal);
/* Who shall play, as ems_lineup_at says. */
void ems_mood_lineup(ems_mood *m, const double share[EMS_FAMILIES]);
/* The chord of the bar; after ems_mood_set. */
void ems_mood_chord(ems_mood *m, ems_chord chord);
/* What has been played. */
typedef struct ems_heard {
    double recent;               /* note-ONs of the last second or so */
    double afloat;               /* seconds without a pitch below EMS_GROUND */
    const double (*struck)[EMS_PITCHES]; /* recent notes by family and pitch
                                    (from EMS_LOW_PITCH); NULL: none */
} ems_heard;

/* Add the logarithms of the priors to logits[EMS_VOCAB]. */
void ems_mood_apply(const ems_mood *m, const ems_heard *heard, float *logits);
#endif

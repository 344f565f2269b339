/* mapping.h - between Ekman's six emotions and valence-arousal, through one
 * Gaussian per emotion (Russell and Mehrabian, "Evidence for a three-factor
 * theory of emotions", J. Research in Personality 11(3), 1977, 273-294),
 * rescaled as EMSYNC does so that the means span -0.8..0.8 on each axis. */
#ifndef EMS_MAPPING_H
#define EMS_MAPPING_H
#include "base/error.h"
#include "base/rng.h"

typedef struct ems_gaussian { /* of one emotion, axes independent */
    double valence, valence_sd, arousal, arousal_sd;
} ems_gaussian;

/* The rescaled table, in the order of the EMS_ANGER.. constants. */
void ems_emotion_table(ems_gaussian table[EMS_EKMAN]);

/* The mean of the mixture; p sums to 1. Clipped to [-1,1]. */
void ems_emotion_to_va(double *valence, double *arousal,
                       const double p[EMS_EKMAN]);
/* One sample: an emotion drawn by p for each axis separately, then its
 * Gaussian. Clipped to [-1,1]. */
void ems_emotion_sample(double *valence, double *arousal,
                        const double p[EMS_EKMAN], ems_rng *rng);
/* The way back: how probable each emotion is at this point if all six are
 * equally likely beforehand. p sums to 1. */
void ems_va_to_emotion(double p[EMS_EKMAN], double valence, double arousal);

/* Names in the order of the constants: "anger", ... */
extern const char *const ems_emotion_names[EMS_EKMAN];
#endif

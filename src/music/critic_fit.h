/* critic_fit.h - ridge regression on standardised, clipped features, for both
 * axes at once; and how well guesses fit. */
#ifndef EMS_CRITIC_FIT_H
#define EMS_CRITIC_FIT_H
#include "music/critic_weights.h"

typedef struct ems_rated { /* what the critic learns from */
    float *x;       /* [rows, EMS_HEARD_WHOLE] */
    float *y;       /* [rows, 2] valence, arousal */
    uint32_t *piece; /* [rows], ascending */
    size_t rows, pieces;
    uint32_t *group; /* [pieces]: those of one series share a number */
    char **name;     /* [pieces] */
    uint32_t groups;
} ems_rated;

/* Learn from the rows with a weight > 0: mean, scale, weight and bias of the
 * head, whose `features` is set; gain becomes 1, offset 0. Weights of the rows
 * of a piece should sum to 1; `ridge` then counts in pieces. EMS_ENOMEM or
 * EMS_EINTERNAL when the equations have no answer. */
int ems_critic_fit(ems_critic_head *h, const ems_rated *r,
                   const double *weight, double ridge, ems_error *err);

/* Pearson's r of n pairs, weighted equally; 0 when one side is constant. */
double ems_correlation(const double *a, const double *b, size_t n);
#endif

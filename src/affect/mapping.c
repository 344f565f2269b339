#include "affect/mapping.h"

#include "base/exact.h"

#include <math.h>

const char *const ems_emotion_names[EMS_EKMAN] = {
    "anger", "disgust", "fear", "joy", "sadness", "surprise",
};

static const ems_gaussian PUBLISHED[EMS_EKMAN] = {
    [EMS_ANGER] = {-0.51, 0.20, 0.59, 0.29},
    [EMS_DISGUST] = {-0.60, 0.20, 0.35, 0.41},
    [EMS_FEAR] = {-0.64, 0.20, 0.60, 0.32},
    [EMS_JOY] = {0.76, 0.22, 0.48, 0.26},
    [EMS_SADNESS] = {-0.63, 0.23, -0.27, 0.34},
    [EMS_SURPRISE] = {0.40, 0.30, 0.67, 0.27},
};

/* Smallest and largest mean of the table go to -SPAN and SPAN. */
static const double SPAN = 0.8;

static double clip(double x)
{
    return x < -1 ? -1 : x > 1 ? 1 : x;
}

void ems_emotion_table(ems_gaussian table[EMS_EKMAN])
{
    double vmin = 1, vmax = -1, amin = 1, amax = -1;
    for (int e = 0; e < EMS_EKMAN; e++) {
        vmin = fmin(vmin, PUBLISHED[e].valence);
        vmax = fmax(vmax, PUBLISHED[e].valence);
        amin = fmin(amin, PUBLISHED[e].arousal);
        amax = fmax(amax, PUBLISHED[e].arousal);
    }
    const double vscale = 2 * SPAN / (vmax - vmin);
    const double ascale = 2 * SPAN / (amax - amin);
    for (int e = 0; e < EMS_EKMAN; e++) {
        const ems_gaussian *g = &PUBLISHED[e];
        table[e] = (ems_gaussian){
            .valence = (g->valence - vmin) * vscale - SPAN,
            .valence_sd = g->valence_sd * vscale,
            .arousal = (g->arousal - amin) * ascale - SPAN,
            .arousal_sd = g->arousal_sd * ascale,
        };
    }
}

void ems_emotion_to_va(double *valence, double *arousal,
                       const double p[EMS_EKMAN])
{
    ems_gaussian table[EMS_EKMAN];
    ems_emotion_table(table);
    double v = 0, a = 0;
    for (int e = 0; e < EMS_EKMAN; e++) {
        v += p[e] * table[e].valence;
        a += p[e] * table[e].arousal;
    }
    *valence = clip(v);
    *arousal = clip(a);
}

static int draw(const double p[EMS_EKMAN], ems_rng *rng)
{
    double left = ems_rng_uniform(rng);
    for (int e = 0; e < EMS_EKMAN - 1; e++) {
        left -= p[e];
        if (left < 0)
            return e;
    }
    return EMS_EKMAN - 1;
}

void ems_emotion_sample(double *valence, double *arousal,
                        const double p[EMS_EKMAN], ems_rng *rng)
{
    ems_gaussian table[EMS_EKMAN];
    ems_emotion_table(table);
    const ems_gaussian v = table[draw(p, rng)];
    const ems_gaussian a = table[draw(p, rng)];
    *valence = clip(v.valence + v.valence_sd * ems_rng_normal(rng));
    *arousal = clip(a.arousal + a.arousal_sd * ems_rng_normal(rng));
}

/* Logarithm of the density up to the constant that all six share. */
static double log_density(const ems_gaussian *g, double v, double a)
{
    const double x = (v - g->valence) / g->valence_sd;
    const double y = (a - g->arousal) / g->arousal_sd;
    return -0.5 * (x * x + y * y) -
           ems_exact_log(g->valence_sd * g->arousal_sd);
}

void ems_va_to_emotion(double p[EMS_EKMAN], double valence, double arousal)
{
    ems_gaussian table[EMS_EKMAN];
    ems_emotion_table(table);
    double highest = -INFINITY, sum = 0;
    for (int e = 0; e < EMS_EKMAN; e++) {
        p[e] = log_density(&table[e], valence, arousal);
        highest = fmax(highest, p[e]);
    }
    for (int e = 0; e < EMS_EKMAN; e++) {
        p[e] = ems_exact_exp(p[e] - highest);
        sum += p[e];
    }
    for (int e = 0; e < EMS_EKMAN; e++)
        p[e] /= sum;
}

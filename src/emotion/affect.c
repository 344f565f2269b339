#include "emotion/affect.h"

#include "base/exact.h"

#include <math.h>
#include <stddef.h>

/* A feature x enters as z = (x - centre) / spread, cut at +-LIMIT; some on
 * a logarithmic scale (base 2), since ratios are what is perceived. Centres
 * and spreads are what is usual in films; weights follow the literature:
 * - brightness, saturation: Valdez and Mehrabian 1994, pleasure .69 B +
 *   .22 S, arousal -.31 B + .60 S (arousal at half: colour is one of many).
 * - motion, length of shots: Simons et al. 2003; Hanjalic and Xu 2005.
 * - loudness, timbre, onsets, mode: Gabrielsson and Lindstroem 2001, Juslin
 *   and Laukka 2004; Hanjalic and Xu 2005 for loudness in films. */
typedef struct term {
    int feature, logarithmic;
    double centre, spread, valence, arousal;
} term;

#define F(name) EMS_FEATURE_##name
static const term TERMS[] = {
    {F(brightness), 0, 0.35, 0.18, 0.69, -0.155},
    {F(saturation), 0, 0.30, 0.20, 0.22, 0.30},
    {F(motion), 1, 2.3, 1.0, 0, 1.0},   /* log2(1 + x): 4 of 255 */
    {F(length), 1, 2.3, 1.3, 0, -0.8},  /* 4 s */
    {F(loudness), 0, -26, 9, 0, 1.0},
    {F(onsets), 0, 2.5, 1.5, 0.15, 0.5},
    {F(centroid), 1, 10.9, 0.7, 0.15, 0.4}, /* 1.9 kHz */
    {F(mode), 0, 0, 0.12, 0.70, 0},     /* times the clarity of the key */
};
#undef F
static const double LIMIT = 2.5;
/* What a mean z of 1 means before it is bent into (-1,1). */
static const double GAIN = 1.3;

/* A key that fits worse than this says nothing; clearer ones count more. */
static double key_trust(double clarity)
{
    return fmin(fmax((clarity - 0.4) / 0.4, 0), 1);
}

static double bend(double x)
{
    return x / sqrt(1 + x * x);
}

void ems_affect(double *valence, double *arousal, const ems_features *f)
{
    ems_features copy = *f;
    double v = 0, a = 0, v_weight = 0, a_weight = 0;
    for (size_t i = 0; i < sizeof TERMS / sizeof *TERMS; i++) {
        const term *t = &TERMS[i];
        double x = *ems_feature_at(&copy, t->feature);
        if (isnan(x))
            continue;
        if (t->logarithmic)
            x = ems_exact_log(1 + x) / 0.69314718055994531;
        double z = (x - t->centre) / t->spread;
        z = fmin(fmax(z, -LIMIT), LIMIT);
        if (t->feature == EMS_FEATURE_mode)
            z *= isnan(f->clarity) ? 0 : key_trust(f->clarity);
        v += t->valence * z;
        a += t->arousal * z;
        v_weight += fabs(t->valence);
        a_weight += fabs(t->arousal);
    }
    *valence = v_weight > 0 ? bend(GAIN * v / v_weight) : 0;
    *arousal = a_weight > 0 ? bend(GAIN * a / a_weight) : 0;
}

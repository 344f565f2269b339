/* affect.h - valence and arousal from measured features by published
 * relations; docs/EMOTION.md names the sources. */
#ifndef EMS_AFFECT_H
#define EMS_AFFECT_H
#include "emotion/features.h"

/* Features that are NaN fall away and the others carry their weight; with
 * none at all both results are 0. Results lie inside (-1,1). */
void ems_affect(double *valence, double *arousal, const ems_features *f);
#endif

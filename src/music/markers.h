/* markers.h - what a score says about the film: where it is cut and hit, and
 * how it feels there. */
#ifndef EMS_MARKERS_H
#define EMS_MARKERS_H
#include "music/piece.h"
#include "music/plan.h"

/* Ekman's emotion that is nearest to the plan's curve at `time`. */
const char *ems_plan_emotion(const ems_plan *plan, double time);
/* Sections with their keys, from the plan or, of the first, from the notes.
 * Markers at hits ("hit 3, shot 5, joy") and at the other cuts ("dissolve,
 * shot 6, sadness"), and a cue point at every cut ("shot 5"). Hits beyond the
 * plan's are the ending: a section. Adds SMPTE's rate too. */
int ems_markers_add(ems_piece *piece, const ems_plan *plan,
                    const double *hits, size_t hit_count, ems_error *err);
#endif

/* accent.h - what makes a hit a hit: bass below its chord, drums with it,
 * where the plan lets them play and the model left them out. */
#ifndef EMS_ACCENT_H
#define EMS_ACCENT_H
#include "music/piece.h"
#include "music/plan.h"

/* For every hit on which something pitched is struck: a bass note of the
 * lowest pitch class; a bass drum, and a crash cymbal unless one came less than
 * four seconds before, so that a montage is no machine-gun. No drums while
 * somebody speaks, nor where arousal is below 0 and none are about. `p` sorted,
 * before and after; `hits` ascend. */
int ems_accent_hits(ems_piece *p, const ems_plan *plan, const double *hits,
                    size_t count, ems_error *err);
#endif

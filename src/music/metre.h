/* metre.h - the bars of a piece before it is written: regular, at a tempo
 * that suits its emotion, stretched a little so that every hit falls on a bar
 * line. What the objective is: docs/MUSIC.md. */
#ifndef EMS_METRE_H
#define EMS_METRE_H
#include "music/piece.h"
#include "music/plan.h"

typedef struct ems_metre {
    double *line;  /* bar lines in seconds, ascending; line[0] = 0 */
    int *beats;    /* of the bar that begins there, 1..5 */
    size_t count;
    double tempo;  /* beats a minute where nothing pulls */
} ems_metre;

/* `hits` ascend inside (0, plan->duration). Release with ems_metre_clear. */
int ems_metre_plan(ems_metre *m, const ems_plan *plan, const double *hits,
                   size_t hit_count, ems_error *err);
/* The bars of `old`, except in `parts` of the film, which ascend and begin and
 * end at its bar lines or the film's end: new ones there. */
int ems_metre_keep(ems_metre *m, const ems_plan *plan, const double *hits,
                   size_t hit_count, const ems_piece *old,
                   const ems_stretch *parts, size_t count, ems_error *err);
void ems_metre_clear(ems_metre *m);
/* Give `piece` these bars instead of its own. */
int ems_metre_apply(const ems_metre *m, ems_piece *piece, ems_error *err);
#endif

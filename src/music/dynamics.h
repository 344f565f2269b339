/* dynamics.h - how loud each note is played: metre, phrase, arousal, the top
 * of a chord, hits and what leads up to them. The sum: docs/MUSIC.md. */
#ifndef EMS_DYNAMICS_H
#define EMS_DYNAMICS_H
#include "music/piece.h"
#include "music/plan.h"

/* Set the velocities of `piece`, whose notes are sorted and whose bars are
 * final, and its expression (controller 11). `hits` ascend. What a note gets
 * depends on the bars and hits around it, the plan's curve and its seed, not
 * on notes elsewhere. */
int ems_dynamics_shape(ems_piece *piece, const ems_plan *plan,
                       const double *hits, size_t hit_count, ems_error *err);
/* EMSYNC's two levels: 120 for the notes of a chord that was called, else 80. */
void ems_dynamics_paper(ems_piece *piece);
#endif

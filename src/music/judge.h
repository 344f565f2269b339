/* judge.h - which of several pieces for one plan is the best. */
#ifndef EMS_JUDGE_H
#define EMS_JUDGE_H
#include "music/critic.h"
#include "music/piece.h"
#include "music/plan.h"

/* Each from 0, nothing to complain of. */
typedef struct ems_merit {
    double emotion; /* mean of |asked - heard| over V, A and time; 1 where
                       nothing pitched sounds, though something should */
    double hits;    /* share of the hits that no pitched note meets within
                       50 ms */
    double taste;   /* how far the piece's statistics lie outside what most
                       real music keeps to, mean over the statistics, each at
                       most 1 */
    double cost;    /* emotion + hits + taste: the piece with the least wins */
} ems_merit;

/* `piece` finished and sorted. EMS_ENOMEM or 0. */
int ems_judge(ems_merit *m, const ems_piece *piece, const ems_plan *plan,
              const ems_critic *critic, ems_error *err);
#endif

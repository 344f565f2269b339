/* stats_repeats.h - the good and the bad way to play something again. */
#ifndef EMS_STATS_REPEATS_H
#define EMS_STATS_REPEATS_H
#include "music/piece.h"

/* Share of the strokes of guitar, piano and strings that strike the same
 * pitches as the stroke of that family before. `p` sorted. */
double ems_stats_struck_again(const ems_piece *p);
/* What comes back of the melody after four bars: the highest note from middle
 * C up of guitar, piano and strings at every twelfth of a beat; of the larger
 * number of such notes of two bars four apart, the share that both have at the
 * same place; mean over the pairs with two notes each, 0 without any. `p`
 * sorted, with bars. EMS_ENOMEM or 0. */
int ems_stats_theme(double *share, const ems_piece *p, ems_error *err);
#endif

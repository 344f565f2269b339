/* bars.h - bar lines in seconds become bars with beats: a metre and a tempo
 * map that a musician can read.
 *
 * The model's <BAR> tokens, cut short or moved by hits, are far from regular.
 * Every bar gets the number of beats that keeps its tempo near the piece's
 * and near its neighbours'. */
#ifndef EMS_BARS_H
#define EMS_BARS_H
#include "music/piece.h"

typedef struct ems_bar_fit {
    double beat;           /* seconds, of a typical beat */
    int beats;             /* of a typical bar */
    double largest_change; /* of tempo between neighbours: 0.04 is 4 % */
    double mean_change;
    size_t removed, added; /* bar lines: too near another; in empty stretches */
} ems_bar_fit;

/* Make p->bars cover [0, duration] with bars of 1..8 beats. Bar lines at a
 * marker of kind EMS_MARK_HIT (to 2 ms) stay. Notes and markers are not
 * moved. */
int ems_bars_fit(ems_piece *p, ems_bar_fit *fit, ems_error *err);
#endif

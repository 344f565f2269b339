/* cuts.h - where one shot ends and the next begins, from the scene scores and
 * thumbnails of a decode pass; streaming, memory independent of the length
 * but for the cuts themselves.
 *
 * EMS_CUTS_PAPER: every frame with a score above the threshold, thinned to
 * 4 s (EMSYNC). EMS_CUTS_AUTO: hard cuts by an adaptive rule, flashes told
 * apart; fades from and to black; dissolves. See docs/EMOTION.md. */
#ifndef EMS_CUTS_H
#define EMS_CUTS_H
#include "media/media.h"

/* A hard cut of the automatic rule has at least this mean luma difference. */
#define EMS_CUT_CONTENT 10.0

typedef struct ems_cut_finder ems_cut_finder;

ems_cut_finder *ems_cut_finder_new(const ems_analyze_options *options,
                                   ems_error *err);
int ems_cut_finder_add(ems_cut_finder *f, const ems_frame *frame,
                       ems_error *err);
/* The cuts, ascending, inside (0, duration); they belong to the finder. */
int ems_cut_finder_end(ems_cut_finder *f, double duration,
                       const ems_cut **cuts, size_t *count, ems_error *err);
void ems_cut_finder_free(ems_cut_finder *f);
#endif

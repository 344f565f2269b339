/* keep.h - change one thing in a score and keep the rest: which parts of a
 * film are composed anew, and what of the old score stays.
 *
 * Parts begin and end at bar lines of the old score. Where hits have moved its
 * bars are laid anew, from the last bar line or common hit some seconds before
 * to the next some seconds after; elsewhere bars and notes stay to the
 * microsecond. */
#ifndef EMS_KEEP_H
#define EMS_KEEP_H
#include "music/metre.h"
#include "music/piece.h"
#include "music/plan.h"

typedef struct ems_keep_part {
    ems_stretch span;
    unsigned locked;   /* families that stay all the same, bits */
    int moved;         /* nonzero: its bars are laid anew */
} ems_keep_part;

typedef struct ems_keep {
    ems_piece *old;
    ems_keep_part *parts; /* ascending, apart */
    size_t count, capacity;
    ems_metre metre;      /* of the new score */
    uint64_t stream;      /* random numbers that the old score has not used */
} ems_keep;

/* Read options->keep and find what is to be done for `plan`, whose hits with
 * the ending are given. EMS_EINVAL: a section or family that is not there, or
 * a score of another film. Release with ems_keep_clear, also on failure. */
int ems_keep_open(ems_keep *k, const ems_plan *plan, const double *hits,
                  size_t hit_count, const ems_compose_options *options,
                  ems_error *err);
/* Add to `fresh`, composed for part i, the old notes that stay around it, so
 * that accents, loudness and the critic hear them. Splicing takes none back. */
int ems_keep_surround(const ems_keep *k, size_t i, ems_piece *fresh,
                      ems_error *err);
/* Move the notes and expression of `fresh` that begin in part i into the old
 * score, in place of those that are not locked. */
int ems_keep_splice(ems_keep *k, size_t i, const ems_piece *fresh,
                    ems_error *err);
void ems_keep_clear(ems_keep *k);
#endif

/* roll.h - a piece as a picture: notes by family, bars, hits, tempo and, with
 * a plan, the emotion asked for. See ems_piece_draw in emsync.h. */
#ifndef EMS_ROLL_H
#define EMS_ROLL_H
#include "base/svg.h"
#include "music/piece.h"

/* The colour of a family. */
extern const char *const ems_family_colour[EMS_FAMILIES];
#endif

/* slow_cuts.h - fades and dissolves out of a row of thumbnails; part of
 * cuts.c. */
#ifndef EMS_SLOW_CUTS_H
#define EMS_SLOW_CUTS_H
#include "media/media.h"

enum { EMS_THUMB_PIXELS = EMS_THUMB_W * EMS_THUMB_H, EMS_THUMB_RING = 16 };

typedef struct ems_thumb { /* luma of one thumbnail */
    double time, mean;
    int lit;               /* pixels that are clearly not black */
    uint8_t y[EMS_THUMB_PIXELS];
} ems_thumb;

typedef struct ems_thumb_ring { /* the last thumbnails of the film */
    ems_thumb at[EMS_THUMB_RING];
    size_t count;               /* of all that came */
} ems_thumb_ring;

typedef struct ems_slow_cuts {
    int black;          /* nonzero: the last thumbnail was black */
    double last_move;   /* last frame that differed from the one before */
    double first_move;  /* first such frame after the last black thumbnail;
                           < 0: none yet */
    double fade_in;     /* time of a fade-in that is still rising, or < 0 */
    double fade_peak;   /* its highest mean luma so far */
    double run_start, run_end, run_peak; /* of a dissolve; peak 0: none */
} ems_slow_cuts;

typedef struct ems_cut_list {
    ems_cut *cuts;
    size_t count, capacity;
} ems_cut_list;

int ems_cut_list_add(ems_cut_list *list, double time, ems_cut_kind kind,
                     double strength, ems_error *err);
void ems_thumb_ring_add(ems_thumb_ring *ring, const ems_frame *frame);
/* The thumbnail `back` places before the newest, or NULL. */
const ems_thumb *ems_thumb_ring_back(const ems_thumb_ring *ring, size_t back);
/* Mean absolute luma difference, 0..255. */
double ems_thumb_distance(const ems_thumb *a, const ems_thumb *b);

void ems_slow_cuts_begin(ems_slow_cuts *s);
/* Every frame; `ring` already holds the frame's thumbnail if it has one. */
int ems_slow_cuts_add(ems_slow_cuts *s, const ems_frame *frame,
                      const ems_thumb_ring *ring, ems_cut_list *list,
                      ems_error *err);
int ems_slow_cuts_end(ems_slow_cuts *s, ems_cut_list *list, ems_error *err);
#endif

/* slow_cuts.h - fades and dissolves out of a row of small pictures; part of
 * cuts.c. */
#ifndef EMS_SLOW_CUTS_H
#define EMS_SLOW_CUTS_H
#include "media/media.h"

enum {
    EMS_VIEW_W = EMS_THUMB_W / 2, EMS_VIEW_H = EMS_THUMB_H / 2,
    EMS_VIEW_CELLS = EMS_VIEW_W * EMS_VIEW_H,
    EMS_VIEWS = 128, /* kept: four seconds */
};

typedef struct ems_view { /* brightness of one frame, small */
    double time;
    double mean, spread;  /* of the cells; spread: mean absolute deviation */
    double step;          /* mean absolute difference to the view before */
    uint8_t y[EMS_VIEW_CELLS];
} ems_view;

typedef struct ems_slow_cuts {
    ems_view view[EMS_VIEWS]; /* ring; at most 31 a second */
    uint64_t count;
    int empty;                /* nonzero: the newest is black or white */
    uint64_t entered;         /* the first view that was empty */
    double base;              /* least spread while it was empty */
    struct { /* something that rises out of an empty picture */
        int active, flash;
        double since, left, top;   /* times: first move; not empty; full */
        double before, most, peak; /* spreads */
    } rise;
    struct {
        double from, to;
    } fade;                   /* the last one, with a little on either side */
    struct { /* windows that look like a dissolve, overlapping */
        double best, from, to, distance; /* best 0: none */
        uint64_t last;
    } mix;
} ems_slow_cuts;

typedef struct ems_cut_list {
    ems_cut *cuts;
    size_t count, capacity;
} ems_cut_list;

int ems_cut_list_add(ems_cut_list *list, double time, ems_cut_kind kind,
                     double strength, ems_error *err);

/* Every frame with its luma. */
int ems_slow_cuts_add(ems_slow_cuts *s, const ems_frame *frame,
                      ems_cut_list *list, ems_error *err);
int ems_slow_cuts_end(ems_slow_cuts *s, ems_cut_list *list, ems_error *err);
#endif

/* clock.h - score time and film time.
 *
 * The model learned from music in which every beat is a whole multiple of
 * twelve token steps of 8 ms (midi_grid.c), so that is the time it composes
 * in: score time, at one even tempo. A planned metre (metre.h) says where the
 * bar lines lie in the film; between two of them film time follows score time
 * linearly. Hits are bar lines, so they are met exactly. */
#ifndef EMS_CLOCK_H
#define EMS_CLOCK_H
#include "music/metre.h"

typedef struct ems_clock { /* all zero: both times are the same */
    size_t bars;
    double *film;   /* [bars + 1]: bar lines and the end, in seconds */
    double *score;  /* the same in score time: multiples of 8 ms */
    int *step;      /* [bars]: token steps that make a twelfth of a beat */
} ems_clock;

/* A metre has at least one bar; `end` of the film lies behind its last line.
 * Release with ems_clock_clear. */
int ems_clock_plan(ems_clock *c, const ems_metre *metre, double end,
                   ems_error *err);
/* Both ways, exact at bar lines, ascending; times outside are cut to the
 * film. Thread-safe. */
double ems_clock_film(const ems_clock *c, double score);
double ems_clock_score(const ems_clock *c, double film);
void ems_clock_clear(ems_clock *c);
#endif

/* beat_path.h - which moments of a film music can meet, and how many beats lie
 * between them, so that the tempo changes least. The objective and how it was
 * chosen: docs/MUSIC.md. */
#ifndef EMS_BEAT_PATH_H
#define EMS_BEAT_PATH_H
#include "music/plan.h"

typedef struct ems_beat_point {
    double time, gain; /* what meeting it is worth; a tempo change of 12 %
                          costs 1 */
    int must;          /* nonzero: it is met whatever it costs */
} ems_beat_point;

typedef struct ems_beat_path {
    size_t *point; /* [count] the points that are met, ascending */
    int *beats;    /* [count + 1] from the one before (the part's beginning) to
                      each, at last to the part's end */
    size_t count;
    double tempo;  /* beats a minute where nothing pulls */
    double mean_arousal;
} ems_beat_path;

/* Points ascend inside `part` of the film; of those that need not be met none
 * nearer than `gap` seconds to the next are. Only curve and duration of the
 * plan are looked at. Release with ems_beat_path_clear. */
int ems_beat_path_find(ems_beat_path *path, const ems_plan *plan,
                       ems_stretch part, const ems_beat_point *points,
                       size_t count, ems_tempo tempo, double gap,
                       ems_error *err);
void ems_beat_path_clear(ems_beat_path *path);
double ems_plan_mean_arousal(const ems_plan *plan);
/* How much faster than the film's tempo it wants to be at `time`. */
double ems_tempo_sway(const ems_plan *plan, double mean_arousal, double time);
#endif

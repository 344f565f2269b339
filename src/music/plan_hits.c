/* Which transitions become hits: those worth most, as long as the tempo need
 * not jump to meet them (beat_path.h). */
#include "base/mem.h"
#include "music/beat_path.h"
#include "music/plan.h"

#include <math.h>

/* No exact hits here: the music must have begun, and must be able to end. */
static const double HEAD = 0.3, TAIL = 0.5;
static const double GAP_BEATS = 1.5, GAP_LEAST = 0.8, GAP_MOST = 1.0;
static const double SOFT = 0.5; /* worth of a dissolve or fade-out */
static const double TURN = 0.4; /* most that a turn of the emotion adds, */
static const double TURN_SECONDS = 2; /* seen so far before and after */

double ems_plan_gap(const ems_plan *p)
{
    const double gap = GAP_BEATS * 60 / p->tempo.wanted;
    return fmax(GAP_LEAST, fmin(GAP_MOST, gap));
}

static double turn_at(const ems_plan *p, double time)
{
    double v0, a0, v1, a1;
    ems_curve_at(p->curve, p->knot_count, time - TURN_SECONDS, &v0, &a0);
    ems_curve_at(p->curve, p->knot_count, time + TURN_SECONDS, &v1, &a1);
    return fmin(TURN, fabs(v1 - v0) + fabs(a1 - a0));
}

/* What meeting a cut is worth: 0.8 to 1.8. */
static double worth(const ems_plan *p, const ems_cut *c)
{
    const int soft = c->kind == EMS_DISSOLVE || c->kind == EMS_FADE_OUT;
    return (0.8 + 0.6 * c->strength) * (soft ? SOFT : 1) +
           turn_at(p, c->time);
}

/* Of cuts within a quarter of the gap the best one. */
static size_t take_candidates(const ems_plan *p, double gap,
                              ems_beat_point *out)
{
    size_t n = 0;
    double cell = -1;
    for (size_t i = 0; i < p->cut_count; i++) {
        const ems_cut *c = &p->cuts[i];
        if (!(c->time >= HEAD && c->time <= p->duration - TAIL))
            continue;
        const double here = floor(c->time / (gap / 4));
        const ems_beat_point point = {c->time, worth(p, c), 0};
        if (here > cell)
            out[n++] = point;
        else if (point.gain > out[n - 1].gain)
            out[n - 1] = point;
        cell = here;
    }
    return n;
}

static int choose_exact(ems_plan *p, double gap, ems_error *err)
{
    ems_beat_path path;
    ems_beat_point *points = ems_alloc(p->cut_count, sizeof *points);
    if (!points)
        return ems_out_of_memory(err);
    const size_t count = take_candidates(p, gap, points);
    const int code = ems_beat_path_find(
        &path, p, (ems_stretch){0, p->duration}, points, count, p->tempo, gap,
        err);
    if (code == EMS_OK) {
        for (size_t i = 0; i < path.count; i++)
            p->hits[p->hit_count++] = points[path.point[i]].time;
        ems_beat_path_clear(&path);
    }
    ems_free(points);
    return code;
}

int ems_plan_choose_hits(ems_plan *p, double gap, ems_error *err)
{
    p->hit_count = 0;
    p->hits = ems_alloc(p->cut_count, sizeof *p->hits);
    if (!p->hits)
        return ems_out_of_memory(err);
    if (p->sync != EMS_SYNC_PAPER)
        return choose_exact(p, gap, err);
    for (size_t i = 0; i < p->cut_count; i++)
        if (p->cuts[i].time < p->duration)
            p->hits[p->hit_count++] = p->cuts[i].time;
    p->hit_count = ems_thin(p->hits, p->hits, p->hit_count, gap);
    return EMS_OK;
}

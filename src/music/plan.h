/* plan.h - what the music shall do; plan.json in memory. */
#ifndef EMS_PLAN_H
#define EMS_PLAN_H
#include "base/error.h"

struct ems_plan {
    double duration, fps;  /* fps 0: no pictures */
    uint64_t seed;
    ems_sync sync;
    double *hits;          /* ascending, inside (0, duration) */
    size_t hit_count;
    ems_cut *cuts;         /* every cut of the film, for markers */
    size_t cut_count;
    ems_knot *curve;       /* at least one knot, ascending */
    size_t knot_count;
};

enum { EMS_PLAN_MOST = 1000000 }; /* elements of any array */
#define EMS_PLAN_SEED_MOST 9007199254740991u /* 2^53 - 1: exact in JSON */
#define EMS_PLAN_GAP_LEAST 0.05 /* seconds between hits */
#define EMS_PLAN_LONGEST 1e6    /* seconds */

/* The planner proper; arrays are copied, numbers rounded to six decimals as
 * the file holds them. What `options` means: emsync.h. */
ems_plan *ems_plan_from(double duration, double fps, const ems_cut *cuts,
                        size_t cut_count, const ems_knot *curve,
                        size_t knot_count, const ems_plan_options *options,
                        ems_error *err);
/* The cuts of options->cuts, as hard as can be; release with ems_free. */
int ems_plan_listed(ems_cut **cuts, size_t *count, double duration,
                    double fps, const ems_plan_options *options,
                    ems_error *err);
/* plan.json from memory; `name` stands for the file in errors. */
ems_plan *ems_plan_parse(const char *data, size_t size, const char *name,
                         ems_error *err);
/* EMSYNC's thinning (docs/MODEL.md 1): keep the first, then each that comes
 * >= gap after the last kept one. Writes at most `count` times to `kept`
 * (may be `times`); returns how many. */
size_t ems_thin(double *kept, const double *times, size_t count, double gap);
/* The curve at `time`: linear between knots, flat outside. */
void ems_curve_at(const ems_knot *curve, size_t count, double time,
                  double *valence, double *arousal);
/* SHA-256 (first 16 hexadecimal digits) of what the plan asks for. */
void ems_plan_hash(const ems_plan *p, char out[17]);
#endif

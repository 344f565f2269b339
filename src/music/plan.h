/* plan.h - what the music shall do; plan.json in memory. */
#ifndef EMS_PLAN_H
#define EMS_PLAN_H
#include "base/error.h"

typedef struct ems_tempo { /* beats a minute; wanted 0: as ems_tempo_of says */
    double wanted, least, most;
} ems_tempo;

typedef struct ems_section { /* lasts to the next one or the end */
    double from;       /* the first: 0 */
    uint64_t seed;
    int tonic, minor;  /* 0..11 from C, -1: any key; 0 or 1 */
    unsigned families; /* that may play: bits of ems_family; 0: all */
} ems_section;

typedef struct ems_plan_lock { /* families of a section to keep as they are */
    int section;       /* from 1 */
    unsigned families;
} ems_plan_lock;

typedef enum ems_ending { EMS_ENDING_AUTO, EMS_ENDING_CHORD, EMS_ENDING_NONE }
    ems_ending;

/* What a plan of version 1 does not say is zero: no sections (one of any key
 * and all families), the tempo of ems_tempo_of, an ending where there is room. */
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
    ems_tempo tempo;
    double *phrases;       /* ascending; about where music begins anew */
    size_t phrase_count;
    ems_section *sections; /* ascending */
    size_t section_count;
    ems_stretch *speech; /* ascending, apart */
    size_t speech_count;
    ems_plan_lock *locks;
    size_t lock_count;
    ems_ending ending;
    double ending_time;    /* of EMS_ENDING_CHORD's chord */
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
/* The tempo that suits a film: 100 + 40 times its mean arousal, at least
 * 15 % less and at most 30 % more; or what the plan says. */
ems_tempo ems_tempo_of(const ems_plan *plan);
/* Seconds between hits in exact mode: one and a half beats, 0.8 to 1. */
double ems_plan_gap(const ems_plan *p);
/* Steps of ems_plan_from, in this order; each fills its field. */
int ems_plan_choose_hits(ems_plan *p, double gap, ems_error *err);
int ems_plan_choose_phrases(ems_plan *p, ems_error *err);
int ems_plan_choose_sections(ems_plan *p, ems_error *err);
/* The ending of a plan that does not say, from its hits; *time: of the chord. */
ems_ending ems_plan_ending(const ems_plan *p, double *time);
/* The first section has the plan's own seed. */
uint64_t ems_plan_section_seed(uint64_t seed, size_t section);
/* Seconds: a bar line or a hit belongs to a section, or to speech, that begins
 * so soon. */
#define EMS_PLAN_NEAR 0.3
/* The section that is on at `time`, from 0; 0 without sections. */
size_t ems_plan_section_at(const ems_plan *p, double time);
/* The arousal from which on a family plays where a plan does not say. */
extern const double ems_plan_enters[EMS_FAMILIES];
/* Does somebody speak at `time`, or begin within `soon` seconds? */
int ems_plan_spoken(const ems_plan *p, double time, double soon);
/* What is wrong with a plan although it can be read: `each` gets a sentence
 * that begins with `name` and the JSON path. Returns how many. */
int ems_plan_contradictions(const ems_plan *p, const char *name,
                            void (*each)(void *user, const char *sentence),
                            void *user);
/* SHA-256 (first 16 hexadecimal digits) of what the plan asks for. */
void ems_plan_hash(const ems_plan *p, char out[17]);
#endif

/* sampler.h - from logits to the next token, and the seconds to the next
 * boundary: EMSYNC's inference loop (docs/MODEL.md 2.5), to the letter. Double
 * arithmetic of base/exact.h and a total order: equal logits give equal tokens
 * everywhere. */
#ifndef EMS_SAMPLER_H
#define EMS_SAMPLER_H
#include "base/rng.h"
#include "music/vocab.h"

typedef struct ems_candidate {
    double p;            /* of the softmax at the temperature in force */
    int token;
} ems_candidate;

typedef struct ems_sampler {
    ems_rng rng;
    double temperature;  /* > 0 */
    double top_p;        /* nucleus; >= 1: everything stays */
    int repeats;         /* the paper's counter of narrow choices */
    int survivors;       /* candidates of the last pick */
    ems_candidate candidate[EMS_VOCAB]; /* the survivors, likeliest first */
} ems_sampler;

/* `stream` tells apart samplers of one seed. */
void ems_sampler_start(ems_sampler *s, uint64_t seed, uint64_t stream,
                       double temperature, double top_p);
/* The temperature in force: T (1 + max(0, 0.4 ln((repeats + 1) / 4))). */
double ems_sampler_temperature(const ems_sampler *s);
/* Sample one of the tokens that are not banned (banned[EMS_VOCAB], may be
 * NULL; <PAD>, <START> and the instrument counts are never sampled). NaN
 * counts as 0. -1: all are banned. */
int ems_sampler_pick(ems_sampler *s, const float *logits,
                     const uint8_t *banned);
/* Share of the unmasked probability (temperature 1) that lies on tokens with
 * chosen[token] != 0. */
double ems_sampler_share(const float *logits, const uint8_t *chosen);

/* Boundaries that the music is told about, and the cursor. */
typedef struct ems_boundaries {
    const double *time;  /* ascending; borrowed */
    uint8_t *served;     /* borrowed; zeroed by the start */
    size_t count, next;  /* those before `next` lie over a second back */
    double cursor;       /* seconds */
} ems_boundaries;

void ems_boundaries_start(ems_boundaries *b, const double *time,
                          uint8_t *served, size_t count);
/* Seconds from the cursor to the next boundary not yet served, at most 8. */
float ems_boundaries_left(ems_boundaries *b);
/* Account for a token: <CHORD> serves every boundary less than 1 s away, then
 * a TIMESHIFT moves the cursor. Returns ems_boundaries_left after it. */
float ems_boundaries_step(ems_boundaries *b, int token);
#endif

/* train_sample.h - training excerpts from a token file, cut as in EMSYNC's
 * training (thesis 2602.07063). */
#ifndef EMS_TRAIN_SAMPLE_H
#define EMS_TRAIN_SAMPLE_H
#include "base/error.h"
#include "base/rng.h"
#include "music/dataset.h"

typedef struct ems_excerpt { /* one row of an ems_batch, `length` tokens */
    uint16_t *tokens, *targets;
    float *seconds, *conditions;
} ems_excerpt;

typedef struct ems_sampler {
    const ems_dataset *data;
    size_t length;
    size_t pieces, held_pieces; /* of either kind */
    size_t *piece, *held;       /* their numbers */
    double *upto, *held_upto;   /* cumulative weight */
    size_t tokens, held_tokens;
    double breaks;              /* share of training excerpts whose chords
                                   come early (train_breaks.h); 0 at first */
} ems_sampler;

/* `data` is borrowed. EMS_EINVAL when there is no piece to train on;
 * held_pieces may be 0. */
int ems_sampler_open(ems_sampler *s, const ems_dataset *data, size_t length,
                     ems_error *err);
void ems_sampler_close(ems_sampler *s);

/* A training excerpt: cut, transposed, with parts of the conditions left
 * out, all by `rng`. */
void ems_sample(const ems_sampler *s, ems_rng *rng, ems_excerpt *e);
/* A training excerpt, and the same one told the valence of some other music
 * that is at least 0.8 away. All PAD: no such pair was found. */
void ems_sample_pair(const ems_sampler *s, ems_rng *rng, ems_excerpt *e,
                     ems_excerpt *other);
/* An excerpt of a held-out piece, as it is. With `blind`, the offsets are
 * left out (the tokens stay). held_pieces > 0. */
void ems_sample_held(const ems_sampler *s, ems_rng *rng, int blind,
                     ems_excerpt *e);
#endif

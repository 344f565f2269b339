/* restore.h - the network over sound of any length, in chunks that meet
 * without a seam: each hears ems_cnet_reach samples more on both sides, so
 * that every sample comes out with the same bits as from one pass. */
#ifndef EMS_RESTORE_H
#define EMS_RESTORE_H
#include "enhance/net.h"

enum { EMS_CROSS_HALF = 128 };

typedef struct ems_enhancer {
    ems_enhancer_shape shape;
    float *p, *stats; /* owned */
    ems_cnet *net;     /* of one sound; its own when loaded */
    size_t chunk;     /* samples worked on at once, besides the reach */
    int crosses;      /* nonzero: only what `cross` passes is added */
    float cross[2 * EMS_CROSS_HALF + 1]; /* a linear-phase high-pass */
} ems_enhancer;

/* Weights from a file (NULL: those that ship). `pool` is borrowed. Every
 * tensor's name and shape is checked. */
int ems_enhancer_open(ems_enhancer *e, const char *path, ems_pool *pool,
                      ems_error *err);
/* As above from a parsed file. */
int ems_enhancer_parse(ems_enhancer *e, const ems_safetensors *st,
                       const char *name, ems_pool *pool, ems_error *err);
void ems_enhancer_close(ems_enhancer *e);

/* From now on leave what lies below `hz` as it is: a low-passed sound is right
 * there. The high-pass (windowed sinc, Blackman) is 6 dB down at hz and passes
 * all from 1/50 of the rate above it. hz 0: add everything again. */
void ems_enhancer_cross(ems_enhancer *e, double hz, double rate);
/* So far from either side does a sample hear; a multiple of ems_cnet_step. */
size_t ems_enhancer_reach(const ems_enhancer *e);

/* Gives frames [at, at + frames) of the sound to `x`; zeros past its end. */
typedef int ems_restore_read(void *user, float *x, size_t at, size_t frames,
                             ems_error *err);
/* Restore frames [at, at + frames) of a sound of `total` frames; frames is at
 * most e->chunk and at a multiple of ems_cnet_step. */
int ems_restore_chunk(ems_enhancer *e, float *y, size_t at, size_t frames,
                      size_t total, ems_restore_read *read, void *user,
                      ems_error *err);
/* A whole sound in memory, [frames, 2]. */
int ems_restore(ems_enhancer *e, float *y, const float *x, size_t frames,
                ems_error *err);
#endif

/* restore.h - the network over sound of any length, in chunks that meet
 * without a seam: each hears ems_cnet_reach samples more on both sides, so
 * that every sample comes out with the same bits as from one pass. */
#ifndef EMS_RESTORE_H
#define EMS_RESTORE_H
#include "enhance/net.h"

typedef struct ems_enhancer {
    ems_enhancer_shape shape;
    float *p, *stats; /* owned */
    ems_cnet *net;     /* of one sound; its own when loaded */
    size_t chunk;     /* samples worked on at once, besides the reach */
} ems_enhancer;

/* Weights from a file (NULL: those that ship). `pool` is borrowed. Every
 * tensor's name and shape is checked. */
int ems_enhancer_open(ems_enhancer *e, const char *path, ems_pool *pool,
                      ems_error *err);
/* As above from a parsed file. */
int ems_enhancer_parse(ems_enhancer *e, const ems_safetensors *st,
                       const char *name, ems_pool *pool, ems_error *err);
void ems_enhancer_close(ems_enhancer *e);

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

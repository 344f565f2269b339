/* mix.h - what the two passes of a render share. Pass one (render.c) fills
 * the files with float frames, pass two (master.c) makes the mix as loud as
 * asked and gives it its final form. Memory does not depend on the length. */
#ifndef EMS_MIX_H
#define EMS_MIX_H
#include "audio/audio.h"
#include "audio/events.h"
#include "audio/wav.h"
#include "base/pool.h"

enum { EMS_CHUNK = 750 * EMS_BLOCK }; /* frames worked on at once: 1 s */

typedef struct ems_mix {
    const ems_run *run;
    ems_pool *pool;
    uint64_t frames;
    ems_wav wav;
    double peak;   /* of the samples after pass one */
    double lufs;   /* integrated, after pass one */
} ems_mix;

static inline size_t ems_chunk_size(const ems_mix *m, uint64_t at)
{
    const uint64_t left = m->frames - at;
    return left < EMS_CHUNK ? (size_t)left : EMS_CHUNK;
}

/* Pass two: find gain and limiter for `target` LUFS (NaN: leave the sound as
 * it is) below `limit` dBTP and write the final samples. *out is measured on
 * these. */
int ems_mix_master(ems_mix *m, double target, double limit,
                   ems_loudness *out, ems_error *err);
#endif

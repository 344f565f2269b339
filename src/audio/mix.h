/* mix.h - what the two passes of a render share. Pass one (render.c) fills
 * the files with float frames, pass two (loudness.c) turns them into the
 * finished WAVs. Memory does not depend on the length. */
#ifndef EMS_MIX_H
#define EMS_MIX_H
#include "audio/audio.h"
#include "audio/synth.h"
#include "audio/wav.h"
#include "base/pool.h"

enum { EMS_CHUNK = 750 * EMS_BLOCK }; /* frames worked on at once: 1 s */

typedef struct ems_mix {
    const ems_run *run;
    ems_pool *pool;
    uint64_t frames;
    ems_wav wav;
    ems_wav stem[EMS_FAMILIES]; /* the first `stems`, when `keep` */
    size_t stems;
    int keep;      /* nonzero: stems become files */
    double peak;   /* of the samples after pass one */
    double lufs;   /* integrated, after pass one */
} ems_mix;

static inline size_t ems_chunk_size(const ems_mix *m, uint64_t at)
{
    const uint64_t left = m->frames - at;
    return left < EMS_CHUNK ? (size_t)left : EMS_CHUNK;
}

/* Pass two: find gain and limiter for `target` LUFS, write all files' PCM. */
int ems_mix_master(ems_mix *m, double target, ems_loudness *out,
                   ems_error *err);

/* Integrated loudness and true peak of what it is fed. Music shorter than
 * one measuring block (0.4 s) is measured as if silence followed. */
typedef struct ems_meter ems_meter;
ems_meter *ems_meter_new(int true_peak, ems_error *err);
int ems_meter_add(ems_meter *m, const float *x, size_t n);
double ems_meter_lufs(ems_meter *m);      /* -70 when silent */
double ems_meter_true_peak(ems_meter *m); /* dBTP, -144 when silent */
void ems_meter_free(ems_meter *m);
#endif

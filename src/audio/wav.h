/* wav.h - one 48 kHz stereo WAV that is first filled with raw float frames
 * and then, unless it stays float, rewritten in place as PCM: no second file,
 * no memory that grows with the length. It is a Broadcast Wave (EBU Tech 3285
 * version 2): timecode and loudness stand in its bext chunk. RF64 when it
 * passes 4 GiB (EBU Tech 3306). */
#ifndef EMS_WAV_H
#define EMS_WAV_H
#include "base/file.h"

#include <emsync/emsync.h>

typedef struct ems_wav_spec {
    const char *path;      /* borrowed until committed or discarded */
    uint64_t frames;
    ems_sample_type sample;
    uint64_t origin;       /* of the first frame: samples since midnight */
    const char *about;     /* at most 255 bytes for the bext description */
} ems_wav_spec;

typedef struct ems_wav {
    ems_output output;
    ems_wav_spec spec;
    int fd;           /* -1: none */
    size_t header;    /* bytes before the first frame */
    double lufs, true_peak; /* for bext; NaN: unknown */
} ems_wav;

/* Create the temporary file. */
int ems_wav_create(ems_wav *w, const ems_wav_spec *spec, ems_error *err);
/* n interleaved frames at frame `at`, as raw float. */
int ems_wav_put(ems_wav *w, uint64_t at, const float *x, size_t n,
                ems_error *err);
int ems_wav_get(ems_wav *w, uint64_t at, float *x, size_t n, ems_error *err);
/* Round x[0..2n), frames [at, at+n), to what a file of this kind holds: for
 * PCM with triangular dither of one step (Lipshitz, Wannamaker, Vanderkooy
 * 1992), that depends on nothing but the place of a sample, and none on
 * digital silence. Float stays as it is. */
void ems_wav_round(ems_sample_type sample, uint64_t at, float *x, size_t n);
/* Replace frames [at, at+n) by x, which has been rounded and is overwritten.
 * Go from the beginning to the end: what lies behind stays raw float. */
int ems_wav_seal(ems_wav *w, uint64_t at, float *x, size_t n, ems_error *err);
/* Header, final length, rename. Discards on failure. */
int ems_wav_commit(ems_wav *w, ems_error *err);
void ems_wav_discard(ems_wav *w); /* harmless after commit */
#endif

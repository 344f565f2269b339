/* wav.h - one 48 kHz stereo WAV that is first filled with raw float frames
 * and then rewritten in place as 24-bit PCM: no second file, no memory that
 * grows with the length. RF64 when it passes 4 GiB (EBU Tech 3306). */
#ifndef EMS_WAV_H
#define EMS_WAV_H
#include "base/file.h"

typedef struct ems_wav {
    ems_output output;
    int fd;           /* -1: none */
    uint64_t frames;  /* as promised at creation */
    size_t header;    /* bytes before the first frame */
} ems_wav;

/* Create the temporary file of `path`. */
int ems_wav_create(ems_wav *w, const char *path, uint64_t frames,
                   ems_error *err);
/* n interleaved frames at frame `at`, as raw float. */
int ems_wav_put(ems_wav *w, uint64_t at, const float *x, size_t n,
                ems_error *err);
int ems_wav_get(ems_wav *w, uint64_t at, float *x, size_t n, ems_error *err);
/* Replace frames [at, at+n) by 24-bit PCM of x, which is overwritten. Go
 * from the beginning to the end: the frames from 3/4 (at+n) on stay float. */
int ems_wav_seal(ems_wav *w, uint64_t at, float *x, size_t n, ems_error *err);
/* Header, final length, rename. Discards on failure. */
int ems_wav_commit(ems_wav *w, ems_error *err);
void ems_wav_discard(ems_wav *w); /* harmless after commit */

/* What a 24-bit sample of x in [-1,1] is after rounding, as float. */
float ems_wav_round(float x);
#endif

/* hear.h - what the tests of the sound share: pieces, and WAVs read back by
 * a reader of their own. */
#ifndef EMS_HEAR_H
#define EMS_HEAR_H
#include "audio/audio.h"
#include "music/piece.h"

#define TINY_SF2 EMS_SCRATCH "/tiny.sf2"

typedef struct sound {
    float *x;       /* interleaved stereo; free with free() */
    size_t frames;
    int bits;       /* 16, 24; 32: float */
    uint64_t origin; /* of bext, samples since midnight */
    double lufs;    /* as bext says */
} sound;

/* A piece with room for `most` notes; free with free(). */
ems_piece *piece_new(double duration, size_t most);
void piece_add(ems_piece *p, double start, double length, int family,
               int pitch, int velocity);
/* All five families, about `density` notes a second, always the same. */
ems_piece *piece_dense(double duration, double density);
/* Fails the test unless the file is a 48 kHz stereo broadcast WAV. */
sound sound_read(const char *path);
double sound_lufs(const sound *s);
double sound_true_peak(const sound *s); /* dBTP */
/* The number of files in EMS_SCRATCH whose names begin with ".emsync", which
 * an interrupted test may have left too: `remove` them before counting. */
int leftovers(int remove);
/* Write tiny.sf2 to EMS_SCRATCH. */
void make_tiny_bank(void);
#endif

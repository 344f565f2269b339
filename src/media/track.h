/* track.h - the new sound of a video as one stream of samples: the music, or
 * the original sound with the music added. Internal to src/media. */
#ifndef EMS_TRACK_H
#define EMS_TRACK_H
#include "media/pcm.h"

typedef struct ems_track_options {
    const char *music;
    const char *original;    /* NULL: music alone */
    int64_t origin;          /* of the track on the original's clock, in */
    AVRational base;         /* ... this unit */
    int64_t lead;            /* samples before the music begins */
    float music_gain;        /* linear */
    const AVChannelLayout *layout;
    const ems_run *run;
} ems_track_options;

typedef struct ems_track {
    ems_pcm music, original;
    int mixing;
    int channels;
    int64_t at;              /* samples given out */
    int64_t lead, music_end; /* where the music begins and stops */
    float gain, scale;       /* of the music; of the sum */
    float *buffer;           /* [EMS_TRACK_BLOCK, channels] */
} ems_track;

enum { EMS_TRACK_BLOCK = 4608 }; /* the largest block of any encoder here */

int ems_track_open(ems_track *t, const ems_track_options *options,
                   ems_error *err);
/* `frames` <= EMS_TRACK_BLOCK frames, silence where there is nothing else.
 * Returns how many of them come before the end of everything. */
int64_t ems_track_read(ems_track *t, float *out, int64_t frames,
                       ems_error *err);
/* The largest sample of the whole track; reads it to its end. */
int ems_track_peak(ems_track *t, float *peak, ems_error *err);
void ems_track_close(ems_track *t); /* harmless when zeroed */
#endif

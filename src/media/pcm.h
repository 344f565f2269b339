/* pcm.h - the sound of a file as samples on a timeline: sample 0 belongs to a
 * given moment, gaps are silence, overlaps and what comes earlier are cut. */
#ifndef EMS_PCM_H
#define EMS_PCM_H
#include "media/source.h"

#include <libswresample/swresample.h>

typedef struct ems_pcm {
    ems_stream stream;
    SwrContext *swr;
    AVChannelLayout in_layout, layout; /* of the decoder; of what we give */
    int in_rate, in_format, rate;
    int64_t origin;    /* of the timeline, in samples of `rate` */
    int64_t position;  /* samples put on the timeline so far */
    int64_t silence;   /* samples to give out once `data` is empty */
    int64_t silence_left; /* how much may still be put in */
    int64_t drop;      /* samples still to be cut from what comes */
    float *data;       /* [count, channels] interleaved, read from `at` */
    size_t at, count, capacity;
    int started, held, ended; /* held: stream.frame waits for the silence */
} ems_pcm;

/* Open the main sound of a file as interleaved floats +-1 (a downmix is
 * scaled so that it stays there). `origin` in units of `base` is the moment
 * of sample 0 on the file's own clock; AV_NOPTS_VALUE: its first sample. */
int ems_pcm_open(ems_pcm *p, const char *path, int rate,
                 const AVChannelLayout *layout, int64_t origin,
                 AVRational base, const ems_run *run, ems_error *err);
/* Up to `frames` frames; fewer only at the end. Their number, or a negative
 * code. */
int64_t ems_pcm_read(ems_pcm *p, float *out, int64_t frames, ems_error *err);
void ems_pcm_close(ems_pcm *p); /* harmless when zeroed */
#endif

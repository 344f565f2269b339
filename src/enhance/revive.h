/* revive.h - the network in a stream that has been heard once before: a film's
 * own sound, restored on its way into the mix (ems_mux_options.enhance).
 * Channels are worked on in pairs; sound without an edge passes unchanged,
 * and so does every sample below the edge. Memory does not grow with
 * length. */
#ifndef EMS_REVIVE_H
#define EMS_REVIVE_H
#include "enhance/ahead.h"
#include "enhance/bandwidth.h"
#include "enhance/restore.h"

typedef struct ems_revive {
    ems_enhancer enhancer;
    ems_pool *pool;
    ems_bandwidth band;
    const ems_run *run;
    double rate;
    size_t channels, total; /* frames heard */
    double edge;            /* Hz; 0: none */
    ems_ahead ahead;
    size_t pair;            /* the first of two channels */
    float *done, *two;      /* [chunk, channels], [chunk, 2] */
    size_t at, given, ready; /* frame of done[0]; frames of it given, there */
    ems_sound_read *read;   /* where frames come from, while in a call */
    void *source;
} ems_revive;

/* `weights` NULL: the network that ships. rate: of the stream. */
int ems_revive_open(ems_revive *r, const char *weights, double rate,
                    const ems_run *run, ems_error *err);
/* The calls a track makes; `user` is the ems_revive. */
ems_sound_filter ems_revive_filter(ems_revive *r);
void ems_revive_close(ems_revive *r); /* harmless when zeroed */
#endif

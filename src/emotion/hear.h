/* hear.h - is there speech, is there music? Long-term features of the sound
 * and a small network trained by training/hearing (docs/EMOTION.md). Used
 * where no voice activity network is installed.
 *
 * Streaming. Ten verdicts a second, one byte each for speech and music: a day
 * of film takes 2 MB. */
#ifndef EMS_HEAR_H
#define EMS_HEAR_H
#include "base/error.h"
#include "media/media.h"

enum {
    EMS_HEAR_HOP = 512,    /* samples at EMS_MEDIA_RATE: 23 ms */
    EMS_HEAR_STEP = 4,     /* hops from verdict to verdict: 93 ms */
    EMS_HEAR_LONG = 48,    /* hops a verdict looks at: 1.1 s */
    EMS_HEAR_SHORT = 12,   /* hops in their middle: 0.28 s */
    EMS_HEAR_BANDS = 16,   /* 100 Hz to 6 kHz */
    EMS_HEAR_INPUTS = 3 * EMS_HEAR_BANDS + 16,
};

typedef struct ems_hear ems_hear;

ems_hear *ems_hear_new(ems_error *err);
/* The next hop, and the power spectrum of it and the hop before: bins
 * 0..512 of 1024 samples, as spectrum.h scales them. */
int ems_hear_add(ems_hear *h, const float hop[EMS_HEAR_HOP],
                 const float power[EMS_HEAR_HOP + 1], ems_error *err);
/* After the last hop: the verdicts that wait for what comes after. */
int ems_hear_end(ems_hear *h, ems_error *err);
/* Where speech and music are, each smoothed and made spans by its rule. Each
 * array is the caller's. */
int ems_hear_spans(const ems_hear *h, double duration, ems_stretch **speech,
                   size_t *speeches, ems_stretch **music, size_t *musics,
                   ems_error *err);
/* The network's inputs of every verdict so far go to `sink` as well; for
 * training. */
void ems_hear_watch(ems_hear *h, void *user,
                    void (*sink)(void *user,
                                 const float inputs[EMS_HEAR_INPUTS]));
void ems_hear_free(ems_hear *h);
#endif

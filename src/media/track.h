/* track.h - the new sound of a video as one stream of samples: the music, or
 * the original sound with the music added, softer where there is speech.
 * Internal to src/media. */
#ifndef EMS_TRACK_H
#define EMS_TRACK_H
#include "base/limiter.h"
#include "media/duck.h"
#include "media/pcm.h"

typedef int64_t ems_sound_read(void *source, float *out, int64_t frames,
                               ems_error *err);
/* Something that changes the original sound on its way into a mix. The first
 * reading only tells it what there is; `begin` is asked then whether it will
 * change anything (1, 0 or a negative code), and `next` gives the frames of
 * the second reading, pulled through `read`: as many and as ems_pcm_read. */
typedef struct ems_sound_filter {
    void (*hear)(void *user, const float *x, size_t frames, size_t channels);
    int (*begin)(void *user, ems_error *err);
    int64_t (*next)(void *user, float *out, int64_t frames,
                    ems_sound_read *read, void *source, ems_error *err);
    void *user;
} ems_sound_filter;

typedef enum ems_filter_use { EMS_FILTER_OFF, EMS_FILTER_HEARS,
                              EMS_FILTER_WORKS } ems_filter_use;

typedef struct ems_track_options {
    const char *music;
    const char *original;    /* NULL: music alone */
    int64_t origin;          /* of the track on the original's clock, in */
    AVRational base;         /* ... this unit */
    int64_t lead;            /* samples before the music begins: the film's
                                first frame */
    float music_gain;        /* linear */
    const ems_duck *duck;    /* borrowed; NULL: no speech is known */
    double ceiling;          /* of a mix, linear; 0: no limiter */
    const ems_sound_filter *filter; /* borrowed; of the original sound */
    ems_filter_use use;      /* of the filter */
    const AVChannelLayout *layout;
    const ems_run *run;
} ems_track_options;

typedef struct ems_track {
    ems_pcm music, original;
    int mixing;
    int channels;
    int64_t at;              /* samples given out */
    int64_t read;            /* samples mixed so far: at, or ahead of it */
    int64_t end;             /* of what is heard, once known */
    int64_t lead, music_end; /* where the music begins and stops */
    float gain;              /* of the music */
    const ems_sound_filter *filter;
    ems_filter_use use;
    const ems_duck *duck;
    ems_speech_meter meter;  /* of what is heard during speech */
    float *buffer;           /* [EMS_TRACK_BLOCK, channels] */
    ems_limiter *limiter;    /* NULL: none */
    float *window;           /* [EMS_TAPS + EMS_TRACK_BLOCK + EMS_MARGIN,
                                channels]: from at - EMS_TAPS on */
    float *need, *factor;
    float peak, own_peak;    /* samples: of the mix, of the original */
} ems_track;

enum { EMS_TRACK_BLOCK = 4608 }; /* the largest block of any encoder here */

/* Mux with a filter (NULL: none) of the original sound; as ems_mux. */
int ems_mux_filtered(const char *video, const char *wav, const char *out,
                     const ems_mux_options *options,
                     const ems_sound_filter *filter, ems_speech_ratio *speech,
                     const ems_run *run, ems_error *err);

int ems_track_open(ems_track *t, const ems_track_options *options,
                   ems_error *err);
/* `frames` <= EMS_TRACK_BLOCK frames, silence where there is nothing else.
 * Returns how many of them come before the end of everything. */
int64_t ems_track_read(ems_track *t, float *out, int64_t frames,
                       ems_error *err);
/* Read a mix to its end: `peak`, `own_peak` and `meter` are known then. */
int ems_track_survey(ems_track *t, ems_error *err);
/* dB that the limiter took away at most so far. */
double ems_track_limited(const ems_track *t);
void ems_track_close(ems_track *t); /* harmless when zeroed */
#endif

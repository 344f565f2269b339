/* media.h - pictures and sound out of a file, and sound back into it. The
 * only module that knows FFmpeg. Files are opened as local files whatever
 * their names look like; no other protocol is ever used. */
#ifndef EMS_MEDIA_H
#define EMS_MEDIA_H
#include "base/error.h"

typedef struct ems_media_info {
    double duration;  /* seconds from the first video frame to the end of the
                         last (audio only: of the sound) */
    double fps;       /* average; 0 without pictures */
    int width, height, rotation; /* degrees clockwise, 0/90/180/270 */
    int has_video, has_audio;    /* has_video is 0 for cover art and stills */
    int sample_rate, channels;
    int64_t frames;   /* decoded; known after ems_media_decode */
} ems_media_info;

enum { EMS_THUMB_W = 64, EMS_THUMB_H = 36, EMS_MEDIA_RATE = 22050,
       EMS_STILL_SIDE = 360 };

typedef struct ems_frame {
    double time;        /* seconds from the first frame */
    double scene_score; /* docs/MODEL.md 1; 0 for the first frame */
    double mafd;        /* mean absolute luma difference, 0..255 */
    const uint8_t *luma; /* EMS_THUMB_H rows of EMS_THUMB_W cells, 0 black to
                            255 white; every frame */
    const uint8_t *rgb; /* EMS_THUMB_H rows of EMS_THUMB_W RGB pixels (area
                           averaged), or NULL: only some frames carry one */
} ems_frame;

/* A picture as a person sees it: upright, RGB, `height` rows of 3 * `width`
 * bytes. */
typedef struct ems_still {
    double time;
    int width, height;
    const uint8_t *rgb;
} ems_still;

/* What a decode pass calls; a nonzero return ends it with that code. */
typedef struct ems_media_sink {
    void *user;
    int (*video)(void *user, const ems_frame *frame, ems_error *err);
    /* The first frame and then one every `still_seconds`, shrunk to at most
     * EMS_STILL_SIDE on its shorter side (and six times that on the longer);
     * NULL: none. */
    int (*still)(void *user, const ems_still *still, ems_error *err);
    double still_seconds; /* > 0 */
    /* Mono float +-1 at EMS_MEDIA_RATE, gapless from time 0 of the video
     * (silence is put in, early sound and what outlasts the last frame are
     * cut off; it may end before the pictures do). NULL: pictures only, as
     * `video` may be NULL for sound only. */
    int (*audio)(void *user, const float *samples, size_t count,
                 ems_error *err);
    double thumb_seconds; /* at most about this long between frames with rgb;
                             one with a high scene score and the one after it
                             always carry one. Thumbs are not rotated. */
} ems_media_sink;

/* What the container says of a file, without decoding it: `duration` may be
 * off and `frames` is 0. EMS_EFORMAT: neither pictures nor sound. */
int ems_media_probe(const char *path, ems_media_info *info,
                    const ems_run *run, ems_error *err);

/* Decode the whole file once, pictures and sound in order of time.
 * `duration`, `fps` and `frames` in *info are exact afterwards. What a damaged
 * or cut off file still gives is used, with a warning to the log. Progress
 * goes by the name "analyze". EMS_EFORMAT: neither pictures nor sound. */
int ems_media_decode(const char *path, const ems_media_sink *sink,
                     ems_media_info *info, const ems_run *run,
                     ems_error *err);

/* Decode a file that is a single picture: `give` gets it once, at time 0,
 * shrunk as a still. EMS_EFORMAT: it is something else, or broken. */
int ems_media_picture(const char *path,
                      int (*give)(void *user, const ems_still *still,
                                  ems_error *err),
                      void *user, const ems_run *run, ems_error *err);

/* Could ems_mux make `out` of `video`? The suffix must name a container that
 * takes the pictures, and the file must be writable; nothing of it stays. Says
 * what ems_mux would say before its first packet. */
int ems_mux_possible(const char *video, const char *out,
                     const ems_mux_options *options, ems_error *err);

/* Write the sound of `from` to `to`, stereo at 48 kHz, in what suits the
 * suffix of its name: .flac (16 or 24 bits), .opus and .ogg (Opus). */
int ems_media_convert(const char *from, const char *to, int bits,
                      const ems_run *run, ems_error *err);

/* Hand the sound of a file, 48 kHz stereo interleaved, to `ear` in stretches
 * of a second; a nonzero return ends it with that code. */
typedef int (*ems_media_ear)(void *user, const float *x, size_t frames,
                             ems_error *err);
int ems_media_listen(const char *path, ems_media_ear ear, void *user,
                     const ems_run *run, ems_error *err);

/* What ems_mux of emsync.h does lies here, in mux.c. */
#endif

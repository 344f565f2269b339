/* source.h - a local media file opened through FFmpeg, and one decoder.
 * Internal to src/media. One thread at a time per object. */
#ifndef EMS_SOURCE_H
#define EMS_SOURCE_H
#include "base/error.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

/* Must not move while open: FFmpeg keeps its address. */
typedef struct ems_source {
    AVFormatContext *format;
    AVIOContext *io;
    int fd;
    const char *path;    /* borrowed; for sentences */
    const ems_run *run;  /* borrowed; may be NULL */
    int video, audio;    /* index of the main stream of a kind, or -1 */
    int64_t damaged;     /* packets that could not be read */
} ems_source;

/* Open a regular file. The name is never taken for an address or a pattern,
 * and what is in the file cannot make FFmpeg open another one. EMS_EIO: it
 * cannot be opened; EMS_EFORMAT: it holds no media that FFmpeg knows.
 * `flags` are AVFMT_FLAG_* to add. */
int ems_source_open(ems_source *s, const char *path, int flags,
                    const ems_run *run, ems_error *err);
/* 1 and a packet, 0 at the end (also where a damaged file stops making
 * sense), or a negative code. */
int ems_source_packet(ems_source *s, AVPacket *packet, ems_error *err);
/* The stream of a file that is a single picture (JPEG, PNG ..), which is no
 * film and so not in `video`; -1: it is something else. */
int ems_source_picture(const ems_source *s);
void ems_source_close(ems_source *s); /* harmless on a zeroed source */

typedef struct ems_stream { /* one decoder with its own open file */
    ems_source source;
    AVStream *stream;      /* belongs to source */
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;        /* what ems_stream_next found */
    int draining;
    int64_t damaged;       /* packets that could not be decoded */
} ems_stream;

/* Open the main stream of a kind. EMS_EFORMAT: there is none;
 * EMS_EUNSUPPORTED: this FFmpeg has no decoder for it. */
int ems_stream_open(ems_stream *s, const char *path, enum AVMediaType type,
                    const ems_run *run, ems_error *err);
/* Open the picture of a file that is nothing else. EMS_EFORMAT as above. */
int ems_stream_open_picture(ems_stream *s, const char *path,
                            const ems_run *run, ems_error *err);
/* 1 and s->frame, 0 at the end, or a negative code. */
int ems_stream_next(ems_stream *s, ems_error *err);
void ems_stream_close(ems_stream *s); /* harmless on a zeroed stream */

/* ems_fail with FFmpeg's own words and number at the end. */
int ems_fail_av(ems_error *err, ems_code code, int averror,
                const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#endif

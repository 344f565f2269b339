/* encode.h - sound into packets, in whatever codec suits a container.
 * Internal to src/media. */
#ifndef EMS_ENCODE_H
#define EMS_ENCODE_H
#include "base/error.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswresample/swresample.h>

enum { EMS_ENCODE_RATE = 48000 };

typedef struct ems_encoder {
    AVCodecContext *codec;  /* channels may be fewer than were asked for */
    SwrContext *swr;        /* from interleaved floats to what it takes */
    AVFrame *frame;
    int block;              /* frames per call of ems_encoder_send */
    int64_t sent;           /* frames so far; their time at EMS_ENCODE_RATE */
} ems_encoder;

/* AAC for the MP4 family, Opus for Matroska and WebM, else what the container
 * prefers. EMS_EUNSUPPORTED: it takes no sound that can be encoded here;
 * `name` is the file's name for that sentence. bits: 16 or 24, of codecs
 * without loss. */
int ems_encoder_open(ems_encoder *e, const AVOutputFormat *container,
                     int channels, int bits, const char *name,
                     ems_error *err);
/* `frames` interleaved frames: e->block, fewer only once, at the end; 0 ends
 * the stream. */
int ems_encoder_send(ems_encoder *e, const float *samples, int frames,
                     ems_error *err);
/* 1 and a packet, 0 if it wants more sound first, or a negative code. */
int ems_encoder_receive(ems_encoder *e, AVPacket *packet, ems_error *err);
void ems_encoder_close(ems_encoder *e); /* harmless when zeroed */
#endif

/* A sound from one file into another of another kind, and a sound listened
 * to. */
#include "base/mem.h"
#include "base/run.h"
#include "media/encode.h"
#include "media/media.h"
#include "media/outfile.h"
#include "media/pcm.h"

#include <string.h>

enum { CHANNELS = 2, BLOCK = 4608 };

typedef struct conversion {
    ems_source in; /* the same file as pcm: what the output is modelled on */
    ems_pcm pcm;
    ems_outfile out;
    ems_encoder encoder;
    AVStream *stream;
    AVPacket *packet;
    float *block; /* [BLOCK][CHANNELS] */
    ems_error *err;
} conversion;

static int write_encoded(conversion *c)
{
    int code;
    while ((code = ems_encoder_receive(&c->encoder, c->packet, c->err)) > 0) {
        c->packet->stream_index = c->stream->index;
        av_packet_rescale_ts(c->packet, (AVRational){1, EMS_ENCODE_RATE},
                             c->stream->time_base);
        code = ems_outfile_write(&c->out, c->packet, c->err);
        if (code < 0)
            break;
    }
    return code;
}

static int encode_all(conversion *c, const ems_run *run)
{
    const int size = c->encoder.block;
    int64_t n = size;
    int code = EMS_OK;
    while (code == EMS_OK && n == size) {
        n = ems_pcm_read(&c->pcm, c->block, size, c->err);
        if (n < 0)
            return (int)n;
        if (ems_cancelled(run))
            return ems_fail_cancelled(c->err);
        if (n > 0)
            code = ems_encoder_send(&c->encoder, c->block, (int)n, c->err);
        if (code == EMS_OK)
            code = write_encoded(c);
    }
    if (code == EMS_OK)
        code = ems_encoder_send(&c->encoder, NULL, 0, c->err);
    return code == EMS_OK ? write_encoded(c) : code;
}

static int open_sound(ems_pcm *p, const char *path, const ems_run *run,
                      ems_error *err)
{
    const AVChannelLayout stereo = AV_CHANNEL_LAYOUT_STEREO;
    return ems_pcm_open(p, path, EMS_ENCODE_RATE, &stereo, AV_NOPTS_VALUE,
                        AV_TIME_BASE_Q, run, err);
}

static int open_conversion(conversion *c, const char *from, const char *to,
                           int bits, const ems_run *run)
{
    int code = ems_source_open(&c->in, from, 0, run, c->err);
    if (code == EMS_OK)
        code = open_sound(&c->pcm, from, run, c->err);
    if (code == EMS_OK)
        code = ems_outfile_open(&c->out, to, &c->in, c->err);
    if (code == EMS_OK)
        code = ems_encoder_open(&c->encoder, c->out.format->oformat, CHANNELS,
                                bits, to, c->err);
    if (code == EMS_OK && c->encoder.block > BLOCK)
        code = ems_fail(c->err, EMS_EINTERNAL, "the encoder %s wants blocks "
                        "of %d", c->encoder.codec->codec->name,
                        c->encoder.block);
    return code;
}

static int convert(conversion *c, const ems_run *run)
{
    c->stream = ems_outfile_add(&c->out, c->encoder.codec, NULL, c->err);
    int code = c->stream ? EMS_OK : EMS_ENOMEM;
    if (code == EMS_OK)
        code = ems_outfile_begin(&c->out, &c->in, NULL, c->err);
    if (code == EMS_OK)
        code = encode_all(c, run);
    return code == EMS_OK ? ems_outfile_commit(&c->out, c->err) : code;
}

int ems_media_convert(const char *from, const char *to, int bits,
                      const ems_run *run, ems_error *err)
{
    conversion c = {.err = err};
    c.packet = av_packet_alloc();
    c.block = ems_alloc(BLOCK * CHANNELS, sizeof *c.block);
    int code = c.packet && c.block
                   ? open_conversion(&c, from, to, bits, run)
                   : ems_out_of_memory(err);
    if (code == EMS_OK)
        code = convert(&c, run);
    ems_free(c.block);
    av_packet_free(&c.packet);
    ems_encoder_close(&c.encoder);
    ems_outfile_discard(&c.out);
    ems_pcm_close(&c.pcm);
    ems_source_close(&c.in);
    return code;
}

int ems_media_listen(const char *path, ems_media_ear ear, void *user,
                     const ems_run *run, ems_error *err)
{
    ems_pcm pcm;
    float *block = ems_alloc(EMS_ENCODE_RATE * CHANNELS, sizeof *block);
    if (!block)
        return ems_out_of_memory(err);
    int code = open_sound(&pcm, path, run, err);
    while (code == EMS_OK) {
        const int64_t n = ems_pcm_read(&pcm, block, EMS_ENCODE_RATE, err);
        if (n <= 0) {
            code = (int)n;
            break;
        }
        code = ems_cancelled(run) ? ems_fail_cancelled(err)
                                  : ear(user, block, (size_t)n, err);
    }
    ems_pcm_close(&pcm);
    ems_free(block);
    return code;
}

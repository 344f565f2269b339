#include "base/mem.h"
#include "base/run.h"
#include "media/source.h"

#include <stdlib.h>
#include <unistd.h>

/* 16384 x 16384: what a picture may have before it is taken for an attack. */
static const int64_t max_pixels = (int64_t)16384 * 16384;

static int thread_count(const ems_run *run)
{
    long n = ems_run_threads(run);
    const char *text = getenv("EMSYNC_THREADS");
    if (n <= 0 && text)
        n = strtol(text, NULL, 10);
    if (n <= 0)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 16 ? 16 : (int)n; /* more costs only memory */
}

static int open_codec(ems_stream *s, const ems_run *run, ems_error *err)
{
    const AVCodecParameters *par = s->stream->codecpar;
    const AVCodec *codec = avcodec_find_decoder(par->codec_id);
    if (!codec)
        return ems_fail(err, EMS_EUNSUPPORTED,
                        "\"%s\" needs a decoder for %s, which this FFmpeg "
                        "does not have", s->source.path,
                        avcodec_get_name(par->codec_id));
    s->codec = avcodec_alloc_context3(codec);
    s->packet = av_packet_alloc();
    s->frame = av_frame_alloc();
    if (!s->codec || !s->packet || !s->frame)
        return ems_out_of_memory(err);
    int r = avcodec_parameters_to_context(s->codec, par);
    s->codec->pkt_timebase = s->stream->time_base;
    s->codec->max_pixels = max_pixels;
    s->codec->thread_count =
        par->codec_type == AVMEDIA_TYPE_VIDEO ? thread_count(run) : 1;
    if (r >= 0)
        r = avcodec_open2(s->codec, codec, NULL);
    return r < 0 ? ems_fail_av(err, EMS_EFORMAT, r,
                               "cannot decode the %s of \"%s\"", codec->name,
                               s->source.path)
                 : EMS_OK;
}

static int open_index(ems_stream *s, int index, const ems_run *run,
                      ems_error *err)
{
    for (unsigned i = 0; i < s->source.format->nb_streams; i++)
        if ((int)i != index)
            s->source.format->streams[i]->discard = AVDISCARD_ALL;
    s->stream = s->source.format->streams[index];
    return open_codec(s, run, err);
}

int ems_stream_open(ems_stream *s, const char *path, enum AVMediaType type,
                    const ems_run *run, ems_error *err)
{
    *s = (ems_stream){0};
    int code = ems_source_open(&s->source, path, 0, run, err);
    if (code < 0)
        return code;
    const int index = type == AVMEDIA_TYPE_VIDEO ? s->source.video
                                                 : s->source.audio;
    if (index < 0)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" holds no %s", path,
                        type == AVMEDIA_TYPE_VIDEO ? "moving pictures"
                                                   : "sound");
    else
        code = open_index(s, index, run, err);
    if (code < 0)
        ems_stream_close(s);
    return code;
}

int ems_stream_open_picture(ems_stream *s, const char *path,
                            const ems_run *run, ems_error *err)
{
    *s = (ems_stream){0};
    int code = ems_source_open(&s->source, path, 0, run, err);
    if (code < 0)
        return code;
    const int index = ems_source_picture(&s->source);
    code = index < 0 ? ems_fail(err, EMS_EFORMAT, "\"%s\" is no picture",
                                path)
                     : open_index(s, index, run, err);
    if (code < 0)
        ems_stream_close(s);
    return code;
}

/* Give the decoder one more packet, or tell it that there are no more. */
static int feed(ems_stream *s, ems_error *err)
{
    int code;
    while ((code = ems_source_packet(&s->source, s->packet, err)) > 0 &&
           s->packet->stream_index != s->stream->index)
        av_packet_unref(s->packet);
    if (code < 0)
        return code;
    const int r = avcodec_send_packet(s->codec, code ? s->packet : NULL);
    s->draining = code == 0;
    av_packet_unref(s->packet);
    if (r == AVERROR(ENOMEM))
        return ems_out_of_memory(err);
    s->damaged += r < 0 && r != AVERROR_EOF;
    return EMS_OK;
}

int ems_stream_next(ems_stream *s, ems_error *err)
{
    for (;;) {
        if (ems_cancelled(s->source.run))
            return ems_fail_cancelled(err);
        const int r = avcodec_receive_frame(s->codec, s->frame);
        if (r >= 0)
            return 1;
        if (r == AVERROR_EOF)
            return 0;
        if (r == AVERROR(ENOMEM))
            return ems_out_of_memory(err);
        if (r != AVERROR(EAGAIN)) {
            s->damaged++;
            continue;
        }
        if (s->draining)
            return 0;
        const int code = feed(s, err);
        if (code < 0)
            return code;
    }
}

void ems_stream_close(ems_stream *s)
{
    avcodec_free_context(&s->codec);
    av_packet_free(&s->packet);
    av_frame_free(&s->frame);
    ems_source_close(&s->source);
    *s = (ems_stream){0};
}

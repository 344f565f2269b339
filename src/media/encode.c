#include "media/encode.h"

#include "media/source.h"

#include <string.h>

enum { PCM_BLOCK = 1024, MAX_CANDIDATES = 8 };

static int is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return 1;
    return 0;
}

/* Encoders to try, best first; at most MAX_CANDIDATES with a NULL. */
static void candidates(const AVCodec *list[MAX_CANDIDATES + 1],
                       const AVOutputFormat *container)
{
    static const char *const free_kind[] = {"matroska", "webm", "ogg", NULL};
    static const char *const mp4_kind[] = {"mp4", "mov", "ipod", "ismv", "3gp",
                                           "3g2", "f4v", "psp", "flv",
                                           "mpegts", NULL};
    static const char *const free_names[] = {"libopus", "libvorbis", "flac",
                                             NULL};
    static const char *const mp4_names[] = {"aac", "libmp3lame", NULL};
    /* AVI cannot say that an MP3 begins with 23 ms of nothing. */
    static const char *const avi_names[] = {"pcm_s16le", NULL};
    static const char *const other_names[] = {"libmp3lame", "aac", "libopus",
                                              "flac", "pcm_s16le", NULL};
    size_t n = 0;
    const char *const *names = other_names;
    if (is_one_of(container->name, free_kind))
        names = free_names;
    else if (is_one_of(container->name, mp4_kind))
        names = mp4_names;
    else if (strcmp(container->name, "avi") == 0)
        names = avi_names;
    else
        list[n] = avcodec_find_encoder(container->audio_codec),
        n += list[n] != NULL;
    for (; *names; names++) {
        const AVCodec *codec = avcodec_find_encoder_by_name(*names);
        if (codec && avformat_query_codec(container, codec->id,
                                          FF_COMPLIANCE_EXPERIMENTAL) == 1)
            list[n++] = codec;
    }
    list[n] = NULL;
}

static enum AVSampleFormat sample_format(const AVCodec *codec, int bits)
{
    if (codec->id == AV_CODEC_ID_FLAC)
        return bits > 16 ? AV_SAMPLE_FMT_S32 : AV_SAMPLE_FMT_S16;
    const enum AVSampleFormat *f = codec->sample_fmts;
    if (!f)
        return AV_SAMPLE_FMT_FLTP;
    for (; *f != AV_SAMPLE_FMT_NONE; f++)
        if (*f == AV_SAMPLE_FMT_FLT || *f == AV_SAMPLE_FMT_FLTP)
            return *f;
    return codec->sample_fmts[0];
}

static int open_codec(ems_encoder *e, const AVCodec *codec,
                      const AVOutputFormat *container, int channels, int bits)
{
    e->codec = avcodec_alloc_context3(codec);
    if (!e->codec)
        return AVERROR(ENOMEM);
    av_channel_layout_default(&e->codec->ch_layout, channels);
    e->codec->sample_rate = EMS_ENCODE_RATE;
    e->codec->time_base = (AVRational){1, EMS_ENCODE_RATE};
    e->codec->sample_fmt = sample_format(codec, bits);
    if (e->codec->sample_fmt == AV_SAMPLE_FMT_S32)
        e->codec->bits_per_raw_sample = bits;
    e->codec->bit_rate = 96000 * channels;
    e->codec->flags |= AV_CODEC_FLAG_BITEXACT;
    if (container->flags & AVFMT_GLOBALHEADER)
        e->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    const int r = avcodec_open2(e->codec, codec, NULL);
    if (r < 0)
        avcodec_free_context(&e->codec);
    return r;
}

static int open_conversion(ems_encoder *e)
{
    e->block = e->codec->frame_size > 0 ? e->codec->frame_size : PCM_BLOCK;
    e->frame = av_frame_alloc();
    if (!e->frame)
        return AVERROR(ENOMEM);
    AVChannelLayout *layout = &e->codec->ch_layout;
    const int r = swr_alloc_set_opts2(
        &e->swr, layout, e->codec->sample_fmt, EMS_ENCODE_RATE, layout,
        AV_SAMPLE_FMT_FLT, EMS_ENCODE_RATE, 0, NULL);
    return r < 0 ? r : swr_init(e->swr);
}

int ems_encoder_open(ems_encoder *e, const AVOutputFormat *container,
                     int channels, int bits, const char *name, ems_error *err)
{
    *e = (ems_encoder){0};
    const AVCodec *list[MAX_CANDIDATES + 1];
    candidates(list, container);
    int r = AVERROR_ENCODER_NOT_FOUND;
    for (int i = 0; list[i] && r < 0; i++) {
        r = open_codec(e, list[i], container, channels, bits);
        if (r < 0 && channels > 2)
            r = open_codec(e, list[i], container, 2, bits);
    }
    if (r >= 0)
        r = open_conversion(e);
    if (r >= 0)
        return EMS_OK;
    ems_encoder_close(e);
    return ems_fail_av(err, EMS_EUNSUPPORTED, r, "cannot encode sound for "
                       "\"%s\": write a .mp4 or .mkv file instead", name);
}

static int fill_frame(ems_encoder *e, const float *samples, int frames)
{
    AVFrame *f = e->frame;
    av_frame_unref(f);
    f->nb_samples = frames;
    f->format = e->codec->sample_fmt;
    f->sample_rate = EMS_ENCODE_RATE;
    f->pts = e->sent;
    int r = av_channel_layout_copy(&f->ch_layout, &e->codec->ch_layout);
    if (r >= 0)
        r = av_frame_get_buffer(f, 0);
    const uint8_t *from[1] = {(const uint8_t *)samples};
    if (r >= 0)
        r = swr_convert(e->swr, f->extended_data, frames, from, frames);
    return r;
}

int ems_encoder_send(ems_encoder *e, const float *samples, int frames,
                     ems_error *err)
{
    int r = frames > 0 ? fill_frame(e, samples, frames) : 0;
    if (r >= 0)
        r = avcodec_send_frame(e->codec, frames > 0 ? e->frame : NULL);
    e->sent += frames;
    return r < 0 ? ems_fail_av(err, EMS_EINTERNAL, r, "cannot encode sound "
                               "as %s", e->codec->codec->name)
                 : EMS_OK;
}

int ems_encoder_receive(ems_encoder *e, AVPacket *packet, ems_error *err)
{
    const int r = avcodec_receive_packet(e->codec, packet);
    if (r >= 0)
        return 1;
    if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
        return 0;
    return ems_fail_av(err, EMS_EINTERNAL, r, "cannot encode sound as %s",
                       e->codec->codec->name);
}

void ems_encoder_close(ems_encoder *e)
{
    avcodec_free_context(&e->codec);
    swr_free(&e->swr);
    av_frame_free(&e->frame);
    *e = (ems_encoder){0};
}

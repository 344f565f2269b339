#include "media/media.h"

#include "base/mem.h"
#include "base/run.h"
#include "media/pcm.h"
#include "media/scene.h"
#include "media/still.h"

#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <math.h>

/* A picture this different from the last (scene score) gets a thumb, and so
 * does the one after it. */
static const double thumb_score = 0.1;
/* Stamps beyond this many seconds are nonsense or an attack. */
static const double longest = 24 * 3600;

enum { AUDIO_BLOCK = 4096 };

typedef struct decoding {
    const char *path;
    const ems_media_sink *sink;
    const ems_run *run;
    ems_error *err;
    ems_media_info *info;
    ems_stream video;
    ems_pcm audio;
    ems_scene scene;
    struct SwsContext *shrink;
    ems_still_maker still;
    double next_still;
    uint8_t rgb[EMS_THUMB_H * EMS_THUMB_W * 3];
    uint8_t luma[EMS_THUMB_H * EMS_THUMB_W];
    int64_t first;         /* time stamp of the first frame */
    double time, length;   /* of the last frame */
    double expected;       /* duration as the container tells; 0: unknown */
    double thumb, told;    /* times of the last thumb, of the last progress */
    double previous_score;
    int64_t heard;         /* samples given to the sink */
    float block[AUDIO_BLOCK];
} decoding;

static double seconds(int64_t stamp, AVRational base)
{
    return (double)stamp * (double)base.num / (double)base.den;
}

static int rotation_of(const AVStream *st)
{
    size_t size = 0;
    const uint8_t *matrix =
        av_stream_get_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (!matrix || size < 9 * sizeof(int32_t))
        return 0;
    const double degrees = -av_display_rotation_get((const int32_t *)(const
                                                    void *)matrix);
    if (!isfinite(degrees))
        return 0;
    const long quarters = lround(degrees / 90) % 4;
    return (int)((quarters + 4) % 4 * 90);
}

static double container_duration(const AVFormatContext *format, int index)
{
    const AVStream *st = format->streams[index];
    if (st->duration > 0)
        return seconds(st->duration, st->time_base);
    return format->duration > 0 ? (double)format->duration / AV_TIME_BASE : 0;
}

static void describe(ems_media_info *info, const ems_source *s)
{
    *info = (ems_media_info){0};
    if (s->audio >= 0) {
        const AVCodecParameters *par =
            s->format->streams[s->audio]->codecpar;
        info->has_audio = 1;
        info->sample_rate = par->sample_rate;
        info->channels = par->ch_layout.nb_channels;
        info->duration = container_duration(s->format, s->audio);
    }
    if (s->video >= 0) {
        const AVStream *st = s->format->streams[s->video];
        info->has_video = 1;
        info->width = st->codecpar->width;
        info->height = st->codecpar->height;
        info->rotation = rotation_of(st);
        info->fps = st->avg_frame_rate.num > 0 && st->avg_frame_rate.den > 0
                        ? av_q2d(st->avg_frame_rate)
                        : 0;
        info->duration = container_duration(s->format, s->video);
    }
}

int ems_media_probe(const char *path, ems_media_info *info,
                    const ems_run *run, ems_error *err)
{
    ems_source s;
    const int code = ems_source_open(&s, path, 0, run, err);
    if (code < 0)
        return code;
    describe(info, &s);
    ems_source_close(&s);
    if (!info->has_video && !info->has_audio)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" holds neither moving "
                        "pictures nor sound", path);
    return EMS_OK;
}

/* Set the conversion to the colours the frame really has. */
static int open_shrink(decoding *d, const AVFrame *f)
{
    d->shrink = sws_getCachedContext(
        d->shrink, f->width, f->height, f->format, EMS_THUMB_W, EMS_THUMB_H,
        AV_PIX_FMT_RGB24, SWS_AREA, NULL, NULL, NULL);
    if (!d->shrink)
        return ems_fail(d->err, EMS_EUNSUPPORTED, "\"%s\" has pictures of "
                        "%dx%d in the format %s, which cannot be scaled",
                        d->path, f->width, f->height,
                        av_get_pix_fmt_name(f->format));
    const int space = f->colorspace == AVCOL_SPC_UNSPECIFIED
                          ? SWS_CS_DEFAULT : (int)f->colorspace;
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(f->format);
    if (!(desc->flags & AV_PIX_FMT_FLAG_RGB))
        sws_setColorspaceDetails(
            d->shrink, sws_getCoefficients(space),
            f->color_range == AVCOL_RANGE_JPEG,
            sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    return EMS_OK;
}

static int make_thumb(decoding *d, const AVFrame *f)
{
    const int code = open_shrink(d, f);
    if (code < 0)
        return code;
    uint8_t *to[1] = {d->rgb};
    const int stride[1] = {EMS_THUMB_W * 3};
    sws_scale(d->shrink, (const uint8_t *const *)f->data, f->linesize, 0,
              f->height, to, stride);
    return EMS_OK;
}

/* Stills lie on a grid of their own, so that a late frame shifts no other. */
static int give_still(decoding *d, const AVFrame *f)
{
    if (!d->sink->still || d->time < d->next_still)
        return EMS_OK;
    const double step = d->sink->still_seconds;
    d->next_still = step * (floor(d->time / step + 1e-6) + 1) - 1e-6;
    ems_still s;
    const int code = ems_still_make(&d->still, f, d->info->rotation, &s,
                                    d->path, d->err);
    s.time = d->time;
    return code < 0 ? code : d->sink->still(d->sink->user, &s, d->err);
}

/* Time of a frame on the output's clock, never before the last frame's: a
 * stamp that is missing or runs back counts one frame on. */
static int time_of_frame(decoding *d, const AVFrame *f)
{
    ems_media_info *info = d->info;
    const AVRational base = d->video.stream->time_base;
    const int64_t stamp = f->best_effort_timestamp;
    const double last = d->time;
    if (info->frames == 0)
        d->first = stamp == AV_NOPTS_VALUE ? 0 : stamp;
    double t = stamp == AV_NOPTS_VALUE ? last - 1
                                       : seconds(stamp - d->first, base);
    if (info->frames == 0)
        t = 0;
    else if (t < last) {
        t = last + d->length;
        if (stamp != AV_NOPTS_VALUE)
            d->first = stamp - llround(t / av_q2d(base));
    }
    if (t > longest)
        return ems_fail(d->err, EMS_EUNSUPPORTED,
                        "\"%s\": frame %lld claims to be %.0f hours into the "
                        "film; more than 24 are not analysed", d->path,
                        (long long)info->frames, t / 3600);
    d->time = t;
    d->length = f->pkt_duration > 0 ? seconds(f->pkt_duration, base)
                : info->fps > 0     ? 1 / info->fps
                : t > last          ? t - last
                                    : 0.04;
    return EMS_OK;
}

static void tell(decoding *d, double time)
{
    if (d->expected <= 0 || time < d->told + d->expected / 200)
        return;
    d->told = time;
    ems_progress(d->run, "analyze", fmin(time / d->expected, 1));
}

static int give_frame(decoding *d)
{
    const AVFrame *f = d->video.frame;
    int code = time_of_frame(d, f);
    if (code < 0)
        return code;
    ems_frame out = {.time = d->time};
    code = ems_scene_add(&d->scene, f, &out.mafd, &out.scene_score, d->err);
    if (code < 0)
        return code;
    ems_scene_grid(&d->scene, d->luma);
    out.luma = d->luma;
    if (d->info->frames == 0 || out.scene_score >= thumb_score ||
        d->previous_score >= thumb_score ||
        d->time >= d->thumb + d->sink->thumb_seconds) {
        code = make_thumb(d, f);
        if (code < 0)
            return code;
        out.rgb = d->rgb;
        d->thumb = d->time;
    }
    d->previous_score = out.scene_score;
    d->info->frames++;
    tell(d, d->time);
    code = d->sink->video(d->sink->user, &out, d->err);
    return code != EMS_OK ? code : give_still(d, f);
}

/* Sound up to `time` (seconds); returns 0 with *end set when there is no
 * more. */
static int give_sound(decoding *d, double time, int *end)
{
    const int64_t until = llround(time * EMS_MEDIA_RATE);
    while (d->heard < until) {
        const int64_t want = until - d->heard < AUDIO_BLOCK
                                 ? until - d->heard : AUDIO_BLOCK;
        const int64_t n = ems_pcm_read(&d->audio, d->block, want, d->err);
        if (n < 0)
            return (int)n;
        d->heard += n;
        const int code = n == 0 ? EMS_OK
                                : d->sink->audio(d->sink->user, d->block,
                                                 (size_t)n, d->err);
        if (code != EMS_OK)
            return code;
        if (n < want) {
            *end = 1;
            return EMS_OK;
        }
    }
    return EMS_OK;
}

/* The sound's clock starts with the first frame, or with itself. */
static int open_sound(decoding *d)
{
    const int alone = !d->info->has_video;
    const AVRational base = alone ? (AVRational){1, 1}
                                  : d->video.stream->time_base;
    const AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
    const int code = ems_pcm_open(&d->audio, d->path, EMS_MEDIA_RATE, &mono,
                                  alone ? AV_NOPTS_VALUE : d->first, base,
                                  d->run, d->err);
    if (alone || code == EMS_OK || code == EMS_ECANCELLED ||
        code == EMS_ENOMEM)
        return code;
    ems_log(d->run, EMS_LOG_WARNING, "going on without the sound: %s",
            d->err->text);
    d->info->has_audio = 0;
    return EMS_OK;
}

static int decode_pictures(decoding *d)
{
    int deaf = !d->info->has_audio || !d->sink->audio;
    int code;
    while ((code = ems_stream_next(&d->video, d->err)) > 0) {
        code = give_frame(d);
        if (code == EMS_OK && d->info->frames == 1 && !deaf) {
            code = open_sound(d);
            deaf = !d->info->has_audio;
        }
        if (code == EMS_OK && !deaf)
            code = give_sound(d, d->time, &deaf);
        if (code != EMS_OK)
            return code;
        av_frame_unref(d->video.frame);
    }
    if (code < 0)
        return code;
    d->info->duration = d->info->frames ? d->time + d->length : 0;
    return d->info->frames && !deaf
               ? give_sound(d, d->info->duration, &deaf) : EMS_OK;
}

static int decode_sound(decoding *d)
{
    int code = open_sound(d);
    int end = 0;
    while (code == EMS_OK && !end) {
        const double time = (double)d->heard / EMS_MEDIA_RATE;
        if (time > longest)
            break;
        tell(d, time);
        code = give_sound(d, time + 1, &end);
    }
    d->info->duration = (double)d->heard / EMS_MEDIA_RATE;
    return code;
}

/* The nominal rate where the frames agree with it, else what was counted. */
static void settle_fps(ems_media_info *info)
{
    if (info->frames < 1 || info->duration <= 0)
        return;
    const double counted = (double)info->frames / info->duration;
    if (!(fabs(info->fps / counted - 1) < 0.01))
        info->fps = counted;
}

/* Does the file end long before the container says, sound included? */
static int ends_early(decoding *d)
{
    const double duration = d->info->duration;
    if (duration >= d->expected - 1 || duration >= 0.95 * d->expected)
        return 0;
    return !d->audio.stream.codec || d->audio.ended ||
           ems_pcm_read(&d->audio, d->block, AUDIO_BLOCK, NULL) <= 0;
}

static void warn_of_damage(decoding *d)
{
    const int64_t bad =
        d->video.damaged + d->video.source.damaged +
        d->audio.stream.damaged + d->audio.stream.source.damaged;
    if (bad > 0)
        ems_log(d->run, EMS_LOG_WARNING, "\"%s\" is damaged or cut off: %lld "
                "packets could not be decoded; the rest was used", d->path,
                (long long)bad);
    else if (ends_early(d))
        ems_log(d->run, EMS_LOG_WARNING, "\"%s\" ends after %.2f s although "
                "it claims to last %.2f s; what is there was used", d->path,
                d->info->duration, d->expected);
}

static int decode(decoding *d)
{
    int code = ems_media_probe(d->path, d->info, d->run, d->err);
    if (code < 0)
        return code;
    ems_media_info *info = d->info;
    d->expected = info->duration;
    if (info->has_video && d->sink->video) {
        code = ems_stream_open(&d->video, d->path, AVMEDIA_TYPE_VIDEO, d->run,
                               d->err);
        if (code == EMS_OK)
            code = decode_pictures(d);
        if (code == EMS_OK && info->frames == 0) {
            info->has_video = 0;
            info->fps = 0;
        }
    } else {
        info->has_video = 0;
    }
    if (code == EMS_OK && !info->has_video && info->has_audio &&
        d->sink->audio)
        code = decode_sound(d);
    if (code != EMS_OK)
        return code;
    if (info->frames == 0 && d->heard == 0)
        return ems_fail(d->err, EMS_EFORMAT, "nothing in \"%s\" can be "
                        "decoded", d->path);
    settle_fps(info);
    warn_of_damage(d);
    ems_progress(d->run, "analyze", 1);
    return EMS_OK;
}

int ems_media_decode(const char *path, const ems_media_sink *sink,
                     ems_media_info *info, const ems_run *run,
                     ems_error *err)
{
    ems_error own;
    decoding *d = ems_alloc(1, sizeof *d);
    if (!d)
        return ems_out_of_memory(err);
    d->path = path;
    d->sink = sink;
    d->run = run;
    d->err = err ? err : &own;
    d->info = info;
    const int code = decode(d);
    ems_stream_close(&d->video);
    ems_pcm_close(&d->audio);
    ems_scene_clear(&d->scene);
    sws_freeContext(d->shrink);
    ems_still_clear(&d->still);
    ems_free(d);
    return code;
}

#include "media/pcm.h"

#include "base/mem.h"

#include <libavutil/opt.h>
#include <string.h>

enum {
    LOWEST_RATE = 1000, HIGHEST_RATE = 3000000, MAX_CHANNELS = 64,
    SILENCE_SECONDS = 24 * 3600, /* in all: stamps may be nonsense */
};

int ems_pcm_open(ems_pcm *p, const char *path, int rate,
                 const AVChannelLayout *layout, int64_t origin,
                 AVRational base, const ems_run *run, ems_error *err)
{
    *p = (ems_pcm){.rate = rate,
                   .silence_left = (int64_t)rate * SILENCE_SECONDS};
    const int code = ems_stream_open(&p->stream, path, AVMEDIA_TYPE_AUDIO,
                                     run, err);
    if (code < 0)
        return code;
    p->origin = origin == AV_NOPTS_VALUE
                    ? AV_NOPTS_VALUE
                    : av_rescale_q(origin, base, (AVRational){1, rate});
    if (av_channel_layout_copy(&p->layout, layout) < 0) {
        ems_pcm_close(p);
        return ems_out_of_memory(err);
    }
    return EMS_OK;
}

/* Floats from strangers may be anything; encoders and filters mind. */
static void tame(float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float x = samples[i];
        samples[i] = x > 8 ? 8 : x < -8 ? -8 : x == x ? x : 0;
    }
}

/* Convert one frame (NULL: what the resampler still holds) into p->data,
 * which is empty but for the tail of the same stretch of sound. */
static int convert(ems_pcm *p, const AVFrame *frame, ems_error *err)
{
    const size_t channels = (size_t)p->layout.nb_channels;
    const int in = frame ? frame->nb_samples : 0;
    const int room = swr_get_out_samples(p->swr, in);
    if (room <= 0)
        return EMS_OK;
    if (p->at == p->count)
        p->at = p->count = 0;
    if (ems_reserve((void **)&p->data, &p->capacity,
                    (p->count + (size_t)room) * channels, sizeof *p->data) < 0)
        return ems_out_of_memory(err);
    float *begin = p->data + p->count * channels;
    uint8_t *planes[1] = {(uint8_t *)begin};
    const int n = swr_convert(p->swr, planes, room,
                              frame ? (const uint8_t **)frame->extended_data
                                    : NULL, in);
    if (n < 0)
        return ems_fail_av(err, EMS_EFORMAT, n, "cannot resample the sound "
                           "of \"%s\"", p->stream.source.path);
    const int64_t cut = n < p->drop ? n : p->drop;
    memmove(begin, begin + (size_t)cut * channels,
            (size_t)(n - cut) * channels * sizeof *begin);
    tame(begin, (size_t)(n - cut) * channels);
    p->drop -= cut;
    p->count += (size_t)(n - cut);
    p->position += n - cut;
    return EMS_OK;
}

static int open_resampler(ems_pcm *p, const AVFrame *f, ems_error *err)
{
    av_channel_layout_uninit(&p->in_layout);
    if (f->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&p->in_layout, f->ch_layout.nb_channels);
    else if (av_channel_layout_copy(&p->in_layout, &f->ch_layout) < 0)
        return ems_out_of_memory(err);
    p->in_rate = f->sample_rate;
    p->in_format = f->format;
    swr_free(&p->swr);
    int r = swr_alloc_set_opts2(&p->swr, &p->layout, AV_SAMPLE_FMT_FLT,
                                p->rate, &p->in_layout, f->format,
                                f->sample_rate, 0, NULL);
    if (r >= 0) {
        /* Full scale in is at most full scale out. */
        av_opt_set_double(p->swr, "rematrix_maxval", 1.0, 0);
        r = swr_init(p->swr);
    }
    return r < 0 ? ems_fail_av(err, EMS_EUNSUPPORTED, r, "cannot resample the "
                               "sound of \"%s\"", p->stream.source.path)
                 : EMS_OK;
}

static int is_new_format(const ems_pcm *p, const AVFrame *f)
{
    return !p->swr || f->sample_rate != p->in_rate ||
           f->format != p->in_format ||
           f->ch_layout.nb_channels != p->in_layout.nb_channels ||
           (f->ch_layout.order != AV_CHANNEL_ORDER_UNSPEC &&
            av_channel_layout_compare(&f->ch_layout, &p->in_layout) != 0);
}

/* Empty the resampler and forget what it has heard. */
static int flush(ems_pcm *p, ems_error *err)
{
    const int code = p->swr ? convert(p, NULL, err) : EMS_OK;
    swr_free(&p->swr);
    return code;
}

/* Samples between what is on the timeline and where `f` belongs. */
static int64_t gap_before(ems_pcm *p, const AVFrame *f)
{
    const int64_t stamp = f->best_effort_timestamp;
    if (stamp == AV_NOPTS_VALUE)
        return 0;
    const int64_t at = av_rescale_q(stamp, p->stream.stream->time_base,
                                    (AVRational){1, p->rate});
    if (p->origin == AV_NOPTS_VALUE)
        p->origin = at;
    const int64_t waiting = p->swr ? swr_get_delay(p->swr, p->rate) : 0;
    return at - p->origin - (p->position + waiting - p->drop);
}

static int add_silence(ems_pcm *p, int64_t gap, ems_error *err)
{
    const int64_t uncut = gap < p->drop ? gap : p->drop;
    p->drop -= uncut; /* a gap in what is cut off anyway */
    gap -= uncut;
    const int64_t fits = gap < p->silence_left ? gap : p->silence_left;
    const int code = fits > 0 ? flush(p, err) : EMS_OK;
    p->origin += gap - fits;
    p->silence = fits;
    p->silence_left -= fits;
    p->position += fits;
    return code;
}

/* Decide where the new frame goes. Stamps jitter by a millisecond or two, so
 * only a jump of more than 10 ms, or the first frame, is believed; a jump
 * back by more than a second is a new clock, not an overlap. */
static int place(ems_pcm *p, ems_error *err)
{
    const AVFrame *f = p->stream.frame;
    const int64_t gap = gap_before(p, f), jitter = p->rate / 100;
    int code = EMS_OK;
    if (p->started && gap < -p->rate) {
        p->origin += gap;
    } else if (gap < 0 && (!p->started || gap < -jitter)) {
        p->drop -= gap;
    } else if (gap > (p->started ? jitter : 0)) {
        code = add_silence(p, gap, err);
    }
    if (code == EMS_OK && is_new_format(p, f)) {
        code = flush(p, err);
        if (code == EMS_OK)
            code = open_resampler(p, f, err);
    }
    p->started = 1;
    p->held = 1;
    return code;
}

/* Decode until there is something to give out, or the end. */
static int refill(ems_pcm *p, ems_error *err)
{
    if (p->held) {
        p->held = 0;
        return convert(p, p->stream.frame, err);
    }
    const int r = ems_stream_next(&p->stream, err);
    if (r < 0)
        return r;
    if (r == 0) {
        p->ended = 1;
        return flush(p, err);
    }
    const AVFrame *f = p->stream.frame;
    if (f->sample_rate < LOWEST_RATE || f->sample_rate > HIGHEST_RATE ||
        f->nb_samples <= 0 || f->ch_layout.nb_channels < 1 ||
        f->ch_layout.nb_channels > MAX_CHANNELS) {
        p->stream.damaged++;
        return EMS_OK;
    }
    return place(p, err);
}

int64_t ems_pcm_read(ems_pcm *p, float *out, int64_t frames, ems_error *err)
{
    const size_t channels = (size_t)p->layout.nb_channels;
    int64_t done = 0;
    while (done < frames) {
        const int64_t left = frames - done;
        const int64_t ready = (int64_t)(p->count - p->at);
        float *to = out + (size_t)done * channels;
        if (ready > 0) {
            const int64_t n = left < ready ? left : ready;
            memcpy(to, p->data + p->at * channels,
                   (size_t)n * channels * sizeof *to);
            p->at += (size_t)n;
            done += n;
        } else if (p->silence > 0) {
            const int64_t n = left < p->silence ? left : p->silence;
            memset(to, 0, (size_t)n * channels * sizeof *to);
            p->silence -= n;
            done += n;
        } else if (p->ended) {
            break;
        } else {
            const int code = refill(p, err);
            if (code < 0)
                return code;
        }
    }
    return done;
}

void ems_pcm_close(ems_pcm *p)
{
    ems_stream_close(&p->stream);
    swr_free(&p->swr);
    av_channel_layout_uninit(&p->in_layout);
    av_channel_layout_uninit(&p->layout);
    ems_free(p->data);
    *p = (ems_pcm){0};
}

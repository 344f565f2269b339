#include "media/track.h"

#include "base/mem.h"
#include "media/encode.h"

#include <math.h>
#include <string.h>

enum { STEP = 32 }; /* frames between two looks at the ducking's curve */

static int open_limiter(ems_track *t, double ceiling, ems_error *err)
{
    const size_t channels = (size_t)t->channels;
    t->limiter = ems_alloc(1, sizeof *t->limiter);
    t->window = ems_alloc((EMS_TAPS + EMS_TRACK_BLOCK + EMS_MARGIN) * channels,
                          sizeof *t->window);
    t->need = ems_alloc(EMS_TRACK_BLOCK + EMS_AHEAD + 1, sizeof *t->need);
    t->factor = ems_alloc(EMS_TRACK_BLOCK, sizeof *t->factor);
    if (!t->limiter || !t->window || !t->need || !t->factor)
        return ems_out_of_memory(err);
    ems_limiter_begin(t->limiter, 1, ceiling, t->channels);
    return EMS_OK;
}

static int open_parts(ems_track *t, const ems_track_options *o,
                      ems_error *err)
{
    t->buffer = ems_alloc(EMS_TRACK_BLOCK * (size_t)t->channels,
                          sizeof *t->buffer);
    if (!t->buffer)
        return ems_out_of_memory(err);
    int code = ems_pcm_open(&t->music, o->music, EMS_ENCODE_RATE, o->layout,
                            AV_NOPTS_VALUE, o->base, o->run, err);
    if (code == EMS_OK && t->mixing)
        code = ems_pcm_open(&t->original, o->original, EMS_ENCODE_RATE,
                            o->layout, o->origin, o->base, o->run, err);
    if (code == EMS_OK && t->duck)
        code = ems_speech_meter_open(&t->meter, t->channels, EMS_ENCODE_RATE,
                                     err);
    if (code == EMS_OK && o->ceiling > 0)
        code = open_limiter(t, o->ceiling, err);
    return code;
}

int ems_track_open(ems_track *t, const ems_track_options *o, ems_error *err)
{
    *t = (ems_track){.lead = o->lead, .music_end = INT64_MAX,
                     .end = INT64_MAX, .gain = o->music_gain,
                     .channels = o->layout->nb_channels,
                     .mixing = o->original != NULL,
                     .filter = o->filter, .use = o->use};
    t->duck = t->mixing && o->duck && o->duck->count ? o->duck : NULL;
    const int code = open_parts(t, o, err);
    if (code < 0)
        ems_track_close(t);
    return code;
}

/* Seconds of the film at a sample of the track. */
static double film_time(const ems_track *t, int64_t at)
{
    return (double)(at - t->lead) / EMS_ENCODE_RATE;
}

/* Scale n frames of music that begin at `at` as the speech wants it. */
static void duck(const ems_track *t, float *x, int64_t at, int64_t n)
{
    const size_t channels = (size_t)t->channels;
    double from = ems_duck_gain(t->duck, film_time(t, at));
    for (int64_t i = 0; i < n; i += STEP) {
        const int64_t m = n - i < STEP ? n - i : STEP;
        const double to = ems_duck_gain(t->duck, film_time(t, at + i + m));
        for (int64_t k = 0; k < m; k++) {
            const float g =
                (float)(from + (to - from) * (double)k / (double)m);
            for (size_t c = 0; c < channels; c++)
                x[(size_t)(i + k) * channels + c] *= g;
        }
        from = to;
    }
}

/* Feed the meter with those steps of n frames where people speak. */
static int listen(ems_track *t, int what, const float *x, int64_t at,
                  int64_t n, ems_error *err)
{
    for (int64_t i = 0; i < n; i += STEP) {
        const int64_t m = n - i < STEP ? n - i : STEP;
        if (ems_duck_speaks(t->duck, film_time(t, at + i)) &&
            ems_speech_meter_add(&t->meter, what,
                                 x + (size_t)i * (size_t)t->channels,
                                 (size_t)m) < 0)
            return ems_out_of_memory(err);
    }
    return EMS_OK;
}

/* Add the music to out[0..frames). Returns the end of what it added. */
static int64_t add_music(ems_track *t, float *out, int64_t frames,
                         ems_error *err)
{
    const int64_t skip = t->lead > t->read ? t->lead - t->read : 0;
    int64_t n = frames - skip;
    if (n > t->music_end - t->read - skip)
        n = t->music_end - t->read - skip;
    if (n <= 0)
        return 0;
    const int64_t got = ems_pcm_read(&t->music, t->buffer, n, err);
    if (got <= 0)
        return got;
    const size_t channels = (size_t)t->channels;
    for (size_t i = 0; i < (size_t)got * channels; i++)
        t->buffer[i] *= t->gain;
    if (t->duck) {
        duck(t, t->buffer, t->read + skip, got);
        if (listen(t, EMS_HEAR_MUSIC, t->buffer, t->read + skip, got, err) < 0)
            return EMS_ENOMEM;
    }
    float *to = out + (size_t)skip * channels;
    for (size_t i = 0; i < (size_t)got * channels; i++)
        to[i] += t->buffer[i];
    return skip + got;
}

static float loudest(const ems_track *t, const float *x, int64_t frames,
                     float peak)
{
    for (size_t i = 0; i < (size_t)frames * (size_t)t->channels; i++)
        peak = fmaxf(peak, fabsf(x[i]));
    return peak;
}

static int64_t read_pcm(void *source, float *out, int64_t frames,
                        ems_error *err)
{
    return ems_pcm_read(source, out, frames, err);
}

static int64_t read_original(ems_track *t, float *out, int64_t frames,
                             ems_error *err)
{
    const ems_sound_filter *f = t->filter;
    if (t->use == EMS_FILTER_WORKS)
        return f->next(f->user, out, frames, read_pcm, &t->original, err);
    const int64_t n = ems_pcm_read(&t->original, out, frames, err);
    if (n > 0 && t->use == EMS_FILTER_HEARS)
        f->hear(f->user, out, (size_t)n, (size_t)t->channels);
    return n;
}

/* The next frames as they add up, from t->read on. */
static int64_t read_sum(ems_track *t, float *out, int64_t frames,
                        ems_error *err)
{
    const size_t channels = (size_t)t->channels;
    int64_t heard = 0;
    if (t->mixing) {
        heard = read_original(t, out, frames, err);
        if (heard < 0)
            return heard;
        t->own_peak = loudest(t, out, heard, t->own_peak);
        if (t->duck && listen(t, EMS_HEAR_SPEECH, out, t->read, heard, err) < 0)
            return EMS_ENOMEM;
    }
    memset(out + (size_t)heard * channels, 0,
           (size_t)(frames - heard) * channels * sizeof *out);
    const int64_t added = add_music(t, out, frames, err);
    if (added < 0)
        return added;
    t->peak = loudest(t, out, frames, t->peak);
    t->read += frames;
    heard = heard > added ? heard : added;
    if (heard > 0)
        t->end = INT64_MAX;
    if (heard < frames && t->end == INT64_MAX)
        t->end = t->read - frames + heard;
    return heard;
}

/* Fill the window up to `ahead` frames after t->at. */
static int fill_window(ems_track *t, int64_t ahead, ems_error *err)
{
    const size_t channels = (size_t)t->channels;
    while (t->read < t->at + ahead) {
        const int64_t left = t->at + ahead - t->read;
        const int64_t n = left < EMS_TRACK_BLOCK ? left : EMS_TRACK_BLOCK;
        float *to = t->window + (size_t)(EMS_TAPS + t->read - t->at) * channels;
        const int64_t got = read_sum(t, to, n, err);
        if (got < 0)
            return (int)got;
    }
    return EMS_OK;
}

static int64_t read_limited(ems_track *t, float *out, int64_t frames,
                            ems_error *err)
{
    const size_t channels = (size_t)t->channels;
    const int code = fill_window(t, frames + EMS_MARGIN, err);
    if (code < 0)
        return code;
    const float *x = t->window + EMS_TAPS * channels;
    ems_limiter_next(t->limiter, t->factor, t->need, x, (size_t)frames);
    for (size_t i = 0; i < (size_t)frames; i++)
        for (size_t c = 0; c < channels; c++)
            out[i * channels + c] = x[i * channels + c] * t->factor[i];
    memmove(t->window, t->window + (size_t)frames * channels,
            (EMS_TAPS + EMS_MARGIN) * channels * sizeof *t->window);
    t->at += frames;
    const int64_t left = t->end - (t->at - frames);
    return left < 0 ? 0 : left < frames ? left : frames;
}

int64_t ems_track_read(ems_track *t, float *out, int64_t frames,
                       ems_error *err)
{
    if (t->limiter)
        return read_limited(t, out, frames, err);
    const int64_t n = read_sum(t, out, frames, err);
    t->at = t->read;
    return n;
}

int ems_track_survey(ems_track *t, ems_error *err)
{
    float *block = ems_alloc(EMS_TRACK_BLOCK * (size_t)t->channels,
                             sizeof *block);
    if (!block)
        return ems_out_of_memory(err);
    int64_t n;
    /* Silence before the music begins is not the end. */
    do
        n = read_sum(t, block, EMS_TRACK_BLOCK, err);
    while (n > 0 || (n == 0 && t->read < t->lead + EMS_TRACK_BLOCK));
    ems_free(block);
    return n < 0 ? (int)n : EMS_OK;
}

double ems_track_limited(const ems_track *t)
{
    return t->limiter ? -20 * log10(t->limiter->most) : 0;
}

void ems_track_close(ems_track *t)
{
    ems_pcm_close(&t->music);
    ems_pcm_close(&t->original);
    ems_speech_meter_close(&t->meter);
    ems_free(t->buffer);
    ems_free(t->limiter);
    ems_free(t->window);
    ems_free(t->need);
    ems_free(t->factor);
    *t = (ems_track){0};
}

#include "media/track.h"

#include "base/mem.h"
#include "media/encode.h"

#include <math.h>
#include <string.h>

int ems_track_open(ems_track *t, const ems_track_options *o, ems_error *err)
{
    *t = (ems_track){.lead = o->lead, .music_end = INT64_MAX,
                     .gain = o->music_gain, .scale = 1,
                     .channels = o->layout->nb_channels,
                     .mixing = o->original != NULL};
    t->buffer = ems_alloc(EMS_TRACK_BLOCK * (size_t)t->channels,
                          sizeof *t->buffer);
    if (!t->buffer)
        return ems_out_of_memory(err);
    int code = ems_pcm_open(&t->music, o->music, EMS_ENCODE_RATE, o->layout,
                            AV_NOPTS_VALUE, o->base, o->run, err);
    if (code == EMS_OK && t->mixing)
        code = ems_pcm_open(&t->original, o->original, EMS_ENCODE_RATE,
                            o->layout, o->origin, o->base, o->run, err);
    if (code < 0)
        ems_track_close(t);
    return code;
}

/* Add the music to out[0..frames). Returns the end of what it added. */
static int64_t add_music(ems_track *t, float *out, int64_t frames,
                         ems_error *err)
{
    const int64_t skip = t->lead > t->at ? t->lead - t->at : 0;
    int64_t n = frames - skip;
    if (n > t->music_end - t->at - skip)
        n = t->music_end - t->at - skip;
    if (n <= 0)
        return 0;
    const int64_t got = ems_pcm_read(&t->music, t->buffer, n, err);
    if (got <= 0)
        return got;
    const size_t channels = (size_t)t->channels;
    float *to = out + (size_t)skip * channels;
    for (size_t i = 0; i < (size_t)got * channels; i++)
        to[i] += t->gain * t->buffer[i];
    return skip + got;
}

int64_t ems_track_read(ems_track *t, float *out, int64_t frames,
                       ems_error *err)
{
    const size_t channels = (size_t)t->channels;
    int64_t heard = 0;
    if (t->mixing) {
        heard = ems_pcm_read(&t->original, out, frames, err);
        if (heard < 0)
            return heard;
    }
    memset(out + (size_t)heard * channels, 0,
           (size_t)(frames - heard) * channels * sizeof *out);
    const int64_t added = add_music(t, out, frames, err);
    if (added < 0)
        return added;
    for (size_t i = 0; i < (size_t)frames * channels; i++)
        out[i] *= t->scale;
    t->at += frames;
    return heard > added ? heard : added;
}

int ems_track_peak(ems_track *t, float *peak, ems_error *err)
{
    float *block = ems_alloc(EMS_TRACK_BLOCK * (size_t)t->channels,
                             sizeof *block);
    if (!block)
        return ems_out_of_memory(err);
    int64_t n;
    *peak = 0;
    /* Silence before the music begins is not the end. */
    while ((n = ems_track_read(t, block, EMS_TRACK_BLOCK, err)) > 0 ||
           (n == 0 && t->at < t->lead + EMS_TRACK_BLOCK))
        for (size_t i = 0; i < (size_t)n * (size_t)t->channels; i++)
            *peak = fmaxf(*peak, fabsf(block[i]));
    ems_free(block);
    return n < 0 ? (int)n : EMS_OK;
}

void ems_track_close(ems_track *t)
{
    ems_pcm_close(&t->music);
    ems_pcm_close(&t->original);
    ems_free(t->buffer);
    *t = (ems_track){0};
}

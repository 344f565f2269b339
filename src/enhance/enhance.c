/* ems_enhance: a file's sound, restored as it streams by. */
#include "base/mem.h"
#include "base/run.h"
#include "enhance/ahead.h"
#include "enhance/bandwidth.h"
#include "enhance/restore.h"
#include "enhance/wave_out.h"
#include "media/media.h"
#include "media/audio_in.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 16384, FULL_RATE = 44100, OTHER_RATE = 48000 };

ems_enhance_options ems_enhance_defaults(void)
{
    return (ems_enhance_options){.weights = NULL};
}

typedef struct job {
    const char *in;
    const ems_enhance_options *o;
    const ems_run *run;
    ems_error *err;
    ems_enhance_result result;
    ems_pool *pool;
    ems_enhancer enhancer;
    ems_audio_in *sound;
    ems_wave_out out;
    size_t channels, total; /* frames */
    ems_ahead ahead;
    float *pair;            /* [BLOCK, 2] */
} job;

/* The network knows 44.1 kHz; at 48 all it does lies 9 % higher. */
static int working_rate(int rate)
{
    return rate <= FULL_RATE || rate % 11025 == 0 ? FULL_RATE : OTHER_RATE;
}

static int open_sound(job *j)
{
    ems_audio_in_close(j->sound);
    j->sound = ems_audio_in_open(j->in, j->result.rate, j->result.channels,
                              j->run, j->err);
    return j->sound ? EMS_OK : j->err->code;
}

/* The first time through: how long is it, and where does it end? */
static int listen(job *j, ems_bandwidth *b)
{
    int64_t n;
    while ((n = ems_audio_in_read(j->sound, j->pair, BLOCK, j->err)) > 0) {
        if (ems_cancelled(j->run))
            return ems_fail_cancelled(j->err);
        ems_bandwidth_add(b, j->pair, (size_t)n, j->channels);
        j->total += (size_t)n;
    }
    if (n < 0)
        return (int)n;
    const ems_edge edge = ems_bandwidth_edge(b, j->result.rate);
    j->result.seconds = (double)j->total / j->result.rate;
    j->result.edge = edge.fall >= EMS_EDGE_FALL ? edge.hz : 0;
    j->result.restored = j->o->always || j->result.edge > 0;
    ems_enhancer_cross(&j->enhancer, EMS_EDGE_CROSS * j->result.edge,
                       j->result.rate);
    return EMS_OK;
}

static int64_t read_sound(void *sound, float *out, int64_t frames,
                          ems_error *err)
{
    return ems_audio_in_read(sound, out, frames, err);
}

static int read_ahead(void *user, float *x, size_t at, size_t frames,
                      ems_error *err)
{
    job *j = user;
    return ems_ahead_pair(&j->ahead, x, at, frames, 0, read_sound, j->sound,
                          err);
}

static int write_pairs(job *j, size_t frames)
{
    float *x = j->pair;
    for (size_t i = 0; j->channels == 1 && i < frames; i++)
        x[i] = 0.5f * (x[2 * i] + x[2 * i + 1]);
    return ems_wave_out_add(&j->out, x, frames, j->err);
}

static int restore_all(job *j)
{
    int code = ems_ahead_begin(&j->ahead, j->enhancer.net->time, j->channels,
                               j->err);
    for (size_t at = 0; code == EMS_OK && at < j->total; at += BLOCK) {
        const size_t n = j->total - at < BLOCK ? j->total - at : BLOCK;
        code = ems_cancelled(j->run) ? ems_fail_cancelled(j->err) : EMS_OK;
        if (code == EMS_OK)
            code = ems_restore_chunk(&j->enhancer, j->pair, at, n, j->total,
                                     read_ahead, j, j->err);
        if (code == EMS_OK)
            code = write_pairs(j, n);
        ems_progress(j->run, "enhance", (double)(at + n) / (double)j->total);
    }
    return code;
}

static int copy_all(job *j)
{
    int64_t n;
    while ((n = ems_audio_in_read(j->sound, j->pair, BLOCK, j->err)) > 0) {
        const int code = ems_cancelled(j->run)
                             ? ems_fail_cancelled(j->err)
                             : ems_wave_out_add(&j->out, j->pair, (size_t)n,
                                                j->err);
        if (code < 0)
            return code;
    }
    return (int)n;
}

static int prepare(job *j)
{
    ems_media_info info;
    int code = ems_media_probe(j->in, &info, j->run, j->err);
    if (code == EMS_OK && !info.has_audio)
        code = ems_fail(j->err, EMS_EFORMAT, "\"%s\" has no sound", j->in);
    if (code < 0)
        return code;
    j->result.rate = working_rate(info.sample_rate);
    j->result.channels = info.channels == 1 ? 1 : 2;
    j->channels = (size_t)j->result.channels;
    if (info.channels > 2)
        ems_log(j->run, EMS_LOG_WARNING, "\"%s\" has %d channels; it becomes"
                " stereo", j->in, info.channels);
    j->pair = ems_alloc(2 * BLOCK, sizeof *j->pair);
    j->pool = ems_pool_new(ems_run_threads(j->run), j->err);
    if (!j->pair || !j->pool)
        return ems_out_of_memory(j->err);
    code = ems_enhancer_open(&j->enhancer, j->o->weights, j->pool, j->err);
    return code < 0 ? code : open_sound(j);
}

static int enhance(job *j, const char *out)
{
    ems_bandwidth *b = ems_alloc(1, sizeof *b);
    int code = b ? ems_bandwidth_init(b, j->err) : ems_out_of_memory(j->err);
    if (code == EMS_OK)
        code = prepare(j);
    if (code == EMS_OK)
        code = listen(j, b);
    if (b)
        ems_bandwidth_clear(b);
    ems_free(b);
    if (code == EMS_OK)
        code = open_sound(j);
    if (code == EMS_OK)
        code = ems_wave_out_open(&j->out, out, j->result.rate,
                                 j->result.channels, j->err);
    if (code == EMS_OK)
        code = j->result.restored ? restore_all(j) : copy_all(j);
    return code < 0 ? code : ems_wave_out_commit(&j->out, j->err);
}

int ems_enhance(const char *in, const char *out,
                const ems_enhance_options *options,
                ems_enhance_result *result, const ems_run *run,
                ems_error *err)
{
    const ems_enhance_options defaults = ems_enhance_defaults();
    ems_error local;
    job j = {.in = in, .o = options ? options : &defaults, .run = run,
             .err = err ? err : &local};
    if (!in || !out)
        return ems_fail(err, EMS_EINVAL, "enhance: a file name is missing");
    const int code = enhance(&j, out);
    if (result)
        *result = j.result;
    ems_wave_out_discard(&j.out);
    ems_audio_in_close(j.sound);
    ems_enhancer_close(&j.enhancer);
    ems_pool_free(j.pool);
    ems_free(j.ahead.frames);
    ems_free(j.pair);
    return code;
}

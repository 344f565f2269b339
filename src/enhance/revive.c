#include "enhance/revive.h"

#include "base/mem.h"
#include "base/run.h"

#include <string.h>

int ems_revive_open(ems_revive *r, const char *weights, double rate,
                    const ems_run *run, ems_error *err)
{
    *r = (ems_revive){.rate = rate, .run = run};
    r->pool = ems_pool_new(ems_run_threads(run), err);
    int code = r->pool ? ems_bandwidth_init(&r->band, err) : err->code;
    if (code == EMS_OK)
        code = ems_enhancer_open(&r->enhancer, weights, r->pool, err);
    if (code < 0)
        ems_revive_close(r);
    return code;
}

void ems_revive_close(ems_revive *r)
{
    ems_enhancer_close(&r->enhancer);
    ems_pool_free(r->pool);
    ems_bandwidth_clear(&r->band);
    ems_free(r->ahead.frames);
    ems_free(r->done);
    ems_free(r->two);
    *r = (ems_revive){0};
}

static void hear(void *user, const float *x, size_t frames, size_t channels)
{
    ems_revive *r = user;
    ems_bandwidth_add(&r->band, x, frames, channels);
    r->channels = channels;
    r->total += frames;
}

static int take_memory(ems_revive *r, ems_error *err)
{
    r->done = ems_alloc(r->enhancer.chunk * r->channels, sizeof *r->done);
    r->two = ems_alloc(r->enhancer.chunk * 2, sizeof *r->two);
    if (!r->done || !r->two)
        return ems_out_of_memory(err);
    return ems_ahead_begin(&r->ahead, r->enhancer.net->time, r->channels,
                           err);
}

static int begin(void *user, ems_error *err)
{
    ems_revive *r = user;
    if (r->total == 0)
        return 0;
    const ems_edge edge = ems_bandwidth_edge(&r->band, r->rate);
    r->edge = edge.fall >= EMS_EDGE_FALL ? edge.hz : 0;
    if (r->edge > 0)
        ems_log(r->run, EMS_LOG_INFO, "the original sound ends at %.1f kHz and"
                " is restored above", r->edge / 1000);
    else
        ems_log(r->run, EMS_LOG_INFO, "nothing is missing in the original"
                " sound; it is left as it is");
    if (!(r->edge > 0))
        return 0;
    ems_enhancer_cross(&r->enhancer, EMS_EDGE_CROSS * r->edge, r->rate);
    const int code = take_memory(r, err);
    return code < 0 ? code : 1;
}

/* Two channels of frames from `at` on. */
static int read_pair(void *user, float *x, size_t at, size_t frames,
                     ems_error *err)
{
    ems_revive *r = user;
    return ems_ahead_pair(&r->ahead, x, at, frames, r->pair, r->read,
                          r->source, err);
}

/* The next chunk of all channels. */
static int work(ems_revive *r, ems_error *err)
{
    const size_t c = r->channels, left = r->total - r->at;
    const size_t n = left < r->enhancer.chunk ? left : r->enhancer.chunk;
    for (r->pair = 0; r->pair < c; r->pair += 2) {
        const int code = ems_restore_chunk(&r->enhancer, r->two, r->at, n,
                                           r->total, read_pair, r, err);
        if (code < 0)
            return code;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < 2 && r->pair + k < c; k++)
                r->done[i * c + r->pair + k] = r->two[2 * i + k];
    }
    r->ready = n;
    r->given = 0;
    return EMS_OK;
}

static int64_t next(void *user, float *out, int64_t frames,
                    ems_sound_read *read, void *source, ems_error *err)
{
    ems_revive *r = user;
    const size_t c = r->channels, wanted = (size_t)frames;
    size_t have = 0;
    r->read = read;
    r->source = source;
    while (have < wanted) {
        if (r->given == r->ready) {
            r->at += r->ready;
            if (r->at >= r->total)
                break;
            if (work(r, err) < 0)
                return err->code;
        }
        const size_t left = r->ready - r->given;
        const size_t n = left < wanted - have ? left : wanted - have;
        memcpy(out + have * c, r->done + r->given * c, n * c * sizeof *out);
        r->given += n;
        have += n;
    }
    return (int64_t)have;
}

ems_sound_filter ems_revive_filter(ems_revive *r)
{
    return (ems_sound_filter){hear, begin, next, r};
}

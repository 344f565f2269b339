#include "audio/loudness.h"
#include "audio/mix.h"
#include "base/mem.h"
#include "base/run.h"

#include <math.h>
#include <string.h>

enum { TRIES = 8 };
#define SAFETY 0.10       /* dB: what two true-peak filters may differ by */
#define CLOSE 0.05        /* LU: good enough to stop searching */
#define MOST_LIMITING 12.0 /* dB: beyond this a limiter is heard */

/* ---- One pass through the mix ------------------------------------------- */

typedef struct pass {
    ems_mix *mix;
    int limiting;     /* zero: gain alone */
    ems_limiter limiter;
    ems_meter *meter;
    ems_peak_meter peaks;
    float *input;     /* [EMS_TAPS + EMS_CHUNK + EMS_MARGIN][2] */
    float *need;      /* [EMS_CHUNK + EMS_AHEAD + 1] */
    float *factor;    /* [EMS_CHUNK] */
    float *sound[2];  /* [EMS_CHUNK][2]: limited; one made, one measured */
    uint64_t at;      /* of the chunk being made */
    size_t size;
    size_t measured;  /* frames in the other buffer */
    int turn, writing;
    int known;        /* what the search measured last is what is written */
    ems_error errors[2];
} pass;

/* The mix from EMS_TAPS before `at` to EMS_MARGIN after the chunk; what lies
 * outside the film is silence. */
static int read_window(pass *p, ems_error *err)
{
    ems_mix *m = p->mix;
    const size_t before = p->at < EMS_TAPS ? (size_t)p->at : EMS_TAPS;
    const uint64_t end = p->at + p->size + EMS_MARGIN;
    const uint64_t stop = end < m->frames ? end : m->frames;
    const size_t n = (size_t)(stop - (p->at - before));
    float *to = p->input + (EMS_TAPS - before) * EMS_CHANNELS;
    memset(p->input, 0, (EMS_TAPS - before) * EMS_CHANNELS * sizeof *to);
    memset(to + n * EMS_CHANNELS, 0,
           (size_t)(end - stop) * EMS_CHANNELS * sizeof *to);
    return ems_wav_get(&m->wav, p->at - before, to, n, err);
}

/* The chunk as the limiter leaves it, rounded as the file will hold it. What
 * the limiter must still see of the raw frames is read before they change. */
static void make_chunk(pass *p)
{
    if (p->size == 0 || read_window(p, &p->errors[0]) < 0)
        return;
    const float *x = p->input + EMS_TAPS * EMS_CHANNELS;
    float *out = p->sound[p->turn];
    if (p->limiting)
        ems_limiter_next(&p->limiter, p->factor, p->need, x, p->size);
    for (size_t i = 0; i < p->size; i++) {
        const float g = p->limiting ? p->factor[i] : (float)p->limiter.gain;
        out[2 * i] = x[2 * i] * g;
        out[2 * i + 1] = x[2 * i + 1] * g;
    }
    ems_wav_round(p->mix->wav.spec.sample, p->at, out, p->size);
}

static void measure_chunk(pass *p)
{
    const float *x = p->sound[!p->turn];
    if (!p->meter)
        return;
    if (p->measured && ems_meter_add(p->meter, x, p->measured) < 0)
        ems_out_of_memory(&p->errors[1]);
    ems_peak_meter_add(&p->peaks, x, p->measured);
}

static void pass_task(void *ctx, size_t i)
{
    if (i == 0)
        make_chunk(ctx);
    else
        measure_chunk(ctx);
}

static int pass_status(const pass *p, ems_error *err)
{
    for (size_t i = 0; i < 2; i++)
        if (p->errors[i].code != EMS_OK)
            return ems_fail(err, p->errors[i].code, "%s", p->errors[i].text);
    return ems_cancelled(p->mix->run) ? ems_fail_cancelled(err) : EMS_OK;
}

typedef struct setting {
    double gain, ceiling; /* linear */
    int limiting;
} setting;

/* Sealing overwrites raw frames before those that are still to be read: the
 * window of the next chunk begins EMS_TAPS earlier, where sealed bytes would
 * lie, so the chunk is sealed one turn late, after the next one was read. */
static int seal_last(pass *p, ems_error *err)
{
    if (!p->writing || p->measured == 0)
        return EMS_OK;
    return ems_wav_seal(&p->mix->wav, p->at - EMS_CHUNK, p->sound[!p->turn],
                        p->measured, err);
}

static int go_through(pass *p, const setting *s, ems_error *err)
{
    ems_mix *m = p->mix;
    p->limiting = s->limiting;
    ems_limiter_begin(&p->limiter, s->gain, s->ceiling, EMS_CHANNELS);
    ems_peak_meter_begin(&p->peaks);
    p->measured = 0;
    int code = EMS_OK;
    for (p->at = 0; code == EMS_OK && p->at < m->frames + EMS_CHUNK;
         p->at += EMS_CHUNK) {
        p->size = p->at < m->frames ? ems_chunk_size(m, p->at) : 0;
        ems_pool_for(m->pool, 2, pass_task, p);
        code = pass_status(p, err);
        if (code == EMS_OK)
            code = seal_last(p, err);
        p->measured = p->size;
        p->turn = !p->turn;
    }
    return code;
}

static int measure(pass *p, const setting *s, ems_loudness *out,
                   ems_error *err)
{
    p->meter = ems_meter_new(0, err);
    if (!p->meter)
        return EMS_ENOMEM;
    const int code = go_through(p, s, err);
    if (code == EMS_OK) {
        out->lufs = ems_meter_lufs(p->meter);
        out->true_peak = ems_to_db(ems_peak_meter_end(&p->peaks));
        out->limited = fabs(ems_to_db(p->limiter.most));
    }
    ems_meter_free(p->meter);
    p->meter = NULL;
    return code;
}

/* ---- The search --------------------------------------------------------- */

/* Would a limiter have anything to do? */
static void need_limiter(const pass *p, setting *s)
{
    s->limiting = p->mix->peak * s->gain * (double)p->limiter.peaks.spread >
                  s->ceiling;
}

/* Limiting makes the music a little quieter than its gain says: measure,
 * correct, measure again. Where nothing is limited there is nothing to
 * search. */
static int search(pass *p, double target, double limit, setting *s,
                  ems_loudness *out, ems_error *err)
{
    const ems_mix *m = p->mix;
    s->ceiling = ems_from_db(limit - SAFETY);
    const double most = s->ceiling * ems_from_db(MOST_LIMITING) / m->peak;
    s->gain = fmin(ems_from_db(target - m->lufs), most);
    for (int i = 0; i < TRIES; i++) {
        need_limiter(p, s);
        if (!s->limiting)
            break;
        const int code = measure(p, s, out, err);
        if (code < 0)
            return code;
        const double missing = target - out->lufs;
        const double over = out->true_peak - (limit - SAFETY / 2);
        const int loud = fabs(missing) <= CLOSE ||
                         (missing > 0 && s->gain >= most);
        p->known = loud && over <= 0;
        if (p->known)
            break;
        if (over > 0)
            s->ceiling *= ems_from_db(-over - 0.01);
        if (!loud)
            s->gain = fmin(s->gain * ems_from_db(missing), most);
        ems_progress(m->run, "render", 0.8 + 0.1 * (i + 1) / TRIES);
    }
    return EMS_OK;
}

static void report(const ems_mix *m, double target, double limit,
                   const ems_loudness *l)
{
    ems_log(m->run, EMS_LOG_DEBUG,
            "loudness %.2f LUFS, true peak %.2f dBTP, limiter %.1f dB",
            l->lufs, l->true_peak, l->limited);
    if (isnan(target)) {
        if (l->true_peak > 0 && m->wav.spec.sample != EMS_FLOAT32)
            ems_log(m->run, EMS_LOG_WARNING, "the mix peaks at %.1f dBTP and "
                    "is clipped: write 32-bit float", l->true_peak);
        return;
    }
    if (l->true_peak > limit)
        ems_log(m->run, EMS_LOG_WARNING, "the true peak is %.2f dBTP",
                l->true_peak);
    if (fabs(l->lufs - target) > 0.2)
        ems_log(m->run, EMS_LOG_WARNING,
                "the music is too sparse or short for %.1f LUFS below %.1f "
                "dBTP; it has %.1f LUFS", target, limit, l->lufs);
}

/* ---- All of it ---------------------------------------------------------- */

static int allocate(pass *p, ems_error *err)
{
    const size_t frame = EMS_CHANNELS * sizeof(float);
    p->input = ems_alloc(EMS_TAPS + EMS_CHUNK + EMS_MARGIN, frame);
    p->need = ems_alloc(EMS_CHUNK + EMS_AHEAD + 1, sizeof(float));
    p->factor = ems_alloc(EMS_CHUNK, sizeof(float));
    p->sound[0] = ems_alloc(EMS_CHUNK, frame);
    p->sound[1] = ems_alloc(EMS_CHUNK, frame);
    return p->input && p->need && p->factor && p->sound[0] && p->sound[1]
               ? EMS_OK : ems_out_of_memory(err);
}

static void release(pass *p)
{
    ems_free(p->input);
    ems_free(p->need);
    ems_free(p->factor);
    ems_free(p->sound[0]);
    ems_free(p->sound[1]);
    ems_free(p);
}

int ems_mix_master(ems_mix *m, double target, double limit,
                   ems_loudness *out, ems_error *err)
{
    *out = (ems_loudness){.lufs = EMS_SILENCE_LUFS,
                          .true_peak = EMS_SILENCE_DB,
                          .compressed = out->compressed};
    pass *p = ems_alloc(1, sizeof *p);
    if (!p)
        return ems_out_of_memory(err);
    p->mix = m;
    ems_peaks_begin(&p->limiter.peaks);
    setting s = {1, 1, 0};
    int code = allocate(p, err);
    if (code == EMS_OK && m->peak > 0 && !isnan(target))
        code = search(p, target, limit, &s, out, err);
    p->writing = 1;
    if (code == EMS_OK)
        code = p->known ? go_through(p, &s, err) : measure(p, &s, out, err);
    if (code == EMS_OK && m->peak > 0)
        report(m, target, limit, out);
    m->wav.lufs = out->lufs;
    m->wav.true_peak = out->true_peak;
    release(p);
    return code;
}

#include "audio/master.h"
#include "audio/mix.h"
#include "base/mem.h"
#include "base/run.h"

#include <ebur128.h>
#include <math.h>
#include <string.h>

enum { TRIES = 8, GATE_BLOCK = EMS_RATE * 4 / 10 };
#define PEAK_LIMIT (-1.0) /* dBTP */
#define CLOSE 0.05        /* LU: good enough to stop searching */
#define MOST_LIMITING 12.0 /* dB: beyond this a limiter is heard */
#define FLOOR_LUFS (-70.0) /* EBU R128's absolute gate */
#define FLOOR_DB (-144.0)  /* 24 bits */

static double db(double ratio)
{
    return ratio > 0 ? fmax(20 * log10(ratio), FLOOR_DB) : FLOOR_DB;
}

static double ratio(double decibel)
{
    return pow(10, decibel / 20);
}

/* ---- The meter ---------------------------------------------------------- */

struct ems_meter {
    ebur128_state *state;
    uint64_t frames;
};

ems_meter *ems_meter_new(int true_peak, ems_error *err)
{
    ems_meter *m = ems_alloc(1, sizeof *m);
    if (m)
        m->state = ebur128_init(EMS_CHANNELS, EMS_RATE,
                                EBUR128_MODE_I |
                                    (true_peak ? EBUR128_MODE_TRUE_PEAK : 0));
    if (m && m->state)
        return m;
    ems_meter_free(m);
    ems_out_of_memory(err);
    return NULL;
}

int ems_meter_add(ems_meter *m, const float *x, size_t n)
{
    m->frames += n;
    return ebur128_add_frames_float(m->state, x, n) == EBUR128_SUCCESS ? 0
                                                                       : -1;
}

double ems_meter_lufs(ems_meter *m)
{
    static const float silence[EMS_RATE / 100 * EMS_CHANNELS];
    while (m->frames < GATE_BLOCK)
        if (ems_meter_add(m, silence, EMS_RATE / 100) < 0)
            return FLOOR_LUFS;
    double lufs;
    if (ebur128_loudness_global(m->state, &lufs) != EBUR128_SUCCESS ||
        !isfinite(lufs))
        return FLOOR_LUFS;
    return lufs;
}

double ems_meter_true_peak(ems_meter *m)
{
    double top = 0;
    for (unsigned c = 0; c < EMS_CHANNELS; c++) {
        double peak = 0;
        if (ebur128_true_peak(m->state, c, &peak) == EBUR128_SUCCESS)
            top = fmax(top, peak);
    }
    return db(top);
}

void ems_meter_free(ems_meter *m)
{
    if (m && m->state)
        ebur128_destroy(&m->state);
    ems_free(m);
}

/* ---- One pass through the mix ------------------------------------------- */

typedef struct pass {
    ems_mix *mix;
    ems_limiter limiter;
    ems_meter *meter; /* NULL: the writing pass */
    float *input;     /* [EMS_TAPS + EMS_CHUNK + EMS_MARGIN][2] */
    float *need;      /* [EMS_CHUNK + EMS_AHEAD + 1] */
    float *factor;    /* [EMS_CHUNK] */
    float *sound[2];  /* [EMS_CHUNK][2]: limited; one made, one measured */
    float *stem[EMS_FAMILIES]; /* [EMS_CHUNK][2] */
    uint64_t at;      /* of the chunk being made */
    size_t size;
    size_t measured;  /* frames in the other buffer */
    int turn;
    ems_error errors[EMS_FAMILIES + 2];
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

static void scale(float *out, const float *x, const float *factor, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = x[2 * i] * factor[i];
        out[2 * i + 1] = x[2 * i + 1] * factor[i];
    }
}

static void make_chunk(pass *p)
{
    ems_error *err = &p->errors[0];
    if (p->size == 0 || read_window(p, err) < 0)
        return;
    const float *x = p->input + EMS_TAPS * EMS_CHANNELS;
    ems_limiter_next(&p->limiter, p->factor, p->need, x, p->size);
    scale(p->sound[p->turn], x, p->factor, p->size);
}

static void measure_chunk(pass *p)
{
    float *x = p->sound[!p->turn];
    for (size_t i = 0; i < p->measured * EMS_CHANNELS; i++)
        x[i] = ems_wav_round(x[i]);
    if (p->measured && ems_meter_add(p->meter, x, p->measured) < 0)
        ems_out_of_memory(&p->errors[1]);
}

static void trial_task(void *ctx, size_t i)
{
    if (i == 0)
        make_chunk(ctx);
    else
        measure_chunk(ctx);
}

/* Stem i - 1 under the mix's factors; task 0 is the mix itself. */
static void write_task(void *ctx, size_t i)
{
    pass *p = ctx;
    ems_mix *m = p->mix;
    ems_error *err = &p->errors[i];
    if (i == 0) {
        ems_wav_seal(&m->wav, p->at, p->sound[p->turn], p->size, err);
        return;
    }
    float *x = p->stem[i - 1];
    if (ems_wav_get(&m->stem[i - 1], p->at, x, p->size, err) < 0)
        return;
    scale(x, x, p->factor, p->size);
    ems_wav_seal(&m->stem[i - 1], p->at, x, p->size, err);
}

static int pass_status(const pass *p, ems_error *err)
{
    for (size_t i = 0; i < sizeof p->errors / sizeof *p->errors; i++)
        if (p->errors[i].code != EMS_OK)
            return ems_fail(err, p->errors[i].code, "%s", p->errors[i].text);
    return ems_cancelled(p->mix->run) ? ems_fail_cancelled(err) : EMS_OK;
}

static int try_gain(pass *p, double gain, double ceiling, ems_error *err)
{
    ems_mix *m = p->mix;
    ems_limiter_begin(&p->limiter, gain, ceiling);
    p->measured = 0;
    int code = EMS_OK;
    for (p->at = 0; code == EMS_OK && p->at < m->frames + EMS_CHUNK;
         p->at += EMS_CHUNK) {
        p->size = p->at < m->frames ? ems_chunk_size(m, p->at) : 0;
        ems_pool_for(m->pool, 2, trial_task, p);
        p->measured = p->size;
        p->turn = !p->turn;
        code = pass_status(p, err);
    }
    return code;
}

static int write_files(pass *p, double gain, double ceiling, ems_error *err)
{
    ems_mix *m = p->mix;
    ems_limiter_begin(&p->limiter, gain, ceiling);
    int code = EMS_OK;
    for (p->at = 0; code == EMS_OK && p->at < m->frames; p->at += EMS_CHUNK) {
        p->size = ems_chunk_size(m, p->at);
        make_chunk(p);
        code = pass_status(p, err);
        if (code == EMS_OK) {
            ems_pool_for(m->pool, 1 + (m->keep ? m->stems : 0), write_task, p);
            code = pass_status(p, err);
        }
        ems_progress(m->run, "render",
                     0.9 + 0.1 * (double)p->at / (double)m->frames);
    }
    return code;
}

/* ---- The search --------------------------------------------------------- */

typedef struct setting {
    double gain, ceiling; /* linear */
} setting;

static int measure(pass *p, const setting *s, ems_loudness *out,
                   ems_error *err)
{
    p->meter = ems_meter_new(1, err);
    if (!p->meter)
        return EMS_ENOMEM;
    const int code = try_gain(p, s->gain, s->ceiling, err);
    out->lufs = ems_meter_lufs(p->meter);
    out->true_peak = ems_meter_true_peak(p->meter);
    out->limited = fabs(db(p->limiter.most));
    ems_meter_free(p->meter);
    p->meter = NULL;
    return code;
}

/* Limiting makes the music a little quieter than its gain says, and a meter's
 * filter differs a little from ours: measure, correct, measure again. */
static int search(pass *p, double target, setting *s, ems_loudness *out,
                  ems_error *err)
{
    const ems_mix *m = p->mix;
    s->ceiling = ratio(PEAK_LIMIT - 0.05);
    const double most = s->ceiling * ratio(MOST_LIMITING) / m->peak;
    s->gain = fmin(ratio(target - m->lufs), most);
    for (int i = 0; i < TRIES; i++) {
        const int code = measure(p, s, out, err);
        if (code < 0)
            return code;
        const double missing = target - out->lufs;
        const double over = out->true_peak - PEAK_LIMIT;
        const int loud = fabs(missing) <= CLOSE ||
                         (missing > 0 && s->gain >= most);
        if (loud && over <= 0)
            break;
        if (over > 0)
            s->ceiling *= ratio(-over - 0.02);
        if (!loud)
            s->gain = fmin(s->gain * ratio(missing), most);
        ems_progress(m->run, "render", 0.8 + 0.1 * (i + 1) / TRIES);
    }
    return EMS_OK;
}

static void report(const ems_mix *m, double target, const ems_loudness *l)
{
    ems_log(m->run, EMS_LOG_DEBUG,
            "loudness %.2f LUFS, true peak %.2f dBTP, limiter %.1f dB",
            l->lufs, l->true_peak, l->limited);
    if (l->true_peak > PEAK_LIMIT)
        ems_log(m->run, EMS_LOG_WARNING, "the true peak is %.2f dBTP",
                l->true_peak);
    if (fabs(l->lufs - target) > 0.2)
        ems_log(m->run, EMS_LOG_WARNING,
                "the music is too sparse or short for %.1f LUFS below -1 "
                "dBTP; it has %.1f LUFS", target, l->lufs);
}

static int allocate(pass *p, ems_error *err)
{
    const size_t frame = EMS_CHANNELS * sizeof(float);
    p->input = ems_alloc(EMS_TAPS + EMS_CHUNK + EMS_MARGIN, frame);
    p->need = ems_alloc(EMS_CHUNK + EMS_AHEAD + 1, sizeof(float));
    p->factor = ems_alloc(EMS_CHUNK, sizeof(float));
    p->sound[0] = ems_alloc(EMS_CHUNK, frame);
    p->sound[1] = ems_alloc(EMS_CHUNK, frame);
    int missing = !p->input || !p->need || !p->factor || !p->sound[0] ||
                  !p->sound[1];
    for (size_t i = 0; p->mix->keep && i < p->mix->stems; i++) {
        p->stem[i] = ems_alloc(EMS_CHUNK, frame);
        missing |= !p->stem[i];
    }
    return missing ? ems_out_of_memory(err) : EMS_OK;
}

static void release(pass *p)
{
    ems_free(p->input);
    ems_free(p->need);
    ems_free(p->factor);
    ems_free(p->sound[0]);
    ems_free(p->sound[1]);
    for (size_t i = 0; i < EMS_FAMILIES; i++)
        ems_free(p->stem[i]);
    ems_free(p);
}

int ems_mix_master(ems_mix *m, double target, ems_loudness *out,
                   ems_error *err)
{
    *out = (ems_loudness){FLOOR_LUFS, FLOOR_DB, 0};
    pass *p = ems_alloc(1, sizeof *p);
    if (!p)
        return ems_out_of_memory(err);
    p->mix = m;
    setting s = {1, 1};
    int code = allocate(p, err);
    if (code == EMS_OK && m->peak > 0)
        code = search(p, target, &s, out, err);
    if (code == EMS_OK)
        code = write_files(p, s.gain, s.ceiling, err);
    if (code == EMS_OK && m->peak > 0)
        report(m, target, out);
    release(p);
    return code;
}

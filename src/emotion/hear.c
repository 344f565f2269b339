#include "emotion/hear.h"

#include "base/exact.h"
#include "base/mem.h"
#include "emotion/hear_weights.h"
#include "emotion/spans.h"

#include <math.h>
#include <string.h>

enum {
    BINS = EMS_HEAR_HOP + 1,
    BANDS = EMS_HEAR_BANDS,
    LONG = EMS_HEAR_LONG,
    SHORT = EMS_HEAR_SHORT,
    PITCH_RATE = EMS_MEDIA_RATE / 4, /* of the thinned samples for pitch */
    PITCH_SIZE = 257,                /* 46 ms */
    LAG_LEAST = PITCH_RATE / 400, LAG_MOST = PITCH_RATE / 65,
    KEEP = 4,                        /* hops a partial must stand: 93 ms */
};
static const double FLOOR = 1e-9; /* power of a band: -90 dB */

typedef struct hop_view { /* what one hop is like */
    float band[BANDS];    /* natural log of power */
    float level;          /* of all bands together */
    float flatness, centroid;
    float voiced;         /* best autocorrelation, 0..1 */
    float pitch;          /* natural log of its lag */
    float steady;         /* share of the peaks that stand still */
} hop_view;

struct ems_hear {
    int edge[BANDS + 1];
    hop_view ring[LONG];
    float thin[PITCH_SIZE];   /* the newest thinned samples */
    uint8_t peaks[KEEP][BINS]; /* of the last spectra */
    uint64_t hops;
    double turn[LONG][2];     /* cosine and sine at 4.5 Hz */
    struct { uint8_t speech, music; } *verdicts;
    size_t count, capacity;
    void *user;
    void (*sink)(void *user, const float inputs[EMS_HEAR_INPUTS]);
};

static hop_view nothing(void)
{
    hop_view v = {0};
    for (int b = 0; b < BANDS; b++)
        v.band[b] = (float)ems_exact_log(FLOOR);
    v.level = v.band[0];
    v.flatness = 1;
    return v;
}

/* 100 Hz to 6 kHz in equal ratios, at least two bins each. */
static void make_bands(ems_hear *h)
{
    const double ratio = ems_exact_exp(ems_exact_log(60.0) / BANDS);
    double hz = 100;
    for (int b = 0; b <= BANDS; b++, hz *= ratio) {
        int bin = (int)(hz * 2 * EMS_HEAR_HOP / EMS_MEDIA_RATE + 0.5);
        if (b && bin < h->edge[b - 1] + 2)
            bin = h->edge[b - 1] + 2;
        h->edge[b] = bin;
    }
}

/* Syllables come about 4.5 times a second: one turn's steps by rotation. */
static void make_turn(ems_hear *h)
{
    const double x = 2 * 3.14159265358979323846 * 4.5 * EMS_HEAR_HOP /
                     EMS_MEDIA_RATE;
    const double c = 1 - x * x / 2 + x * x * x * x / 24 -
                     x * x * x * x * x * x / 720;
    const double s = x - x * x * x / 6 + x * x * x * x * x / 120;
    h->turn[0][0] = 1;
    for (int i = 1; i < LONG; i++) {
        h->turn[i][0] = h->turn[i - 1][0] * c - h->turn[i - 1][1] * s;
        h->turn[i][1] = h->turn[i - 1][0] * s + h->turn[i - 1][1] * c;
    }
}

ems_hear *ems_hear_new(ems_error *err)
{
    ems_hear *h = ems_alloc(1, sizeof *h);
    if (!h) {
        ems_out_of_memory(err);
        return NULL;
    }
    for (int i = 0; i < LONG; i++)
        h->ring[i] = nothing();
    make_bands(h);
    make_turn(h);
    return h;
}

void ems_hear_free(ems_hear *h)
{
    if (!h)
        return;
    ems_free(h->verdicts);
    ems_free(h);
}

void ems_hear_watch(ems_hear *h, void *user,
                    void (*sink)(void *user,
                                 const float inputs[EMS_HEAR_INPUTS]))
{
    h->user = user;
    h->sink = sink;
}

/* ---- One hop ------------------------------------------------------------ */

static void view_bands(const ems_hear *h, const float *power, hop_view *v)
{
    double all = 0, logs = 0, centre = 0;
    for (int b = 0; b < BANDS; b++) {
        double sum = 0;
        for (int i = h->edge[b]; i < h->edge[b + 1]; i++)
            sum += (double)power[i];
        v->band[b] = (float)ems_exact_log(sum + FLOOR);
        logs += (double)v->band[b];
        all += sum + FLOOR;
        centre += b * (sum + FLOOR);
    }
    v->level = (float)ems_exact_log(all);
    v->flatness = (float)(logs / BANDS - (double)v->level +
                          2.772588722239781); /* + log BANDS */
    v->centroid = (float)(centre / all / BANDS);
}

/* Best normalised autocorrelation between 65 and 400 Hz. */
static void view_pitch(ems_hear *h, const float *hop, hop_view *v)
{
    enum { NEW = EMS_HEAR_HOP / 4, SPAN = PITCH_SIZE - LAG_MOST - 1 };
    memmove(h->thin, h->thin + NEW, (PITCH_SIZE - NEW) * sizeof *h->thin);
    for (int i = 0; i < NEW; i++)
        h->thin[PITCH_SIZE - NEW + i] = 0.25f *
            (hop[4 * i] + hop[4 * i + 1] + hop[4 * i + 2] + hop[4 * i + 3]);
    const float *x = h->thin + LAG_MOST + 1;
    float own = 1e-7f, past = 1e-7f;
    for (int i = 0; i < SPAN; i++) {
        own += x[i] * x[i];
        past += x[i - LAG_LEAST] * x[i - LAG_LEAST];
    }
    float best = 0;
    int at = LAG_LEAST;
    for (int lag = LAG_LEAST; lag <= LAG_MOST; lag++) {
        const float *y = x - lag;
        float product = 0;
        for (int i = 0; i < SPAN; i++)
            product += x[i] * y[i];
        const float fit = product > 0 ? product * product / (own * past) : 0;
        if (fit > best * 1.1f) { /* the shortest of the good ones */
            best = fit;
            at = lag;
        }
        past += y[-1] * y[-1] - y[SPAN - 1] * y[SPAN - 1];
        if (past < 1e-7f)
            past = 1e-7f;
    }
    v->voiced = best < 1 ? best : 1;
    v->pitch = (float)ems_exact_log(at);
}

/* Partials of music stand where they are, those of a voice glide: the share
 * (by magnitude) of the peaks that were peaks in the KEEP hops before. */
static void view_peaks(ems_hear *h, const float *power, hop_view *v)
{
    const int from = h->edge[1], to = h->edge[BANDS];
    uint8_t *now = h->peaks[h->hops % KEEP];
    double all = 0, stand = 0;
    uint8_t fresh[BINS] = {0};
    for (int i = from; i < to; i++) {
        const float p = power[i];
        if (!(p > power[i - 1] && p >= power[i + 1] &&
              p > 4 * power[i - 3] && p > 4 * power[i + 3] && p > 1e-9f))
            continue;
        const double m = sqrt((double)p);
        int all_there = 1;
        for (int k = 0; k < KEEP; k++)
            all_there &= h->peaks[k][i];
        fresh[i] = 1;
        all += m;
        if (all_there)
            stand += m;
    }
    memcpy(now, fresh, sizeof fresh);
    v->steady = all > 0 ? (float)(stand / all) : 0;
}

/* ---- One verdict -------------------------------------------------------- */

typedef struct moments {
    double mean, deviation;
} moments;

static const hop_view *hop_at(const ems_hear *h, int i) /* 0: the oldest */
{
    return &h->ring[(h->hops + (uint64_t)i) % LONG];
}

static moments moments_of(const ems_hear *h, size_t offset, int from, int to)
{
    double sum = 0, squares = 0;
    const double n = to - from;
    for (int i = from; i < to; i++) {
        const char *view = (const char *)hop_at(h, i);
        float x;
        memcpy(&x, view + offset, sizeof x);
        sum += (double)x;
        squares += (double)x * (double)x;
    }
    const double mean = sum / n;
    return (moments){mean, sqrt(fmax(squares / n - mean * mean, 0))};
}

/* How much of the level's movement is at the rate of syllables. */
static double modulation(const ems_hear *h, const moments *level)
{
    double re = 0, im = 0;
    for (int i = 0; i < LONG; i++) {
        const double x = (double)hop_at(h, i)->level - level->mean;
        re += x * h->turn[i][0];
        im += x * h->turn[i][1];
    }
    const double all = level->deviation * level->deviation * LONG * LONG;
    return all > 1e-3 ? 2 * (re * re + im * im) / all : 0;
}

static double low_share(const ems_hear *h, double mean)
{
    int low = 0;
    for (int i = 0; i < LONG; i++)
        low += (double)hop_at(h, i)->level < mean - 1.4; /* 6 dB */
    return (double)low / LONG;
}

/* Deviation and mean step of the pitch where there is one; share of time. */
static void pitch_moves(const ems_hear *h, double out[3])
{
    double sum = 0, squares = 0, steps = 0;
    int n = 0, pairs = 0;
    for (int i = 0; i < LONG; i++) {
        const hop_view *v = hop_at(h, i);
        if (!(v->voiced > 0.5f))
            continue;
        const double p = (double)v->pitch;
        sum += p;
        squares += p * p;
        n++;
        if (i && hop_at(h, i - 1)->voiced > 0.5f) {
            steps += fmin(fabs(p - (double)hop_at(h, i - 1)->pitch), 0.3);
            pairs++;
        }
    }
    const double mean = n ? sum / n : 0;
    out[0] = n ? sqrt(fmax(squares / n - mean * mean, 0)) : 0;
    out[1] = pairs ? steps / pairs : 0;
    out[2] = (double)n / LONG;
}

static void fill_bands(const ems_hear *h, double level, float *out)
{
    const int from = (LONG - SHORT) / 2;
    for (int b = 0; b < BANDS; b++) {
        const size_t offset = offsetof(hop_view, band) +
                              (size_t)b * sizeof(float);
        const moments all = moments_of(h, offset, 0, LONG);
        const moments near = moments_of(h, offset, from, from + SHORT);
        double steps = 0;
        for (int i = 1; i < LONG; i++)
            steps += fabs((double)hop_at(h, i)->band[b] -
                          (double)hop_at(h, i - 1)->band[b]);
        out[b] = (float)(near.mean - level);
        out[BANDS + b] = (float)all.deviation;
        out[2 * BANDS + b] = (float)(steps / (LONG - 1));
    }
}

static void make_inputs(const ems_hear *h, float x[EMS_HEAR_INPUTS])
{
#define OF(field, from, to) moments_of(h, offsetof(hop_view, field), from, to)
    const int from = (LONG - SHORT) / 2, to = from + SHORT;
    const moments level = OF(level, 0, LONG), now = OF(level, from, to);
    const moments flat = OF(flatness, 0, LONG), centre = OF(centroid, 0, LONG);
    const moments voiced = OF(voiced, 0, LONG), steady = OF(steady, 0, LONG);
    double moves[3];
    pitch_moves(h, moves);
    fill_bands(h, now.mean, x);
    const double rest[16] = {
        now.mean, level.mean - now.mean, level.deviation, now.deviation,
        modulation(h, &level), low_share(h, level.mean),
        flat.mean, flat.deviation, centre.deviation,
        voiced.mean, voiced.deviation, OF(voiced, from, to).mean,
        moves[0], moves[1], steady.mean, OF(steady, from, to).mean,
    };
#undef OF
    for (int i = 0; i < 16; i++)
        x[3 * BANDS + i] = (float)rest[i];
}

static double logistic(double x)
{
    return x >= 0 ? 1 / (1 + ems_exact_exp(-x))
                  : 1 - 1 / (1 + ems_exact_exp(x));
}

/* One hidden layer of rectified sums; two logistic outputs. */
static void judge(const float x[EMS_HEAR_INPUTS], double out[2])
{
    double z[EMS_HEAR_INPUTS];
    for (int i = 0; i < EMS_HEAR_INPUTS; i++)
        z[i] = fmin(fmax(((double)x[i] - (double)HEAR_MEAN[i]) /
                         (double)HEAR_SCALE[i], -4), 4);
    out[0] = (double)HEAR_OUT_BIAS[0];
    out[1] = (double)HEAR_OUT_BIAS[1];
    for (int k = 0; k < HEAR_HIDDEN; k++) {
        double sum = (double)HEAR_BIAS[k];
        for (int i = 0; i < EMS_HEAR_INPUTS; i++)
            sum += (double)HEAR_WEIGHT[k * EMS_HEAR_INPUTS + i] * z[i];
        if (sum > 0)
            for (int o = 0; o < 2; o++)
                out[o] += (double)HEAR_OUT[o * HEAR_HIDDEN + k] * sum;
    }
    out[0] = logistic(out[0]);
    out[1] = logistic(out[1]);
}

static int add_verdict(ems_hear *h, ems_error *err)
{
    float x[EMS_HEAR_INPUTS];
    double p[2];
    if (ems_reserve((void **)&h->verdicts, &h->capacity, h->count + 1,
                    sizeof *h->verdicts) < 0)
        return ems_out_of_memory(err);
    make_inputs(h, x);
    judge(x, p);
    /* What nobody can hear is neither. */
    const int still = x[3 * BANDS] < -13.0f; /* about -60 dB */
    h->verdicts[h->count].speech = still ? 0 : (uint8_t)(p[0] * 255 + 0.5);
    h->verdicts[h->count++].music = still ? 0 : (uint8_t)(p[1] * 255 + 0.5);
    if (h->sink)
        h->sink(h->user, x);
    return EMS_OK;
}

static int push(ems_hear *h, const hop_view *v, ems_error *err)
{
    h->ring[h->hops++ % LONG] = *v;
    const uint64_t centred = LONG / 2 + EMS_HEAR_STEP / 2;
    if (h->hops < centred || (h->hops - centred) % EMS_HEAR_STEP)
        return EMS_OK;
    return add_verdict(h, err);
}

int ems_hear_add(ems_hear *h, const float hop[EMS_HEAR_HOP],
                 const float power[EMS_HEAR_HOP + 1], ems_error *err)
{
    hop_view v;
    view_bands(h, power, &v);
    view_pitch(h, hop, &v);
    view_peaks(h, power, &v);
    return push(h, &v, err);
}

int ems_hear_end(ems_hear *h, ems_error *err)
{
    const hop_view v = nothing();
    int code = EMS_OK;
    for (int i = 0; i < LONG / 2 && code == EMS_OK; i++)
        code = push(h, &v, err);
    return code;
}

/* ---- Spans -------------------------------------------------------------- */

/* Mean over `reach` verdicts on either side. */
static void smooth(float *out, const float *p, size_t n, size_t reach)
{
    double sum = 0;
    size_t from = 0, to = 0;
    for (size_t i = 0; i < n; i++) {
        while (to < n && to <= i + reach)
            sum += (double)p[to++];
        while (from + reach < i)
            sum -= (double)p[from++];
        out[i] = (float)(sum / (double)(to - from));
    }
}

/* Stricter than ems_speech_rule, which suits a voice activity network: what
 * this network takes for speech in music and effects is short and unsure. */
static const ems_span_rule SPEECH_RULE = {0.7, 0.4, 0.5, 0.35, 0.05};

int ems_hear_spans(const ems_hear *h, double duration, ems_stretch **speech,
                   size_t *speeches, ems_stretch **music, size_t *musics,
                   ems_error *err)
{
    enum { SPEECH_REACH = 2, MUSIC_REACH = 10 };
    const double step =
        (double)(EMS_HEAR_STEP * EMS_HEAR_HOP) / EMS_MEDIA_RATE;
    float *p = ems_alloc(2 * h->count, sizeof *p);
    if (!p)
        return ems_out_of_memory(err);
    float *even = p + h->count;
    for (size_t i = 0; i < h->count; i++)
        p[i] = (float)h->verdicts[i].speech / 255.0f;
    smooth(even, p, h->count, SPEECH_REACH);
    int code = ems_spans_find(even, h->count, 0, step, duration,
                              &SPEECH_RULE, speech, speeches, err);
    for (size_t i = 0; i < h->count; i++)
        p[i] = (float)h->verdicts[i].music / 255.0f;
    smooth(even, p, h->count, MUSIC_REACH);
    if (code == EMS_OK)
        code = ems_spans_find(even, h->count, 0, step, duration,
                              &ems_music_rule, music, musics, err);
    ems_free(p);
    return code;
}

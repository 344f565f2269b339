#include "emotion/sound.h"

#include "base/exact.h"
#include "base/mem.h"
#include "base/spectrum.h"
#include "media/media.h"

#include <math.h>
#include <string.h>

enum {
    MOST_SLICES = 1 << 16,
    FIRST_SLICE = EMS_MEDIA_RATE / 2, /* samples */
    SHORT = 1024, HOP = 512,          /* timbre and onsets: 46 ms, 23 ms */
    LONG = 4096,                      /* pitch: 186 ms */
    BANDS = 24,
    PAST = 16, PEAK = 3,              /* hops: background, reach of a peak */
    FLUX = PAST + PEAK + 1,
};
static const double SILENT = 1e-6;    /* mean square: -60 dB */

typedef struct slice {
    float square;             /* K-weighted sum of squares */
    float samples, silent;
    float magnitude, centroid; /* sum of magnitudes; of magnitude * Hz */
    float flatness, frames;   /* sum over sounding frames; their number */
    float low, power;         /* energy below 250 Hz; all */
    float onsets;
    float chroma[12];
} slice;

struct ems_sound {
    slice *slices;
    size_t count, capacity;
    uint64_t slice_samples, at; /* samples per slice; samples so far */
    double k[4];                /* state of the two K-weighting filters */
    ems_spectrum short_fft, long_fft;
    float hop[HOP];             /* samples that wait for a whole hop */
    size_t waiting;
    float window[LONG];         /* the newest samples, oldest first */
    float power[LONG / 2 + 1];
    int band_edge[BANDS + 1];   /* bins of the short spectrum */
    double band[BANDS];         /* last logarithmic band energies */
    double flux[FLUX];          /* ring */
    uint64_t hops, last_onset;
    ems_hear *hear;
    int heard;
};

/* 60 Hz to 10 kHz in equal ratios. */
static void make_bands(ems_sound *s)
{
    const double ratio = ems_exact_exp(ems_exact_log(10000.0 / 60) / BANDS);
    double hz = 60;
    for (int b = 0; b <= BANDS; b++, hz *= ratio) {
        int bin = (int)(hz * SHORT / EMS_MEDIA_RATE + 0.5);
        if (b && bin <= s->band_edge[b - 1])
            bin = s->band_edge[b - 1] + 1;
        s->band_edge[b] = bin;
    }
}

ems_sound *ems_sound_new(ems_error *err)
{
    ems_sound *s = ems_alloc(1, sizeof *s);
    if (!s || ems_spectrum_init(&s->short_fft, SHORT) < 0 ||
        ems_spectrum_init(&s->long_fft, LONG) < 0) {
        ems_sound_free(s);
        ems_out_of_memory(err);
        return NULL;
    }
    s->hear = ems_hear_new(err);
    if (!s->hear) {
        ems_sound_free(s);
        return NULL;
    }
    s->slice_samples = FIRST_SLICE;
    make_bands(s);
    return s;
}

void ems_sound_free(ems_sound *s)
{
    if (!s)
        return;
    ems_spectrum_clear(&s->short_fft);
    ems_spectrum_clear(&s->long_fft);
    ems_hear_free(s->hear);
    ems_free(s->slices);
    ems_free(s);
}

ems_hear *ems_sound_hear(ems_sound *s)
{
    return s->hear;
}

int ems_sound_heard(const ems_sound *s)
{
    return s->heard;
}

static void join_pairs(ems_sound *s)
{
    enum { FIELDS = sizeof(slice) / sizeof(float) };
    for (size_t i = 0; i < s->count; i += 2) {
        float sum[FIELDS], more[FIELDS] = {0};
        memcpy(sum, &s->slices[i], sizeof sum);
        if (i + 1 < s->count)
            memcpy(more, &s->slices[i + 1], sizeof more);
        for (int k = 0; k < FIELDS; k++)
            sum[k] += more[k];
        memcpy(&s->slices[i / 2], sum, sizeof sum);
    }
    s->count = (s->count + 1) / 2;
    s->slice_samples *= 2;
}

/* The slice that sample `at` belongs to; NULL when out of memory. */
static slice *slice_of(ems_sound *s, uint64_t at)
{
    while (at / s->slice_samples >= MOST_SLICES)
        join_pairs(s);
    const size_t index = (size_t)(at / s->slice_samples);
    if (ems_reserve((void **)&s->slices, &s->capacity, index + 1,
                    sizeof *s->slices) < 0)
        return NULL;
    while (s->count <= index)
        s->slices[s->count++] = (slice){0};
    return &s->slices[index];
}

/* ITU-R BS.1770 K-weighting, its two filters derived anew for 22,050 Hz. */
static double k_weighted(ems_sound *s, double x)
{
    double *z = s->k;
    const double y = 1.4798253509777464 * x + z[0];
    z[0] = -2.1707286128568293 * x + 1.3383053360661337 * y + z[1];
    z[1] = 0.8608424847265516 * x - 0.5082445589136019 * y;
    const double out = y + z[2];
    z[2] = -2 * y + 1.9783976025901193 * out + z[3];
    z[3] = y - 0.9785144195032509 * out;
    return out;
}

/* One hop: its energy, and whether it is silent. */
static void weigh_hop(ems_sound *s, slice *out, const float *hop)
{
    double square = 0;
    for (int i = 0; i < HOP; i++) {
        const double y = k_weighted(s, (double)hop[i]);
        square += y * y;
    }
    out->square += (float)square;
    out->samples += HOP;
    if (square / HOP < SILENT)
        out->silent += HOP;
    else
        s->heard = 1;
}

static void add_timbre(ems_sound *s, slice *out)
{
    const float *power = s->power;
    double magnitudes = 0, weighted = 0, total = 0, low = 0, logs = 0;
    for (int i = 1; i <= SHORT / 2; i++) {
        const double p = (double)power[i], m = sqrt(p);
        const double hz = i * (double)EMS_MEDIA_RATE / SHORT;
        magnitudes += m;
        weighted += m * hz;
        total += p;
        if (hz < 250)
            low += p;
    }
    if (total < SILENT)
        return;
    /* Flatness over groups of eight bins: one logarithm each. */
    for (int i = 1; i < SHORT / 2; i += 8) {
        double sum = 0;
        for (int k = i; k < i + 8; k++)
            sum += (double)power[k];
        logs += ems_exact_log(sum + 1e-12);
    }
    const double groups = SHORT / 16;
    out->magnitude += (float)magnitudes;
    out->centroid += (float)weighted;
    out->power += (float)total;
    out->low += (float)low;
    out->flatness += (float)fmin(
        ems_exact_exp(logs / groups) * groups / total, 1);
    out->frames += 1;
}

/* Half-wave rectified rise of the logarithmic band energies. */
static double spectral_flux(ems_sound *s)
{
    double flux = 0;
    for (int b = 0; b < BANDS; b++) {
        double energy = 0;
        for (int i = s->band_edge[b]; i < s->band_edge[b + 1]; i++)
            energy += (double)s->power[i];
        const double level = ems_exact_log(1e-7 + energy);
        if (s->hops > 0)
            flux += fmax(level - s->band[b], 0);
        s->band[b] = level;
    }
    return flux / BANDS;
}

/* The hop PEAK back is an onset when it is the largest for PEAK hops on
 * either side and well above the background before it. */
static int is_onset(const ems_sound *s)
{
    const uint64_t at = s->hops - PEAK;
    const double value = s->flux[at % FLUX];
    if (s->hops < FLUX || value < 0.25)
        return 0;
    double background = 0;
    for (uint64_t i = at - PAST; i < at; i++)
        background += s->flux[i % FLUX];
    for (uint64_t i = at - PEAK; i <= at + PEAK; i++)
        if (s->flux[i % FLUX] > value)
            return 0;
    return value > 1.5 * background / PAST + 0.15 &&
           at > s->last_onset + PEAK;
}

/* Sum the spectrum's peaks between 60 and 2000 Hz into pitch classes. */
static void add_chroma(ems_sound *s, slice *out)
{
    const float *power = s->power;
    const int from = 60 * LONG / EMS_MEDIA_RATE;
    const int to = 2000 * LONG / EMS_MEDIA_RATE;
    double chroma[12] = {0}, sum = 0;
    for (int i = from; i < to; i++) {
        if (!(power[i] > power[i - 1] && power[i] >= power[i + 1]) ||
            (double)power[i] < SILENT / 100)
            continue;
        const double a = sqrt((double)power[i - 1]);
        const double b = sqrt((double)power[i]);
        const double c = sqrt((double)power[i + 1]);
        const double bin = i + 0.5 * (a - c) / (a - 2 * b + c);
        const double hz = bin * EMS_MEDIA_RATE / LONG;
        const double pitch =
            69 + 12 * ems_exact_log(hz / 440) / 0.69314718055994531;
        chroma[((int)(pitch + 0.5)) % 12] += b;
        sum += b;
    }
    if (sum <= 0)
        return;
    for (int i = 0; i < 12; i++)
        out->chroma[i] += (float)(chroma[i] / sum);
}

static int add_hop(ems_sound *s, const float *hop, ems_error *err)
{
    memmove(s->window, s->window + HOP, (LONG - HOP) * sizeof *s->window);
    memcpy(s->window + LONG - HOP, hop, HOP * sizeof *hop);
    slice *out = slice_of(s, s->at);
    if (!out)
        return ems_out_of_memory(err);
    weigh_hop(s, out, hop);
    ems_spectrum_run(&s->short_fft, s->power, s->window + LONG - SHORT);
    add_timbre(s, out);
    if (ems_hear_add(s->hear, hop, s->power, err) < 0)
        return err->code;
    s->flux[s->hops % FLUX] = spectral_flux(s);
    if (is_onset(s)) {
        s->last_onset = s->hops - PEAK;
        out->onsets += 1;
    }
    s->at += HOP;
    s->hops++;
    if (s->hops % (LONG / HOP) == 0) {
        ems_spectrum_run(&s->long_fft, s->power, s->window);
        add_chroma(s, out);
    }
    return EMS_OK;
}

int ems_sound_add(ems_sound *s, const float *samples, size_t count,
                  ems_error *err)
{
    for (size_t i = 0; i < count; i++) {
        /* Float streams may hold anything; one NaN would stay in a filter. */
        const float x = samples[i];
        s->hop[s->waiting++] = x > -8 && x < 8 ? x : 0;
        if (s->waiting < HOP)
            continue;
        s->waiting = 0;
        const int code = add_hop(s, s->hop, err);
        if (code < 0)
            return code;
    }
    return EMS_OK;
}

int ems_sound_end(ems_sound *s, ems_error *err)
{
    return s->at ? ems_hear_end(s->hear, err) : EMS_OK;
}

/* Both channels carry the mono sum. */
static double lufs_of(double square, double samples)
{
    const double decibel = 10 / 2.3025850929940457;
    return samples > 0 ? fmax(-0.691 + decibel *
                              ems_exact_log(2 * square / samples + 1e-12),
                              -70) : -70;
}

/* ITU-R BS.1770's two gates, over slices instead of its blocks of 400 ms. */
static double gated(const ems_sound *s, const float *lufs)
{
    double floor = -70, result = -70;
    for (int gate = 0; gate < 2; gate++) {
        double square = 0, samples = 0;
        for (size_t i = 0; i < s->count; i++)
            if ((double)lufs[i] > floor) {
                square += (double)s->slices[i].square;
                samples += (double)s->slices[i].samples;
            }
        result = lufs_of(square, samples);
        floor = fmax(result - 10, -70);
    }
    return result;
}

long ems_sound_loudness(const ems_sound *s, float **lufs, double *step,
                        double *integrated, ems_error *err)
{
    *lufs = NULL;
    if (s->count == 0)
        return 0;
    float *level = ems_alloc(s->count, sizeof *level);
    if (!level)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < s->count; i++)
        level[i] = (float)lufs_of((double)s->slices[i].square,
                                  (double)s->slices[i].samples);
    *step = (double)s->slice_samples / EMS_MEDIA_RATE;
    *integrated = gated(s, level);
    *lufs = level;
    return (long)s->count;
}

/* Slices that begin in [from, to), at least one if there are any. */
static void range_of(const ems_sound *s, double from, double to,
                     size_t *first, size_t *end)
{
    const double seconds = (double)s->slice_samples / EMS_MEDIA_RATE;
    const double a = from > 0 ? floor(from / seconds + 0.5) : 0;
    const double b = to > 0 ? floor(to / seconds + 0.5) : 0;
    const double n = (double)s->count;
    *first = (size_t)fmin(a, n);
    *end = (size_t)fmin(b, n);
    if (*end == *first && *first < s->count)
        ++*end;
    else if (*end == *first && s->count)
        --*first;
}

void ems_sound_measure(const ems_sound *s, double from, double to,
                       ems_features *out)
{
    size_t first, end;
    range_of(s, from, to, &first, &end);
    double square = 0, samples = 0, silent = 0, magnitude = 0, centroid = 0;
    double flatness = 0, frames = 0, low = 0, power = 0, onsets = 0;
    for (size_t i = first; i < end; i++) {
        const slice *p = &s->slices[i];
        square += (double)p->square;
        samples += (double)p->samples;
        silent += (double)p->silent;
        magnitude += (double)p->magnitude;
        centroid += (double)p->centroid;
        flatness += (double)p->flatness;
        frames += (double)p->frames;
        low += (double)p->low;
        power += (double)p->power;
        onsets += (double)p->onsets;
    }
    if (samples <= 0)
        return;
    const double db = 10 / 2.3025850929940457;
    out->loudness = db * ems_exact_log(square / samples + 1e-8);
    out->silence = silent / samples;
    out->onsets = onsets * EMS_MEDIA_RATE / samples;
    if (frames <= 0 || magnitude <= 0 || power <= 0)
        return;
    out->centroid = centroid / magnitude;
    out->flatness = flatness / frames;
    out->low = low / power;
}

static const double MAJOR[12] = {6.35, 2.23, 3.48, 2.33, 4.38, 4.09,
                                 2.52, 5.19, 2.39, 3.66, 2.29, 2.88};
static const double MINOR[12] = {6.33, 2.68, 3.52, 5.38, 2.60, 3.53,
                                 2.54, 4.75, 3.98, 2.69, 3.34, 3.17};

static double correlation(const double chroma[12], const double profile[12],
                          int tonic)
{
    double mx = 0, my = 0, xy = 0, xx = 0, yy = 0;
    for (int i = 0; i < 12; i++) {
        mx += chroma[i] / 12;
        my += profile[i] / 12;
    }
    for (int i = 0; i < 12; i++) {
        const double x = chroma[(i + tonic) % 12] - mx, y = profile[i] - my;
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    return xx > 0 ? xy / sqrt(xx * yy) : 0;
}

void ems_key_fit(const double chroma[12], double *major, double *minor)
{
    *major = *minor = -1;
    for (int tonic = 0; tonic < 12; tonic++) {
        *major = fmax(*major, correlation(chroma, MAJOR, tonic));
        *minor = fmax(*minor, correlation(chroma, MINOR, tonic));
    }
}

void ems_sound_measure_mode(const ems_sound *s, double from, double to,
                            ems_features *out)
{
    size_t first, end;
    range_of(s, from, to, &first, &end);
    double chroma[12] = {0}, sum = 0, major, minor;
    for (size_t i = first; i < end; i++)
        for (int c = 0; c < 12; c++) {
            chroma[c] += (double)s->slices[i].chroma[c];
            sum += (double)s->slices[i].chroma[c];
        }
    if (sum <= 0)
        return;
    ems_key_fit(chroma, &major, &minor);
    out->mode = major - minor;
    out->clarity = fmax(major, minor);
}

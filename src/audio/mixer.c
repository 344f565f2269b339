#include "audio/mixer.h"

#include "audio/audio.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SECTIONS = 3, STEP = 32 };

#define HIGH_PASS 25.0 /* Hz */
#define LOW_SHELF 200.0
#define HIGH_SHELF 5000.0

static const struct {
    const char *name;
    ems_strip strip;
    double target; /* LUFS of the probe */
} house[EMS_FAMILIES] = {
    [EMS_BASS] = {"bass", {0, 0, 0, 0, 0.05}, -27.0},
    [EMS_DRUMS] = {"drums", {0, 0, 0, 0, 0.12}, -29.2},
    [EMS_GUITAR] = {"guitar", {0, -0.16, -1.5, 0, 0.20}, -31.3},
    [EMS_PIANO] = {"piano", {0, 0.16, 0, 0, 0.20}, -30.3},
    [EMS_STRINGS] = {"strings", {0, 0, -2, 0, 0.30}, -32.1},
};

const char *ems_mixer_name(ems_family family)
{
    return house[family].name;
}

double ems_mixer_target(ems_family family)
{
    return house[family].target;
}

/* ---- Settings from text ------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
    double min, max;
} knob[] = {
    {"level", offsetof(ems_strip, level), -60, 24},
    {"pan", offsetof(ems_strip, pan), -1, 1},
    {"low", offsetof(ems_strip, low), -24, 12},
    {"high", offsetof(ems_strip, high), -24, 12},
    {"room", offsetof(ems_strip, room), 0, 2},
};

static int find_family(const char *word, size_t n)
{
    for (int f = 0; f < EMS_FAMILIES; f++)
        if (strlen(house[f].name) == n && memcmp(house[f].name, word, n) == 0)
            return f;
    return -1;
}

/* Decimals whatever the locale: digits, one point, a sign. */
static int read_number(const char *word, size_t n, double *out)
{
    double value = 0, unit = 1;
    size_t i = n && (word[0] == '-' || word[0] == '+'), digits = 0;
    int point = 0;
    for (; i < n; i++) {
        if (word[i] == '.' && !point) {
            point = 1;
            continue;
        }
        if (!isdigit((unsigned char)word[i]) || ++digits > 9)
            return -1;
        value = value * 10 + (word[i] - '0');
        unit *= point ? 10 : 1;
    }
    *out = (word[0] == '-' ? -value : value) / unit;
    return digits ? 0 : -1;
}

static int turn_knob(ems_strip *s, const char *word, size_t n, ems_error *err)
{
    const char *is = memchr(word, '=', n);
    const size_t name = is ? (size_t)(is - word) : n;
    for (size_t k = 0; k < sizeof knob / sizeof *knob; k++) {
        if (strlen(knob[k].name) != name || memcmp(knob[k].name, word, name))
            continue;
        double value;
        if (!is || read_number(is + 1, n - name - 1, &value) < 0 ||
            value < knob[k].min || value > knob[k].max)
            return ems_fail(err, EMS_EINVAL, "mixer: \"%.*s\" should be %s="
                            "NUMBER, from %g to %g", (int)n, word,
                            knob[k].name, knob[k].min, knob[k].max);
        memcpy((char *)s + knob[k].at, &value, sizeof value);
        return EMS_OK;
    }
    return ems_fail(err, EMS_EINVAL, "mixer: \"%.*s\" is not level=, pan=, "
                    "low=, high= or room=", (int)n, word);
}

int ems_mixer_parse(ems_strip strip[EMS_FAMILIES], const char *text,
                    ems_error *err)
{
    for (int f = 0; f < EMS_FAMILIES; f++)
        strip[f] = house[f].strip;
    int family = -1;
    for (const char *at = text ? text : ""; *at;) {
        at += strspn(at, " \t");
        const size_t n = strcspn(at, " \t,;");
        if (n > 0 && family < 0) {
            family = find_family(at, n);
            if (family < 0)
                return ems_fail(err, EMS_EINVAL, "mixer: \"%.*s\" is not bass,"
                                " drums, guitar, piano or strings", (int)n,
                                at);
        } else if (n > 0 && turn_knob(&strip[family], at, n, err) < 0) {
            return EMS_EINVAL;
        }
        at += n;
        if (*at == ',' || *at == ';') {
            family = -1;
            at++;
        }
    }
    return EMS_OK;
}

/* ---- The channel -------------------------------------------------------- */

/* R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter
 * coefficients"; Q or slope such that there is no resonance. */
static void set_section(ems_channel *c, int i, const double b[3],
                        const double a[3])
{
    for (int k = 0; k < 3; k++)
        c->b[i][k] = b[k] / a[0];
    c->a[i][0] = a[1] / a[0];
    c->a[i][1] = a[2] / a[0];
}

static void set_high_pass(ems_channel *c, int i)
{
    const double w = 2 * M_PI * HIGH_PASS / EMS_RATE;
    const double alpha = sin(w) * M_SQRT1_2, cosine = cos(w);
    const double b[3] = {(1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2};
    const double a[3] = {1 + alpha, -2 * cosine, 1 - alpha};
    set_section(c, i, b, a);
}

/* sign: 1 for a low shelf, -1 for a high one. */
static void set_shelf(ems_channel *c, int i, double hz, double db, double sign)
{
    const double g = pow(10, db / 40), w = 2 * M_PI * hz / EMS_RATE;
    const double cosine = sign * cos(w);
    const double beta = 2 * sqrt(g) * sin(w) * M_SQRT1_2;
    const double up = g + 1, down = g - 1;
    const double b[3] = {g * (up - down * cosine + beta),
                         sign * 2 * g * (down - up * cosine),
                         g * (up - down * cosine - beta)};
    const double a[3] = {up + down * cosine + beta,
                         sign * -2 * (down + up * cosine),
                         up + down * cosine - beta};
    set_section(c, i, b, a);
}

void ems_channel_begin(ems_channel *c, const ems_strip *strip, double gain)
{
    *c = (ems_channel){.gain = gain * pow(10, strip->level / 20)};
    set_high_pass(c, 0);
    set_shelf(c, 1, LOW_SHELF, strip->low, 1);
    set_shelf(c, 2, HIGH_SHELF, strip->high, -1);
}

/* What rings on below anything audible would become denormal, and slow. */
static void forget(ems_channel *c)
{
    double *state[2] = {&c->x[0][0][0], &c->y[0][0][0]};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof c->x / sizeof(double); i++)
            if (fabs(state[k][i]) < 1e-20)
                state[k][i] = 0;
}

void ems_channel_run(ems_channel *c, float *x, size_t frames)
{
    ems_channel s = *c; /* in registers */
    for (size_t i = 0; i < frames; i++) {
        double v[2] = {(double)x[2 * i] * s.gain,
                       (double)x[2 * i + 1] * s.gain};
        for (int k = 0; k < SECTIONS; k++)
            for (int side = 0; side < 2; side++) {
                const double in = v[side];
                v[side] = s.b[k][0] * in + s.b[k][1] * s.x[k][0][side] +
                          s.b[k][2] * s.x[k][1][side] -
                          s.a[k][1] * s.y[k][1][side] -
                          s.a[k][0] * s.y[k][0][side];
                s.x[k][1][side] = s.x[k][0][side];
                s.x[k][0][side] = in;
                s.y[k][1][side] = s.y[k][0][side];
                s.y[k][0][side] = v[side];
            }
        x[2 * i] = (float)v[0];
        x[2 * i + 1] = (float)v[1];
    }
    *c = s;
    forget(c);
}

/* ---- The compressor of the bus ------------------------------------------ */

#define THRESHOLD (-20.0) /* dBFS of the mean square */
#define KNEE 12.0         /* dB */
#define RATIO 2.0
#define ATTACK 0.015      /* seconds */
#define RELEASE 0.180

void ems_compressor_begin(ems_compressor *c)
{
    *c = (ems_compressor){.gain = 1};
}

/* dB to take away at a level (Giannoulis, Massberg, Reiss 2012, eq. 4). */
static double reduction(double level)
{
    const double over = level - THRESHOLD, slope = 1 - 1 / RATIO;
    if (over <= -KNEE / 2)
        return 0;
    if (over >= KNEE / 2)
        return slope * over;
    return slope * (over + KNEE / 2) * (over + KNEE / 2) / (2 * KNEE);
}

static double mean_square(const float *x, size_t frames)
{
    double sum[4] = {0};
    for (size_t i = 0; i < frames * EMS_CHANNELS; i++)
        sum[i & 3] += (double)x[i] * (double)x[i];
    return (sum[0] + sum[1] + (sum[2] + sum[3])) /
           (double)(frames * EMS_CHANNELS);
}

/* Smoothing of the power over a step, by rising or falling level. */
static double glide(double seconds, size_t frames)
{
    return 1 - exp(-(double)frames / (seconds * EMS_RATE));
}

static void compress_step(ems_compressor *c, float *x, size_t n)
{
    const double power = mean_square(x, n);
    c->power += (power - c->power) *
                glide(power > c->power ? ATTACK : RELEASE, n);
    const double down = c->power > 1e-9 ? reduction(10 * log10(c->power)) : 0;
    const double gain = down > 0 ? pow(10, -down / 20) : 1;
    const double rise = (gain - c->gain) / (double)n;
    for (size_t i = 0; i < n; i++) {
        const float g = (float)(c->gain + rise * (double)(i + 1));
        x[2 * i] *= g;
        x[2 * i + 1] *= g;
    }
    c->gain = gain;
    c->most = down > c->most ? down : c->most;
}

void ems_compressor_run(ems_compressor *c, float *x, size_t frames)
{
    for (size_t at = 0; at < frames; at += STEP)
        compress_step(c, x + at * EMS_CHANNELS,
                      frames - at < STEP ? frames - at : STEP);
}

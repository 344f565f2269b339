/* demo_film - draw the film of `make demo`: 26 seconds, four moods, hard cuts
 * at 6, 8, 9.5, 11, 14 and 17 s and a fade to black at the end. Public domain
 * (CC0): it is made of nothing but the formulas below.
 *
 *     demo_film video > film.rgb   640x360 RGB24, 24 frames per second
 *     demo_film sound > film.pcm   mono signed 16-bit, 48 kHz */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { W = 640, H = 360, FPS = 24, RATE = 48000 };
static const double SECONDS = 26, FADE_AT = 24.5;

typedef struct rgb {
    double r, g, b; /* 0..1 */
} rgb;

static uint32_t hash(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

static double chance(uint32_t x) /* 0..1, the same for the same x */
{
    return hash(x) / 4294967296.0;
}

static double clamp(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static double smooth(double low, double high, double x)
{
    const double t = clamp((x - low) / (high - low));
    return t * t * (3 - 2 * t);
}

static rgb mix(rgb a, rgb b, double t)
{
    return (rgb){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t,
                 a.b + (b.b - a.b) * t};
}

/* x in -1.78..1.78, y in -1 (top) .. 1, t in seconds from the scene's start */
static rgb sunrise(double x, double y, double t)
{
    const double sun_y = 0.35 - 0.09 * t;
    const double d = hypot(x - 0.3, y - sun_y);
    rgb c = mix((rgb){0.35, 0.62, 0.95}, (rgb){1.0, 0.78, 0.45},
                smooth(-1, 0.6, y));
    c = mix(c, (rgb){1, 0.97, 0.75}, exp(-3.5 * d));
    c = mix(c, (rgb){1, 1, 0.9}, smooth(0.17, 0.15, d));
    for (int i = 0; i < 5; i++) { /* birds: little arcs that drift */
        const double bx = x + 1.6 - 0.22 * t - 0.31 * i;
        const double by = y + 0.5 - 0.07 * i + 0.02 * sin(3 * t + i);
        const double wing = fabs(bx) * (0.5 + 0.4 * sin(9 * t + i));
        if (fabs(bx) < 0.05 && fabs(by + wing) < 0.008)
            c = (rgb){0.2, 0.18, 0.25};
    }
    for (int i = 0; i < 3; i++) { /* hills, near ones darker */
        const double hill = 0.3 + 0.22 * i +
                            0.12 * sin(1.7 * x + 2 * i + 0.03 * t * (i + 1)) +
                            0.05 * sin(4.1 * x + i);
        if (y > hill)
            c = mix((rgb){0.55, 0.7, 0.35}, (rgb){0.2, 0.42, 0.2}, i / 2.0);
    }
    return c;
}

static rgb forest(double x, double y, double t, int frame)
{
    rgb c = mix((rgb){0.17, 0.20, 0.26}, (rgb){0.08, 0.09, 0.11},
                smooth(-1, 1, y));
    for (int i = 0; i < 4; i++) { /* trunks rush past, near ones faster */
        const double at = (x + t * (1.2 + 1.1 * i)) * (3.4 - 0.6 * i);
        const double trunk = chance((uint32_t)((int)floor(at) * 7 + i));
        if (at - floor(at) < 0.18 + 0.25 * trunk && y > -0.9 + 0.3 * trunk)
            c = mix(c, (rgb){0.03, 0.03, 0.04}, 0.8);
    }
    const int column = (int)floor((x + 0.25 * y) * 90);
    if (chance((uint32_t)(column * 131 + frame * 977 +
                          (int)floor(y * 6) * 31)) > 0.96)
        c = mix(c, (rgb){0.5, 0.55, 0.65}, 0.5); /* rain */
    return c;
}

static rgb lightning(double x, double y, double t, int frame)
{
    rgb c = forest(0.4 * x, y, 0.1 * t, frame);
    const double flash = exp(-7 * fabs(t - 0.35)) + exp(-6 * fabs(t - 1.0));
    double bolt = 0.3 * sin(5 * y + 3) + 0.12 * sin(17 * y);
    if (t > 0.7)
        bolt += 0.9;
    if (y > 0.45 + 0.35 * fabs(x + 0.2))
        c = (rgb){0.02, 0.02, 0.03}; /* the mountain stays dark */
    else
        c = mix(c, (rgb){0.55, 0.55, 0.8}, 0.6 * flash);
    return mix(c, (rgb){1, 1, 1},
               clamp(flash) * smooth(0.03, 0.0, fabs(x - bolt)) * (y < 0.4));
}

static rgb tunnel(double x, double y, double t)
{
    const double r = hypot(x, y) + 0.05;
    const double a = atan2(y, x);
    const double pulse = 0.5 + 0.5 * sin(14 * t);
    const double rings = sin(4 / r + 12 * t) * sin(5 * a + 2 * sin(3 * t));
    return mix((rgb){0.03, 0, 0.02}, (rgb){0.75, 0.05, 0.04},
               smooth(0.1, 0.9, rings) * (0.4 + 0.6 * pulse) *
                   smooth(0, 0.5, r));
}

static rgb confetti(double x, double y, double t, int second)
{
    rgb c = second ? mix((rgb){1, 0.85, 0.35}, (rgb){1, 0.55, 0.7},
                         smooth(-1, 1, y))
                   : mix((rgb){0.55, 0.9, 1}, (rgb){0.95, 1, 0.75},
                         smooth(-1, 1, y));
    for (int i = 0; i < 60; i++) {
        const uint32_t k = (uint32_t)(i + 100 * second);
        const double fall = 0.5 + chance(k) * 0.9;
        const double px = -1.8 + 3.6 * chance(k + 1000) + 0.2 * sin(4 * t + i);
        const double py =
            fmod(chance(k + 2000) * 2.4 + fall * t, 2.4) - 1.2;
        const double turn = fabs(sin(6 * t + i));
        if (fabs(x - px) < 0.045 && fabs(y - py) < 0.03 * turn + 0.006)
            c = (rgb){chance(k + 3) > 0.4, 0.3 + 0.7 * chance(k + 4),
                      chance(k + 5)};
    }
    for (int i = 0; i < 4; i++) { /* balloons bounce */
        const double px = -1.3 + 0.85 * i;
        const double py = 0.55 - 0.7 * fabs(sin(3.2 * t + 0.9 * i));
        const double d = hypot(x - px, (y - py) * 0.85);
        if (d < 0.24)
            c = mix((rgb){1, 1, 1},
                    (rgb){i % 2 ? 0.95 : 0.2, i > 1 ? 0.25 : 0.75, 0.35 + 0.2 * i},
                    smooth(0.02, 0.12, hypot(x - px + 0.08, y - py + 0.1)));
    }
    return c;
}

static rgb night_sea(double x, double y, double t)
{
    rgb c = mix((rgb){0.02, 0.03, 0.10}, (rgb){0.08, 0.13, 0.24},
                smooth(-1, 0.1, y));
    const double d = hypot(x + 0.6, y + 0.45);
    c = mix(c, (rgb){0.75, 0.78, 0.85}, smooth(0.14, 0.12, d));
    c = mix(c, (rgb){0.3, 0.35, 0.5}, 0.5 * exp(-4 * d));
    if (y > 0.1) {
        const double depth = 1 / (y - 0.05);
        const double wave = sin(9 * depth + 0.5 * t + 2 * sin(2 * x + 0.2 * t));
        c = mix((rgb){0.01, 0.03, 0.08}, (rgb){0.05, 0.10, 0.18},
                0.5 + 0.5 * wave);
        const double glint = smooth(0.35, 0, fabs(x + 0.6) - 0.1 * (y - 0.1));
        c = mix(c, (rgb){0.55, 0.6, 0.7}, 0.5 * glint * (wave > 0.6));
    }
    return c;
}

static rgb colour(double x, double y, double t, int frame)
{
    if (t < 6)
        return sunrise(x, y, t);
    if (t < 8)
        return forest(x, y, t - 6, frame);
    if (t < 9.5)
        return lightning(x, y, t - 8, frame);
    if (t < 11)
        return tunnel(x, y, t - 9.5);
    if (t < 14)
        return confetti(x, y, t - 11, 0);
    if (t < 17)
        return confetti(x, y, t - 14, 1);
    return mix(night_sea(x, y, t - 17), (rgb){0, 0, 0},
               clamp((t - FADE_AT) / (SECONDS - FADE_AT - 0.2)));
}

static void draw_video(void)
{
    static uint8_t row[3 * W];
    for (int frame = 0; frame < (int)(SECONDS * FPS); frame++)
        for (int j = 0; j < H; j++) {
            for (int i = 0; i < W; i++) {
                const rgb c = colour((2 * i - W) / (double)H,
                                     (2 * j - H) / (double)H,
                                     frame / (double)FPS, frame);
                row[3 * i] = (uint8_t)(255 * clamp(c.r) + 0.5);
                row[3 * i + 1] = (uint8_t)(255 * clamp(c.g) + 0.5);
                row[3 * i + 2] = (uint8_t)(255 * clamp(c.b) + 0.5);
            }
            fwrite(row, 1, sizeof row, stdout);
        }
}

static double tone(double hz, double t)
{
    return sin(2 * 3.14159265358979 * hz * t);
}

/* What the scenes sound like, without any music: birds and a breeze, storm
 * and heartbeat, bells and clapping, slow waves. `low` is filtered noise. */
static double sound_at(double t, double noise, double low)
{
    if (t < 6) {
        const double song = fmod(t, 1.3);
        const double chirp = song < 0.25 ? sin(25 * song) : 0;
        return 0.12 * low +
               0.10 * chirp * tone(2600 + 900 * sin(40 * song), song);
    }
    if (t < 11) {
        const double thunder =
            0.9 * exp(-3 * fabs(t - 8.45)) + exp(-3 * fabs(t - 9.1));
        const double beat = fmod(t, 0.45);
        return (0.35 + thunder) * low + 0.08 * noise +
               0.5 * exp(-18 * beat) * tone(55, beat);
    }
    if (t < 17) {
        const double beat = fmod(t, 0.5);
        const double clap = 0.3 * exp(-40 * beat) * noise;
        const double pitch = (int)(2 * t) % 3 == 0 ? 1046.5 : 1318.5;
        return clap + 0.12 * exp(-6 * beat) * tone(pitch, beat);
    }
    const double wave = 0.5 + 0.5 * tone(0.18, t - 17);
    const double out = 1 - clamp((t - FADE_AT) / (SECONDS - FADE_AT));
    return out * (0.08 + 0.25 * wave * wave) * low;
}

static void draw_sound(void)
{
    double low = 0;
    for (int i = 0; i < (int)(SECONDS * RATE); i++) {
        const double noise = 2 * chance((uint32_t)i) - 1;
        low += 0.03 * (noise - low);
        const double s = 0.8 * sound_at(i / (double)RATE, noise, 4 * low);
        const double bounded = s < -1 ? -1 : s > 1 ? 1 : s;
        const int16_t sample = (int16_t)lrint(32767 * bounded);
        fwrite(&sample, sizeof sample, 1, stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "video") == 0)
        draw_video();
    else if (argc == 2 && strcmp(argv[1], "sound") == 0)
        draw_sound();
    else
        return fputs("usage: demo_film video|sound > FILE\n", stderr), 2;
    return fflush(stdout) != 0 || ferror(stdout);
}

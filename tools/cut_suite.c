/* cut_suite - draw a film whose cuts are known: 256x144, 8-bit grey, 24 frames
 * a second, on stdout; the truth as CSV. tools/cut-suite makes a whole set.
 *
 *     cut_suite SEED TRUTH.csv GRAIN HALF [PICTURES.grey [FILMED.grey]] > film
 *
 * PICTURES: 320x256 back to back; FILMED: 256x144, any films back to back, from
 * which stretches of a second without sudden changes are taken. Of both, every
 * other one, from HALF (0 or 1) on. Without pictures they are made of formulas.
 *
 * Truth: kind,first,end in frames. cut: the new shot's first frame, twice;
 * dissolve: first mixed frame, first pure one; fade_out: first paler frame,
 * first empty one; fade_in: first frame that is not empty, first full one.
 * flash, pan and shake are no transitions; they tell what fooled a detector. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    W = 256, H = 144, FPS = 24, PW = 320, PH = 256, CLIP = 24,
    CUTS = 32, DISSOLVES = 10, FADES = 10, FLASHES = 6, PANS = 6, SHAKES = 3,
    SHOTS = CUTS + DISSOLVES + FADES + 1, MOST_LENGTH = 240, MOST_CLIPS = 400,
};

typedef struct shot {
    int picture, front, clip; /* front < 0: none; clip >= 0: filmed */
    double x0, y0, w0, x1, y1, w1; /* crop at the start and the end */
    double fx, fy, fr, fspeed;     /* the thing in front: place, size */
    double drift;                  /* of the light over the shot */
    int length;                    /* frames, transitions included */
    int flash, flash_hold, flash_fall, pan, pan_length, shaken;
    double flash_peak, pan_x, pan_y;
    double jx, jy;                 /* camera shake now */
} shot;

typedef enum kind { CUT, DISSOLVE, FADE } kind;

typedef struct transition {
    kind kind;
    int length;         /* dissolve, or fade in; 0: at once */
    int out, hold;      /* fade out; empty frames */
    int white;
} transition;

static uint8_t *pictures, *filmed, *clip_at[MOST_CLIPS];
static size_t picture_count, clip_count, half;
static uint64_t state;

static double chance(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 33) / 2147483648.0;
}

/* Roughly normal, of deviation 1. */
static float normal(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)((int)(state >> 44 & 0xfffff) + (int)(state >> 24 & 0xfffff) -
                   0x100000) * (1 / 428000.0f);
}

static double between(double low, double high)
{
    return low + (high - low) * chance();
}

static int among(int low, int high) /* both included */
{
    return low + (int)(chance() * (high - low + 1));
}

/* ---- Pictures ----------------------------------------------------------- */

static uint8_t *read_all(const char *path, size_t unit, size_t *count)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        return NULL;
    const long size = ftell(f);
    rewind(f);
    uint8_t *data = malloc((size_t)size + 1);
    *count = data ? fread(data, unit, (size_t)size / unit, f) : 0;
    fclose(f);
    return data;
}

/* Clouds and discs for machines without photographs. */
static void invent_pictures(void)
{
    picture_count = 120;
    pictures = malloc(picture_count * PW * PH);
    for (size_t k = 0; k < picture_count; k++) {
        double wave[12][4];
        for (int i = 0; i < 12; i++) {
            wave[i][0] = between(-0.09, 0.09);
            wave[i][1] = between(-0.09, 0.09);
            wave[i][2] = between(0, 6.28);
            wave[i][3] = between(-35, 35);
        }
        const double base = between(40, 210);
        for (int i = 0; i < PW * PH; i++) {
            double c = base;
            for (int n = 0; n < 12; n++) {
                double v = sin(wave[n][0] * (i % PW) + wave[n][1] * (i / PW) +
                               wave[n][2]);
                if (n % 3 == 0)
                    v = v > 0 ? 1 : -1;
                c += wave[n][3] * v;
            }
            pictures[k * PW * PH + (size_t)i] =
                (uint8_t)fmin(fmax(c, 0), 255);
        }
    }
}

static double step_of(const uint8_t *now, double *mean)
{
    long sum = 0, light = 0;
    for (int i = 0; i < W * H; i += 3) {
        sum += abs(now[i] - now[i - W * H]);
        light += now[i];
    }
    *mean = 3.0 * (double)light / (W * H);
    return 3.0 * (double)sum / (W * H);
}

/* Stretches of a second in which nothing changes at once, nor the light. */
static void choose_clips(size_t frames)
{
    size_t since = 0, turn = 0;
    double first = 0;
    for (size_t f = 1; f < frames && clip_count < MOST_CLIPS; f++) {
        double mean;
        const double step = step_of(filmed + f * W * H, &mean);
        if (step > 9 || mean < 30 || fabs(mean - first) > 10 || !since) {
            since = f;
            first = mean;
        }
        if (f - since < CLIP + 8)
            continue;
        if (turn++ % 2 == half)
            clip_at[clip_count++] = filmed + (since + 4) * W * H;
        since = 0;
    }
}

static int mirrored(int i, int n)
{
    const int period = 2 * n;
    i = ((i % period) + period) % period;
    return i < n ? i : period - 1 - i;
}

typedef struct axis { /* where a line of pixels lies in the picture */
    int near[W], far[W];
    float share[W]; /* of far */
} axis;

static void lay(axis *a, double from, double step, int n, int size)
{
    for (int i = 0; i < n; i++) {
        const double x = from + step * i;
        const int whole = (int)floor(x);
        a->near[i] = mirrored(whole, size);
        a->far[i] = mirrored(whole + 1, size);
        a->share[i] = (float)(x - whole);
    }
}

static float sample(const uint8_t *picture, const axis *x, const axis *y,
                    int i, int j)
{
    const uint8_t *top = picture + (size_t)y->near[j] * PW;
    const uint8_t *low = picture + (size_t)y->far[j] * PW;
    const int near = x->near[i], far = x->far[i];
    const float u = x->share[i], v = y->share[j];
    return ((float)top[near] * (1 - u) + (float)top[far] * u) * (1 - v) +
           ((float)low[near] * (1 - u) + (float)low[far] * u) * v;
}

/* ---- Shots -------------------------------------------------------------- */

static int some_picture(void)
{
    const int n = (int)picture_count / 2;
    return 2 * among(0, n - 1) + (int)half;
}

static shot random_shot(const shot *before)
{
    shot s = {.front = -1, .clip = -1};
    s.picture = some_picture();
    if (before && before->clip < 0 && chance() < 0.06)
        s.picture = before->picture; /* the same place from elsewhere */
    if (clip_count && chance() < 0.35)
        s.clip = among(0, (int)clip_count - 1);
    s.w0 = between(150, 300);
    s.w1 = chance() < 0.3 ? s.w0 : s.w0 * between(0.85, 1.15);
    s.x0 = between(0, PW - s.w0);
    s.y0 = between(0, PH - s.w0 * H / W);
    const double reach = chance() < 0.4 ? 0 : between(5, 60);
    s.x1 = s.x0 + between(-reach, reach);
    s.y1 = s.y0 + between(-reach, reach) / 2;
    if (chance() < 0.5) {
        s.front = some_picture();
        s.fx = between(0.2, 0.8);
        s.fy = between(0.4, 0.8);
        s.fr = between(0.12, 0.3);
        s.fspeed = between(-0.012, 0.012);
    }
    s.drift = chance() < 0.3 ? between(-0.25, 0.25) : 0;
    const double c = chance();
    s.length = s.clip >= 0 ? CLIP
               : c < 0.3   ? among(9, 20) : among(18, 56);
    return s;
}

/* The crop's place in frame t, pans and shake included. */
static void draw_crop(const shot *s, double t, double *x, double *y,
                      double *w)
{
    const double u = t / s->length;
    *w = s->w0 + (s->w1 - s->w0) * u;
    *x = s->x0 + (s->x1 - s->x0) * u + s->jx;
    *y = s->y0 + (s->y1 - s->y0) * u + s->jy;
    if (s->pan_length) {
        double v = (t - s->pan) / s->pan_length;
        v = v < 0 ? 0 : v > 1 ? 1 : v * v * (3 - 2 * v);
        *x += s->pan_x * v;
        *y += s->pan_y * v;
    }
}

static void draw_picture(const shot *s, int t, float *out)
{
    const uint8_t *p = pictures + (size_t)s->picture * PW * PH;
    const int fast = s->pan_length && t >= s->pan &&
                     t <= s->pan + s->pan_length;
    const int taps = fast ? 6 : 1;
    memset(out, 0, W * H * sizeof *out);
    for (int k = 0; k < taps; k++) {
        double x, y, w;
        const float part = 1 / (float)taps;
        draw_crop(s, t + 0.5 * k / taps, &x, &y, &w);
        axis across, down;
        lay(&across, x, w / W, W, PW);
        lay(&down, y, w / W, H, PH);
        for (int j = 0; j < H; j++)
            for (int i = 0; i < W; i++)
                out[j * W + i] += part * sample(p, &across, &down, i, j);
    }
}

/* Something that moves before the background. */
static void draw_front(const shot *s, int t, float *out)
{
    const uint8_t *p = pictures + (size_t)s->front * PW * PH;
    const double cx = W * (s->fx + s->fspeed * t);
    const double cy = H * (s->fy + 0.03 * sin(0.3 * t));
    const double r = H * s->fr * 2;
    axis across, down;
    lay(&across, PW / 2.0 - cx / r * 80, 80 / r, W, PW);
    lay(&down, PH / 2.0 - cy / (1.3 * r) * 100, 100 / (1.3 * r), H, PH);
    for (int k = 0; k < W * H; k++) {
        const int i = k % W, j = k / W;
        const double dx = (i - cx) / r, dy = (j - cy) / (1.3 * r);
        const double d = dx * dx + dy * dy;
        if (d >= 1)
            continue;
        const float a = (float)fmin(1, 8 * (1 - d));
        out[k] = out[k] * (1 - a) + sample(p, &across, &down, i, j) * a;
    }
}

static double flash_at(const shot *s, int t)
{
    const int in = t - s->flash;
    if (!s->flash || in < 0 || in >= s->flash_hold + s->flash_fall)
        return 0;
    return in < s->flash_hold
               ? s->flash_peak
               : s->flash_peak * (s->flash_hold + s->flash_fall - in) /
                     (s->flash_fall + 1);
}

static void draw_shot(shot *s, int t, float *out)
{
    if (s->shaken) {
        s->jx = 0.6 * s->jx + between(-7, 7);
        s->jy = 0.6 * s->jy + between(-5, 5);
    }
    if (s->clip >= 0) {
        const uint8_t *p = clip_at[s->clip] +
                           (size_t)(t < CLIP ? t : CLIP - 1) * W * H;
        for (int i = 0; i < W * H; i++)
            out[i] = p[i];
    } else {
        draw_picture(s, t, out);
        if (s->front >= 0)
            draw_front(s, t, out);
    }
    const float light = (float)(1 + s->drift * (double)t / s->length);
    const float a = (float)flash_at(s, t);
    for (int i = 0; i < W * H; i++) {
        const float v = light * out[i];
        out[i] = (1 - a) * (v < 255 ? v : 255) + a * 255;
    }
}

/* ---- The film ----------------------------------------------------------- */

static void emit(const float *a, const float *b, double mix, double grain,
                 FILE *out)
{
    static uint8_t row[W * H];
    const float share = (float)mix, level = (float)grain;
    for (int i = 0; i < W * H; i++) {
        const float g = level > 0 ? level * normal() : 0;
        const float v = (1 - share) * a[i] + share * b[i] + g + 0.5f;
        row[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    fwrite(row, sizeof row, 1, out);
}

static transition random_transition(kind k)
{
    transition x = {.kind = k};
    if (k == DISSOLVE) {
        x.length = chance() < 0.3 ? among(6, 12) : among(12, 40);
    } else if (k == FADE) {
        x.white = chance() < 0.4;
        x.out = chance() < 0.15 ? 0 : among(7, 32);
        x.length = x.out && chance() < 0.15 ? 0 : among(7, 32);
        x.hold = among(5, 20);
    }
    return x;
}

static void shuffle(transition *x, int n)
{
    for (int i = n - 1; i > 0; i--) {
        const int k = among(0, i);
        const transition t = x[i];
        x[i] = x[k];
        x[k] = t;
    }
}

/* Give shots room for their transitions and for what happens in them. */
static void plan_shots(shot *s, const transition *x)
{
    for (int i = 0; i < SHOTS; i++) {
        s[i] = random_shot(i ? &s[i - 1] : NULL);
        const int before = i ? x[i - 1].length : 0;
        const int after = i + 1 < SHOTS
                              ? x[i].kind == FADE ? x[i].out : x[i].length
                              : 0;
        if (before + after > 0)
            s[i].clip = s[i].clip >= 0 && before + after <= 8 ? s[i].clip : -1;
        if (s[i].clip < 0)
            s[i].length += before + after;
        if (s[i].length > MOST_LENGTH)
            s[i].length = MOST_LENGTH;
    }
}

static void add_event(shot *s, const transition *x, int what)
{
    for (;;) {
        const int i = among(1, SHOTS - 2);
        const int from = x[i - 1].length + 9;
        const int after = 12 + (x[i].kind == FADE ? x[i].out : x[i].length);
        if (s[i].clip >= 0 || s[i].flash || s[i].pan_length || s[i].shaken)
            continue;
        if (s[i].length < from + after + 14) /* make room */
            s[i].length = from + after + 14;
        const int to = s[i].length - after;
        if (what == 0) {
            s[i].flash = among(from, to - 6);
            s[i].flash_hold = among(1, 3);
            s[i].flash_fall = among(0, 4);
            s[i].flash_peak = between(0.5, 1);
        } else if (what == 1) {
            s[i].pan_length = among(5, 12);
            s[i].pan = among(from, to - s[i].pan_length);
            s[i].pan_x = between(120, 420) * (chance() < 0.5 ? -1 : 1);
            s[i].pan_y = between(-30, 30);
        } else {
            s[i].shaken = 1;
        }
        return;
    }
}

static void tell_events(const shot *s, int start, FILE *truth)
{
    if (s->flash)
        fprintf(truth, "flash,%d,%d\n", start + s->flash,
                start + s->flash + s->flash_hold + s->flash_fall);
    if (s->pan_length)
        fprintf(truth, "pan,%d,%d\n", start + s->pan,
                start + s->pan + s->pan_length);
    if (s->shaken)
        fprintf(truth, "shake,%d,%d\n", start, start + s->length);
}

static void draw_film(shot *s, const transition *x, double grain,
                      FILE *truth)
{
    static float one[W * H], two[W * H];
    int frame = 0, first = 0; /* first frame of the shot already shown */
    for (int i = 0; i < SHOTS; i++) {
        const transition *next = i + 1 < SHOTS ? &x[i] : NULL;
        const int tail = !next ? 0
                         : next->kind == DISSOLVE ? next->length
                         : next->kind == FADE ? next->out : 0;
        tell_events(&s[i], frame - first, truth);
        for (int t = first; t < s[i].length - tail; t++, frame++) {
            draw_shot(&s[i], t, one);
            emit(one, one, 0, grain, stdout);
        }
        first = 0;
        if (!next)
            break;
        if (next->kind == CUT)
            fprintf(truth, "cut,%d,%d\n", frame, frame);
        if (next->kind == DISSOLVE) {
            fprintf(truth, "dissolve,%d,%d\n", frame, frame + tail);
            for (int t = 0; t < tail; t++, frame++) {
                draw_shot(&s[i], s[i].length - tail + t, one);
                draw_shot(&s[i + 1], t, two);
                emit(one, two, (t + 1.0) / (tail + 1), grain, stdout);
            }
            first = tail;
        }
        if (next->kind != FADE)
            continue;
        for (int k = 0; k < W * H; k++)
            two[k] = next->white ? 255 : 0;
        if (tail)
            fprintf(truth, "fade_out,%d,%d\n", frame, frame + tail);
        else
            fprintf(truth, "cut,%d,%d\n", frame, frame);
        for (int t = 0; t < tail; t++, frame++) {
            draw_shot(&s[i], s[i].length - tail + t, one);
            emit(one, two, (t + 1.0) / (tail + 1), grain, stdout);
        }
        for (int t = 0; t < next->hold; t++, frame++)
            emit(two, two, 0, grain / 4, stdout);
        if (next->length)
            fprintf(truth, "fade_in,%d,%d\n", frame, frame + next->length);
        else
            fprintf(truth, "cut,%d,%d\n", frame, frame);
        for (int t = 0; t < next->length; t++, frame++) {
            draw_shot(&s[i + 1], t, one);
            emit(two, one, (t + 1.0) / (next->length + 1), grain, stdout);
        }
        first = next->length;
    }
}

int main(int argc, char **argv)
{
    static shot s[SHOTS];
    static transition x[SHOTS - 1];
    FILE *truth = argc > 4 ? fopen(argv[2], "w") : NULL;
    if (!truth) {
        fprintf(stderr, "usage: cut_suite SEED TRUTH.csv GRAIN HALF"
                " [PICTURES.grey [FILMED.grey]] > film\n");
        return 2;
    }
    state = strtoull(argv[1], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
    half = strtoul(argv[4], NULL, 10) % 2;
    size_t frames = 0;
    if (argc > 5)
        pictures = read_all(argv[5], PW * PH, &picture_count);
    if (argc > 6)
        filmed = read_all(argv[6], (size_t)W * H, &frames);
    if (filmed)
        choose_clips(frames);
    if (picture_count < 2)
        invent_pictures();
    for (int i = 0; i < SHOTS - 1; i++)
        x[i] = random_transition(i < CUTS               ? CUT
                                 : i < CUTS + DISSOLVES ? DISSOLVE : FADE);
    shuffle(x, SHOTS - 1);
    plan_shots(s, x);
    for (int i = 0; i < FLASHES + PANS + SHAKES; i++)
        add_event(s, x, i < FLASHES ? 0 : i < FLASHES + PANS ? 1 : 2);
    draw_film(s, x, strtod(argv[3], NULL), truth);
    return fclose(truth) != 0 || fflush(stdout) != 0;
}

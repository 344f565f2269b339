#include "audio/room.h"

#include "audio/audio.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { LINES = 8, RING = 4096, STEP = 64, PREDELAY = 720, DIFFUSERS = 2 };

#define DECAY 1.5f   /* seconds to fall by 60 dB at low frequencies */
#define DAMP 0.35f   /* of a one-pole low-pass: high tones die first */
#define DIFFUSION 0.6f
#define LOWEST 140.0f /* Hz: bass stays dry */
#define LEVEL 0.67f  /* makes a send of 1 neutral for white noise */

/* Primes from 25 to 68 ms; all at least PREDELAY + STEP, below RING. */
static const unsigned length[LINES] = {1201, 1487, 1693, 1949,
                                       2269, 2557, 2861, 3257};
static const unsigned diffuser[2][DIFFUSERS] = {{229, 373}, {251, 347}};

typedef struct lane {
    float ring[RING]; /* of the input: predelay */
    float all[DIFFUSERS][512];
    float low;        /* of the high-pass */
} lane;

struct ems_room {
    float line[LINES][RING];
    float damped[LINES]; /* the low-passes' states */
    float gain[LINES];
    lane side[EMS_CHANNELS];
    float high_pass;
    unsigned at;
};

ems_room *ems_room_new(void)
{
    ems_room *r = ems_alloc(1, sizeof *r);
    if (!r)
        return NULL;
    for (int i = 0; i < LINES; i++)
        r->gain[i] = powf(10, -3 * (float)length[i] / (DECAY * EMS_RATE));
    r->high_pass = 1 - expf(-2 * (float)M_PI * LOWEST / EMS_RATE);
    return r;
}

/* Schroeder's all-pass: the single echo becomes a dense burst. */
static float diffuse(float *ring, unsigned delay, unsigned at, float x)
{
    const float old = ring[(at - delay) & 511];
    const float in = x - DIFFUSION * old;
    ring[at & 511] = in;
    return old + DIFFUSION * in;
}

/* One side's input, delayed, without bass, diffused. */
static void feed(ems_room *r, int side, float *out, const float *x, size_t n,
                 float send)
{
    lane *l = &r->side[side];
    for (size_t i = 0; i < n; i++) {
        const unsigned at = r->at + (unsigned)i;
        const float in = x[i * EMS_CHANNELS + (size_t)side] * send;
        l->low += r->high_pass * (in - l->low);
        l->ring[at & (RING - 1)] = in - l->low;
        float y = l->ring[(at - PREDELAY) & (RING - 1)];
        for (int d = 0; d < DIFFUSERS; d++)
            y = diffuse(l->all[d], diffuser[side][d], at, y);
        out[i] = y;
    }
}

/* What comes out of the lines now was put in before this step began, because
 * no line is shorter than a step. */
static void turn(ems_room *r, float *x, const float *left, const float *right,
                 size_t n)
{
    float tap[STEP][LINES];
    for (int k = 0; k < LINES; k++)
        for (size_t i = 0; i < n; i++)
            tap[i][k] = r->line[k][(r->at + (unsigned)i - length[k]) &
                                   (RING - 1)];
    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (int k = 0; k < LINES; k++) {
            r->damped[k] += (1 - DAMP) * (tap[i][k] - r->damped[k]);
            tap[i][k] = r->gain[k] * r->damped[k];
        }
        for (int k = 0; k < LINES; k++)
            sum += tap[i][k];
        x[2 * i] += LEVEL * (tap[i][0] - tap[i][2] + tap[i][4] - tap[i][6]);
        x[2 * i + 1] +=
            LEVEL * (tap[i][1] - tap[i][3] + tap[i][5] - tap[i][7]);
        /* Householder's reflection loses nothing and mixes all lines. */
        for (int k = 0; k < LINES; k++)
            tap[i][k] += (k & 1 ? right[i] : left[i]) - sum * (2.0f / LINES);
    }
    for (int k = 0; k < LINES; k++)
        for (size_t i = 0; i < n; i++)
            r->line[k][(r->at + (unsigned)i) & (RING - 1)] = tap[i][k];
}

void ems_room_add(ems_room *r, float *x, size_t n, float send)
{
    float left[STEP], right[STEP];
    while (n > 0) {
        const size_t m = n < STEP ? n : STEP;
        feed(r, 0, left, x, m, send);
        feed(r, 1, right, x, m, send);
        turn(r, x, left, right, m);
        r->at += (unsigned)m;
        x += m * EMS_CHANNELS;
        n -= m;
    }
}

void ems_room_free(ems_room *r)
{
    ems_free(r);
}

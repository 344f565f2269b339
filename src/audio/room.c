#include "audio/room.h"

#include "audio/audio.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { LINES = 8, RING = 4096, STEP = EMS_ROOM_STEP, PREDELAY = 720,
       DIFFUSERS = 2 };

#define DECAY 1.5f   /* seconds to fall by 60 dB at low frequencies */
#define DAMP 0.30f   /* of a one-zero low-pass: high tones die first */
#define DIFFUSION 0.6f
#define LOWEST 140.0f /* Hz: bass stays dry */
#define TINY 1e-20f   /* what is smaller is silence: denormals are slow */
#define LEVEL 0.67f  /* makes a send of 1 neutral for white noise */

/* Primes from 25 to 68 ms; all above STEP and below RING - STEP. */
static const unsigned length[LINES] = {1201, 1487, 1693, 1949,
                                       2269, 2557, 2861, 3257};
static const unsigned diffuser[2][DIFFUSERS] = {{229, 373}, {251, 347}};

typedef struct lane {
    float ring[RING]; /* of the input: predelay */
    float all[DIFFUSERS][RING];
    float low;        /* of the high-pass */
} lane;

struct ems_room {
    float line[LINES][RING];
    float before[LINES]; /* the low-passes' last input */
    float gain[LINES];
    lane side[EMS_CHANNELS];
    float high_pass;
    unsigned at; /* a multiple of STEP */
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

/* out = what was put into the ring `delay` frames before this step. Nothing a
 * step reads was put in by the same step, because no delay is shorter: so
 * whole steps are worked on at once. */
static void recall(float out[STEP], const float *ring, unsigned at,
                   unsigned delay)
{
    const unsigned from = (at - delay) & (RING - 1);
    const unsigned first = RING - from < STEP ? RING - from : STEP;
    memcpy(out, ring + from, first * sizeof *out);
    memcpy(out + first, ring, (STEP - first) * sizeof *out);
}

static void keep(float *ring, unsigned at, const float in[STEP])
{
    memcpy(ring + (at & (RING - 1)), in, STEP * sizeof *in);
}

/* Schroeder's all-pass: the single echo becomes a dense burst. */
static void diffuse(float *ring, unsigned delay, unsigned at,
                    float *restrict x)
{
    float old[STEP], in[STEP];
    recall(old, ring, at, delay);
    for (int i = 0; i < STEP; i++) {
        in[i] = x[i] - DIFFUSION * old[i];
        x[i] = old[i] + DIFFUSION * in[i];
    }
    keep(ring, at, in);
}

/* One side's input, delayed, without bass, diffused. */
static void feed(ems_room *r, int side, float out[STEP], const float *x,
                 float send)
{
    lane *l = &r->side[side];
    float in[STEP], low = l->low;
    for (int i = 0; i < STEP; i++) {
        const float v = x[i * EMS_CHANNELS + side] * send;
        low += r->high_pass * (v - low);
        in[i] = v - low;
    }
    l->low = fabsf(low) < TINY ? 0 : low;
    keep(l->ring, r->at, in);
    recall(out, l->ring, r->at, PREDELAY);
    for (int d = 0; d < DIFFUSERS; d++)
        diffuse(l->all[d], diffuser[side][d], r->at, out);
}

/* A line's output: damped, and with its share of the decay. */
static void tap(ems_room *r, int k, float *restrict out)
{
    float in[STEP + 1];
    in[0] = r->before[k];
    recall(in + 1, r->line[k], r->at, length[k]);
    r->before[k] = in[STEP];
    const float now = r->gain[k] * (1 - DAMP), then = r->gain[k] * DAMP;
    for (int i = 0; i < STEP; i++)
        out[i] = now * in[i + 1] + then * in[i];
}

static void turn(ems_room *r, float *restrict x, const float *restrict left,
                 const float *restrict right)
{
    float t[LINES][STEP], sum[STEP], side[2][STEP];
    for (int k = 0; k < LINES; k++)
        tap(r, k, t[k]);
    for (int i = 0; i < STEP; i++) {
        side[0][i] = LEVEL * (t[0][i] - t[2][i] + t[4][i] - t[6][i]);
        side[1][i] = LEVEL * (t[1][i] - t[3][i] + t[5][i] - t[7][i]);
        sum[i] = (t[0][i] + t[1][i] + t[2][i] + t[3][i] + t[4][i] + t[5][i] +
                  t[6][i] + t[7][i]) * (2.0f / LINES);
    }
    for (int i = 0; i < STEP; i++) {
        x[2 * i] += side[0][i];
        x[2 * i + 1] += side[1][i];
    }
    /* Householder's reflection loses nothing and mixes all lines. */
    for (int k = 0; k < LINES; k++) {
        const float *in = k & 1 ? right : left;
        for (int i = 0; i < STEP; i++) {
            const float v = t[k][i] + in[i] - sum[i];
            t[k][i] = fabsf(v) < TINY ? 0 : v;
        }
        keep(r->line[k], r->at, t[k]);
    }
}

void ems_room_add(ems_room *r, float *x, size_t n, float send)
{
    float left[STEP], right[STEP];
    for (; n >= STEP; n -= STEP) {
        feed(r, 0, left, x, send);
        feed(r, 1, right, x, send);
        turn(r, x, left, right);
        r->at += STEP;
        x += STEP * EMS_CHANNELS;
    }
}

void ems_room_free(ems_room *r)
{
    ems_free(r);
}

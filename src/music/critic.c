#include "music/critic_weights.h"

#include "base/mem.h"

#include <math.h>

static double clip(double x, double limit)
{
    return x < -limit ? -limit : x > limit ? limit : x;
}

void ems_critic_raw(const ems_critic_head *h, int velocity, const double *x,
                    double raw[2])
{
    double sum[2] = {h->bias[0], h->bias[1]};
    for (size_t i = 0; i < h->features; i++) {
        if (!velocity && i % EMS_HEARD_FEATURES == EMS_HEARD_LOUDNESS)
            continue;
        const double z = clip(
            (x[i] - (double)h->mean[i]) / (double)h->scale[i],
            EMS_CRITIC_CLIP);
        sum[0] += (double)h->weight[0][i] * z;
        sum[1] += (double)h->weight[1][i] * z;
    }
    raw[0] = sum[0];
    raw[1] = sum[1];
}

ems_affect_point ems_critic_point(const ems_critic_head *h, int velocity,
                                  const double *x)
{
    double raw[2];
    ems_critic_raw(h, velocity, x, raw);
    for (int a = 0; a < 2; a++)
        raw[a] = clip((double)h->gain[a] * raw[a] + (double)h->offset[a], 1);
    return (ems_affect_point){raw[0], raw[1]};
}

void ems_critic_hear_velocity(ems_critic *c)
{
    c->velocity = 1;
}

void ems_critic_free(ems_critic *c)
{
    ems_free(c);
}

ems_affect_point ems_critic_rate(const ems_critic *c, const ems_note *notes,
                                 size_t count, double from, double to)
{
    enum { FRAMES = 128 };
    ems_heard heard[FRAMES], sum = {0};
    const double most = FRAMES * EMS_HEARD_FRAME;
    ems_affect_point none = {NAN, NAN};
    if (!(to > from))
        return none;
    if (to - from > most) {
        from = (from + to - most) / 2;
        to = from + most;
    }
    size_t n = (size_t)((to - from) / EMS_HEARD_FRAME + 0.5);
    n = n < 1 ? 1 : n > FRAMES ? FRAMES : n;
    ems_hear(heard, n, from, notes, count);
    for (size_t i = 0; i < n; i++)
        ems_heard_add(&sum, &heard[i]);
    if (!(sum.seconds > 0))
        return none;
    double x[EMS_HEARD_FEATURES];
    ems_heard_features(x, &sum);
    return ems_critic_point(&c->window, c->velocity, x);
}

typedef struct curve {
    const ems_critic *critic;
    ems_affect_point *out;
} curve;

static void rate_point(void *user, size_t i, const double *x)
{
    const curve *k = user;
    const ems_critic *c = k->critic;
    k->out[i] = x ? ems_critic_point(&c->piece, c->velocity, x)
                  : (ems_affect_point){NAN, NAN};
}

int ems_critic_curve(const ems_critic *c, const ems_note *notes, size_t count,
                     const double *times, size_t n, ems_affect_point *out,
                     ems_error *err)
{
    curve k = {c, out};
    return ems_hear_piece(notes, count, times, n, rate_point, &k, err);
}

typedef struct mean {
    const ems_critic *critic;
    double sum[2], count;
} mean;

static void add_point(void *user, size_t i, const double *x)
{
    (void)i;
    mean *m = user;
    if (!x)
        return;
    const ems_affect_point p =
        ems_critic_point(&m->critic->piece, m->critic->velocity, x);
    m->sum[0] += p.valence;
    m->sum[1] += p.arousal;
    m->count++;
}

int ems_critic_piece(const ems_critic *c, const ems_note *notes, size_t count,
                     ems_affect_point *out, ems_error *err)
{
    const double end = ems_heard_end(notes, count);
    const size_t n = (size_t)(end / 4) + 1;
    double *times = ems_alloc(n, sizeof *times);
    if (!times)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        times[i] = (double)i * 4 + 2;
    mean m = {.critic = c};
    const int code =
        ems_hear_piece(notes, count, times, n, add_point, &m, err);
    ems_free(times);
    *out = m.count > 0
               ? (ems_affect_point){m.sum[0] / m.count, m.sum[1] / m.count}
               : (ems_affect_point){NAN, NAN};
    return code;
}

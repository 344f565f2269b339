#include "music/critic.h"

#include "base/mem.h"
#include "music/key.h"

#include <math.h>

struct ems_critic {
    double mode, pitch, speed, length; /* weights */
};

ems_critic *ems_critic_open(const char *path, ems_error *err)
{
    (void)path;
    ems_critic *c = ems_alloc(1, sizeof *c);
    if (!c) {
        ems_out_of_memory(err);
        return NULL;
    }
    *c = (ems_critic){.mode = 0.7, .pitch = 0.15, .speed = 0.25,
                      .length = 0.3};
    return c;
}

void ems_critic_free(ems_critic *c)
{
    ems_free(c);
}

static double clamp(double x)
{
    return x < -1 ? -1 : x > 1 ? 1 : x;
}

ems_affect_point ems_critic_rate(const ems_critic *c, const ems_note *notes,
                                 size_t count, double from, double to)
{
    double weight[12] = {0}, pitch = 0, sound = 0, onsets = 0;
    int seen[EMS_FAMILIES] = {0}, families = 0;
    for (size_t i = 0; i < count && notes[i].start < to; i++) {
        const ems_note *n = &notes[i];
        const double end = n->start + n->length;
        if (end <= from)
            continue;
        onsets += n->start >= from;
        families += !seen[n->family];
        seen[n->family] = 1;
        if (n->family == EMS_DRUMS)
            continue;
        const double s = (end < to ? end : to) -
                         (n->start > from ? n->start : from);
        weight[n->pitch % 12] += s;
        pitch += s * n->pitch;
        sound += s;
    }
    if (!families)
        return (ems_affect_point){NAN, NAN};
    const ems_key key = ems_key_find(weight);
    const double density = onsets / (to - from) / families;
    const double length = onsets > 0 ? sound / onsets : 4;
    const double height = sound > 0 ? pitch / sound - 60 : 0;
    return (ems_affect_point){
        clamp(c->mode * clamp((key.major_fit - key.minor_fit) / 0.2) +
              c->pitch * clamp(height / 12)),
        clamp(c->speed * (density - 3) - c->length * (length - 0.7))};
}

int ems_critic_curve(const ems_critic *c, const ems_note *notes, size_t count,
                     const double *times, size_t n, ems_affect_point *out,
                     ems_error *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        out[i] = ems_critic_rate(c, notes, count, times[i] - 8, times[i] + 8);
    return EMS_OK;
}

int ems_critic_piece(const ems_critic *c, const ems_note *notes, size_t count,
                     ems_affect_point *out, ems_error *err)
{
    (void)err;
    double end = 0, sum[2] = {0}, rated = 0;
    for (size_t i = 0; i < count; i++)
        end = fmax(end, notes[i].start + notes[i].length);
    for (double at = 2; at < end + 2; at += 4) {
        const ems_affect_point p =
            ems_critic_rate(c, notes, count, at - 8, at + 8);
        if (isnan(p.valence))
            continue;
        sum[0] += p.valence;
        sum[1] += p.arousal;
        rated++;
    }
    *out = rated > 0 ? (ems_affect_point){sum[0] / rated, sum[1] / rated}
                     : (ems_affect_point){NAN, NAN};
    return EMS_OK;
}

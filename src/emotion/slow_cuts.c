#include "emotion/slow_cuts.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* Black: hardly a pixel above LIT_LUMA and a low mean; two levels so that a
 * dark picture does not flicker between the states. */
enum { LIT_LUMA = 32, LIT_ENTER = EMS_THUMB_PIXELS / 200,
       LIT_LEAVE = EMS_THUMB_PIXELS / 100 };
static const double MEAN_ENTER = 10, MEAN_LEAVE = 14;
/* A frame that differs by less from the one before stands still. */
static const double STILL = 0.4;
static const double FADE_RISE = 1.0; /* seconds a fade-in may take to count */

/* Dissolve: the ends of a window differ by DISTANCE, the middle is their
 * mixture but for RESIDUE of that, and neither end is a darker version of
 * the other (that is a fade or a change of light). */
static const double DISTANCE = 12, RESIDUE = 0.25, SCALED = 0.35;
/* Seconds between the thumbnails looked at: there are more around sudden
 * changes. And how far from half way the middle may lie, so that a cut is
 * never taken for a mixture: it leaves a residue of 1/2 -+ this. */
static const double SPACING = 0.15, OFF_MIDDLE = 0.15;

int ems_cut_list_add(ems_cut_list *list, double time, ems_cut_kind kind,
                     double strength, ems_error *err)
{
    if (ems_reserve((void **)&list->cuts, &list->capacity, list->count + 1,
                    sizeof *list->cuts) < 0)
        return ems_out_of_memory(err);
    list->cuts[list->count++] =
        (ems_cut){time, kind, strength < 0 ? 0 : strength > 1 ? 1 : strength};
    return EMS_OK;
}

void ems_thumb_ring_add(ems_thumb_ring *ring, const ems_frame *frame)
{
    ems_thumb *t = &ring->at[ring->count++ % EMS_THUMB_RING];
    const uint8_t *p = frame->rgb;
    long sum = 0;
    t->time = frame->time;
    t->lit = 0;
    for (int i = 0; i < EMS_THUMB_PIXELS; i++, p += 3) {
        const int y = (77 * p[0] + 150 * p[1] + 29 * p[2]) >> 8;
        t->y[i] = (uint8_t)y;
        t->lit += y > LIT_LUMA;
        sum += y;
    }
    t->mean = (double)sum / EMS_THUMB_PIXELS;
}

const ems_thumb *ems_thumb_ring_back(const ems_thumb_ring *ring, size_t back)
{
    if (back >= ring->count || back >= EMS_THUMB_RING)
        return NULL;
    return &ring->at[(ring->count - 1 - back) % EMS_THUMB_RING];
}

double ems_thumb_distance(const ems_thumb *a, const ems_thumb *b)
{
    long sum = 0;
    for (int i = 0; i < EMS_THUMB_PIXELS; i++)
        sum += abs(a->y[i] - b->y[i]);
    return (double)sum / EMS_THUMB_PIXELS;
}

void ems_slow_cuts_begin(ems_slow_cuts *s)
{
    *s = (ems_slow_cuts){.first_move = -1, .fade_in = -1};
}

static int end_fade_in(ems_slow_cuts *s, ems_cut_list *list, ems_error *err)
{
    const double time = s->fade_in;
    if (time < 0)
        return EMS_OK;
    s->fade_in = -1;
    return ems_cut_list_add(list, time, EMS_FADE_IN, s->fade_peak / 100, err);
}

/* Highest mean luma of the thumbnails of the last second. */
static double recent_light(const ems_thumb_ring *ring)
{
    const ems_thumb *now = ems_thumb_ring_back(ring, 0), *t;
    double light = 0;
    for (size_t k = 1; (t = ems_thumb_ring_back(ring, k)) != NULL; k++)
        if (t->time >= now->time - FADE_RISE)
            light = fmax(light, t->mean);
    return light;
}

static int fade_step(ems_slow_cuts *s, const ems_thumb_ring *ring,
                     ems_cut_list *list, ems_error *err)
{
    const ems_thumb *now = ems_thumb_ring_back(ring, 0);
    const int dark = s->black
                         ? now->mean < MEAN_LEAVE && now->lit <= LIT_LEAVE
                         : now->mean < MEAN_ENTER && now->lit <= LIT_ENTER;
    int code = EMS_OK;
    if (s->fade_in >= 0) {
        s->fade_peak = fmax(s->fade_peak, now->mean);
        if (dark || now->time > s->fade_in + FADE_RISE)
            code = end_fade_in(s, list, err);
    }
    if (code == EMS_OK && dark && !s->black && ring->count > 1)
        code = ems_cut_list_add(list, s->last_move, EMS_FADE_OUT,
                                recent_light(ring) / 100, err);
    if (!dark && s->black) {
        s->fade_in = s->first_move >= 0 ? s->first_move : now->time;
        s->fade_peak = now->mean;
    }
    s->black = dark;
    s->first_move = -1;
    return code;
}

/* Nonzero when `dim` is `bright` times a number, within SCALED of the
 * distance. */
static int is_scaled(const ems_thumb *dim, const ems_thumb *bright,
                     double distance)
{
    double product = 0, square = 1;
    for (int i = 0; i < EMS_THUMB_PIXELS; i++) {
        product += dim->y[i] * bright->y[i];
        square += bright->y[i] * bright->y[i];
    }
    const double k = product / square;
    double residue = 0;
    for (int i = 0; i < EMS_THUMB_PIXELS; i++)
        residue += fabs(dim->y[i] - k * bright->y[i]);
    return residue / EMS_THUMB_PIXELS < SCALED * distance;
}

/* The distance of a and b when m between them is their mixture, else 0. */
static double mixed_distance(const ems_thumb *a, const ems_thumb *m,
                             const ems_thumb *b)
{
    const double distance = ems_thumb_distance(a, b);
    if (distance < DISTANCE || b->time <= a->time)
        return 0;
    const double w = (m->time - a->time) / (b->time - a->time);
    if (fabs(w - 0.5) > OFF_MIDDLE)
        return 0;
    double residue = 0;
    for (int i = 0; i < EMS_THUMB_PIXELS; i++)
        residue += fabs(m->y[i] - (1 - w) * a->y[i] - w * b->y[i]);
    if (residue / EMS_THUMB_PIXELS > RESIDUE * distance)
        return 0;
    return is_scaled(a->mean < b->mean ? a : b, a->mean < b->mean ? b : a,
                     distance) ? 0 : distance;
}

static int end_dissolve(ems_slow_cuts *s, ems_cut_list *list, ems_error *err)
{
    const double peak = s->run_peak;
    s->run_peak = 0;
    if (peak <= 0)
        return EMS_OK;
    return ems_cut_list_add(list, (s->run_start + s->run_end) / 2,
                            EMS_DISSOLVE, peak / 100, err);
}

/* The newest thumbnails at least SPACING apart, newest first; returns how
 * many. */
static int spaced(const ems_thumb_ring *ring, const ems_thumb **out, int most)
{
    const ems_thumb *t;
    int n = 0;
    for (size_t k = 0; (t = ems_thumb_ring_back(ring, k)) && n < most; k++)
        if (n == 0 || t->time <= out[n - 1]->time - SPACING)
            out[n++] = t;
    return n;
}

static int dissolve_step(ems_slow_cuts *s, const ems_thumb_ring *ring,
                         ems_cut_list *list, ems_error *err)
{
    enum { HALVES = 3 };
    const ems_thumb *row[2 * HALVES + 1];
    const int n = spaced(ring, row, 2 * HALVES + 1);
    const ems_thumb *b = row[0];
    int found = 0;
    for (int half = 1; 2 * half < n; half++) {
        const ems_thumb *m = row[half], *a = row[2 * half];
        const double distance = mixed_distance(a, m, b);
        if (distance <= 0)
            continue;
        if (s->run_peak <= 0 || a->time < s->run_start)
            s->run_start = a->time;
        s->run_end = b->time;
        s->run_peak = fmax(s->run_peak, distance);
        found = 1;
    }
    return found ? EMS_OK : end_dissolve(s, list, err);
}

int ems_slow_cuts_add(ems_slow_cuts *s, const ems_frame *frame,
                      const ems_thumb_ring *ring, ems_cut_list *list,
                      ems_error *err)
{
    if (frame->mafd > STILL) {
        s->last_move = frame->time;
        if (s->black && s->first_move < 0)
            s->first_move = frame->time;
    }
    if (!frame->rgb)
        return EMS_OK;
    const int code = fade_step(s, ring, list, err);
    return code < 0 ? code : dissolve_step(s, ring, list, err);
}

int ems_slow_cuts_end(ems_slow_cuts *s, ems_cut_list *list, ems_error *err)
{
    const int code = end_fade_in(s, list, err);
    return code < 0 ? code : end_dissolve(s, list, err);
}

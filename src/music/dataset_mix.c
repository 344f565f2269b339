/* One valence and one arousal from all who say something about a piece.
 *
 * 1. One scale. What a source says of the pieces it knows is mapped, quantile
 *    by quantile, to what the critic says of the same pieces. So "high" is
 *    as high whoever says it, and music of two collections can be compared:
 *    the critic hears both. Below FEWEST pieces values stay as they are.
 * 2. Mean with the weights below.
 * 3. Bars. Listeners or the critic know how a piece moves: a bar's value is
 *    the piece's plus the bar's distance from their mean.
 * 4. Spread, if asked for: that share of the time fills -1..1; the rest is
 *    clamped. Off, the labels are on the critic's scale, so that what a model
 *    is asked and what the critic measures can be compared.
 *
 * Weights are r^2 / (1 - r^2), the inverse variance of the error of a source
 * whose correlation with listeners is r; docs/FORMATS.md says how r is
 * known. */
#include "music/dataset_build.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { FEWEST = 30, KNOTS = 20 };

const char *const ems_said_name[EMS_SAID] = {
    "listeners", "labels", "features", "lyrics", "density", "critic",
};

const double ems_said_weight[EMS_SAID][2] = {
    [EMS_SAID_LISTENERS] = {9, 9},     /* r .95: some thirty people */
    [EMS_SAID_LABELS] = {0.4, 1},      /* r .54, .71: a rule on mode, tempo */
    [EMS_SAID_FEATURES] = {0.5, 0},    /* r .58; energy did not work */
    [EMS_SAID_LYRICS] = {0.1, 0.02},   /* r .3, .15 */
    [EMS_SAID_DENSITY] = {0, 0.3},     /* r .70, but the critic counts notes
                                          too: their errors are alike */
    [EMS_SAID_CRITIC] = {1.7, 2.4},    /* r .80, .84 */
};

static int float_order(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double clamp(double x)
{
    return x < -1 ? -1 : x > 1 ? 1 : x;
}

/* ---- Density --------------------------------------------------------------- */

/* Notes per second and instrument (Sulun et al. 2022), Tukey's fences and
 * min-max to [-1,1] over the collection. Collections of one file get 0. */
static void add_density(ems_build *b, float *d)
{
    for (size_t i = 0; i < b->count; i++)
        d[i] = b->pieces[i].density;
    qsort(d, b->count, sizeof *d, float_order);
    const float q1 = d[b->count / 4], q3 = d[b->count * 3 / 4];
    const float reach = 1.5f * (q3 - q1);
    const double low = (double)fmaxf(d[0], q1 - reach);
    const double high = (double)fminf(d[b->count - 1], q3 + reach);
    for (size_t i = 0; i < b->count; i++) {
        ems_built_piece *p = &b->pieces[i];
        p->said[EMS_SAID_DENSITY][1] = (float)(
            high > low
                ? clamp(2 * ((double)p->density - low) / (high - low) - 1)
                : 0);
    }
}

/* ---- One scale ------------------------------------------------------------- */

typedef struct ruler { /* piecewise linear; count 0: the identity */
    size_t count;
    double x[KNOTS], y[KNOTS]; /* ascending */
} ruler;

/* Means of equal parts of two sorted lists; equal x become one knot. */
static void set_knots(ruler *r, const float *x, const float *y, size_t n)
{
    double same = 0;
    for (size_t k = 0; k < KNOTS; k++) {
        const size_t from = n * k / KNOTS, to = n * (k + 1) / KNOTS;
        double sx = 0, sy = 0;
        for (size_t i = from; i < to; i++) {
            sx += (double)x[i];
            sy += (double)y[i];
        }
        sx /= (double)(to - from);
        sy /= (double)(to - from);
        if (r->count && sx - r->x[r->count - 1] < 1e-6) {
            double *last = &r->y[r->count - 1];
            same++;
            *last += (sy - *last) / (same + 1);
            continue;
        }
        same = 0;
        r->x[r->count] = sx;
        r->y[r->count++] = sy;
    }
}

static ruler make_ruler(const ems_build *b, int who, int axis, float *x,
                        float *y)
{
    ruler r = {0};
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        const ems_built_piece *p = &b->pieces[i];
        if (isnan(p->said[who][axis]) ||
            isnan(p->said[EMS_SAID_CRITIC][axis]))
            continue;
        x[n] = p->said[who][axis];
        y[n++] = p->said[EMS_SAID_CRITIC][axis];
    }
    if (n < FEWEST)
        return r;
    qsort(x, n, sizeof *x, float_order);
    qsort(y, n, sizeof *y, float_order);
    set_knots(&r, x, y, n);
    if (r.count < 2) /* always the same answer says nothing of the scale */
        r.count = 0;
    return r;
}

/* Beyond the ends the slope of the last part goes on. */
static double measure(const ruler *r, double x)
{
    if (r->count == 0)
        return x;
    size_t k = 1;
    while (k + 1 < r->count && x > r->x[k])
        k++;
    const double slope = (r->y[k] - r->y[k - 1]) / (r->x[k] - r->x[k - 1]);
    return clamp(r->y[k - 1] + slope * (x - r->x[k - 1]));
}

/* ---- Combining ------------------------------------------------------------- */

static double combined(const ems_built_piece *p, const ruler *rulers,
                       int axis)
{
    double sum = 0, weight = 0;
    for (int who = 0; who < EMS_SAID; who++) {
        const double w = ems_said_weight[who][axis];
        if (isnan(p->said[who][axis]) || w == 0)
            continue;
        sum += w * measure(&rulers[who], (double)p->said[who][axis]);
        weight += w;
    }
    return weight > 0 ? sum / weight : NAN;
}

/* Bars of `axis`: the piece's value plus their distance from the mean. */
static void move_bars(ems_build *b, const ems_built_piece *p,
                      const ruler *rulers, int axis, double value)
{
    const ruler *r = &rulers[p->listened ? EMS_SAID_LISTENERS
                                         : EMS_SAID_CRITIC];
    float *bar = b->affect + 2 * p->first_bar + axis;
    double sum = 0, known = 0;
    for (uint32_t i = 0; i < p->bars; i++) {
        const float x = bar[2 * i];
        if (isnan(x))
            continue;
        sum += measure(r, (double)x);
        known++;
    }
    for (uint32_t i = 0; i < p->bars; i++) {
        const double x = (double)bar[2 * i];
        bar[2 * i] = (float)(isnan(x) || isnan(value)
                                 ? value
                                 : clamp(value + measure(r, x) -
                                         sum / known));
    }
}

static void mix_axis(ems_build *b, int axis, float *x, float *y)
{
    ruler rulers[EMS_SAID] = {{0}};
    for (int who = 0; who < EMS_SAID; who++)
        if (who != EMS_SAID_CRITIC)
            rulers[who] = make_ruler(b, who, axis, x, y);
    for (size_t i = 0; i < b->count; i++) {
        ems_built_piece *p = &b->pieces[i];
        const double value = combined(p, rulers, axis);
        *(axis ? &p->arousal : &p->valence) = (float)value;
        move_bars(b, p, rulers, axis, value);
    }
}

/* ---- Spread ---------------------------------------------------------------- */

typedef struct weighted {
    float value, seconds;
} weighted;

static int weighted_order(const void *a, const void *b)
{
    return float_order(&((const weighted *)a)->value,
                       &((const weighted *)b)->value);
}

static double quantile(const weighted *w, size_t n, double total,
                       double share)
{
    double seconds = 0;
    size_t i = 0;
    for (; i + 1 < n; i++) {
        seconds += (double)w[i].seconds;
        if (seconds >= share * total)
            break;
    }
    return (double)w[i].value;
}

static float stretched(float x, double low, double high)
{
    return (float)clamp(2 * ((double)x - low) / (high - low) - 1);
}

static void spread_axis(ems_build *b, int axis, double share, weighted *w)
{
    size_t n = 0;
    double total = 0;
    for (size_t i = 0; i < b->count; i++) {
        const ems_built_piece *p = &b->pieces[i];
        const float x = axis ? p->arousal : p->valence;
        if (isnan(x))
            continue;
        w[n++] = (weighted){x, p->seconds};
        total += (double)p->seconds;
    }
    if (n < FEWEST)
        return;
    qsort(w, n, sizeof *w, weighted_order);
    const double low = quantile(w, n, total, (1 - share) / 2);
    const double high = quantile(w, n, total, (1 + share) / 2);
    if (high - low < 1e-3)
        return;
    b->scale.low[axis] = low;
    b->scale.high[axis] = high;
    for (size_t i = 0; i < b->count; i++) {
        float *x = axis ? &b->pieces[i].arousal : &b->pieces[i].valence;
        *x = stretched(*x, low, high); /* NaN stays NaN */
    }
    for (size_t i = 0; i < b->bar_count; i++) {
        float *x = &b->affect[2 * i + (size_t)axis];
        *x = stretched(*x, low, high);
    }
}

int ems_build_mix(ems_build *b, double spread, ems_error *err)
{
    float *x = ems_alloc(b->count, sizeof *x);
    float *y = ems_alloc(b->count, sizeof *y);
    weighted *w = ems_alloc(b->count, sizeof *w);
    if (x && y && w) {
        add_density(b, x);
        for (int axis = 0; axis < 2; axis++) {
            mix_axis(b, axis, x, y);
            if (spread > 0)
                spread_axis(b, axis, spread, w);
        }
    }
    const int code = x && y && w ? EMS_OK : ems_out_of_memory(err);
    ems_free(x);
    ems_free(y);
    ems_free(w);
    return code;
}

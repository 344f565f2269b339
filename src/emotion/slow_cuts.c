#include "emotion/slow_cuts.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static const double VIEW_GAP = 1 / 31.0; /* seconds, at least */

/* Empty: one shade all over, near black or white; two levels, so that a dark
 * picture does not flicker between the states. */
static const double EMPTY_ENTER = 2.2, EMPTY_LEAVE = 3.2;
static const double SHADE = 0.25, BLACK = 40, WHITE = 215;
/* A fade: this much spread comes or goes, in several steps none of which is
 * most of it, within so many seconds. */
static const double FADE_LEAST = 5, FADE_STEP = 0.6, FADE_RISE = 1.0,
                    FADE_FALL = 3.0;
static const int FADE_VIEWS = 3;
/* An empty picture of less than FLASH seconds between two that correlate by
 * more than SAME was a flash. */
static const double FLASH = 0.36, SAME = 0.6;
static const double BESIDE = 0.2; /* seconds around a fade without dissolves */

/* Dissolve: the ends of a window differ by DISTANCE and are no paler or
 * brighter versions of each other (correlation below ALIKE); three views
 * between are mixtures, but for RESIDUE of the distance, with shares within
 * OFF of a steady change; no step is most of it; and before and after, over
 * AROUND views, the picture moves less. */
static const double DISTANCE = 12, ALIKE = 0.5, RESIDUE = 0.3, OFF = 0.12,
                    LARGEST_STEP = 0.4, CALMER = 1.6;
enum { AROUND = 6 };
static const int LENGTHS[] = {7, 9, 12, 16, 21, 28, 37, 48, 62};

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

/* `back` places before the newest; NULL if it is gone or never was. */
static const ems_view *view_back(const ems_slow_cuts *s, uint64_t back)
{
    if (back >= s->count || back >= EMS_VIEWS)
        return NULL;
    return &s->view[(s->count - 1 - back) % EMS_VIEWS];
}

static double distance(const ems_view *a, const ems_view *b)
{
    int sum = 0;
    for (int i = 0; i < EMS_VIEW_CELLS; i++)
        sum += abs(a->y[i] - b->y[i]);
    return (double)sum / EMS_VIEW_CELLS;
}

static double correlation(const ems_view *a, const ems_view *b)
{
    double xy = 0, xx = 1e-9, yy = 1e-9;
    for (int i = 0; i < EMS_VIEW_CELLS; i++) {
        const double x = a->y[i] - a->mean, y = b->y[i] - b->mean;
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    return xy / sqrt(xx * yy);
}

static void look(ems_slow_cuts *s, const ems_frame *frame)
{
    ems_view *v = &s->view[s->count % EMS_VIEWS];
    int sum = 0, spread = 0;
    for (int j = 0; j < EMS_VIEW_H; j++)
        for (int i = 0; i < EMS_VIEW_W; i++) {
            const uint8_t *p = frame->luma + 2 * (j * EMS_THUMB_W + i);
            const int y = (p[0] + p[1] + p[EMS_THUMB_W] +
                           p[EMS_THUMB_W + 1] + 2) / 4;
            v->y[j * EMS_VIEW_W + i] = (uint8_t)y;
            sum += y;
        }
    v->time = frame->time;
    v->mean = (double)sum / EMS_VIEW_CELLS;
    for (int i = 0; i < EMS_VIEW_CELLS; i++)
        spread += abs(v->y[i] - (int)(v->mean + 0.5));
    /* A plain shade that is neither black nor white is something, too. */
    v->spread = fmax((double)spread / EMS_VIEW_CELLS,
                     SHADE * (fmin(v->mean, 255 - v->mean) - 2));
    s->count++;
    const ems_view *before = view_back(s, 1);
    v->step = before ? distance(before, v) : 0;
}

/* ---- Fades -------------------------------------------------------------- */

/* What pales or rises is no dissolve as well. */
static int add_fade(ems_slow_cuts *s, ems_cut_list *list, ems_cut_kind kind,
                    double time, double from, double to, double strength,
                    ems_error *err)
{
    s->fade.from = from - BESIDE;
    s->fade.to = to + BESIDE;
    while (list->count &&
           list->cuts[list->count - 1].kind == EMS_DISSOLVE &&
           list->cuts[list->count - 1].time >= s->fade.from)
        list->count--;
    return ems_cut_list_add(list, time, kind, strength, err);
}

static int is_empty(const ems_slow_cuts *s, const ems_view *v)
{
    return v->spread < (s->empty ? EMPTY_LEAVE : EMPTY_ENTER) &&
           (v->mean < BLACK || v->mean > WHITE);
}

/* The newest view is empty, the one before was not: did the picture pale
 * away, or was it gone at once? */
static int end_of_fall(ems_slow_cuts *s, ems_cut_list *list, ems_error *err)
{
    const ems_view *now = view_back(s, 0), *v = now, *earlier;
    double most = 0;
    int views = 0;
    for (uint64_t k = 1; (earlier = view_back(s, k)) != NULL; k++) {
        if (earlier->spread < 0.98 * v->spread - 0.2 ||
            now->time - earlier->time > FADE_FALL)
            break;
        most = fmax(most, earlier->spread - v->spread);
        views += earlier->spread > v->spread + 0.2;
        v = earlier;
    }
    const double all = v->spread - now->spread;
    if (all < FADE_LEAST || views < FADE_VIEWS || most > FADE_STEP * all)
        return EMS_OK;
    return add_fade(s, list, EMS_FADE_OUT, now->time, v->time, now->time,
                    distance(v, now) / 100, err);
}

/* The first view of those that already rose above the emptiest. */
static double first_move(const ems_slow_cuts *s)
{
    const ems_view *v = view_back(s, 0), *earlier;
    for (uint64_t k = 1; (earlier = view_back(s, k)) != NULL; k++) {
        if (earlier->spread < s->base + 0.3 ||
            earlier->spread > v->spread + 0.1)
            break;
        v = earlier;
    }
    return v->time;
}

/* Is the picture that rises the one that was there a moment before? */
static int is_back(const ems_slow_cuts *s)
{
    const ems_view *before = view_back(s, s->count - s->entered);
    return before && s->rise.left - before->time < FLASH &&
           correlation(before, view_back(s, 0)) > SAME;
}

static void begin_rise(ems_slow_cuts *s)
{
    const ems_view *now = view_back(s, 0), *before = view_back(s, 1);
    s->rise.active = 1;
    s->rise.since = first_move(s);
    s->rise.left = now->time;
    s->rise.flash = is_back(s);
    s->rise.before = before ? before->spread : now->spread;
    s->rise.most = now->spread - s->rise.before;
    s->rise.peak = now->spread;
    s->rise.top = now->time;
}

static int end_rise(ems_slow_cuts *s, ems_cut_list *list, ems_error *err)
{
    const double all = s->rise.peak - s->base;
    s->rise.active = 0;
    if (all < FADE_LEAST || s->rise.most > FADE_STEP * all ||
        s->rise.flash)
        return EMS_OK;
    return add_fade(s, list, EMS_FADE_IN, s->rise.since, s->rise.since,
                    s->rise.top, 2 * s->rise.peak / 100, err);
}

static int fade_step(ems_slow_cuts *s, ems_cut_list *list, ems_error *err)
{
    const ems_view *now = view_back(s, 0), *before = view_back(s, 1);
    const int empty = is_empty(s, now);
    int code = EMS_OK;
    if (s->rise.active) {
        s->rise.most = fmax(s->rise.most, now->spread - before->spread);
        if (now->time < s->rise.left + FLASH && is_back(s))
            s->rise.flash = 1;
        if (now->spread > s->rise.peak + 0.2) {
            s->rise.peak = now->spread;
            s->rise.top = now->time;
        }
        if (empty || now->time > s->rise.left + FADE_RISE)
            code = end_rise(s, list, err);
    }
    if (code == EMS_OK && empty && !s->empty && before)
        code = end_of_fall(s, list, err);
    if (!empty && s->empty)
        begin_rise(s);
    if (empty && !s->empty)
        s->entered = s->count - 1;
    if (empty)
        s->base = s->empty ? fmin(s->base, now->spread) : now->spread;
    s->empty = empty;
    return code;
}

/* ---- Dissolves ---------------------------------------------------------- */

/* m as a mixture of a and b: the share of b, and what it does not explain. */
static double mixture(const ems_view *a, const ems_view *m,
                      const ems_view *b, double *residue)
{
    int xy = 0, xx = 1;
    for (int i = 0; i < EMS_VIEW_CELLS; i++) {
        const int x = b->y[i] - a->y[i];
        xy += x * (m->y[i] - a->y[i]);
        xx += x * x;
    }
    const float w = (float)xy / (float)xx;
    float sum = 0;
    for (int i = 0; i < EMS_VIEW_CELLS; i++)
        sum += fabsf((float)(m->y[i] - a->y[i]) -
                     w * (float)(b->y[i] - a->y[i]));
    *residue = (double)sum / EMS_VIEW_CELLS;
    return (double)w;
}

/* How good a dissolve the window from `back` + `length` to `back` views before
 * the newest is; 0: none. */
static double dissolve_fit(const ems_slow_cuts *s, int back, int length,
                           double *change)
{
    const ems_view *b = view_back(s, (uint64_t)back);
    const ems_view *a = view_back(s, (uint64_t)(back + length));
    const ems_view *past = view_back(s, (uint64_t)(back + length + AROUND));
    const ems_view *next = view_back(s, (uint64_t)(back - AROUND));
    if (!past || !next)
        return 0;
    const double d = *change = distance(a, b);
    if (d < DISTANCE || a->spread < EMPTY_LEAVE || b->spread < EMPTY_LEAVE)
        return 0;
    const double aside = fmax(distance(past, a), distance(b, next));
    if (aside * length > CALMER * d * AROUND)
        return 0;
    for (int k = back; k < back + length; k++)
        if (view_back(s, (uint64_t)k)->step > LARGEST_STEP * d)
            return 0;
    double worst = 0, off = 0;
    for (int quarter = 1; quarter < 4; quarter++) {
        const int at = quarter * length / 4;
        double residue;
        const double w = mixture(a, view_back(s, (uint64_t)(back + length -
                                                            at)),
                                 b, &residue);
        worst = fmax(worst, residue / d);
        off = fmax(off, fabs(w - (double)at / length));
        if (worst > RESIDUE || off > OFF)
            return 0;
    }
    if (correlation(a, b) > ALIKE)
        return 0;
    return d * (1 - worst) * (1 - off);
}

static int end_mix(ems_slow_cuts *s, ems_cut_list *list, ems_error *err)
{
    const double best = s->mix.best;
    s->mix.best = 0;
    const double middle = (s->mix.from + s->mix.to) / 2;
    if (best <= 0 || (middle >= s->fade.from && middle <= s->fade.to))
        return EMS_OK;
    return ems_cut_list_add(list, middle, EMS_DISSOLVE,
                            s->mix.distance / 100, err);
}

static int dissolve_step(ems_slow_cuts *s, ems_cut_list *list,
                         ems_error *err)
{
    enum { N = sizeof LENGTHS / sizeof *LENGTHS, BREAK = 4 };
    for (int i = 0; i < N; i++) {
        double change;
        const double fit = dissolve_fit(s, AROUND, LENGTHS[i], &change);
        if (fit <= 0)
            continue;
        s->mix.last = s->count;
        if (fit <= s->mix.best)
            continue;
        s->mix.best = fit;
        s->mix.distance = change;
        s->mix.from = view_back(s, (uint64_t)(AROUND + LENGTHS[i]))->time;
        s->mix.to = view_back(s, AROUND)->time;
    }
    return s->mix.best > 0 && s->count > s->mix.last + BREAK
               ? end_mix(s, list, err) : EMS_OK;
}

/* ---- Both --------------------------------------------------------------- */

int ems_slow_cuts_add(ems_slow_cuts *s, const ems_frame *frame,
                      ems_cut_list *list, ems_error *err)
{
    const ems_view *last = view_back(s, 0);
    if (last && frame->time < last->time + VIEW_GAP)
        return EMS_OK;
    look(s, frame);
    const int code = fade_step(s, list, err);
    return code < 0 ? code : dissolve_step(s, list, err);
}

int ems_slow_cuts_end(ems_slow_cuts *s, ems_cut_list *list, ems_error *err)
{
    const int code = s->rise.active ? end_rise(s, list, err) : EMS_OK;
    return code < 0 ? code : end_mix(s, list, err);
}

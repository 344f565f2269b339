#include "music/plan.h"

#include "base/mem.h"
#include "base/sha256.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PAPER_GAP = 4.0, EXACT_GAP = 1.0;
/* No exact hits here: the music must have begun, and must be able to end. */
static const double HEAD = 0.3, TAIL = 0.5;

ems_plan_options ems_plan_defaults(void)
{
    return (ems_plan_options){
        .seed = 1, .sync = EMS_SYNC_EXACT, .min_gap = 0,
        .valence = NAN, .arousal = NAN,
    };
}

void ems_plan_free(ems_plan *p)
{
    if (!p)
        return;
    ems_free(p->hits);
    ems_free(p->cuts);
    ems_free(p->curve);
    ems_free(p);
}

double ems_plan_duration(const ems_plan *p)
{
    return p->duration;
}

const double *ems_plan_hits(const ems_plan *p, size_t *count)
{
    *count = p->hit_count;
    return p->hits;
}

size_t ems_thin(double *kept, const double *times, size_t count, double gap)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const double t = times[i];
        if (n == 0 || t - kept[n - 1] >= gap)
            kept[n++] = t;
    }
    return n;
}

void ems_curve_at(const ems_knot *curve, size_t count, double time,
                  double *valence, double *arousal)
{
    size_t low = 0, high = count; /* first knot later than `time` */
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (curve[mid].time <= time)
            low = mid + 1;
        else
            high = mid;
    }
    const ems_knot *b = &curve[low < count ? low : count - 1];
    const ems_knot *a = low ? &curve[low - 1] : b;
    const double span = b->time - a->time;
    const double w = span > 0 ? (time - a->time) / span : 0;
    *valence = a->valence + w * (b->valence - a->valence);
    *arousal = a->arousal + w * (b->arousal - a->arousal);
}

/* ---- Making a plan ------------------------------------------------------ */

static double micro(double x)
{
    const double rounded = rint(x * 1e6) / 1e6;
    return rounded == 0 ? 0 : rounded;
}

static int is_emotion(double x)
{
    return x >= -1 && x <= 1;
}

static int check_options(const ems_plan_options *o, double gap,
                         ems_error *err)
{
    if (o->seed > EMS_PLAN_SEED_MOST)
        return ems_fail(err, EMS_EINVAL, "the seed %llu is too large; the"
                        " largest is %llu", (unsigned long long)o->seed,
                        (unsigned long long)EMS_PLAN_SEED_MOST);
    if (o->sync != EMS_SYNC_EXACT && o->sync != EMS_SYNC_PAPER)
        return ems_fail(err, EMS_EINVAL, "there is no synchronisation %d",
                        (int)o->sync);
    if (!(gap >= EMS_PLAN_GAP_LEAST && gap <= EMS_PLAN_LONGEST))
        return ems_fail(err, EMS_EINVAL, "hits %g s apart cannot be played;"
                        " the smallest gap is %g s", gap, EMS_PLAN_GAP_LEAST);
    if (!isnan(o->valence) && !is_emotion(o->valence))
        return ems_fail(err, EMS_EINVAL, "valence %g lies outside [-1, 1]",
                        o->valence);
    if (!isnan(o->arousal) && !is_emotion(o->arousal))
        return ems_fail(err, EMS_EINVAL, "arousal %g lies outside [-1, 1]",
                        o->arousal);
    return EMS_OK;
}

static int check_film(double duration, double fps, const ems_cut *cuts,
                      size_t cut_count, const ems_knot *curve,
                      size_t knot_count, ems_error *err)
{
    if (!(duration >= 1e-6 && duration <= EMS_PLAN_LONGEST))
        return ems_fail(err, EMS_EINVAL, "cannot plan music of %g s; it must"
                        " be above 0 and at most %g s", duration,
                        EMS_PLAN_LONGEST);
    if (!(fps >= 0 && fps <= 1e6))
        return ems_fail(err, EMS_EINVAL, "%g frames per second cannot be",
                        fps);
    if (cut_count > EMS_PLAN_MOST || knot_count > EMS_PLAN_MOST)
        return ems_fail(err, EMS_EINVAL, "too many cuts or knots; at most %d"
                        " of each can be planned with", EMS_PLAN_MOST);
    for (size_t i = 0; i < cut_count; i++)
        if (!(cuts[i].time > (i ? cuts[i - 1].time : 0) &&
              cuts[i].time <= duration))
            return ems_fail(err, EMS_EINVAL, "cut %zu at %g s is not in order"
                            " or outside the film", i, cuts[i].time);
    if (knot_count == 0)
        return ems_fail(err, EMS_EINVAL, "the emotion curve is empty; it"
                        " needs at least one knot");
    for (size_t i = 0; i < knot_count; i++)
        if (!(curve[i].time >= 0 && curve[i].time <= duration) ||
            (i && !(curve[i].time > curve[i - 1].time)) ||
            !is_emotion(curve[i].valence) || !is_emotion(curve[i].arousal))
            return ems_fail(err, EMS_EINVAL, "knot %zu of the emotion curve,"
                            " at %g s, is not in order or outside the film"
                            " or [-1, 1]", i, curve[i].time);
    return EMS_OK;
}

typedef struct candidate {
    double time, strength;
    int later_class; /* dissolves and fade-outs come after all others */
    size_t index;    /* in time */
} candidate;

static int by_worth(const void *x, const void *y)
{
    const candidate *a = x, *b = y;
    if (a->later_class != b->later_class)
        return a->later_class - b->later_class;
    if (a->strength != b->strength)
        return a->strength > b->strength ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Mark everything closer than `gap` to candidate i, in time order. Accepted
 * hits are `gap` apart, so each cut is visited at most twice. */
static void block(char *state, const ems_plan *p, size_t i, double gap)
{
    const double t = p->cuts[i].time;
    for (size_t k = i; k-- > 0 && t - p->cuts[k].time < gap;)
        state[k] = 'b';
    for (size_t k = i + 1; k < p->cut_count && p->cuts[k].time - t < gap; k++)
        state[k] = 'b';
    state[i] = 'h';
}

static int choose_exact(ems_plan *p, double gap, ems_error *err)
{
    candidate *c = ems_alloc(p->cut_count, sizeof *c);
    char *state = ems_alloc(p->cut_count, 1);
    if (!c || !state) {
        ems_free(c);
        ems_free(state);
        return ems_out_of_memory(err);
    }
    size_t n = 0;
    for (size_t i = 0; i < p->cut_count; i++) {
        const ems_cut *cut = &p->cuts[i];
        if (cut->time >= HEAD && cut->time <= p->duration - TAIL)
            c[n++] = (candidate){cut->time, cut->strength,
                                 cut->kind == EMS_DISSOLVE ||
                                     cut->kind == EMS_FADE_OUT, i};
    }
    if (n)
        qsort(c, n, sizeof *c, by_worth);
    for (size_t i = 0; i < n; i++)
        if (!state[c[i].index])
            block(state, p, c[i].index, gap);
    for (size_t i = 0; i < p->cut_count; i++)
        if (state[i] == 'h')
            p->hits[p->hit_count++] = p->cuts[i].time;
    ems_free(c);
    ems_free(state);
    return EMS_OK;
}

static int choose_hits(ems_plan *p, double gap, ems_error *err)
{
    p->hits = ems_alloc(p->cut_count, sizeof *p->hits);
    if (!p->hits)
        return ems_out_of_memory(err);
    if (p->sync == EMS_SYNC_EXACT)
        return choose_exact(p, gap, err);
    for (size_t i = 0; i < p->cut_count; i++)
        if (p->cuts[i].time < p->duration)
            p->hits[p->hit_count++] = p->cuts[i].time;
    p->hit_count = ems_thin(p->hits, p->hits, p->hit_count, gap);
    return EMS_OK;
}

static int copy_film(ems_plan *p, const ems_cut *cuts, const ems_knot *curve,
                     const ems_plan_options *o, ems_error *err)
{
    p->cuts = ems_alloc(p->cut_count, sizeof *p->cuts);
    p->curve = ems_alloc(p->knot_count, sizeof *p->curve);
    if (!p->cuts || !p->curve)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < p->cut_count; i++)
        p->cuts[i] = (ems_cut){micro(cuts[i].time), cuts[i].kind,
                               micro(cuts[i].strength)};
    for (size_t i = 0; i < p->knot_count; i++) {
        const double v = isnan(o->valence) ? curve[i].valence : o->valence;
        const double a = isnan(o->arousal) ? curve[i].arousal : o->arousal;
        p->curve[i] = (ems_knot){micro(curve[i].time), micro(v), micro(a)};
    }
    return EMS_OK;
}

ems_plan *ems_plan_from(double duration, double fps, const ems_cut *cuts,
                        size_t cut_count, const ems_knot *curve,
                        size_t knot_count, const ems_plan_options *options,
                        ems_error *err)
{
    const ems_plan_options defaults = ems_plan_defaults();
    const ems_plan_options *o = options ? options : &defaults;
    const double gap = o->min_gap > 0 ? o->min_gap
                       : o->sync == EMS_SYNC_PAPER ? PAPER_GAP : EXACT_GAP;
    if (check_options(o, gap, err) < 0 ||
        check_film(duration, fps, cuts, cut_count, curve, knot_count,
                   err) < 0)
        return NULL;
    ems_plan *p = ems_alloc(1, sizeof *p);
    if (!p) {
        ems_out_of_memory(err);
        return NULL;
    }
    *p = (ems_plan){
        .duration = micro(duration), .fps = micro(fps), .seed = o->seed,
        .sync = o->sync, .cut_count = cut_count, .knot_count = knot_count,
    };
    if (copy_film(p, cuts, curve, o, err) < 0 ||
        choose_hits(p, gap, err) < 0) {
        ems_plan_free(p);
        return NULL;
    }
    return p;
}

ems_plan *ems_plan_make(const ems_analysis *a,
                        const ems_plan_options *options, ems_error *err)
{
    size_t cut_count, knot_count;
    if (!a) {
        ems_fail(err, EMS_EINVAL, "no analysis to plan from was given");
        return NULL;
    }
    const double duration = ems_analysis_duration(a);
    const double fps = ems_analysis_fps(a);
    const ems_cut *cuts = ems_analysis_cuts(a, &cut_count);
    const ems_knot *curve = ems_analysis_curve(a, &knot_count);
    ems_cut *listed = NULL;
    if (options && options->cuts) {
        if (ems_plan_listed(&listed, &cut_count, duration, fps, options,
                            err) < 0)
            return NULL;
        cuts = listed;
    }
    ems_plan *p = ems_plan_from(duration, fps, cuts, cut_count, curve,
                                knot_count, options, err);
    ems_free(listed);
    return p;
}

/* ---- Hash --------------------------------------------------------------- */

static void add_integer(ems_sha256 *s, uint64_t x)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(x >> (8 * i));
    ems_sha256_add(s, bytes, sizeof bytes);
}

/* In millionths, which is all a plan holds. */
static void add_number(ems_sha256 *s, double x)
{
    add_integer(s, (uint64_t)llrint(x * 1e6));
}

void ems_plan_hash(const ems_plan *p, char out[17])
{
    ems_sha256 s;
    uint8_t digest[32];
    ems_sha256_begin(&s);
    add_number(&s, p->duration);
    add_integer(&s, p->seed);
    add_integer(&s, (uint64_t)p->sync);
    add_integer(&s, p->hit_count);
    for (size_t i = 0; i < p->hit_count; i++)
        add_number(&s, p->hits[i]);
    add_integer(&s, p->knot_count);
    for (size_t i = 0; i < p->knot_count; i++) {
        add_number(&s, p->curve[i].time);
        add_number(&s, p->curve[i].valence);
        add_number(&s, p->curve[i].arousal);
    }
    ems_sha256_end(&s, digest);
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[i % 2 ? digest[i / 2] & 15
                                          : digest[i / 2] >> 4];
    out[16] = 0;
}

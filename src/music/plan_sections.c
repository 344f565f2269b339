/* Phrases, sections and the ending of a plan. */
#include "base/mem.h"
#include "base/rng.h"
#include "music/plan.h"

#include <math.h>

static const double LONG_TAKE = 12, PHRASE = 8; /* seconds */
static const double SLIP = 1.5, SLIP_STEP = 0.25; /* to a turn of the curve */
static const double SHORTEST_SECTION = 8;
static const double BREAK = 1.0; /* what a new section costs, in units of
                                    seconds times squared distance of V, A */
static const double RISE = 0.35; /* of arousal lifts the key a whole tone */
enum { FARTHEST = 300 }; /* moments looked back for a section's beginning */
static const double SHORTEST_WITH_ENDING = 6; /* seconds */
static const double ENDING = 2.5;   /* how long the last chord stands */
static const double LATE_HIT = 3.5; /* a hit this late is the ending */

const double ems_plan_enters[EMS_FAMILIES] = {
    [EMS_BASS] = -0.6, [EMS_DRUMS] = -0.15, [EMS_GUITAR] = -0.35,
    [EMS_PIANO] = -2, [EMS_STRINGS] = -2};

static double micro(double x)
{
    return rint(x * 1e6) / 1e6;
}

/* ---- Phrases in long takes ----------------------------------------------- */

static double turn_at(const ems_plan *p, double time)
{
    double v0, a0, v1, a1;
    ems_curve_at(p->curve, p->knot_count, time - SLIP, &v0, &a0);
    ems_curve_at(p->curve, p->knot_count, time + SLIP, &v1, &a1);
    return fabs(v1 - v0) + fabs(a1 - a0);
}

/* Where the emotion turns most around `time`, or there itself. */
static double nearest_turn(const ems_plan *p, double time)
{
    double best = time, most = turn_at(p, time) + 0.05;
    for (double off = -SLIP; off <= SLIP; off += SLIP_STEP)
        if (turn_at(p, time + off) > most) {
            most = turn_at(p, time + off);
            best = time + off;
        }
    return micro(best);
}

int ems_plan_choose_phrases(ems_plan *p, ems_error *err)
{
    const size_t most = (size_t)(p->duration / PHRASE) + 1;
    p->phrase_count = 0;
    p->phrases = ems_alloc(most, sizeof *p->phrases);
    if (!p->phrases)
        return ems_out_of_memory(err);
    for (size_t i = 0; i <= p->hit_count; i++) {
        const double from = i ? p->hits[i - 1] : 0;
        const double to = i < p->hit_count ? p->hits[i] : p->duration;
        const int parts = to - from > LONG_TAKE
                              ? (int)((to - from) / PHRASE + 0.25) : 1;
        for (int k = 1; k < parts && p->phrase_count < most; k++)
            p->phrases[p->phrase_count++] =
                nearest_turn(p, from + (to - from) * k / parts);
    }
    return EMS_OK;
}

/* ---- Sections ------------------------------------------------------------ */

typedef struct moment { /* where a section may begin */
    double time;
    double v, a, square; /* integrals of the curve from 0 */
    double cost;         /* of the best sections up to here */
    size_t from;         /* where the last of them begins */
} moment;

/* Integrals from the moment before, in steps of half a second. */
static void integrate(moment *m, const moment *before, const ems_plan *p)
{
    const double span = m->time - before->time;
    const int steps = 1 + (int)fmin(1000, span * 2);
    *m = (moment){m->time, before->v, before->a, before->square, 0, 0};
    for (int i = 0; i < steps; i++) {
        double v, a;
        ems_curve_at(p->curve, p->knot_count,
                     before->time + span * (i + 0.5) / steps, &v, &a);
        m->v += v * span / steps;
        m->a += a * span / steps;
        m->square += (v * v + a * a) * span / steps;
    }
}

/* Integral of the squared distance from the mean. */
static double spread(const moment *x, const moment *y)
{
    const double span = y->time - x->time, v = y->v - x->v, a = y->a - x->a;
    return y->square - x->square - (v * v + a * a) / span;
}

static void join(moment *m, size_t i)
{
    m[i].cost = INFINITY;
    for (size_t k = i; k-- > 0 && i - k <= FARTHEST;) {
        if (m[i].time - m[k].time < SHORTEST_SECTION && k > 0)
            continue;
        const double cost = m[k].cost + BREAK + spread(&m[k], &m[i]);
        if (cost < m[i].cost) {
            m[i].cost = cost;
            m[i].from = k;
        }
    }
}

/* Hits and phrases in order, at most one a second. */
static size_t list_moments(const ems_plan *p, moment *m)
{
    size_t n = 1, hit = 0, phrase = 0;
    m[0] = (moment){0};
    while (hit < p->hit_count || phrase < p->phrase_count) {
        const int take_hit = phrase == p->phrase_count ||
                             (hit < p->hit_count &&
                              p->hits[hit] <= p->phrases[phrase]);
        const double t = take_hit ? p->hits[hit++] : p->phrases[phrase++];
        if (t >= SHORTEST_SECTION && t <= p->duration - SHORTEST_SECTION &&
            t > m[n - 1].time + 1)
            m[n++].time = t;
    }
    m[n++].time = p->duration;
    return n;
}

static unsigned families_at(double arousal)
{
    unsigned families = 0;
    for (int f = 0; f < EMS_FAMILIES; f++)
        if (arousal >= ems_plan_enters[f])
            families |= 1u << f;
    return families;
}

/* The key stays, turns to its relative with the sign of valence, and rises
 * where arousal does. */
static void choose_keys(ems_plan *p, const double *v, const double *a)
{
    ems_rng r = ems_rng_seed(p->seed, 0x6b6579);
    int home = (int)ems_rng_below(&r, 12); /* of the major of the pair */
    for (size_t i = 0; i < p->section_count; i++) {
        ems_section *s = &p->sections[i];
        if (i && a[i] - a[i - 1] > RISE)
            home = (home + 2) % 12;
        s->minor = v[i] < 0;
        s->tonic = s->minor ? (home + 9) % 12 : home;
    }
}

static int fill_sections(ems_plan *p, const moment *m, size_t last,
                         ems_error *err)
{
    size_t n = 0;
    for (size_t k = last; k > 0; k = m[k].from)
        n++;
    p->sections = ems_alloc(n, sizeof *p->sections);
    double *v = ems_alloc(n, 2 * sizeof *v);
    if (!p->sections || !v) {
        ems_free(v);
        return ems_out_of_memory(err);
    }
    double *const a = v + n;
    p->section_count = n;
    for (size_t k = last; k > 0; k = m[k].from) {
        const moment *from = &m[m[k].from];
        const double span = m[k].time - from->time;
        v[--n] = (m[k].v - from->v) / span;
        a[n] = (m[k].a - from->a) / span;
        p->sections[n] = (ems_section){
            .from = micro(from->time), .families = families_at(a[n]),
            .seed = ems_plan_section_seed(p->seed, n)};
    }
    choose_keys(p, v, a);
    ems_free(v);
    return EMS_OK;
}

uint64_t ems_plan_section_seed(uint64_t seed, size_t section)
{
    ems_rng r = ems_rng_seed(seed, section + 1);
    return section ? ems_rng_below(&r, EMS_PLAN_SEED_MOST) : seed;
}

int ems_plan_choose_sections(ems_plan *p, ems_error *err)
{
    moment *m = ems_alloc(p->hit_count + p->phrase_count + 2, sizeof *m);
    if (!m)
        return ems_out_of_memory(err);
    const size_t count = list_moments(p, m);
    for (size_t i = 1; i < count; i++) {
        integrate(&m[i], &m[i - 1], p);
        join(m, i);
    }
    const int code = fill_sections(p, m, count - 1, err);
    ems_free(m);
    return code;
}

size_t ems_plan_section_at(const ems_plan *p, double time)
{
    size_t low = 0, high = p->section_count; /* first that begins later */
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (p->sections[mid].from <= time)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? low - 1 : 0;
}

int ems_plan_spoken(const ems_plan *p, double time, double soon)
{
    for (size_t i = 0; i < p->speech_count; i++)
        if (p->speech[i].from <= time + soon && p->speech[i].to > time)
            return 1;
    return 0;
}

/* ---- The ending ---------------------------------------------------------- */

ems_ending ems_plan_ending(const ems_plan *p, double *time)
{
    const double last = p->hit_count ? p->hits[p->hit_count - 1] : 0;
    *time = p->hit_count && last > p->duration - LATE_HIT
                ? last : micro(p->duration - ENDING);
    return p->sync != EMS_SYNC_PAPER && p->duration > SHORTEST_WITH_ENDING
               ? EMS_ENDING_CHORD : EMS_ENDING_NONE;
}

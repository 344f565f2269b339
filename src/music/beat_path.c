#include "music/beat_path.h"

#include "base/exact.h"
#include "base/mem.h"

#include <math.h>

enum {
    BACK = 6,      /* points to come from */
    CHOICES = 3,   /* the nearest number of beats, one less, one more */
    TEMPI = 25,
    TEMPO_POINTS = 20000, /* so many choose the tempo for all */
};
static const double MIDDLE_TEMPO = 100, TEMPO_SPAN = 40;
static const double SLOWER = 0.85, FASTER = 1.3; /* than wanted, at most */
static const double SWAY = 0.10;   /* faster at arousal 1 above the mean */
static const double JERK = 35;     /* of a change between neighbours, squared
                                      logarithm; */
static const double STUMBLE = 50, SLIGHT = 0.1;  /* and what of it is above
                                      10 % */
static const double PULL = 2;      /* a beat, of a tempo off the wanted one */
static const double LOYALTY = 0.1; /* a beat, of the film's tempo off the same */
static const double SLACK = 1e-9;  /* seconds: rounding is no nearness */
static const double CROWD = 0.1, CROWDED = 2; /* a second nearer than that */

/* ---- Tempo --------------------------------------------------------------- */

static double arousal_at(const ems_plan *p, double time)
{
    double valence, arousal;
    ems_curve_at(p->curve, p->knot_count, time, &valence, &arousal);
    return arousal;
}

double ems_plan_mean_arousal(const ems_plan *p)
{
    enum { POINTS = 64 };
    double sum = 0;
    for (int i = 0; i < POINTS; i++)
        sum += arousal_at(p, p->duration * (i + 0.5) / POINTS);
    return sum / POINTS;
}

ems_tempo ems_tempo_of(const ems_plan *plan)
{
    if (plan->tempo.wanted > 0)
        return plan->tempo;
    const double wanted = MIDDLE_TEMPO + TEMPO_SPAN * ems_plan_mean_arousal(plan);
    return (ems_tempo){wanted, wanted * SLOWER, wanted * FASTER};
}

double ems_tempo_sway(const ems_plan *plan, double mean, double time)
{
    const double more = arousal_at(plan, time) - mean;
    return 1 + SWAY * fmax(-1, fmin(1, more));
}

/* ---- The search ----------------------------------------------------------
 *
 * Dynamic programming over the points, the film's beginning before them and
 * its end after them. A state is a way to arrive at a point: from which one,
 * in how many beats. */

typedef struct state {
    double cost;      /* of the best way here */
    double log_tempo; /* of its last stretch */
    int beats;
    uint32_t from;    /* the node before */
    size_t before;    /* the state there */
} state;

typedef struct node {
    double time, gain;
    int must;
    size_t first, count; /* of its states */
} node;

typedef struct search {
    const ems_plan *plan;
    node *nodes;       /* [count] the points between the two ends */
    size_t count;
    state *states;
    size_t used, capacity;
    double tempo, wanted, gap, mean;
    ems_error *err;
} search;

/* The best state at node j to go on from at this tempo. */
static void arrive(const search *s, size_t j, state *way)
{
    const node *n = &s->nodes[j];
    double best = INFINITY;
    for (size_t k = n->first; k < n->first + n->count; k++) {
        const double jump =
            j ? fabs(way->log_tempo - s->states[k].log_tempo) : 0;
        const double cost = s->states[k].cost + JERK * jump * jump +
                            STUMBLE * fmax(0, jump - SLIGHT);
        if (cost < best) {
            best = cost;
            way->before = k;
        }
    }
    way->cost += best;
}

static int add_ways(search *s, size_t i, size_t j)
{
    node *n = &s->nodes[i];
    const double from = s->nodes[j].time, length = n->time - from;
    const double swayed = s->tempo * ems_tempo_sway(s->plan, s->mean,
                                                    from + length / 2);
    const double log_wanted = ems_exact_log(swayed);
    const double crowd = length < CROWDED ? CROWD * (CROWDED - length) : 0;
    int beats = (int)rint(fmin(length * swayed / 60, 1e9)) - 1;
    if (ems_reserve((void *)&s->states, &s->capacity, s->used + CHOICES,
                    sizeof *s->states) < 0)
        return ems_out_of_memory(s->err);
    for (int k = 0; k < CHOICES; k++, beats++) {
        if (beats < 1)
            continue;
        const double log_tempo = ems_exact_log(60 * beats / length);
        const double off = log_tempo - log_wanted;
        state *way = &s->states[s->used++];
        *way = (state){PULL * beats * off * off + crowd - n->gain, log_tempo,
                       beats, (uint32_t)j, 0};
        arrive(s, j, way);
        n->count++;
    }
    return EMS_OK;
}

/* Ways to node i from the nearest nodes that are not too near: those before
 * `until`, back to `must`, the last one that must be met. */
static int reach(search *s, size_t i, size_t until, size_t must)
{
    node *n = &s->nodes[i];
    n->first = s->used;
    n->count = 0;
    if (must >= until)
        return must == 0 || n->must ? add_ways(s, i, must) : EMS_OK;
    int ways = 0;
    for (size_t j = until; j-- > must && ways < BACK;) {
        if (s->nodes[j].count == 0)
            continue;
        if (add_ways(s, i, j) < 0)
            return EMS_ENOMEM;
        ways++;
    }
    return EMS_OK;
}

/* *cost: of the best way to node `last`. */
static int walk(search *s, size_t last, double *cost)
{
    size_t until = 0, must = 0;
    s->states[0] = (state){0};
    s->nodes[0].count = s->used = 1;
    for (size_t i = 1; i <= last; i++) {
        const double latest = s->nodes[i].time - s->gap + SLACK;
        while (until < i && s->nodes[until].time <= latest)
            until++;
        if (reach(s, i, i + 1 == s->count ? i : until, must) < 0)
            return EMS_ENOMEM;
        if (s->nodes[i].must)
            must = i;
    }
    const node *n = &s->nodes[last];
    double best = INFINITY;
    for (size_t k = n->first; k < n->first + n->count; k++)
        best = fmin(best, s->states[k].cost);
    const double off = ems_exact_log(s->tempo / s->wanted);
    const double length = n->time - s->nodes[0].time;
    *cost = best + LOYALTY * off * off * length * s->tempo / 60;
    return EMS_OK;
}

static int choose_tempo(search *s, ems_tempo t)
{
    double best = t.wanted, least = INFINITY;
    const size_t last = s->count - 1 < TEMPO_POINTS ? s->count - 1
                                                    : TEMPO_POINTS;
    for (int i = 0; i < TEMPI; i++) {
        /* from the wanted tempo outwards: of equals the nearest wins */
        const double far = (double)((i + 1) / 2) / (TEMPI / 2);
        double cost;
        s->tempo = t.wanted + far * ((i % 2 ? t.most : t.least) - t.wanted);
        if (walk(s, last, &cost) < 0)
            return EMS_ENOMEM;
        if (cost < least) {
            least = cost;
            best = s->tempo;
        }
    }
    s->tempo = best;
    return EMS_OK;
}

static int trace(ems_beat_path *path, const search *s)
{
    const node *end = &s->nodes[s->count - 1];
    size_t best = end->first, met = 0;
    for (size_t k = end->first; k < end->first + end->count; k++)
        if (s->states[k].cost < s->states[best].cost)
            best = k;
    for (size_t k = best; s->states[k].from > 0; k = s->states[k].before)
        met++;
    path->point = ems_alloc(met, sizeof *path->point);
    path->beats = ems_alloc(met + 1, sizeof *path->beats);
    if (!path->point || !path->beats)
        return ems_out_of_memory(s->err);
    path->count = met;
    for (const state *way = &s->states[best];; way = &s->states[way->before]) {
        path->beats[met] = way->beats;
        if (way->from == 0)
            return EMS_OK;
        path->point[--met] = way->from - 1;
    }
}

static int lay_nodes(search *s, ems_stretch part,
                     const ems_beat_point *points, size_t count)
{
    s->count = count + 2;
    s->nodes = ems_alloc(s->count, sizeof *s->nodes);
    if (!s->nodes || ems_reserve((void *)&s->states, &s->capacity, 1,
                                 sizeof *s->states) < 0)
        return ems_out_of_memory(s->err);
    s->nodes[0] = (node){.time = part.from, .must = 1};
    for (size_t i = 0; i < count; i++)
        s->nodes[i + 1] = (node){.time = points[i].time,
                                 .gain = points[i].gain,
                                 .must = points[i].must};
    s->nodes[count + 1] = (node){.time = part.to, .must = 1};
    return EMS_OK;
}

int ems_beat_path_find(ems_beat_path *path, const ems_plan *plan,
                       ems_stretch part, const ems_beat_point *points,
                       size_t count, ems_tempo tempo, double gap,
                       ems_error *err)
{
    *path = (ems_beat_path){.mean_arousal = ems_plan_mean_arousal(plan)};
    search s = {.plan = plan, .gap = gap, .wanted = tempo.wanted,
                .mean = path->mean_arousal, .err = err};
    double cost;
    int code = lay_nodes(&s, part, points, count);
    if (code == EMS_OK)
        code = choose_tempo(&s, tempo);
    if (code == EMS_OK)
        code = walk(&s, s.count - 1, &cost);
    if (code == EMS_OK)
        code = trace(path, &s);
    path->tempo = s.tempo;
    ems_free(s.nodes);
    ems_free(s.states);
    if (code < 0)
        ems_beat_path_clear(path);
    return code;
}

void ems_beat_path_clear(ems_beat_path *path)
{
    ems_free(path->point);
    ems_free(path->beats);
    *path = (ems_beat_path){0};
}

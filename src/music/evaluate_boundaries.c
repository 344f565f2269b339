/* Do chords meet boundaries, and what does that cost? Pieces for random lists
 * of boundaries: the model alone, told of them, not told, told of another
 * list's; then guided to them, then in planned bars too, at last led in the
 * same way to no boundaries at all. */
#include "base/mem.h"
#include "base/rng.h"
#include "music/chords.h"
#include "music/evaluate.h"
#include "music/tokens.h"

#include <math.h>

enum {
    LIST_STREAM = 0x6c697374,
};
#define LEAST_GAP 2.0 /* seconds between boundaries */
#define NEAR 1.0
#define MOST_GAP 8.0

typedef enum telling { NOTHING, OWN, ANOTHERS } telling;

static const struct {
    const char *name;
    ems_sync sync;
    telling told;
} ways[EMS_EVALUATE_WAYS] = {
    {"told", EMS_SYNC_PAPER, OWN},
    {"not told", EMS_SYNC_PAPER, NOTHING},
    {"told another list", EMS_SYNC_PAPER, ANOTHERS},
    {"guided", EMS_SYNC_GUIDED, OWN},
    {"led", EMS_SYNC_EXACT, OWN},
    {"led, no boundaries", EMS_SYNC_EXACT, NOTHING},
};

typedef struct list {
    double *time;
    size_t count;
    double valence, arousal;
} list;

static int make_list(list *l, double seconds, uint64_t seed, size_t i,
                     ems_error *err)
{
    ems_rng rng = ems_rng_seed(seed, LIST_STREAM + i);
    l->time = ems_alloc((size_t)(seconds / LEAST_GAP) + 1, sizeof(double));
    if (!l->time)
        return ems_out_of_memory(err);
    double at = 0;
    for (;;) {
        at += LEAST_GAP + (MOST_GAP - LEAST_GAP) * ems_rng_uniform(&rng);
        if (at >= seconds - 1)
            break;
        l->time[l->count++] = at;
    }
    l->valence = 1.6 * ems_rng_uniform(&rng) - 0.8;
    l->arousal = 1.6 * ems_rng_uniform(&rng) - 0.8;
    return EMS_OK;
}

static int set_task(ems_task *t, const list *own, const list *told,
                    ems_sync sync, const ems_evaluator *e, size_t i,
                    ems_error *err)
{
    const size_t n = told ? told->count : 0;
    double *hits = ems_alloc(n, sizeof *hits);
    if (!hits)
        return ems_out_of_memory(err);
    for (size_t k = 0; k < n; k++)
        hits[k] = told->time[k];
    ems_task_set(t, e->o->seconds, own->valence, own->arousal, hits, n,
                 sync, e->o->seed + i);
    return EMS_OK;
}

/* A chord that <CHORD> called: guitar or piano, louder. From note *i on. */
static double next_chord(const ems_piece *p, size_t *i)
{
    for (; *i < p->note_count; ++*i) {
        const ems_note *n = &p->notes[*i];
        if (n->velocity >= EMS_CHORD_VELOCITY &&
            (n->family == EMS_GUITAR || n->family == EMS_PIANO))
            return n->start;
    }
    return INFINITY;
}

static double distance(const ems_piece *p, double time)
{
    double best = INFINITY;
    for (size_t i = 0; i < p->note_count; i++)
        best = fmin(best, fabs(next_chord(p, &i) - time));
    return best;
}

static int is_near(const list *l, double time)
{
    for (size_t k = 0; k < l->count; k++)
        if (fabs(l->time[k] - time) <= NEAR)
            return 1;
    return 0;
}

typedef struct chord_count {
    double chords[2], seconds[2]; /* elsewhere; within NEAR of a boundary */
} chord_count;

/* Boundaries are LEAST_GAP apart: what is near one is near no other. */
static void count_chords(chord_count *c, const ems_piece *p, const list *l)
{
    double last = -1, near = 0;
    for (size_t k = 0; k < l->count; k++)
        near += fmin(l->time[k] + NEAR, p->duration) -
                fmax(l->time[k] - NEAR, 0);
    c->seconds[1] += near;
    c->seconds[0] += p->duration - near;
    for (size_t i = 0; i < p->note_count; i++) {
        const double at = next_chord(p, &i);
        if (isfinite(at) && at > last)
            c->chords[is_near(l, at)]++;
        last = at;
    }
}

static void fill_chords(ems_chord_row *row, const ems_chord_sums *s,
                        double ons, double nats)
{
    *row = (ems_chord_row){.chords = (size_t)s->chords,
                           .notes = s->notes / s->chords,
                           .known = s->known / s->chords,
                           .sharp = s->sharp / s->pairs, .nats = nats / ons};
}

/* What the model thinks of it, and what its chords are like. */
static void fill_price(ems_boundary_row *row, const list *lists,
                       const ems_task *tasks, size_t count)
{
    ems_likelihood sum = {0};
    ems_chord_sums chords[2] = {{.chords = 0}, {.chords = 0}};
    for (size_t i = 0; i < count; i++) {
        const ems_likelihood *l = &tasks[i].piece->likelihood;
        sum.tokens += l->tokens;
        sum.nats += l->nats;
        sum.rules += l->rules;
        sum.due += l->due;
        for (int k = 0; k < 2; k++) {
            sum.ons[k] += l->ons[k];
            sum.on_nats[k] += l->on_nats[k];
        }
        ems_chords_measure(tasks[i].piece, lists[i].time, lists[i].count,
                           &chords[1], &chords[0]);
    }
    row->nats = sum.nats / sum.tokens;
    row->rules = sum.rules / sum.tokens;
    row->due = sum.due / sum.tokens;
    for (int k = 0; k < 2; k++)
        fill_chords(&row->chords[k], &chords[k], sum.ons[k], sum.on_nats[k]);
}

static void fill_row(ems_boundary_row *row, const list *lists,
                     const ems_task *tasks, size_t count)
{
    chord_count c = {{0}, {0}};
    for (size_t i = 0; i < count; i++) {
        const ems_piece *p = tasks[i].piece;
        count_chords(&c, p, &lists[i]);
        for (size_t k = 0; k < lists[i].count; k++) {
            const double far = distance(p, lists[i].time[k]);
            row->boundaries++;
            row->within_100ms += far <= 0.1;
            row->within_1s += far <= NEAR;
        }
    }
    if (row->boundaries) {
        row->within_100ms /= (double)row->boundaries;
        row->within_1s /= (double)row->boundaries;
    }
    row->chords_per_minute = 60 * (c.chords[0] + c.chords[1]) /
                             (c.seconds[0] + c.seconds[1]);
    row->chords_near = 60 * c.chords[1] / c.seconds[1];
    row->chords_away = 60 * c.chords[0] / c.seconds[0];
}

static int compose_way(ems_evaluator *e, const list *lists, int way,
                       ems_error *err)
{
    const size_t n = (size_t)e->o->lists;
    ems_task *tasks = ems_alloc(n, sizeof *tasks);
    int code = tasks ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; i < n && code == EMS_OK; i++)
        code = set_task(&tasks[i], &lists[i],
                        ways[way].told == NOTHING ? NULL
                        : ways[way].told == OWN   ? &lists[i]
                                                  : &lists[(i + 1) % n],
                        ways[way].sync, e, i, err);
    if (code == EMS_OK)
        code = ems_tasks_compose(e, tasks, n, err);
    ems_boundary_row *row = &e->out->boundary[way];
    row->name = ways[way].name;
    if (code == EMS_OK) {
        fill_row(row, lists, tasks, n);
        fill_price(row, lists, tasks, n);
    }
    for (size_t i = 0; i < n && code == EMS_OK; i++)
        code = ems_evaluate_add(row->mean, 1.0 / (double)n, tasks[i].piece,
                                err);
    for (size_t i = 0; tasks && i < n; i++)
        ems_task_clear(&tasks[i]);
    ems_free(tasks);
    return code;
}

int ems_evaluate_boundaries(ems_evaluator *e, ems_error *err)
{
    const size_t n = (size_t)e->o->lists;
    list *lists = ems_alloc(n, sizeof *lists);
    int code = lists ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; i < n && code == EMS_OK; i++)
        code = make_list(&lists[i], e->o->seconds, e->o->seed, i, err);
    const double share = e->share;
    ems_evaluate_name(e->out);
    e->share /= EMS_EVALUATE_WAYS;
    for (int way = 0; way < EMS_EVALUATE_WAYS && code == EMS_OK; way++) {
        code = compose_way(e, lists, way, err);
        e->done += e->share;
    }
    e->share = share;
    for (size_t i = 0; lists && i < n; i++)
        ems_free(lists[i].time);
    ems_free(lists);
    return code;
}

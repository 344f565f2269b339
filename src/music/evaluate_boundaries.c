/* Do chords meet boundaries? Pieces for random lists of boundaries, told of
 * them, not told, told of another list's; then led to them. */
#include "base/mem.h"
#include "base/rng.h"
#include "music/evaluate.h"
#include "music/tokens.h"

#include <math.h>

enum {
    LIST_STREAM = 0x6c697374,
    GIVEN = 0, WITHHELD, SHUFFLED, EXACT, /* EMS_EVALUATE_WAYS */
};
#define LEAST_GAP 2.0 /* seconds between boundaries */
#define MOST_GAP 8.0

static const char *const way_name[EMS_EVALUATE_WAYS] = {
    "told", "not told", "told another list", "led"};

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

static int set_task(ems_task *t, const list *own, const list *told, int way,
                    const ems_evaluator *e, size_t i, ems_error *err)
{
    const size_t n = told ? told->count : 0;
    double *hits = ems_alloc(n, sizeof *hits);
    if (!hits)
        return ems_out_of_memory(err);
    for (size_t k = 0; k < n; k++)
        hits[k] = told->time[k];
    ems_task_set(t, e->o->seconds, own->valence, own->arousal, hits, n,
                 way == EXACT ? EMS_SYNC_EXACT : EMS_SYNC_PAPER,
                 e->o->seed + i);
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

static size_t count_chords(const ems_piece *p)
{
    size_t count = 0;
    double last = -1;
    for (size_t i = 0; i < p->note_count; i++) {
        const double at = next_chord(p, &i);
        count += isfinite(at) && at > last;
        last = at;
    }
    return count;
}

static void fill_row(ems_boundary_row *row, const list *lists,
                     const ems_task *tasks, size_t count)
{
    double chords = 0, seconds = 0;
    for (size_t i = 0; i < count; i++) {
        const ems_piece *p = tasks[i].piece;
        chords += (double)count_chords(p);
        seconds += p->duration;
        for (size_t k = 0; k < lists[i].count; k++) {
            const double far = distance(p, lists[i].time[k]);
            row->boundaries++;
            row->within_100ms += far <= 0.1;
            row->within_1s += far <= 1;
        }
    }
    if (row->boundaries) {
        row->within_100ms /= (double)row->boundaries;
        row->within_1s /= (double)row->boundaries;
    }
    row->chords_per_minute = 60 * chords / seconds;
}

static int compose_way(ems_evaluator *e, const list *lists, int way,
                       ems_error *err)
{
    const size_t n = (size_t)e->o->lists;
    ems_task *tasks = ems_alloc(n, sizeof *tasks);
    int code = tasks ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; i < n && code == EMS_OK; i++)
        code = set_task(&tasks[i], &lists[i],
                        way == WITHHELD   ? NULL
                        : way == SHUFFLED ? &lists[(i + 1) % n]
                                          : &lists[i],
                        way, e, i, err);
    if (code == EMS_OK)
        code = ems_tasks_compose(e, tasks, n, err);
    ems_boundary_row *row = &e->out->boundary[way];
    row->name = way_name[way];
    if (code == EMS_OK)
        fill_row(row, lists, tasks, n);
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

/* Composing many pieces, one on each thread. */
#include "base/mem.h"
#include "base/run.h"
#include "music/evaluate.h"

void ems_task_set(ems_task *t, double seconds, double valence, double arousal,
                  double *hits, size_t hit_count, ems_sync sync,
                  uint64_t seed)
{
    *t = (ems_task){.asked_valence = valence, .asked_arousal = arousal};
    t->knot = (ems_knot){0, valence, arousal};
    t->plan = (ems_plan){.duration = seconds, .seed = seed, .sync = sync,
                         .hits = hits, .hit_count = hit_count,
                         .curve = &t->knot, .knot_count = 1};
}

void ems_task_clear(ems_task *t)
{
    ems_free(t->plan.hits);
    ems_piece_free(t->piece);
    *t = (ems_task){0};
}

typedef struct work {
    ems_task *tasks;
    const ems_compose_options *options;
} work;

static void compose_one(void *context, size_t i)
{
    static const ems_run alone = {.threads = 1};
    const work *w = context;
    ems_task *t = &w->tasks[i];
    t->piece = ems_compose(&t->plan, w->options, &alone, &t->error);
    t->code = t->piece ? EMS_OK : (int)t->error.code;
}

/* In groups, so that progress is told and a wish to stop is heard. */
int ems_tasks_compose(ems_evaluator *e, ems_task *tasks, size_t count,
                      ems_error *err)
{
    ems_compose_options options = e->o->compose;
    options.velocity = EMS_VELOCITY_PAPER; /* chords are told by it */
    options.likelihood = 1;
    const size_t group = 2 * (size_t)ems_pool_threads(e->pool);
    for (size_t at = 0; at < count; at += group) {
        const size_t n = count - at < group ? count - at : group;
        work w = {tasks + at, &options};
        if (ems_cancelled(e->run))
            return ems_fail_cancelled(err);
        ems_pool_for(e->pool, n, compose_one, &w);
        for (size_t i = at; i < at + n; i++)
            if (tasks[i].code < 0) {
                if (err)
                    *err = tasks[i].error;
                return tasks[i].code;
            }
        e->out->seconds += (double)n * tasks[at].plan.duration;
        ems_progress(e->run, "compose",
                     e->done + e->share * (double)(at + n) / (double)count);
    }
    return EMS_OK;
}

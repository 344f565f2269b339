/* Judging a model by what it composes. */
#include "music/evaluate.h"

#include "base/mem.h"
#include "base/run.h"
#include "music/midi_files.h"

#include <math.h>

/* How long the parts take, roughly, for the progress. */
static const double cost_of_nll = 0.1;

ems_evaluate_options ems_evaluate_defaults(void)
{
    return (ems_evaluate_options){
        .parts = EMS_EVALUATE_ALL, .pieces = 8, .lists = 24, .excerpts = 48,
        .seconds = 30, .seed = 1, .compose = ems_compose_defaults()};
}

static int check_options(const ems_evaluate_options *o, ems_error *err)
{
    if (o->pieces < 1 || o->pieces > 10000 || o->lists < 1 ||
        o->lists > 100000 || o->excerpts < 1 || o->excerpts > 1000000)
        return ems_fail(err, EMS_EINVAL, "%d pieces for each emotion, %d"
                        " lists, %d excerpts: take at least one of each",
                        o->pieces, o->lists, o->excerpts);
    if (o->window < 0)
        return ems_fail(err, EMS_EINVAL, "a window of %d tokens; take 1 or"
                        " more, or 0 for all that the model can see",
                        o->window);
    if (!(o->seconds >= 8 && o->seconds <= 3600))
        return ems_fail(err, EMS_EINVAL, "pieces of %g seconds; take 8 to"
                        " 3600", o->seconds);
    if (!(o->parts & EMS_EVALUATE_ALL))
        return ems_fail(err, EMS_EINVAL, "no part of the evaluation is asked"
                        " for");
    return EMS_OK;
}

/* ---- Pieces ---- */

/* The grid of the paper: 5 x 5 emotions. */
static int compose_emotions(ems_evaluator *e, ems_error *err)
{
    const size_t grid = EMS_EVALUATE_GRID, n = (size_t)e->o->pieces;
    e->emotion_count = grid * grid * n;
    e->emotions = ems_alloc(e->emotion_count, sizeof *e->emotions);
    if (!e->emotions)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < e->emotion_count; i++)
        ems_task_set(&e->emotions[i], e->o->seconds,
                     e->out->asked[i / n / grid], e->out->asked[i / n % grid],
                     NULL, 0, e->o->sync, e->o->seed + i);
    return ems_tasks_compose(e, e->emotions, e->emotion_count, err);
}

static int load_folder(const ems_evaluator *e, ems_piece ***pieces,
                       size_t *count, ems_error *err)
{
    ems_midi_files files = {0};
    int code = ems_midi_files_find(&files, &e->o->folder, 1, err);
    *pieces = ems_alloc(files.count, sizeof **pieces);
    if (code == EMS_OK && !*pieces)
        code = ems_out_of_memory(err);
    for (size_t i = 0; i < files.count && code == EMS_OK; i++) {
        ems_error why;
        ems_piece *p = ems_piece_load(files.items[i].path, &why);
        if (ems_cancelled(e->run))
            code = ems_fail_cancelled(err);
        if (p)
            (*pieces)[(*count)++] = p;
        else if (why.code == EMS_ENOMEM)
            code = ems_out_of_memory(err);
        else
            e->out->skipped++;
    }
    ems_midi_files_clear(&files);
    if (code == EMS_OK && *count == 0)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" has no MIDI file that can"
                        " be read (%zu cannot)", e->o->folder,
                        e->out->skipped);
    return code;
}

/* ---- The parts ---- */

static int has(const ems_evaluator *e, unsigned part)
{
    return (e->out->parts & part) != 0;
}

/* A part that cannot be done is left out, unless nothing else is wanted. */
static int leave_out(ems_evaluator *e, unsigned part, const char *name,
                     int code, ems_error *err)
{
    if (code == EMS_OK || code == EMS_ENOMEM || code == EMS_ECANCELLED ||
        e->out->parts == part)
        return code;
    ems_log(e->run, EMS_LOG_WARNING, "without %s: %s", name, err->text);
    e->out->parts &= ~part;
    return EMS_OK;
}

static int judge_pieces(ems_evaluator *e, ems_piece *const *pieces,
                        size_t count, ems_error *err)
{
    int code = EMS_OK;
    if (has(e, EMS_EVALUATE_MUSIC))
        code = ems_evaluate_statistics(e, pieces, count, err);
    if (code == EMS_OK && has(e, EMS_EVALUATE_NOVELTY))
        code = leave_out(e, EMS_EVALUATE_NOVELTY, "novelty",
                         ems_evaluate_novelty(e, pieces, count, err), err);
    e->out->pieces = count;
    return code;
}

static int judge_folder(ems_evaluator *e, ems_error *err)
{
    ems_piece **pieces = NULL;
    size_t count = 0;
    e->out->parts &= EMS_EVALUATE_MUSIC | EMS_EVALUATE_NOVELTY;
    if (!e->out->parts)
        return ems_fail(err, EMS_EINVAL, "of a folder of music only"
                        " statistics and novelty can be told");
    int code = load_folder(e, &pieces, &count, err);
    if (code == EMS_OK)
        code = judge_pieces(e, pieces, count, err);
    for (size_t i = 0; i < count; i++)
        ems_piece_free(pieces[i]);
    ems_free(pieces);
    return code;
}

static int judge_emotions(ems_evaluator *e, ems_error *err)
{
    int code = compose_emotions(e, err);
    ems_piece **pieces = ems_alloc(e->emotion_count, sizeof *pieces);
    if (code == EMS_OK && !pieces)
        code = ems_out_of_memory(err);
    for (size_t i = 0; code == EMS_OK && i < e->emotion_count; i++)
        pieces[i] = e->emotions[i].piece;
    if (code == EMS_OK)
        code = judge_pieces(e, pieces, e->emotion_count, err);
    if (code == EMS_OK && has(e, EMS_EVALUATE_EMOTION))
        code = leave_out(e, EMS_EVALUATE_EMOTION, "emotion",
                         ems_evaluate_emotion(e, err), err);
    for (size_t i = 0; e->emotions && i < e->emotion_count; i++)
        ems_task_clear(&e->emotions[i]);
    ems_free(e->emotions);
    ems_free(pieces);
    return code;
}

static int judge_model(ems_evaluator *e, ems_error *err)
{
    const int emotions = has(e, EMS_EVALUATE_MUSIC | EMS_EVALUATE_EMOTION |
                                    EMS_EVALUATE_NOVELTY);
    const double pieces = emotions ? 25.0 * e->o->pieces : 0;
    const double lists = has(e, EMS_EVALUATE_BOUNDARIES)
                             ? (double)EMS_EVALUATE_WAYS * e->o->lists : 0;
    const double nll = has(e, EMS_EVALUATE_NLL) ? cost_of_nll : 0;
    int code = EMS_OK;
    if (nll > 0) {
        e->share = lists + pieces > 0 ? nll : 1;
        code = leave_out(e, EMS_EVALUATE_NLL, "held-out music",
                         ems_evaluate_nll(e, err), err);
        e->done += e->share;
    }
    if (code == EMS_OK && emotions) {
        e->share = (1 - nll) * pieces / (pieces + lists);
        code = judge_emotions(e, err);
        e->done += e->share;
    }
    if (code == EMS_OK && lists > 0) {
        e->share = (1 - nll) * lists / (pieces + lists);
        code = ems_evaluate_boundaries(e, err);
    }
    return code;
}

static int open_data(ems_evaluator *e, ems_error *err)
{
    if (!e->o->dataset) {
        if (e->out->parts == EMS_EVALUATE_NLL)
            return ems_fail(err, EMS_EINVAL, "the likelihood of held-out"
                            " music needs a data set");
        e->out->parts &= ~(unsigned)EMS_EVALUATE_NLL;
        return EMS_OK;
    }
    e->data = ems_dataset_open(e->o->dataset, err);
    return e->data ? EMS_OK : (int)err->code;
}

int ems_evaluate_music(const ems_evaluate_options *options,
                       ems_evaluation *out, const ems_run *run,
                       ems_error *err)
{
    ems_error own;
    ems_error *to = err ? err : &own;
    ems_evaluator e = {.o = options, .run = run, .out = out};
    *out = (ems_evaluation){.parts = options->parts & EMS_EVALUATE_ALL};
    for (int i = 0; i < EMS_EVALUATE_GRID; i++)
        out->asked[i] = 0.4 * (i - 2);
    int code = check_options(options, to);
    if (code == EMS_OK)
        code = open_data(&e, to);
    if (code == EMS_OK) {
        e.pool = ems_pool_new(ems_run_threads(run), to);
        code = e.pool ? EMS_OK : (int)to->code;
    }
    if (code == EMS_OK)
        code = options->folder ? judge_folder(&e, to) : judge_model(&e, to);
    ems_pool_free(e.pool);
    ems_dataset_close(e.data);
    return code;
}

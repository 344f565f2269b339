/* The five stages in a row. */
#include "audio/audio.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "media/media.h"
#include "music/model_io.h"
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

ems_score_options ems_score_defaults(void)
{
    return (ems_score_options){
        .analyze = ems_analyze_defaults(),
        .plan = ems_plan_defaults(),
        .compose = ems_compose_defaults(),
        .render = ems_render_defaults(),
        .mux = ems_mux_defaults(),
    };
}

typedef struct job { /* one call of ems_score */
    const char *video, *out;
    const ems_score_options *options;
    const ems_run *run;
    ems_error *err;
    ems_report *report;
    ems_analysis *analysis;
    ems_plan *plan;
    ems_piece *piece;
    ems_output wav; /* the mix, when it is not kept */
    char *mix;      /* its path */
    char *stems;
} job;

/* Seconds since *mark, which moves to now. */
static double lap(double *mark)
{
    const double now = ems_now(), seconds = now - *mark;
    *mark = now;
    return seconds;
}

/* Save one stage's file as DIR/name when --keep asks for it. */
static int keep(const job *j, const char *name,
                int (*save)(const void *, const char *, ems_error *),
                const void *object)
{
    if (!j->options->keep)
        return EMS_OK;
    char *path = ems_path_join(j->options->keep, name);
    if (!path)
        return ems_out_of_memory(j->err);
    const int code = save(object, path, j->err);
    ems_free(path);
    return code;
}

static int save_analysis(const void *a, const char *path, ems_error *err)
{
    return ems_analysis_save(a, path, err);
}

static int save_plan(const void *p, const char *path, ems_error *err)
{
    return ems_plan_save(p, path, err);
}

static int save_piece(const void *p, const char *path, ems_error *err)
{
    return ems_piece_save(p, path, err);
}

/* Where the mix goes: into the kept folder, or beside the output until it is
 * muxed. */
static int choose_paths(job *j)
{
    const char *folder = j->options->keep;
    if (!folder) {
        const int code = ems_output_reserve(&j->wav, j->out, j->err);
        if (code < 0)
            return code;
        j->mix = ems_alloc(strlen(j->wav.temporary) + 5, 1);
        if (!j->mix)
            return ems_out_of_memory(j->err);
        sprintf(j->mix, "%s.wav", j->wav.temporary);
        return EMS_OK;
    }
    const int code = ems_folder_make(folder, j->err);
    if (code < 0)
        return code;
    j->mix = ems_path_join(folder, "mix.wav");
    j->stems = ems_path_join(folder, "stems");
    return j->mix && j->stems ? EMS_OK : ems_out_of_memory(j->err);
}

static int understand(job *j, double *mark)
{
    j->analysis = ems_analyze(j->video, &j->options->analyze, j->run, j->err);
    if (!j->analysis)
        return j->err->code;
    j->report->analyze = lap(mark);
    j->report->fps = ems_analysis_fps(j->analysis);
    j->plan = ems_plan_make(j->analysis, &j->options->plan, j->err);
    if (!j->plan)
        return j->err->code;
    j->report->plan = lap(mark);
    const int code = keep(j, "analysis.json", save_analysis, j->analysis);
    return code < 0 ? code : keep(j, "plan.json", save_plan, j->plan);
}

static int compose(job *j, double *mark)
{
    j->piece = ems_compose(j->plan, &j->options->compose, j->run, j->err);
    if (!j->piece)
        return j->err->code;
    j->report->compose = lap(mark);
    return keep(j, "score.mid", save_piece, j->piece);
}

static int sound(job *j, double *mark)
{
    ems_render_options render = j->options->render;
    if (!render.stems)
        render.stems = j->stems;
    int code = ems_render(j->piece, j->mix, &render, &j->report->sound,
                          j->run, j->err);
    if (code < 0)
        return code;
    j->report->render = lap(mark);
    ems_mux_options mux = j->options->mux;
    if (!mux.speech)
        mux.speech = ems_analysis_speech(j->analysis, &mux.speech_count);
    code = ems_mux(j->video, j->mix, j->out, &mux, &j->report->speech, j->run,
                   j->err);
    j->report->mux = lap(mark);
    return code;
}

static void clear(job *j)
{
    if (j->mix && !j->options->keep)
        remove(j->mix);
    ems_output_discard(&j->wav);
    ems_free(j->mix);
    ems_free(j->stems);
    ems_piece_free(j->piece);
    ems_plan_free(j->plan);
    ems_analysis_free(j->analysis);
}

/* Refuse before any work what could only fail after it. */
static int check_job(const job *j)
{
    struct stat in, target;
    if (stat(j->video, &in) < 0)
        return ems_fail_errno(j->err, EMS_EIO, "cannot open \"%s\"",
                              j->video);
    if (stat(j->out, &target) == 0 && in.st_dev == target.st_dev &&
        in.st_ino == target.st_ino)
        return ems_fail(j->err, EMS_EINVAL, "the output \"%s\" is the input"
                        " itself; give another name", j->out);
    if (!ems_soundfont_find(j->options->render.soundfont, j->err))
        return j->err->code;
    const int code = ems_mux_possible(j->video, j->out, &j->options->mux,
                                      j->err);
    return code < 0 ? code : ems_model_ready(j->options->compose.model, j->err);
}

int ems_score(const char *video, const char *out,
              const ems_score_options *options, ems_report *report,
              const ems_run *run, ems_error *err)
{
    const ems_score_options defaults = ems_score_defaults();
    ems_report unused;
    ems_error own;
    job j = {
        .video = video, .out = out, .run = run, .err = err ? err : &own,
        .options = options ? options : &defaults,
        .report = report ? report : &unused,
    };
    *j.report = (ems_report){0};
    const double begin = ems_now();
    double mark = begin;
    int code = check_job(&j);
    if (code == EMS_OK)
        code = choose_paths(&j);
    if (code == EMS_OK)
        code = understand(&j, &mark);
    if (code == EMS_OK)
        code = compose(&j, &mark);
    if (code == EMS_OK)
        code = sound(&j, &mark);
    if (code == EMS_OK)
        code = ems_report_fill(j.report, j.plan, j.piece, j.err);
    j.report->total = ems_now() - begin;
    clear(&j);
    if (code < 0 || !report)
        ems_report_clear(j.report);
    return code;
}

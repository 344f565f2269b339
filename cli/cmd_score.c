/* emsync score: a film in, the same film with its own music out. */
#include "commands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    cli_common common;
    ems_score_options options;
    const char *out, *report;
    char comment[64];
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_score_defaults();
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How near the music comes, in one line. */
static void print_verdict(const ems_report *r)
{
    double *size = calloc(r->hit_count, sizeof *size);
    if (!size)
        return;
    size_t good = 0;
    for (size_t i = 0; i < r->hit_count; i++) {
        size[i] = fabs(r->hits[i].error_ms);
        good += fabs(r->hits[i].error_frames) <= 1;
    }
    qsort(size, r->hit_count, sizeof *size, by_value);
    if (r->fps > 0)
        printf("%zu of %zu within one frame; ", good, r->hit_count);
    printf("median %.1f ms, largest %.1f ms\n\n", size[r->hit_count / 2],
           size[r->hit_count - 1]);
    free(size);
}

static void print_hits(const ems_report *r)
{
    if (r->hit_count == 0) {
        printf("no cuts to hit\n\n");
        return;
    }
    printf("%12s  %12s  %10s  %8s\n", "cut", "nearest note", "error ms",
           "frames");
    for (size_t i = 0; i < r->hit_count; i++) {
        const ems_hit *h = &r->hits[i];
        char cut[32], note[32], frames[32] = "-";
        cli_time(h->cut, cut, sizeof cut);
        cli_time(h->note, note, sizeof note);
        if (r->fps > 0)
            snprintf(frames, sizeof frames, "%+.2f", h->error_frames);
        printf("%12s  %12s  %+10.1f  %8s\n", cut, note, h->error_ms, frames);
    }
    print_verdict(r);
}

static void print_novelty(const ems_passage *p)
{
    char start[32];
    if (isnan(p->bars))
        printf("novelty unknown: no index of the training music\n");
    else if (p->bars > 0)
        printf("novelty longest shared passage %.1f bars (limit %g), at %s, as"
               " in %s\n", p->bars, EMS_NOVELTY_BARS,
               cli_time(p->start, start, sizeof start), p->source);
    else
        printf("novelty no passage in common with the training music\n");
}

static void print_people(const settings *s, const ems_report *r)
{
    char length[32];
    print_hits(r);
    printf("music  %s, %zu notes, %zu bars, %.1f LUFS, %.1f dBTP, seed %llu\n",
           cli_time(r->duration, length, sizeof length), r->notes, r->bars,
           r->sound.lufs, r->sound.true_peak,
           (unsigned long long)s->options.plan.seed);
    cli_print_speech(&r->speech);
    print_novelty(&r->novelty);
    printf("time   analyze %.1f s, plan %.1f s, compose %.1f s, render %.1f"
           " s, mux %.1f s: %.1f s in all\n", r->analyze, r->plan, r->compose,
           r->render, r->mux, r->total);
    printf("memory %.0f MB at most\n", (double)r->peak_rss / 1e6);
    printf("wrote  %s\n", s->out);
    for (int i = 0; s->options.keep && cli_keep_names[i]; i++)
        printf("       %s/%s\n", s->options.keep, cli_keep_names[i]);
    if (s->options.render.stems)
        printf("       %s/\n", s->options.render.stems);
    else if (s->options.keep)
        printf("       %s/stems/\n", s->options.keep);
    if (s->report)
        printf("       %s\n", s->report);
}

static void json_hits(cli_json *j, const ems_report *r)
{
    cli_json_open(j, "hits", '[');
    for (size_t i = 0; i < r->hit_count; i++) {
        const ems_hit *h = &r->hits[i];
        cli_json_open(j, NULL, '{');
        cli_json_real(j, "cut", h->cut);
        cli_json_real(j, "note", h->note);
        cli_json_real(j, "error_ms", h->error_ms);
        cli_json_real(j, "error_frames",
                      r->fps > 0 ? h->error_frames : (double)NAN);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void print_json(const settings *s, const ems_report *r)
{
    cli_json j;
    cli_result_open(&j, s->out);
    cli_json_text(&j, "keep", s->options.keep);
    cli_json_text(&j, "report", s->report);
    cli_json_whole(&j, "seed", s->options.plan.seed);
    cli_json_real(&j, "duration", r->duration);
    cli_json_real(&j, "fps", r->fps);
    json_hits(&j, r);
    cli_json_open(&j, "seconds", '{');
    cli_json_real(&j, "analyze", r->analyze);
    cli_json_real(&j, "plan", r->plan);
    cli_json_real(&j, "compose", r->compose);
    cli_json_real(&j, "render", r->render);
    cli_json_real(&j, "mux", r->mux);
    cli_json_real(&j, "total", r->total);
    cli_json_close(&j, '}');
    cli_json_whole(&j, "peak_rss", r->peak_rss);
    cli_json_whole(&j, "notes", r->notes);
    cli_json_whole(&j, "bars", r->bars);
    cli_json_real(&j, "lufs", r->sound.lufs);
    cli_json_real(&j, "true_peak", r->sound.true_peak);
    cli_json_speech(&j, &r->speech);
    cli_json_real(&j, "shared_bars", r->novelty.bars);
    cli_result_close(&j);
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    ems_report r;
    snprintf(s->comment, sizeof s->comment, "emsync %s, seed %llu",
             EMS_VERSION, (unsigned long long)s->options.plan.seed);
    s->options.mux.comment = s->comment;
    int code = ems_score(s->common.operands[0], s->out, &s->options, &r,
                         &ui->run, &err);
    if (code < 0)
        return cli_fail(ui, &err);
    if (s->report)
        code = ems_report_save(&r, s->report, &err);
    cli_ui_clear(ui);
    if (s->common.json)
        print_json(s, &r);
    else if (cli_talks(ui))
        print_people(s, &r);
    ems_report_clear(&r);
    return code < 0 ? cli_fail(ui, &err) : CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "VIDEO", "any film that FFmpeg can read", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_TITLE("Files"),
    CLI_RESULT(out, "the film with its soundtrack"),
    {CLI_ROW(CLI_FOLDER, options.keep, "keep", "DIR",
             "keep analysis.json, plan.json, score.mid, mix.wav and the stems"
             " there"),
     .words = cli_keep_names},
    {CLI_ROW(CLI_OUTPUT, report, "report", "FILE",
             "how near every cut is hit, time and memory, as JSON")},
    ANALYZE_OPTIONS(options.analyze),
    PLAN_OPTIONS(options.plan),
    COMPOSE_OPTIONS(options.compose),
    RENDER_OPTIONS(options.render),
    MUX_OPTIONS(options.mux),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync score film.mp4 -o scored.mp4",
     "Compose music for the film and mix it into its sound."},
    {"emsync score film.mp4 -o scored.mp4 --seed 7 --audio replace",
     "Another piece, instead of the original sound."},
    {"emsync score film.mp4 -o scored.mp4 --keep work --report report.json",
     "Keep the score, the stems and the proof."},
    {"emsync score -y -o scored.mp4 -- -odd-name-.mp4",
     "A file name that begins with a dash goes after two dashes."},
    {NULL, NULL},
};

const cli_command cli_score = {
    .name = "score",
    .summary = "give a film its own soundtrack, in one go",
    .details = "Runs analyze, plan, compose, render and mux in a row. Prints,"
               " for every cut, the nearest note and how far it is away, then"
               " where everything was written.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
};

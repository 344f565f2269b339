/* emsync evaluate sync: does the music meet the picture? */
#include "commands.h"

#include <math.h>

typedef struct settings {
    cli_common common;
    ems_sync_options options;
    const char *report;
    int all;
} settings;

enum { SHOWN = 40 }; /* cuts in the table, unless all are asked for */

static void defaults(void *s)
{
    ((settings *)s)->options = ems_sync_defaults();
}

/* ---- For people ---------------------------------------------------------- */

static void print_cuts(const settings *s, const ems_sync_report *r)
{
    size_t shown = r->cut_count;
    if (!s->all && shown > SHOWN)
        shown = SHOWN;
    if (shown)
        printf("%4s%12s%12s%12s%10s\n", "", "cut", "accent", "ms", "frames");
    for (size_t i = 0; i < shown; i++) {
        const ems_hit *h = &r->cuts[i];
        printf("%4zu%12.3f%12.3f%12.1f", i + 1, h->cut, h->note, h->error_ms);
        if (r->fps > 0)
            printf("%10.2f", h->error_frames);
        printf("\n");
    }
    if (shown < r->cut_count)
        printf("     ... %zu more (--all)\n", r->cut_count - shown);
}

static void print_share(const char *name, const ems_sync_share *s)
{
    if (s->moments == 0)
        return;
    printf("%-8s%6zu%10.1f%10.1f%9.1f %%%9.1f %%%9.1f %%%10.3f%8.3f%8.3f\n",
           name, s->moments, s->median_ms, s->p95_ms, 100 * s->frame,
           100 * s->within_100ms, 100 * s->within_1s, s->tbiou_accents,
           s->tbiou_bars, s->tbiou_beats);
}

static void print_people(const settings *s, const ems_sync_report *r)
{
    print_cuts(s, r);
    printf("\n%-8s%6s%10s%10s%11s%11s%11s%10s%8s%8s\n", "", "", "median", "95 %",
           "a frame", "100 ms", "1 s", "TBIoU", "bars", "beats");
    print_share("cuts", &r->all);
    print_share("hits", &r->hits);
    print_share("chance", &r->chance);
    printf("\n%zu notes, %zu accents, %zu bars, %zu beats\n", r->notes,
           r->accents, r->bars, r->beats);
    printf("tempo from bar to bar: %.1f %% at most, %.1f %% on average,"
           " %.0f %% of the changes up to 4 %%\n", 100 * r->largest_change,
           100 * r->mean_change, 100 * r->smooth_bars);
    if (isfinite(r->on_grid))
        printf("%.1f %% of the onsets within 10 ms of a sixteenth or a triplet"
               " eighth of the tempo map\n", 100 * r->on_grid);
    if (isfinite(r->accepted))
        printf("hard cuts a second or more from their neighbours: %.0f %% are"
               " hits\n", 100 * r->accepted);
    if (r->fps <= 0)
        printf("frames a second are not known; a frame counts as 40 ms\n");
    if (s->report)
        printf("wrote %s\n", s->report);
    if (s->options.picture)
        printf("wrote %s\n", s->options.picture);
}

/* ---- For programs -------------------------------------------------------- */

static void put_share(cli_json *j, const char *name, const ems_sync_share *s)
{
    if (s->moments == 0)
        return;
    cli_json_open(j, name, '{');
    cli_json_whole(j, "moments", s->moments);
    cli_json_real(j, "median_ms", s->median_ms);
    cli_json_real(j, "p95_ms", s->p95_ms);
    cli_json_real(j, "within_frame", s->frame);
    cli_json_real(j, "within_100ms", s->within_100ms);
    cli_json_real(j, "within_1s", s->within_1s);
    cli_json_real(j, "tbiou_accents", s->tbiou_accents);
    cli_json_real(j, "tbiou_bars", s->tbiou_bars);
    cli_json_real(j, "tbiou_beats", s->tbiou_beats);
    cli_json_close(j, '}');
}

static void print_json(const settings *s, const ems_sync_report *r)
{
    cli_json j;
    cli_result_open(&j, s->report);
    put_share(&j, "cuts_met", &r->all);
    put_share(&j, "hits_met", &r->hits);
    put_share(&j, "chance", &r->chance);
    cli_json_real(&j, "largest_change", r->largest_change);
    cli_json_real(&j, "mean_change", r->mean_change);
    cli_json_real(&j, "smooth_bars", r->smooth_bars);
    if (isfinite(r->on_grid))
        cli_json_real(&j, "on_grid", r->on_grid);
    if (isfinite(r->accepted))
        cli_json_real(&j, "accepted", r->accepted);
    cli_result_close(&j);
}

/* ---- The command --------------------------------------------------------- */

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    ems_sync_report r;
    int code = ems_sync_evaluate(&r, s->common.operands[0],
                                 s->common.operands[1], &s->options,
                                 &ui->run, &err);
    if (code == EMS_OK && s->report)
        code = ems_sync_save(&r, s->report, &err);
    cli_ui_clear(ui);
    if (code == EMS_OK && s->common.json)
        print_json(s, &r);
    else if (code == EMS_OK && cli_talks(ui))
        print_people(s, &r);
    ems_sync_clear(&r);
    return code < 0 ? cli_fail(ui, &err) : CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "FILM",
     "a video, plan.json, analysis.json, or a cut list of another program", 0,
     0},
    {CLI_INPUT, "MIDI", "music for it, from whatever program", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    {CLI_ROW(CLI_OUTPUT, report, "report", "FILE", "all numbers as JSON")},
    {CLI_ROW(CLI_OUTPUT, options.picture, "picture", "FILE",
             "shots, cuts, accents, notes, bars and tempo as SVG")},
    {CLI_ROW(CLI_INPUT, options.video, "film", "VIDEO",
             "pictures for the film strip, where FILM is no video"),
     .unset = "a strip without pictures"},
    CLI_SWITCH(all, 1, "all", "show every cut, not the first 40 only"),
    {CLI_ROW(CLI_REAL, options.fps, "fps", "N",
             "frames a second of the film of a cut list"),
     .max = 1000, .unset = "unknown; a frame counts as 40 ms"},
    {CLI_ROW(CLI_TEXT, options.start, "cut-start", "TIMECODE",
             "where the film begins in an EDL"),
     .unset = "its first whole hour"},
    CLI_COUNT(options.rounds, 1, 100000, "rounds", "shuffles for chance"),
    {CLI_ROW(CLI_SEED, options.seed, "seed", "N", "of the shuffles")},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync evaluate sync plan.json score.mid --picture s.svg --film"
     " film.mp4",
     "What did composing make of the plan?"},
    {"emsync evaluate sync film.mp4 theirs.mid",
     "How well does the music of another program meet the film?"},
    {NULL, NULL},
};

const cli_command cli_evaluate_sync = {
    .name = "evaluate sync",
    .summary = "measure how music meets the cuts of a film",
    .details = "For every cut the nearest accented onset; shares within a"
               " frame, 100 ms and 1 s; cuts and accents, bar lines and beats"
               " in common over all of them (TBIoU, 0.5 s); how the tempo"
               " moves. Chance: the same shots in another order.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
};

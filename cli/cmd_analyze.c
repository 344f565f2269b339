/* emsync analyze: what happens in the film, and how it feels. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_analyze_options options;
    const char *out, *report;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_analyze_defaults();
}

static const char *const emotions[EMS_EKMAN] = {
    "anger", "disgust", "fear", "joy", "sadness", "surprise",
};

static void print_experts(const ems_analysis *a)
{
    size_t count;
    const ems_expert_said *e = ems_analysis_experts(a, &count);
    if (count == 0)
        printf("no experts asked (emsync experts list)\n");
    for (size_t i = 0; i < count; i++, e++)
        if (e->why[0])
            printf("%-12s left out: %s\n", e->name, e->why);
        else if (e->cached)
            printf("%-12s cached  %4zu times  %s\n", e->name, e->rows,
                   e->says);
        else
            printf("%-12s %5.1f s  %4zu times  %s\n", e->name, e->seconds,
                   e->rows, e->says);
}

static void print_people(const ems_analysis *a, const settings *s)
{
    char length[32];
    size_t cuts;
    ems_analysis_cuts(a, &cuts);
    const double fps = ems_analysis_fps(a);
    printf("%s long, ",
           cli_time(ems_analysis_duration(a), length, sizeof length));
    if (fps > 0)
        printf("%.6g frames a second, %zu cut%s\n", fps, cuts,
               cuts == 1 ? "" : "s");
    else
        printf("no pictures\n");
    const double *p = ems_analysis_emotion(a);
    for (int i = 0; i < EMS_EKMAN; i++)
        printf("%s%s %.0f %%", i ? ", " : "", emotions[i], 100 * p[i]);
    putchar('\n');
    print_experts(a);
    printf("wrote %s\n", s->out);
    if (s->report)
        printf("wrote %s\n", s->report);
}

static void json_experts(cli_json *j, const ems_analysis *a)
{
    size_t count;
    const ems_expert_said *e = ems_analysis_experts(a, &count);
    cli_json_open(j, "experts", '[');
    for (size_t i = 0; i < count; i++, e++) {
        cli_json_open(j, NULL, '{');
        cli_json_text(j, "name", e->name);
        cli_json_whole(j, "rows", e->rows);
        cli_json_real(j, "seconds", e->seconds);
        cli_json_bool(j, "cached", e->cached);
        cli_json_text(j, "says", e->says);
        cli_json_text(j, "why", e->why);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void print_json(const ems_analysis *a, const settings *s)
{
    cli_json j;
    size_t cuts;
    ems_analysis_cuts(a, &cuts);
    const double *p = ems_analysis_emotion(a);
    cli_result_open(&j, s->out);
    cli_json_text(&j, "report", s->report);
    cli_json_real(&j, "duration", ems_analysis_duration(a));
    cli_json_real(&j, "fps", ems_analysis_fps(a));
    cli_json_whole(&j, "cuts", cuts);
    cli_json_open(&j, "emotion", '{');
    for (int i = 0; i < EMS_EKMAN; i++)
        cli_json_real(&j, emotions[i], p[i]);
    cli_json_close(&j, '}');
    json_experts(&j, a);
    cli_result_close(&j);
}

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    ems_analysis *a = ems_analyze(s->common.operands[0], &s->options, &ui->run,
                                  &err);
    if (!a || ems_analysis_save(a, s->out, &err) < 0 ||
        (s->report && ems_analysis_page(a, s->common.operands[0], s->report,
                                        &ui->run, &err) < 0)) {
        ems_analysis_free(a);
        return cli_fail(ui, &err);
    }
    cli_ui_clear(ui);
    if (s->common.json)
        print_json(a, s);
    else if (cli_talks(ui))
        print_people(a, s);
    ems_analysis_free(a);
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "VIDEO", "any film or sound that FFmpeg can read", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(out, "the analysis, JSON"),
    {CLI_ROW(CLI_OUTPUT, report, "report", "FILE",
             "a page for people, HTML: shots, emotion and sound over time")},
    ANALYZE_OPTIONS(options),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync analyze film.mp4 -o analysis.json",
     "Find the cuts and the emotion curve."},
    {"emsync analyze film.mp4 -o analysis.json --cuts paper",
     "Only the cuts that EMSYNC's paper would use."},
    {NULL, NULL},
};

const cli_command cli_analyze = {
    .name = "analyze",
    .summary = "find a film's cuts and its emotion over time",
    .details = "Decodes the film once. The file lists cuts, shots, the six"
               " Ekman emotions and a curve of valence and arousal; edit it,"
               " then go on with emsync plan.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
};

/* emsync evaluate cuts: how many cuts are found, how many are none? */
#include "commands.h"

#include <math.h>

typedef struct settings {
    cli_common common;
    double fps;
} settings;

static void rate(double x)
{
    if (isfinite(x))
        printf("%11.3f", x);
    else
        printf("%11s", "-");
}

static void print_tally(const char *name, const ems_cut_tally *t)
{
    printf("%-10s%8zu%8zu%8zu", name, t->found, t->wrong, t->missed);
    rate(t->precision);
    rate(t->recall);
    rate(t->f1);
    printf("\n");
}

static void print_people(const ems_cut_report *r)
{
    int any = 0;
    printf("%-10s%8s%8s%8s%11s%11s%11s\n", "", "found", "wrong", "missed",
           "precision", "recall", "F1");
    print_tally("hard", &r->hard);
    print_tally("gradual", &r->gradual);
    for (int k = 0; k <= EMS_TRUTH_KINDS; k++) {
        const char *name = ems_truth_name(k);
        if (r->wrong_at[k])
            printf("%s%zu at %s", any++ ? ", " : "wrong: ", r->wrong_at[k],
                   name ? name : "nothing");
    }
    if (any)
        printf("\n");
}

static void json_tally(cli_json *j, const char *name, const ems_cut_tally *t)
{
    cli_json_open(j, name, '{');
    cli_json_whole(j, "found", t->found);
    cli_json_whole(j, "wrong", t->wrong);
    cli_json_whole(j, "missed", t->missed);
    if (isfinite(t->precision))
        cli_json_real(j, "precision", t->precision);
    if (isfinite(t->recall))
        cli_json_real(j, "recall", t->recall);
    if (isfinite(t->f1))
        cli_json_real(j, "f1", t->f1);
    cli_json_close(j, '}');
}

static void print_json(const ems_cut_report *r)
{
    cli_json j;
    cli_result_open(&j, NULL);
    json_tally(&j, "hard", &r->hard);
    json_tally(&j, "gradual", &r->gradual);
    cli_json_open(&j, "wrong_at", '{');
    for (int k = 0; k <= EMS_TRUTH_KINDS; k++) {
        const char *name = ems_truth_name(k);
        if (r->wrong_at[k])
            cli_json_whole(&j, name ? name : "nothing", r->wrong_at[k]);
    }
    cli_json_close(&j, '}');
    cli_result_close(&j);
}

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    ems_cut_report r;
    const int code = ems_cuts_evaluate(&r, s->common.operands[0],
                                       s->common.operands[1], s->fps,
                                       &ui->run, &err);
    cli_ui_clear(ui);
    if (code < 0)
        return cli_fail(ui, &err);
    if (s->common.json)
        print_json(&r);
    else if (cli_talks(ui))
        print_people(&r);
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "TRUTH",
     "the true changes: kind,first,end in frames (.csv, docs/FORMATS.md), a"
     " cut list of another program, or analysis.json", 0, 0},
    {CLI_INPUT, "FOUND",
     "a video, which is analysed, analysis.json, or a list as above", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    {CLI_ROW(CLI_REAL, fps, "fps", "N",
             "frames a second, where two lists are compared"),
     .max = 1000, .unset = "the film's"},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync evaluate cuts truth.csv film.mp4",
     "Analyse the film and compare."},
    {"emsync evaluate cuts truth.csv scenes.csv --fps 25",
     "How well does PySceneDetect do?"},
    {NULL, NULL},
};

const cli_command cli_evaluate_cuts = {
    .name = "evaluate cuts",
    .summary = "count which cuts of a film were found",
    .details = "A hard cut is found on its very frame only; a dissolve or a"
               " fade between its first frame and the first one after it, one"
               " frame more on either side. Prints precision, recall and F1,"
               " and what was taken for a cut that is none.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .run = run,
    .works = true,
};

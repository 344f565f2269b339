/* emsync dataset build: folders of MIDI into one token file. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_dataset_options options;
    const char *out;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_dataset_defaults();
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    s->options.folders = (const char *const *)s->common.operands;
    s->options.folder_count = s->common.operand_count;
    if (ems_dataset_build(s->out, &s->options, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_json_text(&j, "report", s->options.report);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("wrote %s\n", s->out);
        if (s->options.report)
            printf("      %s\n", s->options.report);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_FOLDER, "FOLDER", "searched for .mid and .midi at any depth", 0,
     true},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(out, "the data set"),
    {CLI_ROW(CLI_INPUT, options.labels, "labels", "FILE",
             "CSV with file, valence, arousal"),
     .unset = "guesses from the notes"},
    CLI_NUMBER(options.held_out, 0, 0.9, "held-out", "X",
               "share of the pieces kept for validation"),
    {CLI_ROW(CLI_OUTPUT, options.report, "report", "FILE",
             "counts, hours, histograms and what was refused, as JSON")},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync dataset build ~/midi -o data.ems --report data.json",
     "Read a collection of MIDI files."},
    {NULL, NULL},
};

const cli_command cli_dataset_build = {
    .name = "dataset build",
    .summary = "read folders of MIDI into one training file",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
    .chatty = true,
};

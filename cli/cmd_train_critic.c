/* emsync train critic: teach it how listeners felt. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_critic_options options;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_critic_defaults();
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    s->options.data = s->common.operands[0];
    if (ems_train_critic(&s->options, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->options.out);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("wrote %s\n", s->options.out);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_FOLDER, "FOLDER", "VGMIDI: annotations/*.json and midi/", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(options.out, "the weights"),
    {CLI_ROW(CLI_FOLDER, options.calibrate, "calibrate", "DIR",
             "MIDI files whose ratings shall fill the range from -1 to 1"),
     .unset = "none: the listeners' own range"},
    {CLI_ROW(CLI_INT, options.half, "half", "N",
             "learn from one half of the series, 1 or 2, so that another"
             " critic can judge by the other"),
     .max = 2, .unset = "all"},
    CLI_NUMBER(options.ridge, 0.001, 1e6, "ridge", "X",
               "how much every weight costs"),
    CLI_SWITCH(options.evaluate, 0, "no-folds",
               "do not measure with held-out series"),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync train critic vgmidi --calibrate bands -o critic.safetensors",
     "Learn from the listeners of VGMIDI."},
    {NULL, NULL},
};

const cli_command cli_train_critic = {
    .name = "train critic",
    .summary = "train the critic on music that listeners rated",
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

/* emsync evaluate critic: what it hears beside what a table says. */
#include "commands.h"

#include <math.h>

typedef struct settings {
    cli_common common;
    ems_rate_options options;
    double window;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_rate_defaults();
}

static void put_json(const ems_critic_axis axis[2])
{
    cli_json j = {.out = stdout};
    cli_json_open(&j, NULL, '{');
    for (int a = 0; a < 2; a++) {
        cli_json_open(&j, a ? "arousal" : "valence", '{');
        cli_json_whole(&j, "pieces", axis[a].pieces);
        cli_json_real(&j, "r", axis[a].r);
        cli_json_real(&j, "rho", axis[a].rho);
        cli_json_real(&j, "in_order", axis[a].in_order);
        cli_json_whole(&j, "signs", axis[a].signs);
        cli_json_whole(&j, "right", axis[a].right);
        cli_json_close(&j, '}');
    }
    cli_json_close(&j, '}');
    putchar('\n');
}

static void put_text(const ems_critic_axis axis[2])
{
    printf("%-9s%8s%8s%8s%10s%14s\n", "", "pieces", "r", "rho", "in order",
           "signs right");
    for (int a = 0; a < 2; a++) {
        const ems_critic_axis *x = &axis[a];
        printf("%-9s%8zu%8.3f%8.3f", a ? "arousal" : "valence", x->pieces,
               x->r, x->rho);
        if (isnan(x->in_order))
            printf("%10s", "-");
        else
            printf("%10.3f", x->in_order);
        printf("%7zu of %zu\n", x->right, x->signs);
    }
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    ems_critic_axis axis[2];
    if (ems_critic_check(s->common.operands[0], s->common.operands[1], s->window,
                         &s->options, axis, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json)
        put_json(axis);
    else
        put_text(axis);
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_FOLDER, "FOLDER", "searched for .mid and .midi at any depth", 0, 0},
    {CLI_INPUT, "LABELS", "CSV with file, valence, arousal", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    {CLI_ROW(CLI_INPUT, options.critic, "critic", "FILE",
             "weights of the critic, safetensors"),
     .unset = "the critic that ships"},
    {CLI_ROW(CLI_REAL, window, "window", "S",
             "rate so many seconds in the middle of each piece, alone"),
     .max = 64, .unset = "whole pieces"},
    CLI_SWITCH(options.velocity, 1, "velocity", "let loudness count"),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync evaluate critic bands bands/labels.csv",
     "Does it hear what was meant?"},
    {NULL, NULL},
};

const cli_command cli_evaluate_critic = {
    .name = "evaluate critic",
    .summary = "compare the critic's ratings with labels",
    .details = "r and rho: Pearson's and Spearman's correlation; in order: of"
               " pieces labelled above and below 0, the share of pairs that"
               " the critic puts in this order.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .works = true,
};

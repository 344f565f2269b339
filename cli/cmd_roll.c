/* emsync roll: a score as a picture. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    const char *out, *plan;
    double from, to;
} settings;

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    ems_plan *plan = NULL;
    ems_piece *piece = ems_piece_load(s->common.operands[0], &err);
    if (piece && s->plan)
        plan = ems_plan_load(s->plan, &err);
    int code = piece && (plan || !s->plan) ? EMS_OK : (int)err.code;
    if (code == EMS_OK)
        code = ems_piece_draw(piece, plan, s->out, s->from, s->to, &err);
    ems_plan_free(plan);
    ems_piece_free(piece);
    if (code < 0)
        return cli_fail(ui, &err);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("wrote %s\n", s->out);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "MIDI", "a score", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(out, "the picture, SVG"),
    {CLI_ROW(CLI_INPUT, plan, "plan", "FILE",
             "plan.json whose emotion curve is drawn below"),
     .unset = "no curve"},
    CLI_NUMBER(from, 0, 1e6, "from", "S", "first second that is drawn"),
    {CLI_ROW(CLI_REAL, to, "to", "S", "last second that is drawn"),
     .max = 1e6, .unset = "the end"},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync roll work/score.mid --plan work/plan.json -o roll.svg",
     "Look at what was composed, and at what it was composed for."},
    {NULL, NULL},
};

const cli_command cli_roll = {
    .name = "roll",
    .summary = "draw a score as a piano roll",
    .details = "Notes are coloured by instrument family; bars, hits, cuts and"
               " the tempo are shown, with a plan also valence and arousal.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .run = run,
    .writes = true,
};

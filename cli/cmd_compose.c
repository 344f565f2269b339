/* emsync compose: the music as notes. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_compose_options options;
    const char *out;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_compose_defaults();
}

static void print(const ems_piece *p, const settings *s, const cli_ui *ui)
{
    size_t notes;
    char length[32];
    ems_piece_notes(p, &notes);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_json_real(&j, "duration", ems_piece_duration(p));
        cli_json_whole(&j, "notes", notes);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("%s of music, %zu notes\nwrote %s\n",
               cli_time(ems_piece_duration(p), length, sizeof length), notes,
               s->out);
    }
}

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    ems_plan *plan = ems_plan_load(s->common.operands[0], &err);
    ems_piece *p = plan ? ems_compose(plan, &s->options, &ui->run, &err)
                        : NULL;
    const int code = p ? ems_piece_save(p, s->out, &err) : -1;
    cli_ui_clear(ui);
    if (code == EMS_OK)
        print(p, s, ui);
    ems_piece_free(p);
    ems_plan_free(plan);
    return code < 0 ? cli_fail(ui, &err) : CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "PLAN", "plan.json of emsync plan", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(out, "the score, a Standard MIDI File"),
    COMPOSE_OPTIONS(options),
    CLI_TITLE("Change one thing, keep the rest"),
    {CLI_ROW(CLI_INPUT, options.keep, "keep", "MIDI",
             "an earlier score of this film; only what is said below, and"
             " bars around hits that moved, are composed anew"),
     .unset = "compose everything"},
    {CLI_ROW(CLI_TEXT, options.sections, "section", "N,...",
             "sections of the plan to compose anew"),
     .unset = "none but around moved hits"},
    {CLI_ROW(CLI_TEXT, options.lock, "lock", "FAMILY,...",
             "keep bass, drums, guitar, piano or strings there too"),
     .unset = "as the plan says"},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync compose plan.json -o score.mid",
     "Compose with the model that ships."},
    {"emsync compose plan.json -o score.mid --model mine.safetensors",
     "Compose with weights of your own."},
    {"emsync compose plan.json -o new.mid --keep old.mid --section 3"
     " --lock drums",
     "Another third section over the same drums; the rest stays."},
    {NULL, NULL},
};

const cli_command cli_compose = {
    .name = "compose",
    .summary = "compose the music of a plan as MIDI",
    .details = "The same plan and model give the same notes on every machine."
               " The score has bars, a tempo map and a marker at every hit;"
               " edit it, then go on with emsync render.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
};

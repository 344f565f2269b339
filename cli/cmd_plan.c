/* emsync plan: what the music shall do. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_plan_options options;
    const char *out;
    int check;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_plan_defaults();
}

static void print(const ems_plan *p, const settings *s, const cli_ui *ui)
{
    size_t hits;
    char length[32];
    ems_plan_hits(p, &hits);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_json_real(&j, "duration", ems_plan_duration(p));
        cli_json_whole(&j, "hits", hits);
        cli_json_whole(&j, "seed", s->options.seed);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("%s of music, %zu hit%s, seed %llu\nwrote %s\n",
               cli_time(ems_plan_duration(p), length, sizeof length), hits,
               hits == 1 ? "" : "s", (unsigned long long)s->options.seed,
               s->out);
    }
}

static void print_finding(void *user, const char *sentence)
{
    (void)user;
    printf("%s\n", sentence);
}

static int check(const settings *s, cli_ui *ui)
{
    ems_error err;
    const int found = ems_plan_check(s->common.operands[0], print_finding,
                                     NULL, &err);
    if (found < 0)
        return cli_fail(ui, &err);
    if (found == 0 && cli_talks(ui))
        printf("nothing in it contradicts itself\n");
    return found ? CLI_FAILED : CLI_DONE;
}

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    if (s->check)
        return check(s, ui);
    if (!s->out) {
        cli_error(ui, "plan needs -o FILE, or --check to look at a plan");
        return CLI_USAGE;
    }
    ems_analysis *a = ems_analysis_load(s->common.operands[0], &err);
    ems_plan *p = a ? ems_plan_make(a, &s->options, &err) : NULL;
    const int code = p ? ems_plan_save(p, s->out, &err) : -1;
    if (code == EMS_OK)
        print(p, s, ui);
    ems_plan_free(p);
    ems_analysis_free(a);
    return code < 0 ? cli_fail(ui, &err) : CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "ANALYSIS",
     "analysis.json of emsync analyze; with --check a plan.json", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    {CLI_ROW(CLI_OUTPUT, out, "output", "FILE", "the plan, JSON"), .key = 'o'},
    CLI_SWITCH(check, 1, "check",
               "take a plan instead and say all that contradicts itself"),
    PLAN_OPTIONS(options),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync plan analysis.json -o plan.json --seed 7",
     "Choose which cuts become hits; another seed, another piece."},
    {"emsync plan analysis.json -o plan.json --valence -0.6 --arousal -0.4",
     "Sad and calm throughout, whatever the pictures say."},
    {"emsync plan --check plan.json",
     "Every contradiction that editing brought in, with its place."},
    {NULL, NULL},
};

const cli_command cli_plan = {
    .name = "plan",
    .summary = "decide what the music shall do, from an analysis",
    .details = "The file lists the hits, the emotion curve and the seed; edit"
               " it, then go on with emsync compose.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
};

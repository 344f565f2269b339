/* emsync bank: what is in a SoundFont, and how loud. */
#include "commands.h"

static const char *const families[EMS_FAMILIES] = {"bass", "drums", "guitar",
                                                   "piano", "strings"};

static void print_json(const ems_bank_voice *v, const cli_common *common)
{
    cli_json j;
    cli_result_open(&j, common->operands[0]);
    cli_json_open(&j, "voices", '[');
    for (int f = 0; f < EMS_FAMILIES; f++) {
        cli_json_open(&j, NULL, '{');
        cli_json_text(&j, "family", families[f]);
        cli_json_whole(&j, "program", (uint64_t)v[f].program);
        cli_json_real(&j, "lufs", v[f].lufs);
        cli_json_real(&j, "correction", v[f].correction);
        cli_json_text(&j, "problem", v[f].problem[0] ? v[f].problem : NULL);
        cli_json_close(&j, '}');
    }
    cli_json_close(&j, ']');
    cli_result_close(&j);
}

static void print_table(const ems_bank_voice *v)
{
    printf("%-8s %7s %10s %12s %10s\n", "family", "program", "bank LUFS",
           "correction", "LUFS");
    for (int f = 0; f < EMS_FAMILIES; f++)
        if (v[f].problem[0])
            printf("%-8s %7d  %s\n", families[f], v[f].program, v[f].problem);
        else
            printf("%-8s %7d %10.1f %+9.1f dB %10.1f\n", families[f],
                   v[f].program, v[f].lufs, v[f].correction,
                   v[f].lufs + v[f].correction);
}

static int run(void *data, cli_ui *ui)
{
    const cli_common *common = data;
    ems_error err;
    ems_bank_voice v[EMS_FAMILIES];
    if (ems_bank_survey(common->operand_count ? common->operands[0] : NULL, v,
                        &err) < 0)
        return cli_fail(ui, &err);
    int problems = 0;
    for (int f = 0; f < EMS_FAMILIES; f++)
        problems += v[f].problem[0] != 0;
    if (common->json)
        print_json(v, common);
    else if (cli_talks(ui))
        print_table(v);
    return problems ? CLI_FAILED : CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "SOUNDFONT", "SF2 or SF3", .optional = true},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync bank /usr/share/sounds/sf2/TimGM6mb.sf2",
     "What will this bank sound like beside the usual one?"},
    {NULL, NULL},
};

const cli_command cli_bank = {
    .name = "bank",
    .summary = "show what a SoundFont has for each instrument, and how loud",
    .details = "Every family plays eight notes at velocity 80. The correction"
               " is what render adds, so that another bank changes neither"
               " balance nor loudness. Without a name: the system's bank.",
    .operands = operands,
    .examples = examples,
    .settings = sizeof(cli_common),
    .run = run,
};

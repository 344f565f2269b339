/* emsync doctor: is everything there? */
#include "commands.h"

typedef struct settings {
    cli_common common;
} settings;

typedef struct round {
    cli_ui *ui;
    cli_json json;
    bool colour;
} round;

static void look(void *user, int ok, const char *text)
{
    round *r = user;
    if (r->ui->common->json) {
        cli_json_open(&r->json, NULL, '{');
        cli_json_bool(&r->json, "ok", ok);
        cli_json_text(&r->json, "text", text);
        cli_json_close(&r->json, '}');
    } else if (cli_talks(r->ui)) {
        const char *mark = ok ? " ok " : "FAIL";
        if (r->colour)
            printf("\033[%sm%s\033[0m  %s\n", ok ? "32" : "1;31", mark, text);
        else
            printf("%s  %s\n", mark, text);
    }
}

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    round r = {.ui = ui, .colour = cli_colour(stdout)};
    if (s->common.json) {
        cli_result_open(&r.json, NULL);
        cli_json_open(&r.json, "checks", '[');
    }
    const int wrong = ems_doctor(look, &r);
    if (s->common.json) {
        cli_json_close(&r.json, ']');
        cli_json_whole(&r.json, "wrong", (uint64_t)wrong);
        cli_result_close(&r.json);
    }
    return wrong ? CLI_FAILED : CLI_DONE;
}

static const cli_example examples[] = {
    {"emsync doctor", "One line per thing that is needed."},
    {NULL, NULL},
};

const cli_command cli_doctor = {
    .name = "doctor",
    .summary = "is everything there that emsync needs?",
    .details = "Every line that fails says how to repair it.",
    .examples = examples,
    .settings = sizeof(settings),
    .run = run,
};

/* emsync rate: how a score feels, second by second. */
#include "commands.h"

#include <math.h>
#include <stdlib.h>

typedef struct settings {
    cli_common common;
    ems_rate_options options;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_rate_defaults();
}

static void put_json(void *user, double time, double valence, double arousal)
{
    cli_json *j = user;
    cli_json_open(j, NULL, '{');
    cli_json_real(j, "time", time);
    cli_json_real(j, "valence", valence);
    cli_json_real(j, "arousal", arousal);
    cli_json_close(j, '}');
}

static void put_line(void *user, double time, double valence, double arousal)
{
    (void)user;
    if (isnan(valence))
        printf("%8.1f s         -        -\n", time);
    else
        printf("%8.1f s  %+8.3f %+8.3f\n", time, valence, arousal);
}

static int rate_json(const settings *s, const ems_piece *piece, cli_ui *ui)
{
    ems_error err;
    cli_json j;
    double valence, arousal;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return cli_error(ui, "out of memory");
    j = (cli_json){.out = memory};
    cli_json_open(&j, NULL, '{');
    cli_json_text(&j, "file", s->common.operands[0]);
    cli_json_open(&j, "windows", '[');
    const int code = ems_piece_rate(piece, &s->options, put_json, &j, &valence,
                              &arousal, &err);
    cli_json_close(&j, ']');
    cli_json_real(&j, "valence", valence);
    cli_json_real(&j, "arousal", arousal);
    cli_json_close(&j, '}');
    fclose(memory);
    if (code == 0)
        puts(text);
    free(text);
    return code < 0 ? cli_fail(ui, &err) : CLI_DONE;
}

static int rate_text(const settings *s, const ems_piece *piece, cli_ui *ui)
{
    ems_error err;
    double valence, arousal;
    if (ems_piece_rate(piece, &s->options, put_line, NULL, &valence, &arousal,
                 &err) < 0)
        return cli_fail(ui, &err);
    printf("whole piece: ");
    if (isnan(valence))
        printf("nothing to rate\n");
    else
        printf("%+.3f valence, %+.3f arousal\n", valence, arousal);
    return CLI_DONE;
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    ems_piece *piece = ems_piece_load(s->common.operands[0], &err);
    if (!piece)
        return cli_fail(ui, &err);
    const int code = s->common.json ? rate_json(s, piece, ui)
                                    : rate_text(s, piece, ui);
    ems_piece_free(piece);
    return code;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "SCORE", "a MIDI file", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    {CLI_ROW(CLI_INPUT, options.critic, "critic", "FILE",
             "weights of the critic, safetensors"),
     .unset = "the critic that ships"},
    CLI_NUMBER(options.hop, 0.1, 3600, "every", "S",
               "seconds between two ratings"),
    CLI_SWITCH(options.velocity, 1, "velocity",
               "let loudness count, where players gave it"),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync rate score.mid", "How does it feel, and when?"},
    {NULL, NULL},
};

const cli_command cli_rate = {
    .name = "rate",
    .summary = "say how a score feels: valence and arousal over time",
    .details = "A critic that learned from listeners rates the 16 seconds"
               " around each time, heard in their piece. Both axes run from"
               " -1 to 1.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
};

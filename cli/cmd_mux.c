/* emsync mux: the sound into the film. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_mux_options options;
    const char *out;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_mux_defaults();
}

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    const int code = ems_mux(s->common.operands[0], s->common.operands[1],
                             s->out, &s->options, &ui->run, &err);
    if (code < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_json_text(&j, "audio", cli_audio_words[s->options.audio]);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("wrote %s\n", s->out);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "VIDEO", "the film", 0, 0},
    {CLI_INPUT, "SOUND", "the music, WAV", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(out, "the film with its soundtrack"),
    MUX_OPTIONS(options),
    {CLI_ROW(CLI_TEXT, options.comment, "comment", "TEXT",
             "remark for the file's metadata")},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync mux film.mp4 mix.wav -o scored.mp4",
     "Mix the music into the film's own sound."},
    {"emsync mux film.mp4 mix.wav -o scored.mkv --audio track",
     "Add the music as a second audio stream."},
    {NULL, NULL},
};

const cli_command cli_mux = {
    .name = "mux",
    .summary = "put a sound into a film, pictures untouched",
    .details = "The video stream is copied bit by bit; other streams, chapters"
               " and metadata stay.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
};

/* emsync mux: the sound into the film. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_mux_options options;
    const char *out, *analysis;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_mux_defaults();
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    ems_speech_ratio speech;
    ems_analysis *a = NULL;
    if (s->analysis) {
        a = ems_analysis_load(s->analysis, &err);
        if (!a)
            return cli_fail(ui, &err);
        s->options.speech = ems_analysis_speech(a, &s->options.speech_count);
    }
    const int code = ems_mux(s->common.operands[0], s->common.operands[1],
                             s->out, &s->options, &speech, &ui->run, &err);
    ems_analysis_free(a);
    if (code < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_json_text(&j, "audio", cli_audio_words[s->options.audio]);
        cli_json_speech(&j, &speech);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        cli_print_speech(&speech);
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
    {CLI_ROW(CLI_INPUT, analysis, "speech", "FILE",
             "analysis.json that tells where people speak"),
     .unset = "no speech is known"},
    {CLI_ROW(CLI_TEXT, options.comment, "comment", "TEXT",
             "remark for the file's metadata")},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync mux film.mp4 mix.wav -o scored.mp4",
     "Mix the music into the film's own sound."},
    {"emsync mux film.mp4 mix.wav -o scored.mkv --audio track",
     "Add the music as a second audio stream."},
    {"emsync mux film.mp4 mix.wav -o scored.mp4 --speech analysis.json"
     " --accessible",
     "The words first: the music at least 20 LU below them."},
    {"emsync mux old.avi mix.wav -o scored.mp4 --enhance-original",
     "Restore the treble of the film's dull sound first."},
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

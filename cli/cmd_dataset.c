/* emsync dataset build: folders of MIDI into one token file. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_dataset_options options;
    const char *out;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_dataset_defaults();
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    s->options.folders = (const char *const *)s->common.operands;
    s->options.folder_count = s->common.operand_count;
    if (ems_dataset_build(s->out, &s->options, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_json_text(&j, "report", s->options.report);
        cli_json_text(&j, "report_text", s->options.report_text);
        cli_json_text(&j, "picture", s->options.picture);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        const char *more[] = {s->options.report, s->options.report_text,
                              s->options.picture, s->options.lyrics_out,
                              s->options.lyrics_full_out};
        printf("wrote %s\n", s->out);
        for (size_t i = 0; i < sizeof more / sizeof *more; i++)
            if (more[i])
                printf("      %s\n", more[i]);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_FOLDER, "FOLDER", "searched for .mid, .midi and .kar at any depth",
     0, true},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(out, "the data set"),
    CLI_TITLE("Emotion"),
    {CLI_ROW(CLI_INPUT, options.labels, "labels", "FILE",
             "CSV with file and any of valence, arousal, title, source,"
             " licence, style"), .unset = "none"},
    {CLI_ROW(CLI_INPUT, options.features, "features", "FILE",
             "CSV of songs: artist, title or track_id, valence 0 to 1"),
     .unset = "none"},
    {CLI_ROW(CLI_INPUT, options.emotions, "emotions", "FILE",
             "CSV of emotion scores by file, as --lyrics-out writes it"),
     .unset = "none"},
    {CLI_ROW(CLI_TEXT, options.listeners, "listeners", "FILE",
             "VGMIDI's JSON of people's ratings, or a folder of it"),
     .unset = "none"},
    {CLI_ROW(CLI_INPUT, options.critic, "critic", "FILE",
             "weights of the critic that hears every bar"),
     .unset = "the critic that ships"},
    CLI_SWITCH(options.no_critic, 1, "no-critic", "do not ask it"),
    {CLI_ROW(CLI_INPUT, options.text, "text", "FILE",
             "weights of the classifier that reads lyrics"),
     .unset = "the classifier that ships"},
    CLI_SWITCH(options.no_lyrics, 1, "no-lyrics", "do not read them"),
    {CLI_ROW(CLI_OUTPUT, options.lyrics_out, "lyrics-out", "FILE",
             "write the lyrics' 7 emotion scores by file, CSV"),
     .unset = "none"},
    {CLI_ROW(CLI_OUTPUT, options.lyrics_full_out, "lyrics-full-out", "FILE",
             "write the lyrics' 28 emotion scores by file, CSV"),
     .unset = "none"},
    CLI_NUMBER(options.spread, 0, 1, "spread", "X",
               "stretch valence and arousal until this share of the time"
               " fills -1 to 1; 0 keeps the critic's scale"),
    CLI_TITLE("Songs"),
    {CLI_ROW(CLI_INPUT, options.sources, "sources", "FILE",
             "CSV with source and any of licence, weight"), .unset = "none"},
    {CLI_ROW(CLI_INPUT, options.exclude, "exclude", "FILE",
             "titles to leave out, one a line"), .unset = "none"},
    CLI_SWITCH(options.free_timing, 1, "free-timing",
               "leave notes where they are, for performances; else beats are"
               " whole token steps and notes lie on their twelfths"),
    CLI_NUMBER(options.held_out, 0, 0.9, "held-out", "X",
               "share of the songs kept for validation"),
    CLI_TITLE("Report"),
    {CLI_ROW(CLI_OUTPUT, options.report, "report", "FILE",
             "counts, hours, histograms and what was refused, as JSON"),
     .unset = "none"},
    {CLI_ROW(CLI_OUTPUT, options.report_text, "report-text", "FILE",
             "the same for people"), .unset = "shown only"},
    {CLI_ROW(CLI_OUTPUT, options.picture, "picture", "FILE",
             "the same as a picture, SVG"), .unset = "none"},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync dataset build ~/midi -o data.ems --report data.json",
     "Read a collection of MIDI files."},
    {NULL, NULL},
};

const cli_command cli_dataset_build = {
    .name = "dataset build",
    .summary = "read folders of MIDI into one training file",
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

/* emsync cuts: a plan's hits or cuts for other programs. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_list_options options;
    const char *out;
} settings;

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    ems_plan *p = ems_plan_load(s->common.operands[0], &err);
    const int code =
        p ? ems_plan_export(p, s->out, &s->options, &err) : -1;
    ems_plan_free(p);
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
    {CLI_INPUT, "PLAN", "plan.json of emsync plan", 0, 0},
    CLI_END,
};

static const char *const kind_words[] = {
    "auto", "seconds", "audacity", "scenes", "edl", "otio", "fcpxml",
    "chapters", "mlt", NULL,
};

static const cli_option options[] = {
    CLI_RESULT(out, "the list"),
    CLI_WORDS(options.kind, kind_words, "as", "KIND",
              "auto goes by the suffix: .txt, .csv (PySceneDetect), .edl,"
              " .otio, .fcpxml, .mlt"),
    CLI_SWITCH(options.cuts, 1, "all", "every cut instead of the hits"),
    {CLI_ROW(CLI_TEXT, options.video, "video", "FILE",
             "the film, as the list shall name it")},
    {CLI_ROW(CLI_TEXT, options.music, "music", "FILE",
             "the music, as the list shall name it")},
    {CLI_ROW(CLI_TEXT, options.start, "start", "TIMECODE",
             "where the film begins in an EDL"), .unset = "01:00:00:00"},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync cuts plan.json -o markers.edl", "Markers for an editor."},
    {"emsync cuts plan.json -o film.mlt --video film.mp4 --music mix.wav",
     "A Shotcut or Kdenlive project with the music on its own track."},
    {"emsync cuts plan.json -o chapters.txt --as chapters",
     "Chapters for YouTube."},
    {NULL, NULL},
};

const cli_command cli_cuts = {
    .name = "cuts",
    .summary = "write a plan's hits or cuts for other programs",
    .details = "The way back is emsync plan --cut-list FILE.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .run = run,
    .writes = true,
};

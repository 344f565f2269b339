/* emsync model index, model novelty: what music shares with the training
 * music. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    const char *out, *index;
    double megabytes;
} settings;

static const char *const families[] = {"bass", "drums", "guitar", "piano",
                                       "strings"};

/* ---- novelty ------------------------------------------------------------ */

static void show_json(const char *file, const ems_passage *p)
{
    cli_json j;
    const bool found = p->bars > 0;
    cli_result_open(&j, file);
    cli_json_real(&j, "bars", p->bars);
    cli_json_real(&j, "limit", EMS_NOVELTY_BARS);
    cli_json_bool(&j, "ok", p->bars <= EMS_NOVELTY_BARS);
    if (found) {
        cli_json_real(&j, "start", p->start);
        cli_json_real(&j, "end", p->end);
        cli_json_whole(&j, "notes", p->notes);
        cli_json_text(&j, "family", families[p->family]);
        cli_json_text(&j, "source", p->source);
    }
    cli_result_close(&j);
}

static void show(const char *file, const ems_passage *p)
{
    char start[32], end[32];
    if (!(p->bars > 0)) {
        printf("%s: no passage in common with the training music\n", file);
        return;
    }
    printf("%s: longest shared passage %.1f bars (limit %g)%s\n", file,
           p->bars, EMS_NOVELTY_BARS,
           p->bars > EMS_NOVELTY_BARS ? ": TOO LONG" : "");
    printf("  %s to %s, %zu notes of the %s, as in %s\n",
           cli_time(p->start, start, sizeof start),
           cli_time(p->end, end, sizeof end), p->notes, families[p->family],
           p->source);
}

static int run_novelty(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    int result = CLI_DONE;
    for (size_t i = 0; i < s->common.operand_count; i++) {
        const char *file = s->common.operands[i];
        ems_passage p;
        ems_piece *piece = ems_piece_load(file, &err);
        const int code = piece ? ems_piece_novelty(piece, s->index, &p, &err)
                               : (int)err.code;
        ems_piece_free(piece);
        if (code < 0)
            return cli_fail(ui, &err);
        if (s->common.json)
            show_json(file, &p);
        else if (cli_talks(ui))
            show(file, &p);
        if (p.bars > EMS_NOVELTY_BARS)
            result = CLI_FAILED;
    }
    return result;
}

static const cli_operand novelty_operands[] = {
    {CLI_INPUT, "MIDI", "a score, or several", 0, true},
    CLI_END,
};

static const cli_option novelty_options[] = {
    {CLI_ROW(CLI_INPUT, index, "index", "FILE",
             "of the training music, made by emsync model index"),
     .unset = "the one that ships"},
    CLI_END,
};

static const cli_example novelty_examples[] = {
    {"emsync model novelty score.mid",
     "Does the score quote what the composer learned from?"},
    {NULL, NULL},
};

const cli_command cli_model_novelty = {
    .name = "model novelty",
    .summary = "find the longest passage shared with the training music",
    .details = "Compares every family's top voice with all training music, in"
               " any key and tempo. Exit 1 if more than 8 bars are shared.",
    .operands = novelty_operands,
    .options = novelty_options,
    .examples = novelty_examples,
    .settings = sizeof(settings),
    .run = run_novelty,
};

/* ---- index -------------------------------------------------------------- */

static void index_defaults(void *s)
{
    ((settings *)s)->megabytes = 8;
}

static int run_index(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    if (ems_novelty_build(s->common.operands[0], s->out, s->megabytes,
                          &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("wrote %s\n", s->out);
    }
    return CLI_DONE;
}

static const cli_operand index_operands[] = {
    {CLI_INPUT, "DATA", "the data set that the model was trained on", 0, 0},
    CLI_END,
};

static const cli_option index_options[] = {
    CLI_RESULT(out, "the index"),
    CLI_NUMBER(megabytes, 0.01, 256, "size", "MB",
               "how large it may be; a smaller one knows fewer phrases"),
    CLI_END,
};

static const cli_example index_examples[] = {
    {"emsync model index data.ems -o emsync-music.novelty",
     "Remember what the composer will have learned from."},
    {NULL, NULL},
};

const cli_command cli_model_index = {
    .name = "model index",
    .summary = "index a data set, so that borrowed passages are found",
    .operands = index_operands,
    .options = index_options,
    .examples = index_examples,
    .settings = sizeof(settings),
    .defaults = index_defaults,
    .run = run_index,
    .writes = true,
    .works = true,
    .chatty = true,
};

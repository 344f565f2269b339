/* emsync train emotion, emsync train genre: the network that joins what the
 * experts see and hear. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_fusion_train_options options;
} settings;

static void defaults_emotion(void *s)
{
    ((settings *)s)->options = ems_fusion_train_defaults(0);
}

static void defaults_genre(void *s)
{
    ((settings *)s)->options = ems_fusion_train_defaults(1);
}

/* ---- Results ------------------------------------------------------------ */

static void json_scores(cli_json *j, const char *key,
                        const ems_fusion_scores *s)
{
    if (!s->clips)
        return;
    cli_json_open(j, key, '{');
    cli_json_whole(j, "clips", s->clips);
    cli_json_real(j, "accuracy", s->accuracy);
    cli_json_real(j, "macro_f1", s->macro_f1);
    cli_json_real(j, "r_valence", s->r[0]);
    cli_json_real(j, "r_arousal", s->r[1]);
    cli_json_real(j, "map", s->map);
    cli_json_real(j, "precision", s->precision);
    cli_json_real(j, "recall", s->recall);
    cli_json_close(j, '}');
}

static void print_json(const ems_fusion_result *r, const char *out)
{
    cli_json j;
    cli_result_open(&j, out);
    cli_json_whole(&j, "parameters", r->parameters);
    cli_json_whole(&j, "train_clips", r->clips[0]);
    cli_json_whole(&j, "valid_clips", r->clips[1]);
    cli_json_whole(&j, "test_clips", r->clips[2]);
    cli_json_whole(&j, "passed_over", r->passed_over);
    cli_json_real(&j, "seconds", r->seconds);
    json_scores(&j, "folds", &r->folds);
    json_scores(&j, "valid", &r->valid);
    json_scores(&j, "test", &r->test);
    cli_result_close(&j);
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    ems_fusion_result r;
    s->options.folder = s->common.operands[0];
    if (ems_train_fusion(&s->options, &r, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        print_json(&r, s->options.out);
    } else if (cli_talks(ui)) {
        char text[16384];
        ems_fusion_result_text(&r, text, sizeof text);
        fputs(text, stdout);
        if (s->options.out)
            printf("wrote %s after %.0f s, %.0f of them for the experts\n",
                   s->options.out, r.seconds, r.extraction);
    }
    return CLI_DONE;
}

/* ---- Words -------------------------------------------------------------- */

static const cli_operand operands[] = {
    {CLI_FOLDER, "DIR", "the films", 0, 0},
    CLI_END,
};

static const char *const network_words[] = {"cross", "joint", NULL};

static const cli_option options[] = {
    CLI_TITLE("Files"),
    {CLI_ROW(CLI_INPUT, options.labels, "labels", "FILE",
             "what the films are like: a table (CSV)"), .required = true},
    {CLI_ROW(CLI_OUTPUT, options.out, "output", "FILE",
             "the weights"), .key = 'o', .unset = "none, with --folds"},
    {CLI_ROW(CLI_TEXT, options.experts, "experts", "NAMES",
             "experts to learn from, with commas between"),
     .unset = "all there are"},
    {CLI_ROW(CLI_FOLDER, options.cache, "cache", "DIR",
             "where features are kept for the next run"),
     .unset = "DIR/.emsync"},
    {CLI_ROW(CLI_OUTPUT, options.report, "report", "FILE",
             "all scores as JSON")},
    {CLI_ROW(CLI_OUTPUT, options.report_text, "text", "FILE",
             "all scores as text")},
    {CLI_ROW(CLI_OUTPUT, options.picture, "picture", "FILE",
             "all scores as a picture (SVG)")},
    CLI_TITLE("Network"),
    CLI_WORDS(options.network, network_words, "network", "KIND",
              "cross-attention between experts, or one transformer over all"),
    CLI_COUNT(options.width, 1, 2048, "width", "of the network"),
    CLI_COUNT(options.heads, 1, 64, "heads", "of attention"),
    CLI_COUNT(options.inner, 1, 8192, "inner", "inner width, of joint"),
    CLI_COUNT(options.rows, 1, 1024, "rows", "moments of a film at most"),
    CLI_TITLE("Training"),
    CLI_COUNT(options.epochs, 1, 100000, "epochs",
              "times through the films at most"),
    CLI_COUNT(options.patience, 1, 100000, "patience",
              "epochs to wait for a better validation"),
    CLI_COUNT(options.batch, 1, 4096, "batch", "films per step"),
    CLI_NUMBER(options.lr, 0, 1, "lr", "X", "learning rate at its highest"),
    CLI_NUMBER(options.weight_decay, 0, 10, "weight-decay", "X", "of AdamW"),
    CLI_NUMBER(options.dropout, 0, 0.9, "dropout", "X",
               "share of zeroed values"),
    CLI_NUMBER(options.absent, 0, 0.9, "absent", "X",
               "chance that an expert is left out of a film"),
    CLI_NUMBER(options.mix, 0, 1, "mix", "X",
               "share of films joined with one of like emotion"),
    CLI_SWITCH(options.minmax, 1, "min-max",
               "scale experts by their range, as EMSYNC"),
    {CLI_ROW(CLI_SEED, options.seed, "seed", "N",
             "of the first weights and of the splits")},
    CLI_TITLE("Judgement"),
    CLI_NUMBER(options.valid, 0, 0.9, "valid", "X",
               "share to validate on, where the table says no split"),
    CLI_NUMBER(options.test, 0, 0.9, "test", "X",
               "share to test on, where the table says no split"),
    CLI_SWITCH(options.sorted, 1, "sorted",
               "split in order of the names, as the trailers are"),
    CLI_COUNT(options.folds, 0, 1000, "folds",
              "judge all films by networks that saw none of their group"),
    CLI_COUNT(options.seeds, 1, 100, "seeds",
              "networks whose mean judges a fold"),
    CLI_END,
};

static const cli_example emotion_examples[] = {
    {"emsync train emotion ekman6 --labels ekman6.csv -o my.safetensors",
     "Learn the six emotions from labelled films."},
    {"emsync train emotion films --labels va.csv --folds 10",
     "How well can valence and arousal be told?"},
    {NULL, NULL},
};

static const cli_example genre_examples[] = {
    {"emsync train genre trailers --labels trailers.csv --sorted -o g.st",
     "Learn genres, split as published."},
    {NULL, NULL},
};

const cli_command cli_train_emotion = {
    .name = "train emotion",
    .summary = "teach what films feel like",
    .details = "The table has a column \"file\" and \"emotion\" (anger,"
               " disgust, fear, joy, sadness, surprise), or one column for"
               " each of them, or \"valence\" and \"arousal\" in -1..1; and,"
               " if you like, \"split\" (train, valid, test) and \"group\"."
               " Films are looked at once; a second run goes on from there.",
    .operands = operands,
    .options = options,
    .examples = emotion_examples,
    .settings = sizeof(settings),
    .defaults = defaults_emotion,
    .run = run,
    .writes = true,
    .works = true,
    .chatty = true,
};

const cli_command cli_train_genre = {
    .name = "train genre",
    .summary = "teach the genres of films",
    .details = "The table has a column \"file\" (or \"youtube_id\") and"
               " \"genres\" with \"|\" between them; and, if you like,"
               " \"split\" (train, valid, test) and \"group\".",
    .operands = operands,
    .options = options,
    .examples = genre_examples,
    .settings = sizeof(settings),
    .defaults = defaults_genre,
    .run = run,
    .writes = true,
    .works = true,
    .chatty = true,
};

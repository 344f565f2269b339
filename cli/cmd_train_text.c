/* emsync train text, emsync evaluate text: the classifier of texts. */
#include "commands.h"

/* ---- Results ------------------------------------------------------------ */

static void json_labels(cli_json *j, const char *key,
                        const ems_text_label *label, size_t count)
{
    cli_json_open(j, key, '[');
    for (size_t i = 0; i < count; i++) {
        const ems_text_label *l = &label[i];
        cli_json_open(j, NULL, '{');
        cli_json_text(j, "label", l->name);
        cli_json_real(j, "threshold", l->threshold);
        cli_json_real(j, "dev_f1", l->f1[0]);
        cli_json_real(j, "test_f1", l->f1[1]);
        cli_json_real(j, "test_precision", l->precision[1]);
        cli_json_real(j, "test_recall", l->recall[1]);
        cli_json_whole(j, "dev_lines", l->lines[0]);
        cli_json_whole(j, "test_lines", l->lines[1]);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void json_pair(cli_json *j, const char *key, const double x[2])
{
    cli_json_open(j, key, '{');
    cli_json_real(j, "dev", x[0]);
    cli_json_real(j, "test", x[1]);
    cli_json_close(j, '}');
}

static void print_json(const ems_text_result *r, const char *out)
{
    cli_json j;
    cli_result_open(&j, out);
    json_pair(&j, "ekman_macro_f1", r->ekman_macro);
    json_pair(&j, "ekman_micro_f1", r->ekman_micro);
    json_pair(&j, "full_macro_f1", r->full_macro);
    json_pair(&j, "full_micro_f1", r->full_micro);
    cli_json_whole(&j, "dev_lines", r->lines[0]);
    cli_json_whole(&j, "test_lines", r->lines[1]);
    cli_json_real(&j, "seconds", r->seconds);
    json_labels(&j, "ekman", r->ekman, EMS_TEXT_EKMAN);
    json_labels(&j, "full", r->full, EMS_TEXT_FULL);
    cli_result_close(&j);
}

static void print_labels(const ems_text_label *l, size_t count,
                         const double macro[2], const double micro[2])
{
    printf("%-15s %9s %7s %7s %9s %7s %7s\n", "", "threshold", "dev F1",
           "test F1", "precision", "recall", "lines");
    for (size_t i = 0; i < count; i++, l++)
        printf("%-15s %9.3f %7.3f %7.3f %9.3f %7.3f %7zu\n", l->name,
               l->threshold, l->f1[0], l->f1[1], l->precision[1], l->recall[1],
               l->lines[1]);
    printf("%-15s %9s %7.3f %7.3f\n", "macro", "", macro[0], macro[1]);
    printf("%-15s %9s %7.3f %7.3f\n", "micro", "", micro[0], micro[1]);
}

static void print_result(const ems_text_result *r)
{
    print_labels(r->full, EMS_TEXT_FULL, r->full_macro, r->full_micro);
    putchar('\n');
    print_labels(r->ekman, EMS_TEXT_EKMAN, r->ekman_macro, r->ekman_micro);
}

/* ---- train text --------------------------------------------------------- */

typedef struct settings {
    cli_common common;
    ems_text_train_options options;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_text_train_defaults();
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    ems_text_result r;
    s->options.folder = s->common.operands[0];
    if (ems_train_text(&s->options, &r, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        print_json(&r, s->options.out);
    } else if (cli_talks(ui)) {
        print_result(&r);
        printf("\nwrote %s after %.0f s\n", s->options.out, r.seconds);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_FOLDER, "DIR", "GoEmotions: original/ and ekman/, each with"
     " labels.txt, train.tsv, dev.tsv and test.tsv", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_TITLE("Files"),
    CLI_RESULT(options.out, "the weights"),
    CLI_TITLE("Model"),
    CLI_COUNT(options.buckets, 1, 1 << 22, "buckets",
              "rows of the table that hashes of words share"),
    CLI_COUNT(options.width, 32, 128, "width", "of a word's vector"),
    CLI_COUNT(options.channels, 32, 256, "channels", "of the convolution"),
    CLI_COUNT(options.hidden, 32, 512, "hidden", "width of the last layer"),
    CLI_TITLE("Training"),
    CLI_COUNT(options.epochs, 1, 1000, "epochs", "times through the data"),
    CLI_COUNT(options.batch, 8, 512, "batch", "lines per step"),
    CLI_NUMBER(options.lr, 0, 1, "lr", "X", "learning rate at its highest"),
    CLI_NUMBER(options.weight_decay, 0, 1, "weight-decay", "X", "of AdamW"),
    CLI_NUMBER(options.dropout, 0, 0.9, "dropout", "X",
               "share of zeroed values"),
    CLI_NUMBER(options.forget, 0, 0.9, "forget", "X",
               "share of a word's pieces left out"),
    {CLI_ROW(CLI_SEED, options.seed, "seed", "N",
             "of the first weights and of the order of the lines")},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync train text goemotions -o text.safetensors",
     "The classifier that ships."},
    {NULL, NULL},
};

const cli_command cli_train_text = {
    .name = "train text",
    .summary = "train the classifier of texts, and measure it",
    .details = "Thresholds are chosen on dev.tsv; what is printed for test.tsv"
               " was not used for anything.",
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

/* ---- evaluate text ------------------------------------------------------ */

typedef struct check_settings {
    cli_common common;
    const char *model;
} check_settings;

static int run_check(void *data, cli_ui *ui)
{
    const check_settings *s = data;
    ems_error err;
    ems_text_result r;
    if (ems_text_evaluate(s->model, s->common.operands[0], &r, &ui->run,
                          &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json)
        print_json(&r, NULL);
    else if (cli_talks(ui))
        print_result(&r);
    return CLI_DONE;
}

static const cli_option check_options[] = {
    {CLI_ROW_OF(check_settings, CLI_INPUT, model, "model", "FILE",
                "weights of the classifier, safetensors"),
     .unset = "the classifier that ships"},
    CLI_END,
};

static const cli_example check_examples[] = {
    {"emsync evaluate text goemotions", "How good is the one that ships?"},
    {NULL, NULL},
};

const cli_command cli_evaluate_text = {
    .name = "evaluate text",
    .summary = "F1 of the classifier of texts, label by label",
    .operands = operands,
    .options = check_options,
    .examples = check_examples,
    .settings = sizeof(check_settings),
    .run = run_check,
    .works = true,
};

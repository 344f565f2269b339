/* emsync text: the emotions of written words. */
#include "commands.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    cli_common common;
    const char *model;
    int whole;
    ems_text *text;   /* while it runs */
    cli_json json;
    uint64_t line;
} settings;

static const double DIGITS = 1e4; /* four, as the published tables have */

/* ---- One text ----------------------------------------------------------- */

/* To a part of 1 / unit, and no -0. */
static double rounded(double x, double unit)
{
    return round(x * unit) / unit + 0.0;
}

static void json_scores(cli_json *j, const char *key, const float *score,
                        size_t first, size_t count)
{
    cli_json_open(j, key, '{');
    for (size_t i = 0; i < count; i++)
        cli_json_real(j, ems_text_label_name(first + i),
                      rounded((double)score[i], DIGITS));
    cli_json_close(j, '}');
}

static void print_json(settings *s, const float *ekman, const float *full)
{
    double v, a;
    ems_text_affect(&v, &a, ekman);
    cli_json_open(&s->json, NULL, '{');
    if (!s->whole)
        cli_json_whole(&s->json, "line", s->line);
    json_scores(&s->json, "ekman", ekman, EMS_TEXT_FULL, EMS_TEXT_EKMAN);
    json_scores(&s->json, "full", full, 0, EMS_TEXT_FULL);
    cli_json_real(&s->json, "valence", rounded(v, DIGITS));
    cli_json_real(&s->json, "arousal", rounded(a, DIGITS));
    cli_json_close(&s->json, '}');
}

/* The two highest scores and their names. */
static void print_best(const float *score, size_t first, size_t count)
{
    size_t best = 0, second = count;
    for (size_t i = 1; i < count; i++)
        if (score[i] > score[best]) {
            second = best;
            best = i;
        } else if (second == count || score[i] > score[second]) {
            second = i;
        }
    printf("%s %.2f, %s %.2f\t", ems_text_label_name(first + best),
           (double)score[best], ems_text_label_name(first + second),
           (double)score[second]);
}

static void print_words(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        putchar(c < ' ' || c == 0x7f ? ' ' : c);
    }
    putchar('\n');
}

static void print_text(const settings *s, const float *ekman,
                       const float *full, const char *text, size_t size)
{
    double v, a;
    ems_text_affect(&v, &a, ekman);
    print_best(ekman, EMS_TEXT_FULL, EMS_TEXT_EKMAN);
    print_best(full, 0, EMS_TEXT_FULL);
    printf("V %+.2f A %+.2f", rounded(v, 100), rounded(a, 100));
    if (s->whole) {
        putchar('\n');
        return;
    }
    putchar('\t');
    print_words(text, size);
}

static void rate(settings *s, const char *text, size_t size)
{
    float ekman[EMS_TEXT_EKMAN], full[EMS_TEXT_FULL];
    s->line++;
    ems_text_rate(s->text, text, size, ekman, full);
    if (s->common.json)
        print_json(s, ekman, full);
    else
        print_text(s, ekman, full, text, size);
}

/* ---- All of them -------------------------------------------------------- */

static size_t chomp(const char *line, size_t size)
{
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    return size;
}

static int rate_lines(settings *s, FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while (!cli_interrupted() && (size = getline(&line, &room, in)) >= 0)
        rate(s, line, chomp(line, (size_t)size));
    free(line);
    return ferror(in) || !feof(in) ? -1 : 0;
}

/* No more of a long text is read than is looked at. */
static int rate_whole(settings *s, FILE *in)
{
    enum { MOST = 1 << 24 };
    char *text = malloc(MOST);
    if (!text)
        return -1;
    const size_t size = fread(text, 1, MOST, in);
    const bool failed = ferror(in) != 0;
    if (!failed)
        rate(s, text, size);
    free(text);
    return failed ? -1 : 0;
}

static int rate_file(settings *s, cli_ui *ui)
{
    const char *path = s->common.operand_count ? s->common.operands[0] : "-";
    const bool piped = strcmp(path, "-") == 0;
    FILE *in = piped ? stdin : fopen(path, "rb");
    if (!in)
        return cli_error(ui, "cannot open \"%s\": %s", path, strerror(errno));
    cli_json *const j = &s->json;
    *j = (cli_json){.out = stdout};
    if (s->common.json) {
        cli_json_open(j, NULL, '{');
        cli_json_open(j, "texts", '[');
    }
    const int code = s->whole ? rate_whole(s, in) : rate_lines(s, in);
    const int why = errno;
    if (s->common.json) {
        cli_json_close(j, ']');
        cli_json_close(j, '}');
        putchar('\n');
    }
    if (!piped)
        fclose(in);
    return code < 0 ? cli_error(ui, "cannot read \"%s\": %s", path,
                                strerror(why))
                    : CLI_DONE;
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    s->text = ems_text_open(s->model, &err);
    if (!s->text)
        return cli_fail(ui, &err);
    const int code = rate_file(s, ui);
    ems_text_free(s->text);
    return code;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "FILE", "a text per line; -, or none: standard input", true,
     false},
    CLI_END,
};

static const cli_option options[] = {
    CLI_SWITCH(whole, 1, "whole", "the file is one text, such as lyrics"),
    {CLI_ROW(CLI_INPUT, model, "model", "FILE",
             "weights of the classifier, safetensors"),
     .unset = "the classifier that ships"},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync text lines.txt", "Which emotion does each line tell?"},
    {"emsync text --whole --json lyrics.txt", "All scores of a song's words."},
    {NULL, NULL},
};

const cli_command cli_text = {
    .name = "text",
    .summary = "rate the emotion of written words",
    .details = "Prints for each line the two strongest of Ekman's six emotions"
               " and \"neutral\", the two strongest of the 28 labels of"
               " GoEmotions, valence and arousal, and the line; with --json"
               " all scores. English only.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .run = run,
    .pipes = true,
};

/* ---- bench text --------------------------------------------------------- */

typedef struct bench_settings {
    cli_common common;
    const char *model;
} bench_settings;

static int run_bench(void *data, cli_ui *ui)
{
    const bench_settings *s = data;
    ems_error err;
    double speed;
    if (ems_bench_text(s->model, s->common.operands[0], &speed, &ui->run,
                       &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, NULL);
        cli_json_real(&j, "lines_per_second", speed);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("%.0f lines a second\n", speed);
    }
    return CLI_DONE;
}

static const cli_operand bench_operands[] = {
    {CLI_INPUT, "FILE", "lines of text", 0, 0},
    CLI_END,
};

static const cli_option bench_options[] = {
    {CLI_ROW_OF(bench_settings, CLI_INPUT, model, "model", "FILE",
                "weights of the classifier, safetensors"),
     .unset = "the classifier that ships"},
    CLI_END,
};

static const cli_example bench_examples[] = {
    {"emsync bench text lines.txt --threads 1", "How fast on one core?"},
    {NULL, NULL},
};

const cli_command cli_bench_text = {
    .name = "bench text",
    .summary = "measure the rating of texts, in lines per second",
    .operands = bench_operands,
    .options = bench_options,
    .examples = bench_examples,
    .settings = sizeof(bench_settings),
    .run = run_bench,
    .works = true,
};

/* emsync enhance: restore dull sound; emsync evaluate enhancer. */
#include "commands.h"

/* ---- enhance ------------------------------------------------------------- */

typedef struct settings {
    cli_common common;
    const char *out;
    ems_enhance_options options;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_enhance_defaults();
}

static void show(const settings *s, const ems_enhance_result *r)
{
    char time[32];
    cli_time(r->seconds, time, sizeof time);
    if (r->edge > 0)
        printf("wrote %s: %s, restored above %.1f kHz\n", s->out, time,
               r->edge / 1000);
    else
        printf("wrote %s: %s, %s\n", s->out, time,
               r->restored ? "restored, though it has no edge"
                           : "left as it is: nothing is missing");
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    ems_enhance_result r;
    if (ems_enhance(s->common.operands[0], s->out, &s->options, &r, &ui->run,
                    &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_json_real(&j, "seconds", r.seconds);
        cli_json_real(&j, "edge_hz", r.edge);
        cli_json_whole(&j, "restored", r.restored != 0);
        cli_json_whole(&j, "rate", (size_t)r.rate);
        cli_json_whole(&j, "channels", (size_t)r.channels);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        show(s, &r);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "SOUND", "a sound file, or a film for its main sound", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(out, "24-bit WAV, 44.1 or 48 kHz"),
    {CLI_ROW(CLI_INPUT, options.weights, "weights", "FILE",
             "of emsync train enhancer"), .unset = "the network that ships"},
    CLI_SWITCH(options.always, 1, "always",
               "restore even sound that does not end below 16 kHz"),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync enhance dull.mp3 -o bright.wav", "Give it its treble back."},
    {"emsync enhance film.mp4 -o sound.wav", "The sound of a film."},
    {NULL, NULL},
};

const cli_command cli_enhance = {
    .name = "enhance",
    .summary = "restore the treble of dull sound",
    .details = "Sound that does not end below 16 kHz is left as it is.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
};

/* ---- evaluate enhancer --------------------------------------------------- */

typedef struct evaluation {
    cli_common common;
    const char *weights, *filters;
    double seconds;
    int as_enhance;
} evaluation;

enum { MOST = 16 };

static void evaluation_defaults(void *data)
{
    evaluation *s = data;
    s->filters = "cheby1-6,butter-6";
    s->seconds = 30;
}

static void print_scores(const ems_enhancer_score *s, int count)
{
    printf("%-10s %5s %8s %8s %7s %8s %8s\n", "filter", "tunes", "SNR in",
           "out", "gain", "LSD in", "out");
    for (int i = 0; i < count; i++)
        printf("%-10s %5zu %8.2f %8.2f %+7.2f %8.2f %8.2f\n", s[i].filter,
               s[i].tunes, s[i].snr_in, s[i].snr_out,
               s[i].snr_out - s[i].snr_in, s[i].lsd_in, s[i].lsd_out);
}

static void json_scores(const ems_enhancer_score *s, int count)
{
    cli_json j;
    cli_result_open(&j, NULL);
    cli_json_open(&j, "filters", '[');
    for (int i = 0; i < count; i++) {
        cli_json_open(&j, NULL, '{');
        cli_json_text(&j, "filter", s[i].filter);
        cli_json_whole(&j, "tunes", s[i].tunes);
        cli_json_real(&j, "snr_in", s[i].snr_in);
        cli_json_real(&j, "snr_out", s[i].snr_out);
        cli_json_real(&j, "lsd_in", s[i].lsd_in);
        cli_json_real(&j, "lsd_out", s[i].lsd_out);
        cli_json_close(&j, '}');
    }
    cli_json_close(&j, ']');
    cli_result_close(&j);
}

static int evaluate(void *data, cli_ui *ui)
{
    const evaluation *s = data;
    ems_enhancer_score scores[MOST];
    ems_error err;
    const int count = ems_evaluate_enhancer(
        s->weights, s->common.operands[0], s->filters, s->seconds,
        s->as_enhance, scores, MOST, &ui->run, &err);
    if (count < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json)
        json_scores(scores, count);
    else
        print_scores(scores, count);
    return CLI_DONE;
}

static const cli_operand evaluation_operands[] = {
    {CLI_FOLDER, "MUSIC", "a folder of full-band music", 0, 0},
    CLI_END,
};

static const cli_option evaluation_options[] = {
    {CLI_ROW_OF(evaluation, CLI_INPUT, weights, "weights", "FILE",
                "of emsync train enhancer"),
     .unset = "the network that ships"},
    {CLI_ROW_OF(evaluation, CLI_TEXT, filters, "filters", "NAMES",
                "filters to undo: cheby1-N, ellip-N, bessel-N, butter-N at"
                " 11025 Hz, or none")},
    {CLI_ROW_OF(evaluation, CLI_REAL, seconds, "seconds", "S",
                "of each tune, from second 8 on"), .min = 0.1, .max = 3600},
    {CLI_ROW_OF(evaluation, CLI_FLAG, as_enhance, "as-enhance", NULL,
                "restore as emsync enhance does: only above the edge it"
                " finds"), .value = 1},
    CLI_END,
};

static const cli_example evaluation_examples[] = {
    {"emsync evaluate enhancer music/", "How well does the network do?"},
    {"emsync evaluate enhancer music/ --filters none,bessel-12",
     "And when nothing is missing?"},
    {NULL, NULL},
};

const cli_command cli_evaluate_enhancer = {
    .name = "evaluate enhancer",
    .summary = "filter music, restore it, compare with the truth",
    .details = "SNR: of the filtered and the restored sound, dB; LSD: log-"
               "spectral distance, dB. Means over the tunes.",
    .operands = evaluation_operands,
    .options = evaluation_options,
    .examples = evaluation_examples,
    .settings = sizeof(evaluation),
    .defaults = evaluation_defaults,
    .run = evaluate,
    .works = true,
};

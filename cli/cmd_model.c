/* emsync model info, check, import, convert: files of weights. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    const char *out;
    double tolerance;
    int precision; /* convert: an ems_precision */
} settings;

/* ---- info --------------------------------------------------------------- */

static int run_info(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    ems_model_info m;
    if (ems_model_inspect(s->common.operands[0], &m, &err) < 0)
        return cli_fail(ui, &err);
    const struct { const char *name, *text; int value; } rows[] = {
        {"layers", "layers", m.shape.n_layer},
        {"width", "width", m.shape.d_model},
        {"heads", "heads", m.shape.n_head},
        {"inner", "inner width", m.shape.d_inner},
        {"context", "context", m.shape.context_len},
        {"vocabulary", "vocabulary", m.shape.vocab_size},
    };
    const int count = (int)(sizeof rows / sizeof *rows);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->common.operands[0]);
        cli_json_whole(&j, "parameters", m.parameters);
        for (int i = 0; i < count; i++)
            cli_json_whole(&j, rows[i].name, (uint64_t)rows[i].value);
        cli_json_text(&j, "sha256", m.sha256);
        cli_result_close(&j);
        return CLI_DONE;
    }
    if (!cli_talks(ui))
        return CLI_DONE;
    printf("%-11s %llu\n", "parameters", (unsigned long long)m.parameters);
    for (int i = 0; i < count; i++)
        printf("%-11s %d\n", rows[i].text, rows[i].value);
    printf("%-11s %s\n", "sha256", m.sha256);
    return CLI_DONE;
}

static const cli_operand info_operands[] = {
    {CLI_INPUT, "WEIGHTS", "safetensors", 0, 0},
    CLI_END,
};

static const cli_example info_examples[] = {
    {"emsync model info weights.safetensors", "How large is this model?"},
    {NULL, NULL},
};

const cli_command cli_model_info = {
    .name = "model info",
    .summary = "show the size and the checksum of a model",
    .operands = info_operands,
    .examples = info_examples,
    .settings = sizeof(settings),
    .run = run_info,
};

/* ---- check -------------------------------------------------------------- */

static void check_defaults(void *s)
{
    ((settings *)s)->tolerance = 1e-4;
}

typedef struct listing {
    const settings *settings;
    cli_ui *ui;
    cli_json json;
    size_t tensors;
    double largest;
} listing;

static void list_tensor(void *user, const char *tensor, double error)
{
    listing *l = user;
    const double tolerance = l->settings->tolerance;
    const int bad = !(error <= tolerance); /* not a number is bad */
    l->tensors++;
    if (!(error <= l->largest))
        l->largest = error;
    if (l->settings->common.json) {
        cli_json_open(&l->json, NULL, '{');
        cli_json_text(&l->json, "tensor", tensor);
        cli_json_real(&l->json, "error", error);
        cli_json_close(&l->json, '}');
    } else if (cli_talks(l->ui)) {
        cli_ui_clear(l->ui);
        printf("%-40s %9.2e%s\n", tensor, error, bad ? "  too large" : "");
    }
}

static void check_end(listing *l, int wrong)
{
    if (l->settings->common.json) {
        cli_json_close(&l->json, ']');
        if (wrong >= 0) {
            cli_json_real(&l->json, "tolerance", l->settings->tolerance);
            cli_json_real(&l->json, "largest", l->largest);
            cli_json_whole(&l->json, "wrong", (uint64_t)wrong);
        }
        cli_json_bool(&l->json, "ok", wrong == 0);
        cli_result_close(&l->json);
    } else if (wrong >= 0 && cli_talks(l->ui)) {
        printf("%zu tensors, largest relative error %.2e, %d above %g\n",
               l->tensors, l->largest, wrong, l->settings->tolerance);
    }
}

static int run_check(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    listing l = {.settings = s, .ui = ui};
    char **file = s->common.operands;
    if (s->common.json) {
        cli_result_open(&l.json, file[0]);
        cli_json_open(&l.json, "tensors", '[');
    }
    const int wrong = ems_model_check(
        file[0], file[1], s->common.operand_count > 2 ? file[2] : NULL,
        s->tolerance, list_tensor, &l, &ui->run, &err);
    cli_ui_clear(ui);
    check_end(&l, wrong);
    if (wrong < 0)
        return cli_fail(ui, &err);
    return wrong ? CLI_FAILED : CLI_DONE;
}

static const cli_operand check_operands[] = {
    {CLI_INPUT, "WEIGHTS", "safetensors", 0, 0},
    {CLI_INPUT, "IO", "inputs and logits of the reference", 0, 0},
    {CLI_INPUT, "GRADS", "loss and gradients of the reference", true, 0},
    CLI_END,
};

static const cli_option check_options[] = {
    CLI_NUMBER(tolerance, 0, 1, "tolerance", "X",
               "largest relative error that is right"),
    CLI_END,
};

static const cli_example check_examples[] = {
    {"emsync model check tiny.weights tiny.io tiny.grads",
     "Recompute logits, loss and gradients; exit 1 if one is off."},
    {NULL, NULL},
};

const cli_command cli_model_check = {
    .name = "model check",
    .summary = "compare our arithmetic with reference vectors",
    .details = "Recomputes the logits and, with GRADS, loss and gradients, and"
               " prints the largest relative error of every tensor.",
    .operands = check_operands,
    .options = check_options,
    .examples = check_examples,
    .settings = sizeof(settings),
    .defaults = check_defaults,
    .run = run_check,
    .works = true,
};

/* ---- import ------------------------------------------------------------- */

static int wrote(const settings *s, const cli_ui *ui)
{
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("wrote %s\n", s->out);
    }
    return CLI_DONE;
}

static int run_import(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    if (ems_model_import(s->common.operands[0], s->out, &err) < 0)
        return cli_fail(ui, &err);
    return wrote(s, ui);
}

static const cli_operand import_operands[] = {
    {CLI_INPUT, "CHECKPOINT", "a PyTorch state dict, .pt", 0, 0},
    CLI_END,
};

static const cli_option import_options[] = {
    CLI_RESULT(out, "the weights, safetensors"),
    CLI_END,
};

static const cli_example import_examples[] = {
    {"emsync model import midi_model.pt -o emsync-37m.safetensors",
     "Take over the weights that EMSYNC's authors published."},
    {NULL, NULL},
};

const cli_command cli_model_import = {
    .name = "model import",
    .summary = "convert a PyTorch checkpoint",
    .details = "Nothing in the checkpoint is executed; what is not a tensor is"
               " refused.",
    .operands = import_operands,
    .options = import_options,
    .examples = import_examples,
    .settings = sizeof(settings),
    .run = run_import,
    .writes = true,
};

/* ---- convert ------------------------------------------------------------ */

static void convert_defaults(void *s)
{
    ((settings *)s)->precision = EMS_BF16;
}

static int run_convert(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    if (ems_model_convert(s->common.operands[0], s->out,
                          (ems_precision)s->precision, &err) < 0)
        return cli_fail(ui, &err);
    return wrote(s, ui);
}

static const char *const stored_words[] = {"f32", "bf16", NULL};

static const cli_option convert_options[] = {
    CLI_RESULT(out, "the weights, safetensors"),
    CLI_WORDS(precision, stored_words, "type", "TYPE", "how values are stored"),
    CLI_END,
};

static const cli_example convert_examples[] = {
    {"emsync model convert trained.safetensors -o small.safetensors",
     "Half the bytes, for shipping."},
    {NULL, NULL},
};

const cli_command cli_model_convert = {
    .name = "model convert",
    .summary = "store weights with other precision",
    .operands = info_operands,
    .options = convert_options,
    .examples = convert_examples,
    .settings = sizeof(settings),
    .defaults = convert_defaults,
    .run = run_convert,
    .writes = true,
};

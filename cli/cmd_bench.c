/* emsync bench: how fast is this machine? */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_bench_options options;
    const char *data;
    int steps;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_bench_defaults();
    ((settings *)s)->steps = 5000;
}

static void json_shape(cli_json *j, const ems_bench_options *o)
{
    cli_json_whole(j, "parameters", ems_model_parameters(&o->shape, NULL));
    cli_json_whole(j, "layers", (uint64_t)o->shape.n_layer);
    cli_json_whole(j, "width", (uint64_t)o->shape.d_model);
    cli_json_whole(j, "heads", (uint64_t)o->shape.n_head);
    cli_json_whole(j, "inner", (uint64_t)o->shape.d_inner);
    cli_json_whole(j, "context", (uint64_t)o->shape.context_len);
    cli_json_text(j, "type", cli_precision_words[o->precision]);
}

static void print_model(const ems_bench_options *o)
{
    printf("%llu parameters, %d layers of %d, %s\n",
           (unsigned long long)ems_model_parameters(&o->shape, NULL),
           o->shape.n_layer, o->shape.d_model,
           cli_precision_words[o->precision]);
}

/* ---- compose ------------------------------------------------------------ */

static void json_loss(cli_json *j, const ems_precision_loss *loss)
{
    cli_json_whole(j, "steps_compared", loss->steps);
    cli_json_real(j, "other_top1", loss->other_top1);
    cli_json_real(j, "divergence", loss->divergence);
    cli_json_real(j, "nll", loss->nll);
    cli_json_real(j, "nll_float32", loss->nll_exact);
}

static void print_loss(const ems_precision_loss *loss, const char *type)
{
    printf("%.2f %% of %llu steps have another likeliest token than float32\n"
           "KL divergence %.2e, NLL %.4f with %s, %.4f with float32\n",
           100 * loss->other_top1, (unsigned long long)loss->steps,
           loss->divergence, loss->nll, type, loss->nll_exact);
}

static void print_speed(const settings *s, double speed, double limit,
                        const ems_precision_loss *loss, const cli_ui *ui)
{
    const ems_bench_options *o = &s->options;
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, NULL);
        cli_json_real(&j, "tokens_per_second", speed);
        cli_json_real(&j, "tokens_per_second_bandwidth_limit", limit);
        json_shape(&j, o);
        cli_json_whole(&j, "window", (uint64_t)o->window);
        cli_json_whole(&j, "tokens", (uint64_t)o->tokens);
        cli_json_whole(&j, "pieces", (uint64_t)o->pieces);
        if (loss)
            json_loss(&j, loss);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        print_model(o);
        printf("%.1f tokens a second, the best of %d, %d pieces with a window"
               " of %d\n", speed, o->tokens, o->pieces, o->window);
        printf("%.1f tokens a second if reading the weights were all\n",
               limit);
        if (loss)
            print_loss(loss, cli_precision_words[o->precision]);
    }
}

static int run_compose(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_bench_options *o = &s->options;
    ems_error err;
    ems_model_info info;
    ems_precision_loss loss;
    double speed = 0, limit = 0;
    if (o->weights && ems_model_inspect(o->weights, &info, &err) < 0)
        return cli_fail(ui, &err);
    if (o->weights)
        o->shape = info.shape;
    if (ems_bench_compose(o, &speed, &limit, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    if (s->data &&
        ems_bench_precision(&loss, o->weights, s->data, o->precision,
                            s->steps, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    print_speed(s, speed, limit, s->data ? &loss : NULL, ui);
    return CLI_DONE;
}

static const cli_option compose_options[] = {
    {CLI_ROW(CLI_INPUT, options.weights, "weights", "FILE",
             "time this model instead of a random one"), .unset = "random"},
    SHAPE_OPTIONS(options.shape),
    CLI_WORDS(options.precision, cli_precision_words, "type", "TYPE",
              "how the weights are held"),
    CLI_TITLE("Measurement"),
    CLI_COUNT(options.window, 0, 65536, "window",
              "tokens in the window when timing starts"),
    CLI_COUNT(options.tokens, 1, 1e9, "tokens",
              "tokens to time, in short laps; the best one counts"),
    CLI_COUNT(options.pieces, 1, EMS_BENCH_PIECES, "pieces",
              "pieces composed side by side"),
    {CLI_ROW(CLI_INPUT, data, "data", "FILE",
             "with --weights: compare the type with float32 on the held-out"
             " music of this data set"), .unset = "no comparison"},
    CLI_COUNT(steps, 1, 1e9, "steps", "tokens to compare"),
    CLI_END,
};

static const cli_example compose_examples[] = {
    {"emsync bench compose --layers 11 --width 512 --heads 8 --inner 2048",
     "How fast would the paper's model compose here?"},
    {"emsync bench compose --type int8 --weights W.safetensors --data D.tok",
     "What do 8 bits change in this model?"},
    {NULL, NULL},
};

const cli_command cli_bench_compose = {
    .name = "bench compose",
    .summary = "measure composing, and what rounding the weights changes",
    .details = "Prints tokens per second beside the limit that this machine's"
               " memory sets.",
    .options = compose_options,
    .examples = compose_examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run_compose,
    .works = true,
};

/* ---- train -------------------------------------------------------------- */

static void print_rate(const char *what, double rate, double peak)
{
    printf("%-26s %7.1f GFLOP/s %4.0f %%\n", what, rate * 1e-9,
           100 * rate / peak);
}

static int run_train(void *data, cli_ui *ui)
{
    const settings *s = data;
    const ems_bench_options *o = &s->options;
    ems_error err;
    ems_train_speed speed;
    if (ems_bench_train(o, &speed, &ui->run, &err) < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, NULL);
        cli_json_real(&j, "tokens_per_second", speed.tokens);
        cli_json_real(&j, "products_gflops", speed.products * 1e-9);
        cli_json_real(&j, "attention_gflops", speed.attention * 1e-9);
        cli_json_real(&j, "step_gflops", speed.step * 1e-9);
        cli_json_real(&j, "peak_gflops", speed.peak * 1e-9);
        json_shape(&j, o);
        cli_json_whole(&j, "batch", (uint64_t)o->batch);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        print_model(o);
        printf("%.1f tokens a second, %d sequences a step\n", speed.tokens,
               o->batch);
        print_rate("products with weights", speed.products, speed.peak);
        print_rate("attention", speed.attention, speed.peak);
        print_rate("whole step", speed.step, speed.peak);
        print_rate("multiply-add in registers", speed.peak, speed.peak);
    }
    return CLI_DONE;
}

static const char *const train_words[] = {"f32", "bf16", NULL};

static const cli_option train_options[] = {
    SHAPE_OPTIONS(options.shape),
    CLI_WORDS(options.precision, train_words, "type", "TYPE",
              "of the matrix products"),
    CLI_TITLE("Measurement"),
    CLI_COUNT(options.batch, 1, 65536, "batch", "sequences per step"),
    CLI_END,
};

static const cli_example train_examples[] = {
    {"emsync bench train --type bf16",
     "How fast does this machine learn?"},
    {NULL, NULL},
};

const cli_command cli_bench_train = {
    .name = "bench train",
    .summary = "measure training, with random weights of any size",
    .details = "Prints tokens per second, and the rate of the matrix products"
               " beside what this machine's multiply-add units can do.",
    .options = train_options,
    .examples = train_examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run_train,
    .works = true,
};

/* emsync train enhancer: teach the network that restores dull sound. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_enhancer_options options;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_enhancer_defaults();
}

static bool continues(const void *data)
{
    return ((const settings *)data)->options.resume;
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    s->options.music = s->common.operands[0];
    const int code = ems_train_enhancer(&s->options, &ui->run, &err);
    if (code == EMS_ECANCELLED)
        return cli_error(ui, "interrupted; --resume goes on from \"%s.ckpt\"",
                         s->options.out);
    if (code < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->options.out);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("wrote %s\n", s->options.out);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_FOLDER, "MUSIC", "a folder of full-band music, in any format", 0, 0},
    CLI_END,
};

static const char *const kind_words[] = {"resnet", "unet", NULL};
static const char *const filter_words[] = {"one", "bank", "random", NULL};
static const char *const optimizer_words[] = {"muon", "adam", NULL};

static const cli_option options[] = {
    CLI_TITLE("Files"),
    CLI_RESULT(options.out, "the weights; FILE.ckpt holds what --resume needs,"
               " FILE.log a line per twenty steps"),
    CLI_SWITCH(options.resume, 1, "resume", "go on from FILE.ckpt"),
    CLI_TITLE("Network"),
    CLI_WORDS(options.shape.kind, kind_words, "kind", "KIND",
              "of the network; the paper's are resnet of width 512 with 15"
              " blocks and unet of width 128"),
    CLI_COUNT(options.shape.width, 1, 1024, "width",
              "channels of a resnet, of a unet's first layer"),
    CLI_COUNT(options.shape.blocks, 1, 32, "blocks", "of a resnet"),
    CLI_SWITCH(options.shape.batch_norm, 1, "batch-norm",
               "normalise after convolutions"),
    CLI_NUMBER(options.shape.dropout, 0, 0.9, "dropout", "X",
               "share of zeroed values; not together with --batch-norm"),
    CLI_TITLE("Training"),
    CLI_WORDS(options.filters, filter_words, "filters", "WHICH",
              "filters to undo: one Chebyshev-I of order 6; the bank of the"
              " paper, at 11025 Hz; or random ones of any kind, order and"
              " cut-off from 4 to 16 kHz"),
    CLI_COUNT(options.steps, 1, 1e9, "steps", "steps in all"),
    CLI_COUNT(options.batch, 1, 1024, "batch", "chunks per step"),
    CLI_COUNT(options.chunk, 32, 1 << 20, "chunk", "samples of a chunk"),
    CLI_WORDS(options.optimizer, optimizer_words, "optimizer", "NAME",
              "muon takes rates about ten times those of adam"),
    CLI_NUMBER(options.lr, 0, 1, "lr", "X", "learning rate at its highest"),
    {CLI_ROW(CLI_SEED, options.seed, "seed", "N",
             "of the first weights and of what is heard when")},
    CLI_NUMBER(options.tune_seconds, 1, 1e5, "tune-seconds", "S",
               "sound to take of each file, at most"),
    CLI_COUNT(options.validate_steps, 0, 1e9, "validate",
              "steps between two scores of the held-out tunes"),
    CLI_NUMBER(options.checkpoint_minutes, 0, 1e6, "checkpoint", "MIN",
               "minutes between two checkpoints"),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync train enhancer music/ -o enhancer.safetensors",
     "The network that ships, on music of your own."},
    {"emsync train enhancer music/ -o plain.safetensors --filters one",
     "One that will only undo one filter."},
    {NULL, NULL},
};

const cli_command cli_train_enhancer = {
    .name = "train enhancer",
    .summary = "train the network that restores dull sound",
    .details = "Every eighth file, by name, is held out. Ctrl-C leaves a"
               " checkpoint for --resume.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .continues = continues,
    .writes = true,
    .works = true,
    .chatty = true,
};

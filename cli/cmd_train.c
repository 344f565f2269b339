/* emsync train music: teach the composer. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_train_options options;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_train_defaults();
}

/* A dry run writes nothing; a resumed one goes on with its own files; of
 * several ranks the first asks. */
static bool continues(const void *data)
{
    const settings *s = data;
    return s->options.resume || s->options.dry_run || ems_rank(NULL) > 0;
}

/* How a rank other than the first ends. What fails, all agree on and the
 * first one tells: a launcher that saw this one fail would kill that one
 * before it has spoken. Only who never met the others speaks for itself. */
static int last_word(int code)
{
    return code == EMS_EUNSUPPORTED ? CLI_FAILED : CLI_DONE;
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    s->options.dataset = s->common.operands[0];
    const int code = ems_train_music(&s->options, &ui->run, &err);
    if (ems_rank(NULL) > 0)
        return last_word(code);
    if (code == EMS_ECANCELLED)
        return cli_error(ui, "interrupted; --resume goes on from \"%s.ckpt\"",
                         s->options.out);
    if (code < 0)
        return cli_fail(ui, &err);
    cli_ui_clear(ui);
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->options.dry_run ? NULL : s->options.out);
        cli_result_close(&j);
    } else if (cli_talks(ui) && !s->options.dry_run) {
        printf("wrote %s\n", s->options.out);
    }
    return CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "DATA", "a data set of emsync dataset build", 0, 0},
    CLI_END,
};

static const char *const schedule_words[] = {"cosine", "constant", "wsd",
                                             NULL};
static const char *const precision_words[] = {"f32", "bf16", NULL};

static const cli_option options[] = {
    CLI_TITLE("Files"),
    CLI_RESULT(options.out,
               "the weights; FILE.ckpt holds what --resume needs, FILE.log a"
               " line per ten steps, FILE.svg its curves"),
    CLI_SWITCH(options.resume, 1, "resume",
               "go on from FILE.ckpt; steps, minutes and data may be others"),
    {CLI_ROW(CLI_INPUT, options.from, "from", "WEIGHTS",
             "begin a new run with these; their sizes count, but --context"
             " may be longer"), .unset = "random weights"},
    CLI_SWITCH(options.dry_run, 1, "dry-run",
               "say what it would cost in memory and arithmetic, and stop"),
    SHAPE_OPTIONS(options.shape),
    CLI_TITLE("Training"),
    CLI_COUNT(options.batch, 1, 4096, "batch",
              "sequences worked on at once: memory grows with them"),
    {CLI_ROW(CLI_INT, options.excerpt, "excerpt", "N",
             "tokens of a sequence; short ones teach to heed the emotion"),
     .max = 1 << 20, .unset = "all that the model can see"},
    CLI_COUNT(options.accumulate, 1, 4096, "accumulate",
              "such batches per step"),
    {CLI_ROW(CLI_INT, options.steps, "steps", "N",
             "steps in all; give these, --minutes or both"),
     .max = 1e9, .unset = "no limit"},
    {CLI_ROW(CLI_REAL, options.minutes, "minutes", "N", "stop after this time"),
     .max = 1e6, .unset = "no limit"},
    CLI_NUMBER(options.lr, 0, 1, "lr", "X", "learning rate at its highest"),
    CLI_NUMBER(options.warmup, 0, 1e9, "warmup", "N",
               "steps until it is reached"),
    CLI_WORDS(options.schedule, schedule_words, "schedule", "HOW",
              "then: a half cosine to the end of the run; constant, for runs"
              " in several pieces; or wsd, constant with a decay at the end"),
    {CLI_ROW(CLI_REAL, options.decay_minutes, "decay-minutes", "N",
             "of wsd: the last minutes"), .max = 1e6, .unset = "none"},
    {CLI_ROW(CLI_INT, options.decay_steps, "decay-steps", "N",
             "of wsd: the last steps"), .max = 1e9, .unset = "none"},
    CLI_NUMBER(options.lr_end, 0, 1, "lr-end", "X",
               "share of the learning rate left at the end"),
    CLI_NUMBER(options.contrast, 0, 1e4, "contrast", "X",
               "weight of telling the music's valence from another's"),
    CLI_COUNT(options.pairs, 1, 2048, "pairs",
              "short excerpts a step for which that is asked"),
    CLI_NUMBER(options.breaks, 0, 1, "breaks", "X",
               "share of excerpts that break off for chords off the grid"),
    CLI_NUMBER(options.weight_decay, 0, 10, "weight-decay", "X", "of AdamW"),
    CLI_NUMBER(options.clip, 0, 1e6, "clip", "X",
               "longest gradient; 0 does not clip"),
    CLI_NUMBER(options.dropout, 0, 0.9, "dropout", "X",
               "share of zeroed values"),
    CLI_WORDS(options.precision, precision_words, "precision", "TYPE",
              "of the matrix products"),
    {CLI_ROW(CLI_SEED, options.seed, "seed", "N",
             "of the first weights and of the order of the data")},
    CLI_NUMBER(options.validate_steps, 0, 1e9, "validate", "N",
               "steps between two looks at the held-out pieces"),
    CLI_NUMBER(options.checkpoint_minutes, 0, 1e6, "checkpoint", "MIN",
               "minutes between two checkpoints"),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync train music data.ems -o weights.safetensors --minutes 60",
     "Train for an hour."},
    {"emsync train music data.ems -o weights.safetensors --resume",
     "Go on after an interruption."},
    {"emsync train music data.ems -o w.st --minutes 180 --schedule constant",
     "The first three hours of a longer run."},
    {"emsync train music data.ems -o w.safetensors --layers 11 --dry-run",
     "How much memory would the paper's model take?"},
    {NULL, NULL},
};

const cli_command cli_train_music = {
    .name = "train music",
    .summary = "train the composer on a data set",
    .details = "AdamW on every core. Ctrl-C leaves a checkpoint for --resume."
               " mpirun -n N emsync train music ... shares the work among N"
               " processes.",
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

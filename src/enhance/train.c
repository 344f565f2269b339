/* The enhancer's training loop: ems_train_enhancer. */
#include "enhance/train.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "enhance/muon.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { LOG_STEPS = 20, WARMUP = 100 };
#define LR_END 0.01
#define REST 0.1 /* of the rate, for what Muon does not move */

ems_enhancer_options ems_enhancer_defaults(void)
{
    return (ems_enhancer_options){
        .shape = {.kind = EMS_ENHANCER_RESNET, .width = 32, .blocks = 4},
        .filters = EMS_FILTERS_RANDOM, .batch = 8, .chunk = 8192,
        .steps = 2000, .lr = 2e-2, .seed = 1, .checkpoint_minutes = 2,
        .validate_steps = 250, .tune_seconds = 120};
}

static int in(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static int options_check(const ems_enhancer_options *o, ems_error *err)
{
    if (!o->music || !o->out)
        return ems_fail(err, EMS_EINVAL, "training an enhancer needs a folder"
                        " of music and a file for the weights");
    if (!in(o->batch, 1, 1024) || !in(o->chunk, 1, 1 << 20) ||
        !in(o->steps, 1, 1e9) || !in(o->lr, 1e-9, 1) ||
        !in(o->checkpoint_minutes, 0, 1e7) || !in(o->validate_steps, 0, 1e9) ||
        !in(o->tune_seconds, 1, 1e5) || !in(o->filters, 0, 2) ||
        !in(o->optimizer, 0, 1))
        return ems_fail(err, EMS_EINVAL, "an option of training is out of"
                        " range: batch 1..1024, chunk up to 1048576, at least"
                        " one step, lr 0..1, a tune at least 1 s");
    if (ems_cnet_check(&o->shape, err) < 0)
        return err->code;
    const size_t step = ems_cnet_step(&o->shape), chunk = (size_t)o->chunk;
    const size_t least = 2 * ems_cnet_reach(&o->shape) + step;
    if (chunk % step || chunk < least)
        return ems_fail(err, EMS_EINVAL, "chunks of %d samples: this network"
                        " takes a multiple of %zu, at least %zu", o->chunk,
                        step, (least + step - 1) / step * step);
    return EMS_OK;
}

/* ---- Setting up ---------------------------------------------------------- */

static void add_spans(ems_enhance_train *t, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += EMS_SPAN) {
        const size_t left = to - at;
        t->span[t->optim.spans++] =
            (ems_span){at, left < EMS_SPAN ? left : EMS_SPAN, 0};
    }
}

/* Adam's: all, or what lies between the kernels. */
static void divide(ems_enhance_train *t)
{
    size_t at = 0;
    for (size_t i = 0; i < t->net->layers; i++) {
        const ems_cnet_layer *l = &t->net->layer[i];
        if (l->kind != EMS_CNET_CONV || t->o.optimizer == EMS_OPTIMIZER_ADAM)
            continue;
        add_spans(t, at, l->weight);
        at = l->bias;
    }
    add_spans(t, at, t->net->parameters);
}

static int take_memory(ems_enhance_train *t, ems_error *err)
{
    const size_t n = t->net->parameters, spans = n / EMS_SPAN + EMS_CNET_LAYERS;
    t->block = ems_alloc_aligned(4 * n, sizeof *t->block);
    t->stats = ems_alloc(t->net->statistics + 1, sizeof *t->stats);
    t->whole = ems_alloc(2 * (size_t)t->o.batch * (size_t)t->o.chunk,
                         sizeof *t->whole);
    t->scratch = ems_alloc_aligned(ems_muon_floats(t->net),
                                   sizeof *t->scratch);
    t->span = ems_alloc(spans, sizeof *t->span);
    t->optim.sums = ems_alloc(spans, sizeof *t->optim.sums);
    if (!t->block || !t->stats || !t->whole || !t->span ||
        !t->optim.sums || !t->scratch)
        return ems_out_of_memory(err);
    t->optim.ops = ems_ops_get(ems_cpu_best());
    t->optim.pool = t->pool;
    t->optim.span = t->span;
    t->optim.p = t->block;
    t->optim.g = t->block + n;
    t->optim.m = t->block + 2 * n;
    t->optim.v = t->block + 3 * n;
    divide(t);
    return EMS_OK;
}

/* Where chunks may begin: anywhere in the tunes that are not held out. */
static int open_music(ems_enhance_train *t, ems_error *err)
{
    const size_t chunk = (size_t)t->o.chunk;
    int code = ems_tunes_read(&t->tunes, t->o.music, 0, t->o.tune_seconds,
                              &t->run, err);
    if (code < 0)
        return code;
    t->start = ems_alloc(t->tunes.count + 1, sizeof *t->start);
    if (!t->start)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < t->tunes.count; i++) {
        const size_t frames = t->tunes.tune[i].frames;
        const size_t room = frames > chunk && !ems_enhance_is_held(i)
                                ? frames - chunk : 0;
        t->start[i + 1] = t->start[i] + room;
    }
    if (t->start[t->tunes.count] == 0)
        code = ems_fail(err, EMS_EFORMAT, "no music below \"%s\" is longer"
                        " than a chunk of %zu samples", t->o.music, chunk);
    return code;
}

static int open_log(ems_enhance_train *t, ems_error *err)
{
    t->log = ems_log_file_open(t->log_path, t->o.resume, err);
    if (!t->log)
        return EMS_EIO;
    const ems_enhancer_shape *s = &t->o.shape;
    fprintf(t->log, "# %s width %d blocks %d batch-norm %d dropout %g filters"
            " %d, %zu parameters; %s, batch %d x %d, lr %g, seed %" PRIu64
            "; %zu tunes, %.1f minutes; from step %" PRIu64 "\n",
            s->kind == EMS_ENHANCER_UNET ? "unet" : "resnet", s->width,
            s->blocks, s->batch_norm, s->dropout, (int)t->o.filters,
            t->net->parameters, t->o.optimizer == EMS_OPTIMIZER_MUON ? "muon"
            : "adam", t->o.batch, t->o.chunk, t->o.lr, t->o.seed,
            t->tunes.count, t->tunes.seconds / 60, t->state.step);
    return EMS_OK;
}

/* A checkpoint's network and seed count, whatever the options say. */
static int read_state(ems_enhance_train *t, ems_error *err)
{
    t->state = (ems_enhance_state){.shape = t->o.shape,
                                   .filters = t->o.filters,
                                   .optimizer = t->o.optimizer,
                                   .seed = t->o.seed};
    t->checkpoint = ems_path_suffix(t->o.out, ".ckpt");
    t->log_path = ems_path_suffix(t->o.out, ".log");
    if (!t->checkpoint || !t->log_path)
        return ems_out_of_memory(err);
    if (!t->o.resume)
        return EMS_OK;
    const int code = ems_enhance_checkpoint_state(t->checkpoint, &t->state,
                                                  err);
    t->state.shape.dropout = t->o.shape.dropout;
    t->o.shape = t->state.shape;
    t->o.filters = t->state.filters;
    t->o.optimizer = t->state.optimizer;
    t->o.seed = t->state.seed;
    return code < 0 ? code : options_check(&t->o, err);
}

static int open_training(ems_enhance_train *t, ems_error *err)
{
    int code = read_state(t, err);
    if (code < 0)
        return code;
    t->pool = ems_pool_new(t->run.threads, err);
    if (!t->pool)
        return err->code;
    t->net = ems_cnet_new(&t->o.shape, (size_t)t->o.batch, (size_t)t->o.chunk,
                         1, t->pool, err);
    if (!t->net)
        return err->code;
    code = take_memory(t, err);
    if (code == EMS_OK)
        code = open_music(t, err);
    if (code == EMS_OK && t->o.resume)
        code = ems_enhance_checkpoint_load(t, err);
    else if (code == EMS_OK)
        ems_cnet_init(t->net, t->optim.p, t->stats, t->o.seed);
    return code < 0 ? code : open_log(t, err);
}

static void close_training(ems_enhance_train *t)
{
    if (t->log)
        fclose(t->log);
    ems_cnet_free(t->net);
    ems_pool_free(t->pool);
    ems_tunes_clear(&t->tunes);
    ems_free(t->start);
    ems_free(t->block);
    ems_free(t->stats);
    ems_free(t->scratch);
    ems_free(t->whole);
    ems_free(t->span);
    ems_free(t->optim.sums);
    ems_free(t->checkpoint);
    ems_free(t->log_path);
}

/* ---- The loop ------------------------------------------------------------ */

static double seconds_of(const ems_enhance_train *t)
{
    return t->state.seconds + ems_now() - t->started;
}

static int save(ems_enhance_train *t, ems_error *err)
{
    const double seconds = t->state.seconds;
    t->state.seconds = seconds_of(t);
    const int code = ems_enhance_checkpoint_save(t, err);
    t->state.seconds = seconds;
    t->saved = ems_now();
    return code;
}

static int save_weights(const ems_enhance_train *t, ems_error *err)
{
    static const char *const filters[] = {"cheby1-6", "bank", "random"};
    char step[24];
    snprintf(step, sizeof step, "%" PRIu64, t->state.step);
    const ems_st_pair pairs[] = {{"step", step},
                                 {"filters", filters[t->o.filters]}};
    return ems_cnet_save(t->net, t->optim.p, t->stats, t->o.out, pairs, 2,
                        err);
}

static int step(ems_enhance_train *t, ems_error *err)
{
    double loss;
    const int code = ems_enhance_gradient(t, &loss, err);
    if (code < 0)
        return code;
    const double progress = (double)t->state.step / t->o.steps;
    const double lr = ems_learning_rate(t->o.lr, LR_END, WARMUP,
                                        t->state.step, progress);
    const int muon = t->o.optimizer == EMS_OPTIMIZER_MUON;
    if (!isfinite(loss) || !isfinite(ems_optim_norm(&t->optim)) ||
        (muon && ems_muon_step(t->net, t->optim.p, t->optim.g, t->optim.m,
                               lr, t->scratch) < 0))
        return ems_fail(err, EMS_EINTERNAL, "training diverged at step %"
                        PRIu64 "; try a lower learning rate", t->state.step);
    ems_optim_step(&t->optim, ++t->state.step, muon ? REST * lr : lr, 0, 1);
    t->loss += loss;
    return EMS_OK;
}

static void note_steps(ems_enhance_train *t)
{
    const double n = (double)(t->state.step - t->line_step);
    fprintf(t->log, "step %" PRIu64 " loss %.4e minutes %.2f\n",
            t->state.step, t->loss / n, seconds_of(t) / 60);
    t->line_step = t->state.step;
    t->loss = 0;
}

static int validate(ems_enhance_train *t, ems_error *err)
{
    ems_enhance_snr seen, unseen;
    if (t->tunes.count < 8)
        return EMS_OK; /* nothing is held out */
    if (ems_enhance_held(t, 0, &seen, err) < 0 ||
        ems_enhance_held(t, EMS_FILTER_UNSEEN, &unseen, err) < 0)
        return err->code;
    fprintf(t->log, "held-out step %" PRIu64 " cheby1-6 %.2f %+.2f butter-6"
            " %.2f %+.2f\n", t->state.step, seen.in, seen.out - seen.in,
            unseen.in, unseen.out - unseen.in);
    ems_log(&t->run, EMS_LOG_INFO, "step %" PRIu64 ": SNR %+.2f dB by"
            " cheby1-6, %+.2f by butter-6", t->state.step,
            seen.out - seen.in, unseen.out - unseen.in);
    return EMS_OK;
}

static int look_back(ems_enhance_train *t, ems_error *err)
{
    const uint64_t every = (uint64_t)t->o.validate_steps;
    const uint64_t end = (uint64_t)t->o.steps;
    ems_progress(&t->run, "train", (double)t->state.step / t->o.steps);
    if (t->state.step % LOG_STEPS == 0)
        note_steps(t);
    if ((every && t->state.step % every == 0) || t->state.step == end)
        if (validate(t, err) < 0)
            return err->code;
    if (ems_now() - t->saved >= 60 * t->o.checkpoint_minutes)
        return save(t, err);
    return EMS_OK;
}

static int loop(ems_enhance_train *t, ems_error *err)
{
    int code = EMS_OK;
    t->started = t->saved = ems_now();
    t->line_step = t->state.step;
    while (code == EMS_OK && t->state.step < (uint64_t)t->o.steps) {
        code = ems_cancelled(&t->run) ? ems_fail_cancelled(err)
                                      : step(t, err);
        if (code == EMS_OK)
            code = look_back(t, err);
    }
    return code;
}

static int train(ems_enhance_train *t, ems_error *err)
{
    int code = open_training(t, err);
    if (code < 0)
        return code;
    code = loop(t, err);
    if (code == EMS_OK || code == EMS_ECANCELLED) {
        ems_error local = {0};
        int saved = save(t, &local);
        if (saved == EMS_OK && code == EMS_OK)
            saved = save_weights(t, &local);
        if (saved < 0) {
            *err = local;
            code = saved;
        }
    }
    fprintf(t->log, "# ended at step %" PRIu64 ", %.1f minutes of training:"
            " %s\n", t->state.step, seconds_of(t) / 60,
            code < 0 ? err->text : "done");
    return code;
}

int ems_train_enhancer(const ems_enhancer_options *options,
                       const ems_run *run, ems_error *err)
{
    ems_error local;
    if (!err)
        err = &local;
    if (options_check(options, err) < 0)
        return err->code;
    ems_enhance_train *t = ems_alloc(1, sizeof *t);
    if (!t)
        return ems_out_of_memory(err);
    t->o = *options;
    if (run)
        t->run = *run;
    const int code = train(t, err);
    close_training(t);
    ems_free(t);
    return code;
}

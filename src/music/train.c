/* The training loop: ems_train_music and ems_bench_train. */
#include "music/train.h"

#include "base/mem.h"
#include "base/run.h"
#include "music/model_io.h"
#include "music/vocab.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    LOG_STEPS = 10,          /* steps between lines of the log */
    VALIDATE_SEQUENCES = 48, /* excerpts of a validation, about */
};
#define HELD_STREAM 0x68656c64 /* generators of the held-out excerpts */

ems_train_options ems_train_defaults(void)
{
    return (ems_train_options){
        .shape = {.d_model = 256, .n_layer = 6, .n_head = 4, .d_inner = 1024,
                  .context_len = 642, .vocab_size = EMS_VOCAB},
        .precision = EMS_F32, .batch = 8, .lr = 5e-4, .lr_end = 0.05,
        .warmup = 200, .weight_decay = 0.01, .clip = 1, .dropout = 0.1,
        .seed = 1, .checkpoint_minutes = 5, .validate_steps = 250};
}

static ems_graph_options graph_options(const ems_train_options *o)
{
    return (ems_graph_options){
        .shape = o->shape, .batch = (size_t)o->batch,
        .tokens = (size_t)(o->shape.context_len - EMS_CONDITIONS),
        .precision = o->precision, .dropout = o->dropout};
}

/* ---- Setting up --------------------------------------------------------- */

static int in(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static int options_check(const ems_train_options *o, ems_error *err)
{
    if (!o->out || (!o->dataset && !o->dry_run))
        return ems_fail(err, EMS_EINVAL, "training needs a data set and a"
                        " file for the weights");
    if (o->batch < 1 || o->batch > 4096)
        return ems_fail(err, EMS_EINVAL, "batch of %d sequences; take 1 to"
                        " 4096", o->batch);
    if (o->steps < 0 || !in(o->minutes, 0, 1e7) ||
        (!o->dry_run && !o->steps && !(o->minutes > 0)))
        return ems_fail(err, EMS_EINVAL, "training needs an end: give a"
                        " number of steps, of minutes, or both");
    if (!in(o->lr, 1e-9, 1) || !in(o->lr_end, 0, 1) ||
        !in(o->warmup, 0, 1e9) || !in(o->weight_decay, 0, 1) ||
        !in(o->clip, 0, 1e9) || !in(o->dropout, 0, 0.9) ||
        !in(o->checkpoint_minutes, 0, 1e7) || !in(o->validate_steps, 0, 1e9))
        return ems_fail(err, EMS_EINVAL, "an option of training is out of"
                        " range: lr 0..1, lr_end 0..1, weight decay 0..1,"
                        " dropout 0..0.9, clip, warm-up, minutes and steps"
                        " not negative");
    if (o->shape.vocab_size != EMS_VOCAB)
        return ems_fail(err, EMS_EINVAL, "vocabulary of %d tokens; music has"
                        " %d", o->shape.vocab_size, EMS_VOCAB);
    return ems_shape_check(&o->shape, err);
}

typedef struct span_list {
    ems_span *span; /* NULL: only count */
    size_t count;
} span_list;

static void add_spans(void *user, const ems_tensor *t)
{
    span_list *s = user;
    for (size_t at = 0; at < t->count; at += EMS_SPAN, s->count++)
        if (s->span) {
            const size_t left = t->count - at;
            s->span[s->count] = (ems_span){
                t->offset + at, left < EMS_SPAN ? left : EMS_SPAN, t->decay};
        }
}

static int open_memory(ems_training *t, ems_error *err)
{
    const ems_model_shape *shape = &t->o.shape;
    const size_t n = ems_params_count(shape);
    const size_t rows = (size_t)t->o.batch *
                        (size_t)(shape->context_len - EMS_CONDITIONS);
    span_list list = {0};
    ems_params_each(shape, add_spans, &list);
    t->block = ems_alloc_aligned(4 * n, sizeof *t->block);
    t->span = ems_alloc(list.count, sizeof *t->span);
    t->optim.sums = ems_alloc(list.count, sizeof *t->optim.sums);
    t->ids = ems_alloc(2 * rows, sizeof *t->ids);
    t->reals = ems_alloc(rows + 2 * (size_t)t->o.batch, sizeof *t->reals);
    if (!t->block || !t->span || !t->optim.sums || !t->ids || !t->reals)
        return ems_out_of_memory(err);
    list = (span_list){t->span, 0};
    ems_params_each(shape, add_spans, &list);
    ems_params_place(&t->p, shape, t->block);
    ems_params_place(&t->d, shape, t->block + n);
    t->optim.span = t->span;
    t->optim.spans = list.count;
    t->optim.p = t->block;
    t->optim.g = t->block + n;
    t->optim.m = t->block + 2 * n;
    t->optim.v = t->block + 3 * n;
    t->batch = (ems_batch){.tokens = t->ids, .targets = t->ids + rows,
                           .seconds = t->reals, .conditions = t->reals + rows};
    return EMS_OK;
}

static int open_engine(ems_training *t, ems_error *err)
{
    const ems_cpu_level level = ems_cpu_best();
    const ems_graph_options o = graph_options(&t->o);
    t->pool = ems_pool_new(ems_run_threads(t->run), err);
    if (!t->pool)
        return err->code;
    t->graph = ems_graph_new(&o, level, t->pool, err);
    if (!t->graph)
        return err->code;
    t->optim.ops = ems_ops_get(level);
    t->optim.pool = t->pool;
    return open_memory(t, err);
}

static void close_training(ems_training *t)
{
    if (t->log)
        fclose(t->log);
    ems_graph_free(t->graph);
    ems_pool_free(t->pool);
    ems_sampler_close(&t->sampler);
    ems_dataset_close(t->data);
    ems_free(t->block);
    ems_free(t->span);
    ems_free(t->optim.sums);
    ems_free(t->ids);
    ems_free(t->reals);
    ems_free(t->checkpoint);
    ems_free(t->log_path);
}

static char *with_suffix(const char *path, const char *suffix)
{
    const size_t n = strlen(path), m = strlen(suffix) + 1;
    char *out = ems_alloc(n + m, 1);
    if (out) {
        memcpy(out, path, n);
        memcpy(out + n, suffix, m);
    }
    return out;
}

static int open_files(ems_training *t, ems_error *err)
{
    t->checkpoint = with_suffix(t->o.out, ".ckpt");
    t->log_path = with_suffix(t->o.out, ".log");
    if (!t->checkpoint || !t->log_path)
        return ems_out_of_memory(err);
    t->data = ems_dataset_open(t->o.dataset, err);
    if (!t->data)
        return err->code;
    t->state = (ems_train_state){.shape = t->o.shape, .seed = t->o.seed,
                                 .best = INFINITY};
    if (t->o.resume) {
        const int code = ems_checkpoint_state(t->checkpoint, &t->state, err);
        if (code < 0)
            return code;
        t->o.shape = t->state.shape;
        t->o.seed = t->state.seed;
    }
    return ems_sampler_open(&t->sampler, t->data,
                            (size_t)(t->o.shape.context_len - EMS_CONDITIONS),
                            err);
}

static int open_log(ems_training *t, ems_error *err)
{
    t->log = fopen(t->log_path, t->o.resume ? "a" : "w");
    if (!t->log)
        return ems_fail_errno(err, EMS_EIO, "cannot write the log \"%s\"",
                              t->log_path);
    setvbuf(t->log, NULL, _IOLBF, 0);
    const ems_model_shape *s = &t->o.shape;
    fprintf(t->log, "# d_model %d layers %d heads %d inner %d context %d,"
            " %zu parameters; batch %d, seed %" PRIu64 "; %zu + %zu pieces,"
            " %zu + %zu tokens; from step %" PRIu64 "\n", s->d_model,
            s->n_layer, s->n_head, s->d_inner, s->context_len, t->p.count,
            t->o.batch, t->o.seed, t->sampler.pieces, t->sampler.held_pieces,
            t->sampler.tokens, t->sampler.held_tokens, t->state.step);
    return EMS_OK;
}

static int open_training(ems_training *t, ems_error *err)
{
    int code = open_files(t, err);
    if (code == EMS_OK)
        code = open_engine(t, err);
    if (code < 0)
        return code;
    if (t->o.resume)
        code = ems_checkpoint_load(t, err);
    else
        ems_params_init(&t->p, t->o.seed);
    return code < 0 ? code : open_log(t, err);
}

/* ---- Batches ------------------------------------------------------------ */

static ems_excerpt row_of(const ems_training *t, size_t row)
{
    const size_t n = t->sampler.length, rows = (size_t)t->o.batch * n;
    return (ems_excerpt){t->ids + row * n, t->ids + rows + row * n,
                         t->reals + row * n, t->reals + rows + 2 * row};
}

static void fill_batch(ems_training *t)
{
    for (size_t i = 0; i < (size_t)t->o.batch; i++) {
        ems_rng rng = ems_rng_seed(t->o.seed, t->state.step *
                                   (uint64_t)t->o.batch + i);
        ems_excerpt e = row_of(t, i);
        ems_sample(&t->sampler, &rng, &e);
    }
}

static ems_score_sums score(ems_training *t, int blind)
{
    const int batches = (VALIDATE_SEQUENCES + t->o.batch - 1) / t->o.batch;
    ems_score_sums sum = {0};
    for (int b = 0; b < batches && !ems_cancelled(t->run); b++) {
        for (size_t i = 0; i < (size_t)t->o.batch; i++) {
            const uint64_t n = (uint64_t)b * (uint64_t)t->o.batch + i;
            ems_rng rng = ems_rng_seed(HELD_STREAM, n);
            ems_excerpt e = row_of(t, i);
            ems_sample_held(&t->sampler, &rng, blind, &e);
        }
        ems_graph_forward(t->graph, &t->p, &t->batch, 0);
        const ems_score_sums s = ems_graph_score(t->graph, &t->batch);
        sum.nll += s.nll;
        sum.count += s.count;
        sum.top1 += s.top1;
        sum.top5 += s.top5;
    }
    return sum;
}

/* ---- Files -------------------------------------------------------------- */

static double seconds_now(const ems_training *t)
{
    return t->state.seconds + ems_now() - t->started;
}

static void save_checkpoint(ems_training *t, ems_error *err)
{
    ems_error local;
    const double seconds = t->state.seconds;
    t->state.seconds = seconds_now(t);
    t->unsaved = ems_checkpoint_save(t, &local) < 0;
    t->state.seconds = seconds;
    t->saved = ems_now();
    if (!t->unsaved)
        return;
    ems_log(t->run, EMS_LOG_WARNING, "%s; training goes on and will try"
            " again", local.text);
    if (err)
        *err = local;
}

static int save_weights(ems_training *t, double nll, ems_error *err)
{
    char step[24], loss[24];
    snprintf(step, sizeof step, "%" PRIu64, t->state.step);
    snprintf(loss, sizeof loss, "%.6f", nll);
    const ems_st_pair pairs[] = {{"step", step}, {"held_out_nll", loss}};
    return ems_params_save(&t->p, t->o.out, pairs, 2, err);
}

/* Held-out scores; the weights are written when they are the best so far. */
static void validate(ems_training *t)
{
    ems_error err;
    if (!t->sampler.held_pieces)
        return;
    const ems_score_sums with = score(t, 0), blind = score(t, 1);
    if (ems_cancelled(t->run) || !(with.count > 0))
        return;
    const double nll = with.nll / with.count;
    fprintf(t->log, "held-out step %" PRIu64 " nll %.5f top1 %.4f top5 %.4f"
            " without-offsets nll %.5f top1 %.4f top5 %.4f%s\n",
            t->state.step, nll, with.top1 / with.count,
            with.top5 / with.count, blind.nll / blind.count,
            blind.top1 / blind.count, blind.top5 / blind.count,
            nll < t->state.best ? " best" : "");
    ems_log(t->run, EMS_LOG_INFO, "step %" PRIu64 ": held-out loss %.4f",
            t->state.step, nll);
    if (!(nll < t->state.best))
        return;
    if (save_weights(t, nll, &err) == EMS_OK)
        t->state.best = nll;
    else
        ems_log(t->run, EMS_LOG_WARNING, "%s; training goes on and will try"
                " again", err.text);
}

/* ---- The loop ----------------------------------------------------------- */

static double progress(const ems_training *t)
{
    const double steps = t->o.steps ? (double)t->state.step / t->o.steps : 0;
    const double time = t->o.minutes > 0
                            ? seconds_now(t) / (60 * t->o.minutes) : 0;
    return steps > time ? steps : time;
}

static int went_wrong(const ems_training *t, double loss, ems_error *err)
{
    return ems_fail(err, EMS_EINTERNAL, "step %" PRIu64 ": loss %g, gradient"
                    " norm %g: training has diverged and stops; \"%s\" and"
                    " the last checkpoint are from before: resume with a"
                    " lower learning rate than %g", t->state.step + 1, loss,
                    t->norm, t->o.out, t->o.lr);
}

static int train_step(ems_training *t, ems_error *err)
{
    fill_batch(t);
    t->lr = ems_learning_rate(t->o.lr, t->o.lr_end, t->o.warmup,
                              t->state.step, progress(t));
    ems_graph_forward(t->graph, &t->p, &t->batch,
                      t->state.step + 1 + (t->o.seed << 40));
    const double loss = ems_graph_backward(t->graph, &t->p, &t->batch, &t->d);
    t->norm = ems_optim_norm(&t->optim);
    if (!isfinite(loss) || !isfinite(t->norm))
        return went_wrong(t, loss, err);
    const double scale = t->o.clip > 0 && t->norm > t->o.clip
                             ? t->o.clip / t->norm : 1;
    ems_optim_step(&t->optim, t->state.step + 1, t->lr, t->o.weight_decay,
                   scale);
    t->state.step++;
    t->state.tokens += (uint64_t)t->o.batch * t->sampler.length;
    t->loss += loss;
    return EMS_OK;
}

static void log_line(ems_training *t, double *since, uint64_t *from)
{
    const double now = ems_now();
    const double n = (double)(t->state.step - *from);
    if (n < 1)
        return;
    const double speed = n * t->o.batch * (double)t->sampler.length /
                         (now - *since);
    fprintf(t->log, "step %" PRIu64 " tokens %" PRIu64 " loss %.6f lr %.3e"
            " norm %.3f tok/s %.0f minutes %.2f\n", t->state.step,
            t->state.tokens, t->loss / n, t->lr, t->norm, speed,
            seconds_now(t) / 60);
    ems_log(t->run, EMS_LOG_DEBUG, "step %" PRIu64 ": loss %.4f, %.0f tokens"
            " a second", t->state.step, t->loss / n, speed);
    t->loss = 0;
    *since = now;
    *from = t->state.step;
}

static int at_end(const ems_training *t)
{
    if (t->o.steps && t->state.step >= (uint64_t)t->o.steps)
        return 1;
    return t->o.minutes > 0 && seconds_now(t) >= 60 * t->o.minutes;
}

static int validation_is_due(const ems_training *t)
{
    const uint64_t every = (uint64_t)t->o.validate_steps;
    return every && t->state.step % every == 0;
}

static int loop(ems_training *t, ems_error *err)
{
    uint64_t from = t->state.step;
    double since = ems_now();
    t->started = t->saved = since;
    while (!at_end(t)) {
        if (ems_cancelled(t->run))
            return ems_fail_cancelled(err);
        const int code = train_step(t, err);
        if (code < 0)
            return code;
        ems_progress(t->run, "train", fmin(progress(t), 1));
        if (t->state.step % LOG_STEPS == 0)
            log_line(t, &since, &from);
        if (validation_is_due(t)) {
            validate(t);
            since = ems_now();
            from = t->state.step;
            t->loss = 0;
        }
        if (ems_now() - t->saved >= 60 * t->o.checkpoint_minutes)
            save_checkpoint(t, NULL);
    }
    return EMS_OK;
}

/* However the loop ended, unless it diverged: keep what was learnt. */
static int finish(ems_training *t, int code, ems_error *err)
{
    ems_error local = {0};
    if (code != EMS_OK && code != EMS_ECANCELLED)
        return code;
    if (code == EMS_OK && !validation_is_due(t))
        validate(t);
    save_checkpoint(t, &local);
    if (t->unsaved && code == EMS_OK) {
        if (err)
            *err = local;
        return local.code;
    }
    /* Without held-out pieces the last weights are the best known. */
    if (code == EMS_OK && !t->sampler.held_pieces)
        return save_weights(t, NAN, err);
    return code;
}

static int dry_run(const ems_train_options *o, const ems_run *run)
{
    const ems_graph_options g = graph_options(o);
    ems_pool *pool = ems_pool_new(ems_run_threads(run), NULL);
    const int threads = ems_pool_threads(pool);
    ems_pool_free(pool);
    const size_t n = ems_params_count(&o->shape);
    ems_log(run, EMS_LOG_INFO, "%zu parameters; %zu bytes for activations,"
            " %zu for parameters, gradient and optimiser; %.4g floating"
            " point operations a step of %zu tokens", n,
            ems_graph_bytes(&g, threads), 4 * n * sizeof(float),
            ems_graph_flops(&g), g.batch * g.tokens);
    return EMS_OK;
}

int ems_train_music(const ems_train_options *options, const ems_run *run,
                    ems_error *err)
{
    ems_error local;
    if (!err)
        err = &local;
    if (options_check(options, err) < 0)
        return err->code;
    if (options->dry_run)
        return dry_run(options, run);
    ems_training *t = ems_alloc(1, sizeof *t);
    if (!t)
        return ems_out_of_memory(err);
    t->o = *options;
    t->run = run;
    int code = open_training(t, err);
    if (code == EMS_OK) {
        code = loop(t, err);
        code = finish(t, code, err);
    }
    close_training(t);
    ems_free(t);
    return code;
}

/* ---- Measuring ---------------------------------------------------------- */

static void fill_random(ems_training *t, size_t length)
{
    const size_t rows = (size_t)t->o.batch * length;
    ems_rng rng = ems_rng_seed(1, 0);
    for (size_t i = 0; i < 2 * rows; i++)
        t->ids[i] = (uint16_t)(EMS_BAR + ems_rng_below(&rng, EMS_VOCAB - 2));
    for (size_t i = 0; i < rows + 2 * (size_t)t->o.batch; i++)
        t->reals[i] = (float)ems_rng_uniform(&rng);
}

/* Seconds of a step: the best of some, as other work disturbs. */
static double time_steps(ems_training *t)
{
    enum { REPEAT = 4 };
    double best = INFINITY;
    for (uint64_t i = 1; i <= REPEAT && !ems_cancelled(t->run); i++) {
        const double start = ems_now();
        ems_graph_forward(t->graph, &t->p, &t->batch, i);
        ems_graph_backward(t->graph, &t->p, &t->batch, &t->d);
        const double norm = ems_optim_norm(&t->optim);
        ems_optim_step(&t->optim, i, 1e-5, 0.01, 1 / (1 + norm));
        best = fmin(best, ems_now() - start);
    }
    return best;
}

int ems_bench_train(const ems_bench_options *options,
                    double *tokens_per_second, const ems_run *run,
                    ems_error *err)
{
    ems_error local;
    if (!err)
        err = &local;
    ems_training *t = ems_alloc(1, sizeof *t);
    if (!t)
        return ems_out_of_memory(err);
    t->o = ems_train_defaults();
    t->o.shape = options->shape;
    t->o.precision = options->precision;
    t->o.batch = options->batch;
    t->run = run;
    int code = ems_shape_check(&t->o.shape, err);
    if (code == EMS_OK && t->o.batch < 1)
        code = ems_fail(err, EMS_EINVAL, "batch of %d sequences; take at"
                        " least 1", t->o.batch);
    if (code == EMS_OK)
        code = open_engine(t, err);
    if (code == EMS_OK) {
        const size_t length = (size_t)(t->o.shape.context_len -
                                       EMS_CONDITIONS);
        ems_params_init(&t->p, 1);
        fill_random(t, length);
        *tokens_per_second = t->o.batch * (double)length / time_steps(t);
        if (ems_cancelled(run))
            code = ems_fail_cancelled(err);
    }
    close_training(t);
    ems_free(t);
    return code;
}

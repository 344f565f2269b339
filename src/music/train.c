/* The training loop: ems_train_music. */
#include "music/train.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "music/vocab.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { LOG_STEPS = 10 }; /* steps between lines of the log */

ems_train_options ems_train_defaults(void)
{
    return (ems_train_options){
        .shape = {.d_model = 256, .n_layer = 6, .n_head = 4, .d_inner = 1024,
                  .context_len = 642, .vocab_size = EMS_VOCAB},
        .precision = EMS_F32, .batch = 8, .accumulate = 1, .pairs = 16,
        .lr = 5e-4,
        .lr_end = 0.05, .warmup = 200, .weight_decay = 0.01, .clip = 1,
        .dropout = 0.1, .seed = 1, .checkpoint_minutes = 5,
        .validate_steps = 250};
}

/* Tokens of a sequence. */
static size_t length_of(const ems_train_options *o)
{
    const int most = o->shape.context_len - EMS_CONDITIONS;
    return (size_t)(o->excerpt && o->excerpt < most ? o->excerpt : most);
}

static ems_graph_options graph_options(const ems_train_options *o)
{
    return (ems_graph_options){
        .shape = o->shape, .batch = (size_t)o->batch,
        .tokens = length_of(o),
        .precision = o->precision, .dropout = o->dropout};
}

/* ---- Options ------------------------------------------------------------ */

static int in(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static int end_check(const ems_train_options *o, ems_error *err)
{
    if (o->steps < 0 || !in(o->minutes, 0, 1e7) ||
        (!o->dry_run && !o->steps && !(o->minutes > 0)))
        return ems_fail(err, EMS_EINVAL, "training needs an end: give a"
                        " number of steps, of minutes, or both");
    if (o->schedule != EMS_WSD)
        return EMS_OK;
    if (!in(o->decay_minutes, 0, 1e7) || o->decay_steps < 0 ||
        (!(o->minutes > 0 && o->decay_minutes > 0) &&
         !(o->steps && o->decay_steps)))
        return ems_fail(err, EMS_EINVAL, "the schedule wsd ends with a"
                        " decay: give its minutes along with the minutes of"
                        " training, or its steps along with the steps");
    return EMS_OK;
}

static int options_check(const ems_train_options *o, ems_error *err)
{
    if (!o->out || (!o->dataset && !o->dry_run))
        return ems_fail(err, EMS_EINVAL, "training needs a data set and a"
                        " file for the weights");
    if (o->excerpt && (o->excerpt < 16 || o->excerpt > 1 << 20))
        return ems_fail(err, EMS_EINVAL, "excerpts of %d tokens; take 16 or"
                        " more, or 0 for all that the model can see",
                        o->excerpt);
    if (o->contrast > 0 && (o->pairs < 1 || o->pairs > 2048))
        return ems_fail(err, EMS_EINVAL, "%d pairs to be told apart; take 1"
                        " to 2048", o->pairs);
    if (o->batch < 1 || o->batch > 4096 || o->accumulate < 1 ||
        o->accumulate > 4096)
        return ems_fail(err, EMS_EINVAL, "batch of %d sequences, %d times;"
                        " take 1 to 4096 of either", o->batch, o->accumulate);
    if (!in(o->lr, 1e-9, 1) || !in(o->lr_end, 0, 1) ||
        !in(o->warmup, 0, 1e9) || !in(o->weight_decay, 0, 1) ||
        !in(o->clip, 0, 1e9) || !in(o->contrast, 0, 1e4) ||
        !in(o->breaks, 0, 1) || !in(o->dropout, 0, 0.9) ||
        !in(o->checkpoint_minutes, 0, 1e7) || !in(o->validate_steps, 0, 1e9))
        return ems_fail(err, EMS_EINVAL, "an option of training is out of"
                        " range: lr 0..1, lr_end 0..1, weight decay 0..1,"
                        " dropout 0..0.9, contrast 0..10000, breaks 0..1, clip,"
                        " warm-up,"
                        " minutes and steps not negative");
    if (o->shape.vocab_size != EMS_VOCAB)
        return ems_fail(err, EMS_EINVAL, "vocabulary of %d tokens; music has"
                        " %d", o->shape.vocab_size, EMS_VOCAB);
    const int code = end_check(o, err);
    return code < 0 ? code : ems_shape_check(&o->shape, err);
}

double ems_train_progress(const ems_train_options *o, uint64_t step,
                          double seconds)
{
    const double steps = o->steps ? (double)step / o->steps : 0;
    const double time = o->minutes > 0 ? seconds / (60 * o->minutes) : 0;
    return fmin(fmax(steps, time), 1);
}

/* What is left of the decay at the end, 1 before it begins. */
static double decay_left(const ems_train_options *o, uint64_t step,
                         double seconds)
{
    double left = 1;
    if (o->minutes > 0 && o->decay_minutes > 0)
        left = fmin(left, (60 * o->minutes - seconds) /
                          (60 * o->decay_minutes));
    if (o->steps && o->decay_steps)
        left = fmin(left, ((double)o->steps - (double)step) /
                          o->decay_steps);
    return fmax(left, 0);
}

double ems_train_rate(const ems_train_options *o, uint64_t step,
                      double seconds)
{
    double end = o->lr_end, progress = 0;
    if (o->schedule == EMS_COSINE)
        progress = ems_train_progress(o, step, seconds);
    const double lr = ems_learning_rate(o->lr, end, o->warmup, step,
                                        progress);
    if (o->schedule != EMS_WSD)
        return lr;
    return lr * (end + (1 - end) * decay_left(o, step, seconds));
}

/* ---- Memory ------------------------------------------------------------- */

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

/* Tokens of a step on one rank. */
static size_t rows_of(const ems_train_options *o)
{
    return (size_t)o->accumulate * (size_t)o->batch * length_of(o);
}

static size_t reals_of(const ems_train_options *o)
{
    return rows_of(o) + 2 * (size_t)o->accumulate * (size_t)o->batch;
}

/* Blocks of parameters: themselves, gradient, two moments; a second gradient
 * to add up parts; for a moment, the weights it begins with. */
static size_t blocks_of(const ems_train_options *o)
{
    const int parts = ems_train_has_parts(o), from = o->from && !o->resume;
    return (size_t)(4 + parts + from);
}

size_t ems_train_bytes(const ems_train_options *o, int threads)
{
    const ems_graph_options g = graph_options(o);
    return ems_graph_bytes(&g, threads) + ems_pairs_bytes(o, threads) +
           blocks_of(o) * ems_params_count(&o->shape) * sizeof(float) +
           2 * rows_of(o) * sizeof(uint16_t) + reals_of(o) * sizeof(float);
}

static int take_memory(ems_training *t, ems_error *err)
{
    const size_t n = ems_params_count(&t->o.shape);
    span_list list = {0};
    ems_params_each(&t->o.shape, add_spans, &list);
    t->block = ems_alloc_aligned(4 * n, sizeof *t->block);
    t->span = ems_alloc(list.count, sizeof *t->span);
    t->optim.sums = ems_alloc(list.count, sizeof *t->optim.sums);
    t->ids = ems_alloc(2 * rows_of(&t->o), sizeof *t->ids);
    t->reals = ems_alloc(reals_of(&t->o), sizeof *t->reals);
    if (ems_train_has_parts(&t->o))
        t->sum = ems_alloc_aligned(n, sizeof *t->sum);
    if (!t->block || !t->span || !t->optim.sums || !t->ids || !t->reals ||
        (ems_train_has_parts(&t->o) && !t->sum))
        return ems_out_of_memory(err);
    list = (span_list){t->span, 0};
    ems_params_each(&t->o.shape, add_spans, &list);
    t->optim.span = t->span;
    t->optim.spans = list.count;
    return EMS_OK;
}

static void place_blocks(ems_training *t)
{
    const size_t n = ems_params_count(&t->o.shape);
    ems_params_place(&t->p, &t->o.shape, t->block);
    ems_params_place(&t->d, &t->o.shape, t->block + n);
    t->optim.p = t->block;
    t->optim.g = t->block + n;
    t->optim.m = t->block + 2 * n;
    t->optim.v = t->block + 3 * n;
}

int ems_train_engine(ems_training *t, ems_error *err)
{
    const ems_cpu_level level = ems_cpu_best();
    const ems_graph_options o = graph_options(&t->o);
    t->pool = ems_pool_new(ems_ranks_threads(t->ranks, t->run.threads), err);
    if (!t->pool)
        return err->code;
    t->graph = ems_graph_new(&o, level, t->pool, err);
    if (!t->graph)
        return err->code;
    t->optim.ops = ems_ops_get(level);
    t->optim.pool = t->pool;
    int code = take_memory(t, err);
    if (code == EMS_OK)
        place_blocks(t);
    return code == EMS_OK ? ems_pairs_open(t, err) : code;
}

void ems_train_close(ems_training *t)
{
    if (t->log)
        fclose(t->log);
    ems_graph_free(t->graph);
    ems_pairs_close(&t->pairs);
    ems_pool_free(t->pool);
    ems_sampler_close(&t->sampler);
    ems_dataset_close(t->data);
    ems_ranks_close(t->ranks);
    ems_free(t->block);
    ems_free(t->sum);
    ems_free(t->span);
    ems_free(t->optim.sums);
    ems_free(t->ids);
    ems_free(t->reals);
    ems_free(t->checkpoint);
    ems_free(t->log_path);
    ems_free(t->curve_path);
}

/* ---- Setting up --------------------------------------------------------- */

/* What rank 0 finds in files, before memory is taken for it. */
static int read_state(ems_training *t, ems_error *err)
{
    t->state = (ems_train_state){.shape = t->o.shape, .seed = t->o.seed,
                                 .best = INFINITY};
    if (!ems_train_leads(t))
        return EMS_OK;
    if (t->o.resume)
        return ems_checkpoint_state(t->checkpoint, &t->state, err);
    return t->o.from ? ems_train_from_shape(t->o.from, &t->state.shape, err)
                     : EMS_OK;
}

static int open_state(ems_training *t, ems_error *err)
{
    t->checkpoint = ems_path_suffix(t->o.out, ".ckpt");
    t->log_path = ems_path_suffix(t->o.out, ".log");
    t->curve_path = ems_path_suffix(t->o.out, ".svg");
    int code = t->checkpoint && t->log_path && t->curve_path
                   ? read_state(t, err) : ems_out_of_memory(err);
    code = ems_ranks_agree(t->ranks, code, err);
    if (code == EMS_OK)
        code = ems_ranks_share(t->ranks, &t->state, sizeof t->state, err);
    t->o.shape = t->state.shape;
    t->o.seed = t->state.seed;
    return code;
}

/* FNV-1a over the held-out pieces and how they are cut: other pieces, other
 * losses. */
static uint64_t held_fingerprint(const ems_sampler *s)
{
    uint64_t h = 0xcbf29ce484222325u ^ s->length;
    for (size_t i = 0; i < s->held_pieces; i++) {
        const ems_dataset_piece p = ems_dataset_get(s->data, s->held[i]);
        for (size_t k = 0; k < p.token_count; k++)
            h = (h ^ p.tokens[k]) * 0x100000001b3u;
    }
    return h;
}

static int open_data(ems_training *t, ems_error *err)
{
    t->data = ems_dataset_open(t->o.dataset, err);
    if (!t->data)
        return err->code;
    const int code = ems_sampler_open(&t->sampler, t->data, length_of(&t->o),
                                      err);
    t->sampler.breaks = t->o.breaks;
    return code;
}

/* Every rank reads the data set: it must be the same one. A checkpoint's
 * lowest loss counts only while the held-out pieces are the same. */
static int compare_data(ems_training *t, ems_error *err)
{
    const uint64_t mine = held_fingerprint(&t->sampler);
    uint64_t theirs = mine;
    if (ems_ranks_share(t->ranks, &theirs, sizeof theirs, err) < 0)
        return err->code;
    if (t->state.held && t->state.held != mine) {
        ems_log(&t->run, EMS_LOG_WARNING, "the held-out pieces are not those"
                " of before: the best loss is measured anew");
        t->state.best = INFINITY;
    }
    t->state.held = mine;
    return mine == theirs ? EMS_OK
                          : ems_fail(err, EMS_EINVAL, "\"%s\" is not the"
                                     " same data set for all ranks",
                                     t->o.dataset);
}

static int read_weights(ems_training *t, ems_error *err)
{
    if (t->o.resume)
        return ems_train_leads(t) ? ems_checkpoint_load(t, err) : EMS_OK;
    ems_params_init(&t->p, t->o.seed);
    return t->o.from && ems_train_leads(t)
               ? ems_train_from(t->o.from, &t->p, err) : EMS_OK;
}

static int open_weights(ems_training *t, ems_error *err)
{
    int code = ems_ranks_agree(t->ranks, read_weights(t, err), err);
    if (code < 0)
        return code;
    return ems_ranks_share(t->ranks, t->block,
                           4 * t->p.count * sizeof *t->block, err);
}

static void describe(const ems_train_options *o, int threads, int ranks,
                     const ems_run *run)
{
    const ems_graph_options g = graph_options(o);
    const double all = (double)ranks * o->accumulate;
    ems_log(run, EMS_LOG_INFO, "%zu parameters; %.1f MB of memory%s; %.4g"
            " floating point operations a step of %.0f tokens",
            ems_params_count(&o->shape),
            (double)ems_train_bytes(o, threads) * 1e-6,
            ranks > 1 ? " a rank" : "",
            all * ems_graph_flops(&g) + ranks * ems_pairs_flops(o),
            all * (double)(g.batch * g.tokens));
}

static int open_training(ems_training *t, ems_error *err)
{
    int code = open_state(t, err);
    if (code == EMS_OK)
        code = ems_ranks_agree(t->ranks, open_data(t, err), err);
    if (code == EMS_OK)
        code = ems_ranks_agree(t->ranks, compare_data(t, err), err);
    if (code == EMS_OK)
        code = ems_ranks_agree(t->ranks, ems_train_engine(t, err), err);
    if (code < 0)
        return code;
    describe(&t->o, ems_pool_threads(t->pool), ems_ranks_size(t->ranks),
             &t->run);
    code = open_weights(t, err);
    if (code == EMS_OK && ems_train_leads(t))
        code = ems_train_log_open(t, err);
    return ems_ranks_agree(t->ranks, code, err);
}

/* ---- The loop ----------------------------------------------------------- */

double ems_train_seconds(const ems_training *t)
{
    return t->state.seconds + ems_now() - t->started;
}

static void save_checkpoint(ems_training *t, ems_error *err)
{
    ems_error local;
    const double seconds = t->state.seconds;
    if (!ems_train_leads(t))
        return;
    t->state.seconds = ems_train_seconds(t);
    t->unsaved = ems_checkpoint_save(t, &local) < 0;
    t->state.seconds = seconds;
    t->saved = ems_now();
    if (!t->unsaved)
        return;
    ems_log(&t->run, EMS_LOG_WARNING, "%s; training goes on and will try"
            " again", local.text);
    if (err)
        *err = local;
}

static int at_end(const ems_training *t)
{
    if (t->o.steps && t->state.step >= (uint64_t)t->o.steps)
        return 1;
    return t->o.minutes > 0 && t->turn.seconds >= 60 * t->o.minutes;
}

static int validation_is_due(const ems_training *t)
{
    const uint64_t every = (uint64_t)t->o.validate_steps;
    return every && t->state.step % every == 0;
}

/* After a step: lines, scores, files. */
static int look_back(ems_training *t, ems_error *err)
{
    int code = EMS_OK;
    ems_progress(&t->run, "train", ems_train_progress(&t->o, t->state.step,
                                                      t->turn.seconds));
    if (t->state.step % LOG_STEPS == 0)
        ems_train_log_step(t);
    if (validation_is_due(t)) {
        code = ems_train_validate(t, err);
        ems_train_log_restart(t);
    }
    if (ems_now() - t->saved >= 60 * t->o.checkpoint_minutes)
        save_checkpoint(t, NULL);
    return code;
}

static int loop(ems_training *t, ems_error *err)
{
    t->started = t->saved = ems_now();
    ems_train_log_restart(t);
    for (;;) {
        int code = ems_train_turn(t, err);
        if (code < 0 || at_end(t))
            return code;
        if (t->turn.cancelled > 0)
            return ems_fail_cancelled(err);
        code = ems_train_step(t, err);
        if (code == EMS_OK)
            code = look_back(t, err);
        if (code < 0)
            return code;
    }
}

/* However the loop ended, unless it went wrong: keep what was learnt. */
static int finish(ems_training *t, int code, ems_error *err)
{
    ems_error local = {0};
    if (code != EMS_OK && code != EMS_ECANCELLED)
        return code;
    if (code == EMS_OK && !validation_is_due(t))
        code = ems_train_validate(t, err);
    save_checkpoint(t, &local);
    if (t->unsaved && code == EMS_OK) {
        *err = local;
        code = local.code;
    }
    /* Without held-out pieces the last weights are the best known. */
    if (code == EMS_OK && !t->sampler.held_pieces && ems_train_leads(t))
        code = ems_train_save_weights(t, NAN, err);
    return code;
}

static int train(ems_training *t, ems_error *err)
{
    int code = ems_ranks_open(&t->ranks, err);
    if (!ems_train_leads(t)) {
        t->run.log = NULL;
        t->run.progress = NULL;
    }
    if (code == EMS_OK)
        code = open_training(t, err);
    if (code == EMS_OK) {
        code = finish(t, loop(t, err), err);
        ems_train_log_end(t, code, err);
        code = ems_ranks_agree(t->ranks, code, err);
    }
    return code;
}

static int dry_run(const ems_train_options *options, const ems_run *run,
                   ems_error *err)
{
    ems_train_options o = *options;
    if (o.from && ems_train_from_shape(o.from, &o.shape, err) < 0)
        return err->code;
    ems_pool *pool = ems_pool_new(ems_run_threads(run), NULL);
    describe(&o, ems_pool_threads(pool), 1, run);
    ems_pool_free(pool);
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
        return dry_run(options, run, err);
    ems_training *t = ems_alloc(1, sizeof *t);
    if (!t)
        return ems_out_of_memory(err);
    t->o = *options;
    if (run)
        t->run = *run;
    const int code = train(t, err);
    ems_train_close(t);
    ems_free(t);
    return code;
}

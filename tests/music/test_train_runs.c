/* Long runs: in parts, in pieces, from other weights, and what ends them. */
#include "train_rig.h"

#include "base/file.h"
#include "base/mem.h"
#include "music/model_io.h"
#include "music/train.h"
#include "music/vocab.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define DATA EMS_SCRATCH "/runs.tok"
#define OUT EMS_SCRATCH "/runs.out"

static ems_train_options options(const char *out)
{
    return short_run(DATA, out);
}

static int write_all_data(void **state)
{
    (void)state;
    write_data(DATA, 4);
    return 0;
}

static int in_file(const char *path, const char *text)
{
    ems_bytes b;
    assert_int_equal(ems_bytes_map(&b, path, 0, NULL), EMS_OK);
    const int found = memmem(b.data, b.size, text, strlen(text)) != NULL;
    ems_bytes_unmap(&b);
    return found;
}

/* ---- A batch in parts --------------------------------------------------- */

typedef struct comparison {
    const float *a, *b;
    double worst;
} comparison;

static void compare_tensor(void *user, const ems_tensor *t)
{
    comparison *c = user;
    /* Softmax does not feel the keys' bias: its gradient is rounding alone,
     * which Adam makes as large as any other. */
    if (strstr(t->name, "Wk.bias"))
        return;
    for (size_t i = t->offset; i < t->offset + t->count; i++)
        c->worst = fmax(c->worst, fabs((double)c->a[i] - (double)c->b[i]));
}

/* The largest difference of parameters in two checkpoints. */
static double distance(const ems_train_options *o, const char *a,
                       const char *b)
{
    ems_safetensors *x = ems_safetensors_open(a, NULL);
    ems_safetensors *y = ems_safetensors_open(b, NULL);
    assert_true(x && y);
    const size_t n = ems_params_count(&o->shape);
    float *p = ems_alloc(2 * n, sizeof *p);
    ems_st_read_f32(ems_safetensors_find(x, "parameters"), p);
    ems_st_read_f32(ems_safetensors_find(y, "parameters"), p + n);
    comparison c = {p, p + n, 0};
    ems_params_each(&o->shape, compare_tensor, &c);
    ems_free(p);
    ems_safetensors_free(x);
    ems_safetensors_free(y);
    return c.worst;
}

static void check_parts(double contrast)
{
    ems_error err;
    ems_train_options o = options(OUT ".whole");
    o.contrast = contrast;
    o.batch = 4;
    must(train(&o, 1, 0, &err), &err);
    for (int batch = 1; batch <= 2; batch++) {
        o.out = OUT ".parts";
        o.batch = batch;
        o.accumulate = 4 / batch;
        must(train(&o, 2, 0, &err), &err);
        const double d = distance(&o, OUT ".whole.ckpt", OUT ".parts.ckpt");
        if (d > 1e-4)
            fail_msg("batch %d: parameters differ by %g", batch, d);
    }
    o.accumulate = 3;
    must(train(&o, 1, 0, &err), &err);
    assert_true(distance(&o, OUT ".whole.ckpt", OUT ".parts.ckpt") > 1e-3);
}

static void parts_sum_to_the_batch(void **state)
{
    (void)state;
    check_parts(0);
    check_parts(10);
}

/* ---- In pieces ---------------------------------------------------------- */

static void rates(void **state)
{
    (void)state;
    ems_train_options o = ems_train_defaults();
    o.lr = 1;
    o.lr_end = 0.1;
    o.warmup = 10;
    o.steps = 1000;
    assert_true(fabs(ems_train_rate(&o, 4, 0) - 0.5) < 1e-9);
    assert_true(fabs(ems_train_rate(&o, 500, 0) - 0.55) < 1e-9);
    assert_true(fabs(ems_train_rate(&o, 1000, 0) - 0.1) < 1e-9);
    o.schedule = EMS_CONSTANT;
    assert_true(fabs(ems_train_rate(&o, 999, 0) - 1) < 1e-9);
    o.schedule = EMS_WSD;
    o.decay_steps = 200;
    assert_true(fabs(ems_train_rate(&o, 800, 0) - 1) < 1e-9);
    assert_true(fabs(ems_train_rate(&o, 900, 0) - 0.55) < 1e-9);
    assert_true(fabs(ems_train_rate(&o, 1000, 0) - 0.1) < 1e-9);
    o.minutes = 10;
    o.decay_minutes = 1;
    assert_true(fabs(ems_train_rate(&o, 500, 9 * 60) - 1) < 1e-9);
    assert_true(fabs(ems_train_rate(&o, 500, 9.5 * 60) - 0.55) < 1e-9);
    assert_true(fabs(ems_train_rate(&o, 500, 20 * 60) - 0.1) < 1e-9);
}

static void a_run_is_extended(void **state)
{
    (void)state;
    ems_error err;
    ems_train_options o = options(OUT ".long");
    o.schedule = EMS_CONSTANT;
    must(train(&o, 1, 0, &err), &err);
    o.out = OUT ".short";
    o.steps = 5;
    must(train(&o, 1, 0, &err), &err);
    o.steps = 12;
    o.resume = 1;
    o.from = "not looked at";
    must(train(&o, 1, 0, &err), &err);
    same_checkpoint(OUT ".long.ckpt", OUT ".short.ckpt");
}

/* Another held-out piece: its losses are not comparable with those before. */
static void a_run_changes_its_data(void **state)
{
    (void)state;
    ems_error err;
    ems_train_state before, after;
    ems_train_options o = options(OUT ".data");
    must(train(&o, 1, 0, &err), &err);
    must(ems_checkpoint_state(OUT ".data.ckpt", &before, &err), &err);
    assert_true(isfinite(before.best));
    ems_bytes b;
    must(ems_bytes_map(&b, DATA, 0, &err), &err);
    uint8_t *copy = ems_alloc(b.size, 1);
    memcpy(copy, b.data, b.size);
    const uint16_t token = (uint16_t)ems_note_token(EMS_PIANO, 90, 1);
    memcpy(copy + b.size - 1 - 2 * 6, &token, 2); /* near the last one's end */
    must(ems_file_write(OUT ".other.tok", copy, b.size, &err), &err);
    ems_free(copy);
    ems_bytes_unmap(&b);
    o.resume = 1;
    o.steps = 13;
    o.lr = 1e-9;
    o.dataset = OUT ".other.tok";
    must(train(&o, 1, 0, &err), &err);
    must(ems_checkpoint_state(OUT ".data.ckpt", &after, &err), &err);
    assert_true(after.step == 13 && after.held != before.held);
    assert_true(after.best > before.best - 0.1);
    assert_true(after.best != before.best);
}

/* ---- From other weights ------------------------------------------------- */

static void *logits_of(const ems_params *p, size_t *count)
{
    enum { TOKENS = 40 };
    uint16_t ids[2 * TOKENS];
    float reals[TOKENS + 2] = {0};
    for (int i = 0; i < 2 * TOKENS; i++)
        ids[i] = (uint16_t)(1 + i * 17 % 1000);
    const ems_graph_options o = {.shape = p->shape, .batch = 1,
                                 .tokens = TOKENS, .forward_only = 1};
    const ems_batch b = {.tokens = ids, .targets = ids + TOKENS,
                         .seconds = reals, .conditions = reals + TOKENS};
    ems_pool *pool = ems_pool_new(1, NULL);
    ems_graph *g = ems_graph_new(&o, ems_cpu_best(), pool, NULL);
    assert_non_null(g);
    ems_graph_forward(g, p, &b, 0);
    size_t stride;
    const float *logits = ems_graph_logits(g, &stride);
    *count = (TOKENS + 2) * EMS_VOCAB;
    float *out = ems_alloc(*count, sizeof *out);
    for (size_t i = 0; i < TOKENS + 2; i++)
        memcpy(out + i * EMS_VOCAB, logits + i * stride,
               EMS_VOCAB * sizeof *out);
    ems_graph_free(g);
    ems_pool_free(pool);
    return out;
}

static ems_params load(const char *path)
{
    ems_error err;
    ems_params p = {0};
    ems_safetensors *st = ems_safetensors_open(path, &err);
    must(st ? ems_params_load(st, path, &p, &err) : err.code, &err);
    ems_safetensors_free(st);
    return p;
}

/* With a longer context the model says the same about what it could see. */
static void a_context_grows(void **state)
{
    (void)state;
    ems_error err;
    size_t n;
    ems_train_options o = options(OUT ".young");
    must(train(&o, 1, 0, &err), &err);
    ems_params young = load(OUT ".young"), p = {0};
    ems_model_shape shape = {.context_len = 61};
    must(ems_train_from_shape(OUT ".young", &shape, &err), &err);
    assert_int_equal(shape.d_inner, 24);
    assert_int_equal(shape.context_len, 61);
    float *block = ems_alloc_aligned(ems_params_count(&shape), sizeof *block);
    ems_params_place(&p, &shape, block);
    ems_params_init(&p, 9);
    must(ems_train_from(OUT ".young", &p, &err), &err);
    float *a = logits_of(&young, &n), *b = logits_of(&p, &n);
    assert_memory_equal(a, b, n * sizeof *a);
    const size_t d = 8; /* of a head */
    double mean = 0;
    for (size_t i = 0; i < 16; i++)
        mean += (double)young.layer[0].rel[i * d + 3] / 16;
    for (size_t i = 0; i < 19; i++)
        assert_true(fabs((double)p.layer[0].rel[i * d + 3] - mean) < 1e-6);
    ems_free(a);
    ems_free(b);
    ems_free(block);
    ems_free(young.block);
}

static void a_run_begins_with_weights(void **state)
{
    (void)state;
    ems_error err;
    ems_train_options o = options(OUT ".first");
    o.steps = 60;
    must(train(&o, 1, 0, &err), &err);
    o.from = OUT ".first";
    o.out = OUT ".next";
    o.shape.d_inner = 48; /* the weights' sizes count */
    o.shape.context_len = 50;
    o.steps = 2;
    o.lr = 1e-9;
    must(train(&o, 1, 0, &err), &err);
    ems_params p = load(OUT ".next"), first = load(OUT ".first");
    assert_int_equal(p.shape.d_inner, 24);
    assert_int_equal(p.shape.context_len, 50);
    for (size_t i = 0; i < 24 * 16; i++)
        assert_true(fabsf(p.layer[0].ff1_w[i] - first.layer[0].ff1_w[i]) <
                    1e-6f);
    ems_free(p.block);
    ems_free(first.block);
    assert_true(in_file(OUT ".next.log", "beginning with the weights of"));
    o.from = DATA;
    o.out = OUT ".none";
    assert_int_equal(train(&o, 1, 0, &err), EMS_EFORMAT);
}

/* ---- The curve ---------------------------------------------------------- */

static void a_log_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "# d_model 16; seed 1; from step 0\n"
        "step 10 tokens 1 loss 6.5 lr 1.000e-03 norm 1 tok/s 1 minutes 0.1\n"
        "held-out step 10 nll 6.25000 top1 0 top5 0 without-offsets nll 6.5"
        " top1 0 top5 0 best\n"
        "step 20 tokens 2 loss 5.5 lr 2.000e-03 norm 1 tok/s 1 minutes 0.1\n"
        "step 30 tokens 3 loss 9.9 lr 2.000e-03 norm 1\n"
        "# d_model 16; seed 1; from step 20\n"
        "garbage step 5 loss 3\n\xff\n\nstep 25 loss nan lr 3\nstep x\n"
        "step 15 tokens 3 loss 1 lr 1e-3\n"
        "step 30 tokens 3 loss 4.5 lr 5.000e-04 norm 1";
    ems_curve c;
    assert_int_equal(ems_curve_parse(&c, text, sizeof text - 1, NULL),
                     EMS_OK);
    assert_int_equal(c.count, 3);
    assert_int_equal(c.held_count, 1);
    assert_true(c.step[2] == 30 && c.loss[2] == 4.5);
    assert_true(fabs(c.rate[2] - 5e-4) < 1e-12);
    assert_true(c.held[0] == 6.25 && c.blind[0] == 6.5);
    ems_curve_clear(&c);
    assert_int_equal(ems_curve_parse(&c, "", 0, NULL), EMS_OK);
    ems_curve_clear(&c);
}

static void a_curve_is_drawn(void **state)
{
    (void)state;
    ems_error err;
    ems_train_options o = options(OUT ".curve");
    unlink(OUT ".curve.svg");
    o.steps = 60;
    must(train(&o, 1, 0, &err), &err);
    assert_true(in_file(OUT ".curve.svg", "<polyline"));
    assert_true(in_file(OUT ".curve.svg", "</svg>"));
    assert_true(in_file(OUT ".curve.log", "# ended at step 60"));
    must(ems_file_write(OUT ".empty", "", 0, &err), &err);
    must(ems_curve_draw(OUT ".empty", OUT ".empty.svg", &err), &err);
    assert_int_equal(ems_curve_draw(EMS_SCRATCH "/none", OUT ".x", &err),
                     EMS_EIO);
}

/* ---- What ends a run ---------------------------------------------------- */

static void two_runs_do_not_share_files(void **state)
{
    (void)state;
    ems_error err;
    ems_train_options o = options(OUT ".locked");
    must(train(&o, 1, 0, &err), &err);
    const int fd = open(OUT ".locked.log", O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(train(&o, 1, 0, &err), EMS_EIO);
    assert_non_null(strstr(err.text, "another training"));
    assert_true(in_file(OUT ".locked.log", "step 10 "));
    close(fd);
    must(train(&o, 1, 0, &err), &err);
}

/* One of several processes, without MPI: better none than several that
 * write the same files. */
static void strangers_do_not_train(void **state)
{
    (void)state;
    ems_error err;
    int size;
    ems_train_options o = options(OUT ".alone");
    unlink(OUT ".alone.log");
    assert_int_equal(ems_rank(&size), 0);
    assert_int_equal(size, 1);
    setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    setenv("EMSYNC_MPI", EMS_SCRATCH "/none.so", 1);
    assert_int_equal(ems_rank(&size), 1);
    assert_int_equal(size, 2);
    assert_int_equal(train(&o, 1, 0, &err), EMS_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "without MPI"));
    unsetenv("OMPI_COMM_WORLD_SIZE");
    unsetenv("OMPI_COMM_WORLD_RANK");
    setenv("SLURM_STEP_NUM_TASKS", "2", 1);
    assert_int_equal(train(&o, 1, 0, &err), EMS_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "srun"));
    unsetenv("SLURM_STEP_NUM_TASKS");
    unsetenv("EMSYNC_MPI");
    assert_int_not_equal(access(OUT ".alone.log", R_OK), 0);
}

/* Run in a child, which may be killed. */
static pid_t train_apart(const ems_train_options *o)
{
    const pid_t child = fork();
    if (child)
        return child;
    const int code = ems_train_music(o, NULL, NULL);
    _exit(code < 0 ? 1 : 0);
}

/* Most of the time goes into writing checkpoints: the kill hits one. */
static void killed_while_writing(void **state)
{
    (void)state;
    ems_error err;
    ems_train_options o = options(OUT ".calm");
    o.steps = 150;
    o.validate_steps = 1000;
    must(train(&o, 1, 0, &err), &err);
    o.out = OUT ".killed";
    o.checkpoint_minutes = 0;
    unlink(OUT ".killed.ckpt");
    int kills = 0;
    for (int status = 1; status != 0;) {
        o.resume = access(OUT ".killed.ckpt", R_OK) == 0;
        const pid_t child = train_apart(&o);
        const struct timespec some = {.tv_nsec = 30000000 + 7900000 * kills};
        nanosleep(&some, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status));
        kills += status != 0;
    }
    assert_true(kills > 2);
    assert_int_equal(steps_in(OUT ".killed.ckpt"), 150);
    same_checkpoint(OUT ".calm.ckpt", OUT ".killed.ckpt");
}

/* ---- Memory ------------------------------------------------------------- */

/* Bytes a child that trains (NULL: does nothing) has at most. */
static double peak(const ems_train_options *o)
{
    struct rusage use;
    int status;
    const pid_t child = o ? train_apart(o) : fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(wait4(child, &status, 0, &use), child);
    assert_int_equal(status, 0);
    return 1024.0 * (double)use.ru_maxrss;
}

static void memory_is_as_announced(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* they take memory of their own */
#endif
    ems_train_options o = options(OUT ".big");
    o.shape = (ems_model_shape){64, 2, 4, 256, 258, EMS_VOCAB};
    o.batch = 8;
    o.steps = 2;
    setenv("EMSYNC_THREADS", "2", 1);
    for (int i = 0; i < 4; i++) {
        o.accumulate = 1 + i % 2;
        o.contrast = i / 2;
        const double said = (double)ems_train_bytes(&o, 2);
        const double used = peak(&o) - peak(NULL);
        if (used > 1.1 * said + 4e6 || used < 0.8 * said)
            fail_msg("said %.1f MB, took %.1f MB", said * 1e-6, used * 1e-6);
    }
    unsetenv("EMSYNC_THREADS");
}

static void bad_options(void **state)
{
    (void)state;
    ems_error err;
    ems_train_options o = options(OUT ".bad");
    o.accumulate = 0;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o = options(OUT ".bad");
    o.contrast = -1;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o.contrast = 1;
    o.pairs = 0;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o = options(OUT ".bad");
    o.schedule = EMS_WSD;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o.decay_minutes = 3; /* but no minutes */
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o.decay_steps = -1;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o = options(OUT ".bad");
    o.from = EMS_SCRATCH "/none";
    assert_int_equal(train(&o, 0, 0, &err), EMS_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_sum_to_the_batch),
        cmocka_unit_test(rates),
        cmocka_unit_test(a_run_is_extended),
        cmocka_unit_test(a_run_changes_its_data),
        cmocka_unit_test(a_context_grows),
        cmocka_unit_test(a_run_begins_with_weights),
        cmocka_unit_test(a_log_is_read),
        cmocka_unit_test(a_curve_is_drawn),
        cmocka_unit_test(two_runs_do_not_share_files),
        cmocka_unit_test(strangers_do_not_train),
        cmocka_unit_test(killed_while_writing),
        cmocka_unit_test(memory_is_as_announced),
        cmocka_unit_test(bad_options),
    };
    return cmocka_run_group_tests(tests, write_all_data, NULL);
}

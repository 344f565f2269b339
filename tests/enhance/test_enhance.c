/* Measures, bandwidth, chunks, training and restoring, on sound made here. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "enhance/bandwidth.h"
#include "enhance/filters.h"
#include "enhance/measure.h"
#include "enhance/restore.h"
#include "enhance/wave_out.h"
#include "media/audio_in.h"

#include <math.h>
#include <sys/stat.h>

enum { RATE = 44100, FRAMES = 3 * RATE };
#define FOLDER EMS_SCRATCH "/enhance"
#define MUSIC FOLDER "/music"

/* Noise that fades by 6 dB an octave, [frames, 2]: the more coloured, the more
 * like music. */
static float *make_sound(size_t frames, uint64_t seed)
{
    float *x = ems_alloc(2 * frames, sizeof *x);
    ems_rng r = ems_rng_seed(seed, 0);
    for (size_t i = 0; i < 2 * frames; i++) {
        const float before = i > 1 ? x[i - 2] : 0;
        x[i] = 0.8f * before + (float)(0.1 * (ems_rng_uniform(&r) - 0.5));
    }
    return x;
}

static void write_sound(const char *path, const float *x, size_t frames,
                        int rate, int channels)
{
    ems_error err;
    ems_wave_out w;
    assert_int_equal(ems_wave_out_open(&w, path, rate, channels, &err), 0);
    assert_int_equal(ems_wave_out_add(&w, x, frames, &err), 0);
    assert_int_equal(ems_wave_out_commit(&w, &err), 0);
}

static float *read_sound(const char *path, int rate, int channels,
                         size_t *frames)
{
    ems_error err;
    ems_audio_in *in = ems_audio_in_open(path, rate, channels, NULL, &err);
    assert_non_null(in);
    float *x = ems_alloc((size_t)(8 * rate * channels), sizeof *x);
    *frames = (size_t)ems_audio_in_read(in, x, 8 * rate, &err);
    ems_audio_in_close(in);
    return x;
}

static void low_pass(float *x, size_t frames, int family, int order,
                     double cutoff)
{
    const ems_filter_spec s = {(ems_filter_family)family, order, cutoff};
    ems_filter f;
    assert_int_equal(ems_filter_design(&f, &s, RATE, NULL), 0);
    assert_int_equal(ems_filter_zero_phase(&f, x, x, frames, 2, NULL), 0);
}

/* ---- Measures ------------------------------------------------------------ */

static void test_measures(void **state)
{
    (void)state;
    float *x = make_sound(FRAMES, 1), *y = make_sound(FRAMES, 1);
    assert_true(ems_measure_snr(x, y, FRAMES) > 149);
    assert_true(ems_measure_lsd(x, y, FRAMES) < 1e-9);
    for (size_t i = 0; i < 2 * FRAMES; i++)
        y[i] *= 1.1f;
    assert_true(fabs(ems_measure_snr(x, y, FRAMES) - 20) < 1e-3);
    assert_true(fabs(ems_measure_lsd(x, y, FRAMES) - 20 * log10(1.1)) < 1e-3);
    ems_free(x);
    ems_free(y);
}

static ems_edge edge_of(const float *x, size_t frames)
{
    ems_bandwidth b;
    ems_error err;
    assert_int_equal(ems_bandwidth_init(&b, &err), 0);
    ems_bandwidth_add(&b, x, frames / 3, 2);
    ems_bandwidth_add(&b, x + frames / 3 * 2, frames - frames / 3, 2);
    const ems_edge edge = ems_bandwidth_edge(&b, RATE);
    ems_bandwidth_clear(&b);
    return edge;
}

static void test_edges(void **state)
{
    (void)state;
    static const struct {
        int family, order;
        double cutoff;
    } filters[] = {{EMS_CHEBY1, 6, 11025}, {EMS_BUTTER, 6, 11025},
                   {EMS_ELLIPTIC, 12, 11025}, {EMS_CHEBY1, 12, 5000},
                   {EMS_BUTTER, 12, 15000}};
    float *x = make_sound(FRAMES, 2);
    assert_true(edge_of(x, FRAMES).fall < EMS_EDGE_FALL / 2);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        float *y = make_sound(FRAMES, 2);
        low_pass(y, FRAMES, filters[i].family, filters[i].order,
                 filters[i].cutoff);
        const ems_edge edge = edge_of(y, FRAMES);
        assert_true(edge.fall >= EMS_EDGE_FALL);
        assert_true(fabs(edge.hz / filters[i].cutoff - 1) < 0.12);
        ems_free(y);
    }
    memset(x, 0, 2 * FRAMES * sizeof *x);
    assert_true(edge_of(x, FRAMES).fall < 1);
    ems_free(x);
}

/* ---- Weights and chunks -------------------------------------------------- */

static void save_network(const char *path, const ems_enhancer_shape *shape)
{
    ems_error err;
    ems_cnet *n = ems_cnet_new(shape, 1, 1024, 0, NULL, &err);
    assert_non_null(n);
    float *p = ems_alloc(n->parameters, sizeof *p);
    float *stats = ems_alloc(n->statistics + 1, sizeof *stats);
    ems_rng r = ems_rng_seed(9, 9);
    ems_cnet_init(n, p, stats, 4);
    for (size_t i = 0; i < n->parameters; i++)
        p[i] += (float)(0.02 * ems_rng_normal(&r));
    assert_int_equal(ems_cnet_save(n, p, stats, path, NULL, 0, &err), 0);
    ems_free(p);
    ems_free(stats);
    ems_cnet_free(n);
}

/* Below the crossover nothing has changed: the difference of two sounds, low-
 * passed, is 30 dB below it as it is. */
static void check_low_band(const float *x, const float *y, size_t frames)
{
    float *d = ems_alloc(2 * frames, sizeof *d);
    double all = 0, low = 0;
    for (size_t i = 0; i < 2 * frames; i++) {
        d[i] = y[i] - x[i];
        all += (double)(d[i] * d[i]);
    }
    low_pass(d, frames, EMS_CHEBY1, 12, 7000);
    for (size_t i = 0; i < 2 * frames; i++)
        low += (double)(d[i] * d[i]);
    assert_true(all > 0 && low < 1e-3 * all);
    ems_free(d);
}

static void test_chunks_are_the_whole(void **state)
{
    (void)state;
    static const ems_enhancer_shape shapes[] = {
        {.kind = EMS_ENHANCER_RESNET, .width = 6, .blocks = 2,
         .batch_norm = 1},
        {.kind = EMS_ENHANCER_UNET, .width = 2, .blocks = 1}};
    const size_t frames = 15000;
    float *x = make_sound(frames, 3);
    float *a = ems_alloc(2 * frames, sizeof *a);
    float *b = ems_alloc(2 * frames, sizeof *b);
    for (size_t i = 0; i < 2; i++) {
        ems_error err;
        ems_enhancer e;
        save_network(FOLDER "/net.safetensors", &shapes[i]);
        assert_int_equal(ems_enhancer_open(&e, FOLDER "/net.safetensors",
                                           NULL, &err), 0);
        assert_true(e.chunk > frames);
        assert_int_equal(ems_restore(&e, a, x, frames, &err), 0);
        e.chunk = 1024;
        assert_int_equal(ems_restore(&e, b, x, frames, &err), 0);
        assert_memory_equal(a, b, 2 * frames * sizeof *a);
        assert_true(ems_measure_snr(x, a, frames) < 60); /* it does a thing */
        ems_enhancer_cross(&e, 9000, RATE);
        assert_int_equal(ems_restore(&e, a, x, frames, &err), 0);
        e.chunk = 1 << 20;
        assert_int_equal(ems_restore(&e, b, x, frames, &err), 0);
        assert_memory_equal(a, b, 2 * frames * sizeof *a);
        check_low_band(x, a, frames);
        ems_enhancer_close(&e);
    }
    ems_free(x);
    ems_free(a);
    ems_free(b);
}

static void test_strange_weights(void **state)
{
    (void)state;
    ems_error err;
    ems_enhancer e;
    const ems_enhancer_shape shape = {.width = 4, .blocks = 1};
    save_network(FOLDER "/net.safetensors", &shape);
    assert_int_equal(ems_enhancer_open(&e, FOLDER "/none", NULL, &err),
                     EMS_EIO);
    FILE *f = fopen(FOLDER "/net.safetensors", "r+");
    assert_non_null(f);
    char head[600] = "";
    assert_true(fread(head, 1, sizeof head - 1, f) > 500);
    char *at = memmem(head, sizeof head, "\"width\":\"4\"", 11);
    assert_non_null(at);
    assert_int_equal(fseek(f, at - head + 9, SEEK_SET), 0);
    fputc('9', f);
    fclose(f);
    assert_int_equal(ems_enhancer_open(&e, FOLDER "/net.safetensors", NULL,
                                       &err), EMS_EFORMAT);
}

/* ---- Files --------------------------------------------------------------- */

static int enhance(const char *in, const char *out, int always,
                   ems_enhance_result *r)
{
    ems_error err;
    const ems_enhance_options o = {.weights = FOLDER "/net.safetensors",
                                   .always = always};
    return ems_enhance(in, out, &o, r, NULL, &err);
}

static void test_files(void **state)
{
    (void)state;
    const ems_enhancer_shape shape = {.width = 4, .blocks = 1};
    ems_enhance_result r;
    size_t frames;
    save_network(FOLDER "/net.safetensors", &shape);
    float *x = make_sound(FRAMES, 5);
    write_sound(FOLDER "/in.wav", x, FRAMES, 48000, 2);
    assert_int_equal(enhance(FOLDER "/in.wav", FOLDER "/out.wav", 0, &r), 0);
    assert_true(r.edge == 0 && !r.restored && r.rate == 48000);
    float *a = read_sound(FOLDER "/in.wav", 48000, 2, &frames);
    float *b = read_sound(FOLDER "/out.wav", 48000, 2, &frames);
    assert_int_equal(frames, FRAMES);
    assert_memory_equal(a, b, 2 * FRAMES * sizeof *a);
    assert_int_equal(enhance(FOLDER "/in.wav", FOLDER "/out.wav", 1, &r), 0);
    ems_free(b);
    b = read_sound(FOLDER "/out.wav", 48000, 2, &frames);
    assert_int_equal(frames, FRAMES);
    assert_true(r.restored && ems_measure_snr(a, b, FRAMES) < 60);
    ems_free(a);
    ems_free(b);
    /* mono of 8 kHz ends at 4 */
    write_sound(FOLDER "/in.wav", x, 16001, 8000, 1);
    assert_int_equal(enhance(FOLDER "/in.wav", FOLDER "/out.wav", 0, &r), 0);
    assert_true(r.restored && r.rate == RATE && r.channels == 1);
    assert_true(fabs(r.edge - 4000) < 300);
    assert_true(fabs(r.seconds - 2) < 0.01);
    ems_free(x);
}

static int cancelled(void *user)
{
    return --*(int *)user < 0;
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    ems_error err;
    int left = 3;
    const ems_run run = {.user = &left, .cancelled = cancelled};
    const ems_enhance_options o = {.weights = FOLDER "/net.safetensors",
                                   .always = 1};
    remove(FOLDER "/new.wav");
    write_sound(FOLDER "/in.wav", NULL, 0, 44100, 2);
    assert_true(enhance(FOLDER "/in.wav", FOLDER "/new.wav", 0, NULL) <= 0);
    remove(FOLDER "/new.wav");
    assert_int_equal(enhance("/nowhere", FOLDER "/new.wav", 0, NULL),
                     EMS_EIO);
    float *x = make_sound(FRAMES, 6);
    write_sound(FOLDER "/in.wav", x, FRAMES, 44100, 2);
    assert_int_equal(ems_enhance(FOLDER "/in.wav", FOLDER "/new.wav", &o,
                                 NULL, &run, &err), EMS_ECANCELLED);
    assert_int_not_equal(access(FOLDER "/new.wav", F_OK), 0);
    assert_int_equal(enhance(FOLDER "/in.wav", FOLDER "/no/new.wav", 0,
                             NULL), EMS_EIO);
    ems_free(x);
}

/* ---- Training ------------------------------------------------------------ */

static ems_enhancer_options small_training(const char *out)
{
    ems_enhancer_options o = ems_enhancer_defaults();
    o.shape.width = 8;
    o.shape.blocks = 1;
    o.filters = EMS_FILTERS_ONE;
    o.music = MUSIC;
    o.out = out;
    o.batch = 2;
    o.chunk = 1024;
    o.steps = 60;
    o.validate_steps = 0;
    return o;
}

static void test_training_learns(void **state)
{
    (void)state;
    ems_error err;
    ems_enhancer_score s[2];
    ems_enhancer_options o = small_training(FOLDER "/t.safetensors");
    o.steps = 400;
    o.lr = 1e-2;
    assert_int_equal(ems_train_enhancer(&o, NULL, &err), 0);
    assert_int_equal(ems_evaluate_enhancer(o.out, MUSIC, "cheby1-6,none", 1,
                                           0, s, 2, NULL, &err), 2);
    assert_int_equal(s[0].tunes, 3);
    assert_true(s[0].snr_out > s[0].snr_in + 0.15);
    assert_true(s[1].snr_in > 149);
    assert_int_equal(ems_evaluate_enhancer(o.out, MUSIC, "cheby9-6", 1, 0,
                                           s, 2, NULL, &err), EMS_EINVAL);
}

static int same_files(const char *a, const char *b)
{
    char x[65536], y[65536];
    FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
    assert_true(f && g);
    const size_t n = fread(x, 1, sizeof x, f), m = fread(y, 1, sizeof y, g);
    fclose(f);
    fclose(g);
    return n == m && n > 1000 && memcmp(x, y, n) == 0;
}

static void see_progress(void *user, const char *stage, double done)
{
    *(int *)user = strcmp(stage, "train") == 0 && done > 0.4;
}

static int is_set(void *user)
{
    return *(int *)user;
}

/* Interrupted and resumed, on other numbers of threads: the same weights. */
static void test_training_resumes(void **state)
{
    (void)state;
    ems_error err;
    int stop = 0;
    ems_enhancer_options o = small_training(FOLDER "/a.safetensors");
    ems_run run = {.threads = 1};
    assert_int_equal(ems_train_enhancer(&o, &run, &err), 0);
    o.out = FOLDER "/b.safetensors";
    run = (ems_run){.threads = 3, .user = &stop, .progress = see_progress,
                    .cancelled = is_set};
    assert_int_equal(ems_train_enhancer(&o, &run, &err), EMS_ECANCELLED);
    assert_int_not_equal(access(o.out, F_OK), 0);
    run = (ems_run){.threads = 2};
    o.resume = 1;
    o.seed = 77; /* the checkpoint's counts */
    assert_int_equal(ems_train_enhancer(&o, &run, &err), 0);
    assert_true(same_files(FOLDER "/a.safetensors", o.out));
}

static void test_training_refuses(void **state)
{
    (void)state;
    ems_error err;
    ems_enhancer_options o = small_training(FOLDER "/c.safetensors");
    o.music = FOLDER "/nothing";
    assert_int_equal(ems_train_enhancer(&o, NULL, &err), EMS_EIO);
    o.music = FOLDER "/empty";
    assert_int_equal(ems_train_enhancer(&o, NULL, &err), EMS_EFORMAT);
    o.music = MUSIC;
    o.chunk = 10;
    assert_int_equal(ems_train_enhancer(&o, NULL, &err), EMS_EINVAL);
    o.chunk = 1024;
    o.lr = NAN;
    assert_int_equal(ems_train_enhancer(&o, NULL, &err), EMS_EINVAL);
}

static int setup(void **state)
{
    (void)state;
    mkdir(FOLDER, 0777);
    mkdir(MUSIC, 0777);
    mkdir(FOLDER "/empty", 0777);
    remove(FOLDER "/b.safetensors");
    static const char *const names[] = {MUSIC "/a.wav", MUSIC "/b.wav",
                                        MUSIC "/c.wav"};
    for (size_t i = 0; i < 3; i++) {
        float *x = make_sound(2 * RATE, 10 + i);
        write_sound(names[i], x, 2 * RATE, RATE, 2);
        ems_free(x);
    }
    FILE *f = fopen(MUSIC "/notes.txt", "w"); /* passed over */
    assert_non_null(f);
    fputs("no music", f);
    fclose(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measures),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_chunks_are_the_whole),
        cmocka_unit_test(test_strange_weights),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_what_cannot_be),
        cmocka_unit_test(test_training_learns),
        cmocka_unit_test(test_training_resumes),
        cmocka_unit_test(test_training_refuses),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

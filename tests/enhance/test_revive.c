/* The network in a stream, its steps of training, and the paper's sizes. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "enhance/filters.h"
#include "enhance/muon.h"
#include "enhance/revive.h"

#include <math.h>
#include <sys/stat.h>

enum { RATE = 48000, FRAMES = 2 * RATE, BLOCK = 1111 };
#define WEIGHTS EMS_SCRATCH "/net.safetensors"

static void save_network(const ems_enhancer_shape *shape, int silent)
{
    ems_error err;
    ems_cnet *n = ems_cnet_new(shape, 1, 256, 0, NULL, &err);
    assert_non_null(n);
    float *p = ems_alloc(n->parameters, sizeof *p);
    float *stats = ems_alloc(n->statistics + 1, sizeof *stats);
    ems_rng r = ems_rng_seed(9, 9);
    ems_cnet_init(n, p, stats, 4);
    for (size_t i = 0; !silent && i < n->parameters; i++)
        p[i] += (float)(0.02 * ems_rng_normal(&r));
    assert_int_equal(ems_cnet_save(n, p, stats, WEIGHTS, NULL, 0, &err), 0);
    ems_free(p);
    ems_free(stats);
    ems_cnet_free(n);
}

/* Two sides of noise that fades by 6 dB an octave and may end at 11 kHz. */
static float *make_pair(int dull)
{
    const ems_filter_spec s = {EMS_CHEBY1, 8, 11025};
    float *x = ems_alloc(2 * FRAMES, sizeof *x);
    ems_rng r = ems_rng_seed(1, 0);
    ems_filter f;
    for (size_t i = 0; i < 2 * FRAMES; i++)
        x[i] = 0.8f * (i > 1 ? x[i - 2] : 0) +
               (float)(0.1 * (ems_rng_uniform(&r) - 0.5));
    assert_int_equal(ems_filter_design(&f, &s, RATE, NULL), 0);
    if (dull)
        ems_filter_zero_phase(&f, x, x, FRAMES, 2, NULL);
    return x;
}

/* A stream of any number of channels: the pair, over and over. */
typedef struct stream {
    const float *pair;
    size_t at, channels;
} stream;

static int64_t read_stream(void *source, float *out, int64_t frames,
                           ems_error *err)
{
    stream *s = source;
    const size_t left = FRAMES - s->at;
    const size_t n = left < (size_t)frames ? left : (size_t)frames;
    (void)err;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < s->channels; c++)
            out[i * s->channels + c] = s->pair[2 * (s->at + i) + c % 2];
    s->at += n;
    return (int64_t)n;
}

static ems_revive heard(stream *s, int *works)
{
    ems_error err;
    ems_revive r;
    float x[BLOCK * 6];
    int64_t n;
    assert_int_equal(ems_revive_open(&r, WEIGHTS, RATE, NULL, &err), 0);
    const ems_sound_filter f = ems_revive_filter(&r);
    s->at = 0;
    while ((n = read_stream(s, x, BLOCK, &err)) > 0)
        f.hear(&r, x, (size_t)n, s->channels);
    s->at = 0;
    *works = f.begin(&r, &err);
    return r;
}

/* In odd blocks and any number of channels: the bits of one pass in memory. */
static void test_stream_is_the_whole(void **state)
{
    (void)state;
    const ems_enhancer_shape shape = {.width = 4, .blocks = 1};
    save_network(&shape, 0);
    float *pair = make_pair(1), *want = make_pair(1);
    float *got = ems_alloc(6 * FRAMES, sizeof *got);
    for (size_t c = 2; c <= 6; c += 4) {
        ems_error err;
        int works;
        stream s = {.pair = pair, .channels = c};
        ems_revive r = heard(&s, &works);
        assert_int_equal(works, 1);
        assert_true(fabs(r.edge - 11025) < 800);
        assert_int_equal(ems_restore(&r.enhancer, want, pair, FRAMES, &err),
                         0);
        const ems_sound_filter f = ems_revive_filter(&r);
        size_t have = 0;
        int64_t n;
        while ((n = f.next(&r, got + have * c, BLOCK, read_stream, &s,
                           &err)) > 0)
            have += (size_t)n;
        assert_int_equal(n, 0);
        assert_int_equal(have, FRAMES);
        for (size_t i = 0; i < c * FRAMES; i++)
            assert_true(got[i] == want[2 * (i / c) + i % c % 2]);
        assert_memory_not_equal(want, pair, 2 * FRAMES * sizeof *pair);
        ems_revive_close(&r);
    }
    ems_free(pair);
    ems_free(want);
    ems_free(got);
}

static void test_whole_sound_is_left(void **state)
{
    (void)state;
    const ems_enhancer_shape shape = {.width = 4, .blocks = 1};
    int works;
    save_network(&shape, 0);
    float *pair = make_pair(0);
    stream s = {.pair = pair, .channels = 2};
    ems_revive r = heard(&s, &works);
    assert_int_equal(works, 0);
    ems_revive_close(&r);
    assert_int_equal(ems_revive_open(&r, WEIGHTS, RATE, NULL, NULL), 0);
    assert_int_equal(ems_revive_filter(&r).begin(&r, NULL), 0); /* no sound */
    ems_revive_close(&r);
    ems_free(pair);
}

/* ---- Steps of training --------------------------------------------------- */

/* Tall, wide and square; every direction but one 60 dB down: all come out of
 * about the same size, and the matrix still points where it did. */
static void test_steps_are_orthogonal(void **state)
{
    (void)state;
    static const size_t shape[][2] = {{40, 6}, {6, 40}, {12, 12}};
    ems_error err;
    ems_gemm_pool *gemm = ems_gemm_pool_new(NULL, ems_cpu_best(), &err);
    assert_non_null(gemm);
    for (size_t k = 0; k < 3; k++) {
        const size_t rows = shape[k][0], cols = shape[k][1];
        const size_t n = rows < cols ? rows : cols;
        float x[480] = {0}, y[480], work[1000];
        ems_rng r = ems_rng_seed(3, k);
        for (size_t i = 0; i < rows * cols; i++)
            x[i] = (float)(0.02 * ems_rng_normal(&r));
        memcpy(y, x, sizeof y);
        for (size_t i = 0; i < rows * cols; i++)
            x[i] += (float)(sin((double)(i / cols)) * cos((double)(i % cols)));
        ems_muon_orthogonal(gemm, x, rows, cols, work);
        double sum = 0, same = 0;
        for (size_t i = 0; i < rows * cols; i++) {
            sum += (double)(x[i] * x[i]);
            same += (double)(x[i] * y[i]);
        }
        assert_true(same > 0);
        assert_true(sum > 0.3 * (double)n && sum < 1.7 * (double)n);
    }
    ems_gemm_pool_free(gemm);
}

/* ---- The paper's networks ------------------------------------------------ */

/* Written, loaded and run on a piece of sound: fresh weights change nothing,
 * shaken ones do. */
static void test_networks_of_the_paper(void **state)
{
    (void)state;
    static const ems_enhancer_shape shapes[] = {
        {.kind = EMS_ENHANCER_RESNET, .width = 512, .blocks = 15},
        {.kind = EMS_ENHANCER_UNET, .width = 128, .blocks = 1}};
    enum { PIECE = 256 };
    float *x = make_pair(1), y[2 * PIECE];
    for (size_t k = 0; k < 2; k++) {
        ems_error err;
        ems_enhancer e;
        struct stat file;
        save_network(&shapes[k], 1);
        assert_int_equal(stat(WEIGHTS, &file), 0);
        assert_true(file.st_size > 4 * 55000000L);
        assert_int_equal(ems_enhancer_open(&e, WEIGHTS, NULL, &err), 0);
        assert_int_equal(ems_restore(&e, y, x, PIECE, &err), 0);
        assert_memory_equal(y, x, sizeof y);
        ems_rng r = ems_rng_seed(2, 2);
        const size_t last = e.net->parameters - 300;
        for (size_t i = last; i < e.net->parameters; i++)
            e.p[i] += (float)(0.02 * ems_rng_normal(&r));
        assert_int_equal(ems_restore(&e, y, x, PIECE, &err), 0);
        double sum = 0;
        for (size_t i = 0; i < 2 * PIECE; i++)
            sum += fabs((double)(y[i] - x[i]));
        assert_true(sum > 0 && isfinite(sum));
        ems_enhancer_close(&e);
    }
    remove(WEIGHTS);
    ems_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_is_the_whole),
        cmocka_unit_test(test_whole_sound_is_left),
        cmocka_unit_test(test_steps_are_orthogonal),
        cmocka_unit_test(test_networks_of_the_paper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

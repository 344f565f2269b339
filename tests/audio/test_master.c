/* The limiter's promise, and the WAV file. */
#include "ems_test.h"

#include "audio/loudness.h"
#include "audio/wav.h"
#include "base/rng.h"

#include <ebur128.h>
#include <math.h>

enum { FRAMES = 48000, CHUNK = 6400 };

static float padded[(EMS_TAPS + FRAMES + CHUNK + EMS_MARGIN) * 2];
static float *const sound = padded + EMS_TAPS * 2;

/* Quiet noise with bursts at a quarter of the sample rate, where samples
 * hide the most of the curve between them. */
static void make_sound(void)
{
    ems_rng r = ems_rng_seed(3, 1);
    for (int i = 0; i < FRAMES; i++) {
        const float burst = i / 3000 % 3 == 0 ? 0.9f : 0.05f;
        sound[2 * i] = burst * (float)sin(i * M_PI / 2 + M_PI / 4);
        sound[2 * i + 1] = burst * (float)(2 * ems_rng_uniform(&r) - 1);
    }
}

static double limit(double gain, double ceiling, size_t chunk, float *out)
{
    static ems_limiter l;
    static float g[CHUNK], need[CHUNK + EMS_AHEAD + 1];
    ems_limiter_begin(&l, gain, ceiling, 2);
    for (size_t at = 0; at < FRAMES; at += chunk) {
        const size_t n = FRAMES - at < chunk ? FRAMES - at : chunk;
        ems_limiter_next(&l, g, need, sound + 2 * at, n);
        for (size_t i = 0; i < 2 * n; i++)
            out[2 * at + i] = sound[2 * at + i] * g[i / 2];
    }
    return l.most;
}

static double true_peak(const float *x)
{
    ebur128_state *e = ebur128_init(2, 48000, EBUR128_MODE_TRUE_PEAK);
    double a, b;
    ebur128_add_frames_float(e, x, FRAMES);
    ebur128_true_peak(e, 0, &a);
    ebur128_true_peak(e, 1, &b);
    ebur128_destroy(&e);
    return fmax(a, b);
}

static float out[FRAMES * 2], other[FRAMES * 2];

static void test_ceiling(void **state)
{
    (void)state;
    make_sound();
    for (double gain = 0.5; gain < 5; gain += 0.7) {
        const double most = limit(gain, 0.5, CHUNK, out);
        assert_true(most < 1);
        assert_true(true_peak(out) < 0.5 * 1.03);
    }
}

static void test_below_ceiling_untouched(void **state)
{
    (void)state;
    make_sound();
    assert_true(limit(0.25, 0.9, CHUNK, out) == 1);
    for (size_t i = 0; i < FRAMES * 2; i++)
        assert_true(out[i] == 0.25f * sound[i]);
}

/* The cut into chunks does not show. */
static void test_chunks(void **state)
{
    (void)state;
    make_sound();
    limit(3, 0.5, CHUNK, out);
    limit(3, 0.5, 1000, other);
    assert_memory_equal(out, other, sizeof out);
}

static void test_rf64(void **state)
{
    (void)state;
    const char *path = EMS_SCRATCH "/large.wav";
    const uint64_t frames = (uint64_t)48000 * 3600 * 5;
    const ems_wav_spec spec = {.path = path, .frames = frames,
                               .sample = EMS_PCM24};
    ems_wav w;
    ems_error err;
    assert_int_equal(ems_wav_create(&w, &spec, &err), EMS_OK);
    float x[4] = {0.5f, -0.5f, 1.5f, -1.5f};
    ems_wav_round(EMS_PCM24, 0, x, 2);
    assert_int_equal(ems_wav_seal(&w, 0, x, 2, &err), EMS_OK);
    if (ems_wav_commit(&w, &err) < 0)
        skip(); /* no sparse files here */
    enum { HEADER = 690 + 36 };
    FILE *f = fopen(path, "rb");
    uint8_t h[HEADER + 12] = {0};
    assert_int_equal(fread(h, 1, sizeof h, f), sizeof h);
    fseeko(f, 0, SEEK_END);
    assert_int_equal(ftello(f), HEADER + frames * 6);
    fclose(f);
    unlink(path);
    assert_memory_equal(h, "RF64\xff\xff\xff\xffWAVEds64", 16);
    uint64_t data;
    memcpy(&data, h + 28, 8);
    assert_int_equal(data, frames * 6);
    memcpy(&data, h + 20, 8);
    assert_int_equal(data, frames * 6 + HEADER - 8);
    assert_memory_equal(h + HEADER - 8, "data\xff\xff\xff\xff", 8);
    static const uint8_t clipped[6] = {0xff, 0xff, 0x7f, 0, 0, 0x80};
    assert_memory_equal(h + HEADER + 6, clipped, 6);
}

/* Dither makes the error of rounding noise of constant power, whatever the
 * sound: a quarter step's square; and a tone below one step still sounds. */
static void test_dither(void **state)
{
    (void)state;
    const double step = 1.0 / 32768;
    double power = 0, tone = 0;
    for (int i = 0; i < FRAMES; i++)
        for (int c = 0; c < 2; c++)
            out[2 * i + c] = (float)(0.4 * step * sin(i * 0.05 + c));
    memcpy(other, out, sizeof out);
    for (size_t at = 0; at < FRAMES; at += 480)
        ems_wav_round(EMS_PCM16, at, other + 2 * at, 480);
    for (int i = 0; i < FRAMES * 2; i++) {
        const double e = ((double)other[i] - (double)out[i]) / step;
        power += e * e / (FRAMES * 2);
        tone += (double)other[i] * (double)out[i];
        assert_true(fabs(e) <= 1.5);
        assert_true(rint((double)other[i] / step) == (double)other[i] / step);
    }
    assert_true(fabs(power - 0.25) < 0.01); /* 1/12 + 2/12 */
    double own = 0;
    for (int i = 0; i < FRAMES * 2; i++)
        own += (double)out[i] * (double)out[i];
    assert_true(fabs(tone / own - 1) < 0.05);
    memset(other, 0, sizeof other);
    ems_wav_round(EMS_PCM24, 0, other, FRAMES);
    for (int i = 0; i < FRAMES * 2; i++)
        assert_true(other[i] == 0); /* silence stays silence */
}

/* Our quick true peak against libebur128's: for white noise, whose highest
 * tones both filters pass differently, ours is a little on the safe side. */
static void test_quick_peak(void **state)
{
    (void)state;
    make_sound();
    ems_peak_meter *m = calloc(1, sizeof *m);
    for (size_t chunk = 1; chunk <= FRAMES; chunk = chunk * 7 + 3) {
        ems_peak_meter_begin(m);
        for (size_t at = 0; at < FRAMES; at += chunk)
            ems_peak_meter_add(m, sound + 2 * at,
                               FRAMES - at < chunk ? FRAMES - at : chunk);
        const double ours = ems_peak_meter_end(m);
        const double more = ems_to_db(ours / true_peak(sound));
        assert_true(more > -0.1 && more < 0.4);
    }
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_below_ceiling_untouched),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_rf64),
        cmocka_unit_test(test_dither),
        cmocka_unit_test(test_quick_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

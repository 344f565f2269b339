/* Speech, music and loudness of a film's sound: spans from probabilities, and
 * what is heard in sounds made here. */
#include "ems_test.h"

#include "base/mem.h"
#include "emotion/sound.h"
#include "emotion/spans.h"

#include <math.h>

enum { RATE = EMS_MEDIA_RATE };
#define PI 3.14159265358979323846

static const ems_span_rule RULE = {0.6, 0.4, 0.3, 0.25, 0.05};

static size_t find(const float *p, size_t n, ems_stretch **out)
{
    ems_error err;
    size_t count = 99;
    assert_int_equal(ems_spans_find(p, n, 0, 0.1, (double)n * 0.1, &RULE,
                                    out, &count, &err), EMS_OK);
    return count;
}

static void runs_become_spans(void **state)
{
    (void)state;
    const float p[30] = {0, 0.5f, 0.7f, 0.9f, 0.5f, 0.3f, 0, 0, 0, 0,
                         0.9f, 0.9f, 0.9f, 0, 0.9f, 0.9f, 0, 0, 0, 0,
                         0, 0.7f, 0, 0, 0, 0, 0.9f, 0.9f, 0.9f, 0.9f};
    ems_stretch *s;
    assert_int_equal(find(p, 30, &s), 3);
    /* It leaves later than it enters, both ways in time; padded. */
    assert_float_equal(s[0].from, 0.05, 1e-9);
    assert_float_equal(s[0].to, 0.55, 1e-9);
    /* A pause of 0.1 s is bridged; 0.1 s of speech at 2.1 is too short. */
    assert_float_equal(s[1].from, 0.95, 1e-9);
    assert_float_equal(s[1].to, 1.65, 1e-9);
    /* Nothing reaches beyond the film. */
    assert_float_equal(s[2].to, 3.0, 1e-9);
    ems_free(s);
}

static void nothing_and_everything(void **state)
{
    (void)state;
    ems_stretch *s;
    float p[20] = {0};
    p[3] = NAN;
    assert_int_equal(find(p, 20, &s), 0);
    assert_null(s);
    assert_int_equal(find(NULL, 0, &s), 0);
    for (int i = 0; i < 20; i++)
        p[i] = 1;
    assert_int_equal(find(p, 20, &s), 1);
    assert_true(s[0].from == 0 && fabs(s[0].to - 2) < 1e-9);
    ems_free(s);
}

static void spans_fail_cleanly_without_memory(void **state)
{
    (void)state;
    const float p[4] = {1, 1, 1, 1};
    ems_error err;
    ems_stretch *s;
    size_t n;
    ems_alloc_fail_at(1);
    assert_int_equal(ems_spans_find(p, 4, 0, 0.1, 0.4, &RULE, &s, &n, &err),
                     EMS_ENOMEM);
    ems_alloc_fail_at(0);
    assert_null(s);
}

typedef float (*wave_fn)(uint64_t i);

static uint32_t noise_state;

static float noise(uint64_t i)
{
    (void)i;
    noise_state = noise_state * 1664525u + 1013904223u;
    return (float)((double)noise_state / 4294967296.0 - 0.5) * 0.2f;
}

static float sine(uint64_t i)
{
    return (float)sin(2 * PI * 997 * (double)i / RATE);
}

static float silence(uint64_t i)
{
    (void)i;
    return 0;
}

/* A chord a second, each of six partials that die away. */
static float chords(uint64_t i)
{
    static const double ROOT[4] = {220, 174.6, 196, 164.8};
    static const double THIRD[3] = {1, 1.2, 1.5};
    const double t = (double)i / RATE, in = fmod(t, 1);
    double sum = 0;
    for (int n = 0; n < 3; n++)
        for (int k = 1; k <= 6; k++)
            sum += sin(2 * PI * ROOT[(int)t % 4] * THIRD[n] * k * t) / k;
    return (float)(0.05 * sum * exp(-2 * in));
}

static ems_sound *hear(wave_fn wave, double seconds)
{
    ems_error err;
    ems_sound *s = ems_sound_new(&err);
    float block[RATE / 10];
    assert_non_null(s);
    uint64_t at = 0;
    for (int k = 0; k < (int)(seconds * 10); k++) {
        for (int i = 0; i < RATE / 10; i++)
            block[i] = wave(at++);
        assert_int_equal(ems_sound_add(s, block, RATE / 10, &err), EMS_OK);
    }
    assert_int_equal(ems_sound_end(s, &err), EMS_OK);
    return s;
}

static void share_of(wave_fn wave, double *speech, double *music)
{
    ems_error err;
    ems_stretch *s, *m;
    size_t ns, nm;
    ems_sound *sound = hear(wave, 20);
    assert_int_equal(ems_hear_spans(ems_sound_hear(sound), 20, &s, &ns, &m,
                                    &nm, &err), EMS_OK);
    *speech = *music = 0;
    for (size_t i = 0; i < ns; i++)
        *speech += (s[i].to - s[i].from) / 20;
    for (size_t i = 0; i < nm; i++)
        *music += (m[i].to - m[i].from) / 20;
    ems_free(s);
    ems_free(m);
    ems_sound_free(sound);
}

static void plain_sounds_are_told_apart(void **state)
{
    (void)state;
    double speech, music;
    share_of(silence, &speech, &music);
    assert_true(speech == 0 && music == 0);
    share_of(noise, &speech, &music);
    assert_true(speech < 0.05 && music < 0.05);
    share_of(chords, &speech, &music);
    assert_true(speech < 0.05 && music > 0.9);
}

/* BS.1770: a full-scale sine of 997 Hz in two channels reads 0 LUFS. */
static void loudness_is_that_of_the_standard(void **state)
{
    (void)state;
    ems_error err;
    float *lufs;
    double step, whole;
    ems_sound *s = hear(sine, 10);
    const long n = ems_sound_loudness(s, &lufs, &step, &whole, &err);
    assert_int_equal(n, 20);
    assert_true(fabs(step - 0.5) < 1e-9);
    assert_true(fabs(whole) < 0.15);
    for (int i = 1; i < 19; i++)
        assert_true(fabs((double)lufs[i]) < 0.15);
    ems_free(lufs);
    ems_sound_free(s);
    s = hear(silence, 2);
    assert_true(ems_sound_loudness(s, &lufs, &step, &whole, &err) > 0);
    assert_true(whole == -70 && (double)lufs[1] == -70);
    ems_free(lufs);
    ems_sound_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_become_spans),
        cmocka_unit_test(nothing_and_everything),
        cmocka_unit_test(spans_fail_cleanly_without_memory),
        cmocka_unit_test(plain_sounds_are_told_apart),
        cmocka_unit_test(loudness_is_that_of_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "ems_test.h"

#include "affect/mapping.h"
#include "emotion/affect.h"
#include "emotion/film.h"
#include "emotion/picture.h"
#include "emotion/sound.h"
#include "base/spectrum.h"

#include <math.h>

static const double PI = 3.14159265358979;

static ems_features unknown(void)
{
    ems_features f;
    for (int i = 0; i < EMS_FEATURES; i++)
        *ems_feature_at(&f, i) = NAN;
    return f;
}

static void spectrum_shows_a_sine(void **state)
{
    (void)state;
    ems_spectrum s;
    float x[256], power[129];
    assert_int_equal(ems_spectrum_init(&s, 256), 0);
    for (int i = 0; i < 256; i++)
        x[i] = (float)sin(2 * PI * 20 * i / 256);
    ems_spectrum_run(&s, power, x);
    assert_true(fabs((double)power[20] - 1) < 1e-3);
    assert_true(power[19] > 0.2f && power[21] > 0.2f); /* Hann */
    for (int i = 0; i <= 128; i++)
        if (i < 18 || i > 22)
            assert_true(power[i] < 1e-6f);
    ems_spectrum_clear(&s);
}

/* Feed seconds of a chord, struck anew every `beat` seconds. */
static void play(ems_sound *s, const double *hz, int notes, double seconds,
                 double level, double beat)
{
    const int n = (int)(seconds * EMS_MEDIA_RATE);
    for (int i = 0; i < n; i++) {
        const double t = (double)i / EMS_MEDIA_RATE;
        const double since = beat > 0 ? fmod(t, beat) : 0;
        double x = 0;
        for (int k = 0; k < notes; k++)
            x += sin(2 * PI * hz[k] * t) / notes;
        const float y = (float)(x * level * exp(-6 * since));
        assert_int_equal(ems_sound_add(s, &y, 1, NULL), EMS_OK);
    }
}

static ems_features heard(const double *hz, int notes, double level,
                          double beat)
{
    ems_features f = unknown();
    ems_sound *s = ems_sound_new(NULL);
    assert_non_null(s);
    play(s, hz, notes, 6, level, beat);
    ems_sound_measure(s, 1, 5, &f);
    ems_sound_measure_mode(s, 0, 6, &f);
    ems_sound_free(s);
    return f;
}

static void loudness_is_in_decibels(void **state)
{
    (void)state;
    const double a[] = {997};
    const ems_features loud = heard(a, 1, 1.0, 0);
    const ems_features soft = heard(a, 1, 0.01, 0);
    /* A full-scale sine has -3 dB; K-weighting adds 0.7 dB at 997 Hz. */
    assert_true(fabs(loud.loudness - -2.3) < 0.2);
    assert_true(fabs(loud.loudness - soft.loudness - 40) < 0.1);
    assert_true(loud.silence < 0.01);
    assert_true(loud.flatness < 0.05);
}

static void onsets_are_counted(void **state)
{
    (void)state;
    const double a[] = {300, 610, 1330};
    const ems_features four = heard(a, 3, 0.7, 0.25);
    const ems_features one = heard(a, 3, 0.7, 1.0);
    assert_true(fabs(four.onsets - 4) < 0.6);
    assert_true(fabs(one.onsets - 1) < 0.6);
}

static void modes_are_told_apart(void **state)
{
    (void)state;
    const double major[] = {261.63, 329.63, 392.00};
    const double minor[] = {261.63, 311.13, 392.00};
    const ems_features a = heard(major, 3, 0.5, 0);
    const ems_features b = heard(minor, 3, 0.5, 0);
    assert_true(a.mode > 0); /* C-E-G lies well in E minor, too */
    assert_true(b.mode < -0.05);
    assert_true(a.clarity > 0.6 && b.clarity > 0.6);
}

static void nan_samples_are_dropped(void **state)
{
    (void)state;
    ems_features f = unknown();
    ems_sound *s = ems_sound_new(NULL);
    const float bad[] = {NAN, INFINITY, -INFINITY, 1e30f};
    const double a[] = {440};
    assert_int_equal(ems_sound_add(s, bad, 4, NULL), EMS_OK);
    play(s, a, 1, 3, 0.5, 0);
    ems_sound_measure(s, 0, 3, &f);
    assert_true(f.loudness > -20 && f.loudness < 0);
    ems_sound_free(s);
}

static void silence_is_not_heard(void **state)
{
    (void)state;
    ems_sound *s = ems_sound_new(NULL);
    const double a[] = {440};
    play(s, a, 1, 2, 0, 0);
    assert_false(ems_sound_heard(s));
    play(s, a, 1, 2, 0.5, 0);
    assert_true(ems_sound_heard(s));
    ems_sound_free(s);
}

static void flat_frame(ems_frame *frame, uint8_t *rgb, int r, int g, int b)
{
    for (int i = 0; i < EMS_THUMB_W * EMS_THUMB_H; i++) {
        rgb[3 * i] = (uint8_t)r;
        rgb[3 * i + 1] = (uint8_t)g;
        rgb[3 * i + 2] = (uint8_t)b;
    }
    frame->rgb = rgb;
}

/* Two shots; the cut at 2 s begins a slice and is not counted as motion. */
static void pictures_stay_in_their_shots(void **state)
{
    (void)state;
    uint8_t rgb[3 * EMS_THUMB_W * EMS_THUMB_H];
    ems_picture *p = ems_picture_new(NULL);
    for (int i = 0; i < 100; i++) {
        ems_frame f = {.time = i / 25.0, .mafd = i < 50 ? 1 : 3};
        if (i == 50) {
            f.mafd = 80;
            f.scene_score = 0.8;
        }
        flat_frame(&f, rgb, i < 50 ? 255 : 0, 0, i < 50 ? 0 : 255);
        assert_int_equal(ems_picture_add(p, &f, NULL), EMS_OK);
    }
    ems_features a = unknown(), b = unknown();
    ems_picture_measure(p, 0, 2, &a);
    ems_picture_measure(p, 2, 4, &b);
    assert_true(fabs(a.motion - 25.0 / 24) < 1e-6);
    assert_true(fabs(b.motion - 3 * 25.0 / 24) < 1e-6);
    assert_true(fabs(a.brightness - 0.299) < 1e-6 && a.warm == 1);
    assert_true(fabs(b.brightness - 0.114) < 1e-6 && b.cool == 1);
    assert_true(a.saturation == 1 && a.contrast < 1e-6 && b.warm == 0);
    ems_picture_free(p);
}

/* A million sudden frames: the slices are joined, memory stays bounded. */
static void slices_are_joined(void **state)
{
    (void)state;
    ems_picture *p = ems_picture_new(NULL);
    for (long i = 0; i < 1000000; i++) {
        const ems_frame f = {.time = (double)i / 25, .mafd = 24,
                             .scene_score = 0.2};
        assert_int_equal(ems_picture_add(p, &f, NULL), EMS_OK);
    }
    assert_true(ems_picture_slices(p) <= 1 << 16);
    ems_features f = unknown();
    ems_picture_measure(p, 1000, 30000, &f);
    assert_true(fabs(f.motion - 25) < 0.1);
    ems_picture_free(p);
}

static double valence_of(const ems_features *f)
{
    double v, a;
    ems_affect(&v, &a, f);
    return v;
}

static double arousal_of(const ems_features *f)
{
    double v, a;
    ems_affect(&v, &a, f);
    return a;
}

static void relations_have_the_published_signs(void **state)
{
    (void)state;
    static const struct { int feature; double low, high; int v, a; } R[] = {
        {EMS_FEATURE_brightness, 0.2, 0.5, 1, -1},
        {EMS_FEATURE_saturation, 0.2, 0.5, 1, 1},
        {EMS_FEATURE_motion, 2, 10, 0, 1},
        {EMS_FEATURE_length, 2, 10, 0, -1},
        {EMS_FEATURE_loudness, -35, -15, 0, 1},
        {EMS_FEATURE_onsets, 1, 4, 1, 1},
        {EMS_FEATURE_centroid, 1200, 3000, 1, 1},
        {EMS_FEATURE_mode, -0.1, 0.1, 1, 0},
    };
    for (size_t i = 0; i < sizeof R / sizeof *R; i++) {
        ems_features f = {
            .brightness = 0.4, .saturation = 0.3, .motion = 4, .length = 5,
            .loudness = -26, .onsets = 2, .centroid = 1800, .mode = 0,
            .clarity = 0.8,
        };
        *ems_feature_at(&f, R[i].feature) = R[i].low;
        const double v = valence_of(&f), a = arousal_of(&f);
        *ems_feature_at(&f, R[i].feature) = R[i].high;
        const double dv = valence_of(&f) - v, da = arousal_of(&f) - a;
        assert_int_equal((dv > 1e-9) - (dv < -1e-9), R[i].v);
        assert_int_equal((da > 1e-9) - (da < -1e-9), R[i].a);
    }
}

static void missing_channels_fall_away(void **state)
{
    (void)state;
    ems_features f = unknown();
    assert_true(valence_of(&f) == 0 && arousal_of(&f) == 0);
    f.brightness = 0.9;
    const double picture_only = valence_of(&f);
    assert_true(picture_only > 0.7 && picture_only < 1);
    f.mode = 0; /* a neutral sound pulls towards the middle */
    f.clarity = 1;
    assert_true(valence_of(&f) < picture_only && valence_of(&f) > 0);
}

static void curve_jumps_at_cuts_only(void **state)
{
    (void)state;
    uint8_t rgb[3 * EMS_THUMB_W * EMS_THUMB_H];
    ems_film *film = ems_film_new(NULL);
    for (int i = 0; i < 250; i++) {
        ems_frame f = {.time = i / 25.0, .mafd = 2};
        if (i == 125) {
            f.mafd = 90;
            f.scene_score = 0.8;
        }
        const int y = i < 125 ? 20 : 230;
        if (i % 5 == 0)
            flat_frame(&f, rgb, y, y, y);
        assert_int_equal(ems_film_frame(film, &f, NULL), EMS_OK);
    }
    ems_shot dark = {.start = 0, .end = 5}, light = {.start = 5, .end = 10};
    ems_film_shot(film, &dark);
    ems_film_shot(film, &light);
    ems_knot k[12];
    assert_int_equal(ems_film_knots(5), 6);
    ems_film_curve(film, &dark, 0, k);
    ems_film_curve(film, &light, 1, k + 6);
    for (int i = 1; i < 12; i++) {
        assert_true(k[i].time > k[i - 1].time);
        assert_true(k[i].time - k[i - 1].time <= 1 + 1e-9);
        const double step = fabs(k[i].valence - k[i - 1].valence);
        assert_true(i == 6 ? step > 0.8 : step < 0.05);
    }
    assert_true(k[0].time == 0 && k[11].time == 10 && k[6].time == 5);
    assert_true(light.emotion[EMS_SADNESS] < dark.emotion[EMS_SADNESS]);
    ems_film_free(film);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectrum_shows_a_sine),
        cmocka_unit_test(loudness_is_in_decibels),
        cmocka_unit_test(onsets_are_counted),
        cmocka_unit_test(modes_are_told_apart),
        cmocka_unit_test(nan_samples_are_dropped),
        cmocka_unit_test(silence_is_not_heard),
        cmocka_unit_test(pictures_stay_in_their_shots),
        cmocka_unit_test(slices_are_joined),
        cmocka_unit_test(relations_have_the_published_signs),
        cmocka_unit_test(missing_channels_fall_away),
        cmocka_unit_test(curve_jumps_at_cuts_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

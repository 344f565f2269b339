/* Each rule of docs/MODEL.md 2.5 with numbers worked out by hand. */
#include "ems_test.h"

#include "music/sampler.h"

#include <math.h>

static const int PIANO_C4 = 784;

/* Everything but the given logs of weights is out of reach. */
static void clear(float *logits)
{
    for (int i = 0; i < EMS_VOCAB; i++)
        logits[i] = -1e30f;
}

static float ln(double x)
{
    return (float)log(x);
}

static int survivors(const float *logits, double temperature, double top_p)
{
    ems_sampler s;
    ems_sampler_start(&s, 1, 0, temperature, top_p);
    ems_sampler_pick(&s, logits, NULL);
    return s.survivors;
}

/* 0.4, 0.3, 0.2, 0.1: just above p = 0.7 the first two stay, their sum being
 * 0.7; at 0.69 the second crosses and goes; at 0.3 the first stays. */
static void test_nucleus(void **state)
{
    (void)state;
    float l[EMS_VOCAB];
    clear(l);
    l[10] = ln(0.2), l[20] = ln(0.4), l[30] = ln(0.1), l[40] = ln(0.3);
    assert_int_equal(survivors(l, 1, 0.701), 2);
    assert_int_equal(survivors(l, 1, 0.69), 1);
    assert_int_equal(survivors(l, 1, 0.3), 1);
    assert_int_equal(survivors(l, 1, 0.901), 3);
    ems_sampler s;
    ems_sampler_start(&s, 1, 0, 1, 0.901);
    ems_sampler_pick(&s, l, NULL);
    assert_int_equal(s.candidate[0].token, 20);
    assert_int_equal(s.candidate[1].token, 40);
    assert_int_equal(s.candidate[2].token, 10);
    assert_true(fabs(s.candidate[1].p - 0.3) < 1e-7);
}

/* Weights 4, 1 at T = 2 become 2, 1. */
static void test_temperature(void **state)
{
    (void)state;
    float l[EMS_VOCAB];
    clear(l);
    l[5] = ln(4), l[6] = 0;
    ems_sampler s;
    ems_sampler_start(&s, 1, 0, 2, 1);
    ems_sampler_pick(&s, l, NULL);
    assert_true(fabs(s.candidate[0].p - 2.0 / 3) < 1e-7);
    assert_true(fabs(s.candidate[1].p - 1.0 / 3) < 1e-7);
}

/* <PAD>, <START> and the instrument counts cannot come; <BAR>, <CHORD> can. */
static void test_excluded(void **state)
{
    (void)state;
    float l[EMS_VOCAB];
    clear(l);
    l[EMS_PAD] = l[EMS_START] = l[EMS_LESS_INSTRUMENTS] = 50;
    l[EMS_MORE_INSTRUMENTS] = 50;
    l[EMS_CHORD] = 1;
    ems_sampler s;
    ems_sampler_start(&s, 1, 0, 1, 0.9);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ems_sampler_pick(&s, l, NULL), EMS_CHORD);
    uint8_t banned[EMS_VOCAB] = {0};
    banned[EMS_CHORD] = 1;
    l[EMS_BAR] = 0;
    assert_int_equal(ems_sampler_pick(&s, l, banned), EMS_BAR);
    memset(banned, 1, sizeof banned);
    assert_int_equal(ems_sampler_pick(&s, l, banned), -1);
}

/* NaN counts as 0; a row of nothing but NaN is uniform over the 1007. */
static void test_nan(void **state)
{
    (void)state;
    float l[EMS_VOCAB];
    clear(l);
    l[7] = NAN, l[8] = -1;
    ems_sampler s;
    ems_sampler_start(&s, 1, 0, 1, 1);
    ems_sampler_pick(&s, l, NULL);
    assert_int_equal(s.candidate[0].token, 7);
    assert_true(fabs(s.candidate[0].p - 1 / (1 + exp(-1))) < 1e-7);
    for (int i = 0; i < EMS_VOCAB; i++)
        l[i] = NAN;
    ems_sampler_pick(&s, l, NULL);
    assert_true(fabs(s.candidate[500].p - 1.0 / 1007) < 1e-12);
    for (int i = 0; i < 1007; i++) /* ties by token */
        assert_int_equal(s.candidate[i].token, i + 2);
    l[3] = INFINITY, l[4] = -INFINITY;
    assert_int_equal(ems_sampler_pick(&s, l, NULL), 3);
}

/* c: 0 1 2 3 4 5 while at most two survive; then floor(c / 2). */
static void test_repeats(void **state)
{
    (void)state;
    float narrow[EMS_VOCAB], wide[EMS_VOCAB] = {0};
    clear(narrow);
    narrow[9] = 0, narrow[10] = 0;
    ems_sampler s;
    ems_sampler_start(&s, 1, 0, 1.5, 1);
    for (int c = 0; c <= 3; c++) { /* (c + 1) / 4 <= 1: no change */
        assert_int_equal(s.repeats, c);
        assert_true(ems_sampler_temperature(&s) == 1.5);
        s.top_p = 0.6; /* one of two survives */
        ems_sampler_pick(&s, narrow, NULL);
    }
    for (int c = 4; c < 7; c++) {
        const double want = 1.5 * (1 + 0.4 * log((c + 1) / 4.0));
        assert_true(fabs(ems_sampler_temperature(&s) - want) < 1e-12);
        ems_sampler_pick(&s, narrow, NULL);
    }
    assert_int_equal(s.repeats, 7);
    s.top_p = 1;
    for (int want = 3; want >= 0; want = want ? want / 2 : -1) {
        ems_sampler_pick(&s, wide, NULL);
        assert_int_equal(s.repeats, want);
    }
}

/* Frequencies follow the renormalised survivors: 2 : 1 here. */
static void test_draws(void **state)
{
    (void)state;
    float l[EMS_VOCAB];
    clear(l);
    l[50] = ln(0.4), l[60] = ln(0.2), l[70] = ln(0.4) - 1e-4f;
    ems_sampler s;
    ems_sampler_start(&s, 9, 0, 1, 0.95);
    int first = 0;
    for (int i = 0; i < 6000; i++) {
        s.repeats = 0;
        const int token = ems_sampler_pick(&s, l, NULL);
        assert_true(token == 50 || token == 70);
        first += token == 50;
    }
    assert_true(abs(first - 3000) < 120); /* 3 sigma: 116 */
    ems_sampler a, b;
    ems_sampler_start(&a, 5, 0, 1, 0.99);
    ems_sampler_start(&b, 5, 0, 1, 0.99);
    for (int i = 0; i < 50; i++)
        assert_int_equal(ems_sampler_pick(&a, l, NULL),
                         ems_sampler_pick(&b, l, NULL));
}

static void test_share(void **state)
{
    (void)state;
    float l[EMS_VOCAB];
    uint8_t chosen[EMS_VOCAB] = {0};
    clear(l);
    l[PIANO_C4] = ln(3), l[EMS_BAR] = 0;
    l[EMS_PAD] = 90;
    chosen[PIANO_C4] = 1;
    assert_true(fabs(ems_sampler_share(l, chosen) - 0.75) < 1e-7);
}

/* Cursor 0, boundaries at 2, 2.5 and 20. */
static void test_boundaries(void **state)
{
    (void)state;
    static const double time[] = {2, 2.5, 20};
    uint8_t served[3] = {9, 9, 9};
    ems_boundaries b;
    ems_boundaries_start(&b, time, served, 3);
    assert_true(ems_boundaries_left(&b) == 2);
    assert_true(ems_boundaries_step(&b, EMS_BAR) == 2);
    assert_true(ems_boundaries_step(&b, EMS_CHORD) == 2); /* 2 s off: no */
    float left = ems_boundaries_step(&b, EMS_SHIFT_BASE + 125);
    assert_true(fabs((double)left - 1.0) < 1e-6);
    /* exactly 1 s off is not less than 1 s */
    assert_true(ems_boundaries_step(&b, EMS_CHORD) == left);
    left = ems_boundaries_step(&b, EMS_SHIFT_BASE + 25); /* 1.2 */
    assert_true(fabs((double)left - 0.8) < 1e-6);
    left = ems_boundaries_step(&b, EMS_CHORD); /* serves 2; 2.5 is 1.3 off */
    assert_true(fabs((double)left - 1.3) < 1e-6);
    assert_true(served[0] == 1 && served[1] == 0);
    left = ems_boundaries_step(&b, EMS_SHIFT_BASE + 125); /* 2.2 */
    assert_true(fabs((double)left - 0.3) < 1e-6);
    ems_boundaries_step(&b, EMS_SHIFT_BASE + 62); /* 2.696: 2.5 passed */
    assert_true(ems_boundaries_left(&b) == 8);
    left = ems_boundaries_step(&b, EMS_CHORD); /* serves what lies behind */
    assert_true(left == 8 && served[1] == 1);
    for (int i = 0; i < 10; i++)
        left = ems_boundaries_step(&b, EMS_SHIFT_BASE + 125);
    assert_true(fabs((double)left - 7.304) < 1e-5);
    ems_boundaries_start(&b, NULL, NULL, 0);
    assert_true(ems_boundaries_left(&b) == 8);
}

/* <CHORD> on the boundary: its own entry refers to the next one. */
static void test_chord_on_boundary(void **state)
{
    (void)state;
    static const double time[] = {0.8, 4};
    uint8_t served[2];
    ems_boundaries b;
    ems_boundaries_start(&b, time, served, 2);
    const float left = ems_boundaries_step(&b, EMS_SHIFT_BASE + 100);
    assert_true(fabs((double)left) < 1e-6);
    assert_true(fabs((double)ems_boundaries_step(&b, EMS_CHORD) - 3.2) <
                1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nucleus),    cmocka_unit_test(test_temperature),
        cmocka_unit_test(test_excluded),   cmocka_unit_test(test_nan),
        cmocka_unit_test(test_repeats),    cmocka_unit_test(test_draws),
        cmocka_unit_test(test_share),      cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_chord_on_boundary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

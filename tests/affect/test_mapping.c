#include "ems_test.h"

#include "affect/mapping.h"

#include <math.h>

static void table_is_rescaled(void **state)
{
    (void)state;
    static const double WANT[EMS_EKMAN][4] = {
        {-0.6514, 0.2286, 0.6638, 0.4936}, {-0.7543, 0.2286, 0.2553, 0.6979},
        {-0.8000, 0.2286, 0.6809, 0.5447}, {0.8000, 0.2514, 0.4766, 0.4426},
        {-0.7886, 0.2629, -0.8000, 0.5787}, {0.3886, 0.3429, 0.8000, 0.4596},
    };
    ems_gaussian t[EMS_EKMAN];
    ems_emotion_table(t);
    for (int e = 0; e < EMS_EKMAN; e++) {
        assert_true(fabs(t[e].valence - WANT[e][0]) < 5.1e-5);
        assert_true(fabs(t[e].valence_sd - WANT[e][1]) < 5.1e-5);
        assert_true(fabs(t[e].arousal - WANT[e][2]) < 5.1e-5);
        assert_true(fabs(t[e].arousal_sd - WANT[e][3]) < 5.1e-5);
    }
}

static void check_mean(const double p[EMS_EKMAN], double v, double a)
{
    double valence, arousal;
    ems_emotion_to_va(&valence, &arousal, p);
    assert_true(fabs(valence - v) < 5.1e-5);
    assert_true(fabs(arousal - a) < 5.1e-5);
}

static void means_match_the_paper(void **state)
{
    (void)state;
    const double joy[EMS_EKMAN] = {[EMS_JOY] = 1};
    const double sadness[EMS_EKMAN] = {[EMS_SADNESS] = 1};
    const double s = 1.0 / 6;
    const double uniform[EMS_EKMAN] = {s, s, s, s, s, s};
    check_mean(joy, 0.8, 0.4766);
    check_mean(sadness, -0.7886, -0.8);
    check_mean(uniform, -0.3010, 0.3461);
}

/* Each axis draws its own emotion: the means of many samples are those of
 * the mixture, less what clipping takes; and the axes are independent. */
static void samples_follow_the_mixture(void **state)
{
    (void)state;
    const double p[EMS_EKMAN] = {[EMS_JOY] = 0.5, [EMS_SADNESS] = 0.5};
    ems_rng rng = ems_rng_seed(7, 0);
    enum { N = 20000 };
    double vs = 0, as = 0, va = 0;
    for (int i = 0; i < N; i++) {
        double v, a;
        ems_emotion_sample(&v, &a, p, &rng);
        assert_true(v >= -1 && v <= 1 && a >= -1 && a <= 1);
        vs += v, as += a, va += v * a;
    }
    assert_true(fabs(vs / N - 0.0057) < 0.03);
    assert_true(fabs(as / N - -0.1617) < 0.06);
    /* Drawn together, the covariance would be 0.79 * 0.64 = 0.5. */
    assert_true(fabs(va / N - vs / N * as / N) < 0.03);
}

static void way_back_finds_each_emotion(void **state)
{
    (void)state;
    ems_gaussian t[EMS_EKMAN];
    ems_emotion_table(t);
    for (int e = 0; e < EMS_EKMAN; e++) {
        double p[EMS_EKMAN], sum = 0;
        int best = 0;
        ems_va_to_emotion(p, t[e].valence, t[e].arousal);
        for (int k = 0; k < EMS_EKMAN; k++) {
            sum += p[k];
            if (p[k] > p[best])
                best = k;
        }
        assert_int_equal(best, e);
        assert_true(fabs(sum - 1) < 1e-12);
    }
}

/* There and back again, valence and arousal keep their order. */
static void way_back_is_monotone(void **state)
{
    (void)state;
    for (int axis = 0; axis < 2; axis++) {
        double last = -2;
        for (int i = -4; i <= 4; i++) {
            double p[EMS_EKMAN], v, a;
            ems_va_to_emotion(p, axis ? -0.6 : i * 0.25,
                              axis ? i * 0.25 : 0.4);
            ems_emotion_to_va(&v, &a, p);
            assert_true((axis ? a : v) > last - 1e-6);
            last = axis ? a : v;
        }
    }
}

/* Far from every mean all six densities underflow unless scaled. */
static void corners_have_answers(void **state)
{
    (void)state;
    for (int c = 0; c < 4; c++) {
        double p[EMS_EKMAN], sum = 0;
        ems_va_to_emotion(p, c & 1 ? 40 : -40, c & 2 ? 40 : -40);
        for (int e = 0; e < EMS_EKMAN; e++)
            sum += p[e];
        assert_true(fabs(sum - 1) < 1e-12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_rescaled),
        cmocka_unit_test(means_match_the_paper),
        cmocka_unit_test(samples_follow_the_mixture),
        cmocka_unit_test(way_back_finds_each_emotion),
        cmocka_unit_test(way_back_is_monotone),
        cmocka_unit_test(corners_have_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

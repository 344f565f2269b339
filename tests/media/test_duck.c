/* The curve of the ducking. */
#include "ems_test.h"

#include "media/duck.h"

#include <math.h>

static double gain_db(const ems_duck *d, double time)
{
    return 20 * log10(ems_duck_gain(d, time));
}

static void test_curve(void **state)
{
    (void)state;
    static const ems_stretch speech[] = {{2, 3}, {3.5, 4}, {10, 11}};
    ems_duck d;
    assert_int_equal(ems_duck_open(&d, speech, 3, 12, NULL), 0);
    assert_int_equal(d.count, 2); /* a pause of half a second is none */
    assert_true(fabs(ems_duck_seconds(&d) - 3) < 1e-9);
    static const double want[][2] = {
        {0, 0}, {1.8, 0}, {1.9, -6}, {2, -12}, {3.2, -12}, {4, -12},
        {4.3, -6}, {4.6, 0}, {7, 0}, {9.85, -3}, {10.5, -12}, {11.15, -9},
        {1e6, 0}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (fabs(gain_db(&d, want[i][0]) - want[i][1]) > 1e-6)
            fail_msg("%g s: %g dB", want[i][0], gain_db(&d, want[i][0]));
    assert_true(ems_duck_speaks(&d, 3.2) && !ems_duck_speaks(&d, 4.1));
    ems_duck_close(&d);
}

static void test_refused(void **state)
{
    (void)state;
    static const ems_stretch bad[][2] = {{{1, 2}, {1.5, 3}}, {{2, 1}, {3, 4}},
                                         {{-1, 1}, {3, 4}},
                                         {{1, INFINITY}, {3, 4}},
                                         {{NAN, 2}, {3, 4}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ems_duck d;
        assert_int_equal(ems_duck_open(&d, bad[i], 2, 12, NULL), EMS_EINVAL);
        ems_duck_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curve),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

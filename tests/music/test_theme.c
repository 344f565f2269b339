#include "ems_test.h"

#include "music/theme.h"
#include "music/vocab.h"

#include <string.h>

enum { MAJOR = 0xab5, MINOR = 0x5ad, STEP = 5 /* ticks of a twelfth */ };

static unsigned scale(unsigned above_tonic, int tonic)
{
    return (above_tonic << tonic | above_tonic >> (12 - tonic)) & 0xfff;
}

/* Four bars in C: in each E, and three twelfths later G over C. */
static ems_theme made(void)
{
    ems_theme t;
    ems_theme_start(&t);
    for (size_t bar = 0; bar < 4; bar++) {
        ems_theme_bar(&t, bar, 0, MAJOR);
        ems_theme_strike(&t, 0, 64);
        ems_theme_strike(&t, 3, 60);
        ems_theme_strike(&t, 3, 67);
        ems_theme_strike(&t, 3, 48);
    }
    return t;
}

static float heard[EMS_VOCAB];

/* The pitch that is made likeliest at this twelfth; 0: none. */
static int wanted(const ems_theme *t, int twelfth, int family)
{
    int best = 0;
    float most = 0;
    memset(heard, 0, sizeof heard);
    ems_theme_apply(t, twelfth * STEP, STEP, 1, heard);
    for (int p = EMS_LOW_PITCH; p <= EMS_HIGH_PITCH; p++) {
        const float x = heard[ems_note_token(family, p, 1)];
        if (x > most) {
            most = x;
            best = p;
        }
    }
    return best;
}

static void a_comes_back_and_b_does_not(void **state)
{
    (void)state;
    ems_theme t = made();
    assert_false(t.returns);
    for (size_t bar = 4; bar < 32; bar++) {
        const int a = bar / 4 % 4 != 2;
        ems_theme_bar(&t, bar, 0, MAJOR);
        assert_int_equal(wanted(&t, 0, EMS_PIANO), a ? 64 : 0);
        assert_int_equal(wanted(&t, 3, EMS_STRINGS), a ? 67 : 0);
        assert_int_equal(wanted(&t, 6, EMS_PIANO), 0);
        assert_int_equal(wanted(&t, 0, EMS_BASS), 0);
        assert_int_equal(wanted(&t, 0, EMS_DRUMS), 0);
    }
}

/* Another section may have another key and the other mode. */
static void it_fits_the_key(void **state)
{
    (void)state;
    ems_theme t = made();
    for (int tonic = 0; tonic < 12; tonic++) {
        ems_theme_bar(&t, 0, tonic, scale(MAJOR, tonic));
        const int near = tonic > 6 ? tonic - 12 : tonic;
        assert_int_equal(wanted(&t, 0, EMS_GUITAR), 64 + near);
        ems_theme_bar(&t, 0, tonic, scale(MINOR, tonic));
        assert_int_equal(wanted(&t, 0, EMS_GUITAR), 63 + near);
        assert_int_equal(wanted(&t, 3, EMS_GUITAR), 67 + near);
    }
}

/* Time is drawn to the theme's next note, and kept from passing it. */
static void time_stops_at_its_notes(void **state)
{
    (void)state;
    ems_theme t = made();
    ems_theme_bar(&t, 4, 0, MAJOR);
    wanted(&t, 0, EMS_PIANO);
    const float *shift = heard + EMS_SHIFT_BASE;
    assert_true(shift[3 * STEP] > 0 && shift[3 * STEP + 1] < 0);
    assert_true(shift[3 * STEP - 1] == 0 && shift[EMS_MAX_SHIFT] < 0);
    wanted(&t, 3, EMS_PIANO); /* the last one: time is free */
    for (int k = 1; k <= EMS_MAX_SHIFT; k++)
        assert_true(shift[k] == 0);
}

/* While it is being made, or unwanted, and without bars, nothing is led. */
static void otherwise_nothing_is_led(void **state)
{
    (void)state;
    static const float zero[EMS_VOCAB];
    ems_theme t = made(), fresh;
    ems_theme_start(&fresh);
    memset(heard, 0, sizeof heard);
    ems_theme_apply(&fresh, 0, STEP, 1, heard);
    ems_theme_bar(&fresh, 0, 0, MAJOR);
    ems_theme_apply(&fresh, 0, STEP, 1, heard);
    ems_theme_bar(&t, 4, 0, MAJOR);
    ems_theme_apply(&t, 0, STEP, 0, heard);
    ems_theme_apply(&t, 0, 0, 1, heard);
    assert_memory_equal(heard, zero, sizeof zero);
}

/* As many notes as there is room for; what comes back is not learned anew. */
static void a_full_bar_is_kept(void **state)
{
    (void)state;
    ems_theme t;
    ems_theme_start(&t);
    ems_theme_bar(&t, 0, 0, MAJOR);
    for (int i = 0; i < 4 * EMS_THEME_NOTES; i++)
        ems_theme_strike(&t, i, EMS_HIGH_PITCH);
    assert_int_equal(t.notes[0], EMS_THEME_NOTES);
    ems_theme_bar(&t, 4, 11, scale(MAJOR, 11)); /* beyond the highest pitch */
    wanted(&t, 0, EMS_PIANO);
    const ems_theme before = t;
    ems_theme_strike(&t, 0, 60);
    assert_memory_equal(&t, &before, sizeof t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comes_back_and_b_does_not),
        cmocka_unit_test(it_fits_the_key),
        cmocka_unit_test(time_stops_at_its_notes),
        cmocka_unit_test(otherwise_nothing_is_led),
        cmocka_unit_test(a_full_bar_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

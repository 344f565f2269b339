#include "ems_test.h"

#include "music/stats_repeats.h"

enum { BARS = 9, BEATS = 4 };

/* BARS bars of two seconds. */
static ems_piece *empty(void)
{
    ems_error err;
    ems_piece *p = ems_piece_new(2.0 * BARS, &err);
    assert_non_null(p);
    for (int i = 0; i < BARS; i++)
        assert_int_equal(ems_piece_add_bar(p, (ems_bar){2.0 * i, BEATS},
                                           &err), EMS_OK);
    return p;
}

static void play(ems_piece *p, int family, double start, int pitch)
{
    const ems_note n = {.start = start, .length = 0.2,
                        .family = (uint8_t)family, .pitch = (uint8_t)pitch,
                        .velocity = 80};
    ems_error err;
    assert_int_equal(ems_piece_add_note(p, n, &err), EMS_OK);
}

static double theme(ems_piece *p)
{
    ems_error err;
    double share;
    ems_piece_sort(p);
    assert_int_equal(ems_stats_theme(&share, p, &err), EMS_OK);
    return share;
}

/* C C, C+E C+E C+E, C+E G: three of six strokes are the one before. Families
 * do not disturb each other; bass and drums do not count. */
static void strokes_again(void **state)
{
    (void)state;
    ems_piece *p = empty();
    const int e[] = {0, 0, 1, 1, 1, 0};
    for (int i = 0; i < 6; i++) {
        play(p, EMS_PIANO, i, i < 5 ? 60 : 67);
        if (e[i])
            play(p, EMS_PIANO, i + 0.005, 64);
        play(p, EMS_BASS, i, 36);
        play(p, EMS_DRUMS, i, 36);
    }
    play(p, EMS_STRINGS, 2.5, 60);
    ems_piece_sort(p);
    assert_float_equal(ems_stats_struck_again(p), 3.0 / 7, 1e-12);
    ems_piece_free(p);
    p = empty();
    assert_float_equal(ems_stats_struck_again(p), 0, 0);
    ems_piece_free(p);
}

/* Bar i against bar i + 4: five pairs. */
static void melody_after_four_bars(void **state)
{
    (void)state;
    ems_piece *p = empty();
    assert_float_equal(theme(p), 0, 0);
    for (int i = 0; i < BARS; i++)
        for (int k = 0; k < 4; k++) {
            play(p, EMS_STRINGS, 2 * i + 0.5 * k, 72 + i % 4 + k);
            play(p, EMS_PIANO, 2 * i + 0.5 * k, 65);       /* below it */
            play(p, EMS_GUITAR, 2 * i + 0.5 * k, 48 + i);  /* no melody */
        }
    assert_float_equal(theme(p), 1, 1e-12);
    play(p, EMS_PIANO, 8.5, 100); /* bar 4: one of four is another */
    assert_float_equal(theme(p), (0.75 + 1 + 1 + 1 + 0.75) / 5, 1e-12);
    ems_piece_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strokes_again),
        cmocka_unit_test(melody_after_four_bars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

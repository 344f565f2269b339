#include "ems_test.h"

#include "base/rng.h"
#include "music/guide.h"

static float flat[EMS_VOCAB]; /* all tokens equally likely */

static int on(int family, int pitch)
{
    return ems_note_token(family, pitch, 1);
}

static int off(int family, int pitch)
{
    return ems_note_token(family, pitch, 0);
}

static int shift(int ticks)
{
    return EMS_SHIFT_BASE + ticks;
}

static int allowed(ems_guide *g, int token)
{
    uint8_t banned[EMS_VOCAB];
    ems_guide_ban(g, flat, banned);
    return !banned[token];
}

/* Shifts stop at the hit; what rounding leaves is made up for. */
static void test_landing(void **state)
{
    (void)state;
    static const double hit[] = {0.5037, 5};
    ems_guide g;
    ems_guide_start(&g, hit, 2, 0);
    ems_guide_step(&g, on(EMS_BASS, 40));
    assert_true(allowed(&g, shift(62)));  /* 0.496 */
    assert_false(allowed(&g, shift(63))); /* 0.504 */
    assert_true(ems_guide_step(&g, shift(60)) == 0.008 * 60);
    assert_int_equal(ems_guide_due(&g), -1);
    assert_true(allowed(&g, shift(2)));
    assert_false(allowed(&g, shift(3)));
    assert_true(ems_guide_step(&g, shift(2)) == 0.5037);
    assert_int_equal(ems_guide_due(&g), EMS_BAR);
}

/* <BAR>, <CHORD>, three chord notes, releases, time: in this order. */
static void test_hit(void **state)
{
    (void)state;
    static const double hit[] = {0.8};
    ems_guide g;
    ems_guide_start(&g, hit, 1, 0);
    ems_guide_step(&g, on(EMS_BASS, 40));
    ems_guide_step(&g, on(EMS_PIANO, 60));
    ems_guide_step(&g, on(EMS_DRUMS, 36));
    ems_guide_step(&g, shift(100));
    assert_int_equal(ems_guide_due(&g), EMS_BAR);
    ems_guide_step(&g, EMS_BAR);
    assert_int_equal(ems_guide_due(&g), EMS_CHORD);
    ems_guide_step(&g, EMS_CHORD);
    assert_int_equal(ems_guide_due(&g), -1);
    static const int chord[] = {48, 52, 60}; /* 60 is struck again */
    for (int i = 0; i < 3; i++) {
        assert_false(allowed(&g, shift(1)));
        assert_false(allowed(&g, off(EMS_BASS, 40)));
        assert_true(allowed(&g, on(EMS_DRUMS, 38)));
        assert_true(allowed(&g, on(EMS_PIANO, chord[i])));
        ems_guide_step(&g, on(EMS_PIANO, chord[i]));
        assert_false(allowed(&g, on(EMS_PIANO, chord[i])));
    }
    assert_true(allowed(&g, on(EMS_STRINGS, 70))); /* more may come */
    assert_true(allowed(&g, shift(9)));
    assert_int_equal(ems_guide_accept(&g, on(EMS_STRINGS, 70)), 1);
    assert_int_equal(ems_guide_accept(&g, shift(9)), 0);
    assert_int_equal(ems_guide_due(&g), off(EMS_BASS, 40));
    ems_guide_step(&g, off(EMS_BASS, 40));
    assert_int_equal(ems_guide_due(&g), off(EMS_PIANO, 60)); /* the old one */
    ems_guide_step(&g, off(EMS_PIANO, 60));
    assert_int_equal(ems_guide_due(&g), -1);
    assert_false(allowed(&g, on(EMS_STRINGS, 70)));
    assert_true(allowed(&g, shift(9)));
    assert_int_equal(ems_guide_accept(&g, shift(9)), 1);
    ems_guide_step(&g, shift(9));
    assert_int_equal(g.phase, EMS_GUIDE_FREE);
    assert_true(allowed(&g, off(EMS_PIANO, 60))); /* the new one sounds on */
    assert_false(allowed(&g, off(EMS_BASS, 40)));
}

/* Where guitar, piano and strings are out of the question one bass note does;
 * drums alone never do. */
static void test_unlikely_chord(void **state)
{
    (void)state;
    static const double hit[] = {0.004};
    float logits[EMS_VOCAB] = {0};
    uint8_t banned[EMS_VOCAB];
    for (int token = EMS_FIRST_NOTE; token <= EMS_LAST_NOTE; token++)
        if (ems_note_family(token) >= EMS_GUITAR)
            logits[token] = -30;
    ems_guide g;
    ems_guide_start(&g, hit, 1, 0);
    assert_true(g.cursor == 0.004);
    ems_guide_step(&g, ems_guide_due(&g));
    ems_guide_step(&g, ems_guide_due(&g));
    ems_guide_step(&g, on(EMS_DRUMS, 36));
    ems_guide_ban(&g, logits, banned);
    assert_true(banned[shift(5)]);
    ems_guide_step(&g, on(EMS_BASS, 36));
    ems_guide_ban(&g, logits, banned);
    assert_false(banned[shift(5)]);
}

static void test_taste(void **state)
{
    (void)state;
    ems_guide g;
    ems_guide_start(&g, NULL, 0, 0);
    /* 1 */
    assert_false(allowed(&g, off(EMS_PIANO, 60)));
    ems_guide_step(&g, on(EMS_PIANO, 60));
    assert_false(allowed(&g, on(EMS_PIANO, 60)));
    assert_false(allowed(&g, off(EMS_PIANO, 60)));
    ems_guide_step(&g, EMS_BAR);
    assert_false(allowed(&g, EMS_BAR));
    assert_true(allowed(&g, EMS_CHORD));
    /* 2 */
    for (int i = 0; i < (int)EMS_GUIDE_LONGEST; i++) {
        assert_int_equal(ems_guide_due(&g), -1);
        ems_guide_step(&g, shift(125));
    }
    assert_int_equal(ems_guide_due(&g), off(EMS_PIANO, 60));
    ems_guide_step(&g, off(EMS_PIANO, 60));
    /* 3 */
    assert_true(allowed(&g, shift(125)));
    ems_guide_step(&g, shift(125));
    assert_true(allowed(&g, shift(62)));
    assert_false(allowed(&g, shift(63)));
    ems_guide_step(&g, shift(62));
    assert_false(allowed(&g, shift(1)));
    /* 4 */
    for (int i = 0; i < EMS_GUIDE_CROWD; i++) {
        assert_true(allowed(&g, on(EMS_STRINGS, 50)));
        ems_guide_step(&g, on(EMS_DRUMS, 30 + i));
    }
    assert_false(allowed(&g, on(EMS_STRINGS, 50)));
    assert_true(allowed(&g, shift(1)));
}

/* 5, at a hit 1.2 s away. */
static void test_before_hit(void **state)
{
    (void)state;
    static const double hit[] = {1.2};
    ems_guide g;
    ems_guide_start(&g, hit, 1, 0);
    ems_guide_step(&g, on(EMS_BASS, 40));
    assert_true(allowed(&g, EMS_CHORD));
    ems_guide_step(&g, shift(50)); /* 0.4: 0.8 to go */
    assert_false(allowed(&g, EMS_CHORD));
    assert_true(allowed(&g, EMS_BAR));
    ems_guide_step(&g, shift(50));
    assert_false(allowed(&g, EMS_BAR));
}

static void test_ending(void **state)
{
    (void)state;
    static const double hit[] = {0.4};
    ems_guide g;
    ems_guide_start(&g, hit, 1, 1);
    ems_guide_step(&g, on(EMS_BASS, 40));
    ems_guide_step(&g, shift(50));
    ems_guide_step(&g, ems_guide_due(&g));
    ems_guide_step(&g, ems_guide_due(&g));
    for (int i = 0; i < 3; i++)
        ems_guide_step(&g, on(EMS_STRINGS, 60 + i));
    assert_true(allowed(&g, shift(1)));
    assert_int_equal(ems_guide_accept(&g, shift(1)), 0);
    ems_guide_step(&g, ems_guide_due(&g)); /* the bass lets go */
    assert_int_equal(ems_guide_due(&g), -1);
    assert_int_equal(g.phase, EMS_GUIDE_DONE);
}

/* Whatever is sampled: something is always allowed, time goes on, every hit
 * is met to the bit with a chord or at least a note that is no drum. */
static void test_any_song(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        double hit[20];
        ems_rng r = ems_rng_seed(seed, 1);
        for (int i = 0; i < 20; i++)
            hit[i] = (i ? hit[i - 1] : 0) + 0.05 + ems_rng_uniform(&r);
        ems_guide g;
        ems_guide_start(&g, hit, 20, 1);
        size_t reached = 0;
        for (int n = 0; g.phase != EMS_GUIDE_DONE; n++) {
            assert_true(n < 20000);
            uint8_t banned[EMS_VOCAB];
            int token = ems_guide_due(&g);
            if (g.phase == EMS_GUIDE_DONE)
                break;
            if (token < 0) {
                ems_guide_ban(&g, flat, banned);
                do
                    token = (int)ems_rng_below(&r, EMS_VOCAB);
                while (banned[token]);
                if (!ems_guide_accept(&g, token))
                    continue;
            }
            ems_guide_step(&g, token);
            if (token == EMS_CHORD && g.phase == EMS_GUIDE_ONS)
                assert_true(g.cursor == hit[reached++]);
            if (ems_is_shift(token) && g.phase == EMS_GUIDE_FREE)
                assert_true(g.cursor < hit[g.next]);
        }
        assert_int_equal(reached, 20);
        assert_true(g.pitched > 0);
    }
}

/* With a grid, time stops at sixteenths and triplet eighths of the beat. */
static void test_grid(void **state)
{
    (void)state;
    static const double line[] = {0, 4 * 72 * EMS_TICK};
    static const int step[] = {6, 6};
    ems_guide g;
    ems_guide_start(&g, NULL, 0, 0);
    ems_guide_bars(&g, line, step, 2);
    ems_guide_step(&g, on(EMS_PIANO, 60));
    static const int twelfth[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const int open[] = {0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1};
    for (int i = 0; i < 12; i++)
        assert_int_equal(allowed(&g, shift(6 * twelfth[i])), open[i]);
    assert_false(allowed(&g, shift(19)));
    ems_guide_step(&g, shift(18));
    assert_true(allowed(&g, shift(18)));
    assert_false(allowed(&g, shift(12)));
    for (int i = 0; i < 5; i++)
        ems_guide_step(&g, shift(54)); /* the bar line */
    assert_int_equal(ems_guide_due(&g), EMS_BAR);
}

/* When a low voice was last heard; drums are none. */
static void test_ground(void **state)
{
    (void)state;
    ems_guide g;
    ems_guide_start(&g, NULL, 0, 0);
    ems_guide_step(&g, on(EMS_PIANO, EMS_GROUND - 1));
    ems_guide_step(&g, on(EMS_PIANO, EMS_GROUND));
    ems_guide_step(&g, shift(100));
    assert_true(g.grounded == g.cursor);
    const double end = g.cursor;
    ems_guide_step(&g, off(EMS_PIANO, EMS_GROUND - 1));
    ems_guide_step(&g, on(EMS_DRUMS, 36));
    ems_guide_step(&g, shift(100));
    assert_true(g.grounded == end && g.cursor > end && g.sounding == 1);
    ems_guide_step(&g, on(EMS_BASS, 30));
    assert_true(g.grounded == g.cursor && g.low == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_landing),    cmocka_unit_test(test_hit),
        cmocka_unit_test(test_unlikely_chord),
        cmocka_unit_test(test_taste),      cmocka_unit_test(test_before_hit),
        cmocka_unit_test(test_ending),     cmocka_unit_test(test_any_song),
        cmocka_unit_test(test_grid),       cmocka_unit_test(test_ground),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

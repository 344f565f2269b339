#include "ems_test.h"

#include "music/harmony.h"

static ems_chord at(uint64_t seed, int minor, size_t bar)
{
    return ems_harmony_at(seed, minor, 0.3, bar, EMS_CADENCE_NONE);
}

static int same(ems_chord a, ems_chord b)
{
    return a.root == b.root && a.pitches == b.pitches;
}

/* Triads and sevenths of a scale that has the mode's third; a phrase begins on
 * the tonic, no chord stays. */
static void chords_move_within_the_key(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++)
        for (int minor = 0; minor < 2; minor++)
            for (size_t bar = 0; bar < 32; bar++) {
                const ems_chord c = at(seed, minor, bar);
                const int pitches = __builtin_popcount(c.pitches);
                assert_true(pitches == 3 || pitches == 4);
                assert_true(c.pitches >> c.root & 1);
                assert_int_equal(c.pitches & ~c.scale, 0);
                assert_true(c.scale >> (minor ? 3 : 4) & 1);
                if (bar % 4 || (bar && bar / 4 % 4 != 2))
                    assert_false(same(c, at(seed, minor, bar - 1)));
                if (bar % 4 == 0)
                    assert_int_equal(c.root == 0, bar / 4 % 4 != 2);
            }
}

/* Chords from outside come now and then; the dominant's dominant goes to it. */
static void colours_are_rare(void **state)
{
    (void)state;
    for (int minor = 0; minor < 2; minor++) {
        int colours = 0, count = 0;
        for (uint64_t seed = 0; seed < 500; seed++)
            for (size_t bar = 0; bar < 12; bar++) {
                const ems_chord c = at(seed, minor, bar);
                const int outside = minor ? !(c.scale >> 8 & 1) ||
                                                c.scale >> 1 & 1
                                          : c.scale != 0xab5;
                colours += outside;
                count++;
                if (!minor && c.scale >> 6 & 1 && bar % 4 < 3) {
                    const int next = at(seed, minor, bar + 1).root;
                    assert_true(next == 7 || next == 2);
                }
            }
        assert_true(colours > count / 50 && colours < count / 6);
    }
}

/* A A B A, and again. */
static void phrases_return(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++)
        for (size_t i = 0; i < 4; i++) {
            const ems_chord c = at(seed, 1, i);
            assert_true(same(c, at(seed, 1, 4 + i)));
            assert_true(same(c, at(seed, 1, 12 + i)));
            assert_true(same(c, at(seed, 1, 16 + i)));
        }
}

static void seeds_differ(void **state)
{
    (void)state;
    int different = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        int same_phrase = 1;
        for (size_t i = 0; i < 4; i++)
            same_phrase &= same(at(seed, 0, i), at(seed + 1, 0, i));
        different += !same_phrase;
    }
    assert_true(different > 40);
}

static void the_ending_is_a_cadence(void **state)
{
    (void)state;
    for (int minor = 0; minor < 2; minor++) {
        const ems_chord v = ems_harmony_at(7, minor, 0, 5,
                                           EMS_CADENCE_PREPARE);
        const ems_chord i = ems_harmony_at(7, minor, 0, 6, EMS_CADENCE_CLOSE);
        assert_int_equal(v.root, 7);
        assert_true(v.pitches >> 11 & 1); /* the leading note, in minor too */
        assert_int_equal(i.root, 0);
    }
}

/* The share of bars with a minor third above the root. */
static double minor_chords(int minor, double valence)
{
    int dark = 0, count = 0;
    for (uint64_t seed = 0; seed < 300; seed++)
        for (size_t bar = 0; bar < 12; bar++, count++) {
            const ems_chord c = ems_harmony_at(seed, minor, valence, bar,
                                               EMS_CADENCE_NONE);
            dark += c.pitches >> (c.root + 3) % 12 & 1 ? 1 : 0;
        }
    return (double)dark / count;
}

/* A step of light changes few chords. */
static void light_changes_slowly(void **state)
{
    (void)state;
    int changed = 0, count = 0;
    for (uint64_t seed = 0; seed < 300; seed++)
        for (int minor = 0; minor < 2; minor++)
            for (size_t bar = 0; bar < 4; bar++, count++)
                changed += !same(ems_harmony_at(seed, minor, 0.2, bar,
                                                EMS_CADENCE_NONE),
                                 ems_harmony_at(seed, minor, 0.4, bar,
                                                EMS_CADENCE_NONE));
    assert_true(changed > 0 && changed < count / 4);
}

static void dark_scenes_have_dark_chords(void **state)
{
    (void)state;
    for (int minor = 0; minor < 2; minor++) {
        double before = 1;
        for (double v = -1.5; v < 1.6; v += 0.3) {
            const double now = minor_chords(minor, v);
            assert_true(now <= before);
            before = now;
        }
        assert_true(minor_chords(minor, -0.8) >
                    minor_chords(minor, 0.8) + 0.2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chords_move_within_the_key),
        cmocka_unit_test(colours_are_rare),
        cmocka_unit_test(phrases_return),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(the_ending_is_a_cadence),
        cmocka_unit_test(light_changes_slowly),
        cmocka_unit_test(dark_scenes_have_dark_chords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

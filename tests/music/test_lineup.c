#include "ems_test.h"

#include "music/harmony.h"
#include "music/lineup.h"

#include <math.h>
#include <string.h>

enum { SEEDS = 400, BARS = 48, ALL = (1 << EMS_FAMILIES) - 1 };

static int melodic(const double share[EMS_FAMILIES])
{
    int count = 0;
    for (int f = 0; f < EMS_FAMILIES; f++)
        count += ems_is_melodic(f) && share[f] > 0;
    return count;
}

static void shares_are_shares(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (size_t bar = 0; bar < BARS; bar += EMS_PHRASE)
            for (double a = -1; a <= 1; a += 0.25) {
                double share[EMS_FAMILIES], sum = 0;
                ems_lineup_at(seed, bar, a, ALL, share);
                for (int f = 0; f < EMS_FAMILIES; f++) {
                    assert_true(share[f] >= 0);
                    sum += share[f];
                }
                assert_float_equal(sum, 1, 1e-12);
                assert_true(melodic(share) >= 2);
            }
}

/* A phrase has one line-up, all A of a song the same, B and later songs at
 * times another. */
static void phrases_keep_their_players(void **state)
{
    (void)state;
    int other_bridge = 0, other_song = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        double first[EMS_FAMILIES], now[EMS_FAMILIES];
        ems_lineup_at(seed, 0, 0, ALL, first);
        for (size_t bar = 0; bar < 2 * 4 * EMS_PHRASE; bar++) {
            ems_lineup_at(seed, bar, 0, ALL, now);
            const int same = memcmp(first, now, sizeof now) == 0;
            if (bar >= 4 * EMS_PHRASE)
                other_song += !same;
            else if (ems_in_bridge(bar))
                other_bridge += !same;
            else
                assert_true(same);
        }
    }
    assert_true(other_bridge > SEEDS && other_song > 4 * SEEDS);
}

/* Whoever plays in calm drums, bass and guitar plays in excitement too. */
static void excitement_brings_them_in(void **state)
{
    (void)state;
    int drums = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        double calm[EMS_FAMILIES], middle[EMS_FAMILIES], wild[EMS_FAMILIES];
        ems_lineup_at(seed, 0, -0.7, ALL, calm);
        ems_lineup_at(seed, 0, 0, ALL, middle);
        ems_lineup_at(seed, 0, 0.7, ALL, wild);
        assert_true(calm[EMS_DRUMS] == 0);
        assert_true(wild[EMS_DRUMS] > 0.2 && wild[EMS_BASS] > 0);
        assert_true(!(calm[EMS_BASS] > 0) || middle[EMS_BASS] > 0);
        drums += middle[EMS_DRUMS] > 0;
    }
    assert_true(drums > SEEDS / 3 && drums < SEEDS * 3 / 5);
}

/* Whoever may not play does not, and those who may fill in. */
static void only_the_allowed_play(void **state)
{
    (void)state;
    for (unsigned allowed = 0; allowed <= ALL; allowed++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            double share[EMS_FAMILIES], sum = 0;
            ems_lineup_at(seed, 0, 0, allowed, share);
            for (int f = 0; f < EMS_FAMILIES; f++) {
                assert_true(share[f] >= 0);
                assert_true(allowed >> f & 1 || share[f] == 0);
                sum += share[f];
            }
            const double whole = allowed ? 1 : 0;
            assert_float_equal(sum, whole, 1e-12);
            const unsigned tunes = allowed & (1u << EMS_GUITAR |
                                              1u << EMS_PIANO |
                                              1u << EMS_STRINGS);
            const int most = __builtin_popcount(tunes);
            assert_true(melodic(share) >= (most < 2 ? most : 2));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_shares),
        cmocka_unit_test(phrases_keep_their_players),
        cmocka_unit_test(excitement_brings_them_in),
        cmocka_unit_test(only_the_allowed_play),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

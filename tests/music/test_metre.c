#include "ems_test.h"

#include "base/rng.h"
#include "music/guide.h"
#include "music/metre.h"

#include <math.h>

static ems_plan film(double duration, ems_knot *curve, size_t knots)
{
    return (ems_plan){.duration = duration, .curve = curve,
                      .knot_count = knots};
}

static double tempo_of(const ems_metre *m, size_t bar, double duration)
{
    const double end = bar + 1 < m->count ? m->line[bar + 1] : duration;
    return m->beats[bar] * 60 / (end - m->line[bar]);
}

static void without_hits_bars_are_equal(void **state)
{
    (void)state;
    ems_knot calm = {0, 0, -0.5}, wild = {0, 0, 0.9};
    ems_plan slow = film(60, &calm, 1), fast = film(60, &wild, 1);
    ems_metre a, b;
    assert_int_equal(ems_metre_plan(&a, &slow, NULL, 0, NULL), 0);
    assert_int_equal(ems_metre_plan(&b, &fast, NULL, 0, NULL), 0);
    assert_true(fabs(a.tempo - 80) < 1.5);
    assert_true(fabs(b.tempo - 136) < 2.5);
    for (size_t i = 0; i < a.count; i++)
        assert_true(fabs(tempo_of(&a, i, 60) - tempo_of(&a, 0, 60)) < 1e-6);
    assert_true(a.line[0] == 0 && a.beats[0] == 4);
    ems_metre_clear(&a);
    ems_metre_clear(&b);
}

/* Whatever the cuts: every hit is a bar line, bars have 1 to 5 beats, lines
 * ascend, and hits at least two seconds apart pull no tempo by more than a
 * third of a beat does. */
static void every_hit_is_a_bar_line(void **state)
{
    (void)state;
    enum { HITS = 30 };
    for (uint64_t seed = 0; seed < 100; seed++) {
        ems_rng r = ems_rng_seed(seed, 0);
        ems_knot curve[2] = {{0, 0, 2 * ems_rng_uniform(&r) - 1},
                             {100, 0, 2 * ems_rng_uniform(&r) - 1}};
        double hits[HITS], at = 0;
        for (int i = 0; i < HITS; i++)
            hits[i] = at += 2 + 3 * ems_rng_uniform(&r);
        ems_plan p = film(at + 4, curve, 2);
        ems_metre m;
        assert_int_equal(ems_metre_plan(&m, &p, hits, HITS, NULL), 0);
        size_t hit = 0;
        for (size_t i = 0; i < m.count; i++) {
            assert_in_range(m.beats[i], 1, 5);
            assert_true(i == 0 || m.line[i] > m.line[i - 1]);
            if (hit < HITS && m.line[i] == hits[hit])
                hit++;
            const double change = tempo_of(&m, i, p.duration) / m.tempo;
            assert_true(change > 0.66 && change < 1.5);
        }
        assert_int_equal(hit, HITS);
        ems_metre_clear(&m);
    }
}

static void the_tempo_gives_way_to_the_hits(void **state)
{
    (void)state;
    ems_knot middle = {0, 0, 0}; /* 100 beats a minute, if nothing pulls */
    const double hits[] = {5.5, 11, 16.5, 22};
    ems_plan p = film(27.5, &middle, 1);
    ems_metre m;
    assert_int_equal(ems_metre_plan(&m, &p, hits, 4, NULL), 0);
    /* 5.5 s are 9.17 beats at 100: 98.2 makes them 9 */
    assert_true(fabs(m.tempo - 98.2) < 0.6);
    ems_metre_clear(&m);
}

/* Between planned lines the guide lets no TIMESHIFT cross one, and gives
 * <BAR> there. */
static void the_guide_stops_at_bar_lines(void **state)
{
    (void)state;
    const double lines[] = {0, 0.5, 1.003};
    ems_guide g;
    uint8_t banned[EMS_VOCAB];
    static float logits[EMS_VOCAB];
    ems_guide_start(&g, NULL, 0, 0);
    ems_guide_bars(&g, lines, NULL, 3);
    assert_int_equal(ems_guide_due(&g), -1);
    const int on = ems_note_token(EMS_PIANO, 60, 1);
    ems_guide_step(&g, on);
    ems_guide_ban(&g, logits, banned);
    assert_false(banned[EMS_SHIFT_BASE + 62]);
    assert_true(banned[EMS_SHIFT_BASE + 63]); /* 504 ms */
    assert_true(banned[EMS_BAR]);
    /* 496 ms is nearer than a tick: the cursor goes to the line itself */
    assert_true(ems_guide_step(&g, EMS_SHIFT_BASE + 62) == 0.5);
    assert_int_equal(ems_guide_due(&g), EMS_BAR);
    ems_guide_step(&g, EMS_BAR);
    assert_int_equal(ems_guide_due(&g), -1);
    ems_guide_ban(&g, logits, banned);
    assert_true(banned[EMS_BAR]);
    assert_true(banned[EMS_SHIFT_BASE + 63]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_hits_bars_are_equal),
        cmocka_unit_test(every_hit_is_a_bar_line),
        cmocka_unit_test(the_tempo_gives_way_to_the_hits),
        cmocka_unit_test(the_guide_stops_at_bar_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

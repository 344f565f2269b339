#include "ems_test.h"

#include "base/rng.h"
#include "music/clock.h"
#include "music/vocab.h"

#include <math.h>

/* A metre over random hits, and its clock. */
typedef struct set_up {
    double hits[12];
    ems_knot curve;
    ems_plan plan;
    ems_metre metre;
    ems_clock clock;
} set_up;

static void start(set_up *s, uint64_t seed)
{
    ems_rng r = ems_rng_seed(seed, 0);
    double at = 0;
    for (int i = 0; i < 12; i++)
        s->hits[i] = at += 1 + 4 * ems_rng_uniform(&r);
    s->curve = (ems_knot){0, 0, 2 * ems_rng_uniform(&r) - 1};
    s->plan = (ems_plan){.duration = at + 3.3, .curve = &s->curve,
                         .knot_count = 1};
    assert_int_equal(ems_metre_plan(&s->metre, &s->plan, s->hits, 12, NULL),
                     0);
    assert_int_equal(ems_clock_plan(&s->clock, &s->metre, s->plan.duration,
                                    NULL), 0);
}

static void stop(set_up *s)
{
    ems_clock_clear(&s->clock);
    ems_metre_clear(&s->metre);
}

/* Beats of whole twelfths of token steps, all alike where the tempo is. */
static void bars_are_whole_steps(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        set_up s;
        start(&s, seed);
        const ems_clock *c = &s.clock;
        double at = 0;
        for (size_t i = 0; i < c->bars; i++) {
            const double length = c->score[i + 1] - c->score[i];
            const double film = c->film[i + 1] - c->film[i];
            assert_in_range(c->step[i], 2, 20);
            assert_true(fabs(c->score[i] - at) < 1e-9);
            at += EMS_TICK * 12 * c->step[i] * s.metre.beats[i];
            assert_true(length / film < 1.6 && film / length < 1.6);
        }
        assert_true(c->film[c->bars] == s.plan.duration);
        stop(&s);
    }
}

static void hits_are_met_exactly(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        set_up s;
        start(&s, seed);
        for (int i = 0; i < 12; i++) {
            const double score = ems_clock_score(&s.clock, s.hits[i]);
            const double steps = score / EMS_TICK;
            assert_true(fabs(steps - rint(steps)) < 1e-6);
            assert_true(ems_clock_film(&s.clock, score) == s.hits[i]);
        }
        stop(&s);
    }
}

static void there_and_back_again(void **state)
{
    (void)state;
    set_up s;
    start(&s, 1);
    double before = -1;
    for (int i = 0; i <= 1000; i++) {
        const double film = s.plan.duration * i / 1000;
        const double score = ems_clock_score(&s.clock, film);
        assert_true(score > before);
        assert_true(fabs(ems_clock_film(&s.clock, score) - film) < 1e-9);
        before = score;
    }
    assert_true(ems_clock_film(&s.clock, -1) == 0);
    assert_true(ems_clock_film(&s.clock, 1e9) == s.plan.duration);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_are_whole_steps),
        cmocka_unit_test(hits_are_met_exactly),
        cmocka_unit_test(there_and_back_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What makes one piece better than another. */
#include "ems_test.h"

#include "music/judge.h"
#include "music/stats.h"

#include <math.h>

static const ems_knot CURVE[] = {{0, 0.6, 0.6}};
static const ems_cut CUTS[] = {{4, EMS_CUT, 0.9}, {8, EMS_CUT, 0.9}};

static ems_plan *make_plan(void)
{
    const ems_plan_options o = ems_plan_defaults();
    ems_plan *plan = ems_plan_from(16, 24, CUTS, 2, CURVE, 1, &o, NULL);
    assert_non_null(plan);
    return plan;
}

/* A C major figure over bars of two seconds, moved by `late` seconds, a note
 * every `step` seconds. */
static ems_piece *make_piece(double late, double step, double end)
{
    static const uint8_t scale[] = {60, 64, 67, 72, 65, 69, 62, 71};
    ems_piece *p = ems_piece_new(16, NULL);
    for (double t = late; t < end - step; t += step)
        for (int voice = 0; voice < 3; voice++) {
            const int at = (int)(t / step) + 2 * voice;
            const ems_note n = {t, step, EMS_PIANO, scale[at % 8], 80};
            assert_int_equal(ems_piece_add_note(p, n, NULL), EMS_OK);
        }
    ems_piece_sort(p);
    return p;
}

static ems_merit judge(ems_piece *piece, const ems_critic *critic)
{
    ems_merit m;
    ems_plan *plan = make_plan();
    assert_int_equal(ems_judge(&m, piece, plan, critic, NULL), EMS_OK);
    ems_plan_free(plan);
    ems_piece_free(piece);
    assert_true(m.cost == m.emotion + m.hits + m.taste);
    assert_true(m.emotion >= 0 && m.emotion <= 2 && m.taste >= 0 &&
                m.taste <= 1 + 1e-9);
    return m;
}

static void test_judge(void **state)
{
    (void)state;
    ems_critic *critic = ems_critic_open(NULL, NULL);
    assert_non_null(critic);
    const ems_merit lively = judge(make_piece(0, 0.25, 16), critic);
    const ems_merit slow = judge(make_piece(0, 2, 16), critic);
    const ems_merit late = judge(make_piece(0.1, 0.25, 16), critic);
    const ems_merit half = judge(make_piece(0, 0.25, 8.2), critic);
    const ems_merit none = judge(ems_piece_new(16, NULL), critic);
    assert_true(lively.hits == 0 && late.hits == 1 && none.hits == 1);
    assert_true(lively.emotion < slow.emotion); /* arousal 0.6 was asked */
    assert_true(lively.taste < half.taste);     /* silence */
    assert_true(fabs(none.emotion - 1) < 1e-9);
    assert_true(lively.cost < slow.cost && slow.cost < none.cost);
    ems_critic_free(critic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The films and reference cuts of the development data. */
#include "ems_test.h"

#include "emotion/analysis.h"

#include <math.h>

#define VIDEOS EMS_SHARED "/data/videos/"

static ems_analysis *analyse(const char *name, ems_cut_policy policy)
{
    char path[512];
    ems_error err = {0};
    ems_analyze_options o = ems_analyze_defaults();
    o.cuts = policy;
    snprintf(path, sizeof path, "%s%s", VIDEOS, name);
    ems_analysis *a = ems_analyze(path, &o, NULL, &err);
    if (!a)
        fail_msg("%s", err.text);
    return a;
}

static int has_cut(const ems_analysis *a, long frame, ems_cut_kind kind)
{
    size_t n;
    const ems_cut *cuts = ems_analysis_cuts(a, &n);
    for (size_t i = 0; i < n; i++)
        if (cuts[i].kind == kind &&
            fabs(cuts[i].time * ems_analysis_fps(a) - (double)frame) < 1.1)
            return 1;
    return 0;
}

/* PySceneDetect finds cuts at frames 30, 180 and 394 (content) and fades
 * around 84 and 167 of the other clip (threshold). */
static void reference_cuts_are_found(void **state)
{
    (void)state;
    ems_analysis *a = analyse("cuts/testvideo.mp4", EMS_CUTS_AUTO);
    assert_true(has_cut(a, 30, EMS_CUT) && has_cut(a, 180, EMS_CUT));
    assert_true(has_cut(a, 394, EMS_FADE_IN)); /* rises over a second */
    ems_analysis_free(a);
    a = analyse("cuts/fades.mp4", EMS_CUTS_AUTO);
    assert_true(has_cut(a, 79, EMS_FADE_OUT) && has_cut(a, 86, EMS_FADE_IN));
    assert_true(has_cut(a, 161, EMS_FADE_OUT));
    assert_true(has_cut(a, 170, EMS_FADE_IN));
    ems_analysis_free(a);
}

static void trailer_makes_sense(void **state)
{
    (void)state;
    ems_analysis *a = analyse("sintel-trailer.mp4", EMS_CUTS_AUTO);
    static const long CUTS[] = {336, 398, 422, 573, 623, 660, 674};
    for (size_t i = 0; i < sizeof CUTS / sizeof *CUTS; i++)
        assert_true(has_cut(a, CUTS[i], EMS_CUT));
    assert_true(a->shot_count == a->cut_count + 1);
    for (size_t i = 1; i < a->knot_count; i++)
        assert_true(a->curve[i].time > a->curve[i - 1].time &&
                    a->curve[i].time - a->curve[i - 1].time <= 1.0001);
    assert_true(a->curve[0].time == 0);
    assert_true(a->curve[a->knot_count - 1].time == a->duration);
    ems_error err;
    assert_int_equal(ems_analysis_save(a, EMS_SCRATCH "/s1.json", &err), 0);
    ems_analysis *b = ems_analysis_load(EMS_SCRATCH "/s1.json", &err);
    assert_non_null(b);
    assert_int_equal(b->knot_count, a->knot_count);
    assert_memory_equal(a->curve, b->curve, a->knot_count * sizeof *a->curve);
    assert_int_equal(b->cut_count, a->cut_count);
    for (size_t i = 0; i < a->cut_count; i++)
        assert_true(a->cuts[i].time == b->cuts[i].time &&
                    a->cuts[i].kind == b->cuts[i].kind &&
                    a->cuts[i].strength == b->cuts[i].strength);
    ems_analysis_free(a);
    ems_analysis_free(b);
}

static void paper_cuts_are_thinned(void **state)
{
    (void)state;
    size_t n;
    ems_analysis *a = analyse("sintel-trailer.mp4", EMS_CUTS_PAPER);
    const ems_cut *cuts = ems_analysis_cuts(a, &n);
    assert_true(n >= 2);
    for (size_t i = 0; i < n; i++) {
        assert_true(cuts[i].strength >= 0.27);
        if (i)
            assert_true(cuts[i].time - cuts[i - 1].time >= 4 - 1e-6);
    }
    ems_analysis_free(a);
}

static void joy_is_pleasant(void **state)
{
    (void)state;
    ems_analysis *joy = analyse("ekman6/joy.mp4", EMS_CUTS_AUTO);
    ems_analysis *anger = analyse("ekman6/anger.mp4", EMS_CUTS_AUTO);
    assert_true(joy->shots[0].valence > 0);
    const double *p = ems_analysis_emotion(joy);
    assert_true(p[EMS_JOY] > p[EMS_ANGER] && p[EMS_JOY] > p[EMS_SADNESS]);
    assert_true(p[EMS_JOY] > ems_analysis_emotion(anger)[EMS_JOY]);
    ems_analysis_free(joy);
    ems_analysis_free(anger);
}

int main(void)
{
    EMS_NEEDS_SHARED("data/videos/sintel-trailer.mp4");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_cuts_are_found),
        cmocka_unit_test(trailer_makes_sense),
        cmocka_unit_test(paper_cuts_are_thinned),
        cmocka_unit_test(joy_is_pleasant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Cuts out of frames made here: flat or patterned thumbnails, and mean luma
 * differences worked out from them as the decoder would. */
#include "ems_test.h"

#include "base/rng.h"
#include "emotion/cuts.h"

#include <math.h>

enum { PIXELS = EMS_THUMB_W * EMS_THUMB_H };
static const double FPS = 25;

typedef struct stage { /* frames in, cuts out */
    ems_cut_finder *f;
    double last[PIXELS], mafd;
    long frame;
    ems_rng rng;
} stage;

static stage begin(ems_cut_policy policy)
{
    const ems_analyze_options o = {.cuts = policy, .threshold = 0.27};
    stage s = {.f = ems_cut_finder_new(&o, NULL), .rng = ems_rng_seed(1, 2)};
    assert_non_null(s.f);
    return s;
}

/* Scene `n`: stripes whose width, phase and brightness depend on n. */
static double scene(int n, int i)
{
    const int x = i % EMS_THUMB_W, y = i / EMS_THUMB_W;
    const double wave = sin(0.05 * (n * 7 % 11 + 2) * (x + 3 * n) +
                            0.09 * (n % 5) * y);
    return 60 + 30 * (n % 4) + 50 * wave;
}

static void show(stage *s, const double *luma)
{
    uint8_t grid[PIXELS];
    double sum = 0;
    for (int i = 0; i < PIXELS; i++) {
        /* grain: a frame is never quite like the one before */
        const double grain = (ems_rng_uniform(&s->rng) - 0.5) * 6;
        const double y = fmin(fmax(luma[i] + (luma[i] > 8 ? grain : 0), 0),
                              255);
        sum += fabs(y - s->last[i]);
        s->last[i] = y;
        grid[i] = (uint8_t)y;
    }
    const double mafd = s->frame ? sum / PIXELS : 0;
    const double score = fmin(fmin(mafd, fabs(mafd - s->mafd)) / 100, 1);
    const ems_frame frame = {
        .time = (double)s->frame / FPS, .mafd = mafd,
        .scene_score = s->frame ? score : 0,
        .luma = grid,
    };
    s->mafd = mafd;
    s->frame++;
    assert_int_equal(ems_cut_finder_add(s->f, &frame, NULL), EMS_OK);
}

/* `frames` frames from `a` to `b`: mix 0 shows a, 1 shows b. */
static void play(stage *s, int a, int b, double from, double to, int frames)
{
    double luma[PIXELS];
    for (int k = 0; k < frames; k++) {
        const double w = from + (to - from) * k / frames;
        for (int i = 0; i < PIXELS; i++)
            luma[i] = (1 - w) * (a < 0 ? 0 : scene(a, i)) +
                      w * (b < 0 ? 0 : scene(b, i));
        show(s, luma);
    }
}

static const ems_cut *end(stage *s, size_t *count)
{
    const ems_cut *cuts;
    assert_int_equal(ems_cut_finder_end(s->f, (double)s->frame / FPS, &cuts,
                                        count, NULL), EMS_OK);
    return cuts;
}

static void hard_cuts_are_found(void **state)
{
    (void)state;
    stage s = begin(EMS_CUTS_AUTO);
    size_t n;
    for (int k = 0; k < 12; k++)
        play(&s, k, k, 0, 0, 20 + k);
    const ems_cut *cuts = end(&s, &n);
    assert_int_equal(n, 11);
    long at = 0;
    for (size_t k = 0; k < n; k++) {
        at += 20 + (long)k;
        assert_int_equal(cuts[k].kind, EMS_CUT);
        assert_true(fabs(cuts[k].time - (double)at / FPS) < 1e-9);
        assert_true(cuts[k].strength > 0.1 && cuts[k].strength <= 1);
    }
    ems_cut_finder_free(s.f);
}

static void flash_is_no_cut(void **state)
{
    (void)state;
    stage s = begin(EMS_CUTS_AUTO);
    double white[PIXELS];
    size_t n;
    for (int i = 0; i < PIXELS; i++)
        white[i] = 250;
    play(&s, 1, 1, 0, 0, 33);
    show(&s, white);
    play(&s, 1, 1, 0, 0, 28);
    show(&s, white);
    show(&s, white);
    play(&s, 1, 1, 0, 0, 30);
    end(&s, &n);
    assert_int_equal(n, 0);
    ems_cut_finder_free(s.f);
}

/* A flash right on a cut hides no cut. */
static void flash_on_a_cut_is_a_cut(void **state)
{
    (void)state;
    stage s = begin(EMS_CUTS_AUTO);
    double white[PIXELS];
    size_t n;
    for (int i = 0; i < PIXELS; i++)
        white[i] = 250;
    play(&s, 1, 1, 0, 0, 33);
    show(&s, white);
    play(&s, 2, 2, 0, 0, 30);
    const ems_cut *cuts = end(&s, &n);
    assert_int_equal(n, 1);
    assert_true(fabs(cuts[0].time - 33.5 / FPS) < 0.6 / FPS);
    ems_cut_finder_free(s.f);
}

static void fades_are_found(void **state)
{
    (void)state;
    stage s = begin(EMS_CUTS_AUTO);
    size_t n;
    play(&s, 1, 1, 0, 0, 50);
    play(&s, 1, -1, 0, 1, 25);
    play(&s, -1, -1, 0, 0, 25); /* black from 3 s to 4 s */
    play(&s, -1, 2, 0, 1, 25);
    play(&s, 2, 2, 0, 0, 50);
    const ems_cut *cuts = end(&s, &n);
    assert_int_equal(n, 2);
    assert_int_equal(cuts[0].kind, EMS_FADE_OUT);
    assert_int_equal(cuts[1].kind, EMS_FADE_IN);
    assert_true(fabs(cuts[0].time - 3) < 0.25);
    assert_true(fabs(cuts[1].time - 4) < 0.25);
    ems_cut_finder_free(s.f);
}

static void dissolve_is_found(void **state)
{
    (void)state;
    stage s = begin(EMS_CUTS_AUTO);
    size_t n;
    play(&s, 1, 1, 0, 0, 50);
    play(&s, 1, 4, 0, 1, 25);
    play(&s, 4, 4, 0, 0, 50);
    const ems_cut *cuts = end(&s, &n);
    assert_int_equal(n, 1);
    assert_int_equal(cuts[0].kind, EMS_DISSOLVE);
    assert_true(fabs(cuts[0].time - 2.5) < 0.3);
    ems_cut_finder_free(s.f);
}

/* Stripes that move are neither cuts nor dissolves. */
static void motion_is_no_cut(void **state)
{
    (void)state;
    stage s = begin(EMS_CUTS_AUTO);
    double luma[PIXELS];
    size_t n;
    for (int k = 0; k < 200; k++) {
        for (int i = 0; i < PIXELS; i++)
            luma[i] = 120 + 60 * sin(0.5 * (i % EMS_THUMB_W) + 0.35 * k);
        show(&s, luma);
    }
    end(&s, &n);
    assert_int_equal(n, 0);
    ems_cut_finder_free(s.f);
}

/* The cuts of the authors' sample and what is left after thinning. */
static void paper_thins_to_four_seconds(void **state)
{
    (void)state;
    static const double ALL[] = {
        2.127, 4.505, 5.923, 8.175, 9.593, 10.594, 12.638, 14.389, 16.433,
        18.602, 21.980, 29.571, 31.406, 35.369, 38.622, 42.709, 45.003,
        47.214, 49.383, 55.347,
    };
    static const double KEPT[] = {2.127, 8.175, 12.638, 18.602, 29.571,
                                  35.369, 42.709, 47.214, 55.347};
    const ems_analyze_options o = {.cuts = EMS_CUTS_PAPER, .threshold = 0.27};
    ems_cut_finder *f = ems_cut_finder_new(&o, NULL);
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        const ems_frame weak = {.time = ALL[i] - 1, .scene_score = 0.27};
        const ems_frame cut = {.time = ALL[i], .scene_score = 0.2701};
        assert_int_equal(ems_cut_finder_add(f, &weak, NULL), EMS_OK);
        assert_int_equal(ems_cut_finder_add(f, &cut, NULL), EMS_OK);
    }
    const ems_cut *cuts;
    size_t n;
    assert_int_equal(ems_cut_finder_end(f, 59.935, &cuts, &n, NULL), EMS_OK);
    assert_int_equal(n, sizeof KEPT / sizeof *KEPT);
    for (size_t i = 0; i < n; i++)
        assert_true(cuts[i].time == KEPT[i]);
    ems_cut_finder_free(f);
}

static void bad_threshold_is_refused(void **state)
{
    (void)state;
    ems_error err;
    const ems_analyze_options o = {.cuts = EMS_CUTS_AUTO, .threshold = NAN};
    assert_null(ems_cut_finder_new(&o, &err));
    assert_int_equal(err.code, EMS_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_cuts_are_found),
        cmocka_unit_test(flash_is_no_cut),
        cmocka_unit_test(flash_on_a_cut_is_a_cut),
        cmocka_unit_test(fades_are_found),
        cmocka_unit_test(dissolve_is_found),
        cmocka_unit_test(motion_is_no_cut),
        cmocka_unit_test(paper_thins_to_four_seconds),
        cmocka_unit_test(bad_threshold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

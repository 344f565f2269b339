/* Several answers to one: scales, weights, bars; songs and what is held out. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "music/dataset_build.h"

#include <math.h>

enum { PIECES = 400, BARS = 4 };

static ems_build make(size_t pieces)
{
    ems_build b = {.count = pieces, .bar_count = pieces * BARS};
    b.pieces = ems_alloc(pieces, sizeof *b.pieces);
    b.affect = ems_alloc(2 * b.bar_count, sizeof *b.affect);
    for (size_t i = 0; i < pieces; i++) {
        ems_built_piece *p = &b.pieces[i];
        p->first_bar = i * BARS;
        p->bars = BARS;
        p->seconds = 60;
        p->density = (float)i;
        p->hash = i + 1;
        for (int who = 0; who < EMS_SAID; who++)
            p->said[who][0] = p->said[who][1] = NAN;
    }
    for (size_t i = 0; i < 2 * b.bar_count; i++)
        b.affect[i] = NAN;
    return b;
}

static void drop(ems_build *b)
{
    ems_free(b->pieces);
    ems_free(b->affect);
}

static void hear(ems_build *b, size_t i, float v, float a)
{
    ems_built_piece *p = &b->pieces[i];
    p->said[EMS_SAID_CRITIC][0] = v;
    p->said[EMS_SAID_CRITIC][1] = a;
    for (int k = 0; k < BARS; k++) { /* the bars go up by 0.1 */
        b->affect[2 * (i * BARS + (size_t)k)] = v + 0.1f * ((float)k - 1.5f);
        b->affect[2 * (i * BARS + (size_t)k) + 1] = a;
    }
}

/* Labels say the same as the critic, on another scale: nothing changes. */
static void test_one_scale(void **state)
{
    (void)state;
    ems_build b = make(PIECES);
    for (size_t i = 0; i < PIECES; i++) {
        const float v = -0.4f + 0.8f * (float)i / PIECES;
        hear(&b, i, v, v);
        b.pieces[i].said[EMS_SAID_LABELS][0] = 0.5f + v; /* 0.1 .. 0.9 */
        b.pieces[i].said[EMS_SAID_LABELS][1] = v * v * v; /* monotone */
    }
    assert_int_equal(ems_build_mix(&b, 0, NULL), EMS_OK);
    for (size_t i = 0; i < PIECES; i++) {
        const float want = -0.4f + 0.8f * (float)i / PIECES;
        assert_float_equal(b.pieces[i].valence, want, 0.01);
        assert_float_equal(b.pieces[i].arousal, want, 0.03);
        for (int k = 0; k < BARS; k++)
            assert_float_equal(b.affect[2 * (i * BARS + (size_t)k)],
                               want + 0.1f * ((float)k - 1.5f), 0.01);
    }
    assert_true(b.scale.low[0] >= b.scale.high[0]); /* left as it was */
    drop(&b);
}

/* Two sources that know nothing of each other: between them, by weight. */
static void test_weights(void **state)
{
    (void)state;
    ems_build b = make(2);
    hear(&b, 0, -0.5f, 0);
    b.pieces[0].said[EMS_SAID_LABELS][0] = 0.5f;
    b.pieces[1].said[EMS_SAID_LISTENERS][0] = 0.25f;
    b.pieces[1].listened = 1;
    assert_int_equal(ems_build_mix(&b, 0.95, NULL), EMS_OK);
    const float wl = (float)ems_said_weight[EMS_SAID_LABELS][0];
    const float wc = (float)ems_said_weight[EMS_SAID_CRITIC][0];
    assert_float_equal(b.pieces[0].valence, 0.5f * (wl - wc) / (wl + wc),
                       1e-6);
    assert_float_equal(b.pieces[1].valence, 0.25, 1e-6);
    /* nobody knows how it moves: the piece's value in every bar */
    assert_float_equal(b.affect[2 * BARS], 0.25, 1e-6);
    drop(&b);
}

static void test_unknown_stays_unknown(void **state)
{
    (void)state;
    ems_build b = make(3);
    for (int i = 0; i < 3; i++)
        b.pieces[i].density = NAN;
    b.pieces[2].density = 3;
    assert_int_equal(ems_build_mix(&b, 0.95, NULL), EMS_OK);
    assert_true(isnan(b.pieces[0].valence) && isnan(b.affect[0]));
    assert_true(!isnan(b.pieces[2].arousal));
    drop(&b);
}

static void test_spread(void **state)
{
    (void)state;
    ems_build b = make(PIECES);
    ems_rng rng = ems_rng_seed(1, 1);
    for (size_t i = 0; i < PIECES; i++)
        hear(&b, i, (float)(0.1 + 0.1 * ems_rng_normal(&rng)), 0.3f);
    assert_int_equal(ems_build_mix(&b, 0.95, NULL), EMS_OK);
    size_t inside = 0;
    double sum = 0;
    for (size_t i = 0; i < PIECES; i++) {
        const float v = b.pieces[i].valence;
        assert_true(v >= -1 && v <= 1);
        inside += v > -1 && v < 1;
        sum += (double)v;
    }
    assert_in_range(inside, PIECES * 93 / 100, PIECES * 96 / 100);
    assert_float_equal(sum / PIECES, 0, 0.08);
    assert_float_equal(b.scale.low[0], -0.1, 0.04);
    assert_float_equal(b.scale.high[0], 0.3, 0.04);
    drop(&b);
}

/* ---- Songs ----------------------------------------------------------------------- */

static void test_songs(void **state)
{
    (void)state;
    ems_build b = make(PIECES);
    for (size_t i = 0; i < 200; i++) { /* 40 songs, five times each */
        b.pieces[i].titled = 1;
        b.pieces[i].title = 1000 + i % 40;
    }
    for (size_t i = 200; i < 250; i++) { /* a style's name */
        b.pieces[i].titled = 1;
        b.pieces[i].title = 77;
    }
    assert_int_equal(ems_build_songs(&b, 0.3, NULL), EMS_OK);
    assert_int_equal(b.songs, 40 + 200);
    size_t held = 0, styled = 0;
    for (size_t i = 0; i < PIECES; i++) {
        if (i < 200) {
            assert_int_equal(b.pieces[i].song, i % 40);
            assert_int_equal(b.pieces[i].held_out,
                             b.pieces[i % 40].held_out);
        } else {
            assert_int_equal(b.pieces[i].song, i);
        }
        held += b.pieces[i].held_out;
        styled += i >= 200 && i < 250 && b.pieces[i].held_out;
    }
    assert_in_range(held, 80, 160);
    assert_in_range(styled, 5, 25);
    /* the same whatever else is in the collection */
    const uint8_t first = b.pieces[0].held_out;
    b.count = 200;
    assert_int_equal(ems_build_songs(&b, 0.3, NULL), EMS_OK);
    assert_int_equal(b.pieces[0].held_out, first);
    assert_int_equal(ems_build_songs(&b, 0, NULL), EMS_OK);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(b.pieces[i].held_out, 0);
    drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_scale),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_unknown_stays_unknown),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_songs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Mixer, compressor, humanised events. */
#include "ems_test.h"

#include "audio/audio.h"
#include "audio/events.h"
#include "audio/hear.h"
#include "audio/mixer.h"
#include "base/mem.h"

#include <math.h>

enum { FRAMES = 48000 };

static float x[FRAMES * 2];

static void make_tone(double hz, double level)
{
    for (int i = 0; i < FRAMES; i++)
        x[2 * i] = x[2 * i + 1] =
            (float)(level * sin(2 * M_PI * hz * i / 48000));
}

/* RMS of the second half beside a sine's of level 1, dB. */
static double level_db(int side)
{
    double sum = 0;
    for (int i = FRAMES / 2; i < FRAMES; i++)
        sum += (double)x[2 * i + side] * (double)x[2 * i + side];
    return 10 * log10(2 * sum / (FRAMES / 2) + 1e-30);
}

static double through_channel(const char *text, double hz)
{
    ems_strip strip[EMS_FAMILIES];
    ems_channel c;
    ems_error err;
    if (ems_mixer_parse(strip, text, &err) < 0)
        fail_msg("%s", err.text);
    ems_channel_begin(&c, &strip[EMS_PIANO], 1);
    make_tone(hz, 1);
    ems_channel_run(&c, x, FRAMES / 3);
    ems_channel_run(&c, x + FRAMES / 3 * 2, FRAMES - FRAMES / 3);
    assert_true(fabs(level_db(0) - level_db(1)) < 1e-6);
    return level_db(0);
}

static void test_channel(void **state)
{
    (void)state;
    assert_true(fabs(through_channel(NULL, 1000)) < 0.01);
    assert_true(fabs(through_channel("piano level=-6", 1000) + 6) < 0.05);
    assert_true(fabs(through_channel("piano low=-9", 40) + 9) < 1);
    assert_true(fabs(through_channel("piano low=-9", 3000)) < 0.3);
    assert_true(fabs(through_channel("piano low=-9", 200) + 4.5) < 0.3);
    assert_true(fabs(through_channel("drums level=3; piano high=6", 15000) -
                     6) < 0.5);
    assert_true(fabs(through_channel("piano high=6", 300)) < 0.3);
    assert_true(through_channel(NULL, 3) < -30); /* nothing below hearing */
}

static void test_parse(void **state)
{
    (void)state;
    ems_strip s[EMS_FAMILIES];
    ems_error err;
    assert_int_equal(ems_mixer_parse(s, "bass level=-1.5 pan=+0.25, drums "
                                        "room=0;strings high=.5;", &err), 0);
    assert_true(s[EMS_BASS].level == -1.5 && s[EMS_BASS].pan == 0.25);
    assert_true(s[EMS_DRUMS].room == 0 && s[EMS_STRINGS].high == 0.5);
    static const struct {
        const char *text, *part;
    } bad[] = {{"flute level=1", "\"flute\""}, {"bass levle=1", "levle=1"},
               {"bass level=1e9", "from -60 to 24"}, {"bass pan=2", "to 1"},
               {"bass level=", "NUMBER"}, {"bass pan=nan", "NUMBER"},
               {"bass level=-", "NUMBER"}, {"drums pan=0.5.5", "NUMBER"},
               {"level=1", "not bass"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ems_mixer_parse(s, bad[i].text, &err), EMS_EINVAL);
        if (!strstr(err.text, bad[i].part))
            fail_msg("%s: %s", bad[i].text, err.text);
    }
}

/* Below the knee nothing; far above it half of the decibels; the same
 * however the sound is cut. */
static void test_compressor(void **state)
{
    (void)state;
    static float whole[FRAMES * 2];
    static const double in[] = {-40, -27, -10, 0};
    for (int i = 0; i < 4; i++) {
        ems_compressor c;
        ems_compressor_begin(&c);
        make_tone(3000, pow(10, (in[i] + 3.01) / 20)); /* of mean square */
        ems_compressor_run(&c, x, FRAMES);
        const double want = in[i] < -26 ? in[i] : (in[i] - 20) / 2;
        assert_true(fabs(level_db(0) - 3.01 - want) < 0.2);
        assert_true(i < 2 ? c.most == 0 : c.most > 4);
    }
    memcpy(whole, x, sizeof x);
    ems_compressor c;
    ems_compressor_begin(&c);
    make_tone(3000, pow(10, 3.01 / 20));
    for (int at = 0; at < FRAMES; at += 4800)
        ems_compressor_run(&c, x + 2 * at, 4800);
    assert_memory_equal(whole, x, sizeof x);
}

static ems_events played(const ems_piece *p, double ms, uint64_t seed,
                         double release)
{
    ems_events e;
    const ems_touch touch = {ms, seed, release};
    assert_int_equal(ems_events_collect(&e, p, EMS_PIANO, 48000 * 600, &touch,
                                        NULL), 0);
    return e;
}

static int is_on(const ems_events *e, int64_t block)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->items[i].kind == EMS_EVENT_ON && e->items[i].block == block)
            return 1;
    return 0;
}

static void test_humanize(void **state)
{
    (void)state;
    enum { NOTES = 400 };
    ems_piece *p = piece_new(300, NOTES);
    ems_marker marker[NOTES / 8];
    for (int i = 0; i < NOTES; i++)
        piece_add(p, 0.5 * i, 0.3, EMS_PIANO, 30 + i % 60, 80);
    for (int i = 0; i < NOTES / 8; i++)
        marker[i] = (ems_marker){4.0 * i, EMS_MARK_HIT, "hit"};
    p->markers = marker;
    p->marker_count = NOTES / 8;
    ems_events exact = played(p, 0, 1, INFINITY);
    ems_events a = played(p, 4, 1, INFINITY), b = played(p, 4, 1, INFINITY);
    ems_events other = played(p, 4, 2, INFINITY);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.items, b.items, a.count * sizeof *a.items);
    size_t moved = 0, differ = 0;
    double worst = 0;
    for (size_t i = 0; i < exact.count; i++) {
        const double ms = fabs((double)(a.items[i].block -
                                        exact.items[i].block)) * 64 / 48;
        moved += ms > 0;
        differ += a.items[i].block != other.items[i].block;
        worst = fmax(worst, ms);
    }
    assert_true(moved > exact.count / 2 && differ > exact.count / 3);
    assert_true(worst > 4 && worst <= 8 + 64.0 / 48);
    for (int i = 0; i < NOTES / 8; i++) /* hits stay on the frame */
        assert_true(is_on(&a, llround(4.0 * i * 750)));
    /* One note more leaves the others where they are. */
    p->notes[NOTES - 1].pitch = 20;
    ems_events c = played(p, 4, 1, INFINITY);
    assert_memory_equal(a.items, c.items, (a.count - 4) * sizeof *a.items);
    ems_events_clear(&exact);
    ems_events_clear(&a);
    ems_events_clear(&b);
    ems_events_clear(&c);
    ems_events_clear(&other);
    free(p->notes);
    free(p);
}

/* Notes are let go at `release`; the pedal and the swell are passed on. */
static void test_release_and_controls(void **state)
{
    (void)state;
    ems_piece *p = piece_new(10, 4);
    ems_control control[2] = {{1, EMS_PIANO, EMS_CC_SUSTAIN, 127},
                              {2, EMS_BASS, EMS_CC_EXPRESSION, 20}};
    p->controls = control;
    p->control_count = 2;
    piece_add(p, 7, 3, EMS_PIANO, 60, 80);
    ems_events e = played(p, 0, 0, 8.5);
    assert_int_equal(e.count, 3);
    assert_int_equal(e.items[0].kind, EMS_EVENT_CONTROL);
    assert_int_equal(e.items[0].block, 750);
    assert_int_equal(e.items[0].a, 64);
    assert_int_equal(e.items[0].b, 127);
    assert_int_equal(e.items[2].kind, EMS_EVENT_OFF);
    assert_int_equal(e.items[2].block, llround(8.5 * 750));
    ems_events_clear(&e);
    free(p->notes);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_compressor),
        cmocka_unit_test(test_humanize),
        cmocka_unit_test(test_release_and_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

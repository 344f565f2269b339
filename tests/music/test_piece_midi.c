/* Bars, and pieces to MIDI files and back. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "music/bars.h"
#include "music/key.h"
#include "music/piece_midi.h"
#include "music/stats.h"

#include <math.h>

/* Music whose bars are about `bar` seconds long, as irregular as a model's:
 * on the grid of 8 ms, now and then cut short by a hit. */
static ems_piece *random_piece(double duration, double bar, uint64_t seed)
{
    ems_rng rng = ems_rng_seed(seed, 0);
    ems_piece *p = ems_piece_new(duration, NULL);
    for (double t = 0; t < duration;) {
        assert_int_equal(ems_piece_add_bar(p, (ems_bar){t, 4}, NULL), 0);
        const int hit = ems_rng_below(&rng, 8) == 0;
        double length = floor(bar / 0.008 + ems_rng_uniform(&rng)) * 0.008;
        if (hit)
            length *= 0.15 + 0.8 * ems_rng_uniform(&rng);
        t += length;
        const ems_marker m = {t, EMS_MARK_HIT, "x"};
        if (hit && t < duration)
            assert_int_equal(ems_piece_add_marker(p, m, NULL), 0);
        for (int k = 0; k < 8; k++) {
            const ems_note n = {
                t - length * ems_rng_uniform(&rng),
                0.01 + ems_rng_uniform(&rng),
                (uint8_t)ems_rng_below(&rng, 5),
                (uint8_t)(21 + ems_rng_below(&rng, 88)),
                (uint8_t)(1 + ems_rng_below(&rng, 127))};
            if (n.start < duration)
                assert_int_equal(ems_piece_add_note(p, n, NULL), 0);
        }
    }
    ems_piece_sort(p);
    return p;
}

static ems_midi read_back(const uint8_t *data, size_t size)
{
    ems_midi m;
    ems_error err = {0};
    if (ems_midi_parse(&m, data, size, "ours.mid", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(m.warnings, 0);
    return m;
}

/* Seconds of a tick at `time`. */
static double tick_at(const ems_midi *m, double time)
{
    size_t i = 0;
    while (i + 1 < m->tempo_count && m->tempos[i + 1].time <= time)
        i++;
    return m->tempos[i].quarter / 480e6;
}

static void check_round_trip(const ems_piece *p)
{
    uint8_t *a, *b;
    size_t a_size, b_size;
    ems_error err = {0};
    if (ems_piece_to_midi(p, &a, &a_size, &err) < 0)
        fail_msg("%s", err.text);
    ems_midi m = read_back(a, a_size);
    assert_int_equal(m.type, 1);
    assert_float_equal(m.duration, p->duration, 2e-5);
    ems_piece *q = ems_piece_from_midi(&m, "ours.mid", &err);
    assert_non_null(q);
    assert_float_equal(q->duration, p->duration, 1e-6);
    assert_int_equal(q->bar_count, p->bar_count);
    for (size_t i = 0; i < p->bar_count; i++) {
        assert_float_equal(q->bars[i].start, p->bars[i].start, 2e-5);
        assert_int_equal(q->bars[i].beats, p->bars[i].beats);
    }
    for (size_t i = 0; i < q->note_count; i++) {
        /* every note read is one written: the nearest is near enough */
        double best = 1;
        const double tick = tick_at(&m, q->notes[i].start);
        for (size_t k = 0; k < p->note_count; k++) {
            const ems_note *n = &p->notes[k];
            const double d = fabs(n->start - q->notes[i].start);
            if (n->family == q->notes[i].family &&
                n->pitch == q->notes[i].pitch && d < best)
                best = d;
        }
        assert_true(best <= tick);
    }
    assert_int_equal(ems_piece_to_midi(q, &b, &b_size, &err), 0);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    ems_free(a);
    ems_free(b);
    ems_midi_clear(&m);
    ems_piece_free(q);
}

static void test_irregular_bars(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        ems_piece *p = random_piece(61.5 + 0.0123 * (double)seed,
                                    seed % 2 ? 2.0 : 1.5, seed);
        ems_bar_fit fit;
        assert_int_equal(ems_bars_fit(p, &fit, NULL), 0);
        assert_true(p->bar_count > 20);
        assert_true(p->bars[0].start == 0);
        for (size_t i = 0; i < p->bar_count; i++)
            assert_true(p->bars[i].beats >= 1 && p->bars[i].beats <= 8);
        for (size_t i = 0; i < p->marker_count; i++) { /* hits stay */
            double best = 1;
            for (size_t k = 0; k < p->bar_count; k++)
                best = fmin(best, fabs(p->bars[k].start -
                                       p->markers[i].time));
            assert_true(best < 1e-4);
        }
        assert_true(fit.beat > 0.3 && fit.beat < 0.8);
        assert_true(fit.mean_change < 0.35);
        snprintf(p->text, sizeof p->text, "emsync test");
        p->key_sharps = -3;
        p->key_minor = 1;
        check_round_trip(p);
        ems_piece_free(p);
    }
}

static void test_even_bars_keep_their_tempo(void **state)
{
    (void)state;
    ems_piece *p = ems_piece_new(40, NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ems_piece_add_bar(p, (ems_bar){i * 2.0, 1}, NULL),
                         0);
    ems_bar_fit fit;
    assert_int_equal(ems_bars_fit(p, &fit, NULL), 0);
    assert_int_equal(p->bar_count, 20);
    assert_float_equal(fit.largest_change, 0, 1e-9);
    assert_float_equal(fit.beat, 0.5, 1e-9);
    for (size_t i = 0; i < p->bar_count; i++)
        assert_int_equal(p->bars[i].beats, 4);
    ems_piece_free(p);
}

static void test_waltz(void **state)
{
    (void)state;
    ems_piece *p = ems_piece_new(30, NULL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ems_piece_add_bar(p, (ems_bar){i * 1.5, 4}, NULL),
                         0);
        for (int k = 0; k < 3; k++)
            assert_int_equal(ems_piece_add_note(p,
                (ems_note){i * 1.5 + k * 0.5, 0.4, EMS_PIANO, 60, 80}, NULL),
                0);
    }
    ems_bar_fit fit;
    assert_int_equal(ems_bars_fit(p, &fit, NULL), 0);
    assert_int_equal(fit.beats, 3);
    assert_int_equal(p->bars[5].beats, 3);
    ems_piece_free(p);
}

static void test_cut_bar_gets_fewer_beats(void **state)
{
    (void)state;
    ems_piece *p = ems_piece_new(21, NULL);
    for (int i = 0; i < 11; i++)
        assert_int_equal(ems_piece_add_bar(p,
            (ems_bar){i < 6 ? i * 2.0 : i * 2.0 - 1.02, 4}, NULL), 0);
    ems_bar_fit fit;
    assert_int_equal(ems_bars_fit(p, &fit, NULL), 0);
    assert_int_equal(p->bars[5].beats, 2); /* 0.98 s */
    assert_true(fit.largest_change < 0.03);
    ems_piece_free(p);
}

static void test_no_bars_and_lengths(void **state)
{
    (void)state;
    static const double durations[] = {1, 1.0371, 7.5, 10800.0417};
    for (int i = 0; i < 4; i++) {
        ems_piece *p = ems_piece_new(durations[i], NULL);
        const ems_note n = {durations[i] - 0.0002, 5, EMS_PIANO, 60, 80};
        assert_int_equal(ems_piece_add_note(p, n, NULL), 0);
        uint8_t *data;
        size_t size;
        assert_int_equal(ems_piece_to_midi(p, &data, &size, NULL), 0);
        ems_midi m = read_back(data, size);
        assert_float_equal(m.duration, durations[i], 2e-5);
        ems_midi_clear(&m);
        ems_free(data);
        ems_bar_fit fit;
        assert_int_equal(ems_bars_fit(p, &fit, NULL), 0);
        check_round_trip(p);
        ems_piece_free(p);
    }
}

static void test_files(void **state)
{
    (void)state;
    ems_error err = {0};
    ems_piece *p = random_piece(20, 2, 99);
    const ems_marker section = {3, EMS_MARK_SECTION, "calm\nafter"};
    const ems_marker cut = {19.9, EMS_MARK_CUT, "cut 3"}; /* named already */
    assert_int_equal(ems_piece_add_marker(p, section, NULL), 0);
    assert_int_equal(ems_piece_add_marker(p, cut, NULL), 0);
    ems_bar_fit fit;
    assert_int_equal(ems_bars_fit(p, &fit, NULL), 0);
    assert_int_equal(ems_piece_save(p, EMS_SCRATCH "/piece.mid", &err), 0);
    ems_piece *q = ems_piece_load(EMS_SCRATCH "/piece.mid", &err);
    assert_non_null(q);
    assert_int_equal(q->marker_count, p->marker_count);
    for (size_t i = 0; i < p->marker_count; i++) {
        assert_int_equal(q->markers[i].kind, p->markers[i].kind);
        assert_float_equal(q->markers[i].time, p->markers[i].time, 0.004);
        if (q->markers[i].kind == EMS_MARK_SECTION)
            assert_string_equal(q->markers[i].text, "calm?after");
        if (q->markers[i].kind == EMS_MARK_CUT)
            assert_string_equal(q->markers[i].text, "3");
    }
    size_t count;
    assert_ptr_equal(ems_piece_notes(q, &count), q->notes);
    assert_int_equal(count, q->note_count);
    ems_piece_free(q);
    assert_null(ems_piece_load(EMS_SCRATCH "/no-such.mid", &err));
    assert_int_equal(err.code, EMS_EIO);
    assert_int_equal(ems_piece_save(p, EMS_SCRATCH "/no/such.mid", &err),
                     EMS_EIO);
    p->notes[0].start = 21;
    assert_int_equal(ems_piece_save(p, EMS_SCRATCH "/x.mid", &err),
                     EMS_EINVAL);
    ems_piece_free(p);
}

static void test_save_out_of_memory(void **state)
{
    (void)state;
    ems_piece *p = random_piece(10, 2, 3);
    for (long n = 1; n < 100; n++) {
        uint8_t *data;
        size_t size;
        ems_alloc_fail_at(n);
        const int code = ems_piece_to_midi(p, &data, &size, NULL);
        ems_alloc_fail_at(0);
        if (code == EMS_OK) {
            assert_true(n > 3);
            ems_free(data);
            ems_piece_free(p);
            return;
        }
        assert_int_equal(code, EMS_ENOMEM);
    }
    fail_msg("never enough memory");
}

/* Expression and pedal go out and come back; a family obeys the channel with
 * most of its notes. */
static void test_controls(void **state)
{
    (void)state;
    ems_piece *p = random_piece(10, 2, 5);
    for (int i = 0; i < 20; i++) {
        const ems_control c = {0.4 * i, EMS_PIANO,
                               i & 1 ? EMS_CC_SUSTAIN : EMS_CC_EXPRESSION,
                               (uint8_t)(i * 6)};
        assert_int_equal(ems_piece_add_control(p, c, NULL), 0);
    }
    ems_piece_sort(p);
    uint8_t *data;
    size_t size;
    assert_int_equal(ems_piece_to_midi(p, &data, &size, NULL), 0);
    ems_midi m = read_back(data, size);
    ems_piece *q = ems_piece_from_midi(&m, "ours.mid", NULL);
    assert_int_equal(q->control_count, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_true(fabs(q->controls[i].time - 0.4 * (double)i) < 2e-3);
        assert_int_equal(q->controls[i].family, EMS_PIANO);
        assert_int_equal(q->controls[i].number, p->controls[i].number);
        assert_int_equal(q->controls[i].value, p->controls[i].value);
    }
    ems_midi_clear(&m);
    ems_free(data);
    ems_piece_free(q);
    p->controls[3].time = NAN;
    assert_int_equal(ems_piece_to_midi(p, &data, &size, NULL), EMS_EINVAL);
    ems_piece_free(p);
}

static void test_keys(void **state)
{
    (void)state;
    double weight[12] = {0};
    static const int a_minor[] = {9, 9, 9, 11, 0, 0, 2, 4, 4, 5, 8};
    for (size_t i = 0; i < sizeof a_minor / sizeof *a_minor; i++)
        weight[a_minor[i]]++;
    ems_key key = ems_key_find(weight);
    assert_int_equal(key.tonic, 9);
    assert_int_equal(key.minor, 1);
    assert_int_equal(key.sharps, 0);
    ems_piece *p = ems_piece_new(10, NULL);
    static const int e_flat[] = {63, 63, 65, 67, 67, 68, 70, 70, 72, 74};
    for (int i = 0; i < 10; i++)
        assert_int_equal(ems_piece_add_note(p,
            (ems_note){i, 0.5, EMS_PIANO, (uint8_t)e_flat[i], 80}, NULL), 0);
    assert_int_equal(ems_piece_find_key(p).tonic, 3);
    assert_int_equal(p->key_sharps, -3);
    assert_int_equal(p->key_minor, 0);
    ems_piece_free(p);
}

static void test_statistics(void **state)
{
    (void)state;
    ems_piece *p = ems_piece_new(16, NULL); /* 8 bars, the last 4 repeat */
    for (int bar = 0; bar < 8; bar++) {
        assert_int_equal(ems_piece_add_bar(p, (ems_bar){bar * 2.0, 4}, NULL),
                         0);
        for (int beat = 0; beat < 4; beat++) {
            const ems_note n = {bar * 2 + beat * 0.5, 0.25, EMS_PIANO,
                                (uint8_t)(60 + bar % 4 * 2), 80};
            const ems_note c = {n.start, 0.25, EMS_BASS, 36, 80};
            assert_int_equal(ems_piece_add_note(p, n, NULL), 0);
            assert_int_equal(ems_piece_add_note(p, c, NULL), 0);
        }
    }
    ems_piece_sort(p);
    ems_piece_stats s;
    assert_int_equal(ems_piece_measure(&s, p, NULL), 0);
    assert_float_equal(s.notes_per_second, 4, 1e-9);
    assert_float_equal(s.families, 2, 0);
    assert_float_equal(s.family_share[EMS_BASS], 0.5, 1e-9);
    assert_int_equal(s.lowest, 36);
    assert_int_equal(s.highest, 66);
    assert_float_equal(s.polyphony, 2, 1e-9);
    assert_float_equal(s.silence, 0.5, 1e-9);
    assert_float_equal(s.ground, 0.5, 1e-9); /* the bass */
    assert_float_equal(s.longest_silence, 0.25, 1e-9);
    assert_float_equal(s.groove, 1, 1e-9);
    assert_float_equal(s.repeated_span, 0.5, 1e-9);
    assert_float_equal(s.on_grid, 1, 1e-9);
    assert_float_equal(s.bar_spread, 0, 1e-9);
    assert_float_equal(s.scale_consistency, 1, 1e-9); /* C D E F# C: G */
    assert_true(s.pitch_class_entropy > 1 && s.pitch_class_entropy < 2);
    assert_float_equal(s.empty_bars, 0, 1e-9);
    /* 32 notes of each: 25 figures; the bass has one kind, the piano's four
       bars of 4, 4, 4, 4 equal pitches a step apart have nine */
    assert_true(s.figures > 0.6 && s.figures < 1);
    ems_piece_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_irregular_bars),
        cmocka_unit_test(test_even_bars_keep_their_tempo),
        cmocka_unit_test(test_waltz),
        cmocka_unit_test(test_cut_bar_gets_fewer_beats),
        cmocka_unit_test(test_no_bars_and_lengths),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_save_out_of_memory),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

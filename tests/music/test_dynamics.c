/* How loud notes are played, and what a score file says beside its notes. */
#include "ems_test.h"

#include "base/mem.h"
#include "music/accent.h"
#include "music/dynamics.h"
#include "music/markers.h"
#include "music/piece_midi.h"

#include <math.h>

enum { BARS = 12, NOTES = BARS * 8 };

/* Repeated eighths of one family in bars of two seconds. */
static ems_piece *eighths(int family)
{
    ems_piece *p = ems_piece_new(2 * BARS, NULL);
    for (int i = 0; i < BARS; i++)
        assert_int_equal(ems_piece_add_bar(p, (ems_bar){2 * i, 4}, NULL), 0);
    for (int i = 0; i < NOTES; i++)
        assert_int_equal(ems_piece_add_note(p,
            (ems_note){i * 0.25, 0.2, (uint8_t)family, 60, 80}, NULL), 0);
    return p;
}

static ems_plan film(ems_knot *curve, size_t knots)
{
    return (ems_plan){.duration = 2 * BARS, .fps = 24, .seed = 5,
                      .curve = curve, .knot_count = knots};
}

static double mean_velocity(const ems_piece *p, size_t from, size_t to,
                            size_t step)
{
    double sum = 0, n = 0;
    for (size_t i = from; i < to; i += step, n++)
        sum += p->notes[i].velocity;
    return sum / n;
}

static void downbeats_are_strong_and_arousal_is_loud(void **state)
{
    (void)state;
    ems_knot rise[2] = {{0, 0, -0.8}, {2 * BARS, 0, 0.8}};
    ems_plan f = film(rise, 2);
    ems_piece *p = eighths(EMS_PIANO);
    assert_int_equal(ems_dynamics_shape(p, &f, NULL, 0, NULL), 0);
    assert_true(mean_velocity(p, 0, NOTES, 8) >
                mean_velocity(p, 4, NOTES, 8) + 2);
    assert_true(mean_velocity(p, 4, NOTES, 8) >
                mean_velocity(p, 1, NOTES, 2) + 3);
    assert_true(mean_velocity(p, NOTES - 24, NOTES, 1) >
                mean_velocity(p, 0, 24, 1) + 15);
    assert_true(p->control_count > 10);
    assert_true(p->controls[p->control_count - 1].value >
                p->controls[0].value + 20);
    ems_piece_free(p);
}

static void hits_stand_out_after_a_crescendo(void **state)
{
    (void)state;
    ems_knot middle = {0, 0, 0};
    ems_plan f = film(&middle, 1);
    const double hit = 12;
    ems_piece *p = eighths(EMS_STRINGS);
    assert_int_equal(ems_dynamics_shape(p, &f, &hit, 1, NULL), 0);
    for (size_t i = 0; i < NOTES; i++)
        if (i != 48)
            assert_true(p->notes[48].velocity > p->notes[i].velocity + 8);
    assert_true(mean_velocity(p, 45, 48, 1) > mean_velocity(p, 29, 32, 1) + 6);
    assert_true(p->notes[49].velocity < p->notes[41].velocity);
    ems_piece_free(p);
}

/* Notes elsewhere do not change how one is played. */
static void velocities_are_local(void **state)
{
    (void)state;
    ems_knot middle = {0, 0, 0.3};
    ems_plan f = film(&middle, 1);
    ems_piece *p = eighths(EMS_GUITAR), *q = eighths(EMS_GUITAR);
    for (int i = 0; i < 20; i++)
        q->notes[i].pitch = 70;
    q->notes[1].start = 0.3;
    assert_int_equal(ems_dynamics_shape(p, &f, NULL, 0, NULL), 0);
    assert_int_equal(ems_dynamics_shape(q, &f, NULL, 0, NULL), 0);
    for (size_t i = 20; i < NOTES; i++)
        assert_int_equal(p->notes[i].velocity, q->notes[i].velocity);
    ems_piece_free(p);
    ems_piece_free(q);
}

static int notes_at(const ems_piece *p, double time, int family, int pitch)
{
    int count = 0;
    for (size_t i = 0; i < p->note_count; i++)
        count += fabs(p->notes[i].start - time) < 0.002 &&
                 p->notes[i].family == family &&
                 (pitch == 0 || p->notes[i].pitch == pitch);
    return count;
}

/* Bass under every hit, a drum with it, a crash every four seconds; where the
 * plan says so, neither; nothing where nothing is struck. */
static void hits_get_bass_and_drums(void **state)
{
    (void)state;
    ems_knot wild = {0, 0, 0.5};
    ems_plan f = film(&wild, 1);
    const double hits[] = {4, 5, 6, 9.1, 10, 20};
    ems_section sections[2] = {{.from = 0},
                               {.from = 15, .families = 1u << EMS_PIANO}};
    f.sections = sections, f.section_count = 2;
    ems_piece *p = eighths(EMS_PIANO);
    assert_int_equal(ems_accent_hits(p, &f, hits, 6, NULL), 0);
    for (int i = 0; i < 6; i++) {
        const int struck = hits[i] != 9.1, plays = struck && hits[i] < 15;
        const int crash = hits[i] == 4 || hits[i] == 10;
        assert_int_equal(notes_at(p, hits[i], EMS_BASS, 36), plays);
        assert_int_equal(notes_at(p, hits[i], EMS_DRUMS, 36), plays);
        assert_int_equal(notes_at(p, hits[i], EMS_DRUMS, 49), crash);
    }
    assert_int_equal(p->note_count, NOTES + 4 + 4 + 2);
    for (size_t i = 1; i < p->note_count; i++)
        assert_true(p->notes[i].start >= p->notes[i - 1].start);
    assert_int_equal(ems_accent_hits(p, &f, hits, 6, NULL), 0);
    assert_int_equal(p->note_count, NOTES + 4 + 4 + 2); /* it is all there */
    ems_piece_free(p);
}

/* No drums while somebody speaks, nor where it is calm and there are none. */
static void speech_and_calm_have_no_drums(void **state)
{
    (void)state;
    ems_knot curve[] = {{0, 0, -0.1}, {11.9, 0, -0.1}, {12, 0, 0.5}};
    ems_stretch speech = {13, 15};
    ems_plan f = film(curve, 3);
    const double hits[] = {4, 14, 18};
    f.speech = &speech, f.speech_count = 1;
    ems_piece *p = eighths(EMS_GUITAR);
    assert_int_equal(ems_accent_hits(p, &f, hits, 3, NULL), 0);
    assert_int_equal(notes_at(p, 4, EMS_DRUMS, 0), 0);
    assert_int_equal(notes_at(p, 14, EMS_DRUMS, 0), 0);
    assert_int_equal(notes_at(p, 18, EMS_DRUMS, 0), 2);
    assert_int_equal(notes_at(p, 4, EMS_BASS, 0), 1);
    ems_piece_free(p);
}

static void the_paper_has_two_levels(void **state)
{
    (void)state;
    ems_piece *p = eighths(EMS_GUITAR);
    p->notes[0].velocity = 120;
    p->notes[1].velocity = 90; /* a downbeat, as the decoder plays it */
    ems_dynamics_paper(p);
    assert_int_equal(p->notes[0].velocity, 120);
    for (size_t i = 1; i < NOTES; i++)
        assert_int_equal(p->notes[i].velocity, 80);
    ems_piece_free(p);
}

static const ems_marker *marker(const ems_piece *p, ems_marker_kind kind,
                                double time)
{
    for (size_t i = 0; i < p->marker_count; i++)
        if (p->markers[i].kind == kind &&
            fabs(p->markers[i].time - time) < 0.002)
            return &p->markers[i];
    fail_msg("no marker %d at %g", (int)kind, time);
    return NULL;
}

/* Everything a score says survives its file, and the file itself. */
static void the_file_holds_it_all(void **state)
{
    (void)state;
    ems_knot joy = {0, 0.8, 0.5};
    ems_cut cuts[2] = {{4, EMS_CUT, 1}, {7.3, EMS_DISSOLVE, 0.5}};
    double hits[2] = {4, 20};
    ems_plan f = film(&joy, 1);
    f.cuts = cuts, f.cut_count = 2;
    f.hits = hits, f.hit_count = 1;
    ems_piece *p = eighths(EMS_PIANO);
    p->volume[EMS_PIANO] = 90;
    assert_int_equal(ems_markers_add(p, &f, hits, 2, NULL), 0);
    assert_int_equal(ems_piece_add_key(p, (ems_signature){4, -3, 1}, NULL),
                     0);
    ems_piece_sort(p);
    assert_int_equal(ems_dynamics_shape(p, &f, hits, 2, NULL), 0);
    uint8_t *a, *b;
    size_t a_size, b_size;
    ems_midi m;
    assert_int_equal(ems_piece_to_midi(p, &a, &a_size, NULL), 0);
    assert_int_equal(ems_midi_parse(&m, a, a_size, "ours", NULL), 0);
    assert_int_equal(m.warnings, 0);
    assert_int_equal(m.smpte, 24);
    assert_int_equal(m.key_count, 2);
    ems_piece *q = ems_piece_from_midi(&m, "ours", NULL);
    assert_non_null(q);
    assert_string_equal(marker(q, EMS_MARK_HIT, 4)->text, "1, shot 2, joy");
    assert_string_equal(marker(q, EMS_MARK_CUT, 7.3)->text,
                        "dissolve, shot 3, joy");
    assert_string_equal(marker(q, EMS_MARK_CUE, 7.3)->text, "shot 3");
    assert_string_equal(marker(q, EMS_MARK_SECTION, 20)->text,
                        "ending, shot 3, joy");
    assert_int_equal(q->control_count, p->control_count);
    assert_int_equal(q->volume[EMS_PIANO], 90);
    assert_int_equal(q->keys[0].sharps, -3);
    assert_int_equal(ems_piece_to_midi(q, &b, &b_size, NULL), 0);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    /* for readers.sh */
    assert_int_equal(ems_piece_save(p, EMS_SCRATCH "/readers.mid", NULL), 0);
    ems_midi_clear(&m);
    ems_free(a);
    ems_free(b);
    ems_piece_free(q);
    ems_piece_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(downbeats_are_strong_and_arousal_is_loud),
        cmocka_unit_test(hits_stand_out_after_a_crescendo),
        cmocka_unit_test(velocities_are_local),
        cmocka_unit_test(hits_get_bass_and_drums),
        cmocka_unit_test(speech_and_calm_have_no_drums),
        cmocka_unit_test(the_paper_has_two_levels),
        cmocka_unit_test(the_file_holds_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

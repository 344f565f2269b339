/* Files on the clock that the token grid divides. */
#include "ems_test.h"

#include "base/mem.h"
#include "music/midi.h"
#include "music/vocab.h"

#include <math.h>

enum { DIVISION = 480, NOTES = 64 };

/* Sixteenths with a player's small timing. */
static ems_midi sixteenths(uint32_t quarter, int jitter)
{
    ems_midi m = {.division = DIVISION, .note_count = NOTES,
                  .tempo_count = 2};
    m.notes = ems_alloc(NOTES, sizeof *m.notes);
    m.tempos = ems_alloc(2, sizeof *m.tempos);
    assert_true(m.notes && m.tempos);
    m.tempos[0] = (ems_midi_tempo){0, 0, quarter};
    m.tempos[1] = (ems_midi_tempo){8 * DIVISION, 8e-6 * quarter,
                                   quarter * 3 / 2};
    for (int i = 0; i < NOTES; i++) {
        const int late = i ? i * 7 % (2 * jitter + 1) - jitter : 0;
        const uint64_t on = (uint64_t)(i * DIVISION / 4 + late);
        m.notes[i] = (ems_midi_note){.on = on, .off = on + 1, .pitch = 60};
    }
    m.end_tick = 16 * DIVISION;
    return m;
}

static void clear(ems_midi *m)
{
    ems_free(m->notes);
    ems_free(m->tempos);
}

static double steps_of(double seconds)
{
    return seconds / EMS_TICK;
}

static void sixteenths_are_all_alike(void **state)
{
    (void)state;
    static const uint32_t bpm[] = {48, 61, 77, 90, 101, 123, 140, 177, 208};
    for (size_t k = 0; k < sizeof bpm / sizeof *bpm; k++) {
        ems_midi m = sixteenths(60000000 / bpm[k], 15);
        ems_midi_to_grid(&m);
        const double step = steps_of(m.notes[1].start - m.notes[0].start);
        assert_true(fabs(step * 4 / 12 - rint(step * 4 / 12)) < 1e-6);
        assert_true(fabs(log(step * 4 * EMS_TICK * bpm[k] / 60)) < 0.18);
        for (int i = 0; i < 32; i++)
            assert_true(fabs(steps_of(m.notes[i].start) - i * step) < 1e-6);
        /* the second tempo: two thirds as fast, again alike */
        const double slow = steps_of(m.notes[63].start - m.notes[62].start);
        assert_true(slow > step);
        for (int i = 33; i < NOTES; i++)
            assert_true(fabs(steps_of(m.notes[i].start - m.notes[i - 1].start) -
                             slow) < 1e-6);
        clear(&m);
    }
}

static void no_note_is_lost_or_empty(void **state)
{
    (void)state;
    ems_midi m = sixteenths(500000, 0);
    m.division = 1; /* coarser than the grid */
    for (int i = 0; i < NOTES; i++)
        m.notes[i].on = (uint64_t)i, m.notes[i].off = (uint64_t)i + 1;
    ems_midi_to_grid(&m);
    for (int i = 0; i < NOTES; i++) {
        assert_true(m.notes[i].off > m.notes[i].on);
        assert_true(m.notes[i].end > m.notes[i].start);
        assert_true(i == 0 || m.notes[i].on >= m.notes[i - 1].on);
    }
    clear(&m);
}

static void files_that_count_frames_stay(void **state)
{
    (void)state;
    ems_midi m = sixteenths(490000, 15);
    const ems_midi_note before = m.notes[9];
    m.timecode = 1;
    ems_midi_to_grid(&m);
    assert_memory_equal(&m.notes[9], &before, sizeof before);
    assert_int_equal(m.tempos[0].quarter, 490000);
    clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteenths_are_all_alike),
        cmocka_unit_test(no_note_is_lost_or_empty),
        cmocka_unit_test(files_that_count_frames_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

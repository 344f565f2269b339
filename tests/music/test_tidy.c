#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "music/tokens.h"

static ems_song make(const ems_song_note *notes, size_t count,
                     const uint32_t *bars, size_t bar_count)
{
    ems_song s = {.note_count = count, .bar_count = bar_count, .beat = 0.5};
    s.notes = ems_alloc(count, sizeof *notes);
    s.bars = ems_alloc(bar_count, sizeof *bars);
    memcpy(s.notes, notes, count * sizeof *notes);
    memcpy(s.bars, bars, bar_count * sizeof *bars);
    return s;
}

static ems_song_note note(uint32_t start, uint32_t end, int family, int pitch)
{
    return (ems_song_note){.start = start, .end = end,
                           .family = (uint8_t)family,
                           .pitch = (uint8_t)pitch, .velocity = 80};
}

static void onsets_become_one_moment_on_the_bar(void **state)
{
    (void)state;
    const uint32_t bars[] = {0, 250};
    const ems_song_note notes[] = {
        note(0, 60, EMS_PIANO, 60),    note(2, 61, EMS_PIANO, 64),
        note(3, 62, EMS_GUITAR, 52),   note(4, 9, EMS_DRUMS, 42),
        note(249, 300, EMS_PIANO, 60), note(251, 300, EMS_BASS, 36),
    };
    ems_song s = make(notes, 6, bars, 2);
    assert_int_equal(ems_song_tidy(&s, NULL), 0);
    assert_int_equal(s.note_count, 6);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s.notes[i].start, 0);
    assert_int_equal(s.notes[3].start, 4); /* 32 ms later is later */
    assert_int_equal(s.notes[4].start, 250);
    assert_int_equal(s.notes[5].start, 250);
    ems_song_clear(&s);
}

static void notes_end_where_others_begin(void **state)
{
    (void)state;
    const uint32_t bars[] = {0};
    const ems_song_note notes[] = {
        note(0, 58, EMS_PIANO, 60),   note(0, 1, EMS_DRUMS, 36),
        note(0, 200, EMS_STRINGS, 67), note(31, 33, EMS_DRUMS, 42),
        note(62, 120, EMS_PIANO, 60),
    };
    ems_song s = make(notes, 5, bars, 1);
    assert_int_equal(ems_song_tidy(&s, NULL), 0);
    assert_int_equal(s.notes[0].end, 62);  /* 4 ticks early: legato */
    assert_int_equal(s.notes[1].end, 31);  /* a drum: until the next moment */
    assert_int_equal(s.notes[2].end, 201); /* nothing near: the coarser grid */
    assert_int_equal(s.notes[3].end, 62);
    assert_int_equal(s.end, 201);
    ems_song_clear(&s);
}

/* Any song: nothing overlaps, lengths are positive,
 * order is kept. */
static void any_song_stays_sound(void **state)
{
    (void)state;
    enum { N = 400 };
    for (uint64_t seed = 0; seed < 50; seed++) {
        ems_rng r = ems_rng_seed(seed, 0);
        ems_song_note notes[N];
        uint32_t bars[20], at = 0;
        for (size_t i = 0; i < N; i++) {
            at += (uint32_t)ems_rng_below(&r, 9);
            notes[i] = note(at, at + 1 + (uint32_t)ems_rng_below(&r, 90),
                            (int)ems_rng_below(&r, 5),
                            40 + (int)ems_rng_below(&r, 30));
        }
        for (uint32_t i = 0; i < 20; i++)
            bars[i] = 101 * i;
        ems_song s = make(notes, N, bars, 20);
        ems_song_part(&s);
        const size_t before = s.note_count;
        assert_int_equal(ems_song_tidy(&s, NULL), 0);
        assert_true(s.note_count <= before);
        uint32_t free_at[EMS_FAMILIES][128] = {{0}};
        for (size_t i = 0; i < s.note_count; i++) {
            const ems_song_note *n = &s.notes[i];
            assert_true(n->end > n->start);
            assert_true(i == 0 || n->start >= s.notes[i - 1].start);
            assert_true(n->start >= free_at[n->family][n->pitch]);
            free_at[n->family][n->pitch] = n->end;
        }
        ems_song_clear(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(onsets_become_one_moment_on_the_bar),
        cmocka_unit_test(notes_end_where_others_begin),
        cmocka_unit_test(any_song_stays_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

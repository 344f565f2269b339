/* Notes to tokens and back. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "music/tokens.h"

/* A file in memory, 480 ticks a quarter of 0.5 s, in 4/4. */
static ems_midi empty_file(ems_midi_tempo *tempo)
{
    *tempo = (ems_midi_tempo){0, 0, 500000};
    return (ems_midi){.division = 480, .tempos = tempo, .tempo_count = 1};
}

static ems_midi_note make(const ems_midi *m, uint64_t on, uint64_t off,
                          int channel, int program, int pitch)
{
    return (ems_midi_note){
        .on = on, .off = off, .start = ems_midi_time(m, on),
        .end = ems_midi_time(m, off), .channel = (uint8_t)channel,
        .program = (uint8_t)program, .pitch = (uint8_t)pitch,
        .velocity = 80};
}

static ems_tokens tokens_of(ems_midi *m, ems_midi_note *notes, size_t count,
                            ems_song *song)
{
    ems_error err = {0};
    m->notes = notes;
    m->note_count = count;
    m->end_tick = 0;
    for (size_t i = 0; i < count; i++)
        if (notes[i].off > m->end_tick)
            m->end_tick = notes[i].off;
    ems_tokens t = {0};
    if (ems_song_from_midi(song, m, "test", &err) < 0 ||
        ems_tokens_from_song(&t, song, &err) < 0)
        fail_msg("%s", err.text);
    return t;
}

static void expect(const ems_tokens *t, const int *want, size_t count)
{
    assert_int_equal(t->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(t->tokens[i], want[i]);
}

static void test_ids(void **state)
{
    (void)state; /* check values: ids of known tokens */
    assert_int_equal(EMS_SHIFT_BASE + 125, 128);
    assert_int_equal(ems_note_token(EMS_PIANO, 60, 1), 784);
    assert_int_equal(ems_note_token(EMS_DRUMS, 36, 0), 320);
}

static void test_order_and_chord(void **state)
{
    (void)state;
    ems_midi_tempo tempo;
    ems_midi m = empty_file(&tempo);
    ems_midi_note notes[] = {
        make(&m, 0, 960, 0, 0, 60), make(&m, 0, 960, 0, 0, 64),
        make(&m, 0, 960, 0, 0, 67), make(&m, 0, 48, 9, 0, 36),
        make(&m, 960, 1440, 1, 33, 40), make(&m, 960, 1440, 0, 0, 60),
    };
    ems_song song;
    ems_tokens t = tokens_of(&m, notes, 6, &song);
    const int shift_50ms = EMS_SHIFT_BASE + 6; /* 50 ms: 6.25 ticks */
    const int want[] = {
        EMS_BAR, EMS_CHORD, ems_note_token(EMS_DRUMS, 36, 1),
        ems_note_token(EMS_PIANO, 60, 1), ems_note_token(EMS_PIANO, 64, 1),
        ems_note_token(EMS_PIANO, 67, 1), shift_50ms,
        ems_note_token(EMS_DRUMS, 36, 0), EMS_SHIFT_BASE + 119,
        ems_note_token(EMS_BASS, 40, 1), ems_note_token(EMS_PIANO, 60, 1),
        ems_note_token(EMS_PIANO, 60, 0), ems_note_token(EMS_PIANO, 64, 0),
        ems_note_token(EMS_PIANO, 67, 0), EMS_SHIFT_BASE + 63,
        ems_note_token(EMS_BASS, 40, 0), ems_note_token(EMS_PIANO, 60, 0),
    };
    expect(&t, want, sizeof want / sizeof *want);
    assert_int_equal(t.chords, 1);
    assert_int_equal(t.bar_count, 1);
    ems_tokens_clear(&t);
    ems_song_clear(&song);
}

static void test_no_chord(void **state)
{
    (void)state;
    ems_midi_tempo tempo;
    ems_midi m = empty_file(&tempo);
    ems_midi_note strings[] = {make(&m, 0, 960, 0, 48, 60),
                               make(&m, 0, 960, 0, 48, 64),
                               make(&m, 0, 960, 0, 48, 67)};
    ems_midi_note brief[] = {make(&m, 0, 960, 0, 0, 60),
                             make(&m, 0, 960, 0, 0, 64),
                             make(&m, 0, 800, 0, 0, 67)};
    ems_song song;
    ems_tokens t = tokens_of(&m, strings, 3, &song);
    assert_int_equal(t.chords, 0); /* the wrong family */
    ems_tokens_clear(&t);
    ems_song_clear(&song);
    t = tokens_of(&m, brief, 3, &song);
    assert_int_equal(t.chords, 0); /* one is too short */
    ems_tokens_clear(&t);
    ems_song_clear(&song);
}

/* Long chords at 0, half a second, a second, and a second and a half. */
static void test_chords_a_second_apart(void **state)
{
    (void)state;
    ems_midi_tempo tempo;
    ems_midi m = empty_file(&tempo);
    ems_midi_note notes[12];
    for (int i = 0; i < 12; i++) {
        const uint64_t on = 480 * (uint64_t)(i / 3);
        notes[i] = make(&m, on, on + 960, 0, 0, 48 + i % 3 * 4 + i / 3 * 12);
    }
    ems_song song;
    ems_tokens t = tokens_of(&m, notes, 12, &song);
    assert_int_equal(t.chords, 2);
    int tick = 0, at[2], n = 0;
    for (size_t i = 0; i < t.count; i++) {
        if (t.tokens[i] == EMS_CHORD)
            at[n++] = tick;
        if (ems_is_shift(t.tokens[i]))
            tick += ems_shift_ticks(t.tokens[i]);
    }
    assert_true(at[0] == 0 && at[1] == 125);
    ems_tokens_clear(&t);
    ems_song_clear(&song);
}

static void test_rests_shrink(void **state)
{
    (void)state;
    ems_midi_tempo tempo;
    ems_midi m = empty_file(&tempo);
    /* bars of 1920 ticks = 2 s: silence to bar 3, notes in 3, 4 and 12 */
    ems_midi_note notes[] = {make(&m, 3 * 1920 + 480, 4 * 1920 + 10, 0, 0, 60),
                             make(&m, 12 * 1920, 12 * 1920 + 480, 0, 0, 62)};
    ems_song song;
    ems_tokens t = tokens_of(&m, notes, 2, &song);
    assert_int_equal(t.bar_count, 5); /* 3, 4, two empty ones, 12 */
    assert_int_equal(song.notes[0].start, 63);  /* 0.5 s */
    assert_int_equal(song.notes[1].start, 1000); /* 8 s */
    assert_int_equal(song.bars[4], 1000);
    ems_tokens_clear(&t);
    ems_song_clear(&song);
}

static int note_order(const void *a, const void *b)
{
    const ems_midi_note *x = a, *y = b;
    return (x->on > y->on) - (x->on < y->on);
}

/* Random music, some of it overlapping, to tokens and back: every note of the
 * song returns, and those lie within 4 ms of the file's. */
static void test_round_trip(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static const int programs[5] = {33, 0, 25, 0, 48};
    ems_rng rng = ems_rng_seed(7, 0);
    ems_midi_tempo tempo;
    ems_midi m = empty_file(&tempo);
    tempo.quarter = 487123;
    ems_midi_note *notes = ems_alloc(COUNT, sizeof *notes);
    for (int i = 0; i < COUNT; i++) {
        const uint64_t on = ems_rng_below(&rng, 100000);
        const int f = (int)ems_rng_below(&rng, 5);
        notes[i] = make(&m, on, on + 1 + ems_rng_below(&rng, 1500),
                        f == EMS_DRUMS ? 9 : f, programs[f],
                        21 + (int)ems_rng_below(&rng, 88));
    }
    notes[0] = make(&m, 0, 100, 0, 33, 30);
    qsort(notes, COUNT, sizeof *notes, note_order);
    ems_song song;
    ems_tokens t = tokens_of(&m, notes, COUNT, &song);
    ems_piece *piece = ems_piece_new(song.end * EMS_TICK + 1, NULL);
    ems_token_decoder d;
    ems_decoder_start(&d, piece, 1);
    uint64_t cursor = 0;
    for (size_t i = 0; i < t.count; i++) {
        if (ems_is_shift(t.tokens[i]))
            cursor += (uint64_t)ems_shift_ticks(t.tokens[i]);
        assert_int_equal(ems_decoder_feed(&d, t.tokens[i],
                                          (double)cursor * EMS_TICK, NULL),
                         0);
    }
    assert_int_equal(piece->note_count, song.note_count); /* none hangs */
    assert_int_equal(ems_decoder_finish(&d, NULL), 0);
    assert_int_equal(d.dropped, 0);
    assert_int_equal(piece->bar_count, song.bar_count);
    size_t next = 0;
    for (size_t i = 0; i < piece->note_count; i++) {
        const ems_note *n = &piece->notes[i];
        while (next < COUNT && notes[next].start < n->start - 0.0041)
            next++;
        int found = 0;
        for (size_t k = next; k < COUNT &&
                              notes[k].start < n->start + 0.0041; k++)
            found |= notes[k].pitch == n->pitch;
        assert_true(found);
    }
    ems_piece_free(piece);
    ems_tokens_clear(&t);
    ems_song_clear(&song);
    ems_free(notes);
}

static void feed(ems_token_decoder *d, int token, double time)
{
    assert_int_equal(ems_decoder_feed(d, token, time, NULL), 0);
}

static void test_decoder_traps(void **state)
{
    (void)state;
    ems_piece *p = ems_piece_new(10, NULL);
    ems_token_decoder d;
    const int on = ems_note_token(EMS_PIANO, 60, 1);
    const int off = ems_note_token(EMS_PIANO, 60, 0);
    ems_decoder_start(&d, p, 1);
    feed(&d, on, 0);
    feed(&d, on, 1);   /* struck again: ON before OFF of one moment */
    feed(&d, off, 1);
    feed(&d, off, 2);
    feed(&d, off, 3);  /* a second OFF makes no note */
    feed(&d, on, 4);
    feed(&d, off, 4);  /* no length */
    feed(&d, on, 9);   /* never ends: closed with the film */
    feed(&d, ems_note_token(EMS_BASS, 40, 1), 11); /* after the end */
    assert_int_equal(ems_decoder_finish(&d, NULL), 0);
    assert_int_equal(p->note_count, 3);
    assert_float_equal(p->notes[0].length, 1, 1e-12);
    assert_float_equal(p->notes[1].start, 1, 1e-12);
    assert_float_equal(p->notes[1].length, 1, 1e-12);
    assert_float_equal(p->notes[2].length, 1, 1e-12);
    assert_int_equal(d.dropped, 2);
    ems_piece_free(p);
}

static void test_velocities(void **state)
{
    (void)state;
    for (int paper = 0; paper < 2; paper++) {
        ems_piece *p = ems_piece_new(10, NULL);
        ems_token_decoder d;
        ems_decoder_start(&d, p, paper);
        feed(&d, EMS_BAR, 0);
        feed(&d, EMS_CHORD, 0);
        feed(&d, ems_note_token(EMS_BASS, 40, 1), 0);
        feed(&d, ems_note_token(EMS_PIANO, 60, 1), 0);
        feed(&d, EMS_SHIFT_BASE + 1, 0.008);
        feed(&d, ems_note_token(EMS_PIANO, 64, 1), 0.008);
        assert_int_equal(ems_decoder_finish(&d, NULL), 0);
        assert_int_equal(p->notes[0].velocity, paper ? 80 : 88);
        assert_int_equal(p->notes[1].velocity, 120);
        assert_int_equal(p->notes[2].velocity, 80);
        assert_int_equal(p->bar_count, 1);
        ems_piece_free(p);
    }
}

static void test_long_notes_end(void **state)
{
    (void)state;
    ems_piece *p = ems_piece_new(100, NULL);
    ems_token_decoder d;
    ems_decoder_start(&d, p, 0);
    feed(&d, ems_note_token(EMS_STRINGS, 60, 1), 1);
    feed(&d, ems_note_token(EMS_DRUMS, 36, 1), 1);
    assert_int_equal(ems_decoder_finish(&d, NULL), 0);
    assert_float_equal(p->notes[0].length, EMS_LONGEST_DRUM, 1e-12);
    assert_float_equal(p->notes[1].length, EMS_LONGEST_NOTE, 1e-12);
    ems_piece_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_order_and_chord),
        cmocka_unit_test(test_no_chord),
        cmocka_unit_test(test_chords_a_second_apart),
        cmocka_unit_test(test_rests_shrink),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_decoder_traps),
        cmocka_unit_test(test_velocities),
        cmocka_unit_test(test_long_notes_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

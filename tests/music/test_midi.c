/* The MIDI reader on good, broken and hostile files. */
#include "ems_test.h"

#include "base/mem.h"
#include "music/midi.h"

/* A file of one track with these events behind a type and a division. */
typedef struct file {
    uint8_t data[512];
    size_t size;
} file;

static void add(file *f, const void *data, size_t size)
{
    memcpy(f->data + f->size, data, size);
    f->size += size;
}

static void add_track(file *f, const void *events, size_t size)
{
    const uint8_t head[8] = {'M', 'T', 'r', 'k', 0, 0, (uint8_t)(size >> 8),
                             (uint8_t)size};
    add(f, head, sizeof head);
    add(f, events, size);
}

static file start(int type, int tracks, int division)
{
    file f = {.size = 0};
    const uint8_t head[14] = {'M', 'T', 'h', 'd', 0, 0, 0, 6,
                              0, (uint8_t)type, 0, (uint8_t)tracks,
                              (uint8_t)(division >> 8), (uint8_t)division};
    add(&f, head, sizeof head);
    return f;
}

#define TRACK(f, ...)                                                       \
    do {                                                                    \
        const uint8_t bytes[] = {__VA_ARGS__};                              \
        add_track(f, bytes, sizeof bytes);                                  \
    } while (0)
#define END 0, 0xff, 0x2f, 0

static ems_midi parsed(const file *f)
{
    ems_midi m;
    ems_error err = {0};
    if (ems_midi_parse(&m, f->data, f->size, "test.mid", &err) < 0)
        fail_msg("%s", err.text);
    return m;
}

static void refused(const file *f, const char *part)
{
    ems_midi m;
    ems_error err = {0};
    assert_int_equal(ems_midi_parse(&m, f->data, f->size, "test.mid", &err),
                     EMS_EFORMAT);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_null(m.notes);
}

static void test_running_status_and_tempo(void **state)
{
    (void)state;
    file f = start(0, 1, 96);
    TRACK(&f, 0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20, /* 500000 us */
          0, 0xc0, 33, 0, 0x90, 40, 100, 96, 40, 0, /* running, velocity 0 */
          0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40,       /* 1 s a quarter */
          0, 0x90, 43, 90, 48, 0x80, 43, 64, END);
    ems_midi m = parsed(&f);
    assert_int_equal(m.note_count, 2);
    assert_int_equal(m.notes[0].pitch, 40);
    assert_int_equal(m.notes[0].program, 33);
    assert_float_equal(m.notes[0].end, 0.5, 1e-12);
    assert_float_equal(m.notes[1].start, 0.5, 1e-12);
    assert_float_equal(m.notes[1].end, 1.0, 1e-12);
    assert_float_equal(m.duration, 1.0, 1e-12);
    assert_int_equal(m.warnings, 0);
    ems_midi_clear(&m);
}

static void test_tempo_and_program_on_other_tracks(void **state)
{
    (void)state;
    file f = start(1, 3, 96);
    TRACK(&f, 96, 0xff, 0x51, 3, 0x0f, 0x42, 0x40, END);
    TRACK(&f, 0, 0x91, 60, 1, 0x81, 0x40, 0x81, 60, 0, END); /* 192 ticks */
    TRACK(&f, 0, 0xc1, 24, END);
    ems_midi m = parsed(&f);
    assert_int_equal(m.tracks, 3);
    assert_int_equal(m.notes[0].program, 24);
    assert_float_equal(m.notes[0].end, 1.5, 1e-12);
    ems_midi_clear(&m);
}

static void test_repairs(void **state)
{
    (void)state;
    file f = start(1, 9, 96);
    TRACK(&f, 0, 0x80, 60, 0,       /* an OFF without a note */
          0, 0x90, 61, 1, 10, 61, 2, /* struck while it sounds */
          0, 61, 3,                  /* and again at once */
          10, 0x80, 61, 0, 0, 0xff, 0x51, 3, 0, 0, 0, /* tempo 0 */
          5, 0x90, 62, 9, 16, 0xff, 1, 0); /* hangs; no end of track */
    ems_midi m = parsed(&f);
    assert_int_equal(m.note_count, 3);
    assert_int_equal(m.notes[0].off, 10);
    assert_int_equal(m.notes[1].on, 10);
    assert_int_equal(m.notes[1].off, 20);
    assert_int_equal(m.notes[1].velocity, 3);
    assert_int_equal(m.notes[2].on, 25);
    assert_int_equal(m.notes[2].off, 41);
    assert_int_equal(m.warnings, 4);
    ems_midi_clear(&m);
}

static void test_lengths_that_lie(void **state)
{
    (void)state;
    file f = start(1, 2, 96);
    TRACK(&f, 0, 0x90, 60, 1, 96, 0x80, 60, 0, END);
    TRACK(&f, 0, 0x90, 64, 1, 96, 0x80, 64, 0, END);
    f.data[14 + 7] = 4; /* too short: the rest is skipped to the next track */
    f.data[f.size - 12 - 4] = 1; /* second track: far beyond the end */
    ems_midi m = parsed(&f);
    assert_int_equal(m.tracks, 2);
    assert_int_equal(m.note_count, 2);
    assert_true(m.warnings >= 2);
    ems_midi_clear(&m);
}

static void test_smpte_and_type_2(void **state)
{
    (void)state;
    file f = start(0, 1, 0xe728); /* 25 frames of 40 ticks: milliseconds */
    TRACK(&f, 0, 0x90, 60, 1, 0x87, 0x68, 0x80, 60, 0, END); /* 1000 */
    ems_midi m = parsed(&f);
    assert_float_equal(m.duration, 1.0, 1e-9);
    ems_midi_clear(&m);

    f = start(2, 2, 96);
    TRACK(&f, 0, 0x90, 60, 1, 96, 0x80, 60, 0, END);
    TRACK(&f, 0, 0x90, 60, 1, 96, 0x80, 60, 0, END);
    m = parsed(&f);
    assert_int_equal(m.notes[1].on, 96); /* one after the other */
    ems_midi_clear(&m);
}

static void test_texts_keys_metres(void **state)
{
    (void)state;
    file f = start(1, 1, 96);
    TRACK(&f, 0, 0xff, 3, 4, 'B', 'a', 's', 's', 0, 0xff, 0x59, 2, 0xfd, 1,
          0, 0xff, 0x58, 4, 3, 2, 24, 8, 10, 0xff, 6, 3, 'c', 'u', 't',
          0, 0xf0, 2, 1, 0xf7, 0, 0xff, 5, 2, 'l', 'a', END);
    ems_midi m = parsed(&f);
    assert_int_equal(m.text_count, 3);
    assert_int_equal(m.text_events[0].kind, EMS_MIDI_NAME);
    assert_memory_equal(m.texts + m.text_events[1].at, "cut", 3);
    assert_int_equal(m.text_events[1].tick, 10);
    assert_int_equal(m.text_events[2].kind, EMS_MIDI_LYRIC);
    assert_int_equal(m.keys[0].sharps, -3);
    assert_int_equal(m.keys[0].minor, 1);
    assert_int_equal(m.metres[0].beats, 3);
    assert_int_equal(m.metres[0].unit, 4);
    ems_midi_clear(&m);
}

static void test_bars(void **state)
{
    (void)state;
    file f = start(0, 1, 96);
    TRACK(&f, 0, 0xff, 0x58, 4, 3, 2, 24, 8,    /* 3/4: 288 ticks */
          0x84, 0x58, 0xff, 0x58, 4, 6, 3, 24, 8, /* at 600: 6/8 */
          0x82, 0x20, 0x90, 60, 1, 0x60, 0x80, 60, 0, END); /* ends at 984 */
    ems_midi m = parsed(&f);
    uint64_t *bars;
    size_t count;
    assert_int_equal(ems_midi_bars(&m, &bars, &count, NULL), 0);
    const uint64_t want[] = {0, 288, 576, 600, 888, 1176};
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(bars[i], want[i]);
    ems_free(bars);
    ems_midi_clear(&m);
}

static void test_hostile(void **state)
{
    (void)state;
    file f = {.size = 0};
    refused(&f, "no MThd");
    f = start(0, 1, 0);
    TRACK(&f, END);
    refused(&f, "division of 0");
    f = start(0, 1, 0xe700);
    refused(&f, "division that no film");
    f = start(7, 1, 96);
    refused(&f, "unknown type");
    f = start(0, 1, 96);
    refused(&f, "no tracks");
    TRACK(&f, 0x80, 0x80, 0x80, 0x80, 0x80, 0, END);
    refused(&f, "byte 26: a number longer than 4 bytes");
    f = start(0, 1, 96);
    TRACK(&f, 0, 60, 64, END);
    refused(&f, "byte 23: data without a status");
    f = start(0, 1, 96);
    TRACK(&f, 0, 0x90, 0x90, 64, END);
    refused(&f, "a data byte above 127");
    f = start(0, 1, 96);
    TRACK(&f, 0, 0xf4, END);
    refused(&f, "a system message");
    f = start(0, 1, 1); /* 2^28 quarters of 16 seconds */
    TRACK(&f, 0, 0xff, 0x51, 3, 255, 255, 255, 0xff, 0xff, 0xff, 0x7f, 0xff,
          0x2f, 0);
    refused(&f, "hours");
    f = start(0, 1, 96);
    f.data[7] = 200; /* a header longer than the file */
    refused(&f, "header is cut off");
}

/* Cut anywhere, a file is read or refused; nothing else. */
static void test_every_cut(void **state)
{
    (void)state;
    file f = start(1, 2, 96);
    TRACK(&f, 0, 0xff, 0x51, 3, 7, 0xa1, 0x20, 0, 0xff, 1, 3, 'a', 'b', 'c',
          0, 0xf0, 3, 1, 2, 0xf7, END);
    TRACK(&f, 0, 0xc0, 5, 0, 0x90, 60, 1, 0x81, 0, 60, 0, 0, 0xe0, 1, 2,
          END);
    for (size_t n = 0; n <= f.size; n++) {
        uint8_t *copy = ems_alloc(n, 1); /* exact: sanitizers see overruns */
        if (n)
            memcpy(copy, f.data, n);
        ems_midi m;
        ems_error err = {0};
        const int code = ems_midi_parse(&m, copy, n, "cut.mid", &err);
        assert_true(code == EMS_OK || code == EMS_EFORMAT);
        assert_true(code == EMS_OK || err.text[0]);
        ems_midi_clear(&m);
        ems_free(copy);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    file f = start(1, 1, 96);
    TRACK(&f, 0, 0xff, 0x51, 3, 7, 0xa1, 0x20, 0, 0xff, 1, 3, 'a', 'b', 'c',
          0, 0xff, 0x59, 2, 0, 0, 0, 0xff, 0x58, 4, 3, 2, 24, 8, 0, 0xc0, 1,
          0, 0x90, 60, 1, 9, 60, 0, END);
    for (long n = 1; n < 100; n++) {
        ems_midi m;
        ems_alloc_fail_at(n);
        const int code = ems_midi_parse(&m, f.data, f.size, "x", NULL);
        ems_alloc_fail_at(0);
        ems_midi_clear(&m);
        if (code == EMS_OK) {
            assert_true(n > 5);
            return;
        }
        assert_int_equal(code, EMS_ENOMEM);
    }
    fail_msg("never enough memory");
}

static void test_families(void **state)
{
    (void)state;
    assert_int_equal(ems_midi_family(9, 0), EMS_DRUMS);
    assert_int_equal(ems_midi_family(0, 7), EMS_PIANO);
    assert_int_equal(ems_midi_family(0, 8), EMS_STRINGS);
    assert_int_equal(ems_midi_family(0, 24), EMS_GUITAR);
    assert_int_equal(ems_midi_family(0, 39), EMS_BASS);
    assert_int_equal(ems_midi_family(0, 40), EMS_STRINGS);
    assert_int_equal(ems_midi_family(0, 95), EMS_STRINGS);
    assert_int_equal(ems_midi_family(0, 96), -1);
    assert_int_equal(ems_midi_family(0, 127), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_running_status_and_tempo),
        cmocka_unit_test(test_tempo_and_program_on_other_tracks),
        cmocka_unit_test(test_repairs),
        cmocka_unit_test(test_lengths_that_lie),
        cmocka_unit_test(test_smpte_and_type_2),
        cmocka_unit_test(test_texts_keys_metres),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

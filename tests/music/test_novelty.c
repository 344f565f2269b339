/* Planted passages are found, random music and common figures are not. */
#include "ems_test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "music/novelty.h"

#include <math.h>
#include <sys/stat.h>

enum { TUNES = 12, TUNE_NOTES = 160, BARS = 40 };
static const char folder[] = EMS_SCRATCH "/novelty";
static const char data[] = EMS_SCRATCH "/novelty.tok";
static const char index_file[] = EMS_SCRATCH "/novelty.index";

typedef struct tune {
    double start[TUNE_NOTES + 1]; /* beats */
    int pitch[TUNE_NOTES];
} tune;

/* A walk in C major of quarters, halves and eighths. */
static tune make_tune(uint64_t seed)
{
    static const int scale[7] = {0, 2, 4, 5, 7, 9, 11};
    static const double lengths[6] = {0.5, 0.5, 1, 1, 1, 2};
    ems_rng rng = ems_rng_seed(seed, 7);
    tune t;
    int at = 7;
    t.start[0] = 0;
    for (int i = 0; i < TUNE_NOTES; i++) {
        at += (int)ems_rng_below(&rng, 9) - 4;
        at = at < 0 ? 1 : at > 14 ? 13 : at;
        t.pitch[i] = 60 + 12 * (at / 7) + scale[at % 7];
        t.start[i + 1] = t.start[i] + lengths[ems_rng_below(&rng, 6)];
    }
    return t;
}

static ems_piece *new_piece(double beat)
{
    ems_piece *p = ems_piece_new(4 * BARS * beat, NULL);
    for (int i = 0; i < BARS; i++)
        assert_int_equal(ems_piece_add_bar(p, (ems_bar){4 * i * beat, 4},
                                           NULL), 0);
    return p;
}

static void add(ems_piece *p, int family, int pitch, double start,
                double length)
{
    const ems_note n = {start, length, (uint8_t)family, (uint8_t)pitch, 80};
    if (start + length <= p->duration)
        assert_int_equal(ems_piece_add_note(p, n, NULL), 0);
}

/* Notes from..to of the tune, beginning at bar `bar`. */
static void add_tune(ems_piece *p, const tune *t, int family, int transpose,
                     double beat, int from, int to, int bar)
{
    for (int i = from; i < to; i++)
        add(p, family, t->pitch[i] + transpose,
            (4 * bar + t->start[i] - t->start[from]) * beat,
            (t->start[i + 1] - t->start[i]) * beat * 0.95);
}

/* Chords under everything, also between the notes of a tune. */
static void add_chords(ems_piece *p, int family, double beat, ems_rng *rng)
{
    for (int i = 0; i < 4 * BARS; i++) {
        const int root = 34 + (int)ems_rng_below(rng, 8);
        for (int k = 0; k < 3; k++)
            add(p, family, root + 4 * k, i * beat, 0.8 * beat);
        add(p, EMS_DRUMS, 38, i * beat, 0.1);
    }
}

static void save(ems_piece *p, int number)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%02d.mid", folder, number);
    ems_piece_sort(p);
    assert_int_equal(ems_piece_save(p, path, NULL), 0);
    ems_piece_free(p);
}

static int build_index(double megabytes)
{
    return ems_novelty_build(data, index_file, megabytes, NULL, NULL);
}

static int set_up(void **state)
{
    (void)state;
    ems_rng rng = ems_rng_seed(3, 3);
    assert_int_equal(ems_folder_make(folder, NULL), 0);
    for (int i = 0; i < TUNES; i++) {
        const tune t = make_tune((uint64_t)i);
        ems_piece *p = new_piece(0.5);
        add_tune(p, &t, EMS_STRINGS, 0, 0.5, 0, TUNE_NOTES, 0);
        add_chords(p, EMS_PIANO, 0.5, &rng);
        save(p, i);
    }
    const char *const folders[] = {folder};
    ems_dataset_options o = ems_dataset_defaults();
    o.folders = folders;
    o.folder_count = 1;
    o.held_out = 0;
    assert_int_equal(ems_dataset_build(data, &o, NULL, NULL), 0);
    return build_index(8);
}

static ems_passage search(ems_piece *p)
{
    ems_passage out;
    ems_piece_sort(p);
    assert_int_equal(ems_piece_novelty(p, index_file, &out, NULL), 0);
    ems_piece_free(p);
    return out;
}

static void a_training_piece_is_known(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/05.mid", folder);
    const ems_passage found = search(ems_piece_load(path, NULL));
    assert_true(found.bars > 30);
    assert_true(found.notes > 120);
    assert_int_equal(found.family, EMS_STRINGS);
    assert_non_null(strstr(found.source, "05.mid"));
}

/* Ten bars or so, a fourth higher, faster, played by the guitar with chords
 * between its notes, in the midst of something else. */
static void check_planted(int transpose, double beat)
{
    ems_rng rng = ems_rng_seed(11, 4);
    const tune borrowed = make_tune(8), own = make_tune(1000);
    ems_piece *p = new_piece(beat);
    add_tune(p, &own, EMS_GUITAR, transpose, beat, 0, 30, 0);
    add_tune(p, &borrowed, EMS_GUITAR, transpose, beat, 20, 60, 12);
    add_chords(p, EMS_GUITAR, beat, &rng);
    const double bars = (borrowed.start[60] - borrowed.start[20]) / 4;
    const ems_passage found = search(p);
    assert_int_equal(found.family, EMS_GUITAR);
    assert_non_null(strstr(found.source, "08.mid"));
    assert_true(fabs(found.bars - bars) < 1.5);
    assert_true(fabs(found.start - 48 * beat) < 6 * beat);
}

static void planted_passages_are_found(void **state)
{
    (void)state;
    check_planted(0, 0.5);
    check_planted(5, 0.5);
    check_planted(-7, 0.37);
    check_planted(3, 0.81);
}

/* Below 8 bars: said, but no more than it is. */
static void a_short_quotation_is_short(void **state)
{
    (void)state;
    const tune borrowed = make_tune(2), own = make_tune(1001);
    ems_piece *p = new_piece(0.5);
    add_tune(p, &own, EMS_PIANO, 0, 0.5, 0, 40, 0);
    add_tune(p, &borrowed, EMS_PIANO, 2, 0.5, 50, 64, 14);
    const ems_passage found = search(p);
    const double bars = (borrowed.start[64] - borrowed.start[50]) / 4;
    assert_true(found.bars > 0 && found.bars < bars + 0.5);
}

static void random_music_is_new(void **state)
{
    (void)state;
    for (uint64_t seed = 2000; seed < 2100; seed++) {
        const tune t = make_tune(seed);
        ems_piece *p = new_piece(0.5);
        add_tune(p, &t, EMS_STRINGS, 0, 0.5, 0, TUNE_NOTES, 0);
        assert_true(search(p).bars < 4);
    }
}

/* What everybody plays is in the index neither: index and piece alike. */
static void figures_are_nobodys(void **state)
{
    (void)state;
    static const int figure[4][8] = {
        {0, 0, 0, 0, 0, 0, 0, 0},     /* repeated */
        {0, 2, 4, 5, 7, 9, 11, 12},   /* scale */
        {0, 4, 7, 4, 0, 4, 7, 4},     /* broken chord */
        {0, 7, 4, 7, 0, 7, 4, 7},     /* Alberti bass */
    };
    for (int f = 0; f < 4; f++) {
        ems_line_note n[EMS_PHRASE];
        for (int i = 0; i < EMS_PHRASE; i++)
            n[i] = (ems_line_note){
                .start = i * 0.25, .end = i * 0.25 + 0.2,
                .pitch = (uint8_t)(60 + figure[f][i % 8] + 12 * (i / 8))};
        if (f != 1)
            for (int i = 8; i < EMS_PHRASE; i++)
                n[i].pitch = (uint8_t)(60 + figure[f][i % 8]);
        assert_true(ems_phrase_hash(n) == 0);
    }
}

static void key_and_tempo_do_not_matter(void **state)
{
    (void)state;
    const tune t = make_tune(77);
    ems_line_note a[EMS_PHRASE], b[EMS_PHRASE];
    for (int i = 0; i < EMS_PHRASE; i++) {
        a[i] = (ems_line_note){.start = t.start[i] * 0.5,
                               .end = t.start[i + 1] * 0.5,
                               .pitch = (uint8_t)t.pitch[i]};
        b[i] = (ems_line_note){.start = 9 + t.start[i] * 0.43 + 0.004 * (i % 2),
                               .end = 9 + t.start[i + 1] * 0.43,
                               .pitch = (uint8_t)(t.pitch[i] - 6)};
    }
    assert_true(ems_phrase_hash(a) != 0);
    assert_true(ems_phrase_hash(a) == ems_phrase_hash(b));
    b[4].pitch++;
    assert_true(ems_phrase_hash(a) != ems_phrase_hash(b));
}

/* A small index knows fewer phrases, and still finds a long passage. */
static void a_small_index_will_do(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(build_index(0.003), 0);
    assert_int_equal(stat(index_file, &st), 0);
    assert_true(st.st_size <= 3000);
    ems_piece *p = new_piece(0.5);
    const tune t = make_tune(4);
    add_tune(p, &t, EMS_PIANO, 3, 0.5, 0, 120, 4);
    assert_true(search(p).bars > 12);
    assert_int_equal(build_index(8), 0);
}

static void broken_indexes_are_refused(void **state)
{
    (void)state;
    const char *const path = EMS_SCRATCH "/novelty.broken";
    ems_bytes b;
    ems_error err;
    assert_int_equal(ems_bytes_map(&b, index_file, 0, NULL), 0);
    uint8_t *copy = ems_alloc(b.size, 1);
    const size_t cut[] = {0, 7, 63, 64, 300, b.size / 2, b.size - 1};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        assert_int_equal(ems_file_write(path, b.data, cut[i], NULL), 0);
        assert_null(ems_novelty_open(path, &err));
        assert_int_equal(err.code, EMS_EFORMAT);
    }
    for (size_t at = 8; at < 48; at++) { /* any header byte but the last */
        if ((at >= 16 && at < 20) || (at >= 28 && at < 32))
            continue; /* thinning and the count of pieces may differ */
        memcpy(copy, b.data, b.size);
        copy[at] ^= 0x40;
        assert_int_equal(ems_file_write(path, copy, b.size, NULL), 0);
        assert_null(ems_novelty_open(path, &err));
    }
    assert_null(ems_novelty_open(EMS_SCRATCH "/nothing", &err));
    assert_int_equal(err.code, EMS_EIO);
    ems_free(copy);
    ems_bytes_unmap(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_training_piece_is_known),
        cmocka_unit_test(planted_passages_are_found),
        cmocka_unit_test(a_short_quotation_is_short),
        cmocka_unit_test(random_music_is_new),
        cmocka_unit_test(figures_are_nobodys),
        cmocka_unit_test(key_and_tempo_do_not_matter),
        cmocka_unit_test(a_small_index_will_do),
        cmocka_unit_test(broken_indexes_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

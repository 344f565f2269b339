/* A whole evaluation of a small random model, and the arithmetic in it. */
#include "ems_test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "music/chords.h"
#include "music/evaluate.h"
#include "music/model_io.h"

#include <math.h>
#include <string.h>

static const char model[] = EMS_SCRATCH "/evaluate.safetensors";
static const char folder[] = EMS_SCRATCH "/evaluate";
static const char data[] = EMS_SCRATCH "/evaluate.tok";
static const char index_file[] = EMS_SCRATCH "/evaluate.novelty";

static void make_model(void)
{
    const ems_model_shape shape = {32, 1, 2, 48, 66, 1011};
    ems_params *p = ems_alloc(1, sizeof *p);
    float *block = ems_alloc(ems_params_count(&shape), sizeof *block);
    ems_params_place(p, &shape, block);
    ems_params_init(p, 1);
    assert_int_equal(ems_params_save(p, model, NULL, 0, NULL), EMS_OK);
    ems_free(block);
    ems_free(p);
}

static void make_music(void)
{
    const char *const folders[] = {folder};
    assert_int_equal(ems_folder_make(folder, NULL), 0);
    for (uint64_t i = 0; i < 8; i++) {
        char path[512];
        ems_rng rng = ems_rng_seed(i, 5);
        ems_piece *p = ems_piece_new(24, NULL);
        for (int k = 0; k < 12; k++)
            ems_piece_add_bar(p, (ems_bar){2.0 * k, 4}, NULL);
        for (int k = 0; k < 90; k++)
            ems_piece_add_note(
                p, (ems_note){k * 0.25, 0.24, EMS_PIANO,
                              (uint8_t)(60 + ems_rng_below(&rng, 20)), 80},
                NULL);
        for (int k = 0; k < 18; k++) /* long chords: boundaries */
            ems_piece_add_note(
                p, (ems_note){k / 3 * 4.0, 1.2, EMS_GUITAR,
                              (uint8_t)(40 + k % 3 * 4), 80}, NULL);
        ems_piece_sort(p);
        snprintf(path, sizeof path, "%s/%d.mid", folder, (int)i);
        assert_int_equal(ems_piece_save(p, path, NULL), 0);
        ems_piece_free(p);
    }
    assert_int_equal(ems_file_write(EMS_SCRATCH "/evaluate/broken.mid",
                                    "MThd", 4, NULL), 0);
    ems_dataset_options o = ems_dataset_defaults();
    o.folders = folders;
    o.folder_count = 1;
    o.held_out = 0.5;
    assert_int_equal(ems_dataset_build(data, &o, NULL, NULL), 0);
    assert_int_equal(ems_novelty_build(data, index_file, 1, NULL, NULL), 0);
}

static void near(double x, double wanted, double reach)
{
    if (!(fabs(x - wanted) <= reach))
        fail_msg("%.9g is not %.9g", x, wanted);
}

static int set_up(void **state)
{
    (void)state;
    make_model();
    make_music();
    return 0;
}

static ems_evaluate_options small(void)
{
    ems_evaluate_options o = ems_evaluate_defaults();
    o.dataset = data;
    o.index = index_file;
    o.compose.model = model;
    o.pieces = 1;
    o.lists = 2;
    o.excerpts = 6;
    o.window = 40;
    o.seconds = 8;
    return o;
}

static void correlations(void **state)
{
    (void)state;
    const double x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {1, 8, 27, 64, 125, 216};
    const double z[6] = {6, 5, 4, 3, 2, 1}, c[6] = {2, 2, 2, 2, 2, 2};
    const double tied[6] = {1, 1, 2, 2, 3, 3};
    near(ems_spearman(x, y, 6), 1, 1e-12);
    near(ems_spearman(x, z, 6), -1, 1e-12);
    near(ems_pearson(x, z, 6), -1, 1e-12);
    assert_true(ems_pearson(x, y, 6) < 0.95);
    assert_true(isnan(ems_pearson(x, c, 6)));
    /* ranks 0.5 0.5 2.5 2.5 4.5 4.5: 16 / sqrt(17.5 * 16) */
    near(ems_spearman(x, tied, 6), 16 / sqrt(17.5 * 16), 1e-12);
}

static void overlaps(void **state)
{
    (void)state;
    double a[400], b[400], far[400];
    ems_rng rng = ems_rng_seed(1, 1);
    for (int i = 0; i < 400; i++) {
        a[i] = ems_rng_normal(&rng);
        b[i] = ems_rng_normal(&rng) + 2;
        far[i] = a[i] + 100;
    }
    near(ems_overlap(a, 400, a, 400), 1, 1e-3);
    assert_true(ems_overlap(a, 400, far, 400) < 1e-3);
    /* two normals two deviations apart share 2 Phi(-1) = 0.317, smoothed a
       little more */
    near(ems_overlap(a, 400, b, 400), 0.34, 0.05);
    assert_true(isnan(ems_overlap(a, 0, b, 400)));
}

/* C major, then C E F# together with a drum; a chord of two notes is none. */
static void chords_are_told_apart(void **state)
{
    (void)state;
    ems_piece *p = ems_piece_new(8, NULL);
    static const struct { double start; int pitch, family; } notes[] = {
        {1, 60, EMS_PIANO}, {1.01, 64, EMS_GUITAR}, {1.02, 67, EMS_PIANO},
        {3, 60, EMS_PIANO}, {3, 64, EMS_PIANO}, {3, 66, EMS_STRINGS},
        {3, 38, EMS_DRUMS}, {5, 60, EMS_PIANO}, {5, 64, EMS_PIANO}};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        ems_piece_add_note(p, (ems_note){notes[i].start, 0.5,
                                         (uint8_t)notes[i].family,
                                         (uint8_t)notes[i].pitch, 80}, NULL);
    ems_chord_sums at = {.chords = 0}, off = {.chords = 0};
    const double hits[] = {0.2, 2.99, 7};
    ems_chords_measure(p, hits, 3, &at, &off);
    assert_true(off.chords == 1 && off.notes == 3 && off.known == 1);
    assert_true(off.pairs == 3 && off.sharp == 0);
    assert_true(at.chords == 1 && at.notes == 3 && at.known == 0);
    assert_true(at.pairs == 3 && at.sharp == 1);
    ems_piece_free(p);
}

static size_t measure_called(const ems_evaluation *e, const char *name)
{
    size_t i = 0;
    while (i < e->measures && strcmp(e->measure[i].name, name))
        i++;
    assert_true(i < e->measures);
    return i;
}

/* All parts; the same with any number of threads. */
static void everything(void **state)
{
    (void)state;
    const ems_evaluate_options o = small();
    static ems_evaluation one, three;
    ems_error err = {0};
    const ems_run alone = {.threads = 1}, many = {.threads = 3};
    assert_int_equal(ems_evaluate_music(&o, &one, &alone, &err), 0);
    assert_int_equal(ems_evaluate_music(&o, &three, &many, &err), 0);
    assert_memory_equal(&one, &three, sizeof one);
    const unsigned sure = EMS_EVALUATE_ALL & ~(unsigned)EMS_EVALUATE_EMOTION;
    assert_int_equal(one.parts & sure, sure);
    assert_int_equal(one.pieces, 25);
    assert_int_equal(one.real_pieces, 25);
    near(one.seconds, 8 * (25 + EMS_EVALUATE_WAYS * 2), 1e-9);
    for (size_t i = 0; i < one.measures; i++) {
        assert_true(isfinite(one.measure[i].mean));
        assert_true(one.measure[i].overlap >= 0 &&
                    one.measure[i].overlap <= 1);
    }
    for (int i = 3; i < 5; i++) { /* guided, led: all of them */
        assert_true(one.boundary[i].within_100ms == 1);
        assert_true(one.boundary[i].rules > 0 && one.boundary[i].due > 0);
        assert_true(one.boundary[i].nats > one.boundary[i].rules);
        assert_true(one.boundary[i].chords[1].chords > 0);
        assert_true(one.boundary[i].chords_near > 0);
    }
    assert_true(one.boundary[0].rules == 0 && one.boundary[0].due == 0);
    const size_t grid = measure_called(&one, "onsets on the grid");
    assert_true(one.boundary[4].mean[grid] > 0.95);
    assert_true(one.boundary[0].boundaries == one.boundary[2].boundaries);
    assert_true(one.nll[0].tokens > 60 && one.nll[0].nll > 5);
    assert_true(one.nll[0].nll != one.nll[1].nll);
    assert_true(one.nll[1].tokens == one.nll[0].tokens);
}

static void files_are_written(void **state)
{
    (void)state;
    ems_evaluate_options o = small();
    static ems_evaluation e;
    ems_bytes b;
    o.parts = EMS_EVALUATE_MUSIC | EMS_EVALUATE_NLL;
    assert_int_equal(ems_evaluate_music(&o, &e, NULL, NULL), 0);
    e.parts = EMS_EVALUATE_ALL; /* also what is not known can be written */
    e.l1 = NAN;
    for (int i = 0; i < EMS_EVALUATE_WAYS; i++)
        e.boundary[i].name = "way";
    assert_int_equal(ems_evaluation_save(&e, EMS_SCRATCH "/evaluate.json",
                                         NULL), 0);
    assert_int_equal(ems_evaluation_draw(&e, EMS_SCRATCH "/evaluate.svg",
                                         NULL), 0);
    assert_int_equal(ems_bytes_map(&b, EMS_SCRATCH "/evaluate.json", 0, NULL),
                     0);
    assert_true(b.size > 1000);
    assert_non_null(memmem(b.data, b.size, "\"l1\": null", 10));
    ems_bytes_unmap(&b);
}

static void a_folder_is_measured(void **state)
{
    (void)state;
    ems_evaluate_options o = small();
    static ems_evaluation e;
    o.folder = folder;
    assert_int_equal(ems_evaluate_music(&o, &e, NULL, NULL), 0);
    assert_int_equal(e.pieces, 8);
    assert_int_equal(e.skipped, 1);
    assert_int_equal(e.real_pieces, 8);
    assert_true(e.seconds == 0);
    near(e.measure[6].mean, 108 / 24.0, 0.01);
    assert_true(e.longest.bars > 8); /* the training pieces are among them */
    assert_true(e.too_long > 0 && e.too_long < 8);
}

static int fails(const ems_evaluate_options *o)
{
    static ems_evaluation e;
    ems_error err = {0};
    const int code = ems_evaluate_music(o, &e, NULL, &err);
    assert_int_equal(err.code, code);
    assert_true(code == EMS_OK || err.text[0]);
    return code;
}

static int no(void *user)
{
    (void)user;
    return 1;
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static ems_evaluation e;
    const ems_run stop = {.cancelled = no};
    ems_evaluate_options o = small();
    o.dataset = NULL;
    o.parts = EMS_EVALUATE_NLL;
    assert_int_equal(fails(&o), EMS_EINVAL);
    o = small(), o.dataset = EMS_SCRATCH "/nothing.tok";
    assert_int_equal(fails(&o), EMS_EIO);
    o = small(), o.folder = EMS_SCRATCH "/nothing";
    assert_int_equal(fails(&o), EMS_EIO);
    o = small(), o.seconds = 2;
    assert_int_equal(fails(&o), EMS_EINVAL);
    o = small(), o.parts = EMS_EVALUATE_NOVELTY;
    o.index = EMS_SCRATCH "/evaluate.safetensors";
    assert_int_equal(fails(&o), EMS_EFORMAT);
    o = small(), o.compose.model = EMS_SCRATCH "/nothing";
    assert_int_equal(fails(&o), EMS_EIO);
    o = small();
    assert_int_equal(ems_evaluate_music(&o, &e, &stop, NULL), EMS_ECANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlations),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(chords_are_told_apart),
        cmocka_unit_test(everything),
        cmocka_unit_test(files_are_written),
        cmocka_unit_test(a_folder_is_measured),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

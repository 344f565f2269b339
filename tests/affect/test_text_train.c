/* Training from end to end, on a language of a few words. */
#include "ems_test.h"

#include "affect/text.h"
#include "affect/text_data.h"
#include "affect/text_learn.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>

#define FOLDER EMS_SCRATCH "/goemotions"

static const char *const PARTS[] = {"train", "dev", "test"};

static void write_text(const char *path, const char *text)
{
    assert_int_equal(ems_file_write(path, text, strlen(text), NULL), EMS_OK);
}

static void write_labels(const char *path, const char *const *name, size_t n)
{
    char text[1024];
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s\n",
                                 name[n - 1 - i]);
    write_text(path, text);
}

/* Label numbers count the names backwards. */
static size_t number(size_t output, size_t count)
{
    return count - 1 - output;
}

/* "word<k> filler filler": k tells the full label, k % 7 Ekman's. */
static void write_rows(const char *part, size_t lines, uint64_t seed)
{
    ems_rng rng = ems_rng_seed(seed, 0);
    char *full = malloc(lines * 64), *ekman = malloc(lines * 64);
    char path[512];
    size_t f = 0, e = 0;
    for (size_t i = 0; i < lines; i++) {
        const size_t k = ems_rng_below(&rng, EMS_TEXT_FULL);
        char text[40];
        snprintf(text, sizeof text, "it%d is %c%c%c now",
                 (int)ems_rng_below(&rng, 5), (char)('a' + k % 7),
                 (char)('k' + k % 5), (char)('p' + k / 7));
        f += (size_t)sprintf(full + f, "%s\t%zu\tid%zu\n", text,
                             number(k, EMS_TEXT_FULL), i);
        e += (size_t)sprintf(ekman + e, "%s\t%zu\tid%zu\n", text,
                             number(k % 7, EMS_TEXT_EKMAN), i);
    }
    snprintf(path, sizeof path, FOLDER "/original/%s.tsv", part);
    write_text(path, full);
    snprintf(path, sizeof path, FOLDER "/ekman/%s.tsv", part);
    write_text(path, ekman);
    free(full);
    free(ekman);
}

static int write_folder(void **state)
{
    (void)state;
    assert_int_equal(ems_folder_make(FOLDER "/original", NULL), EMS_OK);
    assert_int_equal(ems_folder_make(FOLDER "/ekman", NULL), EMS_OK);
    write_labels(FOLDER "/original/labels.txt", ems_text_full_names,
                 EMS_TEXT_FULL);
    write_labels(FOLDER "/ekman/labels.txt", ems_text_ekman_names,
                 EMS_TEXT_EKMAN);
    for (size_t i = 0; i < 3; i++)
        write_rows(PARTS[i], i ? 203 : 805, i);
    return 0;
}

static ems_text_train_options small(const char *out)
{
    ems_text_train_options o = ems_text_train_defaults();
    o.folder = FOLDER;
    o.out = out;
    o.buckets = 700;
    o.width = o.channels = o.hidden = 32;
    o.epochs = 8;
    o.lr = 0.01;
    o.batch = 24;
    return o;
}

static void learns(void **state)
{
    (void)state;
    ems_error err;
    ems_text_result r, again;
    const char *const out = EMS_SCRATCH "/learned.safetensors";
    const ems_text_train_options o = small(out);
    if (ems_train_text(&o, &r, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(r.ekman_macro[1] > 0.95);
    assert_true(r.full_macro[1] > 0.9);
    assert_int_equal(r.lines[1], 203);
    assert_int_equal(ems_text_evaluate(out, FOLDER, &again, NULL, &err), 0);
    assert_true(again.ekman_macro[0] == r.ekman_macro[0]);
    assert_true(again.full_macro[1] == r.full_macro[1]);
    double speed = 0;
    assert_int_equal(ems_bench_text(out, FOLDER "/ekman/test.tsv", &speed,
                                    NULL, &err), 0);
    assert_true(speed > 100);
}

static void same_weights_on_any_threads(void **state)
{
    (void)state;
    static const int THREADS[] = {1, 2, 3};
    ems_bytes b[3];
    for (int i = 0; i < 3; i++) {
        char out[256];
        snprintf(out, sizeof out, EMS_SCRATCH "/t%d.safetensors", i);
        ems_text_train_options o = small(out);
        o.epochs = 2;
        const ems_run run = {.threads = THREADS[i]};
        assert_int_equal(ems_train_text(&o, NULL, &run, NULL), EMS_OK);
        assert_int_equal(ems_bytes_map(&b[i], out, 0, NULL), EMS_OK);
        assert_int_equal(b[i].size, b[0].size);
        assert_memory_equal(b[i].data, b[0].data, b[0].size);
    }
    for (int i = 0; i < 3; i++)
        ems_bytes_unmap(&b[i]);
}

static void a_nan_ends_training(void **state)
{
    (void)state;
    ems_text_set set;
    ems_error err;
    float prior[EMS_TEXT_OUTPUTS];
    assert_int_equal(ems_text_set_load(&set, FOLDER, "dev", NULL), EMS_OK);
    float *target = ems_alloc(set.count * EMS_TEXT_OUTPUTS, sizeof *target);
    target[7] = NAN;
    for (size_t o = 0; o < EMS_TEXT_OUTPUTS; o++)
        prior[o] = 0.1f;
    const ems_text_shape shape = {100, 32, 32, 32};
    ems_learner *l = ems_learner_new(&shape, prior, 1, NULL, NULL);
    const ems_lesson lesson = {.set = &set, .target = target, .batch = 16,
                               .epochs = 2, .lr = 1e-3, .seed = 1};
    assert_int_equal(ems_learner_teach(l, &lesson, &err), EMS_EINTERNAL);
    assert_non_null(strstr(err.text, "loss is not finite"));
    ems_learner_free(l);
    ems_free(target);
    ems_text_set_clear(&set);
}

/* ---- Bad data ----------------------------------------------------------- */

static void assert_refused(const ems_text_train_options *o, ems_code code,
                           const char *says)
{
    ems_error err;
    assert_int_equal(ems_train_text(o, NULL, NULL, &err), code);
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    assert_true(access(o->out, F_OK) != 0);
}

static void bad_folders(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *says;
        ems_code code;
    } CASE[] = {
        {"ekman/dev.tsv", NULL, "ekman/dev.tsv", EMS_EIO},
        {"original/train.tsv", "", "is empty", EMS_EFORMAT},
        {"original/train.tsv", "no tab here\n", "line 1 has no tab",
         EMS_EFORMAT},
        {"original/dev.tsv", "hello\t3,x\tid\n", "line 1: the second column",
         EMS_EFORMAT},
        {"original/dev.tsv", "hi\t27\ta\nhello\t28\tid\n",
         "line 2: label number 28", EMS_EFORMAT},
        {"ekman/test.tsv", "something else\t3\tid\n", "line 1 is another text",
         EMS_EFORMAT},
        {"ekman/labels.txt", "anger\nbliss\n", "label 2, \"bliss\"",
         EMS_EFORMAT},
        {"ekman/labels.txt", "anger\nfear\n", "2 labels; there should be 7",
         EMS_EFORMAT},
    };
    const ems_text_train_options o = small(EMS_SCRATCH "/never");
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        char path[512];
        write_folder(NULL);
        snprintf(path, sizeof path, FOLDER "/%s", CASE[i].file);
        unlink(path);
        if (CASE[i].text)
            write_text(path, CASE[i].text);
        assert_refused(&o, CASE[i].code, CASE[i].says);
    }
    write_folder(NULL);
    ems_text_train_options empty = o;
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/empty", NULL), EMS_OK);
    empty.folder = EMS_SCRATCH "/empty";
    assert_refused(&empty, EMS_EIO, "original/labels.txt");
}

static void bad_options(void **state)
{
    (void)state;
    ems_text_train_options o = small(EMS_SCRATCH "/never");
    o.width = 33;
    assert_refused(&o, EMS_EINVAL, "multiples of 32");
    o = small(EMS_SCRATCH "/never");
    o.batch = 12;
    assert_refused(&o, EMS_EINVAL, "multiple of 8");
    o = small(EMS_SCRATCH "/never");
    o.lr = NAN;
    assert_refused(&o, EMS_EINVAL, "out of range");
    o.out = NULL;
    ems_error err;
    assert_int_equal(ems_train_text(&o, NULL, NULL, &err), EMS_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns),
        cmocka_unit_test(same_weights_on_any_threads),
        cmocka_unit_test(a_nan_ends_training),
        cmocka_unit_test(bad_folders),
        cmocka_unit_test(bad_options),
    };
    return cmocka_run_group_tests(tests, write_folder, NULL);
}

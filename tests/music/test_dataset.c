/* Labels, and folders of MIDI to the token file and back. */
#include "ems_test.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "music/bars.h"
#include "music/dataset.h"
#include "music/labels.h"
#include "music/piece_midi.h"
#include "music/vocab.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define FOLDER EMS_SCRATCH "/collection"
#define OUT EMS_SCRATCH "/set.tok"

static int labels(ems_labels *l, const char *text, ems_error *err)
{
    return ems_labels_parse(l, text, strlen(text), "l.csv", err);
}

static void test_labels(void **state)
{
    (void)state;
    ems_labels l;
    ems_error err = {0};
    const char *good = "\xef\xbb\xbftitle,file,valence,arousal\r\n"
                       "\"a, \"\"b\"\"\nc\",./x/y.mid,-0.5,1\r\n\r\n"
                       "t,\"z,1.mid\",,nan\n";
    if (labels(&l, good, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(l.count, 2);
    const ems_label *x = ems_labels_find(&l, "x/y.mid");
    assert_non_null(x);
    assert_float_equal(x->valence, -0.5, 1e-12);
    assert_float_equal(x->arousal, 1, 1e-12);
    x = ems_labels_find(&l, "z,1.mid");
    assert_true(isnan(x->valence) && isnan(x->arousal));
    assert_null(ems_labels_find(&l, "y.mid"));
    ems_labels_clear(&l);
}

static void test_bad_labels(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "line 1: a column named file"},
        {"valence,arousal\n", "line 1: a column named file"},
        {"file,valence\na,1\nb,2\n", "line 3"},
        {"file,valence\na,0.1x\n", "not a number in [-1,1]"},
        {"file,valence\n,0.1\n", "no file is named"},
        {"file,valence\n\"a,1\n", "does not end"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ems_labels l;
        ems_error err = {0};
        assert_int_equal(labels(&l, bad[i][0], &err), EMS_EFORMAT);
        if (!strstr(err.text, bad[i][1]))
            fail_msg("\"%s\" lacks \"%s\"", err.text, bad[i][1]);
        assert_null(l.items);
    }
}

/* A tune of some seconds; `step` makes it differ. */
static void save_tune(const char *path, double seconds, int step, int family)
{
    ems_piece *p = ems_piece_new(seconds, NULL);
    for (double t = 0; t < seconds - 0.5; t += 0.5)
        assert_int_equal(ems_piece_add_note(p,
            (ems_note){t, 0.45, (uint8_t)family,
                       (uint8_t)(60 + (int)(t * step) % 12), 80}, NULL), 0);
    ems_bar_fit fit;
    ems_error err = {0};
    assert_int_equal(ems_bars_fit(p, &fit, NULL), 0);
    if (ems_piece_save(p, path, &err) < 0)
        fail_msg("%s", err.text);
    ems_piece_free(p);
}

static int make_collection(void **state)
{
    (void)state;
    ems_folder_make(FOLDER "/deep/er", NULL);
    save_tune(FOLDER "/a.mid", 20, 2, EMS_PIANO);
    save_tune(FOLDER "/deep/er/b.MIDI", 30, 3, EMS_STRINGS);
    save_tune(FOLDER "/deep/again.mid", 20, 2, EMS_PIANO); /* as a.mid */
    save_tune(FOLDER "/short.mid", 3, 2, EMS_PIANO);
    ems_file_write(FOLDER "/empty.mid", "", 0, NULL);
    ems_file_write(FOLDER "/broken.mid", "MThd", 4, NULL);
    ems_file_write(FOLDER "/no-music.txt", "x", 1, NULL);
    unlink(FOLDER "/loop");
    return symlink("..", FOLDER "/loop");
}

static void no_log(void *user, ems_log_level level, const char *text)
{
    if (level == EMS_LOG_WARNING && strstr(text, "broken.mid"))
        ++*(int *)user;
}

static ems_dataset_options collection(void)
{
    static const char *const folders[] = {FOLDER};
    ems_dataset_options o = ems_dataset_defaults();
    o.folders = folders;
    o.folder_count = 1;
    o.no_lyrics = 1;
    return o;
}

static void build(const char *labels_path, int threads)
{
    ems_dataset_options o = collection();
    o.labels = labels_path;
    o.report = EMS_SCRATCH "/report.json";
    o.report_text = EMS_SCRATCH "/report.txt";
    o.picture = EMS_SCRATCH "/report.svg";
    int told = 0;
    const ems_run run = {.threads = threads, .log = no_log, .user = &told};
    ems_error err = {0};
    if (ems_dataset_build(OUT, &o, &run, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(told, 1);
}

static json_int_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void test_build(void **state)
{
    (void)state;
    const char *csv = "file,valence,arousal\ndeep/er/b.MIDI,-0.25,0.75\n";
    ems_file_write(EMS_SCRATCH "/labels.csv", csv, strlen(csv), NULL);
    build(EMS_SCRATCH "/labels.csv", 2);
    ems_error err = {0};
    ems_dataset *d = ems_dataset_open(OUT, &err);
    if (!d)
        fail_msg("%s", err.text);
    assert_int_equal(ems_dataset_count(d), 2);
    const ems_dataset_piece a = ems_dataset_get(d, 0);
    const ems_dataset_piece b = ems_dataset_get(d, 1);
    assert_int_equal(a.families, 1);
    assert_true(a.valence >= -1 && a.valence <= 1);
    assert_int_equal(a.tokens[0], EMS_BAR);
    assert_int_equal(a.bar_count, 10); /* 20 s of 2 s */
    assert_int_equal(a.tokens[a.bars[9]], EMS_BAR);
    assert_string_equal(b.name, "deep/er/b.MIDI");
    assert_true(a.song != b.song);
    ems_dataset_close(d);

    json_t *report = ems_json_load(EMS_SCRATCH "/report.json", &err);
    assert_non_null(report);
    assert_int_equal(number(report, "files"), 6);
    assert_int_equal(number(report, "pieces"), 2);
    assert_int_equal(number(report, "songs"), 2);
    const json_t *skipped = json_object_get(report, "skipped");
    assert_int_equal(number(skipped, "unreadable"), 2);
    assert_int_equal(number(skipped, "duplicate"), 1);
    assert_int_equal(number(skipped, "shorter than 8 s"), 1);
    json_decref(report);
}

static void test_same_bytes_on_any_threads(void **state)
{
    (void)state;
    ems_bytes one, three;
    build(NULL, 1);
    assert_int_equal(rename(OUT, OUT ".1"), 0);
    build(NULL, 3);
    assert_int_equal(ems_bytes_map(&one, OUT ".1", 0, NULL), 0);
    assert_int_equal(ems_bytes_map(&three, OUT, 0, NULL), 0);
    assert_int_equal(one.size, three.size);
    assert_memory_equal(one.data, three.data, one.size);
    ems_bytes_unmap(&one);
    ems_bytes_unmap(&three);
}

static int always(void *user)
{
    (void)user;
    return 1;
}

static void test_build_errors(void **state)
{
    (void)state;
    static const char *const nowhere[] = {EMS_SCRATCH "/nowhere"};
    static const char *const folders[] = {FOLDER};
    ems_dataset_options o = ems_dataset_defaults();
    ems_error err = {0};
    assert_int_equal(ems_dataset_build(OUT, &o, NULL, &err), EMS_EINVAL);
    o.folders = nowhere;
    o.folder_count = 1;
    assert_int_equal(ems_dataset_build(OUT, &o, NULL, &err), EMS_EIO);
    o.folders = folders;
    o.held_out = 1;
    assert_int_equal(ems_dataset_build(OUT, &o, NULL, &err), EMS_EINVAL);
    o.held_out = 0.05;
    o.labels = EMS_SCRATCH "/none.csv";
    assert_int_equal(ems_dataset_build(OUT, &o, NULL, &err), EMS_EIO);
    o.labels = NULL;
    assert_int_equal(ems_dataset_build(EMS_SCRATCH "/no/x", &o, NULL, &err),
                     EMS_EIO);
}

/* What stands in the sentence when a build with these options fails. */
static void refused(const ems_dataset_options *o, ems_code code,
                    const char *words)
{
    ems_error err = {0};
    unlink(OUT ".none");
    assert_int_equal(ems_dataset_build(OUT ".none", o, NULL, &err), code);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" lacks \"%s\"", err.text, words);
    assert_int_equal(access(OUT ".none", F_OK), -1);
}

static void test_bad_collections(void **state)
{
    (void)state;
    static const char *const empty[] = {EMS_SCRATCH "/empty"};
    static const char *const broken[] = {EMS_SCRATCH "/broken"};
    assert_int_equal(ems_folder_make(empty[0], NULL), 0);
    assert_int_equal(ems_folder_make(broken[0], NULL), 0);
    ems_file_write(EMS_SCRATCH "/broken/a.mid", "MThd", 4, NULL);
    ems_file_write(EMS_SCRATCH "/broken/b.mid", "", 0, NULL);
    save_tune(EMS_SCRATCH "/broken/c.mid", 3, 2, EMS_PIANO);
    ems_dataset_options o = collection();
    o.folders = empty;
    refused(&o, EMS_EFORMAT, "no MIDI file");
    o.folders = broken;
    refused(&o, EMS_EFORMAT, "none of 3 MIDI files can be used (2 unreadable,"
                             " 1 shorter than 8 s)");
    o = collection();
    const char *csv = "file,valence\nelsewhere.mid,0\n";
    ems_file_write(EMS_SCRATCH "/none.labels", csv, strlen(csv), NULL);
    o.labels = EMS_SCRATCH "/none.labels";
    refused(&o, EMS_EINVAL, "none of the 1 files");
    o.labels = NULL;
    const char *json = "{\"annotations\":{\"p_1\":{\"valence\":[0],"
                       "\"arousal\":[0]}},\"pieces\":{\"p\":{\"midi\":"
                       "\"zz.mid\",\"measures\":1}}}";
    ems_file_write(EMS_SCRATCH "/none.json", json, strlen(json), NULL);
    o.listeners = EMS_SCRATCH "/none.json";
    refused(&o, EMS_EINVAL, "none of the 1 pieces");
    o.listeners = NULL;
    o.features = EMS_SCRATCH "/no.csv";
    refused(&o, EMS_EIO, "no.csv");
}

/* As a user without rights: an unreadable file and folder are passed over. */
static void test_unreadable(void **state)
{
    (void)state;
    static const char *const folders[] = {EMS_SCRATCH "/locked"};
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/locked/in", NULL), 0);
    save_tune(EMS_SCRATCH "/locked/good.mid", 20, 5, EMS_PIANO);
    save_tune(EMS_SCRATCH "/locked/shut.mid", 20, 3, EMS_PIANO);
    save_tune(EMS_SCRATCH "/locked/in/shut.mid", 20, 7, EMS_PIANO);
    assert_int_equal(chmod(EMS_SCRATCH "/locked/shut.mid", 0), 0);
    assert_int_equal(chmod(EMS_SCRATCH "/locked/in", 0), 0);
    const uid_t me = geteuid();
    const int root = me == 0;
    chmod(EMS_SCRATCH "/locked", 0777);
    if (root && (seteuid(65534) != 0 ||
                 access(EMS_SCRATCH "/locked/good.mid", R_OK) != 0)) {
        assert_int_equal(seteuid(me), 0);
        chmod(EMS_SCRATCH "/locked/in", 0700);
        skip(); /* the build tree is closed to others */
    }
    ems_dataset_options o = collection();
    o.folders = folders;
    o.report = EMS_SCRATCH "/locked/report.json";
    ems_error err = {0};
    const int code = ems_dataset_build(EMS_SCRATCH "/locked/set.tok", &o,
                                       NULL, &err);
    if (root)
        assert_int_equal(seteuid(me), 0);
    chmod(EMS_SCRATCH "/locked/in", 0700);
    if (code < 0)
        fail_msg("%s", err.text);
    json_t *report = ems_json_load(o.report, NULL);
    assert_int_equal(number(report, "pieces"), 1);
    assert_int_equal(number(report, "unreadable_folders"), 1);
    assert_int_equal(number(json_object_get(report, "skipped"),
                            "unreadable"), 1);
    json_decref(report);
}

/* The same notes, slower, louder and on another track: once is enough; a
 * semitone higher is another piece. */
static void test_duplicates(void **state)
{
    (void)state;
    static const char *const folders[] = {EMS_SCRATCH "/twice"};
    assert_int_equal(ems_folder_make(folders[0], NULL), 0);
    static const struct { const char *path; double slow; int up, loud; }
    tunes[] = {
        {EMS_SCRATCH "/twice/a.mid", 1, 0, 60},
        {EMS_SCRATCH "/twice/b.mid", 1.25, 0, 90},
        {EMS_SCRATCH "/twice/c.mid", 1, 1, 60},
    };
    for (int i = 0; i < 3; i++) {
        const double beat = 0.5 * tunes[i].slow;
        ems_piece *p = ems_piece_new(64 * beat, NULL);
        for (int k = 0; k < 63; k++)
            assert_int_equal(ems_piece_add_note(p,
                (ems_note){k * beat, beat * 0.9, EMS_PIANO,
                           (uint8_t)(60 + tunes[i].up + k * k % 11),
                           (uint8_t)tunes[i].loud}, NULL), 0);
        for (int k = 0; k < 16; k++)
            ems_piece_add_bar(p, (ems_bar){k * beat * 4, 4}, NULL);
        assert_int_equal(ems_piece_save(p, tunes[i].path, NULL), 0);
        ems_piece_free(p);
    }
    ems_dataset_options o = collection();
    o.folders = folders;
    o.report = EMS_SCRATCH "/report.json";
    ems_error err = {0};
    if (ems_dataset_build(OUT ".twice", &o, NULL, &err) < 0)
        fail_msg("%s", err.text);
    json_t *report = ems_json_load(o.report, NULL);
    assert_int_equal(number(report, "pieces"), 2);
    assert_int_equal(number(json_object_get(report, "skipped"), "duplicate"),
                     1);
    json_decref(report);
}

/* Two folders with a file of the same name: a table in one of them speaks of
 * that one. */
static void test_labels_of_one_folder(void **state)
{
    (void)state;
    static const char *const folders[] = {EMS_SCRATCH "/one",
                                          EMS_SCRATCH "/two"};
    assert_int_equal(ems_folder_make(folders[0], NULL), 0);
    assert_int_equal(ems_folder_make(folders[1], NULL), 0);
    save_tune(EMS_SCRATCH "/one/a.mid", 20, 5, EMS_PIANO);
    save_tune(EMS_SCRATCH "/two/a.mid", 20, 3, EMS_PIANO);
    const char *csv = "file,valence,arousal\na.mid,0.5,0.5\n";
    ems_file_write(EMS_SCRATCH "/two/labels.csv", csv, strlen(csv), NULL);
    ems_dataset_options o = collection();
    o.no_critic = 1;
    o.folders = folders;
    o.folder_count = 2;
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        o.labels = elsewhere ? EMS_SCRATCH "/both.csv"
                             : EMS_SCRATCH "/two/labels.csv";
        ems_file_write(EMS_SCRATCH "/both.csv", csv, strlen(csv), NULL);
        ems_error err = {0};
        if (ems_dataset_build(OUT ".two", &o, NULL, &err) < 0)
            fail_msg("%s", err.text);
        ems_dataset *d = ems_dataset_open(OUT ".two", &err);
        assert_int_equal(ems_dataset_count(d), 2);
        assert_int_equal(!isnan(ems_dataset_get(d, 0).valence), elsewhere);
        assert_true(ems_dataset_get(d, 1).valence > 0.49f);
        ems_dataset_close(d);
    }
}

/* Titles that are left out, by label and by the file's name. */
static void test_exclude(void **state)
{
    (void)state;
    const char *csv = "file,title\ndeep/er/b.MIDI,My \"\"Song\n";
    ems_file_write(EMS_SCRATCH "/titles.csv", csv, strlen(csv), NULL);
    const char *out = "the MY song!\n\nsomething else";
    ems_file_write(EMS_SCRATCH "/out.txt", out, strlen(out), NULL);
    ems_dataset_options o = collection();
    o.labels = EMS_SCRATCH "/titles.csv";
    o.exclude = EMS_SCRATCH "/out.txt";
    o.report = EMS_SCRATCH "/report.json";
    ems_error err = {0};
    if (ems_dataset_build(OUT ".some", &o, NULL, &err) < 0)
        fail_msg("%s", err.text);
    json_t *report = ems_json_load(o.report, NULL);
    assert_int_equal(number(report, "pieces"), 1);
    assert_int_equal(number(json_object_get(report, "skipped"), "excluded"),
                     1);
    json_decref(report);
    ems_file_write(EMS_SCRATCH "/out.txt", "a\nAgain\nMy Song", 15, NULL);
    assert_int_equal(ems_dataset_build(OUT ".some", &o, NULL, &err),
                     EMS_EFORMAT);
}

static void test_full_disk(void **state)
{
    (void)state;
    build(NULL, 1); /* leaves a good file */
    ems_dataset_options o = collection();
    ems_error err = {0};
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit small = {200, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int code = ems_dataset_build(OUT, &o, NULL, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(code, EMS_EIO);
    assert_non_null(strstr(err.text, "cannot write"));
    ems_dataset *d = ems_dataset_open(OUT, NULL);
    assert_non_null(d); /* still the old one */
    ems_dataset_close(d);
}

static void test_cancel_and_memory(void **state)
{
    (void)state;
    ems_dataset_options o = collection();
    ems_error err = {0};
    const char *csv = "file,valence,title\na.mid,0.5,A Song\n";
    ems_file_write(EMS_SCRATCH "/oom.csv", csv, strlen(csv), NULL);
    const char *songs = "artist,title,valence\nx,y,0.5\n";
    ems_file_write(EMS_SCRATCH "/oom.songs", songs, strlen(songs), NULL);
    const char *scores = "file,anger,disgust,fear,joy,sadness,surprise\n"
                         "a.mid,0,0,0,1,0,0\n";
    ems_file_write(EMS_SCRATCH "/oom.scores", scores, strlen(scores), NULL);
    const char *rated = "{\"annotations\":{\"p_1\":{\"valence\":[0],"
                        "\"arousal\":[0]}},\"pieces\":{\"p\":{\"midi\":"
                        "\"a.mid\",\"measures\":1}}}";
    ems_file_write(EMS_SCRATCH "/oom.json", rated, strlen(rated), NULL);
    const char *sources = "source,licence\ncollection,MIT\n";
    ems_file_write(EMS_SCRATCH "/oom.src", sources, strlen(sources), NULL);
    o.critic = EMS_MODELS_SOURCE "/emsync-critic.safetensors";
    o.labels = EMS_SCRATCH "/oom.csv";
    o.features = EMS_SCRATCH "/oom.songs";
    o.emotions = EMS_SCRATCH "/oom.scores";
    o.listeners = EMS_SCRATCH "/oom.json";
    o.sources = EMS_SCRATCH "/oom.src";
    o.exclude = EMS_SCRATCH "/oom.src";
    const ems_run run = {.threads = 1, .cancelled = always};
    assert_int_equal(ems_dataset_build(OUT, &o, &run, &err), EMS_ECANCELLED);
    const ems_run one = {.threads = 1};
    for (long n = 1; n < 10000; n++) {
        ems_alloc_fail_at(n);
        const int code = ems_dataset_build(OUT, &o, &one, &err);
        ems_alloc_fail_at(0);
        if (code == EMS_OK) {
            assert_true(n > 20);
            return;
        }
        assert_int_equal(code, EMS_ENOMEM);
    }
    fail_msg("never enough memory");
}

/* Every byte of a token file changed: opened or refused, never worse. */
static void test_damaged(void **state)
{
    (void)state;
    build(NULL, 1);
    ems_bytes file;
    assert_int_equal(ems_bytes_map(&file, OUT, 0, NULL), 0);
    uint8_t *copy = ems_alloc(file.size, 1);
    memcpy(copy, file.data, file.size);
    size_t refused = 0;
    for (size_t i = 0; i < EMS_DATASET_HEADER + 2 * EMS_DATASET_PIECE; i++) {
        copy[i] ^= 0xff;
        assert_int_equal(ems_file_write(OUT ".bad", copy, file.size, NULL),
                         0);
        ems_error err = {0};
        ems_dataset *d = ems_dataset_open(OUT ".bad", &err);
        assert_true(d || err.code == EMS_EFORMAT);
        refused += !d;
        ems_dataset_close(d);
        copy[i] ^= 0xff;
    }
    assert_true(refused > EMS_DATASET_HEADER);
    for (size_t n = 0; n < file.size; n += 37) {
        assert_int_equal(ems_file_write(OUT ".bad", copy, n, NULL), 0);
        assert_null(ems_dataset_open(OUT ".bad", NULL));
    }
    ems_free(copy);
    ems_bytes_unmap(&file);
}

/* Four bars of one second each, of which two have a valence. */
static void test_affect(void **state)
{
    (void)state;
    const uint16_t second = EMS_SHIFT_BASE + 125;
    const uint16_t tokens[] = {EMS_BAR, second, EMS_BAR, second,
                               EMS_BAR, second, second, EMS_BAR, second};
    const uint32_t bars[] = {0, 2, 4, 7};
    const float affect[] = {NAN, NAN, -0.5f, NAN, 0.5f, NAN, NAN, NAN};
    const ems_dataset_piece p = {
        .tokens = tokens, .token_count = 9, .bars = bars, .bar_count = 4,
        .affect = affect, .valence = 0.9f, .arousal = -0.9f,
    };
    static const struct { size_t first, count; float want; } cases[] = {
        {0, 9, 1.0f / 6}, {0, 2, 0.9f}, {2, 2, -0.5f}, {3, 3, 0},
        {5, 2, 0.5f}, {7, 2, 0.9f}, {6, 3, 0.5f}, {0, 0, 0.9f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float v, a;
        ems_dataset_affect(&p, cases[i].first, cases[i].count, &v, &a);
        assert_float_equal(v, cases[i].want, 1e-6);
        assert_float_equal(a, -0.9f, 0);
    }
}

static void test_old_version(void **state)
{
    (void)state;
    build(NULL, 1);
    ems_bytes file;
    assert_int_equal(ems_bytes_map(&file, OUT, 0, NULL), 0);
    uint8_t *copy = ems_alloc(file.size, 1);
    memcpy(copy, file.data, file.size);
    copy[8] = 1;
    assert_int_equal(ems_file_write(OUT ".bad", copy, file.size, NULL), 0);
    ems_free(copy);
    ems_bytes_unmap(&file);
    ems_error err = {0};
    assert_null(ems_dataset_open(OUT ".bad", &err));
    assert_non_null(strstr(err.text, "version 1"));
    assert_non_null(strstr(err.text, "build the data set anew"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_bad_labels),
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_same_bytes_on_any_threads),
        cmocka_unit_test(test_build_errors),
        cmocka_unit_test(test_bad_collections),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_labels_of_one_folder),
        cmocka_unit_test(test_exclude),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_cancel_and_memory),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_affect),
        cmocka_unit_test(test_old_version),
    };
    return cmocka_run_group_tests(tests, make_collection, NULL);
}

/* What is known of songs from outside: names, tables, ratings, words. */
#include "ems_test.h"

#include "base/file.h"
#include "base/md5.h"
#include "base/mem.h"
#include "music/dataset_origin.h"
#include "music/emotions.h"
#include "music/features.h"
#include "music/listeners.h"
#include "music/lyrics.h"
#include "music/names.h"

#include <math.h>

static void test_names(void **state)
{
    (void)state;
    static const char *const cases[][3] = { /* text, title, whole */
        {"The Beatles", "beatles", "beatles"},
        {"D\xc3\xa9j\xc3\xa0 Vu (Live) [2009]", "deja vu",
         "deja vu live 2009"},
        {"Garota de Ipanema feat. Somebody", "garota de ipanema",
         "garota de ipanema feat somebody"},
        {"AC/DC", "ac dc", "ac dc"},
        {"Don't_Stop-Me", "dont stop me", "dont stop me"},
        {"Bj\xf6rk & Co.", "bjork and co", "bjork and co"}, /* Latin-1 */
        {"(I Can't Get No) Satisfaction", "i cant get no satisfaction",
         "i cant get no satisfaction"},
        {"Stra\xc3\x9f" "e \xc3\x86on", "strasse aeon", "strasse aeon"},
        {"Feat of Clay", "feat of clay", "feat of clay"},
        {"\xe2\x80\x99\xff\xc3", "ya", "ya"},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[EMS_NAME_ROOM];
        for (int whole = 0; whole < 2; whole++) {
            const size_t n = ems_name_plain(out, sizeof out, cases[i][0],
                                            strlen(cases[i][0]), whole);
            assert_int_equal(n, strlen(out));
            assert_string_equal(out, cases[i][1 + whole]);
        }
    }
    char small[8];
    assert_int_equal(ems_name_plain(small, sizeof small, "abcd efgh", 9, 0),
                     7);
    assert_string_equal(small, "abcd ef");
    assert_true(ems_name_within("abba dancing queen", "abba"));
    assert_true(ems_name_within("my abba", "abba"));
    assert_false(ems_name_within("abbas", "abba"));
    assert_false(ems_name_within("fabba abbab", "abba"));
}

static void test_md5(void **state)
{
    (void)state;
    static const char *const cases[][2] = { /* RFC 1321, A.5 */
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"1234567890123456789012345678901234567890123456789012345678901234"
         "5678901234567890", "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < 3; i++) {
        char out[33];
        ems_md5_hex(cases[i][0], strlen(cases[i][0]), out);
        assert_string_equal(out, cases[i][1]);
    }
}

/* ---- Features ---------------------------------------------------------------- */

static ems_features *features(const char *text, ems_error *err)
{
    return ems_features_parse(text, strlen(text), "f.csv", err);
}

static void test_features(void **state)
{
    (void)state;
    const char *table =
        "track_id,artist,title,tempo,valence,energy\n"
        "TRAAAGR128F425B14B,Cyndi Lauper,Into The Nightlife,122,0.75,0.5\n"
        ",ABBA,Dancing Queen,100,1,0.9\n"
        ",The Dancing Queens,Dancing Queen (Live),100,0.5,0.9\n"
        ",Somebody,Untold,100,,0.9\n"
        ",Somebody,Zero,100,0,0.9\n"
        ",Peter Alexander,Caf\xc3\xa9 Orient\xc3\xa9,90,0.25,\n"
        ",Peter Alexander,Caf\xc3\xa9 Orient\xc3\xa9 (Remix),90,0.75,\n"
        ",Angel,Angel,90,0.25,\n";
    ems_error err = {0};
    ems_features *f = features(table, &err);
    if (!f)
        fail_msg("%s", err.text);
    assert_int_equal(ems_features_count(f), 6);
    static const struct { const char *path; float want; } cases[] = {
        {"A/A/A/TRAAAGR128F425B14B/1d9d16a9da90c090809c153754823c2b.mid",
         0.5f},
        {"x/TRAAAGR128F425B14BX.mid", NAN},
        {"ABBA/Dancing Queen.mid", 1},
        {"abba/dancing_queen.2.mid", 1},
        {"ABBA - Dancing Queen.mid", 1},
        {"Dancing Queen-ABBA.mid", 1},
        {"Dancing Queen by ABBA.kar", 1},
        {"pop/The Dancing Queens - Dancing Queen.mid", 0},
        {"Someone Else/Dancing Queen.mid", NAN},
        {"Dancing Queen.mid", NAN},
        {"Somebody/Zero.mid", NAN},
        {"peter alexander - cafe oriente.mid", 0}, /* two rows' mean */
        {"Angel/Angel.mid", NAN},  /* the title is no artist */
        {"-.mid", NAN}, {".mid", NAN}, {"", NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double v = ems_features_find(f, cases[i].path, NULL);
        if (isnan(cases[i].want) ? !isnan(v)
                                 : fabs(v - (double)cases[i].want) > 1e-6)
            fail_msg("%s: %g", cases[i].path, v);
    }
    ems_features_free(f);
    assert_null(features("artist,title\n", &err));
    assert_non_null(strstr(err.text, "line 1"));
    assert_null(features("artist,title,valence\na,b,1.5\n", &err));
    assert_non_null(strstr(err.text, "line 2"));
    f = features("artist,title,valence\n", &err); /* no row: no match */
    assert_true(isnan(ems_features_find(f, "TRAAAGR128F425B14B/a.mid",
                                        NULL)));
    ems_features_free(f);
}

/* A file whose texts are given as {kind, text}. */
static void texts(ems_midi *m, const char *const (*list)[2], size_t count,
                  ems_midi_text *events, char *room)
{
    *m = (ems_midi){.text_events = events, .text_count = count,
                    .texts = room};
    for (size_t i = 0; i < count; i++) {
        const size_t n = strlen(list[i][1]);
        memcpy(room + m->texts_size, list[i][1], n);
        events[i] = (ems_midi_text){
            .kind = (ems_midi_text_kind)(list[i][0][0] - '0'),
            .track = (uint32_t)(list[i][0][1] - '0'),
            .at = m->texts_size, .length = n};
        m->texts_size += n;
    }
}

static void test_features_in_texts(void **state)
{
    (void)state;
    ems_features *f = features("artist,title,valence\nABBA,Waterloo,0.75\n",
                               NULL);
    static const char *const list[][2] = {
        {"30", ""}, {"10", "@TWaterloo"}, {"10", "@TAbba"}};
    ems_midi m;
    ems_midi_text events[3];
    char room[100];
    texts(&m, list, 3, events, room);
    assert_float_equal(ems_features_find(f, "x.kar", &m), 0.5, 1e-6);
    assert_true(isnan(ems_features_find(f, "x.kar", NULL)));
    texts(&m, list, 2, events, room); /* nobody named */
    assert_true(isnan(ems_features_find(f, "x.kar", &m)));
    static const char *const spaced[][2] = {
        {"30", "Waterloo"}, {"10", "music by Abba, 1974"}};
    texts(&m, spaced, 2, events, room);
    assert_float_equal(ems_features_find(f, "x.mid", &m), 0.5, 1e-6);
    ems_features_free(f);
}

/* ---- Emotion scores ------------------------------------------------------------ */

static ems_emotions *emotions(const char *text, ems_error *err)
{
    return ems_emotions_parse(text, strlen(text), "e.csv", err);
}

#define HASH "0123456789abcdef0123456789abcdef"

static void test_emotions(void **state)
{
    (void)state;
    ems_error err = {0};
    ems_emotions *e = emotions(
        "file,anger,disgust,fear,joy,neutral,sadness,surprise\n"
        "lakh/0/" HASH ".mid,0.1,0,0,0.5,0.25,0.125,0\n"
        "reddit/5/a.mid,0,0,0,1,0,0,0\n"
        "reddit/6/a.mid,0,0,0,0,0,1,0\n", &err);
    if (!e)
        fail_msg("%s", err.text);
    assert_int_equal(ems_emotions_count(e), 3);
    const float *s = ems_emotions_find(e, "lakh/0/" HASH ".mid", NULL);
    assert_non_null(s);
    assert_float_equal(s[EMS_SADNESS], 0.125, 1e-6);
    assert_float_equal(s[EMS_EKMAN], 0.25, 1e-6); /* neutral */
    assert_ptr_equal(ems_emotions_find(e, "0/" HASH ".mid", NULL), s);
    assert_ptr_equal(ems_emotions_find(e, "other/" HASH ".mid", NULL), s);
    assert_ptr_equal(ems_emotions_find(e, "name.mid", HASH), s);
    assert_null(ems_emotions_find(e, "name.mid", NULL));
    s = ems_emotions_find(e, "6/a.mid", NULL);
    assert_true(s && s[EMS_SADNESS] > 0.9f);
    assert_true(ems_emotions_find(e, "x/reddit/5/a.mid", NULL)[EMS_JOY] >
                0.9f);
    assert_null(ems_emotions_find(e, "7/a.mid", NULL));
    assert_null(ems_emotions_find(e, "16/a.mid", NULL));
    float v, a;
    ems_emotions_affect(s, &v, &a);
    assert_float_equal(v, -0.7886, 1e-3); /* facts: all sadness */
    assert_float_equal(a, -0.8, 1e-3);
    const float neutral[7] = {0, 0, 0, 0.5f, 0, 0, 0.5f}, none[7] = {0};
    ems_emotions_affect(neutral, &v, &a);
    assert_float_equal(v, 0.4, 1e-3); /* half of joy's */
    ems_emotions_affect(none, &v, &a);
    assert_true(isnan(v) && isnan(a));
    ems_emotions_free(e);
    assert_null(emotions("file,anger\nx,0\n", &err));
    assert_non_null(strstr(err.text, "line 1"));
    assert_null(emotions("file,anger,disgust,fear,joy,sadness,surprise\n"
                         "x,0,0,0,2,0,0\n", &err));
    assert_non_null(strstr(err.text, "\"joy\""));
}

static void test_emotions_round_trip(void **state)
{
    (void)state;
    static const char *const names[7] = {"anger", "disgust", "fear", "joy",
                                         "sadness", "surprise", "neutral"};
    const float scores[7] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.99999f};
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    ems_emotions_put(f, NULL, NULL, names, 7);
    ems_emotions_put(f, "a \"b\", c.mid", scores, NULL, 7);
    fclose(f);
    assert_string_equal(text,
        "file,anger,disgust,fear,joy,neutral,sadness,surprise\n"
        "\"a \"\"b\"\", c.mid\",0.1000,0.2000,0.3000,0.4000,1.0000,0.5000,"
        "0.6000\n");
    ems_emotions *e = emotions(text, NULL);
    const float *back = ems_emotions_find(e, "a \"b\", c.mid", NULL);
    assert_non_null(back);
    for (int i = 0; i < 7; i++)
        assert_float_equal(back[i], scores[i], 1e-4);
    ems_emotions_free(e);
    free(text);
    /* the 28 labels are summed up */
    e = emotions("file,anger,annoyance,disgust,fear,joy,love,sadness,grief,"
                 "surprise\nx,0.1,0.2,0,0,0.3,0.5,0,0.25,0\n", NULL);
    back = ems_emotions_find(e, "x", NULL);
    assert_float_equal(back[EMS_ANGER], 0.3, 1e-6);
    assert_float_equal(back[EMS_JOY], 0.8, 1e-6);
    assert_float_equal(back[EMS_SADNESS], 0.25, 1e-6);
    ems_emotions_free(e);
}

/* ---- Listeners -------------------------------------------------------------------- */

static int listen(ems_listeners *l, const char *json, ems_error *err)
{
    *l = (ems_listeners){0};
    return ems_listeners_parse(l, json, strlen(json), "l.json", err);
}

static void test_listeners(void **state)
{
    (void)state;
    ems_listeners l;
    ems_error err = {0};
    const char *json =
        "{\"annotations\":{"
        "\"piece1_1\":{\"valence\":[0.5,0,1],\"arousal\":[-1,0.5]},"
        "\"piece1_2\":{\"valence\":[-0.5,0],\"arousal\":[0,0.5]},"
        "\"piece10_1\":{\"valence\":[1],\"arousal\":[1]}},"
        "\"pieces\":{"
        "\"piece1\":{\"midi\":\"x/a b.mid\",\"measures\":2},"
        "\"piece10\":{\"midi\":\"c.mid\",\"measures\":3},"
        "\"piece2\":{\"midi\":\"unrated.mid\",\"measures\":3}}}";
    if (listen(&l, json, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(l.count, 2);
    const ems_listened *a = ems_listeners_find(&l, "some/where/a b.mid");
    assert_non_null(a);
    assert_int_equal(a->people, 2);
    assert_int_equal(a->points, 2);
    assert_float_equal(a->values[0], 0, 1e-6);
    assert_float_equal(a->values[1], -0.5, 1e-6);
    assert_float_equal(a->values[3], 0.5, 1e-6);
    const ems_listened *c = ems_listeners_find(&l, "c.mid");
    assert_true(c->people == 1 && isnan(c->values[2]));
    assert_null(ems_listeners_find(&l, "unrated.mid"));
    ems_listeners_clear(&l);
    static const char *const bad[][2] = {
        {"[]", "not an object"},
        {"{\"annotations\":{}}", "pieces"},
        {"{\"annotations\":{},\"pieces\":{\"p\":1}}", "pieces.p"},
        {"{\"annotations\":{},\"pieces\":{\"p\":{\"midi\":\"a\","
         "\"measures\":100000}}}", "measures"},
        {"{\"annotations\":{\"p_1\":{\"valence\":[3],\"arousal\":[0]}},"
         "\"pieces\":{\"p\":{\"midi\":\"a\",\"measures\":1}}}", "[-1,1]"},
        {"{\"annotations\":{\"p_1\":{\"valence\":[\"x\"],\"arousal\":[]}},"
         "\"pieces\":{\"p\":{\"midi\":\"a\",\"measures\":1}}}", "number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(listen(&l, bad[i][0], &err), EMS_EFORMAT);
        if (!strstr(err.text, bad[i][1]))
            fail_msg("\"%s\" lacks \"%s\"", err.text, bad[i][1]);
        assert_null(l.items);
    }
}

/* ---- Words --------------------------------------------------------------------------- */

enum { EVENTS = 80 };

static void test_lyrics(void **state)
{
    (void)state;
    static const char *list[EVENTS][2];
    ems_midi m;
    ems_midi_text events[EVENTS];
    char room[EVENTS * 40], *out;
    size_t size;
    /* syllables with their blanks, and a second track with fewer */
    for (int i = 0; i < 40; i++) {
        list[i][0] = i % 4 == 3 ? "52" : "51";
        list[i][1] = i % 2 ? "lo " : "\rhel";
    }
    texts(&m, list, 40, events, room);
    assert_int_equal(ems_lyrics_take(&out, &size, &m, NULL), EMS_OK);
    assert_non_null(out);
    assert_int_equal(strncmp(out, "\nhello \nhel\nhello ", 18), 0);
    assert_int_equal(strlen(out), size);
    ems_free(out);
    /* no blanks at all: words and "hel-", "lo" */
    for (int i = 0; i < 40; i++) {
        list[i][0] = "51";
        list[i][1] = i % 3 == 2 ? "hel-" : i % 3 ? "all" : "lo";
    }
    texts(&m, list, 40, events, room);
    assert_int_equal(ems_lyrics_take(&out, &size, &m, NULL), EMS_OK);
    assert_int_equal(strncmp(out, "lo all hello all hello", 22), 0);
    ems_free(out);
    /* karaoke: text events, headings left out */
    for (int i = 0; i < 40; i++) {
        list[i][0] = "11";
        list[i][1] = i < 2 ? "@TTitle" : i % 5 == 2 ? "\\some" : " words";
    }
    texts(&m, list, 40, events, room);
    assert_int_equal(ems_lyrics_take(&out, &size, &m, NULL), EMS_OK);
    assert_int_equal(strncmp(out, "\nsome words", 11), 0);
    assert_null(strchr(out, '@'));
    ems_free(out);
    /* too little to be words; a few texts */
    texts(&m, list, 10, events, room);
    assert_int_equal(ems_lyrics_take(&out, &size, &m, NULL), EMS_OK);
    assert_null(out);
}

/* ---- Sources and licences ---------------------------------------------------------- */

static void origin(const char *path, const char *top, const ems_label *label,
                   ems_build *b, ems_origins *o, ems_built_piece *p)
{
    const ems_midi_file f = {(char *)(uintptr_t)path, 0, strlen(top) + 1};
    *p = (ems_built_piece){0};
    assert_int_equal(ems_origin_set(p, b, o, &f, label, NULL), EMS_OK);
}

static void test_origins(void **state)
{
    (void)state;
    const char *table = "source,licence,weight\nmine,MIT,3\nother,,0.5\n";
    ems_origins o;
    ems_error err = {0};
    assert_int_equal(ems_origins_parse(&o, table, strlen(table), "s.csv",
                                       &err), EMS_OK);
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/top/free", NULL), EMS_OK);
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/top/bare", NULL), EMS_OK);
    ems_file_write(EMS_SCRATCH "/top/free/COPYING",
                   "\nCopyright \xc2\xa9 me\n  == GNU General Public License"
                   " ==\nVersion 2", 62, NULL);
    ems_file_write(EMS_SCRATCH "/top/LICENSE.md", "# CC0 1.0\n", 10, NULL);
    ems_build b = {0};
    ems_words_add(&b.words, "");
    ems_built_piece p;
    const char *top = EMS_SCRATCH "/top";
    origin(EMS_SCRATCH "/top/free/x.mid", top, NULL, &b, &o, &p);
    assert_string_equal(b.words.items[p.source], "free");
    assert_string_equal(b.words.items[p.licence],
                        "GNU General Public License");
    assert_float_equal(p.weight, 1, 0);
    origin(EMS_SCRATCH "/top/bare/deep/x.mid", top, NULL, &b, &o, &p);
    assert_string_equal(b.words.items[p.source], "bare");
    assert_string_equal(b.words.items[p.licence], "CC0 1.0");
    origin(EMS_SCRATCH "/top/x.mid", top, NULL, &b, &o, &p);
    assert_string_equal(b.words.items[p.source], "top");
    const ems_label label = {.song = "", .source = "mine", .licence = "",
                             .style = "waltz"};
    origin(EMS_SCRATCH "/top/free/y.mid", top, &label, &b, &o, &p);
    assert_string_equal(b.words.items[p.licence], "MIT");
    assert_string_equal(b.words.items[p.style], "waltz");
    assert_float_equal(p.weight, 3, 0);
    /* a tree of very many folders is one source */
    enum { MANY = EMS_ORIGIN_FOLDERS + 1 };
    char paths[MANY][16];
    ems_midi_file list[MANY + 1];
    for (int i = 0; i < MANY; i++) {
        snprintf(paths[i], sizeof paths[i], "t/%02d/x.mid", i);
        list[i] = (ems_midi_file){paths[i], 0, 2};
    }
    ems_midi_files files = {.items = list, .count = MANY - 1};
    assert_int_equal(ems_origins_look(&o, &files, 1, NULL), EMS_OK);
    assert_int_equal(o.scattered[0], 0);
    ems_free(o.scattered);
    files.count = MANY;
    assert_int_equal(ems_origins_look(&o, &files, 1, NULL), EMS_OK);
    assert_int_equal(o.scattered[0], 1);
    origin(EMS_SCRATCH "/top/free/x.mid", top, NULL, &b, &o, &p);
    assert_string_equal(b.words.items[p.source], "top");
    ems_words_clear(&b.words);
    ems_origins_clear(&o);
    table = "source,weight\nx,-1\n";
    assert_int_equal(ems_origins_parse(&o, table, strlen(table), "s.csv",
                                       &err), EMS_EFORMAT);
    assert_non_null(strstr(err.text, "line 2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_md5),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_features_in_texts),
        cmocka_unit_test(test_emotions),
        cmocka_unit_test(test_emotions_round_trip),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_lyrics),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

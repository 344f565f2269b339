/* Tables of labels: what is read, and one sentence for what is broken. */
#include "ems_test.h"

#include "fusion/labels.h"

static int parse(ems_label_set *s, const char *text, int genres,
                 ems_error *err)
{
    return ems_label_set_parse(s, text, strlen(text), "labels.csv", genres,
                               err);
}

static void emotions(void **state)
{
    (void)state;
    ems_label_set s;
    assert_int_equal(parse(&s, "file,emotion,split,group\n"
                           "a.mp4,joy,train,x\nb.mp4, Fear ,test,y\n"
                           "c.mp4,,val,x\n", 0, NULL), EMS_OK);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.groups, 2);
    assert_true(s.has_emotion && !s.has_affect && s.has_split);
    assert_true(s.label[0].clip.emotion[EMS_JOY] == 1);
    assert_true(s.label[1].clip.emotion[EMS_FEAR] == 1);
    assert_int_equal(s.label[1].clip.split, EMS_SPLIT_TEST);
    assert_int_equal(s.label[2].clip.known, 0);
    assert_int_equal(s.label[0].clip.group, s.label[2].clip.group);
    assert_int_not_equal(s.label[0].clip.group, s.label[1].clip.group);
    ems_label_set_clear(&s);
}

static void shares_and_affect(void **state)
{
    (void)state;
    ems_label_set s;
    assert_int_equal(parse(&s, "video,anger,sadness,valence,arousal\n"
                           "a,1,3,-0.5,0.25\n", 0, NULL), EMS_OK);
    assert_float_equal(s.label[0].clip.emotion[EMS_SADNESS], 0.75, 1e-6);
    assert_float_equal(s.label[0].clip.affect[0], -0.5, 1e-6);
    assert_int_equal(s.label[0].clip.known,
                     EMS_KNOWN_EMOTION | EMS_KNOWN_AFFECT);
    ems_label_set_clear(&s);
}

/* Pictures of one theme are one group; ratings of 1..7 become -1..1. */
static void oasis(void **state)
{
    (void)state;
    ems_label_set s;
    assert_int_equal(parse(&s, "id,Theme,Valence_mean,Arousal_mean\n"
                           "I1,Acorns 1,4.6,2.5\nI2,Acorns 2 ,7,1\n"
                           "I3,Beach 1,4,4\n", 0, NULL), EMS_OK);
    assert_string_equal(s.label[1].file, "Acorns 2");
    assert_int_equal(s.groups, 2);
    assert_int_equal(s.label[0].clip.group, s.label[1].clip.group);
    assert_float_equal(s.label[0].clip.affect[0], 0.2, 1e-6);
    assert_float_equal(s.label[1].clip.affect[0], 1, 1e-6);
    assert_float_equal(s.label[1].clip.affect[1], -1, 1e-6);
    ems_label_set_clear(&s);
}

/* As the trailers' own table writes them; new ones move the others. */
static void genres(void **state)
{
    (void)state;
    ems_label_set s;
    assert_int_equal(parse(&s, "imdb_id,youtube_id,genres\n"
                           "t1,f0y,\"['Drama', 'History']\"\n"
                           "t2,RXz,Comedy|Drama\nt3,abc,Sci-Fi\n", 1, NULL),
                     EMS_OK);
    assert_int_equal(s.genres, 4);
    assert_string_equal(s.genre[0], "Comedy");
    assert_string_equal(s.genre[3], "Sci-Fi");
    const float first[4] = {0, 1, 1, 0}, second[4] = {1, 1, 0, 0};
    assert_memory_equal(s.label[0].clip.genre, first, sizeof first);
    assert_memory_equal(s.label[1].clip.genre, second, sizeof second);
    assert_string_equal(s.label[2].file, "abc");
    ems_label_set_clear(&s);
}

static void broken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        int genres;
    } CASES[] = {
        {"", "labels.csv", 0},
        {"emotion\njoy\n", "no column \"file\"", 0},
        {"file,mood\na,joy\n", "no column \"emotion\"", 0},
        {"file,valence\na,0\n", "go together", 0},
        {"file,emotion\na,joy\nb,happy\n", "line 3: \"happy\" is none of", 0},
        {"file,emotion\n,joy\n", "names no file", 0},
        {"file,emotion\na,joy\na,fear\n", "\"a\" is there twice", 0},
        {"file,emotion\na,\n", "not a single label", 0},
        {"file,emotion,split\na,joy,half\n", "\"half\" is no split", 0},
        {"file,valence,arousal\na,2,0\n", "[-1,1]", 0},
        {"file,anger\na,-3\n", "column \"anger\"", 0},
        {"Theme,Valence_mean,Arousal_mean\nA 1,8,1\n", "[1,7]", 0},
        {"file,emotion\na,joy\n", "no column \"genres\"", 1},
        {"file,genres\na,\"Drama\n", "quote", 1},
        {"file,genres\na,A genre whose name is far too long to be one\n",
         "too long", 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        ems_label_set s;
        ems_error err;
        assert_int_equal(parse(&s, CASES[i].text, CASES[i].genres, &err),
                         EMS_EFORMAT);
        if (!strstr(err.text, CASES[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.text, CASES[i].says);
        assert_null(strchr(err.text, '\n'));
        assert_null(s.label);
    }
}

static void too_many_genres(void **state)
{
    (void)state;
    ems_label_set s;
    ems_error err;
    char text[512] = "file,genres\na,";
    for (int i = 0; i < 33; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "g%d|", i);
    assert_int_equal(parse(&s, text, 1, &err), EMS_EFORMAT);
    assert_non_null(strstr(err.text, "32 are the most"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emotions),
        cmocka_unit_test(shares_and_affect),
        cmocka_unit_test(oasis),
        cmocka_unit_test(genres),
        cmocka_unit_test(broken),
        cmocka_unit_test(too_many_genres),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* analysis.json: what is written reads back, what is wrong is refused by its
 * place; and whole films made here go through. */
#include "ems_test.h"

#include "base/mem.h"
#include "emotion/analysis.h"

#include <math.h>

#define HEAD                                                                \
    "{\"format\": \"emsync-analysis\", \"version\": 1, \"source\": \"a.mp4\"," \
    " \"duration\": 10, \"fps\": 25, \"width\": 640, \"height\": 360,"
#define EMOTION                                                             \
    "\"emotion\": {\"anger\": 0.1, \"disgust\": 0.1, \"fear\": 0.1,"         \
    " \"joy\": 0.5, \"sadness\": 0.1, \"surprise\": 0.1}"
#define CUTS                                                                \
    "\"cuts\": [{\"time\": 4, \"kind\": \"cut\", \"strength\": 0.5},"        \
    " {\"time\": 6.5, \"kind\": \"fade_in\", \"strength\": 1}]"
#define SHOTS                                                               \
    "\"shots\": [{\"start\": 0, \"end\": 4, \"valence\": 0.1,"              \
    " \"arousal\": -0.2, " EMOTION ", \"features\": {\"motion\": 2.5}}]"
#define CURVE                                                               \
    "\"curve\": [{\"time\": 0, \"valence\": 0.1, \"arousal\": 0.2},"         \
    " {\"time\": 10, \"valence\": -1, \"arousal\": 1}]"
#define GOOD HEAD EMOTION "," CUTS "," SHOTS "," CURVE "}"
#define HEARD(speech, loudness)                                             \
    HEAD EMOTION "," CUTS "," SHOTS "," CURVE ", \"speech\": [" speech "]," \
    " \"music\": [{\"from\": 0, \"to\": 10}], \"loudness\": {" loudness "}}"
#define SPANS "{\"from\": 1, \"to\": 2}, {\"from\": 3.5, \"to\": 5}"
#define LEVELS "\"step\": 0.5, \"whole\": -23.1, \"lufs\": [-20.5, -70, 1]"


static ems_analysis *parse(const char *text, ems_error *err)
{
    return ems_analysis_parse(text, strlen(text), "x.json", err);
}

static void good_file_is_read(void **state)
{
    (void)state;
    ems_error err;
    size_t n;
    ems_analysis *a = parse(GOOD, &err);
    assert_non_null(a);
    assert_true(ems_analysis_duration(a) == 10 && ems_analysis_fps(a) == 25);
    const ems_cut *cuts = ems_analysis_cuts(a, &n);
    assert_int_equal(n, 2);
    assert_int_equal(cuts[1].kind, EMS_FADE_IN);
    const ems_knot *k = ems_analysis_curve(a, &n);
    assert_int_equal(n, 2);
    assert_true(k[1].valence == -1);
    assert_true(ems_analysis_emotion(a)[EMS_JOY] == 0.5);
    assert_true(a->shots[0].features.motion == 2.5);
    assert_true(isnan(a->shots[0].features.loudness));
    ems_analysis_free(a);
}

static void what_was_heard_is_read(void **state)
{
    (void)state;
    ems_error err;
    size_t n;
    double step, whole;
    ems_analysis *a = parse(HEARD(SPANS, LEVELS), &err);
    assert_non_null(a);
    assert_int_equal(ems_analysis_save(a, EMS_SCRATCH "/h.json", &err),
                     EMS_OK);
    ems_analysis_free(a);
    a = ems_analysis_load(EMS_SCRATCH "/h.json", &err);
    assert_non_null(a);
    const ems_stretch *s = ems_analysis_speech(a, &n);
    assert_true(n == 2 && s[1].from == 3.5 && s[1].to == 5);
    s = ems_analysis_music(a, &n);
    assert_true(n == 1 && s[0].to == 10);
    const float *lufs = ems_analysis_loudness(a, &n, &step, &whole);
    assert_true(n == 3 && step == 0.5 && whole == -23.1);
    assert_float_equal(lufs[0], -20.5, 1e-6);
    ems_analysis_free(a);
    a = parse(GOOD, &err); /* as written before these were known */
    assert_null(ems_analysis_speech(a, &n));
    assert_int_equal(n, 0);
    assert_null(ems_analysis_loudness(a, &n, &step, &whole));
    ems_analysis_free(a);
}

static void written_file_reads_back(void **state)
{
    (void)state;
    ems_error err;
    ems_analysis *a = parse(GOOD, &err);
    assert_non_null(a);
    a->source[0] = (char)0xff; /* a file name that is not UTF-8 */
    assert_int_equal(ems_analysis_save(a, EMS_SCRATCH "/a.json", &err),
                     EMS_OK);
    ems_analysis *b = ems_analysis_load(EMS_SCRATCH "/a.json", &err);
    assert_non_null(b);
    assert_string_equal(b->source, "?.mp4");
    assert_int_equal(b->knot_count, a->knot_count);
    assert_memory_equal(b->curve, a->curve, 2 * sizeof *a->curve);
    assert_memory_equal(b->emotion, a->emotion, sizeof a->emotion);
    ems_analysis_free(a);
    ems_analysis_free(b);
}

static void bad_files_are_refused_by_place(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"", "line 1"},
        {"[]", "object"},
        {HEAD EMOTION "," CUTS "," SHOTS "}", "curve: missing"},
        {HEAD EMOTION "," CUTS "," SHOTS ",\"curve\": []}", "empty"},
        {HEAD EMOTION ",\"cuts\": [{\"time\": 11, \"kind\": \"cut\","
         " \"strength\": 0}]," SHOTS "," CURVE "}", "cuts[0].time"},
        {HEAD EMOTION ",\"cuts\": [{\"time\": 0, \"kind\": \"cut\","
         " \"strength\": 0}]," SHOTS "," CURVE "}", "cuts[0]"},
        {HEAD EMOTION ",\"cuts\": [{\"time\": 1, \"kind\": \"cat\","
         " \"strength\": 0}]," SHOTS "," CURVE "}", "\"cat\""},
        {HEAD "\"emotion\": {\"anger\": 1, \"disgust\": 0, \"fear\": 0,"
         " \"joy\": 1, \"sadness\": 0, \"surprise\": 0}," CUTS "," SHOTS ","
         CURVE "}", "sums to 2"},
        {HEAD EMOTION "," CUTS ",\"shots\": [{\"start\": 4, \"end\": 4,"
         " \"valence\": 0, \"arousal\": 0, " EMOTION ", \"features\": {}}],"
         CURVE "}", "shots[0]"},
        {HEAD EMOTION "," CUTS "," SHOTS ",\"curve\": [{\"time\": 1,"
         " \"valence\": 0, \"arousal\": 0}, {\"time\": 1, \"valence\": 0,"
         " \"arousal\": 0}]}", "curve[1]"},
        {HEAD EMOTION "," CUTS "," SHOTS ",\"curve\": [{\"time\": 1,"
         " \"valence\": 1.1, \"arousal\": 0}]}", "curve[0].valence"},
        {HEARD("{\"from\": 2, \"to\": 2}", LEVELS), "speech[0]"},
        {HEARD(SPANS ", {\"from\": 4, \"to\": 6}", LEVELS), "speech[2]"},
        {HEARD("{\"from\": 2, \"to\": 11}", LEVELS), "speech[0].to"},
        {HEARD("{\"from\": 2}", LEVELS), "speech[0].to"},
        {HEARD("7", LEVELS), "speech[0]"},
        {HEARD(SPANS, "\"step\": 0, \"whole\": 0, \"lufs\": []"),
         "loudness.step"},
        {HEARD(SPANS, "\"step\": 1, \"whole\": -71, \"lufs\": []"),
         "loudness.whole"},
        {HEARD(SPANS, "\"step\": 1, \"whole\": -7, \"lufs\": [0, \"x\"]"),
         "loudness.lufs[1]"},
        {HEARD(SPANS, "\"step\": 1, \"whole\": -7"), "loudness.lufs"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ems_error err = {0};
        assert_null(parse(BAD[i][0], &err));
        assert_int_equal(err.code, EMS_EFORMAT);
        if (!strstr(err.text, BAD[i][1]))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, BAD[i][1]);
    }
}

/* Fail every allocation once: no crash, no leak (ASan), the right code. */
static void allocation_failures_are_clean(void **state)
{
    (void)state;
    ems_analysis *a = NULL;
    long nth = 1;
    for (; !a && nth < 100; nth++) {
        ems_error err = {0};
        ems_alloc_fail_at(nth);
        a = parse(HEARD(SPANS, LEVELS), &err);
        ems_alloc_fail_at(0);
        if (!a)
            assert_int_equal(err.code, EMS_ENOMEM);
    }
    assert_true(a && nth > 3);
    ems_analysis_free(a);
}

static void missing_film_is_an_error(void **state)
{
    (void)state;
    ems_error err;
    assert_null(ems_analyze(EMS_SCRATCH "/no-such.mp4", NULL, NULL, &err));
    assert_true(err.code < 0 && strstr(err.text, "no-such.mp4"));
    assert_null(ems_analyze(NULL, NULL, NULL, &err));
    assert_int_equal(err.code, EMS_EINVAL);
    assert_null(ems_analyze(EMS_SCRATCH "/no-such.mp4", NULL, NULL, NULL));
}

/* A mono WAV of `count` samples: a film without pictures. */
static void write_wav(const char *path, uint32_t count)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    const uint32_t rate = 22050, bytes = 2 * count, all = 36 + bytes;
    const uint32_t fmt[] = {16, 1 | 1u << 16, rate, 2 * rate, 2 | 16u << 16};
    fwrite("RIFF", 1, 4, f);
    fwrite(&all, 4, 1, f);
    fwrite("WAVEfmt ", 1, 8, f);
    fwrite(fmt, 4, 5, f);
    fwrite("data", 1, 4, f);
    fwrite(&bytes, 4, 1, f);
    for (uint32_t i = 0; i < count; i++) {
        const int16_t s = (int16_t)(8000 * sin(0.1 * i));
        fwrite(&s, 2, 1, f);
    }
    fclose(f);
}

static void sound_alone_gives_a_curve(void **state)
{
    (void)state;
    static const uint32_t COUNT[] = {22050 * 7 / 2, 22050 / 4, 300};
    for (int i = 0; i < 3; i++) {
        ems_error err = {0};
        size_t n;
        write_wav(EMS_SCRATCH "/sound.wav", COUNT[i]);
        ems_analysis *a =
            ems_analyze(EMS_SCRATCH "/sound.wav", NULL, NULL, &err);
        if (!a)
            fail_msg("%s", err.text);
        assert_true(fabs(ems_analysis_duration(a) - COUNT[i] / 22050.0) <
                    1e-3);
        assert_true(ems_analysis_fps(a) == 0);
        ems_analysis_cuts(a, &n);
        assert_int_equal(n, 0);
        ems_analysis_curve(a, &n);
        assert_int_equal(n, i == 0 ? 5 : 2);
        assert_true(isnan(a->shots[0].features.length));
        ems_analysis_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file_is_read),
        cmocka_unit_test(what_was_heard_is_read),
        cmocka_unit_test(written_file_reads_back),
        cmocka_unit_test(bad_files_are_refused_by_place),
        cmocka_unit_test(allocation_failures_are_clean),
        cmocka_unit_test(missing_film_is_an_error),
        cmocka_unit_test(sound_alone_gives_a_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

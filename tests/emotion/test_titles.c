/* Words in the pictures: where they are, what they say, and what the curve
 * makes of them. Reading needs Tesseract; without it that part is skipped. */
#include "ems_test.h"

#include "base/file.h"
#include "base/mem.h"
#include "emotion/analysis.h"
#include "emotion/tesseract.h"
#include "emotion/text_find.h"

#include <math.h>

enum { W = 640, H = 360, WIDE = 5, HIGH = 7, SCALE = 2 };

/* ---- Pictures ----------------------------------------------------------- */

typedef struct glyph {
    char letter;
    uint8_t row[HIGH];
} glyph;

static const glyph FONT[] = {
    {'I', {14, 4, 4, 4, 4, 4, 14}},     {'M', {17, 27, 21, 21, 17, 17, 17}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},  {'Y', {17, 17, 10, 4, 4, 4, 4}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'U', {17, 17, 17, 17, 17, 17, 14}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
};

static uint8_t picture[W * H * 3];

static ems_still still_at(double time)
{
    return (ems_still){.time = time, .width = W, .height = H, .rgb = picture};
}

static void dot(int x, int y, int shade)
{
    memset(picture + 3 * (y * W + x), shade, 3);
}

static void plain(int shade)
{
    memset(picture, shade, sizeof picture);
}

static void letter(char c, int x0, int y0, int shade)
{
    for (size_t g = 0; g < sizeof FONT / sizeof *FONT; g++)
        for (int y = 0; FONT[g].letter == c && y < HIGH * SCALE; y++)
            for (int x = 0; x < WIDE * SCALE; x++)
                if (FONT[g].row[y / SCALE] >> (WIDE - 1 - x / SCALE) & 1)
                    dot(x0 + x, y0 + y, shade);
}

static void write_words(const char *words, int y)
{
    const int n = (int)strlen(words), step = (WIDE + 1) * SCALE;
    for (int i = 0; i < n; i++)
        letter(words[i], (W - n * step) / 2 + i * step, y, 230);
}

static uint32_t dice = 1;

static int roll(int sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (int)(dice >> 8) % sides;
}

/* Leaves: blots of all shades everywhere. */
static void leaves(void)
{
    for (int i = 0; i < 9000; i++) {
        const int x0 = roll(W - 8), y0 = roll(H - 8), shade = roll(256);
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 3 + y % 4; x++)
                dot(x0 + x, y0 + y, shade);
    }
}

/* ---- Where -------------------------------------------------------------- */

static void finds_a_title(void **state)
{
    (void)state;
    ems_text_place p, q;
    ems_still s = still_at(0);
    plain(30);
    write_words("I MISS YOU SO MUCH", 150);
    assert_true(ems_text_find(&s, &p));
    assert_true(p.x <= 212 && p.x + p.width >= 427); /* 18 letters of 12 */
    assert_true(p.y <= 150 && p.y + p.height >= 164);
    assert_true(p.height < 60 && p.width < 320);
    assert_true(ems_text_same(&p, &p));
    plain(30);
    write_words("YOU", 40);
    write_words("MISS YOU", 300);
    assert_true(ems_text_find(&s, &q));
    assert_false(ems_text_same(&p, &q));
}

static void lets_pictures_pass(void **state)
{
    (void)state;
    ems_text_place p;
    ems_still s = still_at(0);
    plain(0);
    assert_false(ems_text_find(&s, &p));
    for (int y = 0; y < H; y++) /* a ramp */
        for (int x = 0; x < W; x++)
            dot(x, y, (x + y) * 255 / (W + H));
    assert_false(ems_text_find(&s, &p));
    leaves();
    assert_false(ems_text_find(&s, &p));
    plain(0); /* one upright edge */
    for (int y = 0; y < H; y++)
        for (int x = W / 2; x < W; x++)
            dot(x, y, 255);
    assert_false(ems_text_find(&s, &p));
}

/* Any size that a still may have, and any content. */
static void takes_any_size(void **state)
{
    (void)state;
    static const int SIZES[][2] = {{1, 1}, {2, 360}, {640, 1}, {7, 5},
                                   {2160, 100}, {100, 2160}, {3, 3}};
    ems_text_place p;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        ems_still s = {.width = SIZES[i][0], .height = SIZES[i][1]};
        const size_t n = 3 * (size_t)s.width * (size_t)s.height;
        uint8_t *rgb = ems_alloc(n, 1);
        assert_non_null(rgb);
        for (size_t k = 0; k < n; k++)
            rgb[k] = (uint8_t)(roll(2) * 255);
        s.rgb = rgb;
        if (ems_text_find(&s, &p)) {
            assert_true(p.x >= 0 && p.x + p.width <= s.width);
            assert_true(p.y >= 0 && p.y + p.height <= s.height);
        }
        ems_free(rgb);
    }
}

/* ---- Reading ------------------------------------------------------------ */

static int can_read(void)
{
    ems_error err;
    ems_tesseract *t = ems_tesseract_open(&err);
    ems_tesseract_close(t);
    return t != NULL;
}

/* Ten seconds; the title from 4 to 7, a cut at 3.6. */
static void feed(ems_titles *t)
{
    ems_error err;
    for (int second = 0; second < 10; second++) {
        plain(30);
        if (second >= 4 && second <= 7)
            write_words("I MISS YOU SO MUCH", 150);
        const ems_still s = still_at(second);
        assert_int_equal(ems_titles_still(t, &s, &err), EMS_OK);
    }
}

static void reads_a_title(void **state)
{
    (void)state;
    ems_error err;
    ems_title *titles;
    size_t count;
    const ems_cut cut = {.time = 3.6};
    if (!can_read())
        skip();
    for (int threads = 1; threads <= 2; threads++) {
        const ems_run run = {.threads = threads};
        ems_titles *t = ems_titles_new(&run, &err);
        assert_non_null(t);
        feed(t);
        assert_int_equal(ems_titles_end(t, &cut, 1, 10, &titles, &count,
                                        &err), EMS_OK);
        assert_string_equal(ems_titles_why(t), "");
        assert_int_equal(ems_titles_looks(t), 1); /* it stays: once is enough */
        assert_int_equal(count, 1);
        assert_string_equal(titles[0].text, "I MISS YOU SO MUCH");
        assert_true(fabs(titles[0].from - 3.6) < 1e-9);
        assert_true(fabs(titles[0].to - 7.5) < 1e-9);
        for (int e = 0; e < EMS_EKMAN; e++)
            assert_true(titles[0].emotion[EMS_SADNESS] >=
                        titles[0].emotion[e]);
        assert_true(titles[0].emotion[EMS_SADNESS] > 0.3);
        ems_titles_clear(titles, count);
        ems_titles_free(t);
    }
}

static void reads_no_bad_picture(void **state)
{
    (void)state;
    ems_error err;
    char text[EMS_TESSERACT_TEXT];
    uint8_t grey[64 * 64];
    if (!can_read())
        skip();
    ems_tesseract *t = ems_tesseract_open(&err);
    assert_int_equal(ems_tesseract_read(t, grey, 2, 64, 1, text, &err),
                     EMS_EINVAL);
    assert_int_equal(ems_tesseract_read(t, grey, 64, 9000, 1, text, &err),
                     EMS_EINVAL);
    for (size_t i = 0; i < sizeof grey; i++)
        grey[i] = (uint8_t)roll(256);
    assert_int_equal(ems_tesseract_read(t, grey, 64, 64, 20, text, &err),
                     EMS_OK);
    assert_string_equal(text, "");
    assert_int_equal(ems_tesseract_read(t, grey, 3, 3, 20, text, &err),
                     EMS_OK);
    ems_tesseract_close(t);
}

/* ---- What is not there -------------------------------------------------- */

static void expect_why(const char *part)
{
    ems_error err;
    ems_title *titles;
    size_t count;
    ems_titles *t = ems_titles_new(NULL, &err);
    assert_non_null(t);
    feed(t);
    assert_int_equal(ems_titles_end(t, NULL, 0, 10, &titles, &count, &err),
                     EMS_OK);
    assert_int_equal(count, 0);
    assert_non_null(strstr(ems_titles_why(t), part));
    ems_titles_clear(titles, count);
    ems_titles_free(t);
}

static void goes_on_without_it(void **state)
{
    (void)state;
    setenv("EMSYNC_TESSERACT", "/nowhere/libtesseract.so", 1);
    expect_why("Tesseract is not installed");
    setenv("EMSYNC_TESSERACT", "libm.so.6", 1);
    expect_why("another library");
    unsetenv("EMSYNC_TESSERACT");
    if (!can_read())
        skip();
    setenv("TESSDATA_PREFIX", EMS_SCRATCH, 1);
    expect_why("English is not installed");
    unsetenv("TESSDATA_PREFIX");
}

/* ---- The curve, and the file -------------------------------------------- */

static void colours_the_curve(void **state)
{
    (void)state;
    const ems_title t = {.from = 2, .to = 4, .text = "x", .neutral = 0.5,
                         .emotion = {[EMS_SADNESS] = 0.5}};
    ems_shot shot = {.start = 0, .end = 4, .emotion = {[EMS_JOY] = 1}};
    ems_knot knots[] = {{1, 0, 0}, {2, 0, 0}, {4, 0, 0}};
    ems_feeling f[3] = {{.emotion = {[EMS_JOY] = 1}},
                        {.emotion = {[EMS_JOY] = 1}},
                        {.emotion = {[EMS_JOY] = 1}}};
    const double w = ems_titles_share / 2; /* half of it is neutral */
    ems_titles_feel(&t, 1, &shot, 1, knots, f, 3);
    assert_true(fabs(f[1].emotion[EMS_SADNESS] - w) < 1e-12);
    assert_true(fabs(f[1].emotion[EMS_JOY] - (1 - w)) < 1e-12);
    assert_true(knots[1].valence < 0);
    assert_true(knots[0].valence == 0 && knots[2].valence == 0);
    assert_true(f[0].emotion[EMS_JOY] == 1 && f[2].emotion[EMS_JOY] == 1);
    assert_true(fabs(shot.emotion[EMS_SADNESS] - w / 2) < 1e-12);
    assert_true(fabs(shot.valence - knots[1].valence / 2) < 1e-12);
}

#define SIX "\"anger\": 0.1, \"disgust\": 0.1, \"fear\": 0.1, \"joy\": 0.5," \
    " \"sadness\": 0.1, \"surprise\": 0.1"
#define FILM(words)                                                         \
    "{\"format\": \"emsync-analysis\", \"version\": 1, \"source\": \"a\","  \
    " \"duration\": 10, \"fps\": 25, \"width\": 64, \"height\": 36,"        \
    " \"emotion\": {" SIX "}, \"cuts\": [], \"shots\": [{\"start\": 0,"     \
    " \"end\": 10, \"valence\": 0, \"arousal\": 0, \"emotion\": {" SIX "}," \
    " \"features\": {}}], \"curve\": [{\"time\": 0, \"valence\": 0,"        \
    " \"arousal\": 0}], \"words\": " words "}"
#define WORDS(from, to, text)                                               \
    "{\"from\": " from ", \"to\": " to ", \"text\": " text ", \"emotion\":" \
    " {" SIX ", \"neutral\": 0}}"

static ems_analysis *parse(const char *text, ems_error *err)
{
    return ems_analysis_parse(text, strlen(text), "x.json", err);
}

static void stays_in_the_file(void **state)
{
    (void)state;
    ems_error err;
    size_t count;
    const char *path = EMS_SCRATCH "/titles.json";
    ems_analysis *a = parse(FILM("[" WORDS("1", "2", "\"h\xc3\xa9 <b>\"") ","
                                 WORDS("2", "3.5", "\"two\"") "]"), &err);
    assert_non_null(a);
    assert_int_equal(ems_analysis_save(a, path, &err), EMS_OK);
    ems_analysis_free(a);
    a = ems_analysis_load(path, &err);
    assert_non_null(a);
    const ems_title *t = ems_analysis_titles(a, &count);
    assert_int_equal(count, 2);
    assert_string_equal(t[0].text, "h\xc3\xa9 <b>");
    assert_true(t[1].from == 2 && t[1].to == 3.5);
    assert_true(t[1].emotion[EMS_JOY] == 0.5 && t[1].neutral == 0);
    ems_analysis_free(a);
    a = parse(FILM("[]"), &err);
    assert_non_null(a);
    assert_null(ems_analysis_titles(a, &count));
    ems_analysis_free(a);
}

static void refuses_bad_words(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {FILM("{}"), "words"},
        {FILM("[1]"), "words[0]"},
        {FILM("[" WORDS("2", "1", "\"x\"") "]"), "words[0]"},
        {FILM("[" WORDS("1", "2", "7") "]"), "words[0].text"},
        {FILM("[" WORDS("1", "11", "\"x\"") "]"), "words[0].to"},
        {FILM("[" WORDS("1", "2", "\"x\"") "," WORDS("1.5", "3", "\"y\"")
              "]"), "words[1]"},
        {FILM("[{\"from\": 1, \"to\": 2, \"text\": \"x\"}]"),
         "words[0].emotion"},
    };
    ems_error err;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_null(parse(BAD[i][0], &err));
        assert_non_null(strstr(err.text, BAD[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_title),
        cmocka_unit_test(lets_pictures_pass),
        cmocka_unit_test(takes_any_size),
        cmocka_unit_test(reads_a_title),
        cmocka_unit_test(reads_no_bad_picture),
        cmocka_unit_test(goes_on_without_it),
        cmocka_unit_test(colours_the_curve),
        cmocka_unit_test(stays_in_the_file),
        cmocka_unit_test(refuses_bad_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

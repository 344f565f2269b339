/* The HTML report: well formed, closed to the outside, and whatever a file is
 * called. */
#include "ems_test.h"

#include "base/base64.h"
#include "base/file.h"
#include "base/mem.h"
#include "emotion/page.h"
#include "media/jpeg.h"

#include <expat.h>
#include <math.h>

#define EMOTION "\"emotion\": {\"anger\": 0.1, \"disgust\": 0.1, \"fear\":" \
    " 0.1, \"joy\": 0.5, \"sadness\": 0.1, \"surprise\": 0.1}"
#define SHOT(from, to) "{\"start\": " from ", \"end\": " to ", \"valence\":" \
    " 0.1, \"arousal\": -0.2, " EMOTION ", \"features\": {}}"
#define FILM(fps)                                                            \
    "{\"format\": \"emsync-analysis\", \"version\": 1, \"source\": \"a\","   \
    " \"duration\": 10, \"fps\": " fps ", \"width\": 64, \"height\": 36, "   \
    EMOTION ", \"cuts\": [{\"time\": 4, \"kind\": \"fade_in\", \"strength\":" \
    " 0.5}], \"shots\": [" SHOT("0", "4") "," SHOT("4", "10") "],"           \
    " \"curve\": [{\"time\": 0, \"valence\": 0.1, \"arousal\": 0.2},"        \
    " {\"time\": 10, \"valence\": -1, \"arousal\": 1}], \"speech\":"         \
    " [{\"from\": 1, \"to\": 2}], \"music\": [], \"loudness\": {\"step\": 5," \
    " \"whole\": -20, \"lufs\": [-20, -70]}, \"words\": [{\"from\": 2,"          \
    " \"to\": 3, \"text\": \"<b onload=x>R&D\", \"emotion\": {\"anger\": 0,"     \
    " \"disgust\": 0, \"fear\": 0.9, \"joy\": 0, \"sadness\": 0,"              \
    " \"surprise\": 0, \"neutral\": 0.1}}]}"

typedef struct seen { /* what a reader of the page comes across */
    size_t elements, outside, scripts, svgs;
    char title[512];
    int in_title;
} seen;

static void on_start(void *user, const char *name, const char **attribute)
{
    seen *s = user;
    s->elements++;
    s->scripts += strcmp(name, "script") == 0 || strcmp(name, "link") == 0 ||
                  strcmp(name, "iframe") == 0 || strcmp(name, "object") == 0;
    s->svgs += strcmp(name, "svg") == 0;
    s->in_title = strcmp(name, "title") == 0;
    for (; *attribute; attribute += 2) {
        const int source = strcmp(attribute[0], "src") == 0 ||
                           strcmp(attribute[0], "href") == 0;
        s->outside += source && strncmp(attribute[1], "data:image/", 11) != 0;
        s->scripts += strncmp(attribute[0], "on", 2) == 0;
    }
}

static void on_end(void *user, const char *name)
{
    (void)name;
    ((seen *)user)->in_title = 0;
}

static void on_text(void *user, const char *text, int length)
{
    seen *s = user;
    const size_t used = strlen(s->title);
    if (s->in_title && used + (size_t)length < sizeof s->title)
        memcpy(s->title + used, text, (size_t)length);
}

static seen read_page(const char *path)
{
    seen s = {0};
    ems_bytes b;
    assert_int_equal(ems_bytes_map(&b, path, 0, NULL), EMS_OK);
    assert_null(memmem(b.data, b.size, "url(", 4));
    assert_null(memmem(b.data, b.size, "@import", 7));
    assert_null(memmem(b.data, b.size, "://", 3));
    XML_Parser p = XML_ParserCreate("UTF-8");
    XML_SetUserData(p, &s);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    if (XML_Parse(p, (const char *)b.data, (int)b.size, 1) != XML_STATUS_OK)
        fail_msg("line %lu: %s", XML_GetCurrentLineNumber(p),
                 XML_ErrorString(XML_GetErrorCode(p)));
    XML_ParserFree(p);
    ems_bytes_unmap(&b);
    assert_int_equal(s.outside, 0);
    assert_int_equal(s.scripts, 0);
    return s;
}

static seen page_of(const char *json, const char *name)
{
    ems_error err;
    ems_analysis *a = ems_analysis_parse(json, strlen(json), "x", &err);
    assert_non_null(a);
    ems_free(a->source);
    a->source = ems_strdup(name);
    assert_int_equal(ems_analysis_page(a, NULL, EMS_SCRATCH "/p.html", NULL,
                                       &err), EMS_OK);
    ems_analysis_free(a);
    return read_page(EMS_SCRATCH "/p.html");
}

static void page_is_well_formed_and_closed(void **state)
{
    (void)state;
    const seen s = page_of(FILM("25"), "film.mp4");
    assert_string_equal(s.title, "film.mp4");
    assert_int_equal(s.svgs, 4);
    assert_true(s.elements > 60);
    page_of(FILM("0"), "sound.wav");
}

static void hostile_names_stay_text(void **state)
{
    (void)state;
    static const char *const NAMES[][2] = {
        {"<script>alert(1)</script>.mp4", "<script>alert(1)</script>.mp4"},
        {"\"' onload='x' &amp; &#0;.mp4", "\"' onload='x' &amp; &#0;.mp4"},
        {"]]><!--\x01\x1b[31m.mp4", "]]><!--??[31m.mp4"},
        {"\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80.mp4", "??????????.mp4"},
        {"caf\xc3\xa9 \xf0\x9f\x8e\xac.mp4",
         "caf\xc3\xa9 \xf0\x9f\x8e\xac.mp4"},
        {"gpj.\xe2\x80\xae\x65xe", "gpj.???exe"},
        {"\xe2\x80", "??"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        assert_string_equal(page_of(FILM("25"), NAMES[i][0]).title,
                            NAMES[i][1]);
}

static void written(void (*write)(FILE *out), const char *expected)
{
    char text[256] = {0};
    FILE *f = fmemopen(text, sizeof text, "w");
    assert_non_null(f);
    write(f);
    fclose(f);
    assert_string_equal(text, expected);
}

static void write_numbers(FILE *f)
{
    ems_page_number(f, -0.001, 2);
    fputc(' ', f);
    ems_page_number(f, -12.345, 1);
    fputc(' ', f);
    ems_page_number(f, 7.006, 2);
    fputc(' ', f);
    ems_page_number(f, (double)NAN, 2);
    fputc(' ', f);
    ems_page_time(f, 62.04);
    fputc(' ', f);
    ems_page_time(f, 3723.9);
    fputc(' ', f);
    ems_base64_write(f, (const uint8_t *)"Man", 3);
    ems_base64_write(f, (const uint8_t *)"Ma", 2);
    ems_base64_write(f, (const uint8_t *)"M", 1);
}

static void numbers_are_as_people_write_them(void **state)
{
    (void)state;
    written(write_numbers, "0.00 -12.3 7.01 \xe2\x80\x93 1:02.0 1:02:04"
            " TWFuTWE=TQ==");
}

static void jpeg_is_a_jpeg(void **state)
{
    (void)state;
    uint8_t rgb[3 * 33 * 21], *data;
    size_t size;
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 7);
    const ems_still still = {.width = 33, .height = 21, .rgb = rgb};
    ems_error err;
    assert_int_equal(ems_jpeg_encode(&still, 16, &data, &size, &err), EMS_OK);
    assert_true(size > 100 && data[0] == 0xff && data[1] == 0xd8);
    assert_true(data[size - 2] == 0xff && data[size - 1] == 0xd9);
    ems_free(data);
    ems_alloc_fail_at(1);
    assert_int_equal(ems_jpeg_encode(&still, 16, &data, &size, &err),
                     EMS_ENOMEM);
    ems_alloc_fail_at(0);
    assert_null(data);
}

static void unwritable_page_is_an_error(void **state)
{
    (void)state;
    ems_error err;
    ems_analysis *a = ems_analysis_parse(FILM("25"), strlen(FILM("25")), "x",
                                         &err);
    assert_non_null(a);
    assert_true(ems_analysis_page(a, NULL, EMS_SCRATCH "/no/such/p.html",
                                  NULL, &err) < 0);
    assert_true(ems_analysis_page(a, EMS_SCRATCH "/no-film.mp4",
                                  EMS_SCRATCH "/q.html", NULL, NULL) < 0);
    ems_analysis_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_well_formed_and_closed),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(numbers_are_as_people_write_them),
        cmocka_unit_test(jpeg_is_a_jpeg),
        cmocka_unit_test(unwritable_page_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "ems_test.h"

#include "base/file.h"
#include "lists/cues.h"

#include <math.h>

static ems_cues_film film_of(double duration, double fps)
{
    return (ems_cues_film){.name = "list", .duration = duration,
                           .rate = ems_rate_of(fps)};
}

/* ---- Timecode ----------------------------------------------------------- */

static void rates_are_what_rounded_numbers_stand_for(void **state)
{
    (void)state;
    const double fps[] = {23.976, 23.98, 24, 25, 29.97, 59.94, 12.5};
    const int64_t num[] = {24000, 24000, 24, 25, 30000, 60000, 12500};
    const int64_t den[] = {1001, 1001, 1, 1, 1001, 1001, 1000};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(ems_rate_of(fps[i]).num, num[i]);
        assert_int_equal(ems_rate_of(fps[i]).den, den[i]);
    }
}

/* SMPTE 12M's own examples: ten minutes are 17982 frames, an hour 107892. */
static void drop_frame_counts_as_clocks_do(void **state)
{
    (void)state;
    const ems_rate r = ems_rate_of(29.97);
    int64_t frame;
    char text[EMS_TIMECODE_TEXT];
    assert_int_equal(ems_timecode_parse("00:10:00;00", r, 0, &frame, NULL), 0);
    assert_int_equal(frame, 17982);
    assert_int_equal(ems_timecode_parse("01:00:00;00", r, 0, &frame, NULL), 0);
    assert_int_equal(frame, 107892);
    assert_int_equal(ems_timecode_parse("00:00:59;29", r, 0, &frame, NULL), 0);
    assert_int_equal(frame, 1799);
    ems_timecode_format(1800, r, 1, text);
    assert_string_equal(text, "00:01:00;02");
    assert_int_equal(ems_timecode_parse("01:00:00:00", r, 0, &frame, NULL), 0);
    assert_int_equal(frame, 108000);
}

static void every_frame_has_a_timecode_of_its_own(void **state)
{
    (void)state;
    const double fps[] = {29.97, 59.94, 24, 23.976};
    for (size_t i = 0; i < 4; i++) {
        const ems_rate r = ems_rate_of(fps[i]);
        const int drop = ems_rate_drops(r);
        assert_int_equal(drop, i < 2);
        for (int64_t frame = 0; frame < 220000; frame += frame < 40000 ? 1 : 7) {
            char text[EMS_TIMECODE_TEXT];
            int64_t back;
            ems_timecode_format(frame, r, drop, text);
            assert_int_equal(ems_timecode_parse(text, r, 0, &back, NULL), 0);
            assert_int_equal(back, frame);
        }
    }
}

static void impossible_timecodes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "00:01:00;00", "00:01:00;01", "00:00:60:00", "00:61:00:00",
        "00:00:00:30", "0:0:0", "", "1:2:3:4x", ":::", "99999999:00:00:00",
    };
    const ems_rate r = ems_rate_of(29.97);
    int64_t frame;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ems_timecode_parse(bad[i], r, 0, &frame, NULL),
                         EMS_EFORMAT);
    assert_int_equal(ems_timecode_parse("00:00:10;00", ems_rate_of(25), 0,
                                        &frame, NULL), EMS_EFORMAT);
}

/* ---- Lists -------------------------------------------------------------- */

/* The times of a list, or the sentence it is refused with. */
static void expect(const char *text, const ems_cues_film *film, size_t count,
                   const double *times)
{
    ems_cues c;
    ems_error err = {0, ""};
    const size_t size = strlen(text);
    const int code = ems_cues_parse(&c, ems_cues_kind_of("list", text, size),
                                    text, size, film, &err);
    if (code < 0)
        print_error("%s\n", err.text);
    assert_int_equal(code, EMS_OK);
    assert_int_equal(c.count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(fabs(c.items[i].time - times[i]) < 1e-9);
    ems_cues_clear(&c);
}

static void refuse(const char *text, const ems_cues_film *film,
                   const char *with)
{
    ems_cues c;
    ems_error err;
    const size_t size = strlen(text);
    assert_int_equal(ems_cues_parse(&c, ems_cues_kind_of("list", text, size),
                                    text, size, film, &err), EMS_EFORMAT);
    if (!strstr(err.text, with))
        print_error("%s\n", err.text);
    assert_non_null(strstr(err.text, with));
    assert_int_equal(c.count, 0);
}

static void plain_seconds(void **state)
{
    (void)state;
    const ems_cues_film film = film_of(100, 25);
    expect("# mine\n12.5 the door\n\n1:03.25\r\n0:00:07\n12.5\n0\n", &film, 3,
           (double[]){7, 12.5, 63.25});
    refuse("1\nzwei\n", &film, "line 2");
    refuse("nan\n", &film, "line 1");
    refuse("1e3\n", &film, "line 1");
    refuse("101\n", &film, "outside the film");
    refuse("-1\n", &film, "outside the film");
    expect("", &film, 0, NULL);
}

static void audacity_labels(void **state)
{
    (void)state;
    const ems_cues_film film = film_of(100, 25);
    expect("1.500000\t1.500000\tbang\n\\\t100.0\t200.0\n4.0\t6.0\tslow\n",
           &film, 2, (double[]){1.5, 4});
    refuse("1.5\t\tx\n", &film, "line 1");
}

static void pyscenedetect_scenes(void **state)
{
    (void)state;
    const ems_cues_film film = film_of(20, 24);
    expect("Timecode List:,00:00:04.042,00:00:09.500\n"
           "Scene Number,Start Frame,Start Timecode,Start Time (seconds),"
           "End Frame\n"
           "1,1,00:00:00.000,0.000,97\n2,98,00:00:04.042,4.042,228\n"
           "3,229,00:00:09.500,9.500,480\n", &film, 2,
           (double[]){97.0 / 24, 9.5});
    refuse("Scene Number,Start Frame\n1,1\n", &film, "Start Time");
    refuse("Scene Number,Start Time (seconds)\n1,early\n", &film, "line 2");
}

static void edit_decision_lists(void **state)
{
    (void)state;
    ems_cues_film film = film_of(20, 25);
    static const char list[] =
        "TITLE: DEMO\nFCM: NON-DROP FRAME\n\n"
        "001  AX       V     C        00:00:00:00 00:00:04:00 01:00:00:00 01:00:04:00\n"
        "* FROM CLIP NAME: a.mov\n"
        "002  AX       A     C        00:00:00:00 00:00:04:00 01:00:01:00 01:00:04:00\n"
        "002  AX       V     C        00:00:00:00 00:00:00:00 01:00:04:00 01:00:04:00\n"
        "002  BX       V     D    012 00:00:00:00 00:00:05:05 01:00:04:00 01:00:09:05\n"
        "003  BL       V     C        00:00:00:00 00:00:05:05 01:00:09:05 01:00:14:10\n";
    expect(list, &film, 2, (double[]){4, 9.2});
    film.start = "00:59:58:00";
    expect(list, &film, 3, (double[]){2, 6, 11.2});
    film.start = NULL;
    refuse("TITLE: X\n001 AX V C 00:00:00:00 00:00:00:00 01:00:00:31 "
           "01:00:00:00\n", &film, "line 2");
    refuse("TITLE: X\n001 AX V\n", &film, "line 2");
    film = film_of(4000, 29.97);
    expect("TITLE: X\nFCM: DROP FRAME\n"
           "001 AX V C 00:00:00:00 00:01:00:02 00:00:00:00 00:01:00:02\n"
           "002 AX V C 00:00:00:00 00:01:00:02 00:01:00:02 00:02:00:00\n",
           &film, 1, (double[]){1800 * 1001.0 / 30000});
    refuse("TITLE: X\nFCM: DROP FRAME\n"
           "001 AX V C 0:0:0:0 0:0:0:0 00:01:00:00 00:02:00:02\n", &film,
           "does not exist");
}

#define CLIP(start, length)                                                   \
    "{\"OTIO_SCHEMA\":\"Clip.2\",\"source_range\":{\"OTIO_SCHEMA\":"          \
    "\"TimeRange.1\",\"start_time\":{\"OTIO_SCHEMA\":\"RationalTime.1\","     \
    "\"rate\":24,\"value\":" #start "},\"duration\":{\"OTIO_SCHEMA\":"        \
    "\"RationalTime.1\",\"rate\":24,\"value\":" #length "}}"
#define OTIO(children)                                                        \
    "{\"OTIO_SCHEMA\":\"Timeline.1\",\"tracks\":{\"OTIO_SCHEMA\":\"Stack.1\"" \
    ",\"children\":[{\"OTIO_SCHEMA\":\"Track.1\",\"kind\":\"Audio\","         \
    "\"children\":[]},{\"OTIO_SCHEMA\":\"Track.1\",\"kind\":\"Video\","       \
    "\"children\":[" children "]}]}}"

static void open_timelines(void **state)
{
    (void)state;
    const ems_cues_film film = film_of(20, 24);
    expect(OTIO(CLIP(100, 48) "}," CLIP(0, 120) "}," CLIP(7, 24) "}"), &film,
           2, (double[]){2, 7});
    expect(OTIO(CLIP(24, 480) ",\"markers\":[{\"OTIO_SCHEMA\":\"Marker.2\","
                "\"name\":\"door\",\"marked_range\":{\"start_time\":"
                "{\"rate\":24,\"value\":72},\"duration\":{\"rate\":24,"
                "\"value\":1}}}]}"), &film, 1, (double[]){2});
    refuse("{\"OTIO_SCHEMA\":\"Clip.1\"}", &film, "no video track");
    refuse(OTIO("{\"OTIO_SCHEMA\":\"Clip.1\"}"), &film, "children[0]");
    refuse(OTIO(CLIP(0, "x") "}"), &film, "value");
    refuse("{", &film, "list");
}

static void final_cut_projects(void **state)
{
    (void)state;
    const ems_cues_film film = film_of(20, 23.976);
    expect("<fcpxml><library><event><project><sequence tcStart=\"3600s\">"
           "<spine><asset-clip offset=\"3600s\" start=\"5s\" duration=\"2s\">"
           "<marker start=\"6s\" value=\"no\"/></asset-clip>"
           "<gap offset=\"3602s\" duration=\"1001/1000s\"><title lane=\"1\""
           " offset=\"0s\" duration=\"1s\"/></gap>"
           "<clip duration=\"4s\"><spine lane=\"1\" offset=\"0s\"><video"
           " duration=\"1s\"/><video duration=\"1s\"/></spine></clip>"
           "</spine></sequence></project></event></library></fcpxml>",
           &film, 2, (double[]){2, 3.001});
    expect("<fcpxml><sequence><spine><asset-clip start=\"10s\""
           " duration=\"20s\"><marker start=\"13s\" value=\"a\"/>"
           "<chapter-marker start=\"15001/1000s\" value=\"b\"/></asset-clip>"
           "</spine></sequence></fcpxml>", &film, 2, (double[]){3, 5.001});
    refuse("<fcpxml>\n<sequence>", &film, "line 2");
    refuse("<fcpxml/>", &film, "no sequence");
    refuse("<fcpxml><sequence><spine><clip offset=\"soon\"/></spine>"
           "</sequence></fcpxml>", &film, "1001/24000s");
    char deep[6 * 100 + 1] = "";
    for (int i = 0; i < 100; i++)
        memcpy(deep + 6 * i, "<clip>", 6);
    refuse(deep, &film, "too deeply");
}

/* What is written reads back as it was, to the frame. */
static void lists_survive_a_round_trip(void **state)
{
    (void)state;
    static const ems_cues_kind kinds[] = {
        EMS_CUES_SECONDS, EMS_CUES_AUDACITY, EMS_CUES_SCENES, EMS_CUES_EDL,
        EMS_CUES_OTIO, EMS_CUES_FCPXML,
    };
    const double fps[] = {23.976, 24, 25, 29.97, 59.94};
    for (size_t k = 0; k < 6 * 5; k++) {
        ems_cues_film film = film_of(700, fps[k / 6]);
        film.video = "a <\"film\">&.mp4";
        ems_cues out = {0}, in;
        for (int64_t frame = 17; frame < 12000; frame += frame / 3 + 5)
            assert_int_equal(
                ems_cues_add(&out, ems_frame_seconds(film.rate, frame),
                             "A & B", 5, NULL), 0);
        const char *path = EMS_SCRATCH "/list_round_trip";
        assert_int_equal(ems_cues_save(&out, kinds[k % 6], path, &film, NULL),
                         0);
        ems_error err = {0, ""};
        if (ems_cues_load(&in, path, &film, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(in.count, out.count);
        for (size_t i = 0; i < in.count; i++)
            assert_true(fabs(in.items[i].time - out.items[i].time) < 1e-6);
        ems_cues_clear(&in);
        ems_cues_clear(&out);
    }
}

static char *saved(const ems_cues *c, ems_cues_kind kind,
                   const ems_cues_film *film, ems_error *err)
{
    static char text[8192];
    const char *path = EMS_SCRATCH "/list_saved";
    ems_bytes b;
    remove(path);
    if (ems_cues_save(c, kind, path, film, err) < 0)
        return NULL;
    assert_int_equal(ems_bytes_map(&b, path, sizeof text - 1, NULL), 0);
    memcpy(text, b.data, b.size);
    text[b.size] = '\0';
    ems_bytes_unmap(&b);
    return text;
}

static void chapters_follow_youtubes_rules(void **state)
{
    (void)state;
    ems_cue cue[] = {{5, "too soon"}, {30.9, "Night"}, {35, "too near"},
                     {3700, ""}, {3795, "too late"}};
    const ems_cues c = {cue, 5, 5};
    const ems_cues_film film = film_of(3800, 25);
    assert_string_equal(saved(&c, EMS_CUES_CHAPTERS, &film, NULL),
                        "0:00 Part 1\n0:30 Night\n1:01:40 Part 3\n");
    const ems_cues few = {cue, 2, 2};
    ems_error err;
    assert_null(saved(&few, EMS_CUES_CHAPTERS, &film, &err));
    assert_non_null(strstr(err.text, "three"));
    assert_int_not_equal(access(EMS_SCRATCH "/list_saved", F_OK), 0);
}

static void projects_hold_film_music_and_markers(void **state)
{
    (void)state;
    ems_cue cue[] = {{2, "a & b"}};
    const ems_cues c = {cue, 1, 1};
    ems_cues_film film = film_of(10, 25);
    film.video = "film.mp4";
    film.music = "mix.wav";
    const char *text = saved(&c, EMS_CUES_MLT, &film, NULL);
    assert_non_null(strstr(text, "<entry producer=\"film\" in=\"0\" out=\"49\"/>"));
    assert_non_null(strstr(text, "<entry producer=\"film\" in=\"50\" out=\"249\"/>"));
    assert_non_null(strstr(text, "<entry producer=\"music\" in=\"0\" out=\"249\"/>"));
    assert_non_null(strstr(text, "a &amp; b"));
    assert_non_null(strstr(text, "00:00:02.000"));
    film.music = NULL;
    assert_null(saved(&c, EMS_CUES_MLT, &film, NULL));
    ems_cues in;
    assert_int_equal(ems_cues_parse(&in, EMS_CUES_MLT, "", 0, &film, NULL),
                     EMS_EUNSUPPORTED);
}

static void long_names_are_cut_between_letters(void **state)
{
    (void)state;
    ems_cues c = {0};
    char name[81];
    for (int i = 0; i < 40; i++)
        memcpy(name + 2 * i, "\xC3\xA4", 2);
    assert_int_equal(ems_cues_add(&c, 1, name, 80, NULL), 0);
    assert_int_equal(strlen(c.items[0].name), 62);
    ems_cues_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_what_rounded_numbers_stand_for),
        cmocka_unit_test(drop_frame_counts_as_clocks_do),
        cmocka_unit_test(every_frame_has_a_timecode_of_its_own),
        cmocka_unit_test(impossible_timecodes_are_refused),
        cmocka_unit_test(plain_seconds),
        cmocka_unit_test(audacity_labels),
        cmocka_unit_test(pyscenedetect_scenes),
        cmocka_unit_test(edit_decision_lists),
        cmocka_unit_test(open_timelines),
        cmocka_unit_test(final_cut_projects),
        cmocka_unit_test(lists_survive_a_round_trip),
        cmocka_unit_test(chapters_follow_youtubes_rules),
        cmocka_unit_test(projects_hold_film_music_and_markers),
        cmocka_unit_test(long_names_are_cut_between_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

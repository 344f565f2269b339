/* Films at the edges: black, silent, 4K, 10 bits, 240 frames a second. The
 * clips are made by the ffmpeg program. */
#include "../media/clips.h"

#include "emotion/analysis.h"

#include <math.h>

#define CLIPS EMS_SCRATCH "/edges"
#define H264 " -c:v libx264 -preset ultrafast "

static ems_analysis *analyse(const char *path)
{
    ems_error err = {0};
    ems_analyze_options o = ems_analyze_defaults();
    ems_analysis *a = ems_analyze(path, &o, NULL, &err);
    if (!a)
        fail_msg("%s", err.text);
    return a;
}

static size_t speech_of(const ems_analysis *a)
{
    size_t n;
    ems_analysis_speech(a, &n);
    return n;
}

static size_t levels_of(const ems_analysis *a)
{
    size_t n;
    double step, whole;
    ems_analysis_loudness(a, &n, &step, &whole);
    return n;
}

static void check_curve(const ems_analysis *a)
{
    for (size_t i = 0; i < a->knot_count; i++)
        assert_true(fabs(a->curve[i].valence) <= 1 &&
                    fabs(a->curve[i].arousal) <= 1);
    assert_true(a->curve[a->knot_count - 1].time == a->duration);
}

static void black_and_silent(void **state)
{
    (void)state;
    ems_analysis *a = analyse(clip(
        "black.mp4", "-f lavfi -i color=black:s=128x72:r=25:d=3 -f lavfi -i "
        "anullsrc=r=44100:d=3 -shortest" H264 "-c:a aac"));
    assert_int_equal(a->cut_count, 0);
    assert_int_equal(speech_of(a), 0);
    assert_int_equal(levels_of(a), 0);
    assert_true(a->shots[0].features.brightness < 0.01);
    assert_true(isnan(a->shots[0].features.loudness));
    check_curve(a);
    ems_analysis_free(a);
}

static void without_sound(void **state)
{
    (void)state;
    ems_analysis *a = analyse(clip(
        "mute.mp4", "-f lavfi -i testsrc2=s=128x72:r=25:d=2" H264));
    assert_int_equal(levels_of(a), 0);
    assert_true(isnan(a->shots[0].features.onsets));
    check_curve(a);
    ems_analysis_free(a);
}

/* One cut half way, from dark to bright, in whatever format. */
static void has_its_cut(const char *path, double at, double fps)
{
    ems_analysis *a = analyse(path);
    assert_int_equal(a->cut_count, 1);
    assert_int_equal(a->cuts[0].kind, EMS_CUT);
    assert_true(fabs(a->cuts[0].time - at) < 0.5 / fps);
    assert_true(a->shots[1].features.brightness >
                a->shots[0].features.brightness + 0.2);
    check_curve(a);
    ems_analysis_free(a);
}

#define HALVES(size, rate, length)                                          \
    "-f lavfi -i smptebars=s=" size ":r=" rate " -f lavfi -i testsrc2=s="   \
    size ":r=" rate " -filter_complex [0]trim=duration=" length             \
    ",eq=brightness=-0.4,format=yuv420p[a];[1]trim=duration=" length        \
    ",eq=brightness=0.2,format=yuv420p[b];[a][b]concat" H264

static void in_4k(void **state)
{
    (void)state;
    has_its_cut(clip("4k.mp4", HALVES("3840x2160", "12", "1")), 1, 12);
}

static void in_10_bits(void **state)
{
    (void)state;
    has_its_cut(clip("ten.mkv", HALVES("192x108", "25", "1")
                     "-pix_fmt yuv420p10le"), 1, 25);
}

static void at_240_frames(void **state)
{
    (void)state;
    has_its_cut(clip("fast.mp4", HALVES("192x108", "240", "1")), 1, 240);
}

int main(void)
{
    if (!have_ffmpeg(CLIPS))
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(black_and_silent),
        cmocka_unit_test(without_sound),
        cmocka_unit_test(in_4k),
        cmocka_unit_test(in_10_bits),
        cmocka_unit_test(at_240_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

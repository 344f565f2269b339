/* Sound back into the video: what must not change, where the music lands. */
#include "clips.h"

#include "base/mem.h"
#include "media/media.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CLIPS EMS_SCRATCH "/mux-clips"
#define VIDEO "-f lavfi -i testsrc2=s=160x90:r=25:d=2"
#define TONE "-f lavfi -i sine=f=440:r=44100:d=2"
#define X264 " -c:v libx264 -preset ultrafast -bf 2 -g 12"
#define PLAIN VIDEO " " TONE X264 " -c:a aac"
/* On the left a click each second; the right is silent, so that left minus
 * right finds it under any original sound that is equal on both sides. */
#define MUSIC "-f lavfi -i aevalsrc=0.9*lt(mod(n\\,48000)\\,3)|0:s=48000:d=5 " \
    "-c:a pcm_s16le"

enum { RATE = 48000 };

static const char *out_path(const char *name)
{
    mkdir(EMS_SCRATCH "/out", 0777);
    return kept_path(EMS_SCRATCH "/out", name);
}

static int mux_as(const char *video, const char *out, ems_audio_mode mode,
                  told *t, ems_error *err)
{
    ems_mux_options o = ems_mux_defaults();
    o.audio = mode;
    o.comment = "made by a test";
    *err = (ems_error){0};
    return ems_mux(video, clip("music.wav", MUSIC), out, &o,
                   NULL, t ? &t->run : NULL, err);
}

static void mux(const char *video, const char *out, ems_audio_mode mode)
{
    ems_error err;
    if (mux_as(video, out, mode, NULL, &err) != EMS_OK)
        fail_msg("%s -> %s: %s", video, out, err.text);
}

/* What ffprobe says: "entries" of streams "select" as lines of CSV; of
 * frames, only the first. */
static char *ask(const char *path, const char *select, const char *entries)
{
    const char *span = strncmp(entries, "frame", 5) == 0 ? "%+#1" : "%";
    char *text = run_program(NULL, "ffprobe", "-v", "error",
                             "-select_streams", select, "-show_entries",
                             entries, "-read_intervals", span, "-of",
                             "csv=p=0", path, NULL);
    assert_non_null(text);
    return text;
}

static double ask_number(const char *path, const char *select,
                         const char *entries)
{
    char *text = ask(path, select, entries);
    const double value = atof(text);
    free(text);
    return value;
}

/* One line per packet: a hash of its bytes. */
static char *packets(const char *path, const char *stream)
{
    char *text = run_program(NULL, "ffmpeg", "-nostdin", "-v", "error", "-i",
                             path, "-map", stream, "-c", "copy", "-f",
                             "framemd5", "-", NULL);
    assert_non_null(text);
    char *to = text;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const char *hash = strrchr(line, ' ');
        if (line[0] == '#' || !hash)
            continue;
        memmove(to, hash, 33);
        to += 33;
    }
    *to = '\0';
    return text;
}

static void same_packets(const char *a, const char *sa, const char *b,
                         const char *sb)
{
    char *pa = packets(a, sa), *pb = packets(b, sb);
    assert_true(strlen(pa) >= 33 * 20);
    assert_string_equal(pa, pb);
    free(pa);
    free(pb);
}

typedef struct sound {
    int16_t *samples; /* [count, 2] */
    size_t count, size;
    double begin;     /* time of the first */
} sound;

static sound hear(const char *path, const char *stream)
{
    sound s = {0};
    char map[16];
    snprintf(map, sizeof map, "0:%s", stream);
    s.samples = (void *)run_program(&s.size, "ffmpeg", "-nostdin", "-v",
                                    "error", "-i", path, "-map", map, "-ac",
                                    "2", "-ar", "48000", "-f", "s16le", "-",
                                    NULL);
    assert_non_null(s.samples);
    s.count = s.size / 4;
    s.begin = ask_number(path, stream, "frame=best_effort_timestamp_time");
    return s;
}

/* How far the click near `time` is off, in seconds. */
static double click_error(const sound *s, double time)
{
    const long centre = lround((time - s->begin) * RATE);
    long best = -1;
    int most = 2000;
    for (long i = centre - RATE / 10; i < centre + RATE / 10; i++) {
        if (i < 0 || i >= (long)s->count)
            continue;
        const int d = abs(s->samples[2 * i] - s->samples[2 * i + 1]);
        if (d > most) {
            most = d;
            best = i;
        }
    }
    assert_true(best >= 0);
    return (double)best / RATE + s->begin - time;
}

static const char *const modes[] = {"replace", "mix", "track"};

/* Pictures, length and place of the music for one pair of files. */
static void check_pair(const char *video, const char *pictures, int has_sound,
                       const char *out, int mode)
{
    mux(video, out, (ems_audio_mode)mode);
    char *copied = packets(out, "0:v:0");
    assert_string_equal(copied, pictures);
    free(copied);
    const int beside = mode == EMS_AUDIO_TRACK && has_sound;
    sound s = hear(out, beside ? "a:1" : "a:0");
    const double first = ask_number(out, "v:0",
                                    "frame=best_effort_timestamp_time");
    for (int k = 0; k < 2; k++) {
        const double off = click_error(&s, first + k);
        if (fabs(off) > 0.001)
            fail_msg("%s (%s): click %d is %.2f ms off", out, modes[mode], k,
                     1000 * off);
    }
    const double end = s.begin + (double)s.count / RATE;
    const double frames = (end - first) * 25;
    if (mode != EMS_AUDIO_MIX && (frames < 49 || frames > 51))
        fail_msg("%s (%s): music lasts %.2f frames of 50", out, modes[mode],
                 frames);
    free(s.samples);
}

static void pictures_stay_and_music_is_on_time(void **state)
{
    (void)state;
    clip("plain.mp4", PLAIN);
    static const char *const clips[][3] = {
        {"plain.mp4", PLAIN, "mp4 mkv mov"},
        {"silent.mp4", VIDEO X264, "mp4 mkv"},
        {"odd.mp4", VIDEO " " TONE X264 " -c:a aac -output_ts_offset 5.37",
         "mp4 mkv"},
        {"late.mkv", "-itsoffset 0.72 " VIDEO " " TONE X264 " -c:a flac",
         "mkv mp4"},
        {"early.mkv", VIDEO " -itsoffset 0.44 " TONE X264 " -c:a libopus",
         "mkv mp4"},
        {"vp8.webm", VIDEO " " TONE " -c:v libvpx -deadline realtime "
                     "-c:a libopus", "webm mkv"},
        {"tall.mp4", "-i " CLIPS "/plain.mp4 -c copy -metadata:s:v:0 "
                     "rotate=90", "mp4"},
        {"mjpeg.avi", VIDEO " -c:v mjpeg", "mkv avi"},
    };
    for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
        const char *video = clip(clips[i][0], clips[i][1]);
        char *pictures = packets(video, "0:v:0");
        char *had = ask(video, "a", "stream=index");
        assert_true(strlen(pictures) == 50 * 33);
        char suffixes[32];
        snprintf(suffixes, sizeof suffixes, "%s", clips[i][2]);
        char *rest = suffixes;
        for (char *x; (x = strsep(&rest, " "));)
            for (int mode = 0; mode < 3; mode++) {
                char name[64];
                snprintf(name, sizeof name, "%s.%s.%s", clips[i][0],
                         modes[mode], x);
                check_pair(video, pictures, had[0] != '\0', out_path(name),
                           mode);
            }
        free(pictures);
        free(had);
    }
    assert_true(ask_number(out_path("tall.mp4.mix.mp4"), "v:0",
                           "stream_side_data=rotation") == 90);
    assert_int_equal(leftovers(EMS_SCRATCH "/out"), 0);
}

static void containers_get_their_codecs(void **state)
{
    (void)state;
    static const char *const want[][2] = {
        {"plain.mp4.mix.mp4", "aac\n"}, {"plain.mp4.mix.mov", "aac\n"},
        {"plain.mp4.mix.mkv", "opus\n"}, {"vp8.webm.mix.webm", "opus\n"},
        {"mjpeg.avi.mix.avi", "pcm_s16le\n"},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        char *codec = ask(out_path(want[i][0]), "a:0", "stream=codec_name");
        assert_string_equal(codec, want[i][1]);
        free(codec);
    }
    /* fast start: the index comes before the media */
    size_t size;
    char *data = run_program(&size, "cat", out_path("plain.mp4.mix.mp4"),
                             NULL);
    const char *moov = memmem(data, size, "moov", 4);
    const char *mdat = memmem(data, size, "mdat", 4);
    assert_true(moov && mdat && moov < mdat);
    free(data);
}

/* ---- A file with everything ---- */

static const char *rich(void)
{
    static const char srt[] = "1\n00:00:00,200 --> 00:00:01,000\nHello\n\n"
                              "2\n00:00:01,200 --> 00:00:01,800\nthere\n";
    static const char meta[] = ";FFMETADATA1\ntitle=A film\nartist=Somebody\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=900\nEND=2000\ntitle=Two\n";
    write_file(clip_path("s.srt"), srt, sizeof srt - 1);
    write_file(clip_path("m.txt"), meta, sizeof meta - 1);
    write_file(clip_path("a.ttf"), "not really a font", 17);
    return clip("rich.mkv",
        VIDEO " " TONE " -f lavfi -i sine=f=880:r=48000:d=2 -i "
        CLIPS "/s.srt -i " CLIPS "/m.txt -map 0 -map 1 -map 2 -map 3 "
        "-map_metadata 4" X264 " -c:a:0 flac -c:a:1 aac -c:s srt "
        "-metadata:s:a:0 language=fin -metadata:s:a:1 language=deu "
        "-metadata:s:a:1 title=Second -metadata:s:s:0 language=swe "
        "-disposition:a:1 default -disposition:a:0 0 -disposition:s:0 forced "
        "-attach " CLIPS "/a.ttf -metadata:s:t mimetype=font/ttf");
}

static void expect(const char *path, const char *select, const char *entries,
                   const char *want)
{
    char *text = ask(path, select, entries);
    if (strcmp(text, want) != 0)
        fail_msg("%s %s %s:\n%swant\n%s", path, select, entries, text, want);
    free(text);
}

static void everything_else_stays(void **state)
{
    (void)state;
    const char *video = rich();
    const char *out = out_path("rich.track.mkv");
    mux(video, out, EMS_AUDIO_TRACK);
    char *kinds = run_program(NULL, "ffprobe", "-v", "error", "-show_entries",
                              "stream=codec_type:stream_tags=language",
                              "-of", "csv=p=0", out, NULL);
    assert_string_equal(kinds, "video\naudio,fin\naudio,deu\nsubtitle,swe\n"
                               "audio,zxx\nattachment\n");
    free(kinds);
    same_packets(video, "0:a:0", out, "0:a:0");
    same_packets(video, "0:a:1", out, "0:a:1");
    expect(out, "a:2", "stream_tags=title", "EMSYNC music\n");
    expect(out, "a", "stream_disposition=default", "0\n1\n0\n");
    expect(out, "s", "stream_disposition=forced", "1\n");
    char *times = ask(video, "s", "packet=pts_time,duration_time");
    assert_true(strlen(times) == 2 * strlen("0.200000,0.800000\n"));
    expect(out, "s", "packet=pts_time,duration_time", times);
    free(times);
    expect(out, "a:0", "format_tags=title,artist,comment",
           "A film,Somebody,made by a test\n");
    expect(out, "a:0", "chapter=start_time,end_time:chapter_tags=title",
           "0.000000,0.900000,One\n0.900000,2.000000,Two\n");
}

static void the_mix_takes_the_place_of_the_default(void **state)
{
    (void)state;
    const char *video = rich();
    const char *out = out_path("rich.mix.mkv");
    mux(video, out, EMS_AUDIO_MIX);
    expect(out, "a", "stream=codec_name:stream_tags=language",
           "flac,fin\nopus,deu\n");
    expect(out, "a:1", "stream_tags=title", "Second\n");
    expect(out, "a", "stream_disposition=default", "0\n1\n");
    same_packets(video, "0:a:0", out, "0:a:0");

    out = out_path("rich.replace.mp4");
    told t;
    ems_error err;
    listen_to(&t);
    assert_int_equal(mux_as(video, out, EMS_AUDIO_REPLACE, &t, &err), EMS_OK);
    assert_int_equal(t.warnings, 2); /* subtitles and font do not fit */
    assert_non_null(strstr(t.last, "left out"));
    expect(out, "a", "stream=codec_name", "aac\n");
    expect(out, "a", "stream_disposition=default", "1\n");
    expect(out, "v", "chapter_tags=title", "One\nTwo\n");
}

/* ---- What the mix is made of ---- */

static void surround_stays_surround(void **state)
{
    (void)state;
    const char *video = clip("surround.mp4", VIDEO " " TONE " -af pan=5.1|"
                             "c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0" X264
                             " -c:a aac");
    const char *out = out_path("surround.mp4");
    mux(video, out, EMS_AUDIO_MIX);
    expect(out, "a", "stream=channels", "6\n");
}

/* Sound without pictures: a lossless container shows every sample. */
static void sound_alone(void **state)
{
    (void)state;
    const char *tone = clip("tone.wav", "-f lavfi -i sine=f=440:r=48000:d=2 "
                            "-c:a pcm_s16le");
    const char *out = out_path("alone.wav");
    mux(tone, out, EMS_AUDIO_REPLACE);
    sound got = hear(out, "a:0");
    sound want = hear(clip("music.wav", MUSIC), "a:0");
    assert_int_equal(got.count, 2 * RATE);
    for (size_t i = 0; i < 2 * got.count; i++)
        assert_true(abs(got.samples[i] - want.samples[i]) <= 1);
    free(got.samples);
    free(want.samples);
    mux(tone, out_path("alone.m4a"), EMS_AUDIO_MIX);
    assert_true(fabs(ask_number(out_path("alone.m4a"), "a:0",
                                "stream=duration") - 2) < 0.03);
}

static void same_input_gives_same_bytes(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"1.mp4", "2.mp4"},
                                           {"1.mkv", "2.mkv"}};
    for (size_t i = 0; i < 2; i++) {
        mux(clip("plain.mp4", PLAIN), out_path(names[i][0]), EMS_AUDIO_MIX);
        mux(clip("plain.mp4", PLAIN), out_path(names[i][1]), EMS_AUDIO_MIX);
        char *same = run_program(NULL, "cmp", out_path(names[i][0]),
                                 out_path(names[i][1]), NULL);
        assert_non_null(same);
        free(same);
    }
}

/* ---- What is refused, and what then is left behind ---- */

static void refuse(const char *video, const char *wav, const char *out,
                   ems_code want, const char *word)
{
    ems_error err = {0};
    const int code = ems_mux(video, wav, out, NULL, NULL, NULL, &err);
    if (code != want || !strstr(err.text, word))
        fail_msg("%s + %s -> %s: %d %s", video, wav, out, code, err.text);
    assert_int_equal(ems_mux(video, wav, out, NULL, NULL, NULL, NULL), want);
    assert_int_equal(leftovers(CLIPS), 0);
    assert_int_equal(leftovers(EMS_SCRATCH "/out"), 0);
}

/* What is known before there is any music. */
static void refuse_early(const char *video, const char *wav, const char *out,
                         int want, const char *word)
{
    refuse(video, wav, out, want, word);
    ems_error err = {0};
    const int code = ems_mux_possible(video, out, NULL, &err);
    if (code != want || !strstr(err.text, word))
        fail_msg("%s -> %s: %d %s", video, out, code, err.text);
    assert_int_equal(leftovers(EMS_SCRATCH "/out"), 0);
}

static void refusals(void **state)
{
    (void)state;
    const char *video = clip("plain.mp4", PLAIN);
    const char *wav = clip("music.wav", MUSIC);
    const char *out = out_path("refused.mp4");
    unlink(out);
    unlink(clip_path("alias.mp4"));
    assert_int_equal(symlink(video, clip_path("alias.mp4")), 0);
    write_file(clip_path("text.wav"), "RIFFnothing", 11);
    refuse_early(video, wav, video, EMS_EINVAL, "another name");
    refuse_early(video, wav, clip_path("alias.mp4"), EMS_EINVAL,
                 "another name");
    refuse(video, wav, wav, EMS_EINVAL, "another name");
    refuse_early(video, wav, out_path("x.webm"), EMS_EUNSUPPORTED, ".mkv");
    refuse_early(video, wav, out_path("x.avi"), EMS_EUNSUPPORTED, ".mkv");
    refuse_early(video, wav, out_path("x.wav"), EMS_EUNSUPPORTED, ".mkv");
    refuse_early(video, wav, out_path("x"), EMS_EINVAL, "suffix");
    refuse_early(video, wav, out_path("x.txt"), EMS_EINVAL, "suffix");
    refuse_early(video, wav, out_path("x%03d.png"), EMS_EINVAL, "suffix");
    refuse_early(video, wav, EMS_SCRATCH "/no such folder/x.mp4", EMS_EIO,
                 "no such folder");
    refuse(video, clip_path("text.wav"), out, EMS_EFORMAT, "text.wav");
    refuse(video, clip_path("missing.wav"), out, EMS_EIO, "missing.wav");
    refuse(clip_path("missing.mp4"), wav, out, EMS_EIO, "missing.mp4");
    refuse(clip_path("text.wav"), wav, out, EMS_EFORMAT, "text.wav");
    refuse(video, clip("silent.mp4", VIDEO X264), out, EMS_EFORMAT, "sound");
    refuse(clip("still.png", VIDEO " -frames:v 1"), wav, out, EMS_EFORMAT,
           "neither");
    assert_int_equal(access(out, F_OK), -1);
    assert_int_equal(ems_mux(NULL, wav, out, NULL, NULL, NULL, NULL), EMS_EINVAL);
}

static void names_are_only_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "-y.mp4", "a 'b' \"c\".mp4", "new\nline.mkv", "http:x.mp4",
        "%03d.mp4", "pipe:1.mp4", "concat:a|b.mkv",
    };
    const char *video = clip("plain.mp4", PLAIN);
    char back[1024];
    assert_non_null(getcwd(back, sizeof back));
    out_path("");
    assert_int_equal(chdir(EMS_SCRATCH "/out"), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(names[i]);
        mux(video, names[i], EMS_AUDIO_TRACK);
        assert_int_equal(access(names[i], R_OK), 0);
        assert_int_equal(unlink(names[i]), 0);
    }
    assert_int_equal(leftovers("."), 0);
    assert_int_equal(chdir(back), 0);
}

static void cancelling_leaves_nothing(void **state)
{
    (void)state;
    const char *video = clip("plain.mp4", PLAIN);
    const char *out = out_path("cancelled.mp4");
    ems_error err;
    told t;
    int code = EMS_ECANCELLED, rounds = 0;
    unlink(out);
    for (int at = 1; code == EMS_ECANCELLED; at += 1 + at / 6, rounds++) {
        listen_to(&t);
        t.cancel_at = at;
        code = mux_as(video, out, EMS_AUDIO_MIX, &t, &err);
        if (code == EMS_ECANCELLED)
            assert_int_equal(access(out, F_OK), -1);
        assert_int_equal(leftovers(EMS_SCRATCH "/out"), 0);
    }
    assert_int_equal(code, EMS_OK);
    assert_true(rounds > 5 && t.done == 1.0);
}

/* A full disk, as a limit on the size of files; also during the second pass
 * that moves the index to the front. */
static void full_disks_leave_nothing(void **state)
{
    (void)state;
    const char *video = clip("plain.mp4", PLAIN);
    clip("music.wav", MUSIC);
    static const char *const outs[] = {"full.mp4", "full.mkv"};
    for (size_t i = 0; i < 2; i++)
        for (rlim_t limit = 10; limit < 70000; limit = limit * 3 + 7) {
            const char *out = out_path(outs[i]);
            write_file(out, "before", 6);
            fflush(stdout);
            const pid_t child = fork();
            if (child == 0) {
                signal(SIGXFSZ, SIG_IGN);
                const struct rlimit small = {limit, limit};
                setrlimit(RLIMIT_FSIZE, &small);
                ems_error err;
                const int code = mux_as(video, out, EMS_AUDIO_TRACK, NULL,
                                        &err);
                _exit(code == EMS_EIO && strstr(err.text, "full.m")
                          ? 0 : 1 - code);
            }
            int status;
            waitpid(child, &status, 0);
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 0);
            struct stat st;
            assert_int_equal(stat(out, &st), 0);
            assert_int_equal(st.st_size, 6);
            assert_int_equal(leftovers(EMS_SCRATCH "/out"), 0);
        }
}

static void running_out_of_memory(void **state)
{
    (void)state;
    const char *video = clip("plain.mp4", PLAIN);
    const char *out = out_path("memory.mp4");
    ems_error err;
    int code = EMS_ENOMEM;
    for (long n = 1; code == EMS_ENOMEM && n < 200; n++) {
        clip("music.wav", MUSIC);
        unlink(out);
        ems_alloc_fail_at(n);
        code = mux_as(video, out, EMS_AUDIO_MIX, NULL, &err);
        ems_alloc_fail_at(0);
        assert_int_equal(leftovers(EMS_SCRATCH "/out"), 0);
        assert_int_equal(access(out, F_OK), code == EMS_OK ? 0 : -1);
    }
    assert_int_equal(code, EMS_OK);
}

int main(void)
{
    if (!have_ffmpeg(CLIPS))
        return EMS_TEST_SKIP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_stay_and_music_is_on_time),
        cmocka_unit_test(containers_get_their_codecs),
        cmocka_unit_test(everything_else_stays),
        cmocka_unit_test(the_mix_takes_the_place_of_the_default),
        cmocka_unit_test(surround_stays_surround),
        cmocka_unit_test(sound_alone),
        cmocka_unit_test(same_input_gives_same_bytes),
        cmocka_unit_test(refusals),
        cmocka_unit_test(names_are_only_names),
        cmocka_unit_test(cancelling_leaves_nothing),
        cmocka_unit_test(full_disks_leave_nothing),
        cmocka_unit_test(running_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

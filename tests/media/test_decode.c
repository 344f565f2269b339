/* One pass over all kinds of files: scores, times, sound, thumbs. */
#include "clips.h"

#include "base/mem.h"
#include "media/media.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CLIPS EMS_SCRATCH "/decode-clips"
#define VIDEO "-f lavfi -i testsrc2=s=160x90:r=25:d=2"
#define TONE "-f lavfi -i sine=f=440:r=44100:d=2"
/* A click of three samples at 0.5 s of each second, silence else. */
#define CLICKS \
    "-f lavfi -i aevalsrc=0.9*lt(mod(n+24000\\,48000)\\,3):s=48000:d=4"
#define X264 " -c:v libx264 -preset ultrafast -bf 2 -g 12"
#define PLAIN VIDEO " " TONE X264 " -c:a aac"

enum { MAX_FRAMES = 4000, MAX_SOUND = 22050 * 60 };

typedef struct seen {
    size_t frames, thumbs, samples;
    double time[MAX_FRAMES];
    float score[MAX_FRAMES];
    int thumb[MAX_FRAMES];
    uint8_t first_pixel[3];
    float sound[MAX_SOUND];
    int stop_after;
    ems_media_info info;
    ems_error err;
} seen;

static seen *s;

static int on_video(void *user, const ems_frame *f, ems_error *err)
{
    (void)user;
    assert_true(s->frames < MAX_FRAMES);
    assert_true(s->frames == 0 || f->time >= s->time[s->frames - 1]);
    s->time[s->frames] = f->time;
    s->score[s->frames] = (float)f->scene_score;
    s->thumb[s->frames] = f->rgb != NULL;
    if (f->rgb && s->thumbs++ == 0)
        memcpy(s->first_pixel, f->rgb, 3);
    s->frames++;
    if (s->stop_after && (int)s->frames == s->stop_after) {
        if (err)
            err->code = EMS_EINTERNAL;
        return EMS_EINTERNAL;
    }
    return EMS_OK;
}

static int on_audio(void *user, const float *samples, size_t count,
                    ems_error *err)
{
    (void)user, (void)err;
    assert_true(s->samples + count <= MAX_SOUND);
    memcpy(s->sound + s->samples, samples, count * sizeof *samples);
    s->samples += count;
    return EMS_OK;
}

static int decode_with(const char *path, told *t)
{
    const int stop_after = s->stop_after;
    memset(s, 0, sizeof *s);
    s->stop_after = stop_after;
    const ems_media_sink sink = {.video = on_video, .audio = on_audio,
                                 .thumb_seconds = 0.5};
    const int code = ems_media_decode(path, &sink, &s->info, t ? &t->run
                                                               : NULL,
                                      &s->err);
    if (code < 0 && !stop_after)
        assert_true(strlen(s->err.text) > 8 || code == EMS_ECANCELLED);
    return code;
}

static void decode(const char *path)
{
    if (decode_with(path, NULL) != EMS_OK)
        fail_msg("%s: %s", path, s->err.text);
    assert_int_equal(s->info.frames, s->frames);
}

static double first_click(void)
{
    size_t at = 0;
    float most = 0;
    for (size_t i = 0; i < s->samples && i < EMS_MEDIA_RATE; i++)
        if (fabsf(s->sound[i]) > most) {
            most = fabsf(s->sound[i]);
            at = i;
        }
    assert_true(most > 0.1f);
    return (double)at / EMS_MEDIA_RATE;
}

/* ---- Scene scores: what the ffmpeg program prints ---- */

static void compare_with_ffmpeg(const char *path)
{
    char url[1100];
    snprintf(url, sizeof url, "file:%s", path);
    char *text = run_program(
        NULL, "ffmpeg", "-nostdin", "-v", "error", "-i", url, "-an", "-sn",
        "-vf", "select='gte(scene,0)',metadata=print:file=-", "-f", "null",
        "-", NULL);
    assert_non_null(text);
    decode(path);
    size_t n = 0;
    for (const char *at = text;
         (at = strstr(at, "lavfi.scene_score=")); n++) {
        char ours[32];
        at += strlen("lavfi.scene_score=");
        assert_true(n < s->frames);
        snprintf(ours, sizeof ours, "%f\n", (double)s->score[n]);
        if (strncmp(ours, at, strlen(ours)) != 0)
            fail_msg("%s frame %zu: ours %.8s, theirs %.8s", path, n, ours,
                     at);
    }
    assert_int_equal(n, s->frames);
    free(text);
}

static void compare_folder(const char *folder)
{
    DIR *d = opendir(folder);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%.255s", folder, e->d_name);
        const char *dot = strrchr(e->d_name, '.');
        struct stat st;
        if (e->d_name[0] == '.' || stat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            compare_folder(path);
        else if (dot && (!strcmp(dot, ".mp4") || !strcmp(dot, ".webm")))
            compare_with_ffmpeg(path);
    }
    closedir(d);
}

static void scores_equal_ffmpeg(void **state)
{
    (void)state;
    static const char *const clips[][2] = {
        {"plain.mp4", PLAIN},
        {"ten.mkv", VIDEO " -pix_fmt yuv420p10le -c:v libx265 -x265-params "
                          "log-level=none"},
        {"deep.mkv", VIDEO " -pix_fmt yuv422p10le -c:v ffv1"},
        {"planar.mkv", VIDEO " -pix_fmt gbrp -c:v ffv1"},
        {"rgb.avi", VIDEO " -pix_fmt bgr24 -c:v rawvideo"},
        {"alpha.mkv", VIDEO " -pix_fmt rgba -c:v png"},
        {"gray.mkv", VIDEO " -pix_fmt gray -c:v ffv1"},
        {"gray10.mkv", VIDEO " -pix_fmt gray10le -c:v ffv1"},
        {"full.mkv", VIDEO " -pix_fmt yuv444p -c:v ffv1"},
        {"packed.avi", VIDEO " -pix_fmt uyvy422 -c:v rawvideo"},
        {"mjpeg.avi", VIDEO " -c:v mjpeg"},
        {"moving.gif", VIDEO},
        {"vp8.webm", VIDEO " -c:v libvpx -deadline realtime"},
        {"bars.mp4", "-f lavfi -i smptebars=s=162x90:r=25:d=1" X264},
    };
    for (size_t i = 0; i < sizeof clips / sizeof *clips; i++)
        compare_with_ffmpeg(clip(clips[i][0], clips[i][1]));
    compare_folder(EMS_SHARED "/data/videos");
}

static void cuts_are_found_when_the_size_changes(void **state)
{
    (void)state;
    size_t one, two;
    clip("small.h264", "-f lavfi -i testsrc2=s=160x90:r=25:d=1" X264);
    clip("large.h264", "-f lavfi -i testsrc2=s=320x180:r=25:d=1" X264);
    char *a = run_program(&one, "cat", CLIPS "/small.h264", NULL);
    char *b = run_program(&two, "cat", CLIPS "/large.h264", NULL);
    assert_non_null(a);
    assert_non_null(b);
    a = realloc(a, one + two);
    memcpy(a + one, b, two);
    write_file(clip_path("both.h264"), a, one + two);
    free(a);
    free(b);
    compare_with_ffmpeg(clip_path("both.h264"));
    assert_int_equal(s->frames, 50);
}

/* ---- Times ---- */

static void times_and_durations(void **state)
{
    (void)state;
    decode(clip("plain.mp4", PLAIN));
    assert_int_equal(s->frames, 50);
    assert_true(s->time[0] == 0.0);
    assert_true(fabs(s->time[49] - 49 / 25.0) < 1e-6);
    assert_true(fabs(s->info.duration - 2) < 1e-6);
    assert_true(fabs(s->info.fps - 25) < 1e-6);
    assert_int_equal(s->info.width, 160);
    assert_int_equal(s->info.height, 90);
    assert_true(s->info.has_audio && s->info.has_video);
    assert_int_equal(s->info.sample_rate, 44100);
    assert_int_equal(s->info.rotation, 0);

    decode(clip("vfr.mp4", VIDEO " -vf select=not(mod(n\\,3))+lt(n\\,20) "
                "-fps_mode vfr" X264));
    assert_int_equal(s->frames, 30);
    assert_true(fabs(s->time[19] - 0.76) < 1e-3);
    assert_true(fabs(s->time[20] - 0.84) < 1e-3);
    assert_true(fabs(s->time[29] - 1.92) < 1e-3);

    decode(clip("one.mp4", VIDEO " -frames:v 1" X264));
    assert_int_equal(s->frames, 1);
    assert_true(fabs(s->info.duration - 0.04) < 1e-6);

    decode(clip("short.mp4", PLAIN " -t 0.3"));
    assert_true(s->frames >= 7 && s->frames <= 8);
    assert_true(fabs(s->info.duration - (double)s->frames / 25) < 1e-6);

    decode(clip("ntsc.ts", "-f lavfi -i testsrc2=s=160x90:r=30000/1001:d=2"
                X264));
    assert_true(fabs(s->info.fps - 30000 / 1001.0) < 1e-6);
}

static void rotation_is_told(void **state)
{
    (void)state;
    clip("plain.mp4", PLAIN);
    /* ffmpeg 5.1 writes this number as an anticlockwise turn */
    decode(clip("right.mp4", "-i " CLIPS "/plain.mp4 -c copy "
                "-metadata:s:v:0 rotate=270"));
    assert_int_equal(s->info.rotation, 90);
    decode(clip("left.mp4", "-i " CLIPS "/plain.mp4 -c copy "
                "-metadata:s:v:0 rotate=90"));
    assert_int_equal(s->info.rotation, 270);
}

/* ---- Sound ---- */

static void sound_is_aligned_with_the_first_frame(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
        double click; /* where the first click must appear */
    } cases[] = {
        {"even.mkv", VIDEO " -i CLICKS" X264 " -c:a pcm_s16le -t 2", 0.5},
        {"late.mkv", "-itsoffset 0.72 " VIDEO " -i CLICKS" X264
                     " -c:a pcm_s16le", 0.78},
        {"early.mkv", VIDEO " -itsoffset 0.25 -i CLICKS" X264
                      " -c:a pcm_s16le", 0.75},
        {"aac.mp4", "-itsoffset 0.72 -i " CLIPS "/plain.mp4 -i CLICKS -map "
                    "0:v -map 1:a -c:v copy -c:a aac", 0.78},
        {"far.mp4", VIDEO " -i CLICKS" X264
                    " -c:a aac -output_ts_offset 7.31", 0.5},
        {"flow.ts", "-itsoffset 0.72 " VIDEO " -i CLICKS" X264 " -c:a mp2",
         0.78},
    };
    clip("clicks.wav", CLICKS);
    clip("plain.mp4", PLAIN);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[512];
        const char *at = strstr(cases[i].words, "CLICKS");
        snprintf(words, sizeof words, "%.*s%s%s", (int)(at - cases[i].words),
                 cases[i].words, CLIPS "/clicks.wav", at + 6);
        decode(clip(cases[i].name, words));
        const double found = first_click();
        if (fabs(found - cases[i].click) > 0.001)
            fail_msg("%s: click at %.4f, want %.4f", cases[i].name, found,
                     cases[i].click);
        assert_true((double)s->samples <=
                    s->info.duration * EMS_MEDIA_RATE + 1);
    }
}

static void stereo_stays_within_full_scale(void **state)
{
    (void)state;
    decode(clip("loud.wav", "-f lavfi -i aevalsrc=0.98*sin(2*PI*440*t)|"
                "0.98*sin(2*PI*440*t):s=48000:d=1 -c:a pcm_s16le"));
    float most = 0;
    for (size_t i = 0; i < s->samples; i++)
        most = fmaxf(most, fabsf(s->sound[i]));
    assert_true(most > 0.9f && most < 1.05f);
    assert_int_equal(s->info.has_video, 0);
    assert_true(s->info.fps == 0.0);
    assert_true(fabs(s->info.duration - 1) < 0.002);
}

static void halves_are_optional(void **state)
{
    (void)state;
    decode(clip("silent.mp4", VIDEO X264));
    assert_int_equal(s->info.has_audio, 0);
    assert_int_equal(s->frames, 50);
    decode(clip("tone.m4a", TONE " -c:a aac"));
    assert_int_equal(s->frames, 0);
    assert_true(fabs(s->info.duration - 2) < 0.05);
    /* cover art is no video */
    clip("still.png", VIDEO " -frames:v 1");
    decode(clip("cover.m4a", TONE " -i " CLIPS "/still.png -map 0 -map 1 "
                "-c:a aac -c:v png -disposition:v:0 attached_pic"));
    assert_int_equal(s->info.has_video, 0);
    assert_true(s->samples > 40000);
}

/* ---- Thumbs ---- */

static void thumbs_come_regularly_and_at_cuts(void **state)
{
    (void)state;
    decode(clip("cut.mp4",
                "-f lavfi -i color=c=red:s=160x90:r=25:d=0.96 -f lavfi -i "
                "color=c=white:s=160x90:r=25:d=1 -filter_complex "
                "concat=n=2:v=1" X264));
    assert_true(s->first_pixel[0] > 230 && s->first_pixel[1] < 25 &&
                s->first_pixel[2] < 25);
    assert_true(s->thumb[0] && s->thumb[24] && s->thumb[25]);
    assert_true(s->score[24] > 0.3f && s->score[23] < 0.01f);
    assert_true(s->thumbs >= 5 && s->thumbs <= 8);
    double last = 0;
    for (size_t i = 0; i < s->frames; i++)
        if (s->thumb[i]) {
            assert_true(s->time[i] - last < 0.5 + 0.041);
            last = s->time[i];
        }
}

/* ---- Names and hostile files ---- */

static void names_are_only_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "-y.mp4", "a b.mp4", "it's \"so\".mp4", "new\nline.mp4", "http:x.mp4",
        "concat:a|b.mp4", "%03d.mp4", "file:f.mp4", "pipe:0", "\xff\xfe.mp4",
        "$(reboot);.mp4", "no suffix",
    };
    char from[1024], back[1024];
    snprintf(from, sizeof from, "%s", clip("plain.mp4", PLAIN));
    assert_non_null(getcwd(back, sizeof back));
    assert_int_equal(chdir(CLIPS), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(names[i]);
        assert_int_equal(link(from, names[i]), 0);
        decode(names[i]);
        assert_int_equal(s->frames, 50);
        unlink(names[i]);
    }
    assert_int_equal(chdir(back), 0);
}

static void refuse(const char *path, ems_code want)
{
    const int code = decode_with(path, NULL);
    if (code != want)
        fail_msg("%s: %d (%s)", path, code, code ? s->err.text : "accepted");
    assert_non_null(strchr(s->err.text, '"'));
}

static void unreadable_by_others(const char *path)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(9);
        const ems_media_sink sink = {0};
        ems_media_info info;
        ems_error err;
        _exit(-ems_media_decode(path, &sink, &info, NULL, &err));
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), -EMS_EIO);
}

static void what_is_not_media_is_refused(void **state)
{
    (void)state;
    static const char text[] = "This is a shopping list: bread, salt, tea.\n";
    write_file(clip_path("text.mp4"), text, sizeof text);
    write_file(clip_path("empty.mp4"), "", 0);
    refuse(clip_path("text.mp4"), EMS_EFORMAT);
    refuse(clip_path("empty.mp4"), EMS_EFORMAT);
    refuse(clip("still.png", VIDEO " -frames:v 1"), EMS_EFORMAT);
    refuse(CLIPS, EMS_EFORMAT);
    refuse("/dev/zero", EMS_EFORMAT);
    refuse(clip_path("is not there.mp4"), EMS_EIO);
    mkfifo(clip_path("pipe.mp4"), 0666);
    refuse(clip_path("pipe.mp4"), EMS_EFORMAT);
    write_file(clip_path("secret.mp4"), text, sizeof text);
    chmod(clip_path("secret.mp4"), 0);
    unreadable_by_others(clip_path("secret.mp4"));
}

/* Files that name other files: nothing of those may be read. */
static void playlists_are_refused(void **state)
{
    (void)state;
    clip("plain.mp4", PLAIN);
    clip("flow2.ts", PLAIN);
    static const char m3u8[] = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
        "#EXTINF:2,\nflow2.ts\n#EXT-X-ENDLIST\n";
    static const char absolute[] = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
        "#EXTINF:2,\nfile://" CLIPS "/flow2.ts\n#EXT-X-ENDLIST\n";
    static const char list[] = "ffconcat version 1.0\nfile plain.mp4\n";
    static const char mpd[] = "<?xml version=\"1.0\"?><MPD type=\"static\" "
        "mediaPresentationDuration=\"PT2S\"><Period><AdaptationSet><Represent"
        "ation id=\"1\" mimeType=\"video/mp4\"><BaseURL>plain.mp4</BaseURL>"
        "</Representation></AdaptationSet></Period></MPD>\n";
    write_file(clip_path("list.m3u8"), m3u8, sizeof m3u8 - 1);
    write_file(clip_path("absolute.mp4"), absolute, sizeof absolute - 1);
    write_file(clip_path("list.ffconcat"), list, sizeof list - 1);
    write_file(clip_path("list.mpd"), mpd, sizeof mpd - 1);
    refuse(clip_path("list.m3u8"), EMS_EFORMAT);
    refuse(clip_path("absolute.mp4"), EMS_EFORMAT);
    refuse(clip_path("list.ffconcat"), EMS_EFORMAT);
    refuse(clip_path("list.mpd"), EMS_EFORMAT);
}

static void damaged_files_give_what_they_have(void **state)
{
    (void)state;
    size_t size;
    clip("plain.mp4", PLAIN);
    clip("fast.mp4", "-i " CLIPS "/plain.mp4 -c copy -movflags +faststart");
    char *data = run_program(&size, "cat", CLIPS "/fast.mp4", NULL);
    assert_non_null(data);
    told t;
    write_file(clip_path("cut off.mp4"), data, size * 6 / 10);
    listen_to(&t);
    assert_int_equal(decode_with(clip_path("cut off.mp4"), &t), EMS_OK);
    assert_true(s->frames > 5 && s->frames < 50);
    assert_int_equal(t.warnings, 1);
    assert_non_null(strstr(t.last, "damaged"));

    for (size_t i = size / 2; i < size / 2 + 400; i++)
        data[i] = (char)(i * 37);
    write_file(clip_path("scratched.mp4"), data, size);
    listen_to(&t);
    assert_int_equal(decode_with(clip_path("scratched.mp4"), &t), EMS_OK);
    assert_true(s->frames > 5);

    /* any prefix: media or a sentence, never a crash */
    for (size_t n = 1; n < 3000; n += 97) {
        write_file(clip_path("prefix.mp4"), data, n);
        refuse(clip_path("prefix.mp4"), EMS_EFORMAT);
    }
    free(data);

    clip("vp8.webm", VIDEO " -c:v libvpx -deadline realtime");
    data = run_program(&size, "cat", CLIPS "/vp8.webm", NULL);
    write_file(clip_path("cut off.webm"), data, size / 2);
    listen_to(&t);
    assert_int_equal(decode_with(clip_path("cut off.webm"), &t), EMS_OK);
    assert_int_equal(t.warnings, 1);
    free(data);
}

/* Bytes changed at random: any outcome but a crash, a hang or nonsense. */
static void mutations_are_survived(void **state)
{
    (void)state;
    static const char *const names[] = {"plain.mp4", "vp8.webm", "ntsc.ts",
                                        "mjpeg.avi"};
    uint32_t r = 12345;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        size_t size;
        char *data = run_program(&size, "cat", clip_path(names[k]), NULL);
        assert_non_null(data);
        for (int round = 0; round < 12; round++) {
            char *copy = malloc(size);
            memcpy(copy, data, size);
            for (int i = 0; i < 30; i++) {
                r = r * 1664525 + 1013904223;
                const size_t span = i % 3 ? size : size < 2000 ? size : 2000;
                const size_t at = i % 3 == 2 ? size - 1 - (r >> 4) % span
                                             : (r >> 4) % span;
                copy[at] = (char)(r >> 24);
            }
            write_file(clip_path("mutant"), copy, size);
            const int code = decode_with(clip_path("mutant"), NULL);
            assert_true(code == EMS_OK || code == EMS_EFORMAT ||
                        code == EMS_EUNSUPPORTED);
            free(copy);
        }
        free(data);
    }
}

/* ---- Being called ---- */

static int open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static void cancelling_and_sinks_that_stop(void **state)
{
    (void)state;
    const char *path = clip("plain.mp4", PLAIN);
    const int before = open_files();
    told t;
    for (int at = 1; at < 200; at += 17) {
        listen_to(&t);
        t.cancel_at = at;
        assert_int_equal(decode_with(path, &t), EMS_ECANCELLED);
    }
    s->stop_after = 10;
    assert_int_equal(decode_with(path, NULL), EMS_EINTERNAL);
    assert_int_equal(s->frames, 10);
    s->stop_after = 0;
    listen_to(&t);
    assert_int_equal(decode_with(path, &t), EMS_OK);
    assert_true(t.done == 1.0);
    assert_int_equal(t.warnings, 0);
    assert_int_equal(open_files(), before);
}

static void running_out_of_memory(void **state)
{
    (void)state;
    const char *path = clip("plain.mp4", PLAIN);
    int code = EMS_ENOMEM;
    for (long n = 1; code == EMS_ENOMEM && n < 100; n++) {
        ems_alloc_fail_at(n);
        code = decode_with(path, NULL);
    }
    ems_alloc_fail_at(0);
    assert_int_equal(code, EMS_OK);
}

static void probing_tells_without_decoding(void **state)
{
    (void)state;
    ems_media_info info;
    ems_error err;
    assert_int_equal(ems_media_probe(clip("plain.mp4", PLAIN), &info, NULL,
                                     &err), EMS_OK);
    assert_true(info.has_video && info.has_audio && info.frames == 0);
    assert_true(fabs(info.duration - 2) < 0.05);
    assert_int_equal(ems_media_probe(CLIPS "/still.png", &info, NULL, &err),
                     EMS_EFORMAT);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    const char *path = clip("plain.mp4", PLAIN);
    static float scores[MAX_FRAMES];
    decode(path);
    memcpy(scores, s->score, sizeof scores);
    told t;
    for (int threads = 1; threads <= 3; threads++) {
        listen_to(&t);
        t.run.threads = threads;
        assert_int_equal(decode_with(path, &t), EMS_OK);
        assert_memory_equal(scores, s->score, sizeof scores);
    }
}

int main(void)
{
    if (!have_ffmpeg(CLIPS))
        return EMS_TEST_SKIP;
    s = calloc(1, sizeof *s);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_equal_ffmpeg),
        cmocka_unit_test(cuts_are_found_when_the_size_changes),
        cmocka_unit_test(times_and_durations),
        cmocka_unit_test(rotation_is_told),
        cmocka_unit_test(sound_is_aligned_with_the_first_frame),
        cmocka_unit_test(stereo_stays_within_full_scale),
        cmocka_unit_test(halves_are_optional),
        cmocka_unit_test(thumbs_come_regularly_and_at_cuts),
        cmocka_unit_test(names_are_only_names),
        cmocka_unit_test(what_is_not_media_is_refused),
        cmocka_unit_test(playlists_are_refused),
        cmocka_unit_test(damaged_files_give_what_they_have),
        cmocka_unit_test(mutations_are_survived),
        cmocka_unit_test(cancelling_and_sinks_that_stop),
        cmocka_unit_test(running_out_of_memory),
        cmocka_unit_test(probing_tells_without_decoding),
        cmocka_unit_test(threads_change_nothing),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(s);
    return failed;
}

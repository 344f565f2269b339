/* How a mix sounds: levels, ducking, odd originals. */
#include "clips.h"

#include <math.h>
#include <sys/stat.h>

#define CLIPS EMS_SCRATCH "/mixing-clips"
#define VIDEO "-f lavfi -i testsrc2=s=160x90:r=25:d=2"
#define X264 " -c:v libx264 -preset ultrafast -bf 2 -g 12"
enum { RATE = 48000 };

static const char *out_path(const char *name)
{
    mkdir(EMS_SCRATCH "/mixed", 0777);
    return kept_path(EMS_SCRATCH "/mixed", name);
}

typedef struct sound {
    int16_t *samples; /* [count, 2] */
    size_t count, size;
} sound;

static sound hear(const char *path)
{
    sound s = {0};
    s.samples = (void *)run_program(&s.size, "ffmpeg", "-nostdin", "-v",
                                    "error", "-i", path, "-map", "0:a:0",
                                    "-ac", "2", "-ar", "48000", "-f", "s16le",
                                    "-", NULL);
    assert_non_null(s.samples);
    s.count = s.size / 4;
    return s;
}

static double level(const sound *s, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to && i < s->count; i++)
        sum += (double)s->samples[2 * i] * s->samples[2 * i];
    return sqrt(sum / (double)(to - from)) / 32768;
}

static void mixes_keep_levels_and_do_not_clip(void **state)
{
    (void)state;
    const char *video = clip("loud.mkv", VIDEO " -f lavfi -i aevalsrc="
        "0.98*sin(2*PI*440*t)|0.98*sin(2*PI*440*t):s=48000:d=2" X264
        " -c:a pcm_s16le");
    const char *wav = clip("loud.wav", "-f lavfi -i aevalsrc=0.98*sin(2*PI*"
        "1000*t)|0.98*sin(2*PI*1000*t):s=48000:d=5 -c:a pcm_s16le");
    const char *out = out_path("loud.mkv");
    ems_mux_options o = ems_mux_defaults();
    ems_error err;
    o.music_db = 0;
    assert_int_equal(ems_mux(video, wav, out, &o, NULL, NULL, &err), EMS_OK);
    sound s = hear(out);
    int most = 0;
    for (size_t i = 0; i < s.count; i++)
        most = abs(s.samples[2 * i]) > most ? abs(s.samples[2 * i]) : most;
    assert_true(most > 0.9 * 32768 && most < 32767);
    /* two equal sines whose peaks the limiter brings to 0.98: RMS 0.49 */
    assert_true(fabs(level(&s, RATE / 2, RATE) - 0.49) < 0.02);
    free(s.samples);

    o.music_db = -120; /* the original alone, as it was */
    assert_int_equal(ems_mux(video, wav, out, &o, NULL, NULL, &err), EMS_OK);
    s = hear(out);
    assert_true(fabs(level(&s, RATE / 2, RATE) - 0.98 / sqrt(2)) < 0.02);
    free(s.samples);
    o.music_db = NAN;
    assert_int_equal(ems_mux(video, wav, out, &o, NULL, NULL, &err), EMS_EINVAL);
}

/* A voice (a tone on both sides) from 2 to 4 s of 8, under music on the left:
 * there the music lies 11 dB lower, elsewhere it and the voice stay. */
static void music_steps_back_for_speech(void **state)
{
    (void)state;
    const char *video = clip("voice.mkv", "-f lavfi -i testsrc2=s=64x48:r=25:"
        "d=8 -f lavfi -i aevalsrc=0.2*sin(2*PI*440*t)*between(t\\,2\\,4)|"
        "0.2*sin(2*PI*440*t)*between(t\\,2\\,4):s=48000:d=8" X264
        " -c:a pcm_s16le");
    const char *wav = clip("tone.wav", "-f lavfi -i aevalsrc=0.2*sin(2*PI*"
        "1000*t)|0:s=48000:d=8 -c:a pcm_s16le");
    const char *out = out_path("voice.mkv");
    static const ems_stretch speech[] = {{2, 4}};
    ems_mux_options o = ems_mux_defaults();
    ems_speech_ratio r, open;
    ems_error err;
    o.music_db = 0;
    assert_int_equal(ems_mux(video, wav, out, &o, &open, NULL, &err), EMS_OK);
    assert_true(open.seconds == 0 && isnan(open.after));
    o.speech = speech;
    o.speech_count = 1;
    assert_int_equal(ems_mux(video, wav, out, &o, &r, NULL, &err), EMS_OK);
    assert_true(r.seconds == 2 && r.duck == 11);
    assert_true(fabs(r.after - r.before - 11) < 0.2);
    /* two sides beside one, less what K-weighting gives 1 kHz over 440 Hz */
    assert_true(r.before > 1.8 && r.before < 3.1);
    sound s = hear(out);
    const double full = level(&s, RATE / 2, RATE);
    assert_true(fabs(full - 0.2 / sqrt(2)) < 0.005);
    assert_true(fabs(level(&s, 6 * RATE, 7 * RATE) - full) < 0.005);
    const double under = level(&s, 5 * RATE / 2, 7 * RATE / 2);
    const double music = full * pow(10, -11 / 20.0);
    assert_true(fabs(under - sqrt(full * full + music * music)) < 0.005);
    free(s.samples);
    o.accessible = 1;
    assert_int_equal(ems_mux(video, wav, out, &o, &r, NULL, &err), EMS_OK);
    assert_true(r.after >= 20 && r.after < 21.5);
    o.duck_db = 61;
    assert_int_equal(ems_mux(video, wav, out, &o, &r, NULL, &err), EMS_EINVAL);
    static const ems_stretch wrong[] = {{4, 2}};
    o.duck_db = 11;
    o.speech = wrong;
    assert_int_equal(ems_mux(video, wav, out, &o, &r, NULL, &err), EMS_EINVAL);
}

/* Original sound of every shape; music longer and shorter than the film. */
static void odd_sounds_are_mixed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } film[] = {
        {"mono8.mkv", "-ac 1 -ar 8000 -c:a pcm_s16le"},
        {"high.mkv", "-ac 2 -ar 192000 -c:a pcm_s24le"},
        {"five.mkv", "-ac 6 -ar 44100 -c:a pcm_s16le"}};
    const char *tone = "-f lavfi -i testsrc2=s=64x48:r=25:d=2 -f lavfi -i "
                       "sine=f=440:r=48000:d=2" X264 " ";
    static const char *const length[] = {"1", "5"};
    for (size_t i = 0; i < sizeof film / sizeof *film; i++)
        for (int k = 0; k < 2; k++) {
            char words[400], name[40];
            snprintf(words, sizeof words, "%s%s", tone, film[i].words);
            const char *video = clip(film[i].name, words);
            snprintf(words, sizeof words, "-f lavfi -i sine=f=1000:r=48000:d="
                     "%s -ac 2 -c:a pcm_s16le", length[k]);
            snprintf(name, sizeof name, "sine%s.wav", length[k]);
            const char *wav = clip(name, words);
            const char *out = out_path(film[i].name);
            ems_error err;
            if (ems_mux(video, wav, out, NULL, NULL, NULL, &err) < 0)
                fail_msg("%s: %s", film[i].name, err.text);
            const sound s = hear(out);
            assert_true(abs((int)s.count - 2 * RATE) < RATE / 25);
            assert_true(level(&s, RATE / 4, RATE / 2) > 0.02);
            free(s.samples);
        }
}

/* Samples that are no numbers count as silence. */
static void no_numbers_are_silence(void **state)
{
    (void)state;
    enum { FRAMES = 48000 };
    static float x[FRAMES * 2];
    for (int i = 0; i < FRAMES * 2; i++)
        x[i] = i % 1000 == 7 ? NAN : i % 1000 == 9 ? -INFINITY
                                   : 0.1f * (float)sin(i * 0.03);
    const char *raw = kept_path(CLIPS, "nan.f32");
    write_file(raw, x, sizeof x);
    char words[400];
    snprintf(words, sizeof words, "-f f32le -ar 48000 -ac 2 -i %s -c:a "
             "pcm_f32le", raw);
    const char *wav = clip("nan.wav", words);
    const char *video = clip("plain.mkv", "-f lavfi -i testsrc2=s=64x48:r=25:"
        "d=1 -f lavfi -i sine=f=440:r=48000:d=1" X264 " -c:a pcm_s16le");
    const char *out = out_path("nan.mkv");
    ems_error err;
    if (ems_mux(video, wav, out, NULL, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
    const sound s = hear(out);
    const double l = level(&s, 0, RATE / 2);
    assert_true(l > 0.01 && l < 1);
    free(s.samples);
}

/* ---- Restoring the original sound --------------------------------------- */

#define SILENT "-f lavfi -i anullsrc=r=48000:cl=stereo:d=1 -c:a pcm_s16le"
#define PINK "-f lavfi -i testsrc2=s=64x48:r=25:d=3 -f lavfi -i " \
    "anoisesrc=c=pink:r=48000:a=0.5:d=3:seed=7"
#define DULL PINK ",aresample=16000,aresample=48000"

static sound mux_original(const char *video, const char *name, int enhance)
{
    const char *wav = clip("silent.wav", SILENT), *out = out_path(name);
    ems_mux_options o = ems_mux_defaults();
    ems_error err;
    o.enhance_original = enhance;
    if (ems_mux(video, wav, out, &o, NULL, NULL, &err) < 0)
        fail_msg("%s: %s", video, err.text);
    return hear(out);
}

/* Power of the difference between two sounds over that of the first. */
static double difference(const sound *a, const sound *b)
{
    double sum = 0, power = 0;
    for (size_t i = 0; i < 2 * a->count; i++) {
        const double x = a->samples[i], e = x - b->samples[i];
        power += x * x;
        sum += e * e;
    }
    return sum / power;
}

static void dull_original_sound_is_restored(void **state)
{
    (void)state;
    static const char *const format[] = {"mono", "stereo", "5.1"};
    for (size_t i = 0; i < sizeof format / sizeof *format; i++) {
        char words[400];
        snprintf(words, sizeof words, DULL ",aformat=channel_layouts=%s" X264
                 " -c:a pcm_s16le", format[i]);
        char name[16];
        snprintf(name, sizeof name, "%s.mkv", format[i]);
        const char *video = clip(name, words);
        sound plain = mux_original(video, "plain.mkv", 0);
        sound more = mux_original(video, "more.mkv", 1);
        assert_int_equal(plain.count, more.count);
        /* something little is added; the rest stays in its place, as far as
           Opus can tell */
        const double d = difference(&plain, &more);
        if (!(d > 0 && d < 2e-2))
            fail_msg("%s: %g", format[i], d);
        free(plain.samples);
        free(more.samples);
    }
}

static void whole_original_sound_is_left_alone(void **state)
{
    (void)state;
    const char *video = clip("whole.mkv", PINK X264 " -c:a pcm_s16le");
    sound plain = mux_original(video, "plain.mkv", 0);
    sound more = mux_original(video, "more.mkv", 1);
    assert_int_equal(plain.size, more.size);
    assert_memory_equal(plain.samples, more.samples, plain.size);
    free(plain.samples);
    free(more.samples);
    ems_mux_options o = ems_mux_defaults();
    ems_error err;
    o.enhance_original = 1;
    o.audio = EMS_AUDIO_REPLACE;
    assert_int_equal(ems_mux(video, clip("silent.wav", SILENT),
                             out_path("no.mkv"), &o, NULL, NULL, &err),
                     EMS_EINVAL);
    o.audio = EMS_AUDIO_MIX;
    o.enhancer = video;
    assert_int_equal(ems_mux(video, clip("silent.wav", SILENT),
                             out_path("no.mkv"), &o, NULL, NULL, &err),
                     EMS_EFORMAT);
}

int main(void)
{
    if (!have_ffmpeg(CLIPS))
        return EMS_TEST_SKIP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixes_keep_levels_and_do_not_clip),
        cmocka_unit_test(music_steps_back_for_speech),
        cmocka_unit_test(odd_sounds_are_mixed),
        cmocka_unit_test(no_numbers_are_silence),
        cmocka_unit_test(dull_original_sound_is_restored),
        cmocka_unit_test(whole_original_sound_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

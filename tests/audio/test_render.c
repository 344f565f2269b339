/* Notes become sound: length, onsets, loudness, stems, equal bytes. */
#include "ems_test.h"

#include "audio/hear.h"
#include "audio/tiny_bank.h"
#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define OUT EMS_SCRATCH "/out.wav"
#define STEMS EMS_SCRATCH "/stems"

static ems_render_options with_bank(const char *font)
{
    ems_render_options o = ems_render_defaults();
    o.soundfont = font;
    o.humanize = 0;
    return o;
}

static void must_render(ems_piece *p, const ems_render_options *o,
                        const ems_run *run, ems_loudness *l)
{
    ems_error err = {0};
    if (ems_render_wav(p, OUT, o, run, l, &err) < 0)
        fail_msg("%s", err.text);
}

static void free_piece(ems_piece *p)
{
    free(p->notes);
    free(p);
}

static void test_length(void **state)
{
    (void)state;
    static const double length[] = {0.3, 1, 10, 61.7, 2.00001, 0.001};
    const ems_render_options o = with_bank(TINY_SF2);
    for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
        ems_piece *p = piece_dense(length[i], 10);
        must_render(p, &o, NULL, NULL);
        const sound s = sound_read(OUT);
        assert_int_equal(s.frames, llround(length[i] * 48000));
        free(s.x);
        free_piece(p);
    }
}

/* The first sample above 1 % of the loudest after `from` seconds. */
static double onset(const sound *s, double from)
{
    float peak = 0;
    for (size_t i = 0; i < 2 * s->frames; i++)
        peak = fmaxf(peak, fabsf(s->x[i]));
    for (size_t i = (size_t)(from * 48000); i < s->frames; i++)
        if (fabsf(s->x[2 * i]) > 0.01f * peak)
            return (double)i / 48000;
    return INFINITY;
}

static void test_onsets(void **state)
{
    (void)state;
    enum { NOTES = 60 };
    ems_piece *p = piece_new(NOTES * 0.7, NOTES);
    double at[NOTES], worst = 0;
    for (int i = 0; i < NOTES; i++) {
        at[i] = 0.7 * i + 0.0001237 * (i % 97);
        piece_add(p, at[i], 0.02, EMS_BASS, 69, 100);
    }
    ems_render_options o = with_bank(TINY_SF2);
    o.stems = STEMS;
    o.fade = 0;
    o.lufs = -35; /* no limiting, which would raise the room's tail */
    must_render(p, &o, NULL, NULL);
    const sound s = sound_read(STEMS "/bass.wav");
    for (int i = 0; i < NOTES; i++) {
        const double e = fabs(onset(&s, i ? at[i] - 0.05 : 0) - at[i]);
        worst = fmax(worst, e);
    }
    print_message("worst onset error %.2f ms\n", worst * 1000);
    assert_true(worst < 0.0015);
    free(s.x);
    free_piece(p);
}

static void test_loudness(void **state)
{
    (void)state;
    static const double target[] = {-14, -16, -23, -9};
    static const double peak[] = {-1, -6, -1, -1};
    ems_piece *p = piece_dense(8, 15);
    for (size_t i = 0; i < 4; i++) {
        ems_render_options o = with_bank(TINY_SF2);
        o.lufs = target[i];
        o.peak = peak[i];
        ems_loudness l;
        must_render(p, &o, NULL, &l);
        const sound s = sound_read(OUT);
        assert_true(fabs(sound_lufs(&s) - target[i]) <= 0.2);
        assert_true(sound_true_peak(&s) <= peak[i]);
        assert_true(fabs(sound_lufs(&s) - l.lufs) < 0.01);
        assert_true(fabs(sound_true_peak(&s) - l.true_peak) < 0.01);
        free(s.x);
    }
    free_piece(p);
}

/* Added up in the order of families, the stems are the mix before the master
 * to the last bit of float. */
static void test_stems(void **state)
{
    (void)state;
    static const char *const name[] = {"bass", "drums", "guitar", "piano",
                                       "strings"};
    ems_piece *p = piece_dense(6, 30);
    ems_render_options o = with_bank(TINY_SF2);
    o.stems = STEMS;
    o.raw = 1;
    o.sample = EMS_FLOAT32;
    o.humanize = 5;
    must_render(p, &o, NULL, NULL);
    const sound mix = sound_read(OUT);
    assert_int_equal(mix.bits, 32);
    float *sum = calloc(mix.frames * 2, sizeof *sum);
    for (int f = 0; f < EMS_FAMILIES; f++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.wav", STEMS, name[f]);
        const sound s = sound_read(path);
        assert_int_equal(s.frames, mix.frames);
        for (size_t i = 0; i < mix.frames * 2; i++)
            sum[i] += s.x[i];
        free(s.x);
    }
    assert_memory_equal(sum, mix.x, mix.frames * 2 * sizeof *sum);
    free(sum);
    free(mix.x);
    free_piece(p);
}

/* 16 and 24 bits, dithered, and float are one sound; timecode and loudness
 * stand in the broadcast chunk. */
static void test_formats(void **state)
{
    (void)state;
    static const ems_sample_type type[] = {EMS_FLOAT32, EMS_PCM24, EMS_PCM16};
    static const int bits[] = {32, 24, 16};
    ems_piece *p = piece_dense(3, 15);
    ems_render_options o = with_bank(TINY_SF2);
    o.origin = 3600.5;
    sound s[3];
    for (int k = 0; k < 3; k++) {
        ems_loudness l;
        o.sample = type[k];
        must_render(p, &o, NULL, &l);
        s[k] = sound_read(OUT);
        assert_int_equal(s[k].bits, bits[k]);
        assert_int_equal(s[k].origin, 48000 * 3600 + 24000);
        assert_true(fabs(s[k].lufs - l.lufs) < 0.006);
        assert_true(fabs(sound_lufs(&s[k]) - l.lufs) < 0.01);
    }
    for (size_t i = 0; i < s[0].frames * 2; i++) {
        assert_true(fabsf(s[1].x[i] - s[0].x[i]) < 2 / 8388608.0f);
        assert_true(fabsf(s[2].x[i] - s[0].x[i]) < 2 / 32768.0f);
    }
    for (int k = 0; k < 3; k++)
        free(s[k].x);
    free_piece(p);
}

static double rms(const sound *s, double from, double to)
{
    double sum = 0;
    const size_t a = (size_t)(from * 48000), b = (size_t)(to * 48000);
    for (size_t i = 2 * a; i < 2 * b; i++)
        sum += (double)s->x[i] * (double)s->x[i];
    return sqrt(sum / (double)(2 * (b - a)));
}

/* Harder is louder; expression and pedal are obeyed. */
static void test_expression(void **state)
{
    (void)state;
    ems_piece *p = piece_new(8, 8);
    ems_control control[3] = {{4, EMS_PIANO, EMS_CC_EXPRESSION, 40},
                              {5.9, EMS_PIANO, EMS_CC_EXPRESSION, 127},
                              {5.9, EMS_PIANO, EMS_CC_SUSTAIN, 127}};
    p->controls = control;
    p->control_count = 3;
    piece_add(p, 0, 0.9, EMS_PIANO, 60, 40);
    piece_add(p, 2, 0.9, EMS_PIANO, 60, 100);
    piece_add(p, 4, 0.9, EMS_PIANO, 60, 100);
    piece_add(p, 6, 0.2, EMS_PIANO, 60, 100);
    ems_render_options o = with_bank(TINY_SF2);
    o.raw = 1;
    o.sample = EMS_FLOAT32;
    o.fade = 0;
    o.mixer = "piano room=0";
    must_render(p, &o, NULL, NULL);
    const sound s = sound_read(OUT);
    const double soft = rms(&s, 0.2, 0.7), loud = rms(&s, 2.2, 2.7);
    assert_true(loud > 2 * soft);
    assert_true(rms(&s, 4.2, 4.7) < 0.2 * loud);
    assert_true(rms(&s, 1.4, 1.9) < 0.01 * soft); /* let go */
    assert_true(rms(&s, 6.5, 7.5) > 0.5 * loud);  /* held by the pedal */
    free(s.x);
    free_piece(p);
}

/* A last chord is let go in time to ring out: it sounds on when a fade of
 * 3 s would have begun, and the end is silent. */
static void test_composed_ending(void **state)
{
    (void)state;
    ems_piece *p = piece_new(10, 40);
    for (int i = 0; i < 15; i++)
        piece_add(p, 0.5 * i, 0.5, EMS_PIANO, 60, 90);
    piece_add(p, 7.5, 2.5, EMS_PIANO, 64, 90);
    ems_render_options o = with_bank(TINY_SF2);
    o.lufs = -30;
    must_render(p, &o, NULL, NULL);
    const sound s = sound_read(OUT);
    const double before = rms(&s, 6, 7);
    assert_true(rms(&s, 7.6, 8.4) > 0.8 * before);
    assert_true(rms(&s, 9.95, 10) < 0.01 * before);
    free(s.x);
    free_piece(p);
}

/* 100,000 notes in one moment: as many as there are keys can sound. */
static void test_a_wall_of_notes(void **state)
{
    (void)state;
    ems_piece *p = piece_new(2, 100000);
    for (int i = 0; i < 100000; i++)
        piece_add(p, 0.5, 0.5, i % EMS_FAMILIES, i % 128, 1 + i % 127);
    const ems_render_options o = with_bank(TINY_SF2);
    ems_loudness l;
    must_render(p, &o, NULL, &l);
    const sound s = sound_read(OUT);
    for (size_t i = 0; i < 2 * s.frames; i++)
        assert_true(isfinite(s.x[i]) && fabsf(s.x[i]) < 0.9f);
    assert_true(fabs(l.lufs + 14) < 0.2);
    free(s.x);
    free_piece(p);
}

static void same_bytes(ems_piece *p, const char *font)
{
    const ems_render_options o = with_bank(font);
    ems_bytes b;
    uint8_t *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        const ems_run run = {.threads = threads};
        must_render(p, &o, &run, NULL);
        assert_int_equal(ems_bytes_map(&b, OUT, 0, NULL), EMS_OK);
        if (!first) {
            first = malloc(b.size);
            memcpy(first, b.data, b.size);
        }
        assert_memory_equal(first, b.data, b.size);
        ems_bytes_unmap(&b);
    }
    free(first);
}

static void test_same_bytes(void **state)
{
    (void)state;
    ems_piece *p = piece_dense(8, 20);
    same_bytes(p, TINY_SF2);
    free_piece(p);
}

static void test_ending(void **state)
{
    (void)state;
    ems_piece *p = piece_new(8, 4);
    piece_add(p, 0, 8, EMS_STRINGS, 69, 100);
    const ems_render_options o = with_bank(TINY_SF2);
    must_render(p, &o, NULL, NULL);
    sound s = sound_read(OUT);
    const double before = fabs(onset(&s, 4.99) - 4.99);
    assert_true(before < 0.01); /* still loud when the fade begins */
    float end = 0;
    for (size_t i = s.frames - 480; i < s.frames; i++)
        end = fmaxf(end, fabsf(s.x[2 * i]));
    assert_true(end < 0.001f);
    free(s.x);
    /* Music that ends before the fade rings out unfaded. */
    p->notes[0].length = 4;
    must_render(p, &o, NULL, NULL);
    s = sound_read(OUT);
    assert_true(fabsf(s.x[2 * (s.frames - 1)]) < 1e-3f);
    free(s.x);
    free_piece(p);
}

static void test_struck_again(void **state)
{
    (void)state;
    ems_piece *p = piece_new(3, 8);
    piece_add(p, 0, 2, EMS_PIANO, 69, 40);
    piece_add(p, 0, 2, EMS_PIANO, 69, 90); /* twice at once: the louder */
    piece_add(p, 0.5, 1.0, EMS_PIANO, 69, 90);
    const ems_render_options o = with_bank(TINY_SF2);
    must_render(p, &o, NULL, NULL);
    const sound s = sound_read(OUT);
    /* The first note's end at 2 s does not cut the second, which ended. */
    float middle = 0, after = 0;
    for (size_t i = 67000; i < 71000; i++)
        middle = fmaxf(middle, fabsf(s.x[2 * i]));
    for (size_t i = 100000; i < 104000; i++)
        after = fmaxf(after, fabsf(s.x[2 * i]));
    assert_true(middle > 0.05f);
    assert_true(after < 0.2f * middle);
    free(s.x);
    free_piece(p);
}

static void must_refuse(ems_piece *p, const ems_render_options *o,
                        const char *out, const ems_run *run, int code,
                        const char *part)
{
    ems_error err = {0};
    const int got = ems_render_wav(p, out, o, run, NULL, &err);
    if (got != code || !strstr(err.text, part))
        fail_msg("%s: code %d \"%s\", not %d \"%s\"", out, got, err.text,
                 code, part);
    assert_int_equal(leftovers(0), 0);
}

static void test_missing_sound(void **state)
{
    (void)state;
    static uint8_t bank[TINY_MAX];
    static const tiny_preset mute[] = {{0, 0, 0, 0, 127}, {0, 48, 1, 0, 127},
                                       {0, 25, 0, 0, 20}};
    const char *font = EMS_SCRATCH "/mute.sf2";
    const size_t size = tiny_bank(bank, mute, 3);
    assert_int_equal(ems_file_write(font, bank, size, NULL), EMS_OK);
    const ems_render_options o = with_bank(font);
    ems_piece *p = piece_new(2, 4);
    piece_add(p, 0, 1, EMS_PIANO, 60, 90);
    must_render(p, &o, NULL, NULL);
    unlink(OUT);
    piece_add(p, 0, 1, EMS_STRINGS, 60, 90); /* a sample of zeros */
    must_refuse(p, &o, OUT, NULL, EMS_EFORMAT, "notes of strings (program 48)");
    p->notes[1].family = EMS_GUITAR; /* no key in reach */
    must_refuse(p, &o, OUT, NULL, EMS_EFORMAT, "notes of guitar (program 25)");
    p->notes[1].family = EMS_DRUMS;
    must_refuse(p, &o, OUT, NULL, EMS_EFORMAT, "no drum kit 0");
    p->notes[1].family = EMS_BASS;
    must_refuse(p, &o, OUT, NULL, EMS_EFORMAT, "no program 32");
    assert_int_not_equal(access(OUT, F_OK), 0);
    free_piece(p);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    ems_piece *p = piece_new(1, 4);
    piece_add(p, 0, 1, EMS_PIANO, 60, 90);
    ems_render_options o = with_bank("/nonexistent.sf2");
    must_refuse(p, &o, OUT, NULL, EMS_EIO, "/nonexistent.sf2");
    o = with_bank(TINY_SF2);
    must_refuse(p, &o, EMS_SCRATCH, NULL, EMS_EIO, "folder");
    must_refuse(p, &o, "/nonexistent/a.wav", NULL, EMS_EIO, "/nonexistent");
    o.stems = TINY_SF2;
    must_refuse(p, &o, OUT, NULL, EMS_EIO, "folder");
    o.stems = NULL;
    o.lufs = NAN;
    must_refuse(p, &o, OUT, NULL, EMS_EINVAL, "LUFS");
    o.lufs = -14, o.peak = NAN;
    must_refuse(p, &o, OUT, NULL, EMS_EINVAL, "true peak");
    o.peak = -1;
    p->notes[0].start = NAN;
    must_refuse(p, &o, OUT, NULL, EMS_EINVAL, "note 0");
    p->notes[0].start = 0;
    p->duration = 1e9;
    must_refuse(p, &o, OUT, NULL, EMS_EINVAL, "24 hours");
    free_piece(p);
}

static int after_a_while(void *user)
{
    return --*(int *)user <= 0;
}

static void test_cancel(void **state)
{
    (void)state;
    ems_piece *p = piece_dense(5, 10);
    ems_render_options o = with_bank(TINY_SF2);
    o.stems = STEMS;
    unlink(OUT);
    for (int n = 1; n < 10; n++) {
        int left = n;
        const ems_run run = {.user = &left, .cancelled = after_a_while};
        must_refuse(p, &o, OUT, &run, EMS_ECANCELLED, "cancelled");
    }
    assert_int_not_equal(access(OUT, F_OK), 0);
    free_piece(p);
}

/* A limit on the file size stands for a full disk. */
static void test_full_disk(void **state)
{
    (void)state;
    ems_piece *p = piece_dense(5, 10);
    ems_render_options o = with_bank(TINY_SF2);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    for (int stems = 0; stems < 2; stems++) {
        o.stems = stems ? STEMS : NULL; /* amidst a stem, then the mix */
        unlink(STEMS "/piano.wav");
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){500000, old.rlim_max});
        must_refuse(p, &o, OUT, NULL, EMS_EIO, "cannot write");
        setrlimit(RLIMIT_FSIZE, &old);
        assert_int_not_equal(access(STEMS "/piano.wav", F_OK), 0);
    }
    free_piece(p);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    ems_piece *p = piece_dense(0.2, 20);
    ems_render_options o = with_bank(TINY_SF2);
    o.stems = STEMS;
    const ems_run run = {.threads = 1};
    int code = EMS_ENOMEM;
    for (long n = 1; code != EMS_OK; n++) {
        ems_error err = {0};
        ems_alloc_fail_at(n);
        code = ems_render_wav(p, OUT, &o, &run, NULL, &err);
        ems_alloc_fail_at(0);
        assert_int_equal(leftovers(0), 0);
        if (code != EMS_OK && code != EMS_ENOMEM && code != EMS_EFORMAT)
            fail_msg("allocation %ld: %s", n, err.text);
        assert_true(n < 500);
    }
    free_piece(p);
}

static void test_no_notes(void **state)
{
    (void)state;
    ems_piece *p = piece_new(1.5, 1);
    const ems_render_options o = with_bank("/nonexistent.sf2");
    ems_loudness l;
    must_render(p, &o, NULL, &l);
    const sound s = sound_read(OUT);
    assert_int_equal(s.frames, 72000);
    assert_true(l.lufs == -70);
    free(s.x);
    free_piece(p);
}

/* The real bank, where there is one. */
static void test_general_midi(void **state)
{
    (void)state;
    static const char *const bank[] = {
        "/usr/share/sounds/sf2/TimGM6mb.sf2",
        "/usr/share/sounds/sf2/FluidR3_GM.sf2"};
    int found = 0;
    ems_piece *p = piece_dense(12, 12);
    for (size_t i = 0; i < 2 && !found; i++) {
        if (access(bank[i], R_OK) != 0)
            continue;
        found = 1;
        same_bytes(p, bank[i]);
        const sound s = sound_read(OUT);
        assert_true(fabs(sound_lufs(&s) + 14) <= 0.2);
        assert_true(sound_true_peak(&s) <= -1);
        free(s.x);
    }
    free_piece(p);
    if (!found)
        skip();
}

static int set_up(void **state)
{
    (void)state;
    leftovers(1);
    make_tiny_bank();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_onsets),
        cmocka_unit_test(test_loudness),
        cmocka_unit_test(test_stems),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_expression),
        cmocka_unit_test(test_composed_ending),
        cmocka_unit_test(test_a_wall_of_notes),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_ending),
        cmocka_unit_test(test_struck_again),
        cmocka_unit_test(test_missing_sound),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_no_notes),
        cmocka_unit_test(test_general_midi),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

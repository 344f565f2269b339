/* Does a fixed score still sound as it did? A digest is stored for every
 * SoundFont and version of FluidSynth: the inner products of each stretch of
 * the sound with random signs. The difference of two such digests has the
 * power of the difference of the sounds (Johnson and Lindenstrauss 1984), at
 * all frequencies, in 16 kB.
 *
 *     test_sound_digest write FOLDER   makes the digests anew */
#include "ems_test.h"

#include "audio/hear.h"
#include "audio/tiny_bank.h"
#include "base/file.h"
#include "base/rng.h"

#include <fluidsynth.h>
#include <math.h>

enum { STRETCHES = 512, SIGNS = 8, PRODUCTS = STRETCHES * SIGNS };

#define OUT EMS_SCRATCH "/digest.wav"
#define SECONDS 8.0
#define LEAST_SNR 60.0 /* dB */

static const struct {
    const char *name, *path;
} bank[] = {
    {"tiny", TINY_SF2},
    {"TimGM6mb", "/usr/share/sounds/sf2/TimGM6mb.sf2"},
    {"FluidR3_GM", "/usr/share/sounds/sf2/FluidR3_GM.sf2"},
};
enum { BANKS = sizeof bank / sizeof *bank };

static sound play(const char *path)
{
    ems_piece *p = piece_dense(SECONDS, 12);
    ems_render_options o = ems_render_defaults();
    ems_error err;
    o.soundfont = path;
    o.raw = 1;
    o.sample = EMS_FLOAT32;
    if (ems_render_wav(p, OUT, &o, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
    free(p->notes);
    free(p);
    return sound_read(OUT);
}

static void digest(float out[PRODUCTS], const sound *s)
{
    const size_t size = s->frames * 2 / STRETCHES;
    for (size_t i = 0; i < STRETCHES; i++) {
        double sum[SIGNS] = {0};
        ems_rng r = ems_rng_seed(2026, i);
        for (size_t k = 0; k < size; k++) {
            const uint64_t signs = ems_rng_next(&r);
            const double x = (double)s->x[i * size + k];
            for (int j = 0; j < SIGNS; j++)
                sum[j] += signs >> j & 1 ? x : -x;
        }
        for (int j = 0; j < SIGNS; j++)
            out[i * SIGNS + (size_t)j] = (float)sum[j];
    }
}

static void name_of(char *path, size_t room, const char *folder, size_t i)
{
    snprintf(path, room, "%s/%s-fluidsynth-%s.digest", folder, bank[i].name,
             fluid_version_str());
}

static double snr(const float *want, const float *got)
{
    double signal = 0, noise = 1e-30;
    for (int i = 0; i < PRODUCTS; i++) {
        const double d = (double)got[i] - (double)want[i];
        signal += (double)want[i] * (double)want[i];
        noise += d * d;
    }
    return 10 * log10(signal / noise);
}

static void test_digests(void **state)
{
    (void)state;
    static float got[PRODUCTS];
    int compared = 0;
    for (size_t i = 0; i < BANKS; i++) {
        char path[512];
        ems_bytes b;
        name_of(path, sizeof path, EMS_DIGESTS, i);
        if (access(bank[i].path, R_OK) != 0 || access(path, R_OK) != 0)
            continue;
        assert_int_equal(ems_bytes_map(&b, path, 0, NULL), EMS_OK);
        assert_int_equal(b.size, sizeof got);
        const sound s = play(bank[i].path);
        digest(got, &s);
        const double db = snr((const float *)(const void *)b.data, got);
        print_message("%s: SNR %.1f dB\n", bank[i].name, db);
        assert_true(db >= LEAST_SNR);
        ems_bytes_unmap(&b);
        free(s.x);
        compared++;
    }
    if (!compared)
        skip();
}

/* The digest tells what it should: a change 40 dB below the music, also in
 * the highest octave, is seen as such. */
static void test_digest_measures(void **state)
{
    (void)state;
    static float want[PRODUCTS], got[PRODUCTS];
    sound s = play(TINY_SF2);
    double power = 0;
    digest(want, &s);
    for (size_t i = 0; i < 2 * s.frames; i++)
        power += (double)s.x[i] * (double)s.x[i] / (2.0 * (double)s.frames);
    for (size_t i = 0; i < 2 * s.frames; i++)
        s.x[i] += (float)(sqrt(2 * power) * 0.01 * sin((double)i * 1.4));
    digest(got, &s);
    const double db = snr(want, got);
    print_message("40 dB are seen as %.1f dB\n", db);
    assert_true(fabs(db - 40) < 1);
    free(s.x);
}

static int set_up(void **state)
{
    (void)state;
    make_tiny_bank();
    return 0;
}

static int write_digests(const char *folder)
{
    static float out[PRODUCTS];
    make_tiny_bank();
    for (size_t i = 0; i < BANKS; i++) {
        char path[512];
        if (access(bank[i].path, R_OK) != 0)
            continue;
        const sound s = play(bank[i].path);
        digest(out, &s);
        name_of(path, sizeof path, folder, i);
        if (ems_file_write(path, out, sizeof out, NULL) < 0)
            return 1;
        printf("%s\n", path);
        free(s.x);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_measures),
        cmocka_unit_test(test_digests),
    };
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_digests(argv[2]);
    return cmocka_run_group_tests(tests, set_up, NULL);
}

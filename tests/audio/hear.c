#include "ems_test.h"

#include "audio/hear.h"
#include "audio/tiny_bank.h"
#include "base/file.h"
#include "base/rng.h"

#include <dirent.h>
#include <ebur128.h>
#include <math.h>

ems_piece *piece_new(double duration, size_t most)
{
    ems_piece *p = calloc(1, sizeof *p);
    p->duration = duration;
    p->notes = calloc(most, sizeof *p->notes);
    p->note_capacity = most;
    static const uint8_t program[EMS_FAMILIES] = {32, 0, 25, 0, 48};
    memcpy(p->program, program, sizeof program);
    return p;
}

void piece_add(ems_piece *p, double start, double length, int family,
               int pitch, int velocity)
{
    assert_true(p->note_count < p->note_capacity);
    p->notes[p->note_count++] =
        (ems_note){start, length, (uint8_t)family, (uint8_t)pitch,
                   (uint8_t)velocity};
}

/* Chords, walking bass, eighth notes and a beat in C major at 120 bpm. */
ems_piece *piece_dense(double duration, double density)
{
    static const int degree[8] = {0, 2, 4, 5, 7, 9, 11, 12};
    static const int root[EMS_FAMILIES] = {36, 36, 55, 60, 48};
    const double step = EMS_FAMILIES / density;
    ems_piece *p = piece_new(duration, (size_t)(duration * density * 2) + 64);
    ems_rng r = ems_rng_seed(7, 1);
    for (double t = 0; t < duration; t += step)
        for (int f = 0; f < EMS_FAMILIES; f++) {
            const int d = degree[ems_rng_below(&r, 8)];
            const double length = f == EMS_STRINGS ? 8 * step : 2 * step;
            piece_add(p, t, length, f, f == EMS_DRUMS ? 36 + d : root[f] + d,
                      60 + (int)ems_rng_below(&r, 50));
        }
    return p;
}

static uint32_t le(const uint8_t *p, int bytes)
{
    uint32_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

sound sound_read(const char *path)
{
    ems_bytes b;
    ems_error err;
    if (ems_bytes_map(&b, path, 0, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(b.size >= 68);
    assert_memory_equal(b.data, "RIFF", 4);
    assert_int_equal(le(b.data + 4, 4), b.size - 8);
    assert_memory_equal(b.data + 8, "WAVEfmt ", 8);
    assert_int_equal(le(b.data + 20, 2), 0xfffe);
    assert_int_equal(le(b.data + 22, 2), 2);
    assert_int_equal(le(b.data + 24, 4), 48000);
    assert_int_equal(le(b.data + 34, 2), 24);
    assert_memory_equal(b.data + 60, "data", 4);
    assert_int_equal(le(b.data + 64, 4), b.size - 68);
    sound s = {.frames = (b.size - 68) / 6};
    s.x = malloc(s.frames * 2 * sizeof *s.x + 1);
    for (size_t i = 0; i < s.frames * 2; i++) {
        const uint32_t v = le(b.data + 68 + 3 * i, 3) << 8;
        s.x[i] = (float)((int32_t)v >> 8) / 8388608.0f;
    }
    ems_bytes_unmap(&b);
    return s;
}

double sound_lufs(const sound *s)
{
    ebur128_state *e = ebur128_init(2, 48000, EBUR128_MODE_I);
    double lufs;
    ebur128_add_frames_float(e, s->x, s->frames);
    ebur128_loudness_global(e, &lufs);
    ebur128_destroy(&e);
    return lufs;
}

double sound_true_peak(const sound *s)
{
    ebur128_state *e = ebur128_init(2, 48000, EBUR128_MODE_TRUE_PEAK);
    double a, b;
    ebur128_add_frames_float(e, s->x, s->frames);
    ebur128_true_peak(e, 0, &a);
    ebur128_true_peak(e, 1, &b);
    ebur128_destroy(&e);
    return 20 * log10(a > b ? a : b);
}

int leftovers(int remove)
{
    int count = 0;
    DIR *d = opendir(EMS_SCRATCH);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strncmp(e->d_name, ".emsync", 7) == 0) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s", EMS_SCRATCH, e->d_name);
            count++;
            if (remove)
                unlink(path);
        }
    if (d)
        closedir(d);
    return count;
}

void make_tiny_bank(void)
{
    static uint8_t bank[TINY_MAX];
    const size_t size = tiny_bank_usual(bank);
    assert_int_equal(ems_file_write(TINY_SF2, bank, size, NULL), EMS_OK);
}

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

/* The first byte of a chunk's content, by walking from chunk to chunk. */
static const uint8_t *find_chunk(const ems_bytes *b, const char *id,
                                 uint32_t *size)
{
    for (size_t at = 12; at + 8 <= b->size;) {
        *size = le(b->data + at + 4, 4);
        if (memcmp(b->data + at, id, 4) == 0) {
            assert_true(at + 8 + *size <= b->size);
            return b->data + at + 8;
        }
        at += 8 + *size + (*size & 1);
    }
    fail_msg("no chunk %s", id);
    return NULL;
}

static float sample_of(const uint8_t *p, int bits)
{
    float x;
    if (bits == 32)
        memcpy(&x, p, sizeof x);
    else
        x = (float)((int32_t)(le(p, bits / 8) << (32 - bits)) >> (32 - bits)) /
            (bits == 24 ? 8388608.0f : 32768.0f);
    return x;
}

sound sound_read(const char *path)
{
    ems_bytes b;
    ems_error err;
    uint32_t size, data;
    if (ems_bytes_map(&b, path, 0, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(b.size >= 68);
    assert_memory_equal(b.data, "RIFF", 4);
    assert_int_equal(le(b.data + 4, 4), b.size - 8);
    assert_memory_equal(b.data + 8, "WAVE", 4);
    const uint8_t *f = find_chunk(&b, "fmt ", &size);
    assert_int_equal(le(f, 2), 0xfffe);
    assert_int_equal(le(f + 2, 2), 2);
    assert_int_equal(le(f + 4, 4), 48000);
    sound s = {.bits = (int)le(f + 14, 2)};
    assert_int_equal(le(f + 24, 2), s.bits == 32 ? 3 : 1);
    const uint8_t *x = find_chunk(&b, "bext", &size);
    assert_int_equal(size, 602);
    s.origin = (uint64_t)le(x + 342, 4) << 32 | le(x + 338, 4);
    s.lufs = (int16_t)le(x + 412, 2) / 100.0;
    x = find_chunk(&b, "data", &data);
    assert_true(x + data == b.data + b.size);
    const uint32_t bytes = (uint32_t)s.bits / 8;
    s.frames = data / (2 * bytes);
    s.x = malloc(s.frames * 2 * sizeof *s.x + 1);
    for (size_t i = 0; i < s.frames * 2; i++)
        s.x[i] = sample_of(x + bytes * i, s.bits);
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

/* bench_render SOUNDFONT THREADS [SECONDS [NOTES-PER-SECOND]]: render dense
 * five-part music, print how long it took and what
 * share of it is mixing, and leave bench.mid (the same
 * notes) and bench.wav for other programs. Not a test: see docs/SOUND.md. */
#include "ems_test.h"

#include "audio/hear.h"
#include "audio/loudness.h"
#include "audio/mix.h"
#include "audio/mixer.h"
#include "audio/room.h"
#include "base/rng.h"
#include "base/run.h"

#include <math.h>
#include <sys/resource.h>

enum { TICKS = 960 }; /* a second: 480 ticks a quarter at 120 bpm */

typedef struct event {
    long tick;
    uint8_t bytes[3];
} event;

static int earlier(const void *a, const void *b)
{
    const event *x = a, *y = b;
    if (x->tick != y->tick)
        return x->tick < y->tick ? -1 : 1;
    return x->bytes[0] - y->bytes[0];
}

static void number(FILE *f, unsigned long v)
{
    for (int shift = 21; shift > 0; shift -= 7)
        if (v >> shift)
            fputc((int)(v >> shift & 127) | 128, f);
    fputc((int)(v & 127), f);
}

static void write_midi(const char *path, const ems_piece *p)
{
    static const uint8_t channel[EMS_FAMILIES] = {1, 9, 2, 0, 3};
    event *e = calloc(2 * p->note_count + EMS_FAMILIES, sizeof *e);
    size_t n = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *o = &p->notes[i];
        const uint8_t c = channel[o->family];
        e[n++] = (event){lround(o->start * TICKS),
                         {(uint8_t)(0x90 | c), o->pitch, o->velocity}};
        e[n++] = (event){lround((o->start + o->length) * TICKS),
                         {(uint8_t)(0x80 | c), o->pitch, 64}};
    }
    qsort(e, n, sizeof *e, earlier);
    FILE *f = fopen(path, "wb");
    fwrite("MThd\0\0\0\6\0\0\0\1\1\340MTrk\0\0\0\0", 1, 22, f);
    for (int k = 0; k < EMS_FAMILIES; k++) {
        fputc(0, f);
        fputc(0xc0 | channel[k], f);
        fputc(p->program[k], f);
    }
    long now = 0;
    for (size_t i = 0; i < n; i++) {
        number(f, (unsigned long)(e[i].tick - now));
        fwrite(e[i].bytes, 1, 3, f);
        now = e[i].tick;
    }
    fwrite("\0\xff\x2f\0", 1, 4, f);
    const long bytes = ftell(f) - 22;
    fseek(f, 18, SEEK_SET);
    for (int shift = 24; shift >= 0; shift -= 8)
        fputc((int)(bytes >> shift & 255), f);
    fclose(f);
    free(e);
}

static double cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

typedef struct lap {
    double wall, cpu;
    ems_loudness loudness;
} lap;

static lap play(const ems_piece *p, const char *font, int threads, int raw)
{
    ems_render_options o = ems_render_defaults();
    o.soundfont = font;
    o.raw = raw;
    const ems_run run = {.threads = threads};
    ems_error err;
    lap l = {ems_now(), cpu(), {0}};
    if (ems_render_wav(p, "bench.wav", &o, &run, &l.loudness, &err) < 0) {
        printf("%s\n", err.text);
        exit(1);
    }
    l.wall = ems_now() - l.wall;
    l.cpu = cpu() - l.cpu;
    return l;
}

/* CPU seconds of what the mixing desk does to five stems of this length. */
static double desk(double length)
{
    static float x[EMS_CHUNK * 2];
    ems_strip strip[EMS_FAMILIES];
    ems_channel channel[EMS_FAMILIES];
    ems_room *room[EMS_FAMILIES];
    ems_compressor bus;
    ems_rng r = ems_rng_seed(1, 1);
    for (int i = 0; i < EMS_CHUNK * 2; i++)
        x[i] = (float)(0.2 * ems_rng_uniform(&r) - 0.1);
    ems_mixer_parse(strip, NULL, NULL);
    ems_compressor_begin(&bus);
    ems_meter *meter = ems_meter_new(0, NULL);
    for (int f = 0; f < EMS_FAMILIES; f++) {
        ems_channel_begin(&channel[f], &strip[f], 1);
        room[f] = ems_room_new();
    }
    const double start = cpu();
    for (double t = 0; t < length; t++) {
        for (int f = 0; f < EMS_FAMILIES; f++) {
            ems_channel_run(&channel[f], x, EMS_CHUNK);
            ems_room_add(room[f], x, EMS_CHUNK, 0.1f);
        }
        ems_compressor_run(&bus, x, EMS_CHUNK);
        ems_meter_add(meter, x, EMS_CHUNK);
    }
    const double spent = cpu() - start;
    for (int f = 0; f < EMS_FAMILIES; f++)
        ems_room_free(room[f]);
    ems_meter_free(meter);
    return spent;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        printf("bench_render SOUNDFONT THREADS [SECONDS [NOTES]]\n");
        return 2;
    }
    const double length = argc > 3 ? atof(argv[3]) : 180;
    ems_piece *p = piece_dense(length, argc > 4 ? atof(argv[4]) : 25);
    write_midi("bench.mid", p);
    const lap all = play(p, argv[1], atoi(argv[2]), 0);
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("%zu notes, %.0f s: wall %.2f s (%.1f x real time), CPU %.2f s, "
           "peak %ld MiB; %.2f LUFS, %.2f dBTP, limiter %.1f dB\n",
           p->note_count, length, all.wall, length / all.wall, all.cpu,
           u.ru_maxrss / 1024, all.loudness.lufs, all.loudness.true_peak,
           all.loudness.limited);
    const double master = all.cpu - play(p, argv[1], atoi(argv[2]), 1).cpu;
    const double mix = desk(length);
    printf("CPU of mixing %.2f s (%.1f %%), of the master %.2f s (%.1f %%)\n",
           mix, 100 * mix / all.cpu, master, 100 * master / all.cpu);
    free(p->notes);
    free(p);
    return 0;
}

/* bench_render SOUNDFONT THREADS [SECONDS [NOTES-PER-SECOND]]: render dense
 * five-part music, print how long it took, and leave bench.mid (the same
 * notes) and bench.wav for other programs. Not a test: see docs/SOUND.md. */
#include "ems_test.h"

#include "audio/hear.h"
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

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + 1e-6 * (double)t->tv_usec;
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
    ems_render_options o = ems_render_defaults();
    o.soundfont = argv[1];
    const ems_run run = {.threads = atoi(argv[2])};
    ems_loudness l;
    ems_error err;
    const double start = ems_now();
    if (ems_render_measured(p, "bench.wav", &o, &run, &l, &err) < 0) {
        printf("%s\n", err.text);
        return 1;
    }
    const double wall = ems_now() - start;
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("%zu notes, %.0f s: wall %.2f s (%.1f x real time), CPU %.2f s, "
           "peak %ld MiB; %.2f LUFS, %.2f dBTP, limiter %.1f dB\n",
           p->note_count, length, wall, length / wall,
           seconds(&u.ru_utime) + seconds(&u.ru_stime), u.ru_maxrss / 1024,
           l.lufs, l.true_peak, l.limited);
    free(p->notes);
    free(p);
    return 0;
}

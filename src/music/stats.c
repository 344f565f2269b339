#include "music/stats.h"

#include "base/exact.h"
#include "base/mem.h"
#include "music/lines.h"
#include "music/stats_repeats.h"
#include "music/vocab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POSITIONS = 16, LARGEST_LAG = 1024, FIGURE = 8 };
#define GRID_REACH 0.010 /* seconds */

/* What a bar sounds like: a bit per position that has an onset, and a hash of
 * its notes at those positions. */
typedef struct bar_shape {
    uint32_t onsets;
    uint64_t notes;
    uint8_t sounds;
} bar_shape;

static double bar_end(const ems_piece *p, size_t i)
{
    return i + 1 < p->bar_count ? p->bars[i + 1].start : p->duration;
}

/* ---- Notes ---- */

static double entropy(const double *weight, double sum)
{
    double bits = 0;
    for (int i = 0; i < 12; i++)
        if (weight[i] > 0)
            bits -= weight[i] / sum * ems_exact_log(weight[i] / sum);
    return bits / ems_exact_log(2);
}

/* The diatonic scale (natural minor is its relative major's) with most of the
 * sound. */
static double best_scale(const double *weight, double sum)
{
    static const int scale[7] = {0, 2, 4, 5, 7, 9, 11};
    double best = 0;
    for (int tonic = 0; tonic < 12; tonic++) {
        double in = 0;
        for (int i = 0; i < 7; i++)
            in += weight[(tonic + scale[i]) % 12];
        best = in > best ? in : best;
    }
    return best / sum;
}

static void measure_notes(ems_piece_stats *s, const ems_piece *p)
{
    double weight[12] = {0}, sound = 0, pitch = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        s->family_share[n->family] += 1.0 / (double)p->note_count;
        if (n->length > s->longest_note)
            s->longest_note = n->length;
        if (n->family == EMS_DRUMS)
            continue;
        if (sound == 0 || n->pitch < s->lowest)
            s->lowest = n->pitch;
        if (n->pitch > s->highest)
            s->highest = n->pitch;
        weight[n->pitch % 12] += n->length;
        pitch += n->length * n->pitch;
        sound += n->length;
    }
    for (int f = 0; f < EMS_FAMILIES; f++)
        s->families += s->family_share[f] > 0;
    s->notes_per_second = (double)p->note_count / p->duration;
    if (sound > 0) {
        s->mean_pitch = pitch / sound;
        s->pitch_class_entropy = entropy(weight, sound);
        s->scale_consistency = best_scale(weight, sound);
    }
}

/* Silence and polyphony from one pass: notes ascend by start. */
static void measure_silence(ems_piece_stats *s, const ems_piece *p)
{
    double until = 0, pitched_until = 0, silent = 0, pitched = 0, sum = 0;
    for (size_t i = 0; i <= p->note_count; i++) {
        const int last = i == p->note_count;
        const double start = last ? p->duration : p->notes[i].start;
        if (start > until) {
            silent += start - until;
            if (start - until > s->longest_silence)
                s->longest_silence = start - until;
        }
        if (last)
            break;
        const double end = start + p->notes[i].length;
        until = end > until ? end : until;
        if (p->notes[i].family == EMS_DRUMS)
            continue;
        sum += p->notes[i].length;
        const double from = start > pitched_until ? start : pitched_until;
        if (end > from) {
            pitched += end - from;
            pitched_until = end;
        }
    }
    s->silence = silent / p->duration;
    s->polyphony = pitched > 0 ? sum / pitched : 0;
}

static void measure_ground(ems_piece_stats *s, const ems_piece *p)
{
    double until = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        if (n->family == EMS_DRUMS || n->pitch >= EMS_GROUND)
            continue;
        const double from = fmax(n->start, until);
        until = fmax(until, n->start + n->length);
        s->ground += fmax(0, until - from) / p->duration;
    }
}

/* ---- Bars ---- */

static int near_grid(double beats, double beat)
{
    for (int parts = 3; parts <= 4; parts++) {
        const double x = beats * parts;
        if (fabs(x - floor(x + 0.5)) * beat / parts <= GRID_REACH)
            return 1;
    }
    return 0;
}

static uint64_t mix(uint64_t x)
{
    x = (x + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u; /* splitmix64 */
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void add_to_shape(bar_shape *shape, const ems_note *n, double phase)
{
    int position = (int)(phase * POSITIONS + 0.5);
    position = position < POSITIONS ? position : POSITIONS - 1;
    shape->onsets |= 1u << position;
    shape->notes += mix((uint64_t)position << 16 | (uint64_t)n->family << 8 |
                        n->pitch); /* a sum: order does not matter */
}

static void shape_bars(bar_shape *shapes, ems_piece_stats *s,
                       const ems_piece *p)
{
    size_t bar = 0, on_grid = 0, count = 0, sounding = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        while (bar + 1 < p->bar_count && p->bars[bar + 1].start <= n->start)
            bar++;
        const double start = p->bars[bar].start;
        const double length = bar_end(p, bar) - start;
        if (n->start < start || !(length > 0))
            continue;
        const double phase = (n->start - start) / length;
        const int beats = p->bars[bar].beats;
        on_grid += (size_t)near_grid(phase * beats, length / beats);
        count++;
        add_to_shape(&shapes[bar], n, phase);
        sounding = sounding > bar ? sounding : bar; /* those before are done */
        for (; sounding < p->bar_count &&
               p->bars[sounding].start < n->start + n->length; sounding++)
            shapes[sounding].sounds = 1;
    }
    for (size_t i = 0; i < p->bar_count; i++)
        s->empty_bars += !shapes[i].sounds / (double)p->bar_count;
    s->on_grid = count ? (double)on_grid / (double)count : 0;
}

/* The longest run of bars that comes again later, as a share of all bars.
 * The lag is capped, so that the work is bounded for any piece. */
static double repeated(const bar_shape *b, size_t count)
{
    size_t best = 0;
    for (size_t lag = 1; lag < count && lag <= LARGEST_LAG; lag++) {
        size_t run = 0;
        for (size_t i = 0; i + lag < count; i++) {
            run = b[i].notes && b[i].notes == b[i + lag].notes ? run + 1 : 0;
            const size_t span = run < lag ? run : lag; /* no overlap */
            best = span > best ? span : best;
        }
    }
    return count ? (double)best / (double)count : 0;
}

static double groove(const bar_shape *b, size_t count)
{
    double same = 0;
    size_t pairs = 0;
    for (size_t i = 1; i < count; i++) {
        if (!b[i].onsets && !b[i - 1].onsets)
            continue;
        same += 1 - __builtin_popcount(b[i].onsets ^ b[i - 1].onsets) /
                        (double)POSITIONS;
        pairs++;
    }
    return pairs ? same / (double)pairs : 0;
}

static int hash_order(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void hash_figures(uint64_t *hash, size_t *count, const ems_line *l)
{
    for (size_t i = 0; i + FIGURE <= l->count; i++) {
        uint64_t h = FIGURE;
        for (size_t k = i + 1; k < i + FIGURE; k++)
            h = mix(h ^ (uint64_t)(128 + l->notes[k].pitch -
                                   l->notes[k - 1].pitch));
        hash[(*count)++] = h;
    }
}

/* Of all figures, those that are not the first of their kind. */
static int measure_figures(ems_piece_stats *s, const ems_piece *p,
                           ems_error *err)
{
    ems_line line = {0};
    size_t count = 0, kinds = 0;
    uint64_t *hash = ems_alloc(p->note_count, sizeof *hash);
    int code = hash ? EMS_OK : ems_out_of_memory(err);
    for (int f = 0; f < EMS_FAMILIES && code == EMS_OK; f++) {
        if (f == EMS_DRUMS)
            continue;
        code = ems_line_take(&line, p->notes, p->note_count, f, err);
        if (code == EMS_OK)
            hash_figures(hash, &count, &line);
    }
    if (code == EMS_OK && count) {
        qsort(hash, count, sizeof *hash, hash_order);
        for (size_t i = 0; i < count; i++)
            kinds += i == 0 || hash[i] != hash[i - 1];
        s->figures = 1 - (double)kinds / (double)count;
    }
    ems_line_clear(&line);
    ems_free(hash);
    return code;
}

static int length_order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure_bars(ems_piece_stats *s, const ems_piece *p,
                         double *length)
{
    for (size_t i = 0; i < p->bar_count; i++) {
        length[i] = bar_end(p, i) - p->bars[i].start;
        const double beat = length[i] / p->bars[i].beats;
        const double old = i ? length[i - 1] / p->bars[i - 1].beats : beat;
        const double change = (beat > old ? beat / old : old / beat) - 1;
        if (change > s->tempo_change)
            s->tempo_change = change;
    }
    qsort(length, p->bar_count, sizeof *length, length_order);
    s->bar_seconds = length[p->bar_count / 2];
    for (size_t i = 0; i < p->bar_count; i++)
        s->bar_spread += fabs(length[i] / s->bar_seconds - 1) /
                         (double)p->bar_count;
}

int ems_piece_measure(ems_piece_stats *s, const ems_piece *p, ems_error *err)
{
    *s = (ems_piece_stats){0};
    measure_notes(s, p);
    measure_silence(s, p);
    measure_ground(s, p);
    s->struck_again = ems_stats_struck_again(p);
    int code = measure_figures(s, p, err);
    if (code == EMS_OK)
        code = ems_stats_theme(&s->theme, p, err);
    if (code < 0 || p->bar_count == 0)
        return code;
    bar_shape *shapes = ems_alloc(p->bar_count, sizeof *shapes);
    double *lengths = ems_alloc(p->bar_count, sizeof *lengths);
    const int ok = shapes && lengths;
    if (ok) {
        shape_bars(shapes, s, p);
        measure_bars(s, p, lengths);
        s->groove = groove(shapes, p->bar_count);
        s->repeated_span = repeated(shapes, p->bar_count);
    }
    ems_free(shapes);
    ems_free(lengths);
    return ok ? EMS_OK : ems_out_of_memory(err);
}

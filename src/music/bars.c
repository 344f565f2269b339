#include "music/bars.h"

#include "base/exact.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BEATS = 8 };
#define SAME 1e-4        /* seconds: the same bar line */
#define AT_HIT 0.002
#define SLOWEST_BEAT 1.3 /* seconds; 46 per minute */
#define FASTEST_BEAT 0.32 /* 188 per minute */
#define DRIFT 0.5        /* cost of leaving the piece's tempo, against that of
                            a change from bar to bar */

static int time_order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int is_hit(const ems_piece *p, double time)
{
    size_t low = 0, high = p->marker_count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (p->markers[mid].time < time - AT_HIT)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < p->marker_count && p->markers[low].time <= time + AT_HIT;
         low++)
        if (p->markers[low].kind == EMS_MARK_HIT)
            return 1;
    return 0;
}

/* The median of the distances between lines; 0 when there are none. */
static int median_bar(const double *lines, size_t count, double *median,
                      ems_error *err)
{
    *median = 0;
    if (count < 2)
        return EMS_OK;
    double *length = ems_alloc(count - 1, sizeof *length);
    if (!length)
        return ems_out_of_memory(err);
    for (size_t i = 0; i + 1 < count; i++)
        length[i] = lines[i + 1] - lines[i];
    qsort(length, count - 1, sizeof *length, time_order);
    *median = length[(count - 1) / 2];
    ems_free(length);
    return EMS_OK;
}

static double off_from(double x, double y)
{
    return fabs(x - y);
}

/* 3 or 4: do onsets in bars of usual length fall on thirds or on quarters? */
static int count_beats(const ems_piece *p, const double *lines, size_t count,
                       double bar)
{
    size_t quarters = 0, thirds = 0, line = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const double t = p->notes[i].start;
        while (line + 1 < count && lines[line + 1] <= t)
            line++;
        if (line + 1 >= count || t < lines[line])
            continue;
        const double length = lines[line + 1] - lines[line];
        if (off_from(length, bar) > 0.1 * bar)
            continue;
        const double phase = (t - lines[line]) / length;
        quarters += off_from(phase, 0.25) < 0.02 ||
                    off_from(phase, 0.75) < 0.02;
        thirds += off_from(phase, 1 / 3.0) < 0.02 ||
                  off_from(phase, 2 / 3.0) < 0.02;
    }
    return 5 * thirds > 6 * quarters ? 3 : 4;
}

/* A beat that a foot can follow. */
static void fold_tempo(ems_bar_fit *fit, double bar)
{
    fit->beat = bar / fit->beats;
    while (fit->beat < FASTEST_BEAT && fit->beats % 2 == 0) {
        fit->beats /= 2;
        fit->beat *= 2;
    }
    while (fit->beat > SLOWEST_BEAT && fit->beats <= MAX_BEATS / 2) {
        fit->beats *= 2;
        fit->beat /= 2;
    }
}

/* ---- Lines ---- */

typedef struct lines {
    double *at;           /* ascending; at[0] = 0 */
    size_t count, capacity;
} lines;

static int add_line(lines *l, double time, ems_error *err)
{
    if (ems_reserve((void *)&l->at, &l->capacity, l->count + 1,
                    sizeof *l->at) < 0)
        return ems_out_of_memory(err);
    l->at[l->count++] = time;
    return EMS_OK;
}

static int collect(lines *l, const ems_piece *p, ems_error *err)
{
    int code = add_line(l, 0, err);
    for (size_t i = 0; code == EMS_OK && i < p->bar_count; i++) {
        const double t = p->bars[i].start;
        if (t > l->at[l->count - 1] + SAME && t < p->duration - SAME)
            code = add_line(l, t, err);
    }
    return code;
}

/* Of two lines less than half a beat apart one goes; hits and 0 stay. */
static size_t thin(lines *l, const ems_piece *p, double beat)
{
    size_t kept = 1;
    for (size_t i = 1; i < l->count; i++) {
        const double t = l->at[i];
        const int hit = is_hit(p, t);
        while (hit && kept > 1 && t - l->at[kept - 1] < beat / 2 &&
               !is_hit(p, l->at[kept - 1]))
            kept--;
        if (hit || t - l->at[kept - 1] >= beat / 2)
            l->at[kept++] = t;
    }
    while (kept > 1 && p->duration - l->at[kept - 1] < beat / 2 &&
           !is_hit(p, l->at[kept - 1]))
        kept--;
    const size_t removed = l->count - kept;
    l->count = kept;
    return removed;
}

/* Stretches longer than MAX_BEATS beats become equal bars. */
static int fill(lines *out, const lines *in, const ems_piece *p,
                ems_bar_fit *fit, ems_error *err)
{
    for (size_t i = 0; i < in->count; i++) {
        const double start = in->at[i];
        const double end = i + 1 < in->count ? in->at[i + 1] : p->duration;
        const double beats = (end - start) / fit->beat;
        size_t parts = 1;
        if (beats > MAX_BEATS + 0.5)
            parts = (size_t)(beats / fit->beats + 0.5);
        for (size_t k = 0; k < parts; k++)
            if (add_line(out, start + (end - start) * (double)k /
                                          (double)parts, err) < 0)
                return EMS_ENOMEM;
        fit->added += parts - 1;
    }
    return EMS_OK;
}

/* ---- Beats ---- */

typedef struct step { /* dynamic programming: the best way to here */
    double cost[MAX_BEATS];
    int8_t from[MAX_BEATS];
} step;

/* |log| of the ratio of two beats, 0 for equal tempi. */
static double distance(double log_beat, double log_other)
{
    return fabs(log_beat - log_other);
}

static void walk_step(step *to, const step *from, double log_length,
                      double log_before, double log_usual,
                      const double *log_of)
{
    for (int b = 0; b < MAX_BEATS; b++) {
        const double beat = log_length - log_of[b];
        const double drift = DRIFT * distance(beat, log_usual);
        to->cost[b] = drift;
        to->from[b] = 0;
        for (int a = 0; from && a < MAX_BEATS; a++) {
            const double cost = from->cost[a] + drift +
                                distance(beat, log_before - log_of[a]);
            if (a == 0 || cost < to->cost[b]) {
                to->cost[b] = cost;
                to->from[b] = (int8_t)a;
            }
        }
    }
}

static double bar_length(const lines *l, const ems_piece *p, size_t i)
{
    return (i + 1 < l->count ? l->at[i + 1] : p->duration) - l->at[i];
}

static void choose_beats(ems_piece *p, const lines *l, step *steps,
                         double beat)
{
    double log_of[MAX_BEATS], before = 0;
    for (int b = 0; b < MAX_BEATS; b++)
        log_of[b] = ems_exact_log(b + 1);
    const double usual = ems_exact_log(beat);
    for (size_t i = 0; i < l->count; i++) {
        const double length = ems_exact_log(bar_length(l, p, i));
        walk_step(&steps[i], i ? &steps[i - 1] : NULL, length, before, usual,
                  log_of);
        before = length;
    }
    int best = 0;
    for (int b = 1; b < MAX_BEATS; b++)
        if (steps[l->count - 1].cost[b] < steps[l->count - 1].cost[best])
            best = b;
    p->bar_count = l->count;
    for (size_t i = l->count; i-- > 0;) {
        p->bars[i] = (ems_bar){l->at[i], best + 1};
        best = steps[i].from[best];
    }
}

static int set_beats(ems_piece *p, const lines *l, double beat,
                     ems_error *err)
{
    step *steps = ems_alloc(l->count, sizeof *steps);
    if (!steps || ems_reserve((void *)&p->bars, &p->bar_capacity, l->count,
                              sizeof *p->bars) < 0) {
        ems_free(steps);
        return ems_out_of_memory(err);
    }
    choose_beats(p, l, steps, beat);
    ems_free(steps);
    return EMS_OK;
}

static void measure(const ems_piece *p, const lines *l, ems_bar_fit *fit)
{
    for (size_t i = 1; i < p->bar_count; i++) {
        const double a = bar_length(l, p, i - 1) / p->bars[i - 1].beats;
        const double b = bar_length(l, p, i) / p->bars[i].beats;
        const double change = (a > b ? a / b : b / a) - 1;
        fit->mean_change += change / (double)(p->bar_count - 1);
        if (change > fit->largest_change)
            fit->largest_change = change;
    }
}

static int fit_lines(ems_piece *p, lines *raw, lines *full, ems_bar_fit *fit,
                     ems_error *err)
{
    ems_piece_sort(p);
    double bar = 0;
    int code = collect(raw, p, err);
    if (code == EMS_OK)
        code = median_bar(raw->at, raw->count, &bar, err);
    if (code < 0)
        return code;
    fit->beats = 4;
    fit->beat = 0.5;
    if (bar > 0) {
        fit->beats = count_beats(p, raw->at, raw->count, bar);
        fold_tempo(fit, bar);
    }
    fit->removed = thin(raw, p, fit->beat);
    code = fill(full, raw, p, fit, err);
    if (code == EMS_OK)
        code = set_beats(p, full, fit->beat, err);
    if (code == EMS_OK)
        measure(p, full, fit);
    return code;
}

int ems_bars_fit(ems_piece *p, ems_bar_fit *fit, ems_error *err)
{
    lines raw = {0}, full = {0};
    *fit = (ems_bar_fit){0};
    const int code = fit_lines(p, &raw, &full, fit, err);
    ems_free(raw.at);
    ems_free(full.at);
    return code;
}

#include "music/metre.h"

#include "base/mem.h"
#include "music/beat_path.h"

#include <math.h>

enum { BAR_BEATS = 4, LONGEST_BAR = 5 };
static const double SMOOTH = 10; /* weight of changes from bar to bar against
                                    the tempo that is wanted, a beat */
static const double SAME = 0.003; /* seconds: a file counts in ticks */
static const double SHORTEST = 0.6, LONGEST = 1.6; /* beats, of their mean */

/* Bars of four; what is left over makes a bar of two or three, or a three
 * and a two instead of a lonely beat. */
static int next_bar(int left)
{
    if (left <= LONGEST_BAR && left != BAR_BEATS + 1)
        return left;
    if (left == BAR_BEATS + 1)
        return 3;
    return BAR_BEATS;
}

/* ---- Bar lines that do not move the tempo more than they must ------------
 *
 * Unknown are the times t of the lines that are no hits; b_j, the length of a
 * beat of bar j, is linear in them. The least of
 *     SMOOTH * sum (b_j+1 - b_j)^2 + sum n_j (b_j - wanted_j)^2
 * solves a system of five diagonals, found once, without iteration. */

typedef struct band { /* a row: itself, the next, the one after */
    double diagonal, next, after, right;
} band;

typedef struct bars {
    ems_metre *m;
    double end;    /* of the film */
    char *fixed;   /* [count + 1] lines that do not move */
    band *rows;    /* [count + 1] */
} bars;

static double line_of(const bars *b, size_t i)
{
    return i < b->m->count ? b->m->line[i] : b->end;
}

/* Add weight * (sum c_k t_k - target)^2, k from `first` on. */
static void add_square(bars *b, size_t first, const double *c, size_t count,
                       double target, double weight)
{
    for (size_t k = 0; k < count; k++) /* what does not move is known */
        if (b->fixed[first + k])
            target -= c[k] * line_of(b, first + k);
    for (size_t k = 0; k < count; k++) {
        band *row = &b->rows[first + k];
        if (b->fixed[first + k])
            continue;
        row->diagonal += weight * c[k] * c[k];
        row->right += weight * c[k] * target;
        if (k + 1 < count && !b->fixed[first + k + 1])
            row->next += weight * c[k] * c[k + 1];
        if (k + 2 < count && !b->fixed[first + k + 2])
            row->after += weight * c[k] * c[k + 2];
    }
}

static void set_up(bars *b, const double *wanted)
{
    const ems_metre *m = b->m;
    for (size_t j = 0; j < m->count; j++) {
        const double n = m->beats[j], own[2] = {-1 / n, 1 / n};
        add_square(b, j, own, 2, wanted[j], n);
        if (j + 1 == m->count)
            break;
        const double other = m->beats[j + 1];
        const double change[3] = {1 / n, -1 / n - 1 / other, 1 / other};
        add_square(b, j, change, 3, 0, SMOOTH);
    }
    for (size_t i = 0; i <= m->count; i++)
        if (b->fixed[i])
            b->rows[i].diagonal = 1;
}

/* Gaussian elimination; the matrix is symmetric and positive definite. */
static void solve(bars *b)
{
    band *r = b->rows;
    const size_t count = b->m->count + 1;
    for (size_t i = 0; i < count; i++) {
        const double next = r[i].next / r[i].diagonal;
        const double after = r[i].after / r[i].diagonal;
        if (i + 1 < count) {
            r[i + 1].diagonal -= next * r[i].next;
            r[i + 1].next -= next * r[i].after;
            r[i + 1].right -= next * r[i].right;
        }
        if (i + 2 < count) {
            r[i + 2].diagonal -= after * r[i].after;
            r[i + 2].right -= after * r[i].right;
        }
    }
    for (size_t i = count; i-- > 0;) {
        if (i + 1 < count)
            r[i].right -= r[i].next * r[i + 1].right;
        if (i + 2 < count)
            r[i].right -= r[i].after * r[i + 2].right;
        r[i].right /= r[i].diagonal;
    }
}

/* Take the lines from bar `from` to `to`, two that are fixed, unless that
 * makes a beat that is no beat: then they stay even. */
static void take(bars *b, size_t from, size_t to)
{
    const double start = line_of(b, from), length = line_of(b, to) - start;
    double beats = 0;
    for (size_t j = from; j < to; j++)
        beats += b->m->beats[j];
    for (size_t j = from; j < to; j++) {
        const double left = j > from ? b->rows[j].right : start;
        const double right = j + 1 < to ? b->rows[j + 1].right
                                        : start + length;
        const double beat = (right - left) / b->m->beats[j] * beats / length;
        if (!(beat >= SHORTEST && beat <= LONGEST))
            return;
    }
    for (size_t j = from + 1; j < to; j++)
        b->m->line[j] = b->rows[j].right;
}

static int smooth(ems_metre *m, double end, char *fixed,
                  const double *wanted, ems_error *err)
{
    bars b = {m, end, fixed, ems_alloc(m->count + 1, sizeof *b.rows)};
    if (!b.rows)
        return ems_out_of_memory(err);
    set_up(&b, wanted);
    solve(&b);
    for (size_t from = 0, to = 1; to <= m->count; to++)
        if (fixed[to]) {
            take(&b, from, to);
            from = to;
        }
    ems_free(b.rows);
    return EMS_OK;
}

/* ---- From hits to bars --------------------------------------------------- */

typedef struct growing {
    ems_metre *m;
    size_t lines, beats; /* capacities */
    ems_error *err;
} growing;

static int add_bar(growing *g, double line, int beats)
{
    ems_metre *m = g->m;
    if (ems_reserve((void *)&m->line, &g->lines, m->count + 1,
                    sizeof *m->line) < 0 ||
        ems_reserve((void *)&m->beats, &g->beats, m->count + 1,
                    sizeof *m->beats) < 0)
        return ems_out_of_memory(g->err);
    m->line[m->count] = line;
    m->beats[m->count++] = beats;
    return EMS_OK;
}

/* Even bars from one hit to the next. */
static int add_even(growing *g, double start, double end, int beats)
{
    for (int at = 0; at < beats;) {
        const int n = next_bar(beats - at);
        if (add_bar(g, start + (end - start) * at / beats, n) < 0)
            return EMS_ENOMEM;
        at += n;
    }
    return EMS_OK;
}

/* Bars of a part of the film, whose `hits` lie inside it, near a tempo;
 * *found: how near. */
static int add_part(growing *g, const ems_plan *plan, ems_stretch part,
                    const double *hits, size_t count, ems_tempo tempo,
                    double *found)
{
    ems_beat_path path = {0};
    ems_beat_point *points = ems_alloc(count, sizeof *points);
    if (!points)
        return ems_out_of_memory(g->err);
    for (size_t i = 0; i < count; i++)
        points[i] = (ems_beat_point){.time = hits[i], .must = 1};
    int code = ems_beat_path_find(&path, plan, part, points, count,
                                  tempo, 0, g->err);
    ems_free(points);
    for (size_t i = 0; i <= count && code == EMS_OK; i++)
        code = add_even(g, i ? hits[i - 1] : part.from,
                        i < count ? hits[i] : part.to, path.beats[i]);
    *found = path.tempo;
    ems_beat_path_clear(&path);
    return code;
}

static int is_inside(const ems_stretch *parts, size_t count, double time)
{
    for (size_t i = 0; i < count; i++)
        if (time > parts[i].from && time < parts[i].to)
            return 1;
    return 0;
}

/* What lies in the parts moves, except hits. */
static int smooth_parts(ems_metre *m, const ems_plan *plan,
                        const double *hits, size_t hit_count,
                        const ems_stretch *parts, size_t count,
                        ems_error *err)
{
    char *fixed = ems_alloc(m->count + 1, 1);
    double *wanted = ems_alloc(m->count, sizeof *wanted);
    int code = fixed && wanted ? EMS_OK : ems_out_of_memory(err);
    if (code == EMS_OK) {
        const double mean = ems_plan_mean_arousal(plan);
        for (size_t j = 0, hit = 0; j < m->count; j++) {
            while (hit < hit_count && hits[hit] < m->line[j])
                hit++;
            fixed[j] = (hit < hit_count && hits[hit] == m->line[j]) ||
                       !is_inside(parts, count, m->line[j]);
            wanted[j] = 60 / (m->tempo *
                              ems_tempo_sway(plan, mean, m->line[j]));
        }
        fixed[m->count] = 1;
        code = smooth(m, plan->duration, fixed, wanted, err);
    }
    ems_free(fixed);
    ems_free(wanted);
    return code;
}

int ems_metre_plan(ems_metre *m, const ems_plan *plan, const double *hits,
                   size_t hit_count, ems_error *err)
{
    *m = (ems_metre){0};
    growing g = {.m = m, .err = err};
    const ems_stretch all = {0, plan->duration};
    int code = add_part(&g, plan, all, hits, hit_count, ems_tempo_of(plan),
                        &m->tempo);
    if (code == EMS_OK)
        code = smooth_parts(m, plan, hits, hit_count, &all, 1, err);
    if (code < 0)
        ems_metre_clear(m);
    return code;
}

/* What a part of the old score went at: its neighbours still do. */
static ems_tempo old_tempo(const ems_piece *old, ems_stretch part)
{
    double beats = 0;
    for (size_t i = 0; i < old->bar_count; i++)
        if (old->bars[i].start >= part.from - SAME &&
            old->bars[i].start < part.to - SAME)
            beats += old->bars[i].beats;
    const double tempo = 60 * fmax(1, beats) / (part.to - part.from);
    return (ems_tempo){tempo, tempo, tempo};
}

static int add_old_bars(growing *g, const ems_piece *old, double from,
                        double to)
{
    for (size_t i = 0; i < old->bar_count; i++)
        if (old->bars[i].start >= from && old->bars[i].start < to &&
            add_bar(g, old->bars[i].start, old->bars[i].beats) < 0)
            return EMS_ENOMEM;
    return EMS_OK;
}

int ems_metre_keep(ems_metre *m, const ems_plan *plan, const double *hits,
                   size_t hit_count, const ems_piece *old,
                   const ems_stretch *parts, size_t count, ems_error *err)
{
    *m = (ems_metre){0};
    growing g = {.m = m, .err = err};
    double at = 0, beats = 0, found;
    size_t hit = 0;
    int code = EMS_OK;
    for (size_t i = 0; i < count && code == EMS_OK; i++) {
        code = add_old_bars(&g, old, at, parts[i].from);
        while (hit < hit_count && hits[hit] < parts[i].from + SAME)
            hit++;
        const size_t first = hit;
        while (hit < hit_count && hits[hit] < parts[i].to - SAME)
            hit++;
        if (code == EMS_OK)
            code = add_part(&g, plan, parts[i], hits + first, hit - first,
                            old_tempo(old, parts[i]), &found);
        at = parts[i].to;
    }
    if (code == EMS_OK)
        code = add_old_bars(&g, old, at, plan->duration);
    for (size_t j = 0; j < m->count; j++)
        beats += m->beats[j];
    m->tempo = 60 * beats / plan->duration;
    if (code == EMS_OK)
        code = smooth_parts(m, plan, hits, hit_count, parts, count, err);
    if (code < 0)
        ems_metre_clear(m);
    return code;
}

void ems_metre_clear(ems_metre *m)
{
    ems_free(m->line);
    ems_free(m->beats);
    *m = (ems_metre){0};
}

int ems_metre_apply(const ems_metre *m, ems_piece *piece, ems_error *err)
{
    piece->bar_count = 0;
    int code = EMS_OK;
    for (size_t i = 0; i < m->count && code == EMS_OK; i++)
        code = ems_piece_add_bar(piece, (ems_bar){m->line[i], m->beats[i]},
                                 err);
    return code;
}

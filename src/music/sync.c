#include "music/sync.h"

#include "base/mem.h"
#include "base/rng.h"
#include "music/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TOGETHER = 0.03; /* seconds: one stroke for the ear */
static const double AROUND = 3.0;    /* an accent stands out of so much */
static const double STANDS_OUT = 1.2; /* times the mean of its surroundings */
static const double ALONE = 0.2;     /* no accent nearer to a stronger one */
static const double TBIOU = 0.5;     /* seconds: VeM's tolerance */
static const double APART = 1.0;     /* cuts nearer than this may be let go */
static const double USUAL_FRAME = 0.04; /* of a film without pictures */
static const double SAME = 1e-5;     /* a hit is on its cut */

/* ---- What the music offers ----------------------------------------------- */

static int add_moment(ems_moments *m, double at, double weight,
                      ems_error *err)
{
    if (ems_reserve((void *)&m->at, &m->capacity, m->count + 1,
                    sizeof *m->at) < 0 ||
        ems_reserve((void *)&m->weight, &m->weight_capacity, m->count + 1,
                    sizeof *m->weight) < 0)
        return ems_out_of_memory(err);
    m->at[m->count] = at;
    m->weight[m->count++] = weight;
    return EMS_OK;
}

static double drum_weight(int pitch)
{
    switch (pitch) {
    case 49: case 52: case 55: case 57: /* crash, china, splash */
        return 2;
    case 35: case 36: /* bass drum */
        return 1;
    case 38: case 40: /* snare */
        return 0.8;
    default:
        return 0.3;
    }
}

/* How much a note strikes: loud, long and low ones more. */
static double strike(const ems_note *n)
{
    const double loud = n->velocity / 100.0;
    if (n->family == EMS_DRUMS)
        return drum_weight(n->pitch) * loud * loud;
    const double length = n->length < 2 ? n->length : 2;
    return (0.6 + 0.4 * length + (n->family == EMS_BASS ? 0.4 : 0)) * loud *
           loud;
}

/* Notes struck together are one stroke, at the time of the strongest. */
static int collect_strokes(ems_moments *s, const ems_piece *p, ems_error *err)
{
    double first = 0, most = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        const double weight = strike(n);
        if (s->count == 0 || n->start - first > TOGETHER) {
            if (add_moment(s, n->start, weight, err) < 0)
                return EMS_ENOMEM;
            first = n->start;
            most = weight;
            continue;
        }
        s->weight[s->count - 1] += weight;
        if (weight > most) {
            s->at[s->count - 1] = n->start;
            most = weight;
        }
    }
    return EMS_OK;
}

static int is_strongest(const ems_moments *s, size_t i)
{
    for (size_t k = i; k-- > 0 && s->at[i] - s->at[k] < ALONE;)
        if (s->weight[k] > s->weight[i])
            return 0;
    for (size_t k = i + 1; k < s->count && s->at[k] - s->at[i] < ALONE; k++)
        if (s->weight[k] >= s->weight[i])
            return 0;
    return 1;
}

static int choose_accents(ems_moments *out, const ems_moments *s,
                          ems_error *err)
{
    double sum = 0;
    size_t first = 0, last = 0; /* strokes first .. last-1 are around i */
    for (size_t i = 0; i < s->count; i++) {
        for (; last < s->count && s->at[last] <= s->at[i] + AROUND; last++)
            sum += s->weight[last];
        for (; s->at[first] < s->at[i] - AROUND; first++)
            sum -= s->weight[first];
        const double mean = sum / (double)(last - first);
        if (s->weight[i] >= STANDS_OUT * mean && is_strongest(s, i) &&
            add_moment(out, s->at[i], s->weight[i] / mean, err) < 0)
            return EMS_ENOMEM;
    }
    return EMS_OK;
}

static double bar_end(const ems_piece *p, size_t i)
{
    return i + 1 < p->bar_count ? p->bars[i + 1].start : p->duration;
}

static int collect_bars(ems_sync_music *m, const ems_piece *p,
                        ems_error *err)
{
    for (size_t i = 0; i < p->bar_count; i++) {
        const ems_bar *b = &p->bars[i];
        const double beat = (bar_end(p, i) - b->start) / b->beats;
        if (add_moment(&m->bars, b->start, 1, err) < 0)
            return EMS_ENOMEM;
        for (int k = 0; k < b->beats; k++)
            if (add_moment(&m->beats, b->start + k * beat, 1, err) < 0)
                return EMS_ENOMEM;
    }
    return EMS_OK;
}

static void clear_moments(ems_moments *m)
{
    ems_free(m->at);
    ems_free(m->weight);
    *m = (ems_moments){0};
}

int ems_sync_listen(ems_sync_music *m, const ems_piece *piece,
                    ems_error *err)
{
    *m = (ems_sync_music){0};
    ems_moments strokes = {0};
    int code = collect_strokes(&strokes, piece, err);
    if (code == EMS_OK)
        code = choose_accents(&m->accents, &strokes, err);
    clear_moments(&strokes);
    return code == EMS_OK ? collect_bars(m, piece, err) : code;
}

void ems_sync_music_clear(ems_sync_music *m)
{
    clear_moments(&m->accents);
    clear_moments(&m->bars);
    clear_moments(&m->beats);
}

/* ---- Shares -------------------------------------------------------------- */

/* The moment nearest to `time`; NaN where there is none. */
static double nearest(const ems_moments *m, double time)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (m->at[mid] < time)
            low = mid + 1;
        else
            high = mid;
    }
    if (m->count == 0)
        return NAN;
    if (low == m->count ||
        (low > 0 && time - m->at[low - 1] < m->at[low] - time))
        low--;
    return m->at[low];
}

/* |a ∩ b| / |a ∪ b|; two moments are the same within TBIOU, each at most
 * once. */
static double overlap(const double *a, size_t count, const ems_moments *b)
{
    size_t same = 0, k = 0;
    for (size_t i = 0; i < count; i++) {
        while (k < b->count && b->at[k] < a[i] - TBIOU)
            k++;
        if (k < b->count && b->at[k] <= a[i] + TBIOU) {
            same++;
            k++;
        }
    }
    const size_t either = count + b->count - same;
    return either ? (double)same / (double)either : 0;
}

static int number_order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* `error` is scratch for `count` numbers. */
static ems_sync_share share_of(const double *cuts, size_t count, double frame,
                               const ems_sync_music *m, double *error)
{
    ems_sync_share s = {.moments = count, .median_ms = NAN, .p95_ms = NAN};
    for (size_t i = 0; i < count; i++) {
        const double off = fabs(nearest(&m->accents, cuts[i]) - cuts[i]);
        error[i] = isnan(off) ? INFINITY : off;
        s.frame += off <= frame;
        s.within_100ms += off <= 0.1;
        s.within_1s += off <= 1;
    }
    if (count == 0)
        return s;
    qsort(error, count, sizeof *error, number_order);
    s.median_ms = 500 * (error[(count - 1) / 2] + error[count / 2]);
    s.p95_ms = 1000 * error[(size_t)(0.95 * (double)(count - 1) + 0.5)];
    s.frame /= (double)count;
    s.within_100ms /= (double)count;
    s.within_1s /= (double)count;
    s.tbiou_accents = overlap(cuts, count, &m->accents);
    s.tbiou_bars = overlap(cuts, count, &m->bars);
    s.tbiou_beats = overlap(cuts, count, &m->beats);
    return s;
}

static void add_share(ems_sync_share *sum, const ems_sync_share *s, double w)
{
    sum->moments = s->moments;
    sum->median_ms += w * s->median_ms;
    sum->p95_ms += w * s->p95_ms;
    sum->frame += w * s->frame;
    sum->within_100ms += w * s->within_100ms;
    sum->within_1s += w * s->within_1s;
    sum->tbiou_accents += w * s->tbiou_accents;
    sum->tbiou_bars += w * s->tbiou_bars;
    sum->tbiou_beats += w * s->tbiou_beats;
}

/* The shots of the film, closed to a ring, in another order and turned: as
 * many cuts, as far apart, elsewhere. */
static void shuffle(double *out, double *gap, const double *cuts,
                    size_t count, double duration, ems_rng *r)
{
    for (size_t i = 0; i < count; i++)
        gap[i] = i ? cuts[i] - cuts[i - 1]
                   : cuts[0] + duration - cuts[count - 1];
    for (size_t i = count; i > 1; i--) {
        const size_t k = (size_t)ems_rng_below(r, i);
        const double kept = gap[i - 1];
        gap[i - 1] = gap[k];
        gap[k] = kept;
    }
    double at = duration * ems_rng_uniform(r);
    for (size_t i = 0; i < count; i++) {
        at = fmod(at + gap[i], duration);
        out[i] = at;
    }
    qsort(out, count, sizeof *out, number_order);
}

static int by_chance(ems_sync_report *out, const double *cuts, size_t count,
                     double frame, const ems_sync_music *m, int rounds,
                     uint64_t seed, ems_error *err)
{
    double *block = ems_alloc(count, 3 * sizeof *block);
    if (!block)
        return ems_out_of_memory(err);
    ems_rng r = ems_rng_seed(seed, 0);
    for (int i = 0; i < rounds && count; i++) {
        shuffle(block, block + count, cuts, count, out->duration, &r);
        const ems_sync_share s =
            share_of(block, count, frame, m, block + 2 * count);
        add_share(&out->chance, &s, 1.0 / rounds);
    }
    ems_free(block);
    return EMS_OK;
}

/* ---- The rest of the report ---------------------------------------------- */

static void measure_tempo(ems_sync_report *out, const ems_piece *p)
{
    size_t pairs = 0;
    for (size_t i = 1; i + 1 < p->bar_count; i++) { /* the end may be cut */
        const double a = (bar_end(p, i - 1) - p->bars[i - 1].start) /
                         p->bars[i - 1].beats;
        const double b = (bar_end(p, i) - p->bars[i].start) /
                         p->bars[i].beats;
        const double change = a > b ? a / b - 1 : b / a - 1;
        out->mean_change += change;
        out->largest_change = fmax(out->largest_change, change);
        out->smooth_bars += change <= 0.04;
        pairs++;
    }
    if (pairs) {
        out->mean_change /= (double)pairs;
        out->smooth_bars /= (double)pairs;
    }
}

static int measure_grid(ems_sync_report *out, const ems_piece *p,
                        ems_error *err)
{
    ems_piece_stats s;
    const int code = ems_piece_measure(&s, p, err);
    out->on_grid = p->note_count ? s.on_grid : NAN;
    return code;
}

static int is_hit(const ems_plan *f, double time)
{
    for (size_t i = 0; i < f->hit_count; i++)
        if (fabs(f->hits[i] - time) < SAME)
            return 1;
    return 0;
}

/* Of the hard cuts at least APART from the next to either side. */
static double share_accepted(const ems_plan *f)
{
    size_t fair = 0, taken = 0;
    for (size_t i = 0; i < f->cut_count; i++) {
        const ems_cut *c = &f->cuts[i];
        if (c->kind != EMS_CUT ||
            (i && c->time - c[-1].time < APART) ||
            (i + 1 < f->cut_count && c[1].time - c->time < APART))
            continue;
        fair++;
        taken += (size_t)is_hit(f, c->time);
    }
    return fair ? (double)taken / (double)fair : NAN;
}

static void list_cuts(ems_sync_report *out, const double *cuts,
                      const ems_sync_music *m)
{
    for (size_t i = 0; i < out->cut_count; i++) {
        ems_hit *h = &out->cuts[i];
        h->cut = cuts[i];
        h->note = nearest(&m->accents, cuts[i]);
        h->error_ms = 1000 * (h->note - h->cut);
        h->error_frames = (h->note - h->cut) * out->fps;
    }
}

int ems_sync_measure(ems_sync_report *out, const ems_plan *film, int hits,
                     const ems_piece *piece, const ems_sync_music *music,
                     int rounds, uint64_t seed, ems_error *err)
{
    const size_t n = film->cut_count;
    const double frame = film->fps > 0 ? 1 / film->fps : USUAL_FRAME;
    *out = (ems_sync_report){
        .duration = film->duration, .fps = film->fps, .accepted = NAN,
        .notes = piece->note_count, .accents = music->accents.count,
        .bars = music->bars.count, .beats = music->beats.count};
    const size_t most = n > film->hit_count ? n : film->hit_count;
    double *at = ems_alloc(most + 1, 2 * sizeof *at);
    out->cuts = ems_alloc(n, sizeof *out->cuts);
    int code = at && out->cuts ? EMS_OK : ems_out_of_memory(err);
    if (code == EMS_OK) {
        for (size_t i = 0; i < n; i++)
            at[i] = film->cuts[i].time;
        out->cut_count = n;
        out->all = share_of(at, n, frame, music, at + most);
        if (hits) {
            out->hits = share_of(film->hits, film->hit_count, frame, music,
                                 at + most);
            out->accepted = share_accepted(film);
        }
        list_cuts(out, at, music);
        measure_tempo(out, piece);
        code = by_chance(out, at, n, frame, music, rounds, seed, err);
    }
    if (code == EMS_OK)
        code = measure_grid(out, piece, err);
    ems_free(at);
    if (code < 0)
        ems_sync_clear(out);
    return code;
}

void ems_sync_clear(ems_sync_report *r)
{
    ems_free(r->cuts);
    *r = (ems_sync_report){0};
}

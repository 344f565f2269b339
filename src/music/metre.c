#include "music/metre.h"

#include "base/exact.h"
#include "base/mem.h"

#include <math.h>

enum { BAR_BEATS = 4, LONGEST_BAR = 5, TEMPI = 31 };
static const double MIDDLE_TEMPO = 100; /* beats a minute at arousal 0 */
static const double TEMPO_SPAN = 40;    /* more at arousal 1 */
static const double FREEDOM = 0.15;     /* the tempo may be moved this much */
static const double SWAY = 0.10;        /* and follow arousal this much */
static const double LOYALTY = 0.05;     /* weight of staying near the wanted */

typedef struct stretch { /* from one hit to the next */
    double start, length; /* seconds */
    double sway;          /* factor of the tempo: how excited it is */
} stretch;

static double arousal_at(const ems_plan *p, double time)
{
    double valence, arousal;
    ems_curve_at(p->curve, p->knot_count, time, &valence, &arousal);
    return arousal;
}

static double beats_in(const stretch *s, double tempo)
{
    const double n = rint(s->length * tempo * s->sway / 60);
    return n < 1 ? 1 : n;
}

/* Squared logarithm of how far each stretch's tempo is pulled from `tempo`,
 * and, weighing less, that is from the wanted one: summed over beats. */
static double pull(const stretch *s, size_t count, double tempo,
                   double wanted)
{
    const double moved = ems_exact_log(tempo / wanted);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double n = beats_in(&s[i], tempo);
        const double change =
            ems_exact_log(n * 60 / (s[i].length * tempo * s[i].sway));
        sum += n * (change * change + LOYALTY * moved * moved);
    }
    return sum;
}

static double best_tempo(const stretch *s, size_t count, double wanted)
{
    double best = wanted, least = INFINITY;
    for (int i = 0; i < TEMPI; i++) {
        /* from the wanted tempo outwards: of equals the nearest wins */
        const double far = FREEDOM * ((i + 1) / 2) / (TEMPI / 2);
        const double tempo = wanted * (i % 2 ? 1 + far : 1 - far);
        const double cost = pull(s, count, tempo, wanted);
        if (cost < least) {
            least = cost;
            best = tempo;
        }
    }
    return best;
}

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

static int add_bars(ems_metre *m, size_t *capacity, size_t *beat_capacity,
                    const stretch *s, ems_error *err)
{
    const int beats = (int)beats_in(s, m->tempo);
    for (int at = 0; at < beats;) {
        if (ems_reserve((void *)&m->line, capacity, m->count + 1,
                        sizeof *m->line) < 0 ||
            ems_reserve((void *)&m->beats, beat_capacity, m->count + 1,
                        sizeof *m->beats) < 0)
            return ems_out_of_memory(err);
        const int n = next_bar(beats - at);
        m->line[m->count] = s->start + s->length * at / beats;
        m->beats[m->count++] = n;
        at += n;
    }
    return EMS_OK;
}

static stretch *cut(const ems_plan *p, const double *hits, size_t count,
                    double mean)
{
    stretch *s = ems_alloc(count + 1, sizeof *s);
    for (size_t i = 0; s && i <= count; i++) {
        const double end = i < count ? hits[i] : p->duration;
        s[i].start = i ? hits[i - 1] : 0;
        s[i].length = end - s[i].start;
        const double more =
            arousal_at(p, s[i].start + s[i].length / 2) - mean;
        s[i].sway = 1 + SWAY * fmax(-1, fmin(1, more));
    }
    return s;
}

static double mean_arousal(const ems_plan *p)
{
    enum { POINTS = 64 };
    double sum = 0;
    for (int i = 0; i < POINTS; i++)
        sum += arousal_at(p, p->duration * (i + 0.5) / POINTS);
    return sum / POINTS;
}

int ems_metre_plan(ems_metre *m, const ems_plan *plan, const double *hits,
                   size_t hit_count, ems_error *err)
{
    *m = (ems_metre){0};
    const double mean = mean_arousal(plan);
    stretch *s = cut(plan, hits, hit_count, mean);
    if (!s)
        return ems_out_of_memory(err);
    m->tempo = best_tempo(s, hit_count + 1, MIDDLE_TEMPO + TEMPO_SPAN * mean);
    size_t capacity = 0, beat_capacity = 0;
    int code = EMS_OK;
    for (size_t i = 0; i <= hit_count && code == EMS_OK; i++)
        code = add_bars(m, &capacity, &beat_capacity, &s[i], err);
    ems_free(s);
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

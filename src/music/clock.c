#include "music/clock.h"

#include "base/mem.h"
#include "music/vocab.h"

#include <math.h>

enum { TWELFTHS = 12, SHORTEST = 2, LONGEST = 20 /* token steps of one */ };
/* A bar whose tempo lies within this ratio of the piece's keeps its step:
 * what the model hears as a change of tempo should be one. */
static const double SAME = 1.2;

/* Token steps of a twelfth of a beat of `seconds`, the nearest by ratio. */
static int step_of(double seconds)
{
    const double exact = seconds / (TWELFTHS * EMS_TICK);
    const int low = (int)floor(exact);
    const int step = exact * exact > (double)low * (low + 1) ? low + 1 : low;
    return step < SHORTEST ? SHORTEST : step > LONGEST ? LONGEST : step;
}

static void lay(ems_clock *c, const ems_metre *m, double end)
{
    const double usual = 60 / m->tempo;
    double ticks = 0;
    for (size_t i = 0; i < c->bars; i++) {
        const double next = i + 1 < c->bars ? m->line[i + 1] : end;
        const double beat = (next - m->line[i]) / m->beats[i];
        const int same = beat < SAME * usual && usual < SAME * beat;
        c->step[i] = step_of(same ? usual : beat);
        c->film[i] = m->line[i];
        c->score[i] = EMS_TICK * ticks;
        ticks += TWELFTHS * m->beats[i] * c->step[i];
    }
    c->film[c->bars] = end;
    c->score[c->bars] = EMS_TICK * ticks;
}

int ems_clock_plan(ems_clock *c, const ems_metre *m, double end,
                   ems_error *err)
{
    *c = (ems_clock){.bars = m->count};
    c->film = ems_alloc(c->bars + 1, sizeof *c->film);
    c->score = ems_alloc(c->bars + 1, sizeof *c->score);
    c->step = ems_alloc(c->bars, sizeof *c->step);
    if (!c->film || !c->score || !c->step) {
        ems_clock_clear(c);
        return ems_out_of_memory(err);
    }
    lay(c, m, end);
    return EMS_OK;
}

/* The last line at or before `at`, by halving. */
static size_t bar_at(const double *line, size_t bars, double at)
{
    size_t low = 0, high = bars;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (line[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static double convert(const double *from, const double *to, size_t bars,
                      double at)
{
    if (at <= from[0])
        return to[0];
    if (at >= from[bars])
        return to[bars];
    const size_t i = bar_at(from, bars, at);
    return to[i] + (at - from[i]) * (to[i + 1] - to[i]) /
                       (from[i + 1] - from[i]);
}

double ems_clock_film(const ems_clock *c, double score)
{
    return c->bars == 0 ? score : convert(c->score, c->film, c->bars, score);
}

double ems_clock_score(const ems_clock *c, double film)
{
    return c->bars == 0 ? film : convert(c->film, c->score, c->bars, film);
}

void ems_clock_clear(ems_clock *c)
{
    ems_free(c->film);
    ems_free(c->score);
    ems_free(c->step);
    *c = (ems_clock){0};
}

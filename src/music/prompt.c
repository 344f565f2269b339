#include "music/prompt.h"

#include "base/mem.h"

#include <math.h>

enum { SUSTAINED = 24 }; /* twelfths of a beat: two beats make a chord */

static uint32_t tick_of(const ems_clock *c, double film)
{
    return (uint32_t)(ems_clock_score(c, film) / EMS_TICK + 0.5);
}

/* Token steps of a twelfth of a beat at `film`. */
static int step_at(const ems_clock *c, double film)
{
    size_t bar = 0;
    while (bar + 1 < c->bars && c->film[bar + 1] <= film)
        bar++;
    return c->step[bar];
}

static void take_notes(ems_song *s, const ems_piece *p, const ems_clock *c,
                       double until)
{
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        const double end = fmin(n->start + n->length, until);
        ems_song_note x = {tick_of(c, n->start), tick_of(c, end), n->family,
                           n->pitch, n->velocity, 0};
        if (x.start >= tick_of(c, until) || n->pitch < EMS_LOW_PITCH ||
            n->pitch >= EMS_LOW_PITCH + EMS_PITCHES)
            continue;
        x.end = x.end > x.start ? x.end : x.start + 1;
        x.sustained = x.end - x.start >=
                      (uint32_t)(SUSTAINED * step_at(c, n->start));
        s->notes[s->note_count++] = x;
    }
}

static int fill_song(ems_song *s, const ems_piece *p, const ems_clock *c,
                     double until, ems_error *err)
{
    s->notes = ems_alloc(p->note_count, sizeof *s->notes);
    s->bars = ems_alloc(c->bars, sizeof *s->bars);
    if (!s->notes || !s->bars)
        return ems_out_of_memory(err);
    take_notes(s, p, c, until);
    for (size_t i = 0; i < c->bars && c->film[i] < until; i++)
        s->bars[s->bar_count++] = tick_of(c, c->film[i]);
    s->end = tick_of(c, until);
    ems_song_part(s);
    return EMS_OK;
}

static int add_token(ems_tokens *t, int token, ems_error *err)
{
    if (ems_reserve((void *)&t->tokens, &t->capacity, t->count + 1,
                    sizeof *t->tokens) < 0)
        return ems_out_of_memory(err);
    t->tokens[t->count++] = (uint16_t)token;
    return EMS_OK;
}

/* The bars and the time after the last note. */
static int run_out(ems_tokens *t, const ems_song *s, ems_error *err)
{
    uint32_t at = 0;
    size_t bar = 0;
    for (size_t i = 0; i < t->count; i++) {
        at += ems_is_shift(t->tokens[i])
                  ? (uint32_t)ems_shift_ticks(t->tokens[i]) : 0;
        bar += t->tokens[i] == EMS_BAR;
    }
    while (at < s->end) {
        const uint32_t stop = bar < s->bar_count ? s->bars[bar] : s->end;
        for (; at < stop; ) {
            const uint32_t left = stop - at;
            const int shift = left < EMS_MAX_SHIFT ? (int)left
                                                   : EMS_MAX_SHIFT;
            if (add_token(t, EMS_SHIFT_BASE + shift, err) < 0)
                return EMS_ENOMEM;
            at += (uint32_t)shift;
        }
        if (bar < s->bar_count && add_token(t, EMS_BAR, err) < 0)
            return EMS_ENOMEM;
        bar++;
    }
    return EMS_OK;
}

int ems_prompt_tokens(ems_tokens *t, const ems_piece *piece,
                      const ems_clock *clock, double until, ems_error *err)
{
    ems_song s = {0};
    *t = (ems_tokens){0};
    int code = fill_song(&s, piece, clock, until, err);
    if (code == EMS_OK)
        code = ems_tokens_from_song(t, &s, err);
    if (code == EMS_OK)
        code = run_out(t, &s, err);
    ems_song_clear(&s);
    if (code < 0)
        ems_tokens_clear(t);
    return code;
}

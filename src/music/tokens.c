#include "music/tokens.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* An event as one number that sorts in the order of the tokens:
 * tick << 16 | off << 15 | family rank << 12 | pitch << 5 | sustained */
typedef uint64_t event;

/* Boundaries are a second apart: so far reaches one <CHORD> when cuts are
 * served (|cursor - cut| < 1 s), and plans keep hits as far from each other. */
enum { FEWEST_CHORD_NOTES = 3 };

static const uint8_t rank_of[EMS_FAMILIES] = {1, 0, 2, 3, 4};
static const uint8_t family_of[EMS_FAMILIES] = {EMS_DRUMS, EMS_BASS,
                                                EMS_GUITAR, EMS_PIANO,
                                                EMS_STRINGS};

static event make_event(const ems_song_note *n, int off)
{
    return (uint64_t)(off ? n->end : n->start) << 16 | (uint64_t)off << 15 |
           (uint64_t)rank_of[n->family] << 12 | (uint64_t)n->pitch << 5 |
           n->sustained;
}

static int event_order(const void *a, const void *b)
{
    const event x = *(const event *)a, y = *(const event *)b;
    return (x > y) - (x < y);
}

static int push(ems_tokens *t, int token, ems_error *err)
{
    if (ems_reserve((void *)&t->tokens, &t->capacity, t->count + 1,
                    sizeof *t->tokens) < 0)
        return ems_out_of_memory(err);
    t->tokens[t->count++] = (uint16_t)token;
    return EMS_OK;
}

static int push_bar(ems_tokens *t, ems_error *err)
{
    if (ems_reserve((void *)&t->bars, &t->bar_capacity, t->bar_count + 1,
                    sizeof *t->bars) < 0)
        return ems_out_of_memory(err);
    t->bars[t->bar_count++] = (uint32_t)t->count;
    return push(t, EMS_BAR, err);
}

static int push_shift(ems_tokens *t, uint32_t ticks, ems_error *err)
{
    while (ticks > 0) {
        const uint32_t step = ticks < EMS_MAX_SHIFT ? ticks : EMS_MAX_SHIFT;
        if (push(t, EMS_SHIFT_BASE + (int)step, err) < 0)
            return EMS_ENOMEM;
        ticks -= step;
    }
    return EMS_OK;
}

/* Does a long chord begin among the `count` events of one moment? */
static int is_chord(const event *e, size_t count)
{
    int sustained[EMS_FAMILIES] = {0};
    for (size_t i = 0; i < count && !(e[i] >> 15 & 1); i++)
        sustained[family_of[e[i] >> 12 & 7]] += (int)(e[i] & 1);
    return sustained[EMS_GUITAR] >= FEWEST_CHORD_NOTES ||
           sustained[EMS_PIANO] >= FEWEST_CHORD_NOTES;
}

/* `chord`: the tick of the last <CHORD>, or negative. */
static int push_moment(ems_tokens *t, const event *e, size_t count,
                       int64_t *chord, ems_error *err)
{
    const int64_t tick = (int64_t)(e[0] >> 16);
    if (is_chord(e, count) && (*chord < 0 || tick - *chord >= EMS_CHORD_GAP)) {
        t->chords++;
        *chord = tick;
        if (push(t, EMS_CHORD, err) < 0)
            return EMS_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const int token = ems_note_token(family_of[e[i] >> 12 & 7],
                                         (int)(e[i] >> 5 & 127),
                                         !(e[i] >> 15 & 1));
        if (push(t, token, err) < 0)
            return EMS_ENOMEM;
    }
    return EMS_OK;
}

static int push_all(ems_tokens *t, const event *e, size_t count,
                    const ems_song *s, ems_error *err)
{
    uint32_t cursor = 0;
    int64_t chord = -1;
    size_t bar = 0;
    for (size_t i = 0; i < count;) {
        const uint32_t tick = (uint32_t)(e[i] >> 16);
        for (; bar < s->bar_count && s->bars[bar] <= tick; bar++) {
            if (push_shift(t, s->bars[bar] - cursor, err) < 0 ||
                push_bar(t, err) < 0)
                return EMS_ENOMEM;
            cursor = s->bars[bar];
        }
        size_t same = i + 1;
        while (same < count && e[same] >> 16 == tick)
            same++;
        if (push_shift(t, tick - cursor, err) < 0 ||
            push_moment(t, e + i, same - i, &chord, err) < 0)
            return EMS_ENOMEM;
        cursor = tick;
        i = same;
    }
    return EMS_OK;
}

int ems_tokens_from_song(ems_tokens *t, const ems_song *s, ems_error *err)
{
    *t = (ems_tokens){0};
    event *events = ems_alloc(s->note_count, 2 * sizeof *events);
    if (!events)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < s->note_count; i++) {
        events[2 * i] = make_event(&s->notes[i], 0);
        events[2 * i + 1] = make_event(&s->notes[i], 1);
    }
    qsort(events, 2 * s->note_count, sizeof *events, event_order);
    const int code = push_all(t, events, 2 * s->note_count, s, err);
    ems_free(events);
    if (code < 0)
        ems_tokens_clear(t);
    return code;
}

void ems_tokens_clear(ems_tokens *t)
{
    ems_free(t->tokens);
    ems_free(t->bars);
    *t = (ems_tokens){0};
}

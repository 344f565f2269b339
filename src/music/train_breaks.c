#include "music/train_breaks.h"

#include "music/vocab.h"

#include <string.h>

#define BREAK_SHARE 0.7 /* of the chords */
enum { REACH_TICKS = 250, NOTES = EMS_FAMILIES * EMS_PITCHES };

typedef struct breaker {
    const ems_dataset_piece *piece;
    ems_rng *rng;
    size_t shift, resume;    /* the next break: of this TIMESHIFT, to here */
    uint8_t lost[EMS_VOCAB]; /* by OFF: so many ONs were left out */
    uint16_t ended[NOTES];   /* OFFs to be put after the chord, in order */
    size_t ended_count;
    uint16_t *out;
    size_t count;
} breaker;

static int token_at(const breaker *b, size_t i)
{
    return b->piece->tokens[i];
}

/* Where the next chord's moment begins, or the piece's end. */
static size_t next_chord(const breaker *b, size_t from)
{
    size_t i = from;
    while (i < b->piece->token_count && token_at(b, i) != EMS_CHORD)
        i++;
    return i > from && i < b->piece->token_count &&
                   token_at(b, i - 1) == EMS_BAR ? i - 1 : i;
}

static int ticks_at(const breaker *b, size_t i)
{
    const int token = token_at(b, i);
    return ems_is_shift(token) ? ems_shift_ticks(token) : 0;
}

/* Any of the shifts that are near enough before the next chord and `gap`
 * ticks or more after `from`. */
static void plan_break(breaker *b, size_t from, int gap)
{
    const size_t chord = next_chord(b, from);
    uint64_t near = 0;
    int begin = 0, end = 0; /* of shift i: ticks after `from` */
    for (size_t i = from; i < chord; i++)
        begin += ticks_at(b, i);
    const int reach = begin - REACH_TICKS;
    b->shift = SIZE_MAX;
    b->resume = chord;
    if (chord == b->piece->token_count ||
        ems_rng_uniform(b->rng) >= BREAK_SHARE)
        return;
    for (size_t i = chord; i-- > from;) {
        end = begin;
        begin -= ticks_at(b, i);
        if (begin < gap || end < reach)
            return;
        if (begin < end && ems_rng_below(b->rng, ++near) == 0)
            b->shift = i;
    }
}

static void put(breaker *b, int token)
{
    b->out[b->count++] = (uint16_t)token;
}

/* Order of notes at one moment (tokens.h). */
static int rank(int token)
{
    const int family = ems_note_family(token);
    const int before = family == EMS_DRUMS ? 0 : family + 1;
    return before * EMS_PITCHES + ems_note_pitch(token);
}

static void end_later(breaker *b, int off)
{
    size_t i = b->ended_count++;
    for (; i > 0 && rank(b->ended[i - 1]) > rank(off); i--)
        b->ended[i] = b->ended[i - 1];
    b->ended[i] = (uint16_t)off;
}

static void leave_out(breaker *b, int token)
{
    if (!ems_is_note(token))
        return;
    if (ems_note_is_on(token))
        b->lost[token - EMS_PITCHES]++;
    else if (b->lost[token])
        b->lost[token]--;
    else if (b->ended_count < NOTES)
        end_later(b, token);
}

/* The OFFs that come before a token after the chord. */
static void put_ended(breaker *b, int token)
{
    size_t n = 0;
    if (token == EMS_BAR || token == EMS_CHORD ||
        (ems_is_note(token) && ems_note_is_on(token)))
        return;
    while (n < b->ended_count &&
           (!ems_is_note(token) || rank(b->ended[n]) < rank(token)))
        put(b, b->ended[n++]);
    b->ended_count -= n;
    memmove(b->ended, b->ended + n, b->ended_count * sizeof *b->ended);
}

static void take(breaker *b, int token)
{
    const int is_off = ems_is_note(token) && !ems_note_is_on(token);
    put_ended(b, token);
    if (is_off && b->lost[token])
        b->lost[token]--;
    else
        put(b, token);
}

/* From the shift to the chord. */
static void break_off(breaker *b)
{
    const int ticks = ems_shift_ticks(token_at(b, b->shift));
    put_ended(b, token_at(b, b->shift));
    put(b, EMS_SHIFT_BASE + 1 + (int)ems_rng_below(b->rng, (uint64_t)ticks));
    for (size_t i = b->shift + 1; i < b->resume; i++)
        leave_out(b, token_at(b, i));
    b->shift = SIZE_MAX;
}

size_t ems_copy_with_breaks(const ems_dataset_piece *p, size_t from,
                            ems_rng *rng, uint16_t *out, size_t *count,
                            size_t length)
{
    breaker b = {.piece = p, .rng = rng, .out = out, .count = *count};
    size_t i = from;
    plan_break(&b, from, 0);
    while (b.count + b.ended_count < length && i < p->token_count) {
        if (i == b.shift) {
            break_off(&b);
            i = b.resume;
            continue;
        }
        const int token = token_at(&b, i++);
        take(&b, token);
        if (token == EMS_CHORD)
            plan_break(&b, i, EMS_CHORD_GAP);
    }
    for (size_t k = 0; i == p->token_count && k < b.ended_count; k++)
        put(&b, b.ended[k]);
    *count = b.count;
    return i;
}

#include "music/train_sample.h"

#include "base/mem.h"
#include "music/train_breaks.h"
#include "music/vocab.h"

#include <math.h>
#include <string.h>

/* The released model's training configuration. */
#define START_SHARE 0.05
#define BAR_SHARE 0.5
#define BLIND_SHARE 0.2       /* offsets left out */
#define NO_CHORD_SHARE 0.5    /* of these: <CHORD> left out too */
#define UNKNOWN_SHARE 0.2     /* each of valence and arousal left out */
#define FAR 0.8f              /* valence that can be told from another */
enum { PAIR_DRAWS = 64 };
enum { MAX_TRANSPOSE = 3, MORE_FAMILIES = 3, REACH_TICKS = 1000 };

static void add_piece(const ems_dataset_piece *p, size_t index, size_t *list,
                      double *upto, size_t *count, size_t *tokens)
{
    list[*count] = index;
    upto[*count] = (*count ? upto[*count - 1] : 0) +
                   (double)p->weight * (double)p->token_count;
    *tokens += p->token_count;
    ++*count;
}

int ems_sampler_open(ems_sampler *s, const ems_dataset *data, size_t length,
                     ems_error *err)
{
    const size_t n = ems_dataset_count(data);
    *s = (ems_sampler){.data = data, .length = length};
    s->piece = ems_alloc(n, sizeof *s->piece);
    s->held = ems_alloc(n, sizeof *s->held);
    s->upto = ems_alloc(n, sizeof *s->upto);
    s->held_upto = ems_alloc(n, sizeof *s->held_upto);
    if (!s->piece || !s->held || !s->upto || !s->held_upto) {
        ems_sampler_close(s);
        return ems_out_of_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        const ems_dataset_piece p = ems_dataset_get(data, i);
        if (p.held_out)
            add_piece(&p, i, s->held, s->held_upto, &s->held_pieces,
                      &s->held_tokens);
        else
            add_piece(&p, i, s->piece, s->upto, &s->pieces, &s->tokens);
    }
    if (s->pieces)
        return EMS_OK;
    ems_sampler_close(s);
    return ems_fail(err, EMS_EINVAL, "the data set has no piece to train on;"
                    " lower its held-out share");
}

void ems_sampler_close(ems_sampler *s)
{
    ems_free(s->piece);
    ems_free(s->held);
    ems_free(s->upto);
    ems_free(s->held_upto);
    *s = (ems_sampler){0};
}

static size_t draw(const double *upto, size_t n, ems_rng *rng)
{
    const double x = ems_rng_uniform(rng) * upto[n - 1];
    size_t low = 0, high = n - 1;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (upto[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Where an excerpt begins; EMS_START is put before it when *start is set. */
static size_t cut(const ems_dataset_piece *p, size_t length, ems_rng *rng,
                  int *start)
{
    const size_t last = p->token_count > length ? p->token_count - length : 0;
    const double u = ems_rng_uniform(rng);
    const double v = ems_rng_uniform(rng);
    *start = u < START_SHARE;
    if (*start)
        return 0;
    size_t bars = 0;
    while (bars < p->bar_count && p->bars[bars] <= last)
        bars++;
    if (u < START_SHARE + BAR_SHARE && bars)
        return p->bars[(size_t)(v * (double)bars)];
    return (size_t)(v * (double)(last + 1));
}

typedef struct excerpt_plan {
    size_t at;          /* first token of the piece */
    int start, drop_chords, blind, transpose;
    ems_rng *breaks; /* NULL: none */
} excerpt_plan;

/* Fill targets with the excerpt's song tokens (PAD past the end) and
 * `ticks` - kept in seconds - with the cursor after each. Returns the index
 * of the piece's token after the last one used. */
static size_t copy_tokens(const ems_sampler *s, const ems_dataset_piece *p,
                          const excerpt_plan *x, ems_excerpt *e)
{
    size_t n = 0, i = x->at;
    if (x->start)
        e->targets[n++] = EMS_START;
    if (x->breaks)
        i = ems_copy_with_breaks(p, i, x->breaks, e->targets, &n, s->length);
    while (!x->breaks && n < s->length && i < p->token_count) {
        const uint16_t token = p->tokens[i++];
        if (token != EMS_CHORD || !x->drop_chords)
            e->targets[n++] = token;
    }
    memset(e->targets + n, 0, (s->length - n) * sizeof *e->targets);
    return i;
}

static int ticks_of(unsigned token)
{
    return ems_is_shift((int)token) ? ems_shift_ticks((int)token) : 0;
}

/* Ticks from the end of the excerpt to the next chord of the piece. */
static int ticks_ahead(const ems_dataset_piece *p, size_t i)
{
    int ticks = 0;
    for (; i < p->token_count && ticks < REACH_TICKS; i++) {
        if (p->tokens[i] == EMS_CHORD)
            return ticks;
        ticks += ticks_of(p->tokens[i]);
    }
    return REACH_TICKS;
}

/* seconds[i]: from the cursor after input token i to the next <CHORD>; that
 * of a <CHORD> looks to the one after it. Input i + 1 is target i. */
static void set_seconds(size_t length, int ahead, ems_excerpt *e)
{
    /* `ahead` counts from after the last target back to each input. */
    for (size_t i = length; i-- > 0;) {
        const unsigned token = e->targets[i];
        if (token == EMS_CHORD)
            ahead = 0;
        ahead += ticks_of(token);
        if (ahead > REACH_TICKS)
            ahead = REACH_TICKS;
        e->seconds[i] = (float)(ahead * EMS_TICK);
    }
}

static void clear_seconds(size_t length, ems_excerpt *e)
{
    for (size_t i = 0; i < length; i++)
        e->seconds[i] = (float)EMS_OFFSET_REACH;
}

static int is_pitched(unsigned token)
{
    return ems_is_note((int)token) &&
           ems_note_family((int)token) != EMS_DRUMS;
}

/* Shift the pitched notes, as far as all of them stay on the keyboard. */
static void transpose(size_t length, int by, ems_excerpt *e)
{
    int low = EMS_HIGH_PITCH, high = EMS_LOW_PITCH;
    for (size_t i = 0; i < length; i++) {
        if (!is_pitched(e->targets[i]))
            continue;
        const int pitch = ems_note_pitch(e->targets[i]);
        low = pitch < low ? pitch : low;
        high = pitch > high ? pitch : high;
    }
    if (by < EMS_LOW_PITCH - low)
        by = EMS_LOW_PITCH - low;
    if (by > EMS_HIGH_PITCH - high)
        by = EMS_HIGH_PITCH - high;
    for (size_t i = 0; i < length; i++)
        if (is_pitched(e->targets[i]))
            e->targets[i] = (uint16_t)(e->targets[i] + by);
}

static uint16_t instrument_token(size_t length, const ems_excerpt *e)
{
    unsigned heard = 0;
    for (size_t i = 0; i < length; i++)
        if (ems_is_note(e->targets[i]) && ems_note_is_on(e->targets[i]))
            heard |= 1u << ems_note_family(e->targets[i]);
    return __builtin_popcount(heard) >= MORE_FAMILIES ? EMS_MORE_INSTRUMENTS
                                                      : EMS_LESS_INSTRUMENTS;
}

static void excerpt(const ems_sampler *s, const ems_dataset_piece *p,
                    const excerpt_plan *x, ems_excerpt *e)
{
    const size_t next = copy_tokens(s, p, x, e);
    if (x->blind)
        clear_seconds(s->length, e);
    else
        set_seconds(s->length, ticks_ahead(p, next), e);
    if (x->transpose)
        transpose(s->length, x->transpose, e);
    e->tokens[0] = instrument_token(s->length, e);
    memcpy(e->tokens + 1, e->targets, (s->length - 1) * sizeof *e->tokens);
    ems_dataset_affect(p, x->at, next - x->at, &e->conditions[0],
                       &e->conditions[1]);
}

void ems_sample(const ems_sampler *s, ems_rng *rng, ems_excerpt *e)
{
    const ems_dataset_piece p = ems_dataset_get(
        s->data, s->piece[draw(s->upto, s->pieces, rng)]);
    excerpt_plan x = {0};
    x.at = cut(&p, s->length, rng, &x.start);
    x.transpose = (int)ems_rng_below(rng, 2 * MAX_TRANSPOSE + 1) -
                  MAX_TRANSPOSE;
    x.blind = ems_rng_uniform(rng) < BLIND_SHARE;
    x.drop_chords = ems_rng_uniform(rng) < NO_CHORD_SHARE && x.blind;
    if (!x.blind && s->breaks > 0 && ems_rng_uniform(rng) < s->breaks)
        x.breaks = rng;
    excerpt(s, &p, &x, e);
    for (int i = 0; i < 2; i++)
        if (ems_rng_uniform(rng) < UNKNOWN_SHARE)
            e->conditions[i] = NAN;
}

/* Both are drawn anew until they differ enough: who is whose partner must not
 * show in the values. */
void ems_sample_pair(const ems_sampler *s, ems_rng *rng, ems_excerpt *e,
                     ems_excerpt *other)
{
    const size_t n = s->length;
    float valence = NAN;
    int far = 0;
    for (int i = 0; i < PAIR_DRAWS && !far; i++) {
        ems_sample(s, rng, other);
        valence = other->conditions[0];
        ems_sample(s, rng, e);
        far = fabsf(valence - e->conditions[0]) >= FAR;
    }
    if (!far)
        memset(e->targets, 0, n * sizeof *e->targets);
    memcpy(other->tokens, e->tokens, n * sizeof *e->tokens);
    memcpy(other->targets, e->targets, n * sizeof *e->targets);
    memcpy(other->seconds, e->seconds, n * sizeof *e->seconds);
    other->conditions[0] = valence;
    other->conditions[1] = e->conditions[1];
}

void ems_sample_held(const ems_sampler *s, ems_rng *rng, int blind,
                     ems_excerpt *e)
{
    const ems_dataset_piece p = ems_dataset_get(
        s->data, s->held[draw(s->held_upto, s->held_pieces, rng)]);
    excerpt_plan x = {.blind = blind};
    x.at = cut(&p, s->length, rng, &x.start);
    excerpt(s, &p, &x, e);
}

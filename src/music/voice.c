#include "music/voice.h"

#include "base/mem.h"
#include "music/lineup.h"
#include "music/prompt.h"

#include <math.h>
#include <string.h>

enum { STUCK = 512 };  /* tokens in one moment; then time must pass */
/* How far V or A may move: beyond MOVED the model is told so, beyond CHANGED
 * it reads the window anew in that light. */
static const double MOVED = 0.05, CHANGED = 0.3;
static const double SPOKEN = 0.5; /* of the notes while somebody speaks, and */
static const unsigned LEADERS = 1u << EMS_DRUMS | 1u << EMS_GUITAR; /* but
                                   without these */
static const double CADENCE = 2.0; /* seconds, where no bars are planned */
static const double RUSH = 1.5; /* times the mood's notes a second at most */

/* ---- The model's input --------------------------------------------------- */

/* Mean of the curve over the film: the paper knows one emotion per video. */
static void mean_emotion(const ems_plan *p, double *valence, double *arousal)
{
    double v = 0, a = 0, from = 0, v0, a0;
    ems_curve_at(p->curve, p->knot_count, 0, &v0, &a0);
    for (size_t i = 0; i <= p->knot_count; i++) {
        double to = i < p->knot_count ? p->curve[i].time : p->duration;
        double v1, a1;
        to = to < from ? from : to > p->duration ? p->duration : to;
        ems_curve_at(p->curve, p->knot_count, to, &v1, &a1);
        v += (v0 + v1) / 2 * (to - from);
        a += (a0 + a1) / 2 * (to - from);
        from = to, v0 = v1, a0 = a1;
    }
    *valence = v / p->duration;
    *arousal = a / p->duration;
}

static ems_affect_point emotion_now(const ems_voice *v)
{
    const ems_plan *p = v->brief->plan;
    ems_affect_point now;
    if (v->brief->led)
        ems_curve_at(p->curve, p->knot_count,
                     ems_clock_film(&v->brief->clock, v->bounds.cursor),
                     &now.valence, &now.arousal);
    else
        mean_emotion(p, &now.valence, &now.arousal);
    return now;
}

static double distance(ems_affect_point a, ems_affect_point b)
{
    return fmax(fabs(a.valence - b.valence), fabs(a.arousal - b.arousal));
}

/* Read the window anew, without its oldest tokens if it is (nearly) full. */
static int refill(ems_voice *v, ems_error *err)
{
    const ems_brief *b = v->brief;
    if (v->count > b->window - b->hop) {
        const size_t keep = b->window - b->hop, drop = v->count - keep;
        memmove(v->tokens + 1, v->tokens + 1 + drop,
                keep * sizeof *v->tokens);
        memmove(v->seconds + 1, v->seconds + 1 + drop,
                keep * sizeof *v->seconds);
        v->count = keep;
    }
    v->seconds[0] = v->seconds[1];
    v->told = v->read = emotion_now(v);
    int code = ems_session_fill(v->session, (float)v->told.valence,
                                (float)v->told.arousal, v->tokens, v->seconds,
                                v->count + 1, err);
    if (code == EMS_OK && v->plain)
        code = ems_session_fill(v->plain, NAN, NAN, v->tokens,
                                v->far ? v->far : v->seconds, v->count + 1,
                                err);
    return code;
}

/* 1: the model waits for the last token; 0: it has been told of it. */
static int tell(ems_voice *v, int token, ems_error *err)
{
    if (v->count > v->brief->window)
        return refill(v, err);
    /* Only where music may turn. */
    if (!v->brief->led || (token != EMS_BAR && token != EMS_CHORD))
        return 1;
    const ems_affect_point now = emotion_now(v);
    if (distance(now, v->read) > CHANGED)
        return refill(v, err);
    if (distance(now, v->told) <= MOVED)
        return 1;
    v->told = now;
    const int code = ems_session_renew(v->session, (float)now.valence,
                                       (float)now.arousal, v->seconds[0],
                                       err);
    return code < 0 ? code : 1;
}

/* A section of the plan begins: random numbers, key and families are its own. */
static void enter_section(ems_voice *v, size_t section)
{
    const ems_brief *b = v->brief;
    const ems_section *s = &b->plan->sections[section];
    v->section = section;
    v->bar = 0;
    ems_sampler_start(&v->sampler, s->seed, v->stream,
                      b->options->temperature, b->top_p);
    ems_mood_key(&v->mood, s->tonic, s->minor);
}

/* Who may play in the bar at `time`, and how much. */
static void choose_players(ems_voice *v, double time)
{
    const ems_brief *b = v->brief;
    const ems_plan *p = b->plan;
    unsigned families = p->section_count ? p->sections[v->section].families
                                         : 0;
    families = families ? families : (1u << EMS_FAMILIES) - 1;
    if (b->part && families & ~b->part->silent)
        families &= ~b->part->silent;
    if (ems_plan_spoken(p, time, EMS_PLAN_NEAR)) {
        if (families & ~LEADERS)
            families &= ~LEADERS;
        v->guide.rush *= SPOKEN;
    }
    v->guide.families = families;
}

/* The bar at the cursor, counted from the one that its section begins with. */
static size_t bar_of_section(const ems_voice *v)
{
    if (!v->brief->metred)
        return v->bar;
    const ems_clock *c = &v->brief->clock;
    const ems_plan *p = v->brief->plan;
    const double from = p->section_count ? p->sections[v->section].from : 0;
    size_t bar = 0;
    /* Lines of a kept score are where MIDI ticks left them. */
    for (size_t i = 0; i < c->bars &&
                       c->score[i] + EMS_TICK <= v->bounds.cursor; i++)
        bar += c->film[i] + EMS_PLAN_NEAR >= from;
    return bar;
}

static ems_cadence cadence_at(const ems_voice *v)
{
    const ems_brief *b = v->brief;
    if (!b->ending)
        return EMS_CADENCE_NONE;
    const double end = b->marks[b->hit_count - 1], at = v->bounds.cursor;
    if (at >= end - EMS_PLAN_NEAR)
        return EMS_CADENCE_CLOSE;
    if (!b->metred)
        return at >= end - CADENCE ? EMS_CADENCE_PREPARE : EMS_CADENCE_NONE;
    size_t next = 0; /* bar line */
    while (next < b->clock.bars && b->clock.score[next] <= at)
        next++;
    return b->clock.score[next] >= end - EMS_PLAN_NEAR ? EMS_CADENCE_PREPARE
                                              : EMS_CADENCE_NONE;
}

static uint64_t section_seed(const ems_voice *v)
{
    const ems_plan *p = v->brief->plan;
    return p->section_count ? p->sections[v->section].seed : p->seed;
}

/* The bar's chord; what sounds on from another chord shall not clash. */
static void choose_chord(ems_voice *v, double valence)
{
    const unsigned before = v->mood.chord;
    /* The tonic's scale is the key's: alone, the model has all of it. */
    const ems_cadence cadence = v->mood.steer > 0 ? cadence_at(v)
                                                  : EMS_CADENCE_CLOSE;
    ems_mood_chord(&v->mood,
                   ems_harmony_at(section_seed(v), v->mood.minor, valence,
                                  bar_of_section(v), cadence));
    if (v->mood.steer > 0 && before != v->mood.chord)
        v->guide.leaving = ~v->mood.chord;
}

/* The emotion of the phrase that the bar at the cursor stands in: chords and
 * players keep to it, unless the film turns in its midst. */
static ems_affect_point phrase_emotion(ems_voice *v, ems_affect_point now,
                                       size_t bar)
{
    if (bar % EMS_PHRASE == 0 || distance(now, v->phrase) > CHANGED)
        v->phrase = now;
    return v->phrase;
}

/* What the next bar shall be like. */
static void feel(ems_voice *v)
{
    const ems_affect_point now = emotion_now(v);
    const ems_plan *p = v->brief->plan;
    const double time = ems_clock_film(&v->brief->clock, v->bounds.cursor);
    const size_t section = ems_plan_section_at(p, time + EMS_PLAN_NEAR);
    if (p->section_count && section != v->section)
        enter_section(v, section);
    const size_t bar = bar_of_section(v);
    const ems_affect_point phrase = phrase_emotion(v, now, bar);
    double share[EMS_FAMILIES];
    ems_mood_set(&v->mood, now.valence, now.arousal);
    choose_chord(v, phrase.valence);
    ems_theme_bar(&v->theme, bar, v->mood.tonic, v->mood.scale);
    v->guide.rush = EMS_GUIDE_RUSH;
    if (v->mood.steer > 0)
        v->guide.rush = RUSH * v->mood.target;
    v->guide.key = v->mood.steer > 0 || v->mood.fixed ? v->mood.scale : 0;
    if (v->guide.key)
        v->guide.scale = v->guide.key;
    choose_players(v, time);
    ems_lineup_at(section_seed(v), bar, phrase.arousal, v->guide.families,
                  share);
    ems_mood_lineup(&v->mood, share);
    v->bar++;
}

/* The theme hears what guitar, piano and strings play. */
static void listen(ems_voice *v, int token)
{
    int step;
    const int tick = ems_guide_tick(&v->guide, &step);
    if (step > 0 && ems_is_note(token) && ems_note_is_on(token) &&
        ems_is_melodic(ems_note_family(token)))
        ems_theme_strike(&v->theme, tick / step, ems_note_pitch(token));
}

/* Bookkeeping of docs/MODEL.md 2.5, then the decoder. */
static int take_token(ems_voice *v, int token, ems_error *err)
{
    float left = ems_boundaries_step(&v->bounds, token);
    if (v->brief->led) {
        if (token == EMS_BAR)
            feel(v);
        listen(v, token);
        v->bounds.cursor = ems_guide_step(&v->guide, token);
        left = ems_boundaries_left(&v->bounds);
    }
    v->waiting = ems_is_shift(token) ? 0 : v->waiting + 1;
    v->count++;
    v->tokens[v->count] = (uint16_t)token;
    v->seconds[v->count] = left;
    const double film = v->brief->led
                            ? ems_clock_film(&v->brief->clock,
                                             v->bounds.cursor)
                            : v->bounds.cursor;
    return ems_decoder_feed(&v->decoder, token, film, err);
}

/* A token that is there already: everything but a note of ours. */
static void remember(ems_voice *v, int token)
{
    const ems_brief *b = v->brief;
    ems_boundaries_step(&v->bounds, token);
    if (token == EMS_BAR)
        feel(v);
    listen(v, token);
    v->bounds.cursor = ems_guide_step(&v->guide, token);
    if (v->count == b->window - b->hop) {
        memmove(v->tokens + 1, v->tokens + 2,
                (v->count - 1) * sizeof *v->tokens);
        memmove(v->seconds + 1, v->seconds + 2,
                (v->count - 1) * sizeof *v->seconds);
        v->count--;
    }
    v->count++;
    v->tokens[v->count] = (uint16_t)token;
    v->seconds[v->count] = ems_boundaries_left(&v->bounds);
}

/* The notes before the part that shall be composed. */
static int recall(ems_voice *v, ems_error *err)
{
    const ems_brief *b = v->brief;
    ems_tokens t;
    int code = ems_prompt_tokens(&t, b->part->before, &b->clock,
                                 b->part->span.from, err);
    for (size_t i = 0; i < t.count && code == EMS_OK; i++)
        remember(v, t.tokens[i]);
    ems_tokens_clear(&t);
    if (code == EMS_OK)
        code = refill(v, err);
    return code;
}

/* <BAR>, or the true beginning of a song, or notes. */
static int prime(ems_voice *v, ems_error *err)
{
    if (v->brief->part && v->brief->part->span.from > 0)
        return recall(v, err);
    int code = EMS_OK;
    if (v->brief->options->from_start)
        code = take_token(v, EMS_START, err);
    if (code == EMS_OK)
        code = take_token(v, EMS_BAR, err);
    return code == EMS_OK ? refill(v, err) : code;
}

/* ---- The next token -------------------------------------------------- */

/* Classifier-free guidance (Ho and Salimans 2022, equation 6): away from what
 * the model would say to any emotion, towards what it says to this one; and,
 * when nothing but telling brings chords to boundaries, away from what it would
 * say if none were near. */
static void guide_freely(ems_voice *v)
{
    const float *told = ems_session_logits(v->session);
    const float *plain = v->plain ? ems_session_logits(v->plain) : told;
    const float scale = (float)v->brief->options->guidance;
    for (int i = 0; i < EMS_VOCAB; i++)
        v->logits[i] = plain[i] + scale * (told[i] - plain[i]);
}

/* The same, then the mood's priors. */
static void lead(ems_voice *v)
{
    guide_freely(v);
    const ems_heard heard = {.recent = v->guide.recent,
                             .afloat = v->guide.cursor - v->guide.grounded,
                             .struck = v->guide.struck};
    if (v->mood.steer > 0) {
        int step;
        const int tick = ems_guide_tick(&v->guide, &step);
        ems_mood_apply(&v->mood, &heard, v->logits);
        ems_theme_apply(&v->theme, tick, step, v->mood.steer, v->logits);
    }
}

/* `banned` as in ems_likelihood_add. */
static void weigh(ems_voice *v, int token, const uint8_t *banned)
{
    if (!v->brief->options->likelihood || token < 0)
        return;
    const ems_guide_phase phase = v->guide.phase;
    const int at_hit = v->brief->led && (phase == EMS_GUIDE_ONS ||
                                           phase == EMS_GUIDE_AFTER);
    const int on = ems_is_note(token) && ems_note_is_on(token);
    if (ems_is_shift(token) || token == EMS_CHORD)
        v->called = token == EMS_CHORD;
    ems_likelihood_add(&v->likelihood, ems_session_logits(v->session), token,
                       banned, on && v->called ? at_hit : -1);
}

static int free_choice(ems_voice *v)
{
    uint8_t banned[EMS_VOCAB] = {0};
    guide_freely(v);
    for (int token = 0; v->waiting >= STUCK && token < EMS_VOCAB; token++)
        banned[token] = !ems_is_shift(token);
    const int token = ems_sampler_pick(&v->sampler, v->logits, banned);
    weigh(v, token, banned);
    return token;
}

/* -1: the ending is reached. */
static int guided_choice(ems_voice *v)
{
    uint8_t banned[EMS_VOCAB];
    lead(v);
    for (;;) {
        const int due = ems_guide_due(&v->guide);
        if (due >= 0) {
            weigh(v, due, NULL);
            return due;
        }
        if (v->guide.phase == EMS_GUIDE_DONE)
            return -1;
        ems_guide_ban(&v->guide, v->logits, banned);
        const int token = ems_sampler_pick(&v->sampler, v->logits, banned);
        if (ems_guide_accept(&v->guide, token)) {
            weigh(v, token, banned);
            return token;
        }
    }
}

int ems_voice_step(ems_voice *v, int *token, float *seconds, ems_error *err)
{
    *token = v->brief->led ? guided_choice(v) : free_choice(v);
    v->done = *token < 0;
    if (v->done)
        return 0;
    const int code = take_token(v, *token, err);
    if (code < 0)
        return code;
    v->done = v->bounds.cursor >= v->brief->end;
    if (v->done)
        return 0;
    *seconds = v->seconds[v->count];
    return tell(v, *token, err);
}

/* ---- Life ------------------------------------------------------------ */

static int make_room(ems_voice *v, ems_error *err)
{
    const ems_brief *b = v->brief;
    v->session = ems_session_new(b->net, b->pool, err);
    v->piece = v->session ? ems_piece_new(b->plan->duration, err) : NULL;
    const int twice = b->options->guidance != 1;
    if (v->piece && twice)
        v->plain = ems_session_new(b->net, b->pool, err);
    if (!v->piece || (twice && !v->plain))
        return EMS_ENOMEM;
    v->served = ems_alloc(b->hit_count, 1);
    v->tokens = ems_alloc(b->window + 2, sizeof *v->tokens);
    v->seconds = ems_alloc(b->window + 2, sizeof *v->seconds);
    if (twice && !b->led)
        v->far = ems_alloc(b->window + 2, sizeof *v->far);
    if (!v->served || !v->tokens || !v->seconds ||
        (twice && !b->led && !v->far))
        return ems_out_of_memory(err);
    for (size_t i = 0; v->far && i < b->window + 2; i++)
        v->far[i] = EMS_OFFSET_REACH;
    return EMS_OK;
}

int ems_voice_start(ems_voice *v, const ems_brief *b, uint64_t stream,
                    ems_error *err)
{
    if (b->part)
        stream += b->part->stream;
    *v = (ems_voice){.brief = b, .section = SIZE_MAX, .stream = stream};
    const int code = make_room(v, err);
    if (code < 0)
        return code;
    v->tokens[0] = b->options->fewer_instruments ? EMS_LESS_INSTRUMENTS
                                                 : EMS_MORE_INSTRUMENTS;
    ems_sampler_start(&v->sampler, b->plan->seed, stream,
                      b->options->temperature, b->top_p);
    ems_boundaries_start(&v->bounds, b->marks, v->served, b->hit_count);
    ems_mood_start(&v->mood, b->plan->seed, b->options->steer);
    ems_theme_start(&v->theme);
    ems_guide_start(&v->guide, b->marks, b->led ? b->hit_count : 0,
                    b->ending);
    if (b->metred)
        ems_guide_bars(&v->guide, b->clock.score, b->clock.step,
                       b->clock.bars);
    ems_decoder_start(&v->decoder, v->piece, !b->led);
    return prime(v, err);
}

void ems_voice_clear(ems_voice *v)
{
    ems_session_free(v->session);
    ems_session_free(v->plain);
    ems_piece_free(v->piece);
    ems_free(v->served);
    ems_free(v->tokens);
    ems_free(v->seconds);
    ems_free(v->far);
    *v = (ems_voice){0};
}

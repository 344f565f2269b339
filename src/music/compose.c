#include "base/mem.h"
#include "base/run.h"
#include "music/bars.h"
#include "music/guide.h"
#include "music/infer.h"
#include "music/key.h"
#include "music/metre.h"
#include "music/model_io.h"
#include "music/piece_midi.h"
#include "music/plan.h"
#include "music/sampler.h"
#include "music/tokens.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    STUCK = 512,        /* tokens in one moment; then time must pass */
    LEAST_CONTEXT = 16,
};
static const double SHORTEST_WITH_ENDING = 6; /* seconds */
static const double ENDING = 2.5;  /* how long the last chord stands */
static const double LATE_HIT = 3.5; /* a hit this late is the ending */
static const double MOVED = 0.05;  /* of V or A: the condition is renewed */

typedef struct composer {
    const ems_plan *plan;
    const ems_compose_options *options;
    const ems_run *run;
    ems_error *err;
    int exact;
    ems_pool *pool;
    ems_net *net;
    ems_session *session;
    ems_piece *piece;
    ems_token_decoder decoder;
    ems_sampler sampler;
    ems_guide guide;
    ems_metre metre;     /* exact mode only */
    ems_boundaries bounds;
    double *hits;        /* the plan's, and the ending */
    size_t hit_count;
    int ending;
    uint8_t *served;
    uint16_t *tokens;    /* instrument count, then the song's last ones */
    float *seconds;      /* beside each; [0] repeats [1] */
    size_t count;        /* song tokens kept */
    size_t window, hop;  /* song tokens that fit; dropped when full */
    double valence, arousal; /* as last told to the model */
    int waiting;         /* tokens since time last passed */
} composer;

ems_compose_options ems_compose_defaults(void)
{
    return (ems_compose_options){.temperature = 1.35, .top_p = 0.6};
}

/* ---- The model ----------------------------------------------------------- */

static int check_model(const composer *c, const char *path)
{
    const ems_model_shape *s = ems_net_shape(c->net);
    if (s->vocab_size != EMS_VOCAB)
        return ems_fail(c->err, EMS_EFORMAT, "%s knows %d tokens; music needs"
                        " the %d of EMSYNC", path, s->vocab_size, EMS_VOCAB);
    if (s->context_len < LEAST_CONTEXT)
        return ems_fail(c->err, EMS_EFORMAT, "%s sees %d tokens at a time;"
                        " composing needs %d", path, s->context_len,
                        LEAST_CONTEXT);
    return EMS_OK;
}

static int open_model(composer *c)
{
    char *found = c->options->model ? NULL : ems_model_find(c->err);
    const char *path = c->options->model ? c->options->model : found;
    int code = path ? EMS_OK : EMS_EIO;
    if (path) {
        c->net = ems_net_open(path, EMS_F32, c->err);
        code = c->net ? check_model(c, path) : c->err->code;
    }
    ems_free(found);
    return code;
}

/* ---- Setting out --------------------------------------------------------- */

static int check_options(const composer *c)
{
    const ems_compose_options *o = c->options;
    if (!(o->temperature > 0 && o->temperature <= 100))
        return ems_fail(c->err, EMS_EINVAL, "temperature %g must lie above 0"
                        " and at most at 100", o->temperature);
    if (!(o->top_p > 0 && o->top_p <= 1))
        return ems_fail(c->err, EMS_EINVAL, "top-p %g must lie above 0 and at"
                        " most at 1", o->top_p);
    if (o->hop < 0)
        return ems_fail(c->err, EMS_EINVAL, "hop %d is negative", o->hop);
    return EMS_OK;
}

/* What the music shall be told of and led to: the plan's hits and, in exact
 * mode, the ending. */
static int set_hits(composer *c)
{
    const ems_plan *p = c->plan;
    const size_t n = p->hit_count;
    c->hits = ems_alloc(n + 1, sizeof *c->hits);
    c->served = ems_alloc(n + 1, 1);
    if (!c->hits || !c->served)
        return ems_out_of_memory(c->err);
    if (n)
        memcpy(c->hits, p->hits, n * sizeof *c->hits);
    c->hit_count = n;
    c->ending = c->exact && p->duration > SHORTEST_WITH_ENDING;
    if (c->ending && (n == 0 || p->hits[n - 1] <= p->duration - LATE_HIT))
        c->hits[c->hit_count++] = p->duration - ENDING;
    return EMS_OK;
}

static int set_window(composer *c)
{
    c->window = (size_t)ems_net_shape(c->net)->context_len - 3;
    c->hop = c->options->hop ? (size_t)c->options->hop : c->window / 3;
    if (c->hop >= c->window)
        return ems_fail(c->err, EMS_EINVAL, "hop %zu leaves nothing of the"
                        " model's window of %zu tokens", c->hop, c->window);
    c->tokens = ems_alloc(c->window + 2, sizeof *c->tokens);
    c->seconds = ems_alloc(c->window + 2, sizeof *c->seconds);
    if (!c->tokens || !c->seconds)
        return ems_out_of_memory(c->err);
    c->tokens[0] = c->options->fewer_instruments ? EMS_LESS_INSTRUMENTS
                                                 : EMS_MORE_INSTRUMENTS;
    return EMS_OK;
}

static int set_out(composer *c)
{
    int code = check_options(c);
    if (code == EMS_OK)
        code = open_model(c);
    if (code == EMS_OK)
        code = set_hits(c);
    if (code == EMS_OK)
        code = set_window(c);
    if (code == EMS_OK && c->exact)
        code = ems_metre_plan(&c->metre, c->plan, c->hits, c->hit_count,
                              c->err);
    if (code < 0)
        return code;
    c->pool = ems_pool_new(ems_run_threads(c->run), c->err);
    c->session = c->pool ? ems_session_new(c->net, c->pool, c->err) : NULL;
    c->piece = c->session ? ems_piece_new(c->plan->duration, c->err) : NULL;
    if (!c->piece)
        return c->err->code;
    ems_sampler_start(&c->sampler, c->plan->seed, c->options->temperature,
                      c->options->top_p);
    ems_boundaries_start(&c->bounds, c->hits, c->served, c->hit_count);
    ems_guide_start(&c->guide, c->hits, c->exact ? c->hit_count : 0,
                    c->ending);
    if (c->exact)
        ems_guide_bars(&c->guide, c->metre.line, c->metre.count);
    ems_decoder_start(&c->decoder, c->piece, !c->exact);
    return EMS_OK;
}

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

static void emotion_now(const composer *c, double *valence, double *arousal)
{
    if (c->exact)
        ems_curve_at(c->plan->curve, c->plan->knot_count, c->bounds.cursor,
                     valence, arousal);
    else
        mean_emotion(c->plan, valence, arousal);
}

/* Worth telling the model? Only where music may turn: at bars and hits. */
static int emotion_moved(const composer *c, int token)
{
    double v, a;
    if (!c->exact || (token != EMS_BAR && token != EMS_CHORD))
        return 0;
    emotion_now(c, &v, &a);
    return fabs(v - c->valence) > MOVED || fabs(a - c->arousal) > MOVED;
}

/* Read the window anew, without its oldest tokens if it is (nearly) full. */
static int refill(composer *c)
{
    if (c->count > c->window - c->hop) {
        const size_t keep = c->window - c->hop, drop = c->count - keep;
        memmove(c->tokens + 1, c->tokens + 1 + drop,
                keep * sizeof *c->tokens);
        memmove(c->seconds + 1, c->seconds + 1 + drop,
                keep * sizeof *c->seconds);
        c->count = keep;
    }
    c->seconds[0] = c->seconds[1];
    emotion_now(c, &c->valence, &c->arousal);
    return ems_session_fill(c->session, (float)c->valence,
                            (float)c->arousal, c->tokens, c->seconds,
                            c->count + 1, c->err);
}

/* Bookkeeping of docs/MODEL.md 2.5, then the decoder. */
static int take_token(composer *c, int token)
{
    float left = ems_boundaries_step(&c->bounds, token);
    if (c->exact) {
        c->bounds.cursor = ems_guide_step(&c->guide, token);
        left = ems_boundaries_left(&c->bounds);
    }
    c->waiting = ems_is_shift(token) ? 0 : c->waiting + 1;
    c->count++;
    c->tokens[c->count] = (uint16_t)token;
    c->seconds[c->count] = left;
    return ems_decoder_feed(&c->decoder, token, c->bounds.cursor, c->err);
}

/* <BAR>, or the true beginning of a song. */
static int prime(composer *c)
{
    int code = EMS_OK;
    if (c->options->from_start)
        code = take_token(c, EMS_START);
    if (code == EMS_OK)
        code = take_token(c, EMS_BAR);
    return code == EMS_OK ? refill(c) : code;
}

/* ---- The loop ------------------------------------------------------------ */

static int free_choice(composer *c)
{
    uint8_t banned[EMS_VOCAB] = {0};
    for (int token = 0; c->waiting >= STUCK && token < EMS_VOCAB; token++)
        banned[token] = !ems_is_shift(token);
    return ems_sampler_pick(&c->sampler, ems_session_logits(c->session),
                            banned);
}

/* -1: the ending is reached. */
static int guided_choice(composer *c)
{
    const float *logits = ems_session_logits(c->session);
    uint8_t banned[EMS_VOCAB];
    for (;;) {
        const int due = ems_guide_due(&c->guide);
        if (due >= 0)
            return due;
        if (c->guide.phase == EMS_GUIDE_DONE)
            return -1;
        ems_guide_ban(&c->guide, logits, banned);
        const int token = ems_sampler_pick(&c->sampler, logits, banned);
        if (ems_guide_accept(&c->guide, token))
            return token;
    }
}

static int write_music(composer *c)
{
    int code = prime(c);
    while (code == EMS_OK && c->bounds.cursor < c->plan->duration) {
        if (ems_cancelled(c->run))
            return ems_fail_cancelled(c->err);
        const int token = c->exact ? guided_choice(c) : free_choice(c);
        if (token < 0)
            break;
        code = take_token(c, token);
        if (code < 0)
            break;
        if (c->count > c->window || emotion_moved(c, token))
            code = refill(c);
        else
            code = ems_session_append(c->session, token,
                                      c->seconds[c->count], c->err);
        ems_progress(c->run, "compose",
                     fmin(1, c->bounds.cursor / c->plan->duration));
    }
    return code;
}

/* ---- What the piece carries beside its notes ----------------------------- */

static int add_markers(composer *c)
{
    static const char *const name[] = {"cut", "dissolve", "fade in",
                                       "fade out"};
    const ems_plan *p = c->plan;
    size_t hit = 0; /* the first at or after the cut */
    int code = EMS_OK;
    for (size_t i = 0; i < p->cut_count && code == EMS_OK; i++) {
        ems_marker m = {p->cuts[i].time, EMS_MARK_CUT, ""};
        snprintf(m.text, sizeof m.text, "%s", name[p->cuts[i].kind]);
        while (hit < p->hit_count && p->hits[hit] < m.time)
            hit++;
        if (hit == p->hit_count || p->hits[hit] > m.time)
            code = ems_piece_add_marker(c->piece, m, c->err);
    }
    for (size_t i = 0; i < c->hit_count && code == EMS_OK; i++) {
        ems_marker m = {c->hits[i], EMS_MARK_HIT, ""};
        if (i < p->hit_count) {
            snprintf(m.text, sizeof m.text, "hit %zu", i + 1);
        } else {
            m.kind = EMS_MARK_SECTION;
            snprintf(m.text, sizeof m.text, "ending");
        }
        code = ems_piece_add_marker(c->piece, m, c->err);
    }
    return code;
}

/* Through the bytes of its file and back: what is rendered and reported is
 * what a DAW will open, ticks and all. */
static int settle(composer *c)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int code = ems_piece_to_midi(c->piece, &data, &size, c->err);
    if (code < 0)
        return code;
    ems_midi m = {0};
    code = ems_midi_parse(&m, data, size, "the composed score", c->err);
    ems_piece *piece =
        code < 0 ? NULL
                 : ems_piece_from_midi(&m, "the composed score", c->err);
    ems_midi_clear(&m);
    ems_free(data);
    if (!piece)
        return c->err->code;
    ems_piece_free(c->piece);
    c->piece = piece;
    return EMS_OK;
}

static int finish(composer *c)
{
    char hash[17];
    ems_bar_fit fit;
    int code = add_markers(c);
    if (code == EMS_OK)
        code = ems_decoder_finish(&c->decoder, c->err);
    if (code == EMS_OK)
        code = c->exact ? ems_metre_apply(&c->metre, c->piece, c->err)
                        : ems_bars_fit(c->piece, &fit, c->err);
    if (code < 0)
        return code;
    ems_piece_find_key(c->piece);
    ems_plan_hash(c->plan, hash);
    snprintf(c->piece->text, sizeof c->piece->text,
             "emsync %s, seed %llu, plan %s", EMS_VERSION,
             (unsigned long long)c->plan->seed, hash);
    ems_progress(c->run, "compose", 1);
    return settle(c);
}

ems_piece *ems_compose(const ems_plan *plan,
                       const ems_compose_options *options,
                       const ems_run *run, ems_error *err)
{
    ems_error own;
    composer *c = ems_alloc(1, sizeof *c);
    if (!c) {
        ems_out_of_memory(err);
        return NULL;
    }
    c->plan = plan;
    c->options = options;
    c->run = run;
    c->err = err ? err : &own;
    c->exact = plan->sync == EMS_SYNC_EXACT;
    int code = set_out(c);
    if (code == EMS_OK)
        code = write_music(c);
    if (code == EMS_OK)
        code = finish(c);
    ems_piece *piece = c->piece;
    if (code < 0) {
        ems_piece_free(piece);
        piece = NULL;
    }
    ems_metre_clear(&c->metre);
    ems_session_free(c->session);
    ems_net_free(c->net);
    ems_pool_free(c->pool);
    ems_free(c->hits);
    ems_free(c->served);
    ems_free(c->tokens);
    ems_free(c->seconds);
    ems_free(c);
    return piece;
}

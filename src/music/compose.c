#include "base/mem.h"
#include "base/run.h"
#include "music/accent.h"
#include "music/bars.h"
#include "music/dynamics.h"
#include "music/judge.h"
#include "music/keep.h"
#include "music/markers.h"
#include "music/model_io.h"
#include "music/piece_midi.h"
#include "music/voice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    LEAST_CONTEXT = 16,
    MOST_VOICES = 64,
    MOST_GUIDANCE = 20,
};
/* Unless asked for: the nucleus; the paper's in its own way of composing. */
static const double WIDE = 0.75, NARROW = 0.6;

typedef struct composer {
    ems_brief brief;
    const ems_run *run;
    ems_error *err;
    ems_voice *voice;
    size_t voices;
    ems_critic *critic;  /* NULL: there is nothing to choose from */
    ems_piece *piece;    /* the one that is kept */
    const ems_keep *keep; /* compose a part of this; NULL: the whole */
    size_t part;         /* which */
} composer;

ems_compose_options ems_compose_defaults(void)
{
    return (ems_compose_options){.temperature = 1.35, .top_p = (double)NAN,
                                 .guidance = 3, .steer = 1,
                                 .precision = EMS_INT8, .candidates = 3};
}

/* ---- The model ----------------------------------------------------------- */

static int check_model(const composer *c, const char *path)
{
    const ems_model_shape *s = ems_net_shape(c->brief.net);
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
    const char *wanted = c->brief.options->model;
    char *found = wanted ? NULL : ems_model_find(c->err);
    const char *path = wanted ? wanted : found;
    int code = path ? EMS_OK : EMS_EIO;
    if (path) {
        c->brief.net = ems_net_open(path, c->brief.options->precision,
                                    c->err);
        code = c->brief.net ? check_model(c, path) : c->err->code;
    }
    ems_free(found);
    return code;
}

/* ---- Setting out --------------------------------------------------------- */

static int check_options(const composer *c)
{
    const ems_compose_options *o = c->brief.options;
    if (o->precision < EMS_F32 || o->precision > EMS_INT8)
        return ems_fail(c->err, EMS_EINVAL, "there is no precision %d",
                        (int)o->precision);
    if (o->velocity < EMS_VELOCITY_SHAPED || o->velocity > EMS_VELOCITY_PAPER)
        return ems_fail(c->err, EMS_EINVAL, "there is no velocity %d",
                        (int)o->velocity);
    if (o->candidates < 1 || o->candidates > MOST_VOICES)
        return ems_fail(c->err, EMS_EINVAL, "%d candidates; from 1 to %d can"
                        " be composed", o->candidates, MOST_VOICES);
    if (!(o->temperature > 0 && o->temperature <= 100))
        return ems_fail(c->err, EMS_EINVAL, "temperature %g must lie above 0"
                        " and at most at 100", o->temperature);
    if (o->top_p <= 0 || o->top_p > 1)
        return ems_fail(c->err, EMS_EINVAL, "top-p %g must lie above 0 and at"
                        " most at 1", o->top_p);
    if (!(o->guidance >= 0 && o->guidance <= MOST_GUIDANCE))
        return ems_fail(c->err, EMS_EINVAL, "guidance %g must lie between 0"
                        " and %d", o->guidance, MOST_GUIDANCE);
    if (!(o->steer >= 0 && o->steer <= 1))
        return ems_fail(c->err, EMS_EINVAL, "steer %g must lie between 0 and"
                        " 1", o->steer);
    if (o->hop < 0)
        return ems_fail(c->err, EMS_EINVAL, "hop %d is negative", o->hop);
    return EMS_OK;
}

/* What the music shall be told of and led to: the plan's hits and, in exact
 * mode, the ending. */
static int set_hits(ems_brief *b, ems_error *err)
{
    const ems_plan *p = b->plan;
    const size_t n = p->hit_count;
    b->hits = ems_alloc(n + 1, sizeof *b->hits);
    if (!b->hits)
        return ems_out_of_memory(err);
    if (n)
        memcpy(b->hits, p->hits, n * sizeof *b->hits);
    b->hit_count = n;
    ems_ending ending = p->ending;
    double time = p->ending_time;
    if (ending == EMS_ENDING_AUTO)
        ending = ems_plan_ending(p, &time);
    b->ending = b->led && ending == EMS_ENDING_CHORD;
    if (b->ending && (n == 0 || time > p->hits[n - 1]))
        b->hits[b->hit_count++] = time;
    return EMS_OK;
}

/* Where the bars are planned the model lives in score time. */
static int set_time(ems_brief *b, ems_error *err)
{
    b->marks = ems_alloc(b->hit_count + 1, sizeof *b->marks);
    if (!b->marks)
        return ems_out_of_memory(err);
    memcpy(b->marks, b->hits, b->hit_count * sizeof *b->marks);
    b->end = b->plan->duration;
    if (!b->led)
        return EMS_OK;
    int code = EMS_OK;
    if (!b->part && b->metred)
        code = ems_metre_plan(&b->metre, b->plan, b->hits, b->hit_count, err);
    if (code == EMS_OK && b->metred)
        code = ems_clock_plan(&b->clock, b->part ? b->part->metre : &b->metre,
                              b->plan->duration, err);
    for (size_t i = 0; i < b->hit_count && code == EMS_OK; i++)
        b->marks[i] = ems_clock_score(&b->clock, b->hits[i]);
    if (code == EMS_OK)
        b->end = ems_clock_score(&b->clock, b->part ? b->part->span.to
                                                    : b->end);
    return code;
}

static int set_window(ems_brief *b, ems_error *err)
{
    b->window = (size_t)ems_net_shape(b->net)->context_len - 3;
    b->hop = b->options->hop ? (size_t)b->options->hop : b->window / 3;
    if (b->hop >= b->window)
        return ems_fail(err, EMS_EINVAL, "hop %zu leaves nothing of the"
                        " model's window of %zu tokens", b->hop, b->window);
    return EMS_OK;
}

static int set_voices(composer *c)
{
    c->voices = c->brief.led ? (size_t)c->brief.options->candidates : 1;
    c->brief.pool = ems_pool_new(ems_run_threads(c->run), c->err);
    c->voice = c->brief.pool ? ems_alloc(c->voices, sizeof *c->voice) : NULL;
    if (!c->voice)
        return ems_out_of_memory(c->err);
    int code = EMS_OK;
    if (c->voices > 1) {
        c->critic = ems_critic_open(NULL, c->err);
        code = c->critic ? EMS_OK : (int)c->err->code;
    }
    for (size_t i = 0; i < c->voices && code == EMS_OK; i++)
        code = ems_voice_start(&c->voice[i], &c->brief, i, c->err);
    return code;
}

static int set_out(composer *c)
{
    ems_brief *b = &c->brief;
    int code = check_options(c);
    b->top_p = !isnan(b->options->top_p) ? b->options->top_p
               : b->led                  ? WIDE
                                         : NARROW;
    if (code == EMS_OK)
        code = open_model(c);
    if (code == EMS_OK)
        code = set_hits(b, c->err);
    if (code == EMS_OK)
        code = set_window(b, c->err);
    if (code == EMS_OK)
        code = set_time(b, c->err);
    return code == EMS_OK ? set_voices(c) : code;
}

/* ---- The loop ------------------------------------------------------------ */

/* One token for every voice that is not done: *active counts these. The model
 * is told of all the tokens that it has to know at once. *done: the share of
 * the film that the slowest has reached. */
static int step_all(composer *c, size_t *active, double *done)
{
    ems_session *session[2 * MOST_VOICES];
    int token[2 * MOST_VOICES];
    float seconds[2 * MOST_VOICES];
    size_t n = 0;
    *active = 0;
    *done = 1;
    for (size_t i = 0; i < c->voices; i++) {
        ems_voice *v = &c->voice[i];
        if (v->done)
            continue;
        const int code = ems_voice_step(v, &token[n], &seconds[n], c->err);
        if (code < 0)
            return code;
        if (code > 0)
            session[n++] = v->session;
        if (code > 0 && v->plain) {
            token[n] = token[n - 1];
            seconds[n] = v->far ? *v->far : seconds[n - 1];
            session[n++] = v->plain;
        }
        *active += !v->done;
        *done = fmin(*done, v->bounds.cursor / c->brief.end);
    }
    return n ? ems_sessions_append(session, token, seconds, n, c->err)
             : EMS_OK;
}

static int write_music(composer *c)
{
    size_t active = 1;
    double done = 0;
    while (active) {
        if (ems_cancelled(c->run))
            return ems_fail_cancelled(c->err);
        const int code = step_all(c, &active, &done);
        if (code < 0)
            return code;
        ems_progress(c->run, "compose", done);
    }
    return EMS_OK;
}

/* ---- What the piece carries beside its notes ----------------------------- */

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
    piece->likelihood = c->piece->likelihood;
    ems_piece_free(c->piece);
    c->piece = piece;
    return EMS_OK;
}

/* The model's own bar lines, those at hits where they are. */
static int fit_bars(const composer *c, ems_piece *piece)
{
    ems_bar_fit fit;
    int code = EMS_OK;
    const size_t hits = c->brief.led ? c->brief.hit_count : 0;
    for (size_t i = 0; i < hits && code == EMS_OK; i++)
        code = ems_piece_add_marker(
            piece, (ems_marker){.time = c->brief.hits[i],
                                .kind = EMS_MARK_HIT}, c->err);
    if (code == EMS_OK)
        code = ems_bars_fit(piece, &fit, c->err);
    piece->marker_count = 0;
    return code;
}

/* A voice's notes become a piece with bars. A part is heard and judged amid the
 * score that it goes into. */
static int finish_voice(const composer *c, ems_voice *v)
{
    const ems_brief *b = &c->brief;
    int code = ems_decoder_finish(&v->decoder, c->err);
    if (code == EMS_OK && c->keep)
        code = ems_keep_surround(c->keep, c->part, v->piece, c->err);
    if (code == EMS_OK && b->led)
        code = ems_accent_hits(v->piece, b->plan, b->hits, b->hit_count,
                               c->err);
    if (code < 0)
        return code;
    v->piece->likelihood = v->likelihood;
    return b->metred ? ems_metre_apply(b->part ? b->part->metre : &b->metre,
                                       v->piece, c->err)
                     : fit_bars(c, v->piece);
}

/* The piece that judges like best, the first of equals. */
static int choose(composer *c)
{
    size_t best = 0;
    double least = INFINITY;
    for (size_t i = 0; i < c->voices && c->critic; i++) {
        ems_merit merit;
        const int code = ems_judge(&merit, c->voice[i].piece, c->brief.plan,
                                   c->critic, c->err);
        if (code < 0)
            return code;
        ems_log(c->run, EMS_LOG_INFO, "candidate %zu: emotion %.3f off, hits"
                " missed %.2f, taste %.3f off", i + 1, merit.emotion,
                merit.hits, merit.taste);
        if (merit.cost < least) {
            least = merit.cost;
            best = i;
        }
    }
    c->piece = c->voice[best].piece;
    c->voice[best].piece = NULL;
    return EMS_OK;
}

static int set_velocities(composer *c)
{
    const ems_brief *b = &c->brief;
    if (b->options->velocity == EMS_VELOCITY_SHAPED)
        return ems_dynamics_shape(c->piece, b->plan, b->hits, b->hit_count,
                                  c->err);
    ems_dynamics_paper(c->piece);
    return EMS_OK;
}

/* The best of the candidates, with velocities. */
static int finish_notes(composer *c)
{
    int code = EMS_OK;
    for (size_t i = 0; i < c->voices && code == EMS_OK; i++)
        code = finish_voice(c, &c->voice[i]);
    if (code == EMS_OK)
        code = choose(c);
    if (code < 0)
        return code;
    ems_piece_sort(c->piece);
    return set_velocities(c);
}

/* What a score says beside its notes; then through its file. */
static int finish_score(composer *c)
{
    const ems_brief *b = &c->brief;
    char hash[17];
    int code = ems_markers_add(c->piece, b->plan, b->hits, b->hit_count,
                               c->err);
    if (code < 0)
        return code;
    ems_piece_sort(c->piece);
    ems_plan_hash(b->plan, hash);
    snprintf(c->piece->text, sizeof c->piece->text,
             "emsync %s, seed %llu, plan %s", EMS_VERSION,
             (unsigned long long)b->plan->seed, hash);
    ems_progress(c->run, "compose", 1);
    return settle(c);
}

static void clear(composer *c)
{
    for (size_t i = 0; i < c->voices && c->voice; i++)
        ems_voice_clear(&c->voice[i]);
    ems_free(c->voice);
    ems_critic_free(c->critic);
    ems_clock_clear(&c->brief.clock);
    ems_metre_clear(&c->brief.metre);
    ems_net_free(c->brief.net);
    ems_pool_free(c->brief.pool);
    ems_free(c->brief.hits);
    ems_free(c->brief.marks);
}

static int compose_all(composer *c)
{
    int code = set_out(c);
    if (code == EMS_OK)
        code = write_music(c);
    if (code == EMS_OK)
        code = finish_notes(c);
    return code == EMS_OK ? finish_score(c) : code;
}

/* ---- Change one thing, keep the rest ------------------------------------- */

/* Part i of what shall be changed, into the old score. */
static int compose_part(const composer *whole, ems_keep *k, size_t i)
{
    const ems_brief_part part = {
        .span = k->parts[i].span, .metre = &k->metre, .before = k->old,
        .silent = k->parts[i].locked, .stream = k->stream + 64 * i,
    };
    composer c = {.brief = {.plan = whole->brief.plan,
                            .options = whole->brief.options, .led = 1,
                            .metred = 1, .part = &part},
                  .run = whole->run, .err = whole->err, .keep = k, .part = i};
    int code = set_out(&c);
    if (code == EMS_OK)
        code = write_music(&c);
    if (code == EMS_OK)
        code = finish_notes(&c);
    if (code == EMS_OK)
        code = ems_keep_splice(k, i, c.piece, c.err);
    ems_piece_free(c.piece);
    clear(&c);
    return code;
}

/* The old score gets the new bars and signs. */
static int renew(composer *c, ems_keep *k)
{
    c->piece = k->old;
    k->old = NULL;
    c->piece->marker_count = c->piece->key_count = 0;
    const int code = ems_metre_apply(&k->metre, c->piece, c->err);
    return code == EMS_OK ? finish_score(c) : code;
}

static int recompose(composer *c)
{
    ems_keep k = {0};
    int code = check_options(c);
    if (code == EMS_OK && !c->brief.metred)
        code = ems_fail(c->err, EMS_EINVAL, "only a plan with \"sync\":"
                        " \"exact\" has bars to keep; compose it whole");
    if (code == EMS_OK)
        code = set_hits(&c->brief, c->err);
    if (code == EMS_OK)
        code = ems_keep_open(&k, c->brief.plan, c->brief.hits,
                             c->brief.hit_count, c->brief.options, c->err);
    for (size_t i = 0; i < k.count && code == EMS_OK; i++) {
        ems_log(c->run, EMS_LOG_INFO, "anew: %.3f to %.3f s",
                k.parts[i].span.from, k.parts[i].span.to);
        code = compose_part(c, &k, i);
    }
    if (code == EMS_OK)
        code = renew(c, &k);
    ems_keep_clear(&k);
    return code;
}

ems_piece *ems_compose(const ems_plan *plan,
                       const ems_compose_options *options,
                       const ems_run *run, ems_error *err)
{
    ems_error own;
    const ems_compose_options defaults = ems_compose_defaults();
    composer c = {
        .brief = {.plan = plan, .options = options ? options : &defaults,
                  .led = plan->sync != EMS_SYNC_PAPER,
                  .metred = plan->sync == EMS_SYNC_EXACT},
        .run = run, .err = err ? err : &own,
    };
    const int code = c.brief.options->keep ? recompose(&c) : compose_all(&c);
    if (code < 0) {
        ems_piece_free(c.piece);
        c.piece = NULL;
    }
    clear(&c);
    return c.piece;
}

#include "emotion/cuts.h"

#include "base/mem.h"
#include "emotion/slow_cuts.h"

#include <math.h>
#include <stdlib.h>

/* Frames on each side that a cut is measured against, and how far it must
 * stand out of the stronger half of them: alone, if it also passes the
 * caller's scene score, or if the thumbnails jump as well. */
enum { SIDE = 4, RING = 2 * SIDE + 1 };
static const double RATIO = 3.0, RATIO_SCORED = 1.6, RATIO_JUMP = 1.4;
/* Thumbnails average grain away: a jump in them stands out of noise that
 * hides it from the full pictures. Least distance; times the last step. */
static const double JUMP = 12, JUMP_RATIO = 3;
/* And the frame after it differs by less than this share: not a fade. */
static const double CALM = 0.75;
/* Spikes closer than this belong together: the shortest shot. */
static const double SHORTEST = 0.2;
/* Seconds to wait for a thumbnail that tells a flash from a cut. */
static const double PATIENCE = 0.6;
/* A flash: the picture afterwards differs from the one before by less than
 * this share of the spike. The second for spikes that come in pairs. */
static const double FLASH = 0.12, FLASH_PAIR = 0.15;
static const double PAPER_GAP = 4.0;

typedef struct shot_change { /* a spike, or several close together */
    int active, has_before;
    double time, mafd, score;
    double second; /* mafd of the second strongest spike */
    double last;   /* time of the last spike */
    ems_thumb before;
} shot_change;

struct ems_cut_finder {
    ems_cut_policy policy;
    double threshold;
    struct { double time, mafd, score; } ring[RING];
    size_t frames;  /* that came */
    shot_change pending;
    ems_thumb_ring thumbs;
    ems_slow_cuts slow;
    ems_cut_list list;
};

ems_cut_finder *ems_cut_finder_new(const ems_analyze_options *options,
                                   ems_error *err)
{
    if (!(options->threshold > 0 && options->threshold <= 1)) {
        ems_fail(err, EMS_EINVAL, "the scene threshold is %g; it must lie in"
                 " (0, 1]", options->threshold);
        return NULL;
    }
    ems_cut_finder *f = ems_alloc(1, sizeof *f);
    if (!f) {
        ems_out_of_memory(err);
        return NULL;
    }
    f->policy = options->cuts;
    f->threshold = options->threshold;
    ems_slow_cuts_begin(&f->slow);
    return f;
}

void ems_cut_finder_free(ems_cut_finder *f)
{
    if (!f)
        return;
    ems_free(f->list.cuts);
    ems_free(f);
}

/* Mean of the stronger half of the frames around frame `at`, at least 1:
 * the weaker half may be repeats of the same picture. */
static double surroundings(const ems_cut_finder *f, size_t at)
{
    double near[2 * SIDE];
    int n = 0;
    const size_t first = at > SIDE ? at - SIDE : 1; /* frame 0 has none */
    for (size_t i = first; i <= at + SIDE && i < f->frames; i++) {
        if (i == at)
            continue;
        const double m = f->ring[i % RING].mafd;
        int place = n++;
        for (; place > 0 && near[place - 1] < m; place--)
            near[place] = near[place - 1];
        near[place] = m;
    }
    const int half = (n + 1) / 2;
    double sum = 0;
    for (int i = 0; i < half; i++)
        sum += near[i];
    return half && sum > half ? sum / half : 1;
}

static const ems_thumb *first_thumb_from(const ems_thumb_ring *ring,
                                         double time)
{
    const ems_thumb *found = NULL, *t;
    for (size_t k = 0; (t = ems_thumb_ring_back(ring, k)) != NULL; k++) {
        if (t->time < time)
            break;
        found = t;
    }
    return found;
}

static const ems_thumb *last_thumb_before(const ems_thumb_ring *ring,
                                          double time)
{
    const ems_thumb *t;
    for (size_t k = 0; (t = ems_thumb_ring_back(ring, k)) != NULL; k++)
        if (t->time < time)
            return t;
    return NULL;
}

static int is_flash(const shot_change *c, const ems_thumb *after)
{
    const int pair = c->second >= 0.5 * c->mafd;
    if (!c->has_before || !after)
        return c->second >= 0.6 * c->mafd;
    return ems_thumb_distance(&c->before, after) <
           (pair ? FLASH_PAIR : FLASH) * c->mafd;
}

static int settle(ems_cut_finder *f, const ems_thumb *after, ems_error *err)
{
    shot_change *c = &f->pending;
    c->active = 0;
    if (is_flash(c, after))
        return EMS_OK;
    return ems_cut_list_add(&f->list, c->time, EMS_CUT,
                            fmax(c->score, fmin(c->mafd / 100, 1)), err);
}

static int propose(ems_cut_finder *f, double time, double mafd, double score,
                   ems_error *err)
{
    shot_change *c = &f->pending;
    if (c->active && time >= c->last + SHORTEST) {
        const ems_thumb *after = first_thumb_from(&f->thumbs, c->last);
        if (after && after->time >= time)
            after = NULL;
        const int code = settle(f, after, err);
        if (code < 0)
            return code;
    }
    if (!c->active) {
        const ems_thumb *before = last_thumb_before(&f->thumbs, time);
        *c = (shot_change){.active = 1, .has_before = before != NULL,
                           .time = time, .mafd = mafd, .score = score,
                           .last = time};
        if (before)
            c->before = *before;
        return EMS_OK;
    }
    c->second = fmax(c->second, fmin(c->mafd, mafd));
    c->last = time;
    if (mafd > c->mafd) {
        c->time = time;
        c->mafd = mafd;
        c->score = score;
    }
    return EMS_OK;
}

/* Nonzero when the first thumbnail from `time` on jumps away from the one
 * before, which was much like its own predecessor. */
static int thumbs_jump(const ems_cut_finder *f, double time)
{
    const ems_thumb *now = first_thumb_from(&f->thumbs, time);
    const ems_thumb *before = last_thumb_before(&f->thumbs, time);
    if (!now || !before || now->time > time + SHORTEST / 2)
        return 0;
    const ems_thumb *past = last_thumb_before(&f->thumbs, before->time - 0.1);
    if (!past)
        return 0;
    const double jump = ems_thumb_distance(before, now);
    return jump >= JUMP &&
           jump >= JUMP_RATIO * ems_thumb_distance(past, before);
}

static int is_spike(const ems_cut_finder *f, size_t at)
{
    const double mafd = f->ring[at % RING].mafd;
    if (mafd < EMS_CUT_CONTENT)
        return 0;
    const double level = surroundings(f, at);
    return mafd >= RATIO * level ||
           (mafd >= RATIO_SCORED * level &&
            f->ring[at % RING].score > f->threshold) ||
           (mafd >= RATIO_JUMP * level && at + 1 < f->frames &&
            f->ring[(at + 1) % RING].mafd < CALM * mafd &&
            thumbs_jump(f, f->ring[at % RING].time));
}

/* Frame `at` and SIDE frames after it (or the end) are known. */
static int decide(ems_cut_finder *f, size_t at, ems_error *err)
{
    const double time = f->ring[at % RING].time;
    const double mafd = f->ring[at % RING].mafd;
    const double score = f->ring[at % RING].score;
    if (is_spike(f, at))
        return propose(f, time, mafd, score, err);
    const shot_change *c = &f->pending;
    if (!c->active || time < c->last + SHORTEST)
        return EMS_OK;
    const ems_thumb *after = first_thumb_from(&f->thumbs, c->last + SHORTEST);
    if (!after && time < c->last + PATIENCE)
        return EMS_OK;
    return settle(f, after, err);
}

static int add_auto(ems_cut_finder *f, const ems_frame *frame, ems_error *err)
{
    f->ring[f->frames % RING].time = frame->time;
    f->ring[f->frames % RING].mafd = frame->mafd;
    f->ring[f->frames % RING].score = frame->scene_score;
    f->frames++;
    if (frame->rgb)
        ems_thumb_ring_add(&f->thumbs, frame);
    const int code = ems_slow_cuts_add(&f->slow, frame, &f->thumbs, &f->list,
                                       err);
    if (code < 0 || f->frames <= SIDE + 1)
        return code;
    return decide(f, f->frames - 1 - SIDE, err);
}

int ems_cut_finder_add(ems_cut_finder *f, const ems_frame *frame,
                       ems_error *err)
{
    if (f->policy == EMS_CUTS_AUTO)
        return add_auto(f, frame, err);
    if (!(frame->scene_score > f->threshold))
        return EMS_OK;
    const ems_cut_list *l = &f->list;
    if (l->count && frame->time < l->cuts[l->count - 1].time + PAPER_GAP)
        return EMS_OK;
    return ems_cut_list_add(&f->list, frame->time, EMS_CUT,
                            frame->scene_score, err);
}

static int by_time(const void *x, const void *y)
{
    const ems_cut *a = x, *b = y;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return (int)a->kind - (int)b->kind;
}

/* Where two changes overlap the more certain one stays; of a short dip to
 * black that is the rise, where the new picture comes. */
static int certainty(ems_cut_kind kind)
{
    static const int RANK[] = {
        [EMS_CUT] = 4, [EMS_FADE_IN] = 3, [EMS_FADE_OUT] = 2,
        [EMS_DISSOLVE] = 1,
    };
    return RANK[kind];
}

static double reach(ems_cut_kind kind)
{
    return kind == EMS_DISSOLVE ? 0.75 : SHORTEST;
}

static int is_shadowed(const ems_cut_list *l, size_t i)
{
    const ems_cut *c = &l->cuts[i];
    const int own = certainty(c->kind);
    for (size_t k = i; k-- > 0;) {
        if (c->time - l->cuts[k].time >= reach(c->kind))
            break;
        if (certainty(l->cuts[k].kind) > own)
            return 1;
    }
    for (size_t k = i + 1; k < l->count; k++) {
        if (l->cuts[k].time - c->time >= reach(c->kind))
            break;
        if (certainty(l->cuts[k].kind) > own)
            return 1;
    }
    return 0;
}

static int settle_all(ems_cut_finder *f, ems_error *err)
{
    const size_t from = f->frames > SIDE ? f->frames - SIDE : 1;
    for (size_t i = from; i < f->frames; i++) {
        const int code = decide(f, i, err);
        if (code < 0)
            return code;
    }
    if (f->pending.active) {
        const int code =
            settle(f, first_thumb_from(&f->thumbs, f->pending.last), err);
        if (code < 0)
            return code;
    }
    return ems_slow_cuts_end(&f->slow, &f->list, err);
}

/* Keep what is not shadowed and leaves SHORTEST between neighbours and to
 * both ends of the film. */
static int tidy(ems_cut_list *l, double duration, ems_error *err)
{
    char *drop = ems_alloc(l->count, 1);
    if (!drop)
        return ems_out_of_memory(err);
    if (l->count)
        qsort(l->cuts, l->count, sizeof *l->cuts, by_time);
    for (size_t i = 0; i < l->count; i++)
        drop[i] = (char)is_shadowed(l, i);
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        const double t = l->cuts[i].time;
        const double before = kept ? l->cuts[kept - 1].time : 0;
        if (!drop[i] && t - before >= SHORTEST - 1e-9 &&
            duration - t >= SHORTEST - 1e-9)
            l->cuts[kept++] = l->cuts[i];
    }
    l->count = kept;
    ems_free(drop);
    return EMS_OK;
}

int ems_cut_finder_end(ems_cut_finder *f, double duration,
                       const ems_cut **cuts, size_t *count, ems_error *err)
{
    int code = EMS_OK;
    if (f->policy == EMS_CUTS_AUTO) {
        code = settle_all(f, err);
        if (code == EMS_OK)
            code = tidy(&f->list, duration, err);
    }
    while (f->list.count && f->list.cuts[f->list.count - 1].time >= duration)
        f->list.count--;
    *cuts = f->list.cuts;
    *count = f->list.count;
    return code;
}

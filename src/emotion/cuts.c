#include "emotion/cuts.h"

#include "base/mem.h"
#include "emotion/slow_cuts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Frames on each side that a cut is measured against. */
enum { SIDE = 4, CELLS = EMS_THUMB_W * EMS_THUMB_H };
/* A cut stands out of the stronger half of them by RATIO, in the full picture
 * or in the grid, which averages grain away; by less if it is strong; and the
 * grid changes at all. */
static const double RATIO = 2.6, RATIO_STRONG = 1.7, STRONG = 22, LEAST = 6;
/* A flash: within FLASH_SECONDS the picture is again as before, but for this
 * share of the jump; and alike (correlation), since a bright flash is far from
 * any picture. */
static const double FLASH_SECONDS = 0.36, FLASH = 0.45, ALIKE = 0.6;
enum { FLASH_FRAMES = 40 };
/* A moving camera: shifted by up to so many cells, what is left of the jump
 * is less than this share. */
enum { SHIFT_X = 26, SHIFT_Y = 5 };
static const double SHIFTED = 0.45;
/* The shortest shot, seconds. */
static const double SHORTEST = 0.2;
static const double PAPER_GAP = 4.0;

typedef struct moment { /* one frame */
    double time, mafd, score;
    double jump;         /* mean absolute difference of the grids */
    uint8_t grid[CELLS];
} moment;

enum { RING = 2 * FLASH_FRAMES + 2 };

struct ems_cut_finder {
    ems_cut_policy policy;
    double threshold;
    uint64_t frames;  /* that came */
    uint64_t decided; /* the next to be judged */
    moment ring[RING];
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
    f->decided = 1; /* the first frame is no cut */
    return f;
}

void ems_cut_finder_free(ems_cut_finder *f)
{
    if (!f)
        return;
    ems_free(f->list.cuts);
    ems_free(f);
}

static const moment *at(const ems_cut_finder *f, uint64_t frame)
{
    return &f->ring[frame % RING];
}

static double difference(const uint8_t *a, const uint8_t *b)
{
    int sum = 0;
    for (int i = 0; i < CELLS; i++)
        sum += abs(a[i] - b[i]);
    return (double)sum / CELLS;
}

/* Means of the stronger halves of the frames around, at least 1: the weaker
 * half may be repeats of the same picture. */
static void surroundings(const ems_cut_finder *f, uint64_t frame,
                         double *jump, double *mafd)
{
    double near[2][2 * SIDE];
    int n = 0;
    for (uint64_t i = frame > SIDE ? frame - SIDE : 1;
         i <= frame + SIDE && i < f->frames; i++) {
        if (i == frame)
            continue;
        const double x[2] = {at(f, i)->jump, at(f, i)->mafd};
        for (int k = 0; k < 2; k++) {
            int place = n;
            for (; place > 0 && near[k][place - 1] < x[k]; place--)
                near[k][place] = near[k][place - 1];
            near[k][place] = x[k];
        }
        n++;
    }
    const int half = (n + 1) / 2;
    double sum[2] = {0};
    for (int i = 0; i < half; i++)
        for (int k = 0; k < 2; k++)
            sum[k] += near[k][i];
    *jump = half ? fmax(sum[0] / half, 1) : 1;
    *mafd = half ? fmax(sum[1] / half, 1) : 1;
}

static int stands_out(const ems_cut_finder *f, uint64_t frame)
{
    const moment *m = at(f, frame);
    double jump, mafd;
    if (m->jump < LEAST || m->mafd < EMS_CUT_CONTENT / 2)
        return 0;
    surroundings(f, frame, &jump, &mafd);
    const double ratio = fmax(m->jump / jump, m->mafd / mafd);
    return ratio >= RATIO || (ratio >= RATIO_STRONG && m->jump >= STRONG);
}

static double correlation(const uint8_t *a, const uint8_t *b)
{
    int64_t sx = 0, sy = 0, xy = 0, xx = 0, yy = 0;
    for (int i = 0; i < CELLS; i++) {
        sx += a[i];
        sy += b[i];
        xy += a[i] * b[i];
        xx += a[i] * a[i];
        yy += b[i] * b[i];
    }
    const double vx = (double)(CELLS * xx - sx * sx);
    const double vy = (double)(CELLS * yy - sy * sy);
    return vx > 0 && vy > 0 ? (double)(CELLS * xy - sx * sy) / sqrt(vx * vy)
                            : 1;
}

static int is_same(const moment *a, const moment *b, double jump)
{
    return difference(a->grid, b->grid) < FLASH * jump &&
           correlation(a->grid, b->grid) > ALIKE;
}

/* Is the picture after some frames again what it was before, or was it before
 * what it is after? */
static int is_flash(const ems_cut_finder *f, uint64_t frame)
{
    const moment *before = at(f, frame - 1), *now = at(f, frame);
    for (uint64_t i = frame + 1;
         i < f->frames && i <= frame + FLASH_FRAMES &&
         at(f, i)->time <= now->time + FLASH_SECONDS; i++)
        if (is_same(before, at(f, i), now->jump))
            return 1;
    for (uint64_t k = 2;
         k <= frame && k <= FLASH_FRAMES &&
         at(f, frame - k)->time >= before->time - FLASH_SECONDS; k++)
        if (is_same(at(f, frame - k), now, now->jump))
            return 1;
    return 0;
}

/* Mean difference of two grids where they overlap after a shift. */
static double shifted(const uint8_t *a, const uint8_t *b, int dx, int dy)
{
    const int left = dx > 0 ? dx : 0, right = EMS_THUMB_W + (dx < 0 ? dx : 0);
    const int top = dy > 0 ? dy : 0, low = EMS_THUMB_H + (dy < 0 ? dy : 0);
    int sum = 0;
    for (int j = top; j < low; j++) {
        const uint8_t *p = a + j * EMS_THUMB_W;
        const uint8_t *q = b + (j - dy) * EMS_THUMB_W - dx;
        for (int i = left; i < right; i++)
            sum += abs(p[i] - q[i]);
    }
    return (double)sum / ((right - left) * (low - top));
}

static int is_pan(const ems_cut_finder *f, uint64_t frame)
{
    const moment *before = at(f, frame - 1), *now = at(f, frame);
    for (int dy = -SHIFT_Y; dy <= SHIFT_Y; dy++)
        for (int dx = -SHIFT_X; dx <= SHIFT_X; dx++)
            if (shifted(now->grid, before->grid, dx, dy) <
                SHIFTED * now->jump)
                return 1;
    return 0;
}

/* Judge a frame when all is known that came within FLASH_SECONDS after it. */
static int decide(ems_cut_finder *f, uint64_t frame, ems_error *err)
{
    const moment *m = at(f, frame);
    if (!stands_out(f, frame) || is_flash(f, frame) || is_pan(f, frame))
        return EMS_OK;
    return ems_cut_list_add(&f->list, m->time, EMS_CUT,
                            fmax(m->score, fmin(m->mafd / 100, 1)), err);
}

static int add_auto(ems_cut_finder *f, const ems_frame *frame, ems_error *err)
{
    moment *m = &f->ring[f->frames % RING];
    m->time = frame->time;
    m->mafd = frame->mafd;
    m->score = frame->scene_score;
    memcpy(m->grid, frame->luma, CELLS);
    m->jump = f->frames ? difference(at(f, f->frames - 1)->grid, m->grid) : 0;
    f->frames++;
    int code = ems_slow_cuts_add(&f->slow, frame, &f->list, err);
    while (code == EMS_OK && f->decided + SIDE < f->frames &&
           (frame->time > at(f, f->decided)->time + FLASH_SECONDS ||
            f->decided + FLASH_FRAMES < f->frames))
        code = decide(f, f->decided++, err);
    return code;
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
    return kind == EMS_DISSOLVE ? 0.3 : SHORTEST;
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
    int code = EMS_OK;
    while (code == EMS_OK && f->decided < f->frames)
        code = decide(f, f->decided++, err);
    return code < 0 ? code : ems_slow_cuts_end(&f->slow, &f->list, err);
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

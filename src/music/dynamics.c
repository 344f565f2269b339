#include "music/dynamics.h"

#include "base/rng.h"
#include "music/harmony.h"
#include "music/tokens.h"

#include <math.h>

enum { LEAST = 24, MOST = 124, LEVEL_STEP = 2,
       LOWEST_LEVEL = 56 };
static const double MIDDLE[EMS_FAMILIES] = {78, 76, 72, 74, 70};
static const double AROUSAL = 18;  /* more at arousal 1 */
static const double ARCH = 8;      /* a phrase's middle above its ends */
static const double TOP = 5, INNER = -3; /* of notes struck together */
static const double CHORD = 6;     /* guitar and piano after <CHORD> */
static const double HIT = 20, AT_HIT = 0.03;
static const double AFTER = -5, AFTER_HIT = 0.4; /* seconds: room for it */
static const double BUILD = 12, BUILD_UP = 2.0;  /* seconds before a hit */
static const double JITTER = 2;    /* hands are not machines */
static const double ON_BEAT = 0.125; /* of a beat */
/* Expression, controller 11. */
static const double LEVEL = 98, LEVEL_AROUSAL = 20, LEVEL_ARCH = 6,
                    LEVEL_BUILD = 5;

typedef struct player {
    const ems_piece *piece;
    const ems_plan *plan;
    const double *hits;
    size_t hit_count;
    size_t bar, hit;   /* of the moment at hand; they only go on */
    size_t first;      /* bar of the last hit before it */
} player;

static double bar_end(const ems_piece *p, size_t i)
{
    return i + 1 < p->bar_count ? p->bars[i + 1].start : p->duration;
}

/* To `time`, not before the last one: the bar it lies in, the first hit that
 * is not over. */
static void go(player *p, double time)
{
    while (p->bar + 1 < p->piece->bar_count &&
           p->piece->bars[p->bar + 1].start <= time + 1e-4)
        p->bar++;
    while (p->hit < p->hit_count && p->hits[p->hit] < time - AFTER_HIT)
        p->hit++;
    double since = p->hit ? p->hits[p->hit - 1] : 0;
    if (p->hit < p->hit_count && p->hits[p->hit] <= time + AT_HIT)
        since = p->hits[p->hit];
    while (p->first < p->bar &&
           p->piece->bars[p->first].start < since - 1e-4)
        p->first++;
}

static double arousal_at(const player *p, double time)
{
    double valence, arousal;
    ems_curve_at(p->plan->curve, p->plan->knot_count, time, &valence,
                 &arousal);
    return arousal;
}

/* Downbeats, the middle of a bar of four, other beats, halves, the rest. */
static double metre_at(const player *p, double time)
{
    if (p->piece->bar_count == 0)
        return 0;
    const ems_bar *b = &p->piece->bars[p->bar];
    const double beat = (bar_end(p->piece, p->bar) - b->start) / b->beats;
    const double at = (time - b->start) / beat, near = rint(at);
    if (fabs(at - near) <= ON_BEAT) {
        const int number = (int)near % b->beats;
        return number == 0 ? 8 : b->beats == 4 && number == 2 ? 4 : 1;
    }
    return fabs(at - floor(at) - 0.5) <= ON_BEAT ? -3 : -6;
}

/* 0 where a phrase of four bars begins or ends, 1 in its middle. Phrases are
 * counted from the last hit. */
static double arch_at(const player *p, double time)
{
    if (p->piece->bar_count == 0)
        return 0.5;
    const ems_bar *b = &p->piece->bars[p->bar];
    const double in = (time - b->start) / (bar_end(p->piece, p->bar) -
                                           b->start);
    const double x = ((double)((p->bar - p->first) % EMS_PHRASE) + in) /
                     EMS_PHRASE;
    return 4 * x * (1 - x);
}

/* Seconds to the next hit that is still to come; negative: none. */
static double to_hit(const player *p, double time)
{
    for (size_t i = p->hit; i < p->hit_count; i++)
        if (p->hits[i] > time + AT_HIT)
            return p->hits[i] - time;
    return -1;
}

static double swell_at(const player *p, double time)
{
    const double left = to_hit(p, time);
    const double near = left < 0 ? 0 : 1 - left / BUILD_UP;
    return near > 0 ? near * near : 0;
}

static double hit_at(const player *p, double time)
{
    if (p->hit >= p->hit_count)
        return 0;
    const double since = time - p->hits[p->hit];
    if (fabs(since) <= AT_HIT)
        return HIT;
    return since > 0 && since < AFTER_HIT ? AFTER : 0;
}

/* The same for the same note, wherever else the piece changes. */
static double jitter_of(const player *p, const ems_note *n)
{
    const uint64_t which = (uint64_t)(n->start * 1000 + 0.5) << 16 |
                           (uint64_t)n->family << 8 | n->pitch;
    ems_rng r = ems_rng_seed(p->plan->seed, which);
    return JITTER * (2 * ems_rng_uniform(&r) - 1);
}

/* Is it the highest of its family struck in this moment? */
static int is_top(const ems_piece *p, size_t i)
{
    const ems_note *n = &p->notes[i];
    for (size_t k = i + 1; k < p->note_count &&
                           p->notes[k].start - n->start <= AT_HIT; k++)
        if (p->notes[k].family == n->family && p->notes[k].pitch > n->pitch)
            return 0;
    for (size_t k = i; k-- > 0 && n->start - p->notes[k].start <= AT_HIT;)
        if (p->notes[k].family == n->family && p->notes[k].pitch > n->pitch)
            return 0;
    return 1;
}

static double voice_of(const ems_piece *p, size_t i)
{
    const int family = p->notes[i].family;
    if (family == EMS_DRUMS || family == EMS_BASS)
        return 0;
    return is_top(p, i) ? TOP : INNER;
}

static uint8_t velocity_of(const player *p, size_t i)
{
    const ems_note *n = &p->piece->notes[i];
    const double t = n->start;
    double v = MIDDLE[n->family] + AROUSAL * arousal_at(p, t) +
               metre_at(p, t) + ARCH * (arch_at(p, t) - 0.5) +
               voice_of(p->piece, i) + BUILD * swell_at(p, t) + hit_at(p, t) +
               jitter_of(p, n);
    if (n->velocity >= EMS_CHORD_VELOCITY)
        v += CHORD;
    v = v < LEAST ? LEAST : v > MOST ? MOST : v;
    return (uint8_t)(v + 0.5);
}

static double level_at(const player *p, double time)
{
    const double v = LEVEL + LEVEL_AROUSAL * arousal_at(p, time) +
                     LEVEL_ARCH * (arch_at(p, time) - 0.5) +
                     LEVEL_BUILD * swell_at(p, time);
    return v < LOWEST_LEVEL ? LOWEST_LEVEL : v > 127 ? 127 : v;
}

/* A level a beat for the families that play, where it changes enough. */
static int set_levels(ems_piece *piece, player *p, ems_error *err)
{
    int plays[EMS_FAMILIES] = {0}, last = -LEVEL_STEP;
    for (size_t i = 0; i < piece->note_count; i++)
        plays[piece->notes[i].family] = 1;
    piece->control_count = 0;
    for (size_t i = 0; i < piece->bar_count; i++) {
        const ems_bar *b = &piece->bars[i];
        const double beat = (bar_end(piece, i) - b->start) / b->beats;
        for (int k = 0; k < b->beats; k++) {
            const double time = b->start + k * beat;
            go(p, time);
            const int level = (int)(level_at(p, time) + 0.5);
            if (level > last - LEVEL_STEP && level < last + LEVEL_STEP)
                continue;
            last = level;
            for (uint8_t f = 0; f < EMS_FAMILIES; f++)
                if (plays[f] &&
                    ems_piece_add_control(
                        piece, (ems_control){time, f, EMS_CC_EXPRESSION,
                                             (uint8_t)level}, err) < 0)
                    return EMS_ENOMEM;
        }
    }
    return EMS_OK;
}

int ems_dynamics_shape(ems_piece *piece, const ems_plan *plan,
                       const double *hits, size_t hit_count, ems_error *err)
{
    player p = {piece, plan, hits, hit_count, 0, 0, 0}, again = p;
    for (size_t i = 0; i < piece->note_count; i++) {
        go(&p, piece->notes[i].start);
        piece->notes[i].velocity = velocity_of(&p, i);
    }
    return set_levels(piece, &again, err);
}

void ems_dynamics_paper(ems_piece *piece)
{
    for (size_t i = 0; i < piece->note_count; i++) {
        uint8_t *v = &piece->notes[i].velocity;
        *v = *v >= EMS_CHORD_VELOCITY ? EMS_CHORD_VELOCITY : EMS_VELOCITY;
    }
}

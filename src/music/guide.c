#include "music/guide.h"

#include "base/exact.h"
#include "music/sampler.h"

#include <math.h>
#include <string.h>

static const double NO_CALL = 1.0, NO_BAR = 0.5; /* seconds before a hit */
static const double NEVER = -1;
static const double NOTHING = 1e-6; /* seconds: what rounding may leave */
static const double MEMORY = 3;       /* seconds */
static const double KEY_MEMORY = 8;   /* seconds */
static const double KEY_NOTES = 10;   /* make a key, if ... */
static const double KEY_SHARE = 0.7;  /* ... so many lie in one */
static const double KEY_AFTER_HIT = 0.25; /* of it is kept */
enum { ANY_PITCH = 0xfff, MAJOR = 0xab5, /* bits 0 2 4 5 7 9 11 */
       TWELFTHS = 12, GRID = 0x359 /* of a beat: 0 3 4 6 8 9 */ };

static double to_hit(const ems_guide *g)
{
    return g->next < g->hits ? g->hit[g->next] - g->cursor : 1e9;
}

/* The seven pitches that most of the recent notes lie in. */
static unsigned scale_of(const double pitch_class[12])
{
    double total = 0, most = 0;
    unsigned best = ANY_PITCH;
    for (int i = 0; i < 12; i++)
        total += pitch_class[i];
    for (int root = 0; root < 12; root++) {
        const unsigned scale = ems_classes_up(MAJOR, root);
        double sum = 0;
        for (int i = 0; i < 12; i++)
            sum += scale >> i & 1 ? pitch_class[i] : 0;
        if (sum > most) {
            most = sum;
            best = scale;
        }
    }
    return total >= KEY_NOTES && most >= KEY_SHARE * total ? best : ANY_PITCH;
}

static void fade(ems_guide *g, double seconds)
{
    g->recent *= ems_exact_exp(-seconds);
    const double kept = ems_exact_exp(-seconds / KEY_MEMORY);
    for (int i = 0; i < 12; i++)
        g->pitch_class[i] *= kept;
    const double fresh = ems_exact_exp(-seconds / MEMORY);
    for (int f = 0; f < EMS_FAMILIES; f++)
        for (int k = 0; k < EMS_PITCHES; k++)
            g->struck[f][k] *= fresh;
}

static double to_line(const ems_guide *g)
{
    return g->next_line < g->lines ? g->line[g->next_line] - g->cursor : 1e9;
}

/* How far time may go on. */
static double to_stop(const ems_guide *g)
{
    return to_line(g) < to_hit(g) ? to_line(g) : to_hit(g);
}

/* Closer than a tick is there. Hits within one tick are one, and a hit brings
 * the bar line that lies on it. */
static void land(ems_guide *g)
{
    if (to_line(g) < EMS_TICK && to_hit(g) >= EMS_TICK) {
        g->cursor = g->line[g->next_line];
        g->phase = EMS_GUIDE_LINE;
    }
    while (to_hit(g) < EMS_TICK) {
        g->cursor = g->hit[g->next++];
        g->phase = EMS_GUIDE_BAR;
        for (int i = 0; i < 12; i++)
            g->pitch_class[i] *= KEY_AFTER_HIT;
    }
    while (to_line(g) < EMS_TICK)
        g->next_line++;
}

void ems_guide_bars(ems_guide *g, const double *line, const int *step,
                    size_t lines)
{
    g->line = line;
    g->step = step;
    g->lines = lines;
    while (to_line(g) < EMS_TICK)
        g->next_line++;
}

void ems_guide_start(ems_guide *g, const double *hit, size_t hits, int ending)
{
    *g = (ems_guide){.hit = hit, .hits = hits, .ending = ending,
                     .scale = ANY_PITCH, .rush = EMS_GUIDE_RUSH,
                     .families = (1u << EMS_FAMILIES) - 1};
    for (int f = 0; f < EMS_FAMILIES; f++)
        for (int k = 0; k < EMS_PITCHES; k++)
            g->start[f][k] = g->older[f][k] = NEVER;
    land(g);
}

/* A note of `age` seconds or more that is not a drum, as an OFF token. */
static int old_note(const ems_guide *g, double age)
{
    for (int f = 0; f < EMS_FAMILIES; f++) {
        if (f == EMS_DRUMS)
            continue;
        for (int k = 0; k < EMS_PITCHES; k++) {
            const double start = g->start[f][k], older = g->older[f][k];
            if ((start >= 0 && g->cursor - start >= age) ||
                (older >= 0 && g->cursor - older >= age))
                return ems_note_token(f, EMS_LOW_PITCH + k, 0);
        }
    }
    return -1;
}

/* A note that began before this moment and whose pitch class is leaving. */
static int leaving_note(ems_guide *g)
{
    for (int f = 0; f < EMS_FAMILIES && g->leaving; f++)
        for (int k = 0; f != EMS_DRUMS && k < EMS_PITCHES; k++)
            if (g->start[f][k] >= 0 && g->start[f][k] < g->cursor &&
                g->leaving >> (EMS_LOW_PITCH + k) % 12 & 1)
                return ems_note_token(f, EMS_LOW_PITCH + k, 0);
    g->leaving = 0;
    return -1;
}

/* Anything that began before this moment. */
static int older_note(const ems_guide *g)
{
    return old_note(g, EMS_TICK / 1024);
}

int ems_guide_due(ems_guide *g)
{
    switch (g->phase) {
    case EMS_GUIDE_LINE:
    case EMS_GUIDE_BAR:
        return EMS_BAR;
    case EMS_GUIDE_CALL:
        return EMS_CHORD;
    case EMS_GUIDE_RELEASE: {
        const int off = older_note(g);
        if (off >= 0)
            return off;
        g->phase = g->ending && g->next == g->hits ? EMS_GUIDE_DONE
                                                   : EMS_GUIDE_LEAVE;
        return -1;
    }
    case EMS_GUIDE_FREE: {
        const int off = leaving_note(g);
        return off >= 0 ? off : old_note(g, EMS_GUIDE_LONGEST);
    }
    default:
        return -1;
    }
}

/* ---- What may be sampled ------------------------------------------------- */

static int is_on(int token)
{
    return ems_is_note(token) && ems_note_is_on(token);
}

static int note_banned(const ems_guide *g, int token)
{
    const int f = ems_note_family(token);
    const int k = ems_note_pitch(token) - EMS_LOW_PITCH;
    const double start = g->start[f][k];
    if (ems_note_is_on(token))
        return start >= g->cursor || g->ons >= EMS_GUIDE_CROWD ||
               !(g->families >> f & 1) ||
               (f == EMS_BASS && ems_note_pitch(token) > EMS_GUIDE_BASS) ||
               g->part[f] >= EMS_GUIDE_PART ||
               (g->phase == EMS_GUIDE_FREE && g->recent >= g->rush) ||
               (f != EMS_DRUMS &&
                !(g->scale >> ems_note_pitch(token) % 12 & 1));
    if (g->older[f][k] >= 0)
        return 0; /* the restruck note's OFF */
    return start < 0 || start >= g->cursor;
}

int ems_guide_tick(const ems_guide *g, int *step)
{
    *step = g->step && g->next_line ? g->step[g->next_line - 1] : 0;
    return *step ? (int)rint((g->cursor - g->line[g->next_line - 1]) /
                             EMS_TICK)
                 : 0;
}

/* A sixteenth or a triplet eighth, `ticks` from here; any place without a
 * grid. */
static int on_grid(const ems_guide *g, int ticks)
{
    if (!g->step || g->next_line == 0)
        return 1;
    int step;
    const int at = ems_guide_tick(g, &step) + ticks;
    return at % step == 0 && GRID >> at / step % TWELFTHS & 1;
}

/* The fewest ticks that time may go on by. */
static int to_grid(const ems_guide *g)
{
    int ticks = 1;
    while (ticks < EMS_MAX_SHIFT && !on_grid(g, ticks))
        ticks++;
    return ticks;
}

/* May time go on by so much: across nothing, to a place on the grid? */
static int passable(const ems_guide *g, int ticks)
{
    return EMS_TICK * ticks <= to_stop(g) + NOTHING && on_grid(g, ticks);
}

static int shift_banned(const ems_guide *g, int token)
{
    const double after = EMS_TICK * ems_shift_ticks(token);
    if (!passable(g, ems_shift_ticks(token)))
        return 1;
    return !g->sounding &&
           g->cursor + after - g->silent_since > EMS_GUIDE_SILENCE;
}

static int free_banned(const ems_guide *g, int token)
{
    if (ems_is_note(token))
        return note_banned(g, token);
    if (ems_is_shift(token))
        return shift_banned(g, token);
    if (token == EMS_BAR)
        return g->lines > 0 || g->bars > 0 || to_hit(g) < NO_BAR;
    if (token == EMS_CHORD)
        return g->calls > 0 || to_hit(g) < NO_CALL;
    return 1;
}

/* Have guitar, piano and strings still something to say? */
static int chord_likely(const ems_guide *g, const float *logits)
{
    uint8_t chosen[EMS_VOCAB] = {0};
    for (int token = EMS_FIRST_NOTE; token <= EMS_LAST_NOTE; token++)
        chosen[token] = is_on(token) && !note_banned(g, token) &&
                        ems_is_melodic(ems_note_family(token));
    return ems_sampler_share(logits, chosen) >= EMS_GUIDE_CHORD_SHARE;
}

static int chord_stands(const ems_guide *g, const float *logits)
{
    if (!(g->families & ~(1u << EMS_DRUMS)))
        return 1; /* nobody is there to play it */
    if (g->chord_notes >= EMS_GUIDE_CHORD || g->ons >= EMS_GUIDE_CROWD)
        return g->pitched > 0;
    return g->pitched > 0 && !chord_likely(g, logits);
}

/* While ONs are due. */
static int ons_banned(const ems_guide *g, int token)
{
    return !is_on(token) || note_banned(g, token);
}

void ems_guide_ban(ems_guide *g, const float *logits, uint8_t *banned)
{
    if (g->phase == EMS_GUIDE_ONS && chord_stands(g, logits))
        g->phase = EMS_GUIDE_AFTER;
    int open = 0;
    for (int token = 0; token < EMS_VOCAB; token++) {
        if (g->phase == EMS_GUIDE_ONS)
            banned[token] = (uint8_t)ons_banned(g, token);
        else if (g->phase == EMS_GUIDE_LEAVE)
            banned[token] = !ems_is_shift(token) ||
                            !passable(g, ems_shift_ticks(token));
        else
            banned[token] = (uint8_t)free_banned(g, token);
        open += !banned[token];
    }
    if (!open) /* nothing is left but to let time pass */
        banned[EMS_SHIFT_BASE + to_grid(g)] = 0;
}

int ems_guide_accept(ems_guide *g, int token)
{
    const int ends = g->ending && g->next == g->hits && !is_on(token);
    if (g->phase != EMS_GUIDE_AFTER || (!ems_is_shift(token) && !ends))
        return 1;
    g->phase = EMS_GUIDE_RELEASE;
    return 0;
}

/* ---- What has happened --------------------------------------------------- */

static void count_sounding(ems_guide *g, int f, int k, int by)
{
    if (f == EMS_DRUMS)
        return;
    g->sounding += by;
    if (EMS_LOW_PITCH + k >= EMS_GROUND)
        return;
    g->low += by;
    g->grounded = g->cursor;
}

static void step_on(ems_guide *g, int f, int k)
{
    double *start = &g->start[f][k];
    if (*start >= 0)
        g->older[f][k] = *start;
    else
        count_sounding(g, f, k, 1);
    *start = g->cursor;
    g->ons++;
    g->part[f]++;
    g->recent++;
    g->struck[f][k]++;
    if (f != EMS_DRUMS)
        g->pitch_class[(EMS_LOW_PITCH + k) % 12]++;
    g->silent_since = g->cursor;
    if (f != EMS_DRUMS)
        g->pitched++;
    g->chord_notes += ems_is_melodic(f);
}

static void step_off(ems_guide *g, int f, int k)
{
    if (g->older[f][k] >= 0) {
        g->older[f][k] = NEVER;
        return;
    }
    if (g->start[f][k] >= 0)
        count_sounding(g, f, k, -1);
    g->start[f][k] = NEVER;
}

/* Restruck notes without an OFF of their own are over all the same. */
static void forget_older(ems_guide *g)
{
    for (int f = 0; f < EMS_FAMILIES; f++)
        for (int k = 0; k < EMS_PITCHES; k++)
            g->older[f][k] = NEVER;
}

static void step_shift(ems_guide *g, int token)
{
    g->cursor += EMS_TICK * ems_shift_ticks(token);
    fade(g, EMS_TICK * ems_shift_ticks(token));
    g->bars = g->calls = g->ons = 0;
    memset(g->part, 0, sizeof g->part);
    forget_older(g);
    g->leaving = 0; /* at a hit all of that was released */
    g->phase = EMS_GUIDE_FREE;
    land(g);
    g->scale = g->key ? g->key : scale_of(g->pitch_class);
    if (g->sounding)
        g->silent_since = g->cursor;
    if (g->low)
        g->grounded = g->cursor;
}

double ems_guide_step(ems_guide *g, int token)
{
    if (ems_is_shift(token)) {
        step_shift(g, token);
    } else if (ems_is_note(token)) {
        const int f = ems_note_family(token);
        const int k = ems_note_pitch(token) - EMS_LOW_PITCH;
        if (ems_note_is_on(token))
            step_on(g, f, k);
        else
            step_off(g, f, k);
    } else if (token == EMS_BAR) {
        g->bars++;
        if (g->phase == EMS_GUIDE_LINE)
            g->phase = EMS_GUIDE_FREE;
        if (g->phase == EMS_GUIDE_BAR)
            g->phase = EMS_GUIDE_CALL;
    } else if (token == EMS_CHORD) {
        g->calls++;
        g->chord_notes = g->pitched = 0;
        if (g->phase == EMS_GUIDE_CALL)
            g->phase = EMS_GUIDE_ONS;
    }
    return g->cursor;
}

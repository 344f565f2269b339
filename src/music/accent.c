#include "music/accent.h"

#include "music/tokens.h"

#include <math.h>

enum { KICK = 36, CRASH = 49, LOWEST_BASS = 28 /* E1 */ };
static const double TOGETHER = 0.002; /* seconds: half a tick or so */
static const double CRASH_GAP = 4.0;  /* seconds from one to the next */
static const double ABOUT = 4.0;      /* seconds: drums so near are about */
static const double DRUM = 0.15;      /* seconds, a note of drums */
static const double LEAST = 0.1;      /* seconds, a note of bass */

typedef struct stroke { /* the notes of one moment */
    double time, longest;
    int lowest;          /* pitch, no drums; 0: there is none */
    int bass, kick;
} stroke;

/* Notes from *next on; none before is that late. */
static stroke stroke_at(const ems_piece *p, size_t *next, double time)
{
    stroke s = {.time = time};
    while (*next < p->note_count && p->notes[*next].start < time - TOGETHER)
        ++*next;
    for (size_t i = *next; i < p->note_count &&
                           p->notes[i].start <= time + TOGETHER; i++) {
        const ems_note *n = &p->notes[i];
        if (n->family == EMS_DRUMS) {
            s.kick |= n->pitch == KICK || n->pitch == KICK - 1;
            continue;
        }
        s.bass |= n->family == EMS_BASS;
        s.longest = fmax(s.longest, n->length);
        if (s.lowest == 0 || n->pitch < s.lowest)
            s.lowest = n->pitch;
    }
    return s;
}

static double arousal_at(const ems_plan *plan, double time)
{
    double valence, arousal;
    ems_curve_at(plan->curve, plan->knot_count, time, &valence, &arousal);
    return arousal;
}

static int may_play(const ems_plan *plan, double time, int family)
{
    const unsigned families =
        plan->section_count
            ? plan->sections[ems_plan_section_at(plan, time + EMS_PLAN_NEAR)]
                  .families
            : 0;
    if (families)
        return families >> family & 1;
    return arousal_at(plan, time) >= ems_plan_enters[family];
}

/* Is one of the first `count` notes a drum near `time`? */
static int drums_about(const ems_piece *p, size_t count, double time)
{
    for (size_t i = 0; i < count; i++)
        if (p->notes[i].family == EMS_DRUMS &&
            fabs(p->notes[i].start - time) <= ABOUT)
            return 1;
    return 0;
}

static int is_crash(const ems_note *n)
{
    return n->family == EMS_DRUMS &&
           (n->pitch == CRASH || n->pitch == 52 || n->pitch == 55 ||
            n->pitch == 57);
}

/* Has a cymbal crashed in the last CRASH_GAP, or does it now? */
static int crashed(const ems_piece *p, double time)
{
    for (size_t i = 0; i < p->note_count; i++) {
        const double ago = time - p->notes[i].start;
        if (is_crash(&p->notes[i]) && ago >= -TOGETHER &&
            ago < CRASH_GAP - TOGETHER)
            return 1;
    }
    return 0;
}

/* As long as the chord, at most to the next bass note. */
static double bass_length(const ems_piece *p, size_t count, const stroke *s)
{
    double length = fmax(LEAST, s->longest);
    for (size_t i = 0; i < count; i++) {
        const double later = p->notes[i].start - s->time;
        if (p->notes[i].family == EMS_BASS && later > TOGETHER)
            return fmin(length, later);
    }
    return length;
}

static int add_note(ems_piece *p, const stroke *s, double length, int family,
                    int pitch, ems_error *err)
{
    return ems_piece_add_note(p, (ems_note){s->time, length, (uint8_t)family,
                                            (uint8_t)pitch, EMS_VELOCITY},
                              err);
}

static int add_drums(ems_piece *p, size_t count, const stroke *s,
                     double arousal, ems_error *err)
{
    if (arousal < 0 && !drums_about(p, count, s->time))
        return EMS_OK;
    int code = s->kick ? EMS_OK : add_note(p, s, DRUM, EMS_DRUMS, KICK, err);
    if (code == EMS_OK && !crashed(p, s->time))
        code = add_note(p, s, DRUM, EMS_DRUMS, CRASH, err);
    return code;
}

int ems_accent_hits(ems_piece *p, const ems_plan *plan, const double *hits,
                    size_t count, ems_error *err)
{
    const size_t notes = p->note_count; /* those added come behind */
    size_t next = 0;
    int code = EMS_OK;
    for (size_t i = 0; i < count && code == EMS_OK; i++) {
        const double time = hits[i];
        const stroke s = stroke_at(p, &next, time);
        if (s.lowest == 0)
            continue;
        if (!s.bass && may_play(plan, time, EMS_BASS))
            code = add_note(p, &s, bass_length(p, notes, &s), EMS_BASS,
                            LOWEST_BASS +
                                (s.lowest + 12 - LOWEST_BASS % 12) % 12, err);
        if (code == EMS_OK && may_play(plan, time, EMS_DRUMS) &&
            !ems_plan_spoken(plan, time, EMS_PLAN_NEAR))
            code = add_drums(p, notes, &s, arousal_at(plan, time), err);
    }
    ems_piece_sort(p);
    return code;
}

#include "music/lines.h"

#include "base/exact.h"
#include "base/mem.h"

#define TOGETHER 0.020  /* seconds between notes of one moment */
#define OVERLAP 0.100   /* a note that sounds on for less is over */
#define STANDING 0.8    /* from a bass note to the next */
#define LONGEST_STEP 6.0 /* from note to note; more is an end */
#define LEAST_NATS 1.04 /* 1.5 bits: entropy of a phrase's intervals */
enum {
    INTERVALS = EMS_PHRASE - 1, LONGEST_FIGURE = 4, RHYTHMS = 7,
    WIDEST = 24, /* semitones; wider leaps count as this */
    CHORD = 12,  /* semitones in which three notes make a chord */
    MOST_HARMONY = 7, /* of the notes of a melody's phrase */
    BESIDE = 3,  /* notes in which a voice is looked for */
    BELOW = 8,   /* semitones under a voice: another voice */
};

/* ---- The line ---- */

/* Does a higher note go on? `above` holds those that may: few. */
static int covered(const ems_line_note *above, size_t count,
                   const ems_note *n)
{
    for (size_t i = 0; i < count; i++)
        if (above[i].pitch > n->pitch &&
            above[i].end > n->start + OVERLAP)
            return 1;
    return 0;
}

static int append(ems_line *l, const ems_note *n, ems_error *err)
{
    if (ems_reserve((void *)&l->notes, &l->capacity, l->count + 1,
                    sizeof *l->notes) < 0)
        return ems_out_of_memory(err);
    l->notes[l->count++] = (ems_line_note){
        n->start, n->start + n->length, n->pitch, {0, 0}, 0, 0};
    return EMS_OK;
}

/* Another note of the same moment. */
static void strike(ems_line_note *l, const ems_note *n)
{
    uint8_t pitch = n->pitch;
    if (pitch > l->pitch) {
        pitch = l->pitch;
        l->pitch = n->pitch;
        l->end = n->start + n->length;
    }
    if (pitch > l->under[0]) {
        l->under[1] = l->under[0];
        l->under[0] = pitch;
    } else if (pitch > l->under[1]) {
        l->under[1] = pitch;
    }
}

/* Notes of the line that may still sound: a later one that ends later hides
 * nothing, so the last few are enough. */
static int add_note(ems_line *l, const ems_note *n, ems_error *err)
{
    enum { BACK = 8 };
    ems_line_note *last = l->count ? &l->notes[l->count - 1] : NULL;
    if (last && n->start - last->start < TOGETHER) {
        strike(last, n);
        return EMS_OK;
    }
    const size_t back = l->count < BACK ? l->count : BACK;
    if (back && covered(l->notes + l->count - back, back, n))
        return EMS_OK;
    return append(l, n, err);
}

/* Is there, a few notes before and after note i, one far above it? */
static int is_below(const ems_line *l, size_t i)
{
    const ems_line_note *n = l->notes;
    const size_t from = i < BESIDE ? 0 : i - BESIDE;
    const size_t to = i + BESIDE < l->count ? i + BESIDE : l->count - 1;
    int before = 0, after = 0;
    for (size_t k = from; k < i; k++)
        before |= n[k].pitch >= n[i].pitch + BELOW;
    for (size_t k = i + 1; k <= to; k++)
        after |= n[k].pitch >= n[i].pitch + BELOW;
    return before && after;
}

/* Accompaniment heard through the rests of a melody. */
static void drop_lower_voice(ems_line *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++)
        l->notes[i].other = (uint8_t)is_below(l, i);
    for (size_t i = 0; i < l->count; i++)
        if (!l->notes[i].other)
            l->notes[kept++] = l->notes[i];
    l->count = kept;
}

static void find_harmony(ems_line *l, int family)
{
    for (size_t i = 0; i < l->count; i++) {
        ems_line_note *n = &l->notes[i];
        n->harmony = (n->under[1] && n->under[1] + CHORD >= n->pitch) ||
                     (family == EMS_BASS && i + 1 < l->count &&
                      n[1].start - n->start > STANDING);
    }
}

int ems_line_take(ems_line *l, const ems_note *notes, size_t count,
                  int family, ems_error *err)
{
    l->count = 0;
    for (size_t i = 0; i < count; i++)
        if (notes[i].family == family && add_note(l, &notes[i], err) < 0)
            return EMS_ENOMEM;
    if (family != EMS_BASS)
        drop_lower_voice(l);
    find_harmony(l, family);
    return EMS_OK;
}

void ems_line_clear(ems_line *l)
{
    ems_free(l->notes);
    *l = (ems_line){0};
}

/* ---- Phrases ---- */

/* The class of a ratio of two lengths: 0 a third or less ... 6 three times or
 * more, parted at the geometric means. */
static int rhythm(double ratio)
{
    static const double edge[RHYTHMS - 1] = {0.408, 0.577, 0.816,
                                             1.225, 1.732, 2.449};
    int class = 0;
    while (class < RHYTHMS - 1 && ratio > edge[class])
        class++;
    return class;
}

/* Entropy of the intervals in nats. */
static double variety(const int *interval)
{
    double nats = 0;
    for (int i = 0; i < INTERVALS; i++) {
        int same = 0;
        for (int k = 0; k < INTERVALS; k++)
            same += interval[k] == interval[i];
        nats -= ems_exact_log((double)same / INTERVALS) / INTERVALS;
    }
    return nats;
}

/* Do the steps repeat after `period` of them? */
static int repeats(const int *step, int period)
{
    for (int i = period; i < INTERVALS; i++)
        if (step[i] != step[i - period])
            return 0;
    return 1;
}

static int is_scale(const int *interval)
{
    int up = 0, down = 0;
    for (int i = 0; i < INTERVALS; i++) {
        up += interval[i] > 0 && interval[i] <= 2;
        down += interval[i] < 0 && interval[i] >= -2;
    }
    return up >= INTERVALS - 1 || down >= INTERVALS - 1;
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t ems_phrase_hash(const ems_line_note *n)
{
    int interval[INTERVALS];
    uint64_t hash = EMS_PHRASE;
    int harmony = n[EMS_PHRASE - 1].harmony;
    for (int i = 0; i < INTERVALS; i++) {
        if (n[i + 1].start - n[i].start > LONGEST_STEP)
            return 0;
        harmony += n[i].harmony;
        const int leap = n[i + 1].pitch - n[i].pitch;
        interval[i] = leap > WIDEST    ? WIDEST
                      : leap < -WIDEST ? -WIDEST
                                       : leap;
        int length = 3;
        if (i > 0)
            length = rhythm((n[i + 1].start - n[i].start) /
                            (n[i].start - n[i - 1].start));
        hash = mix(hash ^ (uint64_t)((interval[i] + WIDEST) * RHYTHMS +
                                     length));
    }
    for (int period = 1; period <= LONGEST_FIGURE; period++)
        if (repeats(interval, period))
            return 0;
    if (harmony > MOST_HARMONY || is_scale(interval) || variety(interval) < LEAST_NATS)
        return 0;
    return hash ? hash : 1;
}

#include "music/stats_repeats.h"

#include "base/mem.h"
#include "music/harmony.h"
#include "music/vocab.h"

#include <string.h>

#define STROKE 0.010 /* seconds: notes so near are one stroke */
enum { PLACES = 96 /* twelfths of a beat in a bar */, MIDDLE_C = 60 };

typedef struct strokes { /* of one family */
    double since;        /* the one that is being read */
    uint64_t now[2], before[2]; /* pitches, bits */
    size_t count, again;
} strokes;

static void end_stroke(strokes *s)
{
    if (!s->now[0] && !s->now[1])
        return;
    s->again += s->count && memcmp(s->now, s->before, sizeof s->now) == 0;
    s->count++;
    memcpy(s->before, s->now, sizeof s->now);
    memset(s->now, 0, sizeof s->now);
}

double ems_stats_struck_again(const ems_piece *p)
{
    strokes all[EMS_FAMILIES] = {{.since = 0}};
    size_t count = 0, again = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        strokes *s = &all[n->family];
        if (!ems_is_melodic(n->family))
            continue;
        if (n->start > s->since + STROKE) {
            end_stroke(s);
            s->since = n->start;
        }
        s->now[n->pitch / 64 & 1] |= (uint64_t)1 << n->pitch % 64;
    }
    for (int f = 0; f < EMS_FAMILIES; f++) {
        end_stroke(&all[f]);
        count += all[f].count;
        again += all[f].again;
    }
    return count ? (double)again / (double)count : 0;
}

static double bar_end(const ems_piece *p, size_t bar)
{
    return bar + 1 < p->bar_count ? p->bars[bar + 1].start : p->duration;
}

/* Pitches by bar and place; 0: none. */
static void take_tops(uint8_t (*top)[PLACES], const ems_piece *p)
{
    size_t bar = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        while (bar + 1 < p->bar_count &&
               p->bars[bar + 1].start <= n->start + STROKE)
            bar++;
        const double length = bar_end(p, bar) - p->bars[bar].start;
        if (!ems_is_melodic(n->family) || n->pitch < MIDDLE_C || !(length > 0))
            continue;
        const double at = 12 * p->bars[bar].beats *
                          (n->start - p->bars[bar].start) / length + 0.5;
        if (at < 0 || at >= PLACES)
            continue;
        uint8_t *place = &top[bar][(int)at];
        *place = n->pitch > *place ? n->pitch : *place;
    }
}

int ems_stats_theme(double *share, const ems_piece *p, ems_error *err)
{
    uint8_t(*top)[PLACES] = ems_alloc(p->bar_count + 1, sizeof *top);
    double sum = 0;
    int pairs = 0;
    *share = 0;
    if (!top)
        return ems_out_of_memory(err);
    if (p->bar_count)
        take_tops(top, p);
    for (size_t i = EMS_PHRASE; i < p->bar_count; i++) {
        const uint8_t *now = top[i], *then = top[i - EMS_PHRASE];
        int count[2] = {0}, both = 0;
        for (int k = 0; k < PLACES; k++) {
            count[0] += now[k] > 0;
            count[1] += then[k] > 0;
            both += now[k] && now[k] == then[k];
        }
        if (count[0] < 2 || count[1] < 2)
            continue;
        sum += (double)both / (count[0] > count[1] ? count[0] : count[1]);
        pairs++;
    }
    *share = pairs ? sum / pairs : 0;
    ems_free(top);
    return EMS_OK;
}

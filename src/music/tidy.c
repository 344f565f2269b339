/* A song's small timing taken out: what the ear hears as one moment becomes
 * one moment, so that a model spends its tokens on music. Of the arrangements'
 * TIMESHIFTs a third were single ticks of 8 ms (docs/decisions/021). */
#include "base/mem.h"
#include "music/tokens.h"

#include <stdlib.h>

enum {
    MOMENT = 3,       /* ticks: onsets this near (24 ms) are one moment */
    RELEASE = 5,      /* a note ends at a moment this near (40 ms) */
    SHORTEST_DRUM = 5, LONGEST_DRUM = 62, LONE_DRUM = 12,
};

typedef struct moments {
    uint32_t *tick; /* ascending: onsets as they become, and bar lines */
    size_t count;
} moments;

static int ascending(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The first moment at or after `tick`; `count` when there is none. */
static size_t find_moment(const moments *m, uint32_t tick)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (m->tick[middle] < tick)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Runs of onsets become one moment each; a bar line among them is it. */
static void gather_onsets(ems_song *s, moments *m)
{
    size_t bar = 0;
    for (size_t i = 0; i < s->note_count;) {
        const uint32_t first = s->notes[i].start;
        while (bar < s->bar_count && s->bars[bar] + MOMENT < first)
            m->tick[m->count++] = s->bars[bar++];
        uint32_t here = first;
        if (bar < s->bar_count && s->bars[bar] <= first + MOMENT)
            here = s->bars[bar++];
        for (; i < s->note_count && s->notes[i].start <= first + MOMENT; i++)
            s->notes[i].start = here;
        m->tick[m->count++] = here;
    }
    for (; bar < s->bar_count; bar++)
        m->tick[m->count++] = s->bars[bar];
    qsort(m->tick, m->count, sizeof *m->tick, ascending);
}

/* A drum's length says nothing: it ends with the next moment that is not too
 * near, which costs no TIMESHIFT of its own. */
static uint32_t drum_end(const moments *m, uint32_t start)
{
    const size_t i = find_moment(m, start + SHORTEST_DRUM);
    return i < m->count && m->tick[i] <= start + LONGEST_DRUM
               ? m->tick[i] : start + LONE_DRUM;
}

static uint32_t note_end(const moments *m, uint32_t start, uint32_t end)
{
    const uint32_t from = end > RELEASE ? end - RELEASE : 0;
    uint32_t best = end, nearest = RELEASE + 1;
    for (size_t i = find_moment(m, from);
         i < m->count && m->tick[i] <= end + RELEASE; i++) {
        const uint32_t t = m->tick[i], far = t > end ? t - end : end - t;
        if (t > start && far < nearest) {
            best = t;
            nearest = far;
        }
    }
    /* Releases between moments lie on a coarser grid, and so together. */
    if (nearest > RELEASE)
        best = (end + MOMENT / 2) / MOMENT * MOMENT;
    return best > start ? best : end > start ? end : start + 1;
}

int ems_song_tidy(ems_song *s, ems_error *err)
{
    moments m = {ems_alloc(s->note_count + s->bar_count, sizeof *m.tick), 0};
    if (!m.tick)
        return ems_out_of_memory(err);
    gather_onsets(s, &m);
    for (size_t i = 0; i < s->note_count; i++) {
        ems_song_note *n = &s->notes[i];
        n->end = n->family == EMS_DRUMS ? drum_end(&m, n->start)
                                        : note_end(&m, n->start, n->end);
    }
    ems_free(m.tick);
    ems_song_part(s);
    s->end = 0;
    for (size_t i = 0; i < s->note_count; i++)
        s->end = s->notes[i].end > s->end ? s->notes[i].end : s->end;
    return EMS_OK;
}

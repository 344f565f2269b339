#include "audio/events.h"

#include "audio/audio.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A drum is struck, not held: it sounds on at least this long (seconds),
 * whatever the length of its note. */
#define DRUM_LENGTH 0.25
/* A note this near to a marker belongs to it (seconds). */
#define AT_MARKER 0.003
/* What is let go at the end has sounded at least this long (seconds). */
#define LEAST 0.1

static int earlier(const void *a, const void *b)
{
    const ems_event *x = a, *y = b;
    if (x->block != y->block)
        return x->block < y->block ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind - y->kind;
    return x->a != y->a ? x->a - y->a : x->b - y->b;
}

static int add(ems_events *e, ems_event event)
{
    if (ems_reserve((void **)&e->items, &e->capacity, e->count + 1,
                    sizeof event) < 0)
        return -1;
    e->items[e->count++] = event;
    return 0;
}

static int64_t block_at(double seconds)
{
    return llround(seconds * EMS_RATE / EMS_BLOCK);
}

/* ---- Humanising --------------------------------------------------------- */

static int is_at_marker(const ems_piece *p, double time)
{
    size_t low = 0, high = p->marker_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (p->markers[middle].time < time - AT_MARKER)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->marker_count && p->markers[low].time <= time + AT_MARKER;
}

/* Seconds by which a note is early or late. */
static double shift(const ems_piece *p, const ems_note *n,
                    const ems_touch *touch)
{
    if (!(touch->humanize > 0) || is_at_marker(p, n->start))
        return 0;
    uint64_t place;
    memcpy(&place, &n->start, sizeof place);
    ems_rng r = ems_rng_seed(touch->seed ^ place,
                             (uint64_t)n->family << 8 | n->pitch);
    const double far = fmin(fmax(ems_rng_normal(&r), -2), 2);
    const double by = n->family == EMS_DRUMS ? 0.5 : 1;
    return 0.001 * by * touch->humanize * far;
}

/* ---- Notes -------------------------------------------------------------- */

/* What still sounds on each pitch while notes are read in order of start. */
typedef struct held {
    size_t on;       /* index of its event + 1; 0: nothing */
    int64_t end;
} held;

/* A pitch that is struck again ends what sounded on it, as on a piano; two
 * notes in one block become the louder of both. */
static int strike(ems_events *e, held *h, int64_t start, int64_t end,
                  const ems_note *n)
{
    if (h->on && e->items[h->on - 1].block >= start) {
        ems_event *same = &e->items[h->on - 1];
        same->b = n->velocity > same->b ? n->velocity : same->b;
        h->end = end > h->end ? end : h->end;
        return 0;
    }
    if (h->on) {
        const int64_t off = h->end < start ? h->end : start;
        if (add(e, (ems_event){off, EMS_EVENT_OFF, n->pitch, 0}) < 0)
            return -1;
    }
    if (add(e, (ems_event){start, EMS_EVENT_ON, n->pitch, n->velocity}) < 0)
        return -1;
    *h = (held){e->count, end};
    e->notes++;
    return 0;
}

static int add_note(ems_events *e, held *h, const ems_piece *p,
                    const ems_note *n, const ems_touch *touch)
{
    const double by = shift(p, n, touch);
    const double begin = fmax(n->start + by, 0);
    const double length = n->family == EMS_DRUMS
                              ? fmax(n->length, DRUM_LENGTH) : n->length;
    const double last = fmax(touch->release, begin + LEAST);
    const int64_t start = block_at(begin);
    const int64_t end = block_at(fmin(begin + length, last));
    return strike(e, h, start, end > start ? end : start + 1, n);
}

static int add_controls(ems_events *e, const ems_piece *p, ems_family family)
{
    for (size_t i = 0; i < p->control_count; i++) {
        const ems_control *c = &p->controls[i];
        if (c->family == family && c->time >= 0 && c->time < p->duration &&
            add(e, (ems_event){block_at(c->time), EMS_EVENT_CONTROL,
                               c->number & 127, c->value & 127}) < 0)
            return -1;
    }
    return 0;
}

static int add_notes(ems_events *e, const ems_piece *p, ems_family family,
                     uint64_t frames, const ems_touch *touch)
{
    held pitch[128] = {{0}};
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        if (n->family == family && n->start * EMS_RATE < (double)frames &&
            add_note(e, &pitch[n->pitch], p, n, touch) < 0)
            return -1;
    }
    for (unsigned k = 0; k < 128; k++)
        if (pitch[k].on && add(e, (ems_event){pitch[k].end, EMS_EVENT_OFF,
                                              (uint8_t)k, 0}) < 0)
            return -1;
    return 0;
}

int ems_events_collect(ems_events *e, const ems_piece *piece,
                       ems_family family, uint64_t frames,
                       const ems_touch *touch, ems_error *err)
{
    *e = (ems_events){0};
    if (add_notes(e, piece, family, frames, touch) < 0 ||
        add_controls(e, piece, family) < 0) {
        ems_events_clear(e);
        return ems_out_of_memory(err);
    }
    if (e->count)
        qsort(e->items, e->count, sizeof *e->items, earlier);
    return EMS_OK;
}

void ems_events_clear(ems_events *e)
{
    ems_free(e->items);
    *e = (ems_events){0};
}

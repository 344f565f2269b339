/* A MIDI file's time on a clock that the token grid divides evenly: every
 * quarter note a multiple of 12 ticks of 8 ms, every note at a twelfth of a
 * beat. A sixteenth is then always as long as the one before it; at 123 beats
 * a minute the grid alone would make it 15, 15, 15, 16 ticks, which no model
 * can foresee and every model would spend its loss on. */
#include "music/midi.h"
#include "music/vocab.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 12 /* a beat */, FASTEST = 24, SLOWEST = 240 /* ticks */ };

/* Microseconds of the nearest such quarter note, by ratio. */
static uint32_t even_quarter(uint32_t quarter)
{
    const double ticks = quarter * 1e-6 / EMS_TICK;
    double low = floor(ticks / STEPS) * STEPS;
    if (low < FASTEST)
        low = FASTEST;
    double best = ticks * ticks > low * (low + STEPS) ? low + STEPS : low;
    if (best > SLOWEST)
        best = SLOWEST;
    return (uint32_t)(best * EMS_TICK * 1e6 + 0.5);
}

static uint64_t on_grid(uint64_t tick, uint32_t division)
{
    const uint64_t steps =
        (2 * STEPS * tick + division) / (2 * (uint64_t)division);
    return (steps * division + STEPS / 2) / STEPS;
}

static int by_onset(const void *x, const void *y)
{
    const ems_midi_note *a = x, *b = y;
    if (a->on != b->on)
        return a->on < b->on ? -1 : 1;
    if (a->channel != b->channel)
        return a->channel - b->channel;
    if (a->pitch != b->pitch)
        return a->pitch - b->pitch;
    return a->track < b->track ? -1 : a->track > b->track;
}

void ems_midi_to_grid(ems_midi *m)
{
    if (m->timecode)
        return;
    for (size_t i = 0; i < m->tempo_count; i++) {
        ems_midi_tempo *t = &m->tempos[i];
        const ems_midi_tempo *before = t - 1;
        t->quarter = even_quarter(t->quarter);
        t->time = i ? before->time + (double)(t->tick - before->tick) *
                                         before->quarter * 1e-6 / m->division
                    : 0;
    }
    for (size_t i = 0; i < m->note_count; i++) {
        ems_midi_note *n = &m->notes[i];
        n->on = on_grid(n->on, m->division);
        n->off = on_grid(n->off, m->division);
        if (n->off <= n->on)
            n->off = on_grid(n->on + (m->division + STEPS - 1) / STEPS,
                             m->division);
        if (n->off <= n->on)
            n->off = n->on + 1;
        n->start = ems_midi_time(m, n->on);
        n->end = ems_midi_time(m, n->off);
    }
    if (m->note_count)
        qsort(m->notes, m->note_count, sizeof *m->notes, by_onset);
    m->duration = ems_midi_time(m, m->end_tick);
}

/* Order, programs and seconds of what midi_read.c found. */
#include "music/midi_internal.h"

#include "base/mem.h"

#include <stdlib.h>

enum { NO_PROGRAM = 255, DRUM_CHANNEL = 9 };

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int by_on(const void *a, const void *b)
{
    const ems_midi_note *x = a, *y = b;
    int c = ORDER(x->on, y->on);
    if (!c)
        c = ORDER(x->channel, y->channel);
    if (!c)
        c = ORDER(x->pitch, y->pitch);
    if (!c)
        c = ORDER(x->track, y->track);
    return c ? c : ORDER(x->off, y->off);
}

static int tempo_order(const void *a, const void *b)
{
    const ems_midi_tempo *x = a, *y = b;
    const int c = ORDER(x->tick, y->tick);
    return c ? c : ORDER(x->time, y->time);
}

static int program_order(const void *a, const void *b)
{
    const ems_midi_program *x = a, *y = b;
    int c = ORDER(x->channel, y->channel);
    if (!c)
        c = ORDER(x->tick, y->tick);
    return c ? c : ORDER(x->order, y->order);
}

static int metre_order(const void *a, const void *b)
{
    const ems_midi_metre *x = a, *y = b;
    int c = ORDER(x->tick, y->tick);
    if (!c)
        c = ORDER(x->beats, y->beats);
    return c ? c : ORDER(x->unit, y->unit);
}

static int key_order(const void *a, const void *b)
{
    const ems_midi_key *x = a, *y = b;
    int c = ORDER(x->tick, y->tick);
    if (!c)
        c = ORDER(x->sharps, y->sharps);
    return c ? c : ORDER(x->minor, y->minor);
}

static int text_order(const void *a, const void *b)
{
    const ems_midi_text *x = a, *y = b;
    const int c = ORDER(x->tick, y->tick);
    return c ? c : ORDER(x->at, y->at); /* at ascends in reading order */
}

static int control_order(const void *a, const void *b)
{
    const ems_midi_control *x = a, *y = b;
    const int c = ORDER(x->tick, y->tick);
    return c ? c : ORDER(x->order, y->order);
}

static void sort(void *items, size_t count, size_t size,
                 int (*order)(const void *, const void *))
{
    if (count > 1)
        qsort(items, count, size, order);
}

/* The channel's program at the note's tick, from any track. */
static uint8_t program_at(const ems_midi_programs *g, int channel,
                          uint64_t tick)
{
    size_t low = 0, high = g->count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const ems_midi_program *x = &g->items[mid];
        if (x->channel < channel ||
            (x->channel == channel && x->tick <= tick))
            low = mid + 1;
        else
            high = mid;
    }
    return low && g->items[low - 1].channel == channel
               ? g->items[low - 1].program
               : 0;
}

static void give_programs(ems_midi *m, ems_midi_programs *g)
{
    sort(g->items, g->count, sizeof *g->items, program_order);
    for (size_t i = 0; i < m->note_count; i++)
        if (m->notes[i].program == NO_PROGRAM)
            m->notes[i].program =
                program_at(g, m->notes[i].channel, m->notes[i].on);
}

/* One tempo per tick (the last wins), the first at tick 0, with seconds. */
static int tempo_map(ems_midi *m, double smpte, ems_error *err)
{
    if (ems_reserve((void *)&m->tempos, &m->tempo_capacity,
                    m->tempo_count + 1, sizeof *m->tempos) < 0)
        return ems_out_of_memory(err);
    if (smpte > 0) /* the division was set for 120 quarters a minute */
        m->tempo_count = 0;
    sort(m->tempos, m->tempo_count, sizeof *m->tempos, tempo_order);
    const int insert = m->tempo_count == 0 || m->tempos[0].tick > 0;
    if (insert) {
        for (size_t i = m->tempo_count; i > 0; i--)
            m->tempos[i] = m->tempos[i - 1];
        m->tempos[0] = (ems_midi_tempo){0, 0, 500000};
        m->tempo_count++;
    }
    if (smpte > 0)
        m->tempos[0].quarter = (uint32_t)(smpte * 1e6 * m->division + 0.5);
    size_t kept = 1;
    m->tempos[0].time = 0;
    for (size_t i = 1; i < m->tempo_count; i++) {
        const ems_midi_tempo t = m->tempos[i];
        if (t.tick != m->tempos[kept - 1].tick)
            kept++;
        m->tempos[kept - 1].tick = t.tick;
        m->tempos[kept - 1].quarter = t.quarter;
    }
    m->tempo_count = kept;
    for (size_t i = 1; i < kept; i++) {
        const ems_midi_tempo *before = &m->tempos[i - 1];
        m->tempos[i].time = before->time +
            (double)(m->tempos[i].tick - before->tick) * before->quarter /
                (1e6 * m->division);
    }
    return EMS_OK;
}

double ems_midi_time(const ems_midi *m, uint64_t tick)
{
    size_t low = 1, high = m->tempo_count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (m->tempos[mid].tick <= tick)
            low = mid + 1;
        else
            high = mid;
    }
    const ems_midi_tempo *t = &m->tempos[low - 1];
    return t->time +
           (double)(tick - t->tick) * t->quarter / (1e6 * m->division);
}

int ems_midi_settle(ems_midi *m, ems_midi_programs *programs, double smpte,
                    const char *name, ems_error *err)
{
    if (tempo_map(m, smpte, err) < 0)
        return EMS_ENOMEM;
    give_programs(m, programs);
    sort(m->metres, m->metre_count, sizeof *m->metres, metre_order);
    sort(m->keys, m->key_count, sizeof *m->keys, key_order);
    sort(m->text_events, m->text_count, sizeof *m->text_events, text_order);
    sort(m->controls, m->control_count, sizeof *m->controls, control_order);
    sort(m->notes, m->note_count, sizeof *m->notes, by_on);
    for (size_t i = 0; i < m->note_count; i++) {
        ems_midi_note *n = &m->notes[i];
        n->start = ems_midi_time(m, n->on);
        n->end = ems_midi_time(m, n->off);
        if (n->off > m->end_tick)
            m->end_tick = n->off;
    }
    for (size_t i = 0; i < m->text_count; i++)
        m->text_events[i].time = ems_midi_time(m, m->text_events[i].tick);
    for (size_t i = 0; i < m->control_count; i++)
        m->controls[i].time = ems_midi_time(m, m->controls[i].tick);
    m->duration = ems_midi_time(m, m->end_tick);
    if (m->duration > EMS_MIDI_MAX_SECONDS)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" lasts %.0f hours; the"
                        " longest taken lasts %d", name,
                        m->duration / 3600, EMS_MIDI_MAX_SECONDS / 3600);
    return EMS_OK;
}

/* Ticks of a bar; a metre finer than the division still moves on. */
static uint64_t bar_ticks(const ems_midi *m, const ems_midi_metre *metre)
{
    const uint64_t ticks = (uint64_t)m->division * 4 * metre->beats /
                           metre->unit;
    return ticks ? ticks : 1;
}

int ems_midi_bars(const ems_midi *m, uint64_t **bars, size_t *count,
                  ems_error *err)
{
    ems_midi_metre metre = {0, 4, 4};
    uint64_t *out = NULL;
    size_t n = 0, capacity = 0, next = 0;
    uint64_t tick = 0;
    for (;;) {
        if (n >= EMS_MIDI_MAX_BARS) {
            ems_free(out);
            return ems_fail(err, EMS_EFORMAT, "more than %d bars",
                            EMS_MIDI_MAX_BARS);
        }
        if (ems_reserve((void *)&out, &capacity, n + 1, sizeof *out) < 0) {
            ems_free(out);
            return ems_out_of_memory(err);
        }
        out[n++] = tick;
        if (tick >= m->end_tick)
            break;
        while (next < m->metre_count && m->metres[next].tick <= tick)
            metre = m->metres[next++];
        tick += bar_ticks(m, &metre);
        if (next < m->metre_count && m->metres[next].tick < tick)
            tick = m->metres[next].tick;
    }
    *bars = out;
    *count = n;
    return EMS_OK;
}

int ems_midi_family(int channel, int program)
{
    if (channel == DRUM_CHANNEL)
        return EMS_DRUMS;
    if (program < 8)
        return EMS_PIANO;
    if (program >= 24 && program < 32)
        return EMS_GUITAR;
    if (program >= 32 && program < 40)
        return EMS_BASS;
    return program < 96 ? EMS_STRINGS : -1;
}

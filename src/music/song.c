/* A MIDI file's notes as a song on the 8 ms grid. */
#include "music/tokens.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { EMPTY_BARS_KEPT = 2 };
#define SHORTEST_BAR 0.2 /* seconds, median */
#define LONGEST_BAR 30.0
#define DRUM_SECONDS 0.5 /* a drum's written length says nothing */

static uint32_t grid(double seconds)
{
    return (uint32_t)(seconds / EMS_TICK + 0.5);
}

/* Two beats, an eighth less: written lengths often end a little early. */
static uint8_t is_sustained(const ems_midi *m, const ems_midi_note *n)
{
    return (n->off - n->on) * 4 >= (uint64_t)m->division * 7;
}

static int take_notes(ems_song *s, const ems_midi *m, ems_error *err)
{
    s->notes = ems_alloc(m->note_count, sizeof *s->notes);
    if (!s->notes)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < m->note_count; i++) {
        const ems_midi_note *n = &m->notes[i];
        const int family = ems_midi_family(n->channel, n->program);
        if (family < 0 || n->pitch < EMS_LOW_PITCH ||
            n->pitch > EMS_HIGH_PITCH) {
            s->dropped++;
            continue;
        }
        const double longest = family == EMS_DRUMS ? DRUM_SECONDS
                                                   : EMS_LONGEST_NOTE;
        const double end = n->end < n->start + longest ? n->end
                                                       : n->start + longest;
        ems_song_note out = {
            .start = grid(n->start), .end = grid(end),
            .family = (uint8_t)family, .pitch = n->pitch,
            .velocity = n->velocity,
            .sustained = family != EMS_DRUMS && is_sustained(m, n),
        };
        if (out.end <= out.start)
            out.end = out.start + 1;
        s->notes[s->note_count++] = out;
    }
    return EMS_OK;
}

void ems_song_part(ems_song *s)
{
    size_t last[EMS_FAMILIES][128];
    memset(last, 0xff, sizeof last);
    size_t kept = 0;
    for (size_t i = 0; i < s->note_count; i++) {
        ems_song_note n = s->notes[i];
        size_t *at = &last[n.family][n.pitch];
        ems_song_note *old = *at == SIZE_MAX ? NULL : &s->notes[*at];
        if (old && n.start < old->end) {
            if (n.end < old->end)
                n.end = old->end;
            if (n.start == old->start) {
                old->end = n.end;
                old->sustained |= n.sustained;
                continue;
            }
            old->end = n.start;
        }
        *at = kept;
        s->notes[kept++] = n;
    }
    s->note_count = kept;
}

static int take_bars(ems_song *s, const ems_midi *m, ems_error *err)
{
    uint64_t *ticks;
    size_t count;
    const int code = ems_midi_bars(m, &ticks, &count, err);
    if (code < 0)
        return code;
    s->bars = ems_alloc(count, sizeof *s->bars);
    for (size_t i = 0; s->bars && i < count; i++) {
        const uint32_t tick = grid(ems_midi_time(m, ticks[i]));
        if (!s->bar_count || tick > s->bars[s->bar_count - 1])
            s->bars[s->bar_count++] = tick;
    }
    ems_free(ticks);
    return s->bars ? EMS_OK : ems_out_of_memory(err);
}

/* Move everything so that long rests and the silence before the first note
 * shrink; bars after the last note go. Notes never lie in an empty bar, so
 * one pass with one offset moves them. */
static void close_gaps(ems_song *s)
{
    size_t kept = 0, note = 0, empty = EMPTY_BARS_KEPT;
    uint32_t removed = 0, sounding = 0;
    for (size_t i = 0; i < s->bar_count; i++) {
        const uint32_t bar = s->bars[i];
        const uint32_t next = i + 1 < s->bar_count ? s->bars[i + 1]
                                                   : UINT32_MAX;
        const int silent = sounding <= bar && (note == s->note_count ||
                                               s->notes[note].start >= next);
        if (silent && note == s->note_count)
            break;
        empty = silent ? empty + 1 : 0;
        if (empty > EMPTY_BARS_KEPT) {
            removed += next - bar;
            continue;
        }
        s->bars[kept++] = bar - removed;
        for (; note < s->note_count && s->notes[note].start < next; note++) {
            ems_song_note *n = &s->notes[note];
            sounding = n->end > sounding ? n->end : sounding;
            n->start -= removed;
            n->end -= removed;
            s->end = n->end > s->end ? n->end : s->end;
        }
    }
    s->bar_count = kept;
}

static int tick_order(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Free-time recordings carry bars that mean nothing; most of those have no
 * sensible length. */
static int check_bars(const ems_song *s, const char *name, ems_error *err)
{
    const size_t n = s->bar_count > 1 ? s->bar_count - 1 : 0;
    if (n == 0)
        return EMS_OK;
    uint32_t *length = ems_alloc(n, sizeof *length);
    if (!length)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        length[i] = s->bars[i + 1] - s->bars[i];
    qsort(length, n, sizeof *length, tick_order);
    const double median = length[n / 2] * EMS_TICK;
    ems_free(length);
    if (median < SHORTEST_BAR || median > LONGEST_BAR)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" has bars of %.2f seconds,"
                        " which no music has", name, median);
    return EMS_OK;
}

/* Mean length of a quarter note where notes are. */
static double mean_beat(const ems_midi *m)
{
    if (m->note_count == 0)
        return 0.5;
    const ems_midi_note *first = &m->notes[0];
    const ems_midi_note *last = &m->notes[m->note_count - 1];
    const double beats = (double)(last->off - first->on) / m->division;
    return beats > 0 ? (last->end - first->start) / beats : 0.5;
}

int ems_song_from_midi(ems_song *s, const ems_midi *m, const char *name,
                       ems_error *err)
{
    *s = (ems_song){0};
    int code = take_notes(s, m, err);
    if (code == EMS_OK && s->note_count == 0)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" has no notes of bass,"
                        " drums, guitar, piano or strings", name);
    if (code == EMS_OK)
        code = take_bars(s, m, err);
    if (code == EMS_OK) {
        ems_song_part(s);
        close_gaps(s);
        s->beat = mean_beat(m);
        code = check_bars(s, name, err);
    }
    if (code < 0)
        ems_song_clear(s);
    return code;
}

void ems_song_clear(ems_song *s)
{
    ems_free(s->notes);
    ems_free(s->bars);
    *s = (ems_song){0};
}

int ems_song_families(const ems_song *s)
{
    int sounds[EMS_FAMILIES] = {0};
    for (size_t i = 0; i < s->note_count; i++)
        sounds[s->notes[i].family] = 1;
    return sounds[0] + sounds[1] + sounds[2] + sounds[3] + sounds[4];
}

/* A piece as a type 1 MIDI file of 480 ticks per quarter: track 0 holds tempo
 * map, metres, keys, markers, cue points and texts, then one track per family
 * that sounds.
 *
 * Time is counted in whole microseconds, as tempo events are: each bar's
 * tempo is chosen from where the bars so far really ended, so that errors of
 * rounding (at most 4 us for a bar) do not add up over hours. */
#include "music/midi.h"
#include "music/piece.h"
#include "music/piece_midi.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONGEST_QUARTER = 0xffffff, /* microseconds; three bytes */
    DEFAULT_BAR_US = 2000000, MAX_TEXT = 200, OFF_VELOCITY = 64,
};

typedef struct buffer {
    uint8_t *data;
    size_t size, capacity;
    int failed; /* out of memory */
} buffer;

typedef struct line { /* a bar as it is written */
    int64_t us;
    uint64_t tick;
    uint32_t quarter;
    int beats;
} line;

typedef struct writer {
    const ems_piece *piece;
    buffer b;
    line *lines;
    size_t count;
    uint64_t end_tick;
    uint64_t tick; /* of the last event in this track */
} writer;

static const uint8_t channel_of[EMS_FAMILIES] = {0, 9, 1, 2, 3};

/* ---- Bytes ---- */

static void put_bytes(buffer *b, const void *data, size_t size)
{
    if (b->failed || ems_reserve((void *)&b->data, &b->capacity,
                                 b->size + size, 1) < 0) {
        b->failed = 1;
        return;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_byte(buffer *b, int value)
{
    const uint8_t byte = (uint8_t)value;
    put_bytes(b, &byte, 1);
}

static void put_u16(buffer *b, int value)
{
    put_byte(b, value >> 8);
    put_byte(b, value);
}

static void put_number(buffer *b, uint64_t value)
{
    for (int shift = 21; shift > 0; shift -= 7)
        if (value >> shift)
            put_byte(b, (int)(value >> shift & 127) | 128);
    put_byte(b, (int)(value & 127));
}

static void put_delta(writer *w, uint64_t tick)
{
    put_number(&w->b, tick - w->tick);
    w->tick = tick;
}

static void put_meta(writer *w, uint64_t tick, int kind, const void *data,
                     size_t size)
{
    put_delta(w, tick);
    put_byte(&w->b, 0xff);
    put_byte(&w->b, kind);
    put_number(&w->b, size);
    put_bytes(&w->b, data, size);
}

static void put_text(writer *w, uint64_t tick, int kind, const char *text)
{
    put_meta(w, tick, kind, text, strlen(text));
}

static void put_control(writer *w, int channel, int controller, int value)
{
    put_delta(w, 0);
    put_byte(&w->b, 0xb0 | channel);
    put_byte(&w->b, controller);
    put_byte(&w->b, value);
}

static size_t begin_track(writer *w)
{
    put_bytes(&w->b, "MTrk\0\0\0\0", 8);
    w->tick = 0;
    return w->b.size;
}

static void end_track(writer *w, size_t begin)
{
    put_meta(w, w->end_tick, 0x2f, "", 0);
    if (w->b.failed)
        return;
    const size_t size = w->b.size - begin;
    for (int i = 0; i < 4; i++)
        w->b.data[begin - 4 + (size_t)i] = (uint8_t)(size >> (24 - 8 * i));
}

/* ---- Time ---- */

static int64_t us_of(double seconds)
{
    return (int64_t)(seconds * 1e6 + 0.5);
}

static int add_bar(writer *w, int64_t end, int beats, ems_error *err)
{
    line *l = &w->lines[w->count];
    const int64_t quarter = (end - l->us + beats / 2) / beats;
    if (beats < 1 || beats > 32 || end <= l->us ||
        quarter > LONGEST_QUARTER)
        return ems_fail(err, EMS_EINVAL, "bar %zu lasts %.3f s with %d"
                        " beats, which MIDI cannot say", w->count + 1,
                        (double)(end - l->us) / 1e6, beats);
    l->quarter = quarter > 0 ? (uint32_t)quarter : 1;
    l->beats = beats;
    w->count++;
    w->lines[w->count].us = l->us + (int64_t)l->quarter * beats;
    w->lines[w->count].tick = l->tick +
                              (uint64_t)beats * EMS_PIECE_DIVISION;
    return EMS_OK;
}

/* Bars from 0 to the end: the piece's, before the first one a bar of 4 beats,
 * and bars at 120 per minute when it has none. */
static int lay_bars(writer *w, ems_error *err)
{
    const ems_piece *p = w->piece;
    const int64_t end = us_of(p->duration);
    const size_t most = p->bar_count
                            ? p->bar_count + 2
                            : (size_t)(end / DEFAULT_BAR_US) + 2;
    w->lines = ems_alloc(most + 1, sizeof *w->lines);
    if (!w->lines)
        return ems_out_of_memory(err);
    int code = EMS_OK;
    if (p->bar_count && us_of(p->bars[0].start) > 0)
        code = add_bar(w, us_of(p->bars[0].start), 4, err);
    for (size_t i = 0; code == EMS_OK && i < p->bar_count; i++)
        code = add_bar(w, i + 1 < p->bar_count ? us_of(p->bars[i + 1].start)
                                               : end,
                       p->bars[i].beats, err);
    for (int64_t at = 0; code == EMS_OK && !p->bar_count && at < end;
         at += DEFAULT_BAR_US) {
        const int64_t left = end - at;
        const int beats = left < DEFAULT_BAR_US
                              ? (int)((left + 499999) / 500000) : 4;
        code = add_bar(w, left < DEFAULT_BAR_US ? end : at + DEFAULT_BAR_US,
                       beats, err);
    }
    w->end_tick = w->lines[w->count].tick;
    if (code == EMS_OK && w->end_tick >> 28)
        code = ems_fail(err, EMS_EINVAL, "a piece of %llu ticks; MIDI counts"
                        " to 2^28", (unsigned long long)w->end_tick);
    return code;
}

static uint64_t tick_of(const writer *w, double seconds)
{
    const double us = seconds * 1e6;
    size_t low = 1, high = w->count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if ((double)w->lines[mid].us <= us)
            low = mid + 1;
        else
            high = mid;
    }
    const line *l = &w->lines[low - 1];
    const double ticks = (us - (double)l->us) * EMS_PIECE_DIVISION /
                         l->quarter;
    const uint64_t tick = l->tick + (ticks > 0 ? (uint64_t)(ticks + 0.5) : 0);
    return tick < w->end_tick ? tick : w->end_tick;
}

/* ---- Track 0 ---- */

static void put_bar(writer *w, size_t i)
{
    const line *l = &w->lines[i];
    if (i == 0 || l->beats != w->lines[i - 1].beats) {
        const uint8_t metre[4] = {(uint8_t)l->beats, 2, 24, 8};
        put_meta(w, l->tick, 0x58, metre, sizeof metre);
    }
    if (i == 0 || l->quarter != w->lines[i - 1].quarter) {
        const uint8_t tempo[3] = {(uint8_t)(l->quarter >> 16),
                                  (uint8_t)(l->quarter >> 8),
                                  (uint8_t)l->quarter};
        put_meta(w, l->tick, 0x51, tempo, sizeof tempo);
    }
}

static void put_marker(writer *w, const ems_marker *m, uint64_t tick)
{
    char text[MAX_TEXT];
    if (m->kind == EMS_MARK_CUE) {
        put_text(w, tick, EMS_MIDI_CUE, m->text);
        return;
    }
    const char *name = ems_marker_name[m->kind];
    const size_t n = strlen(name);
    const int named = strncmp(m->text, name, n) == 0 &&
                      (m->text[n] == ' ' || m->text[n] == '\0');
    snprintf(text, sizeof text, "%s%s%s", named ? "" : name,
             named || !m->text[0] ? "" : " ", m->text);
    put_text(w, tick, EMS_MIDI_MARKER, text);
}

static void put_key(writer *w, uint64_t tick, int sharps, int minor)
{
    const uint8_t key[2] = {(uint8_t)(int8_t)sharps, (uint8_t)minor};
    put_meta(w, tick, 0x59, key, sizeof key);
}

/* The film's first frame is 0:00:00:00. */
static void put_smpte(writer *w)
{
    static const int rates[] = {24, 25, 29, 30};
    for (int i = 0; i < 4; i++)
        if (rates[i] == w->piece->smpte) {
            const uint8_t offset[5] = {(uint8_t)(i << 5)};
            put_meta(w, 0, 0x54, offset, sizeof offset);
        }
}

/* Markers, cue points and keys before `until`, from the places *marker and
 * *key on. */
static void put_signs(writer *w, size_t *marker, size_t *key, uint64_t until)
{
    const ems_piece *p = w->piece;
    for (;;) {
        const uint64_t m = *marker < p->marker_count
                               ? tick_of(w, p->markers[*marker].time)
                               : UINT64_MAX;
        const uint64_t k = *key < p->key_count
                               ? tick_of(w, p->keys[*key].time) : UINT64_MAX;
        if (k < until && k <= m) {
            put_key(w, k, p->keys[*key].sharps, p->keys[*key].minor);
            ++*key;
        } else if (m < until) {
            put_marker(w, &p->markers[(*marker)++], m);
        } else {
            return;
        }
    }
}

static void put_conductor(writer *w)
{
    const ems_piece *p = w->piece;
    const size_t begin = begin_track(w);
    char text[MAX_TEXT];
    put_smpte(w);
    put_text(w, 0, EMS_MIDI_NAME, "EMSYNC");
    if (p->text[0])
        put_text(w, 0, EMS_MIDI_TEXT, p->text);
    snprintf(text, sizeof text, EMS_DURATION_TEXT "%lld",
             (long long)us_of(p->duration));
    put_text(w, 0, EMS_MIDI_TEXT, text);
    put_key(w, 0, p->key_sharps, p->key_minor);
    size_t marker = 0, key = 0;
    for (size_t i = 0; i <= w->count; i++) {
        put_signs(w, &marker, &key,
                  i < w->count ? w->lines[i].tick : UINT64_MAX);
        if (i < w->count)
            put_bar(w, i);
    }
    end_track(w, begin);
}

/* ---- Tracks of notes ---- */

typedef struct written {
    uint64_t on, off;
    uint8_t pitch, velocity;
} written;

enum { END, CONTROL, BEGIN }; /* kinds of events, as they come at a tick */

/* An event as one number that sorts: tick, kind, then its two bytes. */
static uint64_t event_of(uint64_t tick, int kind, int a, int b)
{
    return tick << 16 | (uint64_t)kind << 14 | (uint64_t)(a & 127) << 7 |
           (uint64_t)(b & 127);
}

static int event_order(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The family's notes in ticks; of one pitch never two at a time, so that
 * every reader pairs them alike. */
static size_t take_notes(const writer *w, int family, written *out)
{
    size_t count = 0, last[128];
    memset(last, 0xff, sizeof last);
    for (size_t i = 0; i < w->piece->note_count; i++) {
        const ems_note *n = &w->piece->notes[i];
        if (n->family != family)
            continue;
        written x = {tick_of(w, n->start), tick_of(w, n->start + n->length),
                     n->pitch & 127, n->velocity & 127};
        x.velocity = x.velocity ? x.velocity : 1;
        if (x.on >= w->end_tick)
            x.on = w->end_tick - 1;
        if (x.off <= x.on)
            x.off = x.on + 1;
        written *old = last[x.pitch] == SIZE_MAX ? NULL
                                                 : &out[last[x.pitch]];
        if (old && old->on >= x.on) {
            old->off = x.off > old->off ? x.off : old->off;
            old->velocity = x.velocity > old->velocity ? x.velocity
                                                       : old->velocity;
            continue;
        }
        if (old && old->off > x.on)
            old->off = x.on;
        last[x.pitch] = count;
        out[count++] = x;
    }
    return count;
}

/* The family's controllers; two of a kind in one tick become the last. */
static size_t take_controls(const writer *w, int family, uint64_t *events)
{
    size_t count = 0, last[128] = {0}; /* index + 1 */
    for (size_t i = 0; i < w->piece->control_count; i++) {
        const ems_control *c = &w->piece->controls[i];
        if (c->family != family)
            continue;
        const uint64_t e = event_of(tick_of(w, c->time), CONTROL, c->number,
                                    c->value);
        size_t *at = &last[c->number & 127];
        if (*at && events[*at - 1] >> 16 == e >> 16) {
            events[*at - 1] = e;
            continue;
        }
        events[count++] = e;
        *at = count;
    }
    return count;
}

static void put_events(writer *w, const uint64_t *events, size_t count,
                       int channel)
{
    static const int status[] = {0x80, 0xb0, 0x90};
    for (size_t i = 0; i < count; i++) {
        put_delta(w, events[i] >> 16);
        put_byte(&w->b, status[events[i] >> 14 & 3] | channel);
        put_byte(&w->b, (int)(events[i] >> 7 & 127));
        put_byte(&w->b, (int)(events[i] & 127));
    }
}

static void put_family(writer *w, int family, const uint64_t *events,
                       size_t count)
{
    const int channel = channel_of[family];
    const size_t begin = begin_track(w);
    put_text(w, 0, EMS_MIDI_NAME, ems_family_name[family]);
    put_control(w, channel, 0, 0);
    put_control(w, channel, 32, 0);
    put_delta(w, 0);
    put_byte(&w->b, 0xc0 | channel);
    put_byte(&w->b, w->piece->program[family] & 127);
    put_control(w, channel, EMS_CC_VOLUME, w->piece->volume[family] & 127);
    put_control(w, channel, EMS_CC_PAN, w->piece->pan[family] & 127);
    put_events(w, events, count, channel);
    end_track(w, begin);
}

static int put_families(writer *w, ems_error *err)
{
    const size_t n = w->piece->note_count;
    written *notes = ems_alloc(n, sizeof *notes);
    uint64_t *events =
        ems_alloc(2 * n + w->piece->control_count, sizeof *events);
    for (int f = 0; notes && events && f < EMS_FAMILIES; f++) {
        const size_t count = take_notes(w, f, notes);
        for (size_t i = 0; i < count; i++) {
            const written *x = &notes[i];
            events[2 * i] = event_of(x->off, END, x->pitch, OFF_VELOCITY);
            events[2 * i + 1] = event_of(x->on, BEGIN, x->pitch, x->velocity);
        }
        if (count == 0)
            continue;
        const size_t all = 2 * count + take_controls(w, f, events + 2 * count);
        qsort(events, all, sizeof *events, event_order);
        put_family(w, f, events, all);
    }
    const int done = notes && events;
    ems_free(notes);
    ems_free(events);
    return done ? EMS_OK : ems_out_of_memory(err);
}

static int count_tracks(const ems_piece *p)
{
    int sounds[EMS_FAMILIES] = {0};
    for (size_t i = 0; i < p->note_count; i++)
        sounds[p->notes[i].family] = 1;
    int tracks = 1;
    for (int f = 0; f < EMS_FAMILIES; f++)
        tracks += sounds[f];
    return tracks;
}

static int check_piece(const ems_piece *p, ems_error *err)
{
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        if (n->family >= EMS_FAMILIES || !(n->start >= 0) ||
            !(n->start < p->duration) || !(n->length > 0) ||
            (i > 0 && n->start < n[-1].start))
            return ems_fail(err, EMS_EINVAL, "note %zu of the piece is"
                            " outside it or out of order", i);
    }
    for (size_t i = 0; i < p->control_count; i++) {
        const ems_control *c = &p->controls[i];
        if (c->family >= EMS_FAMILIES || !(c->time >= 0) ||
            (i > 0 && c->time < c[-1].time))
            return ems_fail(err, EMS_EINVAL, "controller %zu of the piece is"
                            " outside it or out of order", i);
    }
    for (size_t i = 0; i < p->marker_count; i++) {
        const ems_marker *m = &p->markers[i];
        if (!(m->time >= 0) || (i > 0 && m->time < m[-1].time))
            return ems_fail(err, EMS_EINVAL, "marker %zu of the piece is"
                            " out of order", i);
    }
    for (size_t i = 0; i < p->key_count; i++) {
        const ems_signature *k = &p->keys[i];
        if (!(k->time > 0) || (i > 0 && k->time < k[-1].time))
            return ems_fail(err, EMS_EINVAL, "key %zu of the piece is out of"
                            " order", i);
    }
    return EMS_OK;
}

static int write_all(writer *w, ems_error *err)
{
    int code = check_piece(w->piece, err);
    if (code == EMS_OK)
        code = lay_bars(w, err);
    if (code < 0)
        return code;
    put_bytes(&w->b, "MThd\0\0\0\6", 8);
    put_u16(&w->b, 1);
    put_u16(&w->b, count_tracks(w->piece));
    put_u16(&w->b, EMS_PIECE_DIVISION);
    put_conductor(w);
    code = put_families(w, err);
    return code == EMS_OK && w->b.failed ? ems_out_of_memory(err) : code;
}

int ems_piece_to_midi(const ems_piece *p, uint8_t **data, size_t *size,
                      ems_error *err)
{
    writer w = {.piece = p};
    const int code = write_all(&w, err);
    ems_free(w.lines);
    if (code < 0) {
        ems_free(w.b.data);
        return code;
    }
    *data = w.b.data;
    *size = w.b.size;
    return EMS_OK;
}

int ems_piece_save(const ems_piece *p, const char *path, ems_error *err)
{
    uint8_t *data;
    size_t size;
    int code = ems_piece_to_midi(p, &data, &size, err);
    if (code < 0)
        return code;
    code = ems_file_write(path, data, size, err);
    ems_free(data);
    return code;
}

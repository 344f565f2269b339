/* The event stream of a MIDI file to arrays; midi_time.c then turns ticks
 * into seconds. Format: "Standard MIDI Files 1.0", MMA 1988/1996. */
#include "music/midi.h"
#include "music/midi_internal.h"
#include "music/piece.h"

#include "base/mem.h"
#include "base/reader.h"

#include <string.h>

enum { NO_PROGRAM = 255, TEXT_BYTES = 1024 };

typedef struct sounding { /* a note that waits for its end */
    uint64_t on;
    uint8_t velocity;     /* 0: silent */
    uint8_t program;
} sounding;

typedef struct parser {
    ems_reader r;       /* of the track chunk at hand */
    size_t base;        /* byte offset of the chunk in the file */
    const char *name;
    ems_error *err;
    ems_midi *m;
    ems_midi_programs *programs;
    uint64_t tick;
    uint32_t track;
    uint8_t status;     /* running status, 0: none */
    uint8_t program[16];
    sounding active[16][128];
} parser;

static int refuse(const parser *p, const char *what)
{
    return ems_fail(p->err, EMS_EFORMAT, "\"%s\" byte %zu: %s", p->name,
                    p->base + p->r.at, what);
}

/* Room for one more of a kind. */
static int room(const parser *p, void *block, size_t *capacity, size_t count,
                size_t size, size_t limit)
{
    if (count >= limit)
        return refuse(p, "more events than any music has");
    if (ems_reserve(block, capacity, count + 1, size) < 0)
        return ems_out_of_memory(p->err);
    return EMS_OK;
}

/* A number of 1 to 4 bytes with 7 bits each. */
static int read_number(parser *p, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t byte = ems_read_u8(&p->r);
        value = value << 7 | (byte & 0x7f);
        if (!(byte & 0x80)) {
            *out = value;
            return EMS_OK;
        }
    }
    return refuse(p, "a number longer than 4 bytes");
}

static int end_note(parser *p, int channel, int pitch)
{
    sounding *s = &p->active[channel][pitch];
    if (!s->velocity) {
        p->m->warnings++;
        return EMS_OK;
    }
    ems_midi *m = p->m;
    const int code = room(p, (void *)&m->notes, &m->note_capacity,
                          m->note_count, sizeof *m->notes,
                          EMS_MIDI_MAX_NOTES);
    if (code < 0)
        return code;
    m->notes[m->note_count++] = (ems_midi_note){
        .on = s->on,
        .off = p->tick > s->on ? p->tick : s->on + 1,
        .track = p->track, .channel = (uint8_t)channel,
        .program = s->program, .pitch = (uint8_t)pitch,
        .velocity = s->velocity,
    };
    s->velocity = 0;
    return EMS_OK;
}

/* A note struck again while it sounds ends there; struck twice at one tick it
 * is one note. */
static int begin_note(parser *p, int channel, int pitch, uint8_t velocity)
{
    sounding *s = &p->active[channel][pitch];
    if (s->velocity && s->on == p->tick) {
        s->velocity = velocity > s->velocity ? velocity : s->velocity;
        return EMS_OK;
    }
    const int code = s->velocity ? end_note(p, channel, pitch) : EMS_OK;
    *s = (sounding){p->tick, velocity, p->program[channel]};
    return code;
}

static int add_program(parser *p, int channel, uint8_t program)
{
    p->program[channel] = program;
    ems_midi_programs *g = p->programs;
    const int code = room(p, (void *)&g->items, &g->capacity, g->count,
                          sizeof *g->items, EMS_MIDI_MAX_EVENTS);
    if (code == EMS_OK) {
        g->items[g->count] = (ems_midi_program){p->tick, g->count,
                                                (uint8_t)channel, program};
        g->count++;
    }
    return code;
}

/* What a synthesiser shall be told; more than a file may have is dropped. */
static int add_control(parser *p, int channel, uint8_t number, uint8_t value)
{
    ems_midi *m = p->m;
    if (number != EMS_CC_EXPRESSION && number != EMS_CC_SUSTAIN &&
        number != EMS_CC_VOLUME && number != EMS_CC_PAN)
        return EMS_OK;
    if (m->control_count >= EMS_MIDI_MAX_EVENTS) {
        m->warnings++;
        return EMS_OK;
    }
    if (ems_reserve((void *)&m->controls, &m->control_capacity,
                    m->control_count + 1, sizeof *m->controls) < 0)
        return ems_out_of_memory(p->err);
    m->controls[m->control_count] = (ems_midi_control){
        .tick = p->tick, .order = (uint32_t)m->control_count,
        .channel = (uint8_t)channel, .number = number, .value = value};
    m->control_count++;
    return EMS_OK;
}

static int channel_event(parser *p, uint8_t status)
{
    const int channel = status & 15, kind = status >> 4;
    const uint8_t a = ems_read_u8(&p->r);
    const uint8_t b = kind == 12 || kind == 13 ? 0 : ems_read_u8(&p->r);
    if (p->r.failed)
        return EMS_OK;
    if ((a | b) & 0x80)
        return refuse(p, "a data byte above 127");
    if (kind == 9 && b)
        return begin_note(p, channel, a, b);
    if (kind == 8 || kind == 9)
        return end_note(p, channel, a);
    if (kind == 11)
        return add_control(p, channel, a, b);
    return kind == 12 ? add_program(p, channel, a) : EMS_OK;
}

static int add_tempo(parser *p, const uint8_t *data)
{
    ems_midi *m = p->m;
    const uint32_t quarter = (uint32_t)data[0] << 16 |
                             (uint32_t)data[1] << 8 | data[2];
    if (quarter == 0) {
        m->warnings++;
        return EMS_OK;
    }
    const int code = room(p, (void *)&m->tempos, &m->tempo_capacity,
                          m->tempo_count, sizeof *m->tempos,
                          EMS_MIDI_MAX_EVENTS);
    if (code == EMS_OK) /* time holds the order until seconds are known */
        m->tempos[m->tempo_count] = (ems_midi_tempo){
            p->tick, (double)m->tempo_count, quarter};
    m->tempo_count += code == EMS_OK;
    return code;
}

static int add_metre(parser *p, const uint8_t *data)
{
    ems_midi *m = p->m;
    if (data[0] == 0 || data[1] > 6) {
        m->warnings++;
        return EMS_OK;
    }
    const int code = room(p, (void *)&m->metres, &m->metre_capacity,
                          m->metre_count, sizeof *m->metres,
                          EMS_MIDI_MAX_EVENTS);
    if (code == EMS_OK)
        m->metres[m->metre_count++] = (ems_midi_metre){
            p->tick, data[0], (uint8_t)(1 << data[1])};
    return code;
}

static int add_key(parser *p, const uint8_t *data)
{
    ems_midi *m = p->m;
    const int8_t sharps = (int8_t)data[0];
    if (sharps < -7 || sharps > 7 || data[1] > 1) {
        m->warnings++;
        return EMS_OK;
    }
    const int code = room(p, (void *)&m->keys, &m->key_capacity,
                          m->key_count, sizeof *m->keys,
                          EMS_MIDI_MAX_EVENTS);
    if (code == EMS_OK)
        m->keys[m->key_count++] = (ems_midi_key){p->tick, sharps,
                                                 (int8_t)data[1]};
    return code;
}

static int add_text(parser *p, int kind, const uint8_t *data, size_t length)
{
    ems_midi *m = p->m;
    length = length < TEXT_BYTES ? length : TEXT_BYTES;
    const int code = room(p, (void *)&m->text_events, &m->text_capacity,
                          m->text_count, sizeof *m->text_events,
                          EMS_MIDI_MAX_EVENTS);
    if (code < 0)
        return code;
    if (ems_reserve((void *)&m->texts, &m->texts_capacity,
                    m->texts_size + length, 1) < 0)
        return ems_out_of_memory(p->err);
    if (length)
        memcpy(m->texts + m->texts_size, data, length);
    m->text_events[m->text_count++] = (ems_midi_text){
        .tick = p->tick, .track = p->track,
        .kind = (ems_midi_text_kind)kind,
        .at = m->texts_size, .length = length,
    };
    m->texts_size += length;
    return EMS_OK;
}

/* Returns 1 at the end of the track. */
static int meta_event(parser *p)
{
    const uint8_t kind = ems_read_u8(&p->r);
    uint32_t length = 0;
    const int code = read_number(p, &length);
    if (code < 0)
        return code;
    const uint8_t *data = ems_read_bytes(&p->r, length);
    if (!data)
        return EMS_OK;
    if (kind == 0x2f)
        return 1;
    if (kind == 0x54 && length == 5 && data[0] < 128)
        p->m->smpte = (const int[]){24, 25, 29, 30}[data[0] >> 5];
    if (kind == 0x51 && length >= 3)
        return add_tempo(p, data);
    if (kind == 0x58 && length >= 2)
        return add_metre(p, data);
    if (kind == 0x59 && length >= 2)
        return add_key(p, data);
    if (kind >= 1 && kind <= EMS_MIDI_CUE)
        return add_text(p, kind, data, length);
    return EMS_OK;
}

static int sysex_event(parser *p)
{
    uint32_t length = 0;
    const int code = read_number(p, &length);
    if (code == EMS_OK)
        ems_read_bytes(&p->r, length);
    return code;
}

/* Returns 1 at the end of the track, 0 or an error. A read past the chunk
 * leaves r.failed set. */
static int event(parser *p)
{
    uint32_t delta = 0;
    const int code = read_number(p, &delta);
    if (code < 0)
        return code;
    if (!p->r.failed)
        p->tick += delta;
    const uint8_t first = ems_read_u8(&p->r);
    if (p->r.failed)
        return EMS_OK;
    if (first == 0xff)
        return meta_event(p);
    if (first == 0xf0 || first == 0xf7) {
        p->status = 0;
        return sysex_event(p);
    }
    if (first > 0xf0)
        return first >= 0xf8 ? EMS_OK : refuse(p, "a system message");
    if (first & 0x80)
        p->status = first;
    else
        p->r.at--; /* running status: that was the first data byte */
    if (!p->status)
        return refuse(p, "data without a status byte");
    return channel_event(p, p->status);
}

static int hanging_notes(parser *p)
{
    for (int channel = 0; channel < 16; channel++)
        for (int pitch = 0; pitch < 128; pitch++)
            if (p->active[channel][pitch].velocity) {
                p->m->warnings++;
                const int code = end_note(p, channel, pitch);
                if (code < 0)
                    return code;
            }
    return EMS_OK;
}

static int track(parser *p, const uint8_t *data, size_t size, size_t base)
{
    p->r = (ems_reader){data, size, 0, 0};
    p->base = base;
    p->status = 0;
    p->tick = p->m->type == 2 ? p->m->end_tick : 0;
    memset(p->program, NO_PROGRAM, sizeof p->program);
    int code = 0;
    while (code == 0 && !p->r.failed && ems_reader_left(&p->r) > 0) {
        code = event(p);
        if (p->tick >> 40)
            return refuse(p, "a time beyond all music");
    }
    if (code < 0)
        return code;
    p->m->warnings += code == 0; /* cut off, or no end of track */
    code = hanging_notes(p);
    if (p->tick > p->m->end_tick)
        p->m->end_tick = p->tick;
    p->track++;
    return code;
}

/* Where the next chunk begins: some writers state wrong lengths, so if no
 * chunk's name is here, look for the next track. */
static void seek_chunk(ems_reader *file, size_t *warnings)
{
    if (ems_reader_left(file) < 8)
        return;
    const uint8_t *here = file->data + file->at;
    for (int i = 0; i < 4; i++)
        if ((here[i] | 32) < 'a' || (here[i] | 32) > 'z') {
            const uint8_t *found = memmem(here, ems_reader_left(file),
                                          "MTrk", 4);
            file->at = found ? (size_t)(found - file->data) : file->size;
            (*warnings)++;
            return;
        }
}

static int chunks(parser *p, ems_reader *file)
{
    for (;;) {
        seek_chunk(file, &p->m->warnings);
        const uint8_t *id = ems_read_bytes(file, 4);
        size_t length = ems_read_u32be(file);
        if (file->failed)
            return EMS_OK;
        if (length > ems_reader_left(file)) {
            length = ems_reader_left(file);
            p->m->warnings++;
        }
        const size_t base = file->at;
        const uint8_t *data = ems_read_bytes(file, length);
        if (memcmp(id, "MTrk", 4) != 0)
            continue;
        if (p->track >= 65535)
            return refuse(p, "more than 65535 tracks");
        const int code = track(p, data, length, base);
        if (code < 0)
            return code;
    }
}

/* "MThd", and what stands before it in a RIFF file; sets type, division and
 * *smpte (seconds of a tick, 0: musical time). */
static int header(parser *p, ems_reader *file, double *smpte)
{
    if (file->size >= 20 && memcmp(file->data, "RIFF", 4) == 0 &&
        memcmp(file->data + 8, "RMIDdata", 8) == 0)
        file->at = 20;
    p->r = *file;
    const uint8_t *id = ems_read_bytes(file, 4);
    if (!id || memcmp(id, "MThd", 4) != 0)
        return refuse(p, "not a MIDI file (no MThd)");
    const uint32_t length = ems_read_u32be(file);
    const size_t end = file->at + length;
    p->m->type = ems_read_u16be(file);
    ems_read_u16be(file); /* the stated number of tracks is often wrong */
    const uint16_t division = ems_read_u16be(file);
    p->r.at = file->at;
    if (length < 6 || file->failed || end > file->size)
        return refuse(p, "the header is cut off");
    file->at = end;
    if (p->m->type > 2)
        return refuse(p, "a MIDI file of an unknown type");
    p->m->division = division;
    if (division & 0x8000) {
        p->m->timecode = 1;
        const int fps = 256 - (division >> 8), ticks = division & 255;
        if (ticks == 0 || (fps != 24 && fps != 25 && fps != 29 && fps != 30))
            return refuse(p, "a division that no film has");
        *smpte = 1.0 / ((fps == 29 ? 30 / 1.001 : fps) * ticks);
        p->m->division = (uint32_t)(fps == 29 ? 30 : fps) *
                         (uint32_t)ticks / 2; /* 120 quarters a minute */
        if (p->m->division == 0)
            p->m->division = 1;
    } else if (division == 0) {
        return refuse(p, "a division of 0 ticks per quarter note");
    }
    return EMS_OK;
}

int ems_midi_parse(ems_midi *m, const void *data, size_t size,
                   const char *name, ems_error *err)
{
    *m = (ems_midi){0};
    if (size > EMS_MIDI_MAX_BYTES)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" has %zu bytes; the largest"
                        " MIDI file taken has %d", name, size,
                        EMS_MIDI_MAX_BYTES);
    parser *p = ems_alloc(1, sizeof *p);
    if (!p)
        return ems_out_of_memory(err);
    ems_midi_programs programs = {0};
    ems_reader file = {data, size, 0, 0};
    p->name = name;
    p->err = err;
    p->m = m;
    p->programs = &programs;
    double smpte = 0;
    int code = header(p, &file, &smpte);
    if (code == EMS_OK)
        code = chunks(p, &file);
    if (code == EMS_OK && p->track == 0)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" has no tracks", name);
    m->tracks = p->track;
    if (code == EMS_OK)
        code = ems_midi_settle(m, &programs, smpte, name, err);
    ems_free(programs.items);
    ems_free(p);
    if (code < 0)
        ems_midi_clear(m);
    return code;
}

void ems_midi_clear(ems_midi *m)
{
    ems_free(m->notes);
    ems_free(m->controls);
    ems_free(m->tempos);
    ems_free(m->metres);
    ems_free(m->keys);
    ems_free(m->text_events);
    ems_free(m->texts);
    *m = (ems_midi){0};
}

/* A piece from a MIDI file: ours exactly, others as far as a piece can say. */
#include "music/piece_midi.h"

#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

const char *const ems_marker_name[4] = {"cut", "hit", "section", "cue"};

static int load_notes(ems_piece *p, const ems_midi *m, const char *name,
                      ems_error *err)
{
    int seen[EMS_FAMILIES] = {0};
    for (size_t i = 0; i < m->note_count; i++) {
        const ems_midi_note *n = &m->notes[i];
        const int family = ems_midi_family(n->channel, n->program);
        if (family < 0 || n->start >= p->duration)
            continue;
        if (!seen[family])
            p->program[family] = n->program;
        seen[family] = 1;
        const ems_note note = {n->start, n->end - n->start,
                               (uint8_t)family, n->pitch, n->velocity};
        if (ems_piece_add_note(p, note, err) < 0)
            return EMS_ENOMEM;
    }
    if (m->note_count && !p->note_count)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" has no notes of bass,"
                        " drums, guitar, piano or strings", name);
    return EMS_OK;
}

/* The channel with most of a family's notes, or -1. */
static int main_channel(const ems_midi *m, int family)
{
    size_t notes[16] = {0};
    int best = -1;
    for (size_t i = 0; i < m->note_count; i++)
        if (ems_midi_family(m->notes[i].channel, m->notes[i].program) ==
            family)
            notes[m->notes[i].channel & 15]++;
    for (int c = 0; c < 16; c++)
        if (notes[c] && (best < 0 || notes[c] > notes[best]))
            best = c;
    return best;
}

/* Volume and pan hold all along, as they are at the beginning. */
static int is_balance(ems_piece *p, int family, const ems_midi_control *c)
{
    if (c->number != EMS_CC_VOLUME && c->number != EMS_CC_PAN)
        return 0;
    if (c->tick == 0)
        *(c->number == EMS_CC_PAN ? &p->pan[family] : &p->volume[family]) =
            c->value;
    return 1;
}

/* A family is one track, so it obeys the controllers of one channel; of one
 * moment the last counts. */
static int load_controls(ems_piece *p, const ems_midi *m, ems_error *err)
{
    for (int f = 0; f < EMS_FAMILIES && m->control_count; f++) {
        const int channel = main_channel(m, f);
        size_t last[128] = {0}; /* index + 1 in the piece */
        for (size_t i = 0; i < m->control_count; i++) {
            const ems_midi_control *c = &m->controls[i];
            if (c->channel != channel || c->time >= p->duration ||
                is_balance(p, f, c))
                continue;
            size_t *at = &last[c->number & 127];
            if (*at && p->controls[*at - 1].time >= c->time) {
                p->controls[*at - 1].value = c->value;
                continue;
            }
            const ems_control mine = {c->time, (uint8_t)f, c->number,
                                      c->value};
            if (ems_piece_add_control(p, mine, err) < 0)
                return EMS_ENOMEM;
            *at = p->control_count;
        }
    }
    return EMS_OK;
}

static int load_keys(ems_piece *p, const ems_midi *m, ems_error *err)
{
    for (size_t i = 0; i < m->key_count; i++) {
        const ems_midi_key *k = &m->keys[i];
        if (k->tick == 0 || i == 0) {
            p->key_sharps = k->sharps;
            p->key_minor = k->minor;
        } else if (ems_piece_add_key(
                       p, (ems_signature){ems_midi_time(m, k->tick),
                                          k->sharps, k->minor}, err) < 0) {
            return EMS_ENOMEM;
        }
    }
    return EMS_OK;
}

static int beats_between(const ems_midi *m, uint64_t from, uint64_t to)
{
    const uint64_t beats = (to - from + m->division / 2) / m->division;
    return beats < 1 ? 1 : beats > 32 ? 32 : (int)beats;
}

static int load_bars(ems_piece *p, const ems_midi *m, ems_error *err)
{
    uint64_t *ticks;
    size_t count;
    int code = ems_midi_bars(m, &ticks, &count, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == EMS_OK && i + 1 < count; i++) {
        const uint64_t end = ticks[i + 1] < m->end_tick ? ticks[i + 1]
                                                        : m->end_tick;
        code = ems_piece_add_bar(p,
            (ems_bar){ems_midi_time(m, ticks[i]),
                      beats_between(m, ticks[i], end)}, err);
    }
    ems_free(ticks);
    return code;
}

static void copy_text(char *out, size_t room, const char *text, size_t length)
{
    const size_t n = length < room - 1 ? length : room - 1;
    for (size_t i = 0; i < n; i++) /* a byte a terminal could obey: '?' */
        out[i] = (unsigned char)text[i] < 32 || text[i] == 127 ? '?'
                                                               : text[i];
    out[n] = '\0';
}

static int load_marker(ems_piece *p, const ems_midi *m,
                       const ems_midi_text *t, ems_error *err)
{
    ems_marker marker = {.time = t->time, .kind = EMS_MARK_SECTION};
    const char *text = m->texts + t->at;
    size_t length = t->length;
    for (int k = EMS_MARK_CUT; k <= EMS_MARK_SECTION; k++) {
        const size_t n = strlen(ems_marker_name[k]);
        if (length < n || memcmp(text, ems_marker_name[k], n) != 0 ||
            (length > n && text[n] != ' '))
            continue;
        const size_t skip = length > n ? n + 1 : n;
        marker.kind = (ems_marker_kind)k;
        text += skip;
        length -= skip;
        break;
    }
    copy_text(marker.text, sizeof marker.text, text, length);
    return ems_piece_add_marker(p, marker, err);
}

static int load_cue(ems_piece *p, const ems_midi_text *t, const char *text,
                    ems_error *err)
{
    ems_marker cue = {.time = t->time, .kind = EMS_MARK_CUE};
    copy_text(cue.text, sizeof cue.text, text, t->length);
    return ems_piece_add_marker(p, cue, err);
}

/* The exact length, if it agrees with the end of the tracks: another program
 * may have cut the file since. */
static void load_duration(ems_piece *p, const char *text, size_t length)
{
    double us = 0;
    const size_t n = strlen(EMS_DURATION_TEXT);
    if (length <= n || length > n + 12)
        return;
    for (size_t i = n; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return;
        us = us * 10 + (text[i] - '0');
    }
    if (us > 0 && fabs(us / 1e6 - p->duration) < 0.001)
        p->duration = us / 1e6;
}

static int load_texts(ems_piece *p, const ems_midi *m, ems_error *err)
{
    for (size_t i = 0; i < m->text_count; i++) {
        const ems_midi_text *t = &m->text_events[i];
        if (t->length == 0) /* and `texts` may be NULL */
            continue;
        const char *text = m->texts + t->at;
        const size_t n = strlen(EMS_DURATION_TEXT);
        if (t->kind == EMS_MIDI_CUE) {
            if (load_cue(p, t, text, err) < 0)
                return EMS_ENOMEM;
        } else if (t->kind == EMS_MIDI_MARKER) {
            if (load_marker(p, m, t, err) < 0)
                return EMS_ENOMEM;
        } else if (t->kind == EMS_MIDI_TEXT && t->track == 0) {
            if (t->length >= n && memcmp(text, EMS_DURATION_TEXT, n) == 0)
                load_duration(p, text, t->length);
            else if (!p->text[0])
                copy_text(p->text, sizeof p->text, text, t->length);
        }
    }
    return EMS_OK;
}

/* The last tick may lie a little after the film's exact end. */
static void end_in_time(ems_piece *p)
{
    for (size_t i = 0; i < p->note_count; i++) {
        ems_note *n = &p->notes[i];
        if (n->start < p->duration && n->start + n->length > p->duration)
            n->length = p->duration - n->start;
    }
}

ems_piece *ems_piece_from_midi(const ems_midi *m, const char *name,
                               ems_error *err)
{
    if (!(m->duration > 0)) {
        ems_fail(err, EMS_EFORMAT, "\"%s\" has no music in it", name);
        return NULL;
    }
    ems_piece *p = ems_piece_new(m->duration, err);
    if (!p)
        return NULL;
    int code = load_notes(p, m, name, err);
    if (code == EMS_OK)
        code = load_controls(p, m, err);
    if (code == EMS_OK)
        code = load_bars(p, m, err);
    if (code == EMS_OK)
        code = load_texts(p, m, err);
    if (code == EMS_OK)
        code = load_keys(p, m, err);
    end_in_time(p);
    p->smpte = m->smpte;
    if (code < 0) {
        ems_piece_free(p);
        return NULL;
    }
    ems_piece_sort(p);
    return p;
}

ems_piece *ems_piece_load(const char *path, ems_error *err)
{
    ems_bytes bytes;
    if (ems_bytes_map(&bytes, path, EMS_MIDI_MAX_BYTES, err) < 0)
        return NULL;
    ems_midi m;
    const int code = ems_midi_parse(&m, bytes.data, bytes.size, path, err);
    ems_bytes_unmap(&bytes);
    if (code < 0)
        return NULL;
    ems_piece *p = ems_piece_from_midi(&m, path, err);
    ems_midi_clear(&m);
    return p;
}

#include "music/lyrics.h"

#include "base/mem.h"

#include <string.h>

enum { MAX_TRACKS = 256, KARAOKE_EVENTS = 30 };

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Karaoke files put "@T..." (title) and the like among the words. */
static int is_sung(const ems_midi *m, const ems_midi_text *t,
                   ems_midi_text_kind kind, uint32_t track)
{
    return t->kind == kind && t->track == track && t->length > 0 &&
           (kind == EMS_MIDI_LYRIC || m->texts[t->at] != '@');
}

typedef struct voice {
    size_t letters, events, spaced; /* spaced: events with a blank at an end */
} voice;

static voice listen(const ems_midi *m, ems_midi_text_kind kind,
                    uint32_t track)
{
    voice v = {0};
    for (size_t i = 0; i < m->text_count; i++) {
        const ems_midi_text *t = &m->text_events[i];
        if (!is_sung(m, t, kind, track))
            continue;
        const char *text = m->texts + t->at;
        v.events++;
        v.spaced += is_blank(text[0]) || is_blank(text[t->length - 1]);
        for (size_t k = 0; k < t->length; k++)
            v.letters += (size_t)is_letter(text[k]);
    }
    return v;
}

/* The track with most letters of one kind. */
static voice find_voice(const ems_midi *m, ems_midi_text_kind kind,
                        uint32_t *track)
{
    voice best = {0};
    uint32_t seen[MAX_TRACKS / 32] = {0};
    for (size_t i = 0; i < m->text_count; i++) {
        const ems_midi_text *t = &m->text_events[i];
        if (t->kind != kind || t->track >= MAX_TRACKS ||
            seen[t->track / 32] >> t->track % 32 & 1)
            continue;
        seen[t->track / 32] |= 1u << t->track % 32;
        const voice v = listen(m, kind, t->track);
        if (v.letters > best.letters) {
            best = v;
            *track = t->track;
        }
    }
    return best;
}

/* One event's bytes; '/' and '\' begin a line in karaoke files. Returns the
 * new length. */
static size_t put_event(char *out, size_t n, const char *text, size_t length,
                        int spaces)
{
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        const int line = c == '\r' || c == '\n' || c == '\0' ||
                         (i == 0 && (c == '/' || c == '\\'));
        out[n++] = line ? '\n' : c;
    }
    if (!spaces)
        return n;
    if (n && out[n - 1] == '-') /* "hel-", "lo" */
        return n - 1;
    out[n++] = ' ';
    return n;
}

int ems_lyrics_take(char **out, size_t *size, const ems_midi *m,
                    ems_error *err)
{
    ems_midi_text_kind kind = EMS_MIDI_LYRIC;
    uint32_t track = 0;
    *out = NULL;
    *size = 0;
    voice v = find_voice(m, kind, &track);
    if (v.letters < EMS_LYRICS_LETTERS) {
        kind = EMS_MIDI_TEXT;
        v = find_voice(m, kind, &track);
        if (v.events < KARAOKE_EVENTS)
            return EMS_OK;
    }
    if (v.letters < EMS_LYRICS_LETTERS)
        return EMS_OK;
    size_t room = 1;
    for (size_t i = 0; i < m->text_count; i++)
        if (is_sung(m, &m->text_events[i], kind, track))
            room += m->text_events[i].length + 1;
    char *text = ems_alloc(room, 1);
    if (!text)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < m->text_count; i++) {
        const ems_midi_text *t = &m->text_events[i];
        if (is_sung(m, t, kind, track))
            *size = put_event(text, *size, m->texts + t->at, t->length,
                              v.spaced * 20 < v.events);
    }
    text[*size] = '\0';
    *out = text;
    return EMS_OK;
}

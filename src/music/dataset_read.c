/* One MIDI file to tokens, and what there is to say about it. */
#include "music/dataset_build.h"

#include "base/md5.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "music/lyrics.h"
#include "music/names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PIECE_TOKENS = 1 << 22, HASH_STEPS = 12 /* a beat */ };
#define SHORTEST_PIECE 8.0 /* seconds */

const char *const ems_skip_name[EMS_SKIPS] = {
    "kept", "unreadable", "no usable notes", "bars without sense",
    "shorter than 8 s", "longer than 4 million tokens", "duplicate",
    "excluded",
};

static ems_skip skip_of(int code, ems_skip skip, ems_reading *r)
{
    r->code = code == EMS_ENOMEM ? code : EMS_OK;
    return skip;
}

static int is_usable(const ems_midi_note *n)
{
    return ems_midi_family(n->channel, n->program) >= 0 &&
           n->pitch >= EMS_LOW_PITCH && n->pitch <= EMS_HIGH_PITCH;
}

static size_t first_usable(const ems_midi *m)
{
    size_t i = 0;
    while (i < m->note_count && !is_usable(&m->notes[i]))
        i++;
    return i;
}

/* ---- What the notes are ---------------------------------------------------- */

static int key_order(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t first_bytes(const void *data, size_t size)
{
    uint8_t digest[32];
    ems_sha256 sha;
    ems_sha256_begin(&sha);
    ems_sha256_add(&sha, data, size);
    ems_sha256_end(&sha, digest);
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | digest[i];
    return hash ? hash : 1;
}

/* The same for files that differ in tempo, resolution, tracks, velocities,
 * lengths of notes, and what is no music: onsets in twelfths of a beat from
 * the first one, families, pitches. 0: out of memory. */
static uint64_t hash_notes(const ems_midi *m)
{
    const size_t first = first_usable(m);
    uint64_t *keys = ems_alloc(m->note_count - first, sizeof *keys);
    if (!keys)
        return 0;
    size_t n = 0;
    for (size_t i = first; i < m->note_count; i++) {
        const ems_midi_note *note = &m->notes[i];
        if (!is_usable(note))
            continue;
        const uint64_t ticks = note->on - m->notes[first].on;
        const uint64_t step = (2 * HASH_STEPS * ticks + m->division) /
                              (2 * (uint64_t)m->division);
        keys[n++] = step << 16 |
                    (uint64_t)ems_midi_family(note->channel, note->program)
                        << 8 | note->pitch;
    }
    qsort(keys, n, sizeof *keys, key_order);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || keys[i] != keys[i - 1])
            keys[kept++] = keys[i];
    const uint64_t hash = first_bytes(keys, kept * sizeof *keys);
    ems_free(keys);
    return hash;
}

static void describe(ems_built_piece *p, const ems_song *s)
{
    const double seconds = s->end * EMS_TICK;
    p->seconds = (float)seconds;
    p->bpm = (float)(s->beat > 0 ? 60 / s->beat : 120);
    p->density = (float)((double)s->note_count / seconds /
                         ems_song_families(s));
    for (size_t i = 0; i < s->note_count; i++)
        p->families |= (uint8_t)(1 << s->notes[i].family);
}

/* ---- How it feels ---------------------------------------------------------- */

static ems_note *notes_of(const ems_song *s)
{
    ems_note *notes = ems_alloc(s->note_count, sizeof *notes);
    for (size_t i = 0; notes && i < s->note_count; i++) {
        const ems_song_note *n = &s->notes[i];
        notes[i] = (ems_note){n->start * EMS_TICK,
                              (n->end - n->start) * EMS_TICK, n->family,
                              n->pitch, n->velocity};
    }
    return notes;
}

static double bar_middle(const ems_song *s, size_t i)
{
    const uint32_t end = i + 1 < s->bar_count ? s->bars[i + 1] : s->end;
    return (s->bars[i] + (end > s->bars[i] ? end : s->bars[i])) *
           (EMS_TICK / 2);
}

/* The mean of a curve over bars, by time, where it is known. */
static void mean_of(float mean[2], const float *curve, const ems_song *s,
                    size_t bars)
{
    double sum[2] = {0}, weight[2] = {0};
    for (size_t i = 0; i < 2 * bars; i++) {
        if (isnan(curve[i]))
            continue;
        const size_t next = i / 2 + 1;
        const double ticks = (next < bars ? s->bars[next] : s->end) -
                             (double)s->bars[i / 2];
        sum[i % 2] += (double)curve[i] * ticks;
        weight[i % 2] += ticks;
    }
    for (int axis = 0; axis < 2; axis++)
        mean[axis] = (float)(weight[axis] > 0 ? sum[axis] / weight[axis]
                                              : (double)NAN);
}

static int ask_critic(ems_reading *r, const ems_song *s)
{
    const size_t bars = r->tokens.bar_count;
    ems_note *notes = notes_of(s);
    double *times = ems_alloc(bars, sizeof *times);
    ems_affect_point *points = ems_alloc(bars, sizeof *points);
    int code = notes && times && points ? EMS_OK
                                        : ems_out_of_memory(&r->error);
    for (size_t i = 0; code == EMS_OK && i < bars; i++)
        times[i] = bar_middle(s, i);
    if (code == EMS_OK)
        code = ems_critic_curve(r->known->critic, notes, s->note_count,
                                times, bars, points, &r->error);
    for (size_t i = 0; code == EMS_OK && i < bars; i++) {
        r->curve[2 * i] = (float)points[i].valence;
        r->curve[2 * i + 1] = (float)points[i].arousal;
    }
    ems_free(notes);
    ems_free(times);
    ems_free(points);
    return code;
}

/* The people's curve lies evenly over the piece. */
static void ask_listeners(ems_reading *r, const ems_song *s)
{
    const ems_listened *l =
        r->known->listeners
            ? ems_listeners_find(r->known->listeners, r->file->path)
            : NULL;
    const size_t bars = r->tokens.bar_count;
    if (!l || bars == 0)
        return;
    for (size_t i = 0; i < bars; i++) {
        const double share = bar_middle(s, i) / (s->end * EMS_TICK);
        size_t at = (size_t)(share * (double)l->points);
        at = at < l->points ? at : l->points - 1;
        memcpy(r->curve + 2 * i, l->values + 2 * at, 2 * sizeof *r->curve);
    }
    r->piece.listened = 1;
    mean_of(r->piece.said[EMS_SAID_LISTENERS], r->curve, s, bars);
}

static int ask_along(ems_reading *r, const ems_song *s)
{
    const size_t bars = r->tokens.bar_count;
    r->curve = ems_alloc(2 * bars, sizeof *r->curve);
    if (!r->curve)
        return ems_out_of_memory(&r->error);
    for (size_t i = 0; i < 2 * bars; i++)
        r->curve[i] = NAN;
    if (r->known->critic) {
        if (ask_critic(r, s) < 0)
            return EMS_ENOMEM;
        mean_of(r->piece.said[EMS_SAID_CRITIC], r->curve, s, bars);
    }
    ask_listeners(r, s);
    return EMS_OK;
}

static int ask_words(ems_reading *r, const ems_midi *m,
                     const ems_bytes *bytes)
{
    const float *scores = NULL;
    const char *path = r->file->path + r->file->relative;
    if (r->known->emotions) {
        char md5[33];
        ems_md5_hex(bytes->data, bytes->size, md5);
        scores = ems_emotions_find(r->known->emotions, path, md5);
    }
    if (r->known->text) {
        char *words;
        size_t size;
        if (ems_lyrics_take(&words, &size, m, &r->error) < 0)
            return EMS_ENOMEM;
        if (words) {
            r->has_words = 1;
            ems_text_rate(r->known->text, words, size, r->ekman, r->full);
            scores = scores ? scores : r->ekman;
        }
        ems_free(words);
    }
    if (scores)
        ems_emotions_affect(scores, &r->piece.said[EMS_SAID_LYRICS][0],
                            &r->piece.said[EMS_SAID_LYRICS][1]);
    return EMS_OK;
}

/* The path from the last part of the folder's name on: a folder may be an
 * artist's. */
static const char *path_with_folder(const ems_midi_file *f)
{
    size_t at = f->relative;
    while (at > 0 && f->path[at - 1] == '/')
        at--;
    while (at > 0 && f->path[at - 1] != '/')
        at--;
    return f->path + at;
}

static void ask_tables(ems_reading *r, const ems_midi *m)
{
    ems_built_piece *p = &r->piece;
    if (r->label) {
        p->said[EMS_SAID_LABELS][0] = (float)r->label->valence;
        p->said[EMS_SAID_LABELS][1] = (float)r->label->arousal;
        char title[EMS_NAME_ROOM];
        const size_t n = ems_name_plain(title, sizeof title, r->label->song,
                                        strlen(r->label->song), 0);
        p->titled = n > 0;
        p->title = n ? first_bytes(title, n) : 0;
    }
    if (r->known->features)
        p->said[EMS_SAID_FEATURES][0] = (float)ems_features_find(
            r->known->features, path_with_folder(r->file), m);
}

/* ---- The file -------------------------------------------------------------- */

static ems_skip song_to_piece(ems_reading *r, const ems_song *s,
                              const ems_midi *m, const ems_bytes *bytes)
{
    if (s->end * EMS_TICK < SHORTEST_PIECE)
        return EMS_SKIP_SHORT;
    int code = ems_tokens_from_song(&r->tokens, s, &r->error);
    if (code == EMS_OK && r->tokens.count > MAX_PIECE_TOKENS)
        return EMS_SKIP_LONG;
    if (code == EMS_OK)
        code = ask_along(r, s);
    if (code == EMS_OK)
        code = ask_words(r, m, bytes);
    if (code == EMS_OK && !(r->piece.hash = hash_notes(m)))
        code = ems_out_of_memory(&r->error);
    if (code < 0)
        return skip_of(code, EMS_SKIP_UNREADABLE, r);
    describe(&r->piece, s);
    ask_tables(r, m);
    return EMS_KEPT;
}

static ems_skip midi_to_piece(ems_reading *r, const ems_midi *m,
                              const ems_bytes *bytes)
{
    ems_song song;
    int code = ems_song_from_midi(&song, m, r->file->path, &r->error);
    if (code == EMS_OK)
        code = ems_song_tidy(&song, &r->error);
    const int usable = first_usable(m) < m->note_count;
    const ems_skip skip =
        code < 0 ? skip_of(code, usable ? EMS_SKIP_ODD_BARS
                                        : EMS_SKIP_NO_NOTES, r)
                 : song_to_piece(r, &song, m, bytes);
    ems_song_clear(&song);
    return skip;
}

void ems_read_file(void *readings, size_t i)
{
    ems_reading *r = &((ems_reading *)readings)[i];
    ems_bytes bytes;
    ems_midi m;
    for (int who = 0; who < EMS_SAID; who++)
        r->piece.said[who][0] = r->piece.said[who][1] = NAN;
    if (r->excluded) {
        r->skip = EMS_SKIP_EXCLUDED;
        return;
    }
    int code = ems_bytes_map(&bytes, r->file->path, EMS_MIDI_MAX_BYTES,
                             &r->error);
    if (code < 0) {
        r->skip = skip_of(code, EMS_SKIP_UNREADABLE, r);
        return;
    }
    code = ems_midi_parse(&m, bytes.data, bytes.size, r->file->path,
                          &r->error);
    if (code < 0) {
        r->skip = skip_of(code, EMS_SKIP_UNREADABLE, r);
    } else {
        r->warnings = m.warnings;
        if (!r->known->free_timing)
            ems_midi_to_grid(&m);
        r->skip = midi_to_piece(r, &m, &bytes);
        ems_midi_clear(&m);
    }
    ems_bytes_unmap(&bytes);
}

void ems_reading_clear(ems_reading *r)
{
    ems_tokens_clear(&r->tokens);
    ems_free(r->curve);
    r->curve = NULL;
}

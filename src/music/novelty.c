#include "music/novelty.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/reader.h"

#include <string.h>

enum {
    MOST_BYTES = 1 << 28,
    BRIDGE = 24, /* phrases in a row that may say nothing inside a passage */
};

struct ems_novelty {
    ems_bytes file;
    uint32_t *first;     /* [2^K + 1] */
    const uint8_t *mark; /* [N] */
    const uint8_t *song; /* [N] u16 */
    const char **name;   /* [S] */
    unsigned thinning, bits, songs;
};

/* ---- The file ---- */

typedef struct layout {
    uint64_t counts, marks, songs, names, end; /* byte offsets */
} layout;

static int bad_file(const char *path, size_t at, const char *what,
                    ems_error *err)
{
    return ems_fail(err, EMS_EFORMAT, "\"%s\" byte %zu: %s; build the index"
                    " anew with \"emsync model index\"", path, at, what);
}

static uint64_t align(uint64_t x)
{
    return (x + 7) & ~(uint64_t)7;
}

static int read_header(ems_novelty *n, const char *path, layout *at,
                       uint64_t *phrases, ems_error *err)
{
    ems_reader r = {n->file.data, n->file.size, 0, 0};
    const uint8_t *magic = ems_read_bytes(&r, 8);
    if (!magic || memcmp(magic, EMS_NOVELTY_MAGIC, 8) != 0)
        return bad_file(path, 0, "not a novelty index", err);
    if (ems_read_u32le(&r) != EMS_NOVELTY_VERSION)
        return bad_file(path, 8, "an unknown version", err);
    if (ems_read_u32le(&r) != EMS_PHRASE)
        return bad_file(path, 12, "phrases of another length", err);
    n->thinning = ems_read_u32le(&r);
    n->bits = ems_read_u32le(&r);
    n->songs = ems_read_u32le(&r);
    ems_read_u32le(&r);
    *phrases = ems_read_u64le(&r);
    const uint64_t names = ems_read_u64le(&r);
    ems_read_u64le(&r);
    ems_read_u64le(&r);
    if (r.failed || n->thinning > EMS_NOVELTY_MOST_THINNING ||
        n->bits < EMS_NOVELTY_LEAST_BITS || n->bits > EMS_NOVELTY_MOST_BITS ||
        n->songs < 1 || n->songs > EMS_NOVELTY_MOST_SONGS ||
        *phrases > MOST_BYTES || names > MOST_BYTES)
        return bad_file(path, 16, "numbers that cannot be", err);
    at->counts = EMS_NOVELTY_HEADER;
    at->marks = at->counts + ((uint64_t)1 << n->bits);
    at->songs = align(at->marks + *phrases);
    at->names = align(at->songs + 2 * *phrases);
    at->end = at->names + names;
    if (at->end != n->file.size)
        return bad_file(path, 32, "another length than it says", err);
    return EMS_OK;
}

static int read_counts(ems_novelty *n, const char *path, const layout *at,
                       uint64_t phrases, ems_error *err)
{
    const size_t buckets = (size_t)1 << n->bits;
    n->first = ems_alloc(buckets + 1, sizeof *n->first);
    if (!n->first)
        return ems_out_of_memory(err);
    uint64_t sum = 0;
    for (size_t i = 0; i < buckets; i++) {
        sum += n->file.data[at->counts + i];
        if (sum > phrases)
            break;
        n->first[i + 1] = (uint32_t)sum;
    }
    if (sum != phrases)
        return bad_file(path, at->counts, "counts with another sum", err);
    n->mark = n->file.data + at->marks;
    for (size_t i = 0; i < buckets; i++)
        for (uint32_t k = n->first[i] + 1; k < n->first[i + 1]; k++)
            if (n->mark[k] <= n->mark[k - 1])
                return bad_file(path, at->marks + k, "marks out of order",
                                err);
    return EMS_OK;
}

static unsigned song_at(const ems_novelty *n, size_t i)
{
    return (unsigned)n->song[2 * i] | (unsigned)n->song[2 * i + 1] << 8;
}

static int read_songs(ems_novelty *n, const char *path, const layout *at,
                      uint64_t phrases, ems_error *err)
{
    n->song = n->file.data + at->songs;
    for (size_t i = 0; i < phrases; i++)
        if (song_at(n, i) > n->songs)
            return bad_file(path, at->songs + 2 * i, "a song that is not"
                            " there", err);
    n->name = ems_alloc(n->songs, sizeof *n->name);
    if (!n->name)
        return ems_out_of_memory(err);
    const char *name = (const char *)n->file.data + at->names;
    const char *end = (const char *)n->file.data + at->end;
    for (unsigned i = 0; i < n->songs; i++) {
        const char *zero = memchr(name, '\0', (size_t)(end - name));
        if (!zero)
            return bad_file(path, at->names, "names without an end", err);
        n->name[i] = name;
        name = zero + 1;
    }
    return name == end ? EMS_OK
                       : bad_file(path, at->names, "too many names", err);
}

static int read_index(ems_novelty *n, const char *path, ems_error *err)
{
    layout at = {0};
    uint64_t phrases = 0;
    int code = ems_bytes_map(&n->file, path, MOST_BYTES, err);
    if (code == EMS_OK)
        code = read_header(n, path, &at, &phrases, err);
    if (code == EMS_OK)
        code = read_counts(n, path, &at, phrases, err);
    if (code == EMS_OK)
        code = read_songs(n, path, &at, phrases, err);
    return code;
}

ems_novelty *ems_novelty_open(const char *path, ems_error *err)
{
    char *found = path ? NULL : ems_models_find(EMS_NOVELTY_NAME, err);
    if (!path && !found)
        return NULL;
    ems_novelty *n = ems_alloc(1, sizeof *n);
    if (!n)
        ems_out_of_memory(err);
    if (n && read_index(n, path ? path : found, err) < 0) {
        ems_novelty_free(n);
        n = NULL;
    }
    ems_free(found);
    return n;
}

void ems_novelty_free(ems_novelty *n)
{
    if (!n)
        return;
    ems_bytes_unmap(&n->file);
    ems_free(n->first);
    ems_free(n->name);
    ems_free(n);
}

/* ---- Looking ---- */

ems_phrase_state ems_novelty_look(const ems_novelty *n, uint64_t hash,
                                  unsigned *song)
{
    if (hash == 0 || hash & (((uint64_t)1 << n->thinning) - 1))
        return EMS_PHRASE_NOBODY;
    const size_t bucket = (size_t)(hash >> (64 - n->bits));
    const uint8_t mark = (uint8_t)(hash >> (56 - n->bits));
    for (uint32_t i = n->first[bucket]; i < n->first[bucket + 1]; i++)
        if (n->mark[i] == mark) {
            *song = song_at(n, i);
            return *song ? EMS_PHRASE_KNOWN : EMS_PHRASE_NOBODY;
        }
    return EMS_PHRASE_NEW;
}

const char *ems_novelty_song(const ems_novelty *n, unsigned song)
{
    return song >= 1 && song <= n->songs ? n->name[song - 1] : "";
}

/* Bars from the piece's beginning to `time`. */
static double bars_at(const ems_piece *p, double time)
{
    size_t low = 0, high = p->bar_count;
    while (low + 1 < high) {
        const size_t middle = (low + high) / 2;
        if (p->bars[middle].start <= time)
            low = middle;
        else
            high = middle;
    }
    if (p->bar_count == 0)
        return time / 2; /* of four beats at 120 a minute */
    const double start = p->bars[low].start;
    const double end = low + 1 < p->bar_count ? p->bars[low + 1].start
                                              : p->duration;
    return (double)low + (end > start ? (time - start) / (end - start) : 0);
}

typedef struct search {
    const ems_novelty *index;
    const ems_piece *piece;
    ems_line line;
    unsigned *song;    /* of each phrase: 0 new, NOBODY, else known */
    size_t capacity;
    ems_passage *best;
} search;

#define NOBODY (~0u)

/* A known phrase counts when the next known or new one before or after it is
 * of the same song: a hash that is there by chance has no such neighbour. */
static int has_neighbour(const unsigned *song, size_t count, size_t i)
{
    size_t k = i;
    while (k > 0 && song[k - 1] == NOBODY)
        k--;
    if (k > 0 && song[k - 1] == song[i])
        return 1;
    k = i + 1;
    while (k < count && song[k] == NOBODY)
        k++;
    return k < count && song[k] == song[i];
}

static int look_at_phrases(search *s, size_t count, ems_error *err)
{
    if (ems_reserve((void *)&s->song, &s->capacity, 2 * count,
                    sizeof *s->song) < 0)
        return ems_out_of_memory(err);
    unsigned *raw = s->song + count;
    for (size_t i = 0; i < count; i++) {
        raw[i] = NOBODY;
        const uint64_t hash = ems_phrase_hash(s->line.notes + i);
        if (ems_novelty_look(s->index, hash, &raw[i]) == EMS_PHRASE_NEW)
            raw[i] = 0;
        else if (raw[i] == 0)
            raw[i] = NOBODY;
    }
    for (size_t i = 0; i < count; i++) {
        const int known = raw[i] != 0 && raw[i] != NOBODY;
        s->song[i] = known && !has_neighbour(raw, count, i) ? NOBODY
                                                            : raw[i];
    }
    return EMS_OK;
}

/* The song that most phrases of a passage are of, by Boyer and Moore's vote:
 * exact where one has the majority. */
static unsigned main_song(const unsigned *song, size_t from, size_t to)
{
    unsigned best = 0;
    size_t votes = 0;
    for (size_t i = from; i <= to; i++) {
        if (song[i] == NOBODY)
            continue;
        if (votes == 0)
            best = song[i];
        votes += song[i] == best ? 1 : (size_t)-1;
    }
    return best;
}

/* Names come from strangers' folders: what is not plain becomes '?'. */
static void copy_name(char *out, size_t room, const char *name)
{
    size_t i = 0;
    for (; name[i] && i + 1 < room; i++)
        out[i] = name[i] >= ' ' && name[i] < 127 ? name[i] : '?';
    out[i] = '\0';
}

/* Phrases from..to are known: a passage. Is it the longest? */
static void take_passage(search *s, int family, size_t from, size_t to)
{
    const ems_line_note *first = &s->line.notes[from];
    const ems_line_note *last = &s->line.notes[to + EMS_PHRASE - 1];
    const double bars = bars_at(s->piece, last->end) -
                        bars_at(s->piece, first->start);
    if (bars <= s->best->bars)
        return;
    *s->best = (ems_passage){.bars = bars, .start = first->start,
                             .end = last->end, .family = (ems_family)family,
                             .notes = to + EMS_PHRASE - from};
    copy_name(s->best->source, sizeof s->best->source,
              ems_novelty_song(s->index, main_song(s->song, from, to)));
}

static void find_passages(search *s, int family, size_t count)
{
    size_t from = 0, to = 0;
    int inside = 0;
    for (size_t i = 0; i <= count; i++) {
        const int known = i < count && s->song[i] != 0 &&
                          s->song[i] != NOBODY;
        if (inside && (i == count || s->song[i] == 0 || i - to > BRIDGE)) {
            take_passage(s, family, from, to);
            inside = 0;
        }
        if (!known)
            continue;
        if (!inside)
            from = i;
        inside = 1;
        to = i;
    }
}

int ems_novelty_search(const ems_novelty *n, const ems_piece *p,
                       ems_passage *longest, ems_error *err)
{
    search s = {.index = n, .piece = p, .best = longest};
    *longest = (ems_passage){0};
    int code = EMS_OK;
    for (int f = 0; f < EMS_FAMILIES && code == EMS_OK; f++) {
        if (f == EMS_DRUMS)
            continue;
        code = ems_line_take(&s.line, p->notes, p->note_count, f, err);
        if (code < 0 || s.line.count < EMS_PHRASE)
            continue;
        const size_t count = s.line.count - EMS_PHRASE + 1;
        code = look_at_phrases(&s, count, err);
        if (code == EMS_OK)
            find_passages(&s, f, count);
    }
    ems_line_clear(&s.line);
    ems_free(s.song);
    return code;
}

int ems_piece_novelty(const ems_piece *piece, const char *index,
                      ems_passage *longest, ems_error *err)
{
    ems_error own;
    ems_novelty *n = ems_novelty_open(index, err ? err : &own);
    if (!n)
        return err ? err->code : own.code;
    const int code = ems_novelty_search(n, piece, longest, err);
    ems_novelty_free(n);
    return code;
}

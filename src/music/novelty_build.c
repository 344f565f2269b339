/* The novelty index from token files: every phrase of every training piece
 * once, with the song it came from. */
#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "music/dataset.h"
#include "music/novelty.h"
#include "music/token_piece.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STOCK_SONGS = 9, /* a phrase of so many songs is nobody's */
    BUCKET = 2,      /* phrases for each count, about; at most: */
    MOST_IN_BUCKET = 255,
};

typedef struct phrase {
    uint64_t hash;
    uint32_t song; /* 1..songs, 0: nobody's */
} phrase;

typedef struct builder {
    const ems_dataset *data;
    phrase *phrases;
    size_t count, capacity;
    ems_line line;
    uint32_t *songs;    /* the data set's numbers, ascending */
    const char **names; /* of a piece of each */
    size_t song_count, pieces;
    double seconds;
    unsigned thinning, bits;
} builder;

/* ---- Songs ---- */

static int number_order(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The data set's song -> 0..song_count-1. */
static size_t song_index(const builder *b, uint32_t song)
{
    size_t low = 0, high = b->song_count - 1;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (b->songs[middle] < song)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int list_songs(builder *b, ems_error *err)
{
    const size_t n = ems_dataset_count(b->data);
    b->songs = ems_alloc(n, sizeof *b->songs);
    b->names = ems_alloc(n, sizeof *b->names);
    if (!b->songs || !b->names)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < n; i++) {
        const ems_dataset_piece p = ems_dataset_get(b->data, i);
        if (!p.held_out)
            b->songs[b->pieces++] = p.song;
    }
    if (b->pieces == 0)
        return ems_fail(err, EMS_EINVAL, "the data set has no training"
                        " pieces");
    qsort(b->songs, b->pieces, sizeof *b->songs, number_order);
    for (size_t i = 0; i < b->pieces; i++)
        if (i == 0 || b->songs[i] != b->songs[b->song_count - 1])
            b->songs[b->song_count++] = b->songs[i];
    for (size_t i = n; i-- > 0;) {
        const ems_dataset_piece p = ems_dataset_get(b->data, i);
        if (!p.held_out)
            b->names[song_index(b, p.song)] = p.name;
    }
    return EMS_OK;
}

/* Songs beyond what two bytes can say share the last number. */
static uint32_t song_number(const builder *b, uint32_t song)
{
    const size_t i = song_index(b, song);
    return (uint32_t)(i < EMS_NOVELTY_MOST_SONGS ? i + 1
                                                 : EMS_NOVELTY_MOST_SONGS);
}

/* ---- Phrases ---- */

static int add_line(builder *b, uint32_t song, ems_error *err)
{
    for (size_t i = 0; i + EMS_PHRASE <= b->line.count; i++) {
        const uint64_t hash = ems_phrase_hash(b->line.notes + i);
        if (hash == 0)
            continue;
        if (ems_reserve((void *)&b->phrases, &b->capacity, b->count + 1,
                        sizeof *b->phrases) < 0)
            return ems_out_of_memory(err);
        b->phrases[b->count++] = (phrase){hash, song};
    }
    return EMS_OK;
}

static int add_piece(builder *b, const ems_dataset_piece *d, ems_error *err)
{
    ems_piece *p = ems_piece_from_tokens(d->tokens, d->token_count, INFINITY,
                                         err);
    if (!p)
        return err->code == EMS_EFORMAT ? EMS_OK : (int)err->code;
    int code = EMS_OK;
    b->seconds += p->duration;
    for (int f = 0; f < EMS_FAMILIES && code == EMS_OK; f++) {
        if (f == EMS_DRUMS)
            continue;
        code = ems_line_take(&b->line, p->notes, p->note_count, f, err);
        if (code == EMS_OK)
            code = add_line(b, song_number(b, d->song), err);
    }
    ems_piece_free(p);
    return code;
}

static int read_pieces(builder *b, const ems_run *run, ems_error *err)
{
    const size_t n = ems_dataset_count(b->data);
    for (size_t i = 0; i < n; i++) {
        if (ems_cancelled(run))
            return ems_fail_cancelled(err);
        const ems_dataset_piece p = ems_dataset_get(b->data, i);
        const int code = p.held_out ? EMS_OK : add_piece(b, &p, err);
        if (code < 0)
            return code;
        ems_progress(run, "index", (double)(i + 1) / (double)n);
    }
    return EMS_OK;
}

static int phrase_order(const void *a, const void *b)
{
    const phrase *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->song > y->song) - (x->song < y->song);
}

/* One entry for each hash, of the first of its songs, or nobody's. */
static void unite(builder *b)
{
    qsort(b->phrases, b->count, sizeof *b->phrases, phrase_order);
    size_t kept = 0;
    for (size_t i = 0; i < b->count;) {
        const phrase first = b->phrases[i];
        int songs = 0;
        uint32_t last = 0;
        for (; i < b->count && b->phrases[i].hash == first.hash; i++) {
            songs += b->phrases[i].song != last;
            last = b->phrases[i].song;
        }
        b->phrases[kept++] = (phrase){
            first.hash, songs >= STOCK_SONGS ? 0 : first.song};
    }
    b->count = kept;
}

/* ---- The file ---- */

/* Keep one phrase of 2^thinning, and of those with equal count and mark the
 * first. */
static void thin(builder *b)
{
    const uint64_t mask = ((uint64_t)1 << b->thinning) - 1;
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++)
        if (!(b->phrases[i].hash & mask))
            b->phrases[kept++] = b->phrases[i];
    b->count = kept;
    b->bits = EMS_NOVELTY_LEAST_BITS;
    while (b->bits < EMS_NOVELTY_MOST_BITS &&
           ((size_t)BUCKET << b->bits) < b->count)
        b->bits++;
    kept = 0;
    const unsigned shift = 56 - b->bits;
    for (size_t i = 0; i < b->count; i++)
        if (kept == 0 || b->phrases[i].hash >> shift !=
                             b->phrases[kept - 1].hash >> shift)
            b->phrases[kept++] = b->phrases[i];
    b->count = kept;
}

static size_t names_size(const builder *b)
{
    size_t size = 0;
    for (size_t i = 0; i < b->song_count && i < EMS_NOVELTY_MOST_SONGS; i++)
        size += strlen(b->names[i]) + 1;
    return size;
}

static void put(uint8_t **at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (uint8_t)(value >> 8 * i);
}

static void put_header(uint8_t *at, const builder *b, size_t songs)
{
    memcpy(at, EMS_NOVELTY_MAGIC, 8);
    at += 8;
    put(&at, EMS_NOVELTY_VERSION, 4);
    put(&at, EMS_PHRASE, 4);
    put(&at, b->thinning, 4);
    put(&at, b->bits, 4);
    put(&at, songs, 4);
    put(&at, b->pieces, 4);
    put(&at, b->count, 8);
    put(&at, names_size(b), 8);
    put(&at, (uint64_t)b->seconds, 8);
}

static size_t align(size_t x)
{
    return (x + 7) & ~(size_t)7;
}

/* As the header of novelty.h says. */
static size_t file_size(const builder *b, size_t *marks, size_t *songs,
                        size_t *names)
{
    *marks = EMS_NOVELTY_HEADER + ((size_t)1 << b->bits);
    *songs = align(*marks + b->count);
    *names = align(*songs + 2 * b->count);
    return *names + names_size(b);
}

static int write_index(const builder *b, const char *path, ems_error *err)
{
    size_t marks, songs, names;
    const size_t size = file_size(b, &marks, &songs, &names);
    uint8_t *file = ems_alloc(size, 1);
    if (!file)
        return ems_out_of_memory(err);
    const size_t listed = b->song_count < EMS_NOVELTY_MOST_SONGS
                              ? b->song_count : EMS_NOVELTY_MOST_SONGS;
    put_header(file, b, listed);
    int code = EMS_OK;
    for (size_t i = 0; i < b->count && code == EMS_OK; i++) {
        const uint64_t hash = b->phrases[i].hash;
        uint8_t *count = file + EMS_NOVELTY_HEADER + (hash >> (64 - b->bits));
        uint8_t *song = file + songs + 2 * i;
        if (*count == MOST_IN_BUCKET)
            code = ems_fail(err, EMS_EINTERNAL, "hashes that crowd");
        ++*count;
        file[marks + i] = (uint8_t)(hash >> (56 - b->bits));
        put(&song, b->phrases[i].song, 2);
    }
    char *name = (char *)file + names;
    for (size_t i = 0; i < listed; i++, name += strlen(name) + 1)
        memcpy(name, b->names[i], strlen(b->names[i]) + 1);
    if (code == EMS_OK)
        code = ems_file_write(path, file, size, err);
    ems_free(file);
    return code;
}

/* Thin until the file is as small as wanted. */
static int fit(builder *b, double megabytes, ems_error *err)
{
    size_t marks, songs, names;
    thin(b);
    while ((double)file_size(b, &marks, &songs, &names) > megabytes * 1e6) {
        if (b->thinning == EMS_NOVELTY_MOST_THINNING)
            return ems_fail(err, EMS_EINVAL, "the index does not fit in %g"
                            " MB; allow more", megabytes);
        b->thinning++;
        thin(b);
    }
    return EMS_OK;
}

int ems_novelty_build(const char *dataset, const char *out, double megabytes,
                      const ems_run *run, ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    if (!(megabytes > 0 && megabytes <= 256))
        return ems_fail(e, EMS_EINVAL, "an index of %g MB; allow 0 to 256",
                        megabytes);
    ems_dataset *data = ems_dataset_open(dataset, e);
    if (!data)
        return e->code;
    builder b = {.data = data};
    int code = list_songs(&b, e);
    if (code == EMS_OK)
        code = read_pieces(&b, run, e);
    if (code == EMS_OK) {
        unite(&b);
        const size_t all = b.count;
        code = fit(&b, megabytes, e);
        if (code == EMS_OK)
            ems_log(run, EMS_LOG_INFO, "%.1f hours, %zu pieces of %zu songs,"
                    " %zu phrases of %d notes, %zu kept", b.seconds / 3600,
                    b.pieces, b.song_count, all, EMS_PHRASE, b.count);
    }
    if (code == EMS_OK)
        code = write_index(&b, out, e);
    ems_line_clear(&b.line);
    ems_free(b.phrases);
    ems_free(b.songs);
    ems_free(b.names);
    ems_dataset_close(data);
    return code;
}

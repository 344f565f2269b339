#include "music/dataset.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/reader.h"
#include "music/vocab.h"

#include <math.h>
#include <string.h>

struct ems_dataset {
    ems_bytes file;
    ems_dataset_piece *pieces;
    size_t count;
};

typedef struct header {
    uint64_t pieces, tokens, bars, names; /* counts */
    uint64_t pieces_at, bars_at, affect_at, tokens_at, names_at; /* bytes */
} header;

static int bad_file(const char *path, size_t at, const char *what,
                    ems_error *err)
{
    return ems_fail(err, EMS_EFORMAT, "\"%s\" byte %zu: %s; build the data"
                    " set anew", path, at, what);
}

static int fits(uint64_t at, uint64_t count, uint64_t size, uint64_t end)
{
    return at % 8 == 0 && at <= end && count <= (end - at) / size;
}

static int read_header(header *h, const ems_bytes *file, const char *path,
                       ems_error *err)
{
    ems_reader r = {file->data, file->size, 0, 0};
    const uint8_t *magic = ems_read_bytes(&r, 8);
    if (!magic || memcmp(magic, EMS_DATASET_MAGIC, 8) != 0)
        return bad_file(path, 0, "not a token file", err);
    const uint32_t version = ems_read_u32le(&r);
    if (version == 1)
        return bad_file(path, 8, "version 1, from before bars had a valence"
                        " and an arousal", err);
    if (version != EMS_DATASET_VERSION)
        return bad_file(path, 8, "an unknown version", err);
    h->pieces = ems_read_u32le(&r);
    h->tokens = ems_read_u64le(&r);
    h->bars = ems_read_u64le(&r);
    h->pieces_at = ems_read_u64le(&r);
    h->bars_at = ems_read_u64le(&r);
    h->affect_at = ems_read_u64le(&r);
    h->tokens_at = ems_read_u64le(&r);
    h->names_at = ems_read_u64le(&r);
    h->names = ems_read_u64le(&r);
    if (r.failed || h->pieces == 0)
        return bad_file(path, 12, "no pieces", err);
    if (!fits(h->pieces_at, h->pieces, EMS_DATASET_PIECE, file->size) ||
        !fits(h->bars_at, h->bars, 4, file->size) ||
        !fits(h->affect_at, h->bars, 8, file->size) ||
        !fits(h->tokens_at, h->tokens, 2, file->size) ||
        !fits(h->names_at, h->names, 1, file->size))
        return bad_file(path, 16, "sections beyond the end", err);
    if (h->names == 0 || file->data[h->names_at + h->names - 1] != '\0')
        return bad_file(path, 72, "names without an end", err);
    return EMS_OK;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int is_label(float x)
{
    return isnan(x) || (x >= -1 && x <= 1);
}

static int read_piece(ems_dataset_piece *p, ems_reader *r, const header *h,
                      const ems_bytes *file)
{
    const uint64_t token = ems_read_u64le(r), bar = ems_read_u64le(r);
    p->token_count = ems_read_u32le(r);
    p->bar_count = ems_read_u32le(r);
    p->valence = float_of(ems_read_u32le(r));
    p->arousal = float_of(ems_read_u32le(r));
    p->weight = float_of(ems_read_u32le(r));
    p->families = ems_read_u8(r);
    p->held_out = ems_read_u8(r);
    ems_read_u16le(r);
    p->song = ems_read_u32le(r);
    const uint32_t name = ems_read_u32le(r);
    if (token > h->tokens || p->token_count > h->tokens - token ||
        bar > h->bars || p->bar_count > h->bars - bar ||
        name >= h->names)
        return 0;
    /* the sections lie at multiples of 8 in a mapped page */
    p->tokens = (const uint16_t *)(const void *)(file->data + h->tokens_at) +
                token;
    p->bars = (const uint32_t *)(const void *)(file->data + h->bars_at) + bar;
    p->affect = (const float *)(const void *)(file->data + h->affect_at) +
                2 * bar;
    p->name = (const char *)file->data + h->names_at + name;
    return p->token_count > 0 && is_label(p->valence) &&
           is_label(p->arousal) && p->weight > 0 && isfinite(p->weight) &&
           p->families >= 1 && p->families <= EMS_FAMILIES &&
           p->held_out <= 1;
}

static int check_piece(const ems_dataset_piece *p)
{
    for (size_t i = 0; i < p->token_count; i++) {
        const int token = p->tokens[i];
        if (!ems_is_note(token) && !ems_is_shift(token) &&
            token != EMS_BAR && token != EMS_CHORD)
            return 0;
    }
    for (size_t i = 0; i < 2 * p->bar_count; i++)
        if (!is_label(p->affect[i]))
            return 0;
    for (size_t i = 0; i < p->bar_count; i++)
        if (p->bars[i] >= p->token_count ||
            p->tokens[p->bars[i]] != EMS_BAR ||
            (i > 0 && p->bars[i] <= p->bars[i - 1]))
            return 0;
    return 1;
}

static int read_pieces(ems_dataset *d, const char *path, ems_error *err)
{
    header h = {0};
    const int code = read_header(&h, &d->file, path, err);
    if (code < 0)
        return code;
    d->pieces = ems_alloc(h.pieces, sizeof *d->pieces);
    if (!d->pieces)
        return ems_out_of_memory(err);
    ems_reader r = {d->file.data, d->file.size, h.pieces_at, 0};
    for (d->count = 0; d->count < h.pieces; d->count++) {
        const size_t at = r.at;
        ems_dataset_piece *p = &d->pieces[d->count];
        if (!read_piece(p, &r, &h, &d->file) || !check_piece(p))
            return bad_file(path, at, "a piece that cannot be", err);
    }
    return EMS_OK;
}

ems_dataset *ems_dataset_open(const char *path, ems_error *err)
{
    ems_dataset *d = ems_alloc(1, sizeof *d);
    if (!d) {
        ems_out_of_memory(err);
        return NULL;
    }
    if (ems_bytes_map(&d->file, path, 0, err) < 0 ||
        read_pieces(d, path, err) < 0) {
        ems_dataset_close(d);
        return NULL;
    }
    return d;
}

size_t ems_dataset_count(const ems_dataset *d)
{
    return d->count;
}

ems_dataset_piece ems_dataset_get(const ems_dataset *d, size_t i)
{
    return d->pieces[i];
}

/* The bar that token `at` lies in; 0 before the first. */
static size_t bar_at(const ems_dataset_piece *p, size_t at)
{
    size_t low = 0, high = p->bar_count;
    while (low + 1 < high) {
        const size_t middle = (low + high) / 2;
        if (p->bars[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void ems_dataset_affect(const ems_dataset_piece *p, size_t first,
                        size_t count, float *valence, float *arousal)
{
    double sum[2] = {0}, weight[2] = {0};
    size_t bar = bar_at(p, first);
    for (size_t i = first; p->bar_count && i < first + count; i++) {
        if (bar + 1 < p->bar_count && p->bars[bar + 1] <= i)
            bar++;
        const int token = p->tokens[i];
        const int ticks = ems_is_shift(token) ? ems_shift_ticks(token) : 0;
        for (int axis = 0; ticks && axis < 2; axis++) {
            const float x = p->affect[2 * bar + (size_t)axis];
            if (isnan(x))
                continue;
            sum[axis] += (double)x * ticks;
            weight[axis] += ticks;
        }
    }
    *valence = weight[0] > 0 ? (float)(sum[0] / weight[0]) : p->valence;
    *arousal = weight[1] > 0 ? (float)(sum[1] / weight[1]) : p->arousal;
}

void ems_dataset_close(ems_dataset *d)
{
    if (!d)
        return;
    ems_free(d->pieces);
    ems_bytes_unmap(&d->file);
    ems_free(d);
}

/* The token file (dataset.h). */
#include "music/dataset_build.h"

#include "music/dataset.h"

#include <math.h>
#include <string.h>

enum { LABELLED_WEIGHT = 2 }; /* valence is known; EMSYNC's multiplier */

static void put32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *at, uint64_t v)
{
    put32(at, (uint32_t)v);
    put32(at + 4, (uint32_t)(v >> 32));
}

static void put_float(uint8_t *at, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put32(at, bits);
}

static uint64_t aligned(uint64_t at)
{
    return (at + 7) & ~(uint64_t)7;
}

static void pad(FILE *f, uint64_t end)
{
    fwrite("\0\0\0\0\0\0\0", 1, (size_t)(aligned(end) - end), f);
}

static void write_header(FILE *f, const ems_build *d)
{
    const uint64_t pieces_at = EMS_DATASET_HEADER;
    const uint64_t bars_at = pieces_at + d->count * EMS_DATASET_PIECE;
    const uint64_t affect_at = aligned(bars_at + d->bar_count * 4);
    const uint64_t tokens_at = affect_at + d->bar_count * 8;
    const uint64_t names_at = aligned(tokens_at + d->token_count * 2);
    uint8_t header[EMS_DATASET_HEADER] = EMS_DATASET_MAGIC;
    put32(header + 8, EMS_DATASET_VERSION);
    put32(header + 12, (uint32_t)d->count);
    put64(header + 16, d->token_count);
    put64(header + 24, d->bar_count);
    put64(header + 32, pieces_at);
    put64(header + 40, bars_at);
    put64(header + 48, affect_at);
    put64(header + 56, tokens_at);
    put64(header + 64, names_at);
    put64(header + 72, d->names_size);
    fwrite(header, 1, sizeof header, f);
}

static void write_piece(FILE *f, const ems_built_piece *p)
{
    uint8_t row[EMS_DATASET_PIECE] = {0};
    put64(row, p->first_token);
    put64(row + 8, p->first_bar);
    put32(row + 16, p->tokens);
    put32(row + 20, p->bars);
    put_float(row + 24, p->valence);
    put_float(row + 28, p->arousal);
    put_float(row + 32, p->weight * (isnan(p->valence) ? 1 : LABELLED_WEIGHT));
    row[36] = (uint8_t)__builtin_popcount(p->families);
    row[37] = p->held_out;
    put32(row + 40, p->song);
    put32(row + 44, p->name);
    fwrite(row, 1, sizeof row, f);
}

static int copy_tokens(FILE *to, FILE *from, uint64_t bytes)
{
    uint8_t block[1 << 14];
    rewind(from);
    while (bytes > 0) {
        const size_t want = bytes < sizeof block ? (size_t)bytes
                                                 : sizeof block;
        if (fread(block, 1, want, from) != want ||
            fwrite(block, 1, want, to) != want)
            return -1;
        bytes -= want;
    }
    return 0;
}

int ems_build_write(const ems_build *d, ems_output *out, FILE *tokens,
                    ems_error *err)
{
    FILE *f = out->file;
    write_header(f, d);
    for (size_t i = 0; i < d->count; i++)
        write_piece(f, &d->pieces[i]);
    uint8_t value[4];
    for (size_t i = 0; i < d->bar_count; i++) {
        put32(value, d->bars[i]);
        fwrite(value, 1, sizeof value, f);
    }
    pad(f, d->bar_count * 4);
    for (size_t i = 0; i < 2 * d->bar_count; i++) {
        put_float(value, d->affect[i]);
        fwrite(value, 1, sizeof value, f);
    }
    if (fflush(tokens) != 0 || copy_tokens(f, tokens, d->token_count * 2) < 0)
        return ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"",
                              out->path);
    pad(f, d->token_count * 2);
    fwrite(d->names, 1, d->names_size, f);
    return ems_output_commit(out, err);
}

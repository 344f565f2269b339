/* dataset.h - the token file: every piece of a collection as EMSYNC events,
 * read by the training loop through a memory map.
 *
 * Little-endian. Layout (sections in this order, each at a multiple of 8
 * bytes, gaps zero, the file ends with the last section):
 *
 *     header, 64 bytes
 *          0  char[8]  "EMSDATA\n"
 *          8  u32      version, 1
 *         12  u32      P, number of pieces, >= 1
 *         16  u64      N, number of tokens in all
 *         24  u64      B, number of bars in all
 *         32  u64      byte offset of the piece table  (P * 40 bytes)
 *         40  u64      byte offset of the bars         (B * u32)
 *         48  u64      byte offset of the tokens       (N * u16)
 *         56  u64      0
 *     piece, 40 bytes
 *          0  u64      first token (index into the tokens)
 *          8  u64      first bar (index into the bars)
 *         16  u32      tokens, >= 1
 *         20  u32      bars, may be 0
 *         24  f32      valence in [-1,1] or NaN: unknown
 *         28  f32      arousal in [-1,1] or NaN
 *         32  f32      weight > 0: how often the piece is drawn relative to
 *                      its length (1; labelled pieces 2)
 *         36  u8       instrument families that sound, 1..5
 *         37  u8       1: held out for validation, 0: training
 *         38  u16      0
 *     bars             of each piece: ascending indices, relative to its
 *                      first token, of its <BAR> tokens
 *     tokens           the event stream of the whole piece: TIMESHIFT, OFF,
 *                      ON, <BAR>, <CHORD>; no <PAD>, no <START>, no
 *                      instrument-count token (the loop adds those). */
#ifndef EMS_DATASET_H
#define EMS_DATASET_H
#include "base/error.h"

enum {
    EMS_DATASET_HEADER = 64, EMS_DATASET_PIECE = 40,
    EMS_DATASET_VERSION = 1,
};
#define EMS_DATASET_MAGIC "EMSDATA\n"

typedef struct ems_dataset ems_dataset; /* immutable once open: shared freely */

typedef struct ems_dataset_piece { /* points into the map */
    const uint16_t *tokens;
    const uint32_t *bars;
    size_t token_count, bar_count;
    float valence, arousal; /* NaN: unknown */
    float weight;
    int families;           /* instrument families that sound */
    int held_out;
} ems_dataset_piece;

/* Map and check a token file: every offset, count, token and bar is looked at
 * once, so that what ems_dataset_get gives needs no more checks (tokens are
 * notes, shifts, <BAR> or <CHORD>; bars point at <BAR>). EMS_EIO,
 * EMS_EFORMAT. */
ems_dataset *ems_dataset_open(const char *path, ems_error *err);
size_t ems_dataset_count(const ems_dataset *d);
/* i < ems_dataset_count(d) */
ems_dataset_piece ems_dataset_get(const ems_dataset *d, size_t i);
void ems_dataset_close(ems_dataset *d);
#endif

/* dataset.h - the token file: every piece of a collection as EMSYNC events,
 * read by the training loop through a memory map.
 *
 * Little-endian. Layout (sections in this order, each at a multiple of 8
 * bytes, gaps zero, the file ends with the last section):
 *
 *     header, 80 bytes
 *          0  char[8]  "EMSDATA\n"
 *          8  u32      version, 2
 *         12  u32      P, number of pieces, >= 1
 *         16  u64      N, number of tokens in all
 *         24  u64      B, number of bars in all
 *         32  u64      byte offset of the piece table  (P * 48 bytes)
 *         40  u64      byte offset of the bars         (B * u32)
 *         48  u64      byte offset of the affect       (B * 2 * f32)
 *         56  u64      byte offset of the tokens       (N * u16)
 *         64  u64      byte offset of the names        (M bytes)
 *         72  u64      M, bytes of names, >= 1
 *     piece, 48 bytes
 *          0  u64      first token (index into the tokens)
 *          8  u64      first bar (index into the bars)
 *         16  u32      tokens, >= 1
 *         20  u32      bars, may be 0
 *         24  f32      valence in [-1,1] or NaN: unknown
 *         28  f32      arousal in [-1,1] or NaN
 *         32  f32      weight > 0: how often the piece is drawn relative to
 *                      its length (the source's; twice where the
 *                      valence is known)
 *         36  u8       instrument families that sound, 1..5
 *         37  u8       1: held out for validation, 0: training
 *         38  u16      0
 *         40  u32      song: the same number for all arrangements of one song
 *         44  u32      its name: byte offset into the names
 *     bars             of each piece: ascending indices, relative to its
 *                      first token, of its <BAR> tokens
 *     affect           of each bar: valence, arousal in [-1,1] or NaN
 *     tokens           the event stream of the whole piece: TIMESHIFT, OFF,
 *                      ON, <BAR>, <CHORD>; no <PAD>, no <START>, no
 *                      instrument-count token (the loop adds those).
 *     names            strings, each with a zero byte at its end: the path of
 *                      the MIDI file below the folder that was read */
#ifndef EMS_DATASET_H
#define EMS_DATASET_H
#include "base/error.h"

enum {
    EMS_DATASET_HEADER = 80, EMS_DATASET_PIECE = 48,
    EMS_DATASET_VERSION = 2,
};
#define EMS_DATASET_MAGIC "EMSDATA\n"

typedef struct ems_dataset ems_dataset; /* immutable once open: shared freely */

typedef struct ems_dataset_piece { /* points into the map */
    const uint16_t *tokens;
    const uint32_t *bars;
    const float *affect;    /* [bar_count, 2] valence, arousal; NaN: unknown */
    size_t token_count, bar_count;
    float valence, arousal; /* of the whole piece; NaN: unknown */
    float weight;
    int families;           /* instrument families that sound */
    int held_out;
    uint32_t song;          /* equal for all arrangements of one song */
    const char *name;       /* path of its MIDI file */
} ems_dataset_piece;

/* Map and check a token file: every offset, count, token and bar is looked at
 * once, so that what ems_dataset_get gives needs no more checks (tokens are
 * notes, shifts, <BAR> or <CHORD>; bars point at <BAR>). EMS_EIO,
 * EMS_EFORMAT. */
ems_dataset *ems_dataset_open(const char *path, ems_error *err);
size_t ems_dataset_count(const ems_dataset *d);
/* i < ems_dataset_count(d) */
ems_dataset_piece ems_dataset_get(const ems_dataset *d, size_t i);
/* Valence and arousal of tokens [first, first + count): the mean of the bars'
 * by time; where no bar's is known, the piece's (NaN: unknown too). */
void ems_dataset_affect(const ems_dataset_piece *p, size_t first,
                        size_t count, float *valence, float *arousal);
void ems_dataset_close(ems_dataset *d);
#endif

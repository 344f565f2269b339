/* novelty.h - what a piece shares with the training music, whatever the key,
 * the tempo and the instrument: runs of phrases (lines.h) that the index of
 * the training music holds.
 *
 * The index, little-endian; sections in this order, each at a multiple of 8
 * bytes, gaps zero, the file ends with the last section:
 *
 *     header, 64 bytes
 *          0  char[8]  "EMSNOVEL"
 *          8  u32      version, 1
 *         12  u32      notes of a phrase, EMS_PHRASE
 *         16  u32      T, thinning 0..8: of the phrases only those stay whose
 *                      hash ends in T zero bits
 *         20  u32      K, 8..22
 *         24  u32      S, songs, 1..65535
 *         28  u32      pieces that were read
 *         32  u64      N, phrases
 *         40  u64      M, bytes of names
 *         48  u64      seconds of music that were read
 *         56  u64      0
 *     counts     u8[2^K]: how many phrases have a hash with these K top bits
 *     marks      u8[N]: the next 8 bits of the hash, ascending for each count
 *     songs      u16[N]: 1..S, or 0: a phrase of many songs, nobody's
 *     names      of songs 1..S, each with a zero byte at its end */
#ifndef EMS_NOVELTY_H
#define EMS_NOVELTY_H
#include "music/lines.h"
#include "music/piece.h"

enum {
    EMS_NOVELTY_HEADER = 64, EMS_NOVELTY_VERSION = 1,
    EMS_NOVELTY_MOST_SONGS = 65535, EMS_NOVELTY_MOST_BITS = 22,
    EMS_NOVELTY_LEAST_BITS = 8, EMS_NOVELTY_MOST_THINNING = 8,
};
#define EMS_NOVELTY_MAGIC "EMSNOVEL"
#define EMS_NOVELTY_NAME "emsync-music.novelty" /* beside the model */

typedef struct ems_novelty ems_novelty; /* immutable: shared freely */

/* Map and check an index. NULL: the one that ships. EMS_EIO, EMS_EFORMAT. */
ems_novelty *ems_novelty_open(const char *path, ems_error *err);
void ems_novelty_free(ems_novelty *n);

typedef enum ems_phrase_state {
    EMS_PHRASE_NEW,    /* not in the training music */
    EMS_PHRASE_NOBODY, /* says nothing, or thinned out */
    EMS_PHRASE_KNOWN,
} ems_phrase_state;

/* *song 1..S when known. */
ems_phrase_state ems_novelty_look(const ems_novelty *n, uint64_t hash,
                                  unsigned *song);
/* "" for a song that is not there. */
const char *ems_novelty_song(const ems_novelty *n, unsigned song);

/* The longest shared passage of a sorted piece. EMS_ENOMEM or 0. */
int ems_novelty_search(const ems_novelty *n, const ems_piece *p,
                       ems_passage *longest, ems_error *err);
#endif

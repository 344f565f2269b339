/* sync.h - does the music meet the picture? A piece of any origin against the
 * cuts of a film. What an accent is and how shares are counted:
 * docs/MUSIC.md. */
#ifndef EMS_SYNC_H
#define EMS_SYNC_H
#include "music/piece.h"
#include "music/plan.h"

typedef struct ems_moments { /* ascending seconds */
    double *at;
    double *weight;          /* of accents: how much they stand out, >= 1 */
    size_t count, capacity, weight_capacity;
} ems_moments;

typedef struct ems_sync_music { /* what a piece offers to meet cuts with */
    ems_moments accents, bars, beats;
} ems_sync_music;

/* Release with ems_sync_music_clear, also after a failure. */
int ems_sync_listen(ems_sync_music *m, const ems_piece *piece,
                    ems_error *err);
void ems_sync_music_clear(ems_sync_music *m);

/* Fill everything of *out. `film` gives duration, fps and cuts; `hits`:
 * nonzero if its hits count too. The caller owns out->cuts on success. */
int ems_sync_measure(ems_sync_report *out, const ems_plan *film, int hits,
                     const ems_piece *piece, const ems_sync_music *music,
                     int rounds, uint64_t seed, ems_error *err);

typedef struct ems_sync_tile { /* of the film strip: a stretch of one shot */
    double from, to;
    uint8_t *jpeg;       /* owned; NULL: no picture */
    size_t size;
} ems_sync_tile;

/* The tiles that a strip of this film has room for, ascending, without
 * pictures; shots too short to see have none. Release with ems_free; NULL: out
 * of memory. */
ems_sync_tile *ems_sync_tiles(const ems_plan *film, size_t *count);
/* A picture (SVG): film strip, cuts and what met them, accents, notes, bars,
 * tempo and, where `curve` is nonzero, the film's valence and arousal. */
int ems_sync_draw(const char *svg, const ems_plan *film, int curve,
                  const ems_sync_tile *tiles, size_t tile_count,
                  const ems_piece *piece, const ems_sync_music *music,
                  const ems_sync_report *report, ems_error *err);
#endif

/* dataset_build.h - between reading the pieces, writing the token file and
 * reporting on it. */
#ifndef EMS_DATASET_BUILD_H
#define EMS_DATASET_BUILD_H
#include "base/file.h"
#include "music/guess.h"
#include "music/labels.h"

typedef enum ems_skip {
    EMS_KEPT, EMS_SKIP_UNREADABLE, EMS_SKIP_NO_NOTES, EMS_SKIP_ODD_BARS,
    EMS_SKIP_SHORT, EMS_SKIP_LONG, EMS_SKIP_DUPLICATE, EMS_SKIPS,
} ems_skip;

typedef struct ems_built_piece {
    uint64_t first_token, first_bar;
    uint32_t tokens, bars, chords;
    float valence, arousal;
    uint8_t families;    /* bit f: ems_family f sounds */
    uint8_t held_out, labelled;
    float density, seconds, bpm;
    uint64_t hash;       /* of the tokens */
    uint32_t song, name; /* name: offset into names */
} ems_built_piece;

typedef struct ems_build {
    ems_built_piece *pieces;
    size_t count, capacity;
    uint32_t *bars;
    size_t bar_count, bar_capacity;
    float *affect;       /* [bar_count, 2] */
    size_t affect_capacity;
    char *names;
    size_t names_size, names_capacity;
    uint64_t token_count;
    size_t files, warnings, skipped[EMS_SKIPS];
} ems_build;

/* Give the pieces without a known arousal one from their density. */
int ems_build_arousal(ems_build *b, ems_error *err);
/* Write the token file (dataset.h); `tokens` holds token_count u16. */
int ems_build_write(const ems_build *b, ems_output *out, FILE *tokens,
                    ems_error *err);
/* Numbers to the log and, unless path is NULL, as JSON. */
int ems_build_report(const ems_build *b, const char *path,
                     const ems_run *run, ems_error *err);
#endif

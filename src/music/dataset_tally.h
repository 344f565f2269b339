/* dataset_tally.h - the counts that the reports of a data set show. */
#ifndef EMS_DATASET_TALLY_H
#define EMS_DATASET_TALLY_H
#include "music/dataset_build.h"

enum { EMS_TALLY_GRID = 5, EMS_TALLY_FINE = 21, EMS_TALLY_TEMPOS = 12,
       EMS_TALLY_BPM = 20 };

typedef struct ems_part { /* all pieces of one source or style */
    uint32_t word;
    size_t pieces, held_out, without_chords;
    double seconds;
    uint64_t tokens, chords;
    double weighted;       /* tokens times how often they are drawn */
    double sum[2], known[2]; /* valence, arousal: by seconds */
} ems_part;

typedef struct ems_parts { /* descending seconds */
    ems_part *items;
    size_t count;
} ems_parts;

typedef struct ems_agreement { /* of a source with the critic, per axis */
    size_t known[2];       /* pieces it says something about */
    size_t shared[2];
    double r[2];           /* Pearson; NaN below 3 */
} ems_agreement;

typedef struct ems_tally {
    double seconds;
    uint64_t chords;
    size_t held_out, emotion_unknown, families[EMS_FAMILIES],
        tempos[EMS_TALLY_TEMPOS];
    size_t grid[EMS_TALLY_GRID][EMS_TALLY_GRID]; /* [arousal][valence] */
    double fine[EMS_TALLY_FINE][EMS_TALLY_FINE]; /* of bars, share */
    ems_agreement said[EMS_SAID];
    ems_parts sources, licences, styles;
} ems_tally;

/* EMS_ENOMEM or 0; release with ems_tally_clear. */
int ems_tally_take(ems_tally *t, const ems_build *b, ems_error *err);
void ems_tally_clear(ems_tally *t);
/* `text` as it may be shown: what is no UTF-8 or no print becomes '?'; cut
 * between characters at room - 1 bytes. Returns `out`. */
const char *ems_tally_text(char *out, size_t room, const char *text);
/* "a; b" of the licences that pieces of a source have, at most `room`
 * bytes. */
void ems_tally_licences(char *out, size_t room, const ems_build *b,
                        uint32_t source);
int ems_build_picture(const ems_build *b, const ems_tally *t,
                      const char *path, ems_error *err);
#endif

/* emotions.h - a table of songs' emotion scores, as published with
 * Emotion4MIDI: a column `file` and one column per label. */
#ifndef EMS_EMOTIONS_H
#define EMS_EMOTIONS_H
#include "base/error.h"

#include <stdio.h>

typedef struct ems_emotions ems_emotions; /* immutable: shared freely */

/* A CSV table (csv.h) with `file` and scores in [0,1] either for Ekman's six
 * (and `neutral`) or for the 28 labels of GoEmotions, which are summed up
 * into Ekman's as its authors group them. NULL: EMS_EIO; EMS_EFORMAT with the
 * line. */
ems_emotions *ems_emotions_load(const char *path, ems_error *err);
ems_emotions *ems_emotions_parse(const char *data, size_t size,
                                 const char *name, ems_error *err);
size_t ems_emotions_count(const ems_emotions *e);
/* The scores of a file: anger disgust fear joy sadness surprise neutral.
 * Found by its path, by the end of a path in the table ("0/x.mid" finds
 * "lakh/0/x.mid"), or by `md5` (NULL: not tried) where the table names files
 * by that. NULL: not there. */
const float *ems_emotions_find(const ems_emotions *e, const char *path,
                               const char *md5);
void ems_emotions_free(ems_emotions *e);

/* Valence and arousal of scores, each by its share of their sum; "neutral" is
 * the middle. NaN when all are 0. */
void ems_emotions_affect(const float ekman[7], float *valence,
                         float *arousal);

/* One line of such a table, four decimals. `count` 7: scores in the order
 * above, written with "neutral" before "sadness" as the published tables
 * have it; 28: as they are. `file` NULL: the heading with `names`. */
void ems_emotions_put(FILE *f, const char *file, const float *scores,
                      const char *const *names, size_t count);
#endif

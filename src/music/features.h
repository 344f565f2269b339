/* features.h - a table of songs' valence by artist and title or track id (as
 * the streaming services give it), matched to MIDI files. */
#ifndef EMS_FEATURES_H
#define EMS_FEATURES_H
#include "music/midi.h"

typedef struct ems_features ems_features; /* immutable: shared freely */

/* A CSV table (csv.h) with `artist` and `title`, or `track_id`, and `valence`
 * in [0,1]. Rows without a valence, or with 0 (which stands for "not known"
 * too often), are passed over. NULL: EMS_EIO; EMS_EFORMAT with the line. */
ems_features *ems_features_load(const char *path, ems_error *err);
ems_features *ems_features_parse(const char *data, size_t size,
                                 const char *name, ems_error *err);
size_t ems_features_count(const ems_features *f); /* rows with a valence */

/* The valence in [-1,1] of the song that a MIDI file holds; NaN: not found.
 * It is found by a track id in `path`, or by a title that is in the file's
 * name or in a text of the file, if its artist is named too: by the folder,
 * the file's name or a text. `m` may be NULL. */
double ems_features_find(const ems_features *f, const char *path,
                         const ems_midi *m);
void ems_features_free(ems_features *f);
#endif

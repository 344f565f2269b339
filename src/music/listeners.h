/* listeners.h - valence and arousal that people gave while they listened, as
 * VGMIDI stores them (JSON): about once a bar, some thirty people a piece. */
#ifndef EMS_LISTENERS_H
#define EMS_LISTENERS_H
#include "base/error.h"

typedef struct ems_listened {
    char *file;          /* the MIDI file's name, without folders */
    float *values;       /* [points, 2]: the people's mean, evenly spaced
                            over the piece; NaN where nobody rated */
    size_t points;       /* >= 1 */
    size_t people;
} ems_listened;

typedef struct ems_listeners {
    ems_listened *items; /* ascending file */
    size_t count, capacity;
} ems_listeners;

/* One JSON file, or all *.json of a folder. EMS_EIO; EMS_EFORMAT with the
 * JSON path. Release with ems_listeners_clear. */
int ems_listeners_load(ems_listeners *l, const char *path, ems_error *err);
/* Adds the pieces of one file to *l, which is zeroed beforehand; `name`
 * stands for it in errors. On failure *l is empty. */
int ems_listeners_parse(ems_listeners *l, const char *data, size_t size,
                        const char *name, ems_error *err);
/* By the name of a MIDI file. NULL: not rated. */
const ems_listened *ems_listeners_find(const ems_listeners *l,
                                       const char *path);
void ems_listeners_clear(ems_listeners *l);
#endif

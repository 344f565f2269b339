/* midi_files.h - the MIDI files below some folders, in an order that does not
 * depend on the disk. */
#ifndef EMS_MIDI_FILES_H
#define EMS_MIDI_FILES_H
#include "base/error.h"

typedef struct ems_midi_file {
    char *path;
    size_t folder;        /* which of the folders */
    size_t relative;      /* path + relative: the path below that folder */
} ems_midi_file;

typedef struct ems_midi_files {
    ems_midi_file *items; /* ascending folder, then relative path */
    size_t count, capacity;
    size_t unread;        /* folders below that cannot be read */
    char *first_unread;   /* NULL: none */
} ems_midi_files;

/* Every regular .mid, .midi and .kar file at any depth; links are not
 * followed, except the folders named. EMS_EIO when one of these cannot be
 * read. Release with ems_midi_files_clear. */
int ems_midi_files_find(ems_midi_files *f, const char *const *folders,
                        size_t folder_count, ems_error *err);
void ems_midi_files_clear(ems_midi_files *f);
#endif

/* file.h - whole files in, whole files out.
 *
 * An output is written beside its final name and appears by rename:
 *
 *     ems_output o;
 *     if (ems_output_open(&o, path, &err) < 0) return err.code;
 *     fwrite(data, 1, size, o.file);
 *     return ems_output_commit(&o, &err);   // or ems_output_discard(&o)
 */
#ifndef EMS_FILE_H
#define EMS_FILE_H
#include "base/error.h"

#include <stdio.h>

typedef struct ems_bytes { /* a read-only mapped file */
    const uint8_t *data;   /* NULL when size is 0 */
    size_t size;
} ems_bytes;

/* Map a regular file. EMS_EIO: cannot open; EMS_EFORMAT: not a regular file
 * or larger than `limit` bytes (0: no limit). */
int ems_bytes_map(ems_bytes *b, const char *path, size_t limit,
                  ems_error *err);
void ems_bytes_unmap(ems_bytes *b);

typedef struct ems_output {
    FILE *file;      /* NULL when a library writes to `temporary` itself */
    char *path;      /* where it will appear */
    char *temporary; /* where it is until then; same folder, same suffix */
} ems_output;

/* Reserve a temporary name and open it for writing. */
int ems_output_open(ems_output *o, const char *path, ems_error *err);
/* Reserve a temporary name (created empty) for a library to write to. */
int ems_output_reserve(ems_output *o, const char *path, ems_error *err);
/* Flush, check for write errors, rename. On failure the output is gone. */
int ems_output_commit(ems_output *o, ems_error *err);
/* Remove what was written; harmless on a zeroed or finished output. */
void ems_output_discard(ems_output *o);

/* Write `size` bytes as a whole file. */
int ems_file_write(const char *path, const void *data, size_t size,
                   ems_error *err);
/* Make a folder and its parents; it may exist. */
int ems_folder_make(const char *path, ems_error *err);
/* "folder/name" in new memory; NULL when out of memory. */
char *ems_path_join(const char *folder, const char *name);
/* "pathsuffix" in new memory; NULL when out of memory. */
char *ems_path_suffix(const char *path, const char *suffix);
/* Nonzero: path ends in suffix. */
int ems_path_ends(const char *path, const char *suffix);
/* A file of models/, in new memory: in the folder $EMSYNC_MODELS, the source's
 * or the installed one. NULL when it is in none. */
char *ems_models_find(const char *name, ems_error *err);
/* Open a log that grows line by line, emptied first unless `keep`. EMS_EIO
 * also when another process has it open this way. NULL on failure. */
FILE *ems_log_file_open(const char *path, int keep, ems_error *err);
#endif

/* cache.h - what experts said of films before: a file for each film and
 * expert in the user's cache folder ($XDG_CACHE_HOME/emsync/experts), named
 * after the content of both. The oldest files go when there are more than
 * $EMSYNC_CACHE_MB megabytes (1024; 0: no cache). */
#ifndef EMS_EXPERT_CACHE_H
#define EMS_EXPERT_CACHE_H
#include "base/error.h"

typedef struct ems_matrix { /* rows of an expert */
    size_t dim, rows;
    double *times;  /* [rows], ascending */
    float *values;  /* [rows, dim], finite */
} ems_matrix;

void ems_matrix_clear(ems_matrix *m);

/* SHA-256 of a file's content as 64 digits. */
int ems_file_key(const char *path, char key[65], ems_error *err);
/* Read what is known under film and expert; EMS_EIO: nothing is.
 * A file that is broken counts as none. */
int ems_cache_get(const char film[65], const char expert[65], size_t dim,
                  ems_matrix *out, ems_error *err);
/* Keep it. Failures do not matter to the caller: the next run works again. */
int ems_cache_put(const char film[65], const char expert[65],
                  const ems_matrix *m, ems_error *err);

/* The same for a text: *text is new memory (ems_free), with a 0 behind it. */
int ems_cache_get_text(const char film[65], const char key[65], char **text,
                       size_t *size);
int ems_cache_put_text(const char film[65], const char key[65],
                       const char *text, size_t size);

/* The file's bytes; `dim` is what the expert has. */
int ems_matrix_parse(const uint8_t *data, size_t size, size_t dim,
                     ems_matrix *out, ems_error *err);
#endif

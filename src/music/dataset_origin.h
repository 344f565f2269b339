/* dataset_origin.h - where a file comes from and under which licence. */
#ifndef EMS_DATASET_ORIGIN_H
#define EMS_DATASET_ORIGIN_H
#include "music/dataset_build.h"

typedef struct ems_origin_row {
    char *source;
    const char *licence;   /* in source's memory */
    double weight;         /* NaN: not said */
} ems_origin_row;

typedef struct ems_origins {
    ems_origin_row *rows;
    size_t count, capacity;
    uint8_t *scattered;    /* of each folder named: too many folders below */
    char *folder;          /* whose licence was looked for last */
    char licence[96];
} ems_origins;

/* A CSV table (csv.h) with `source`, and `licence` or `weight` or both.
 * `path` NULL: none. Release with ems_origins_clear. */
int ems_origins_load(ems_origins *o, const char *path, ems_error *err);
int ems_origins_parse(ems_origins *o, const char *data, size_t size,
                      const char *name, ems_error *err);
void ems_origins_clear(ems_origins *o);
/* Look at all files once, before ems_origin_set: below a folder named with
 * more than EMS_ORIGIN_FOLDERS folders these are no sources. */
enum { EMS_ORIGIN_FOLDERS = 40 };
int ems_origins_look(ems_origins *o, const ems_midi_files *files,
                     size_t folder_count, ems_error *err);

/* The piece's source (the label's; else the first folder below the one that
 * was named, else that one's name), licence (the label's; else the table's;
 * else the heading of a LICENSE or COPYING in these folders), style and
 * weight. EMS_ENOMEM or 0. */
int ems_origin_set(ems_built_piece *p, ems_build *b, ems_origins *o,
                   const ems_midi_file *file, const ems_label *label,
                   ems_error *err);
#endif

/* labels.h - what is known of songs from a table: emotion, and where they
 * come from. */
#ifndef EMS_LABELS_H
#define EMS_LABELS_H
#include "base/error.h"

typedef struct ems_label {
    char *file;              /* as in the table, without "./" */
    double valence, arousal; /* [-1,1] or NaN: unknown */
    /* "" where the table does not say; in file's memory */
    const char *song;        /* equal for all arrangements of one song */
    const char *source, *licence, *style;
} ems_label;

typedef struct ems_labels {
    ems_label *items;        /* ascending file */
    size_t count, capacity;
} ems_labels;

/* A CSV table (csv.h) with the column `file` and any of `valence`, `arousal`,
 * `song` (else `title`), `source`, `licence`, `style` (else `groove`); other
 * columns are passed over; an empty value is unknown. EMS_EIO; EMS_EFORMAT
 * with the line. Release with ems_labels_clear. */
int ems_labels_load(ems_labels *l, const char *path, ems_error *err);
/* As above from memory; `name` stands for the file in errors. */
int ems_labels_parse(ems_labels *l, const char *data, size_t size,
                     const char *name, ems_error *err);
const ems_label *ems_labels_find(const ems_labels *l, const char *file);
void ems_labels_clear(ems_labels *l);
#endif

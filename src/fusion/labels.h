/* labels.h - the table that says what films and pictures feel like, or of
 * which genres they are (docs/FORMATS.md). */
#ifndef EMS_FUSION_LABELS_H
#define EMS_FUSION_LABELS_H
#include "fusion/model.h"

typedef struct ems_label {
    char *file;     /* as the table has it: with or without suffix */
    ems_clip clip;  /* known, emotion, affect, genre, group, split */
} ems_label;

typedef struct ems_label_set {
    ems_label *label;
    size_t count, capacity;
    char genre[EMS_FUSION_GENRES][EMS_FUSION_GENRE_NAME]; /* ascending */
    size_t genres, groups;
    int has_emotion, has_affect, has_split;
} ems_label_set;

enum { EMS_LABELS_MOST = 1000000 };

/* Read a table; `genres`: its genres, else its emotions. Every error is one
 * sentence with file and line: no column of files or labels, an emotion or a
 * split that is none, a number out of range, too many genres, a file twice,
 * not a single label. */
int ems_label_set_parse(ems_label_set *s, const char *data, size_t size,
                        const char *name, int genres, ems_error *err);
int ems_label_set_load(ems_label_set *s, const char *path, int genres,
                       ems_error *err);
void ems_label_set_clear(ems_label_set *s);
#endif

/* parts.h - what all experts say of one film or picture, in memory and in a
 * file. */
#ifndef EMS_PARTS_H
#define EMS_PARTS_H
#include "fusion/model.h"

typedef struct ems_part { /* of one expert */
    char name[EMS_FUSION_NAME], id[EMS_FUSION_ID];
    size_t dim, rows;
    float *values; /* [rows, dim] */
} ems_part;

typedef struct ems_parts { /* owned: ems_parts_clear */
    ems_part part[EMS_FUSION_EXPERTS];
    size_t count;
} ems_parts;

/* Copy rows of an expert: at most `most`, equidistant, as
 * round(linspace(0, rows - 1, most)). */
int ems_parts_add(ems_parts *p, const char *name, const char *id, size_t dim,
                  size_t rows, const float *values, size_t most,
                  ems_error *err);
/* Keep only what experts of the list say; 0 if one of them is not there or is
 * another one than in the list. */
int ems_parts_choose(ems_parts *p, const ems_parts *list);
void ems_parts_clear(ems_parts *p);
/* A safetensors with a tensor for each expert, and its id in "id.NAME". */
int ems_parts_save(const ems_parts *p, const char *path, ems_error *err);
/* EMS_EFORMAT for anything else; `name` is for the sentence. */
int ems_parts_parse(ems_parts *p, const void *data, size_t size,
                    const char *name, ems_error *err);
int ems_parts_load(ems_parts *p, const char *path, ems_error *err);
#endif

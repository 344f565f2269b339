/* gather.h - labelled films as clips that a fusion can learn from: find the
 * files of a table, ask all experts about each (several at a time; what was
 * once found out is kept), and lay out what they say. */
#ifndef EMS_GATHER_H
#define EMS_GATHER_H
#include "fusion/labels.h"

typedef struct ems_part { /* what one expert says of one film */
    char name[EMS_FUSION_NAME], id[EMS_FUSION_ID];
    size_t dim, rows;
    float *values; /* [rows, dim] */
} ems_part;

typedef struct ems_parts {
    ems_part part[EMS_FUSION_EXPERTS];
    size_t count;
} ems_parts;

typedef struct ems_gathering { /* owned: ems_gathering_clear */
    ems_label_set labels;
    ems_fusion_expert expert[EMS_FUSION_EXPERTS]; /* ascending; rows: the most
                                                     that any film has */
    char id[EMS_FUSION_EXPERTS][EMS_FUSION_ID];
    size_t experts;
    ems_clip *clips;   /* [count], in order of the files' names */
    size_t *label;     /* [count]: which label */
    ems_parts *parts;  /* [labels.count]: what the clips point into */
    size_t count, passed_over;
} ems_gathering;

/* Ask the experts about one film. `experts`: names with commas between them,
 * NULL: all. `cache`: folder, NULL: none. At most `rows` rows of each. */
int ems_parts_watch(ems_parts *p, const char *video, const char *experts,
                    const char *cache, size_t rows, const ems_run *run,
                    ems_error *err);
void ems_parts_clear(ems_parts *p);

/* Files that are not there or cannot be read are passed over, with a warning;
 * EMS_EFORMAT when none is left. Progress goes by the name "features". */
int ems_gather(ems_gathering *g, const ems_fusion_train_options *options,
               const ems_run *run, ems_error *err);
void ems_gathering_clear(ems_gathering *g);
#endif

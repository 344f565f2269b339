/* gather.h - labelled films as clips that a fusion can learn from: find the
 * files of a table, ask all experts about each (several at a time; what was
 * once found out is kept), and lay out what they say. */
#ifndef EMS_GATHER_H
#define EMS_GATHER_H
#include "emotion/parts.h"
#include "fusion/labels.h"

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

/* Files that are not there or cannot be read are passed over, with a warning;
 * EMS_EFORMAT when none is left. Progress goes by the name "features". */
int ems_gather(ems_gathering *g, const ems_fusion_train_options *options,
               const ems_run *run, ems_error *err);
void ems_gathering_clear(ems_gathering *g);
#endif

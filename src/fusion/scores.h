/* scores.h - how well a fusion does on labelled clips, as the papers measure
 * it. What cannot be measured is NaN. */
#ifndef EMS_FUSION_SCORES_H
#define EMS_FUSION_SCORES_H
#include "fusion/model.h"

/* `said[i]` is what was said of clips[i]; clips with use[i] == which count
 * (use NULL: all). EMS_ENOMEM. */
int ems_fusion_measure(ems_fusion_scores *out, const ems_fusion_shape *s,
                       const ems_clip *clips, const ems_fusion_said *said,
                       const uint8_t *use, int which, size_t count);
/* One number to stop by: the mean of accuracy, of the mean correlation, and
 * of mean average precision, of the heads that could be measured; NaN: none. */
double ems_fusion_quality(const ems_fusion_scores *s);
#endif

/* text_score.h - how good the classifier is: F1 per label. */
#ifndef EMS_TEXT_SCORE_H
#define EMS_TEXT_SCORE_H
#include "affect/text_data.h"
#include "affect/text_model.h"
#include "base/pool.h"

/* Scores of every line: out[lines, EMS_TEXT_OUTPUTS]. */
void ems_text_rate_set(float *out, const ems_text *t, const ems_text_set *s,
                       ems_pool *pool);
/* The threshold per output with the highest F1 on these lines. -1: out of
 * memory. */
int ems_text_thresholds(float threshold[EMS_TEXT_OUTPUTS], const float *score,
                        const ems_text_set *s);
/* Fill the columns of `part` (0 dev, 1 test) in r. */
void ems_text_measure(ems_text_result *r, int part, const float *score,
                      const float threshold[EMS_TEXT_OUTPUTS],
                      const ems_text_set *s);
#endif

/* train_fusion.h - the result of a training as files. */
#ifndef EMS_TRAIN_FUSION_H
#define EMS_TRAIN_FUSION_H
#include "base/error.h"

/* Write the files that the options ask for. */
int ems_fusion_report(const ems_fusion_result *r,
                      const ems_fusion_train_options *o, ems_error *err);
#endif

/* rig.h - a fusion with its block of weights, for tests. */
#ifndef EMS_FUSION_RIG_H
#define EMS_FUSION_RIG_H
#include "ems_test.h"

#include "fusion/net.h"

enum { RIG_CLIPS = 5, RIG_TENSORS = 256 };

typedef struct rig {
    ems_fusion_net net;
    ems_fusion_params params;
    ems_fusion_tensor tensor[RIG_TENSORS];
    size_t tensors, floats;
    float *block, *ones;
    ems_clip clip[RIG_CLIPS];
    float *rows[RIG_CLIPS][EMS_FUSION_EXPERTS];
    ems_fusion_shard *shard;
    void *work;
} rig;

/* face 4 x 7, scene 5 x 10, sound 3 x 6, words 1 x 9; width 16, 4 heads,
 * inner 24, all three heads with 21 genres. */
ems_fusion_shape rig_shape(ems_fusion_kind kind);
rig *rig_new(ems_fusion_kind kind);
void rig_free(rig *r);
/* Forward, backward; the loss. */
double rig_run(rig *r);
#endif

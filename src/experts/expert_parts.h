/* expert_parts.h - inside of an expert, shared by expert*.c. */
#ifndef EMS_EXPERT_PARTS_H
#define EMS_EXPERT_PARTS_H
#include "base/file.h"
#include "experts/expert.h"

struct ems_expert {
    char *folder;
    ems_manifest *manifest;
    char id[65];
    ems_bytes network, front; /* mapped files */
    ems_onnx *net, *front_net;
    const char *input;        /* name of the main input */
    const char *outputs[EMS_EXPERT_OUTPUTS];
    ems_fitter fitter;
    void *batch;              /* room for manifest->batch inputs */
    float *states[EMS_EXPERT_STATES];
};

/* Faces out of the answer of a BlazeFace with 256 x 256 pixels, in its
 * pixels: scores [512], [384] (logits), boxes [512,16], [384,16]. Writes at
 * most `most`, best first, without overlaps. */
size_t ems_blazeface(const float *score16, const float *score32,
                     const float *box16, const float *box32, ems_face *faces,
                     size_t most);
enum { EMS_BLAZE_SIDE = 256, EMS_BLAZE_FINE = 512, EMS_BLAZE_COARSE = 384 };
#endif

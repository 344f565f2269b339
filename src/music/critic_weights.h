/* critic_weights.h - what the critic has learned: two linear maps of features
 * (critic_features.h), one for a window alone and one for a window in its
 * piece.
 *
 *     z[c][f] = clip((x[c][f] - mean[c][f]) / scale[c][f], -2.5, 2.5)
 *     raw[a]  = bias[a] + sum weight[a][c][f] * z[c][f]
 *     out[a]  = clip(gain[a] * raw[a] + offset[a], -1, 1)
 *
 * f: feature, c: context (window, so far, whole), a: axis (valence, arousal).
 * Gain and offset spread what bands are given over the whole range. */
#ifndef EMS_CRITIC_WEIGHTS_H
#define EMS_CRITIC_WEIGHTS_H
#include "music/critic.h"
#include "music/critic_features.h"
#include "nn/safetensors.h"

#define EMS_CRITIC_CLIP 2.5

typedef struct ems_critic_head {
    size_t features;  /* EMS_HEARD_FEATURES or EMS_HEARD_WHOLE */
    float mean[EMS_HEARD_WHOLE], scale[EMS_HEARD_WHOLE]; /* scale > 0 */
    float weight[2][EMS_HEARD_WHOLE];
    float bias[2], gain[2], offset[2];
} ems_critic_head;

struct ems_critic {
    ems_critic_head window, piece;
    int velocity; /* nonzero: loudness counts */
};

/* Before gain and offset. */
void ems_critic_raw(const ems_critic_head *h, int velocity, const double *x,
                    double raw[2]);
ems_affect_point ems_critic_point(const ems_critic_head *h, int velocity,
                                  const double *x);
int ems_critic_save(const ems_critic *c, const char *path,
                    const ems_st_pair *metadata, size_t pairs,
                    ems_error *err);
#endif

/* expert.h - a pretrained network with its manifest: loaded, checked, run. */
#ifndef EMS_EXPERT_H
#define EMS_EXPERT_H
#include "experts/picture_fit.h"

typedef struct ems_expert ems_expert;

typedef struct ems_face {
    ems_box box;   /* pixels of the picture */
    double score;  /* 0..1 */
} ems_face;

/* Read folder/manifest.json and the files it names, and compare their
 * SHA-256. Needs no ONNX Runtime. */
ems_expert *ems_expert_load(const char *folder, ems_error *err);
/* Open the networks and compare their inputs and outputs with the manifest. */
int ems_expert_start(ems_expert *e, ems_ort *ort, ems_error *err);
const ems_manifest *ems_expert_manifest(const ems_expert *e);
/* SHA-256 over manifest and networks: what this expert is. */
const char *ems_expert_id(const ems_expert *e);

/* How `count` pictures look to it: rows [count, dim]. `parts` NULL: whole
 * pictures. */
int ems_expert_see(ems_expert *e, const ems_rgb *pictures,
                   const ems_box *parts, size_t count, float *rows,
                   ems_error *err);
/* How `count` windows of sound (at its rate, back to back) sound to it. */
int ems_expert_hear(ems_expert *e, const float *windows, size_t count,
                    float *rows, ems_error *err);
/* The faces in a picture, largest first, at most `most`. */
int ems_expert_detect(ems_expert *e, const ems_rgb *picture, ems_face *faces,
                      size_t most, size_t *count, ems_error *err);
/* Forget what was heard: a new film begins. */
void ems_expert_reset(ems_expert *e);
void ems_expert_free(ems_expert *e);
#endif

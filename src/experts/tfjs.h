/* tfjs.h - a TensorFlow.js graph model: model.json and the bytes of its
 * weight files, read strictly. */
#ifndef EMS_TFJS_H
#define EMS_TFJS_H
#include "base/error.h"

#include <jansson.h>

enum { EMS_TF_RANK = 8, EMS_TF_INPUTS = 64, EMS_TF_NODES = 20000 };

typedef struct ems_tf_node {
    const char *name, *op; /* these and the rest belong to the model */
    const json_t *attr;    /* an object */
    size_t in_count;
    const char *const *in; /* "name", "name:1"; control inputs left out */
} ems_tf_node;

typedef enum ems_tf_packing { /* how the numbers lie in the file */
    EMS_TF_PLAIN, EMS_TF_HALF, EMS_TF_BYTE, EMS_TF_SHORT,
} ems_tf_packing;

typedef struct ems_tf_weight {
    const char *name;
    int whole;             /* int32 numbers, else float32 */
    int rank;
    int64_t dims[EMS_TF_RANK];
    size_t count;          /* elements */
    ems_tf_packing packing;
    double scale, least;   /* of bytes and shorts */
    const uint8_t *bytes;
} ems_tf_weight;

typedef struct ems_tf_model ems_tf_model;

/* From memory. The weights' bytes are borrowed; model.json is not. */
ems_tf_model *ems_tf_parse(const char *json, size_t size,
                           const uint8_t *weights, size_t weight_size,
                           const char *name, ems_error *err);
/* model.json and the weight files beside it. */
ems_tf_model *ems_tf_open(const char *path, ems_error *err);
const ems_tf_node *ems_tf_nodes(const ems_tf_model *m, size_t *count);
/* The node of an input ("name" or "name:1") and which of its outputs; NULL:
 * there is none. */
const ems_tf_node *ems_tf_find(const ems_tf_model *m, const char *input,
                               int *output);
const ems_tf_weight *ems_tf_weight_of(const ems_tf_model *m,
                                      const char *name);
/* Names of the outputs that the model's signature lists; it may list none. */
size_t ems_tf_outputs(const ems_tf_model *m,
                      const char *names[EMS_TF_INPUTS]);
/* The numbers in new memory (ems_free); whole ones become real and the other
 * way round. NULL: out of memory. */
float *ems_tf_floats(const ems_tf_weight *w);
int64_t *ems_tf_wholes(const ems_tf_weight *w);
void ems_tf_free(ems_tf_model *m);
/* What the 16 bits of an IEEE 754 binary16 stand for. */
double ems_half(unsigned bits);
#endif

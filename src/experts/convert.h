/* convert.h - TensorFlow.js graph models to ONNX. Pictures stay channels
 * last; ONNX Runtime removes the transpositions around the convolutions. */
#ifndef EMS_CONVERT_H
#define EMS_CONVERT_H
#include "experts/onnx_write.h"
#include "experts/tfjs.h"

typedef struct ems_convert_job { /* what the operators' converters share */
    const ems_tf_model *model;
    ems_pb graph;
    const ems_tf_node *node; /* at work */
    const ems_tf_node *all;  /* of the model */
    uint8_t *written;        /* per node: is this constant in the graph? */
    unsigned temporaries;    /* names given so far */
    ems_error *err;
} ems_convert_job;

/* Convert what the `outputs` (node names, NULL at the end; NULL: those of the
 * model's signature) need. New memory (ems_free); NULL with a sentence that
 * names the node for operators or attributes that are not known. */
uint8_t *ems_convert(const ems_tf_model *model, const char *const *outputs,
                     const char *name, size_t *size, ems_error *err);

/* Write the ONNX nodes of job->node (convert_ops.c). */
int ems_convert_node(ems_convert_job *job);
#endif

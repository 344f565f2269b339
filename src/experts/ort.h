/* ort.h - ONNX Runtime, opened at run time: the program neither needs it to
 * build nor to start. Only its C API is used, whose table of functions keeps
 * its order for ever (version 17 of the table: libraries from 1.17 on). */
#ifndef EMS_ORT_H
#define EMS_ORT_H
#include "base/error.h"

typedef enum ems_tensor_type { /* ONNX's numbers */
    EMS_TENSOR_FLOAT = 1, EMS_TENSOR_UINT8 = 2, EMS_TENSOR_INT32 = 6,
    EMS_TENSOR_INT64 = 7,
} ems_tensor_type;

enum { EMS_TENSOR_RANK = 8, EMS_NET_PORTS = 16 };

typedef struct ems_tensor {
    ems_tensor_type type;
    int rank;
    int64_t dims[EMS_TENSOR_RANK]; /* in a network's ports -1: any */
    void *data;
    void *owner; /* of what a network gave; ems_tensors_release */
} ems_tensor;

typedef struct ems_port { /* an input or output of a network */
    char *name;
    ems_tensor shape;
} ems_port;

typedef struct ems_ort ems_ort;
typedef struct ems_onnx ems_onnx;

/* Open the library: $EMSYNC_ONNXRUNTIME, libonnxruntime.so in one of the
 * `folders` (NULL-terminated; may be NULL), the system's. EMS_EUNSUPPORTED
 * when there is none or it is too old. `threads`: for every network run. */
ems_ort *ems_ort_open(const char *const *folders, int threads,
                      ems_error *err);
/* "1.28.2" */
const char *ems_ort_version(const ems_ort *ort);
/* Close all networks first. */
void ems_ort_close(ems_ort *ort);

/* A network from the bytes of an ONNX file; `name` stands for it in errors.
 * EMS_EFORMAT: not a network this library can run. */
ems_onnx *ems_onnx_open(ems_ort *ort, const void *onnx, size_t size,
                      const char *name, ems_error *err);
const ems_port *ems_onnx_inputs(const ems_onnx *net, size_t *count);
const ems_port *ems_onnx_outputs(const ems_onnx *net, size_t *count);
/* Compute `out_count` named outputs from `in_count` named inputs. Outputs
 * belong to the library until ems_tensors_release. On failure none is left. */
int ems_onnx_run(ems_onnx *net, const char *const *in_names,
                const ems_tensor *in, size_t in_count,
                const char *const *out_names, ems_tensor *out,
                size_t out_count, ems_error *err);
void ems_tensors_release(ems_onnx *net, ems_tensor *out, size_t count);
void ems_onnx_close(ems_onnx *net);

/* Elements of a tensor without open dimensions; 0 also on overflow. */
size_t ems_tensor_elements(const ems_tensor *t);
#endif

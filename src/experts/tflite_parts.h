/* tflite_parts.h - what the converters of TensorFlow Lite's operators share.
 */
#ifndef EMS_TFLITE_PARTS_H
#define EMS_TFLITE_PARTS_H
#include "experts/convert.h"
#include "experts/tflite.h"

typedef struct ems_lite_name {
    char text[200];
} ems_lite_name;

typedef struct ems_lite_job {
    const ems_lite *m;
    ems_pb graph;
    const ems_lite_op *op;   /* at work */
    const ems_lite_op **of;  /* per tensor: what computes it; NULL */
    uint8_t *needed, *written; /* per tensor */
    unsigned temporaries;
    ems_error *err;
} ems_lite_job;

enum { /* BuiltinOperator */
    EMS_OP_ADD = 0, EMS_OP_AVERAGE_POOL = 1, EMS_OP_CONCATENATION = 2,
    EMS_OP_CONV = 3, EMS_OP_DEPTHWISE = 4, EMS_OP_DEQUANTIZE = 6,
    EMS_OP_FULLY_CONNECTED = 9, EMS_OP_LOGISTIC = 14, EMS_OP_MAX_POOL = 17,
    EMS_OP_MUL = 18, EMS_OP_RELU = 19, EMS_OP_RELU6 = 21,
    EMS_OP_RESHAPE = 22, EMS_OP_RESIZE_BILINEAR = 23, EMS_OP_SOFTMAX = 25,
    EMS_OP_TANH = 28, EMS_OP_PAD = 34, EMS_OP_GATHER = 36,
    EMS_OP_TRANSPOSE = 39, EMS_OP_MEAN = 40, EMS_OP_SUB = 41,
    EMS_OP_DIV = 42, EMS_OP_SQUEEZE = 43, EMS_OP_STRIDED_SLICE = 45,
    EMS_OP_EXP = 47, EMS_OP_MAXIMUM = 55, EMS_OP_MINIMUM = 57,
    EMS_OP_SLICE = 65, EMS_OP_EXPAND_DIMS = 70, EMS_OP_LOG = 73,
    EMS_OP_SQRT = 75, EMS_OP_SQUARE = 92, EMS_OP_QUANTIZE = 114,
    EMS_OP_HARD_SWISH = 117,
};

extern const int64_t EMS_LV_FIRST[4], EMS_LV_LAST[4]; /* NHWC to NCHW, back */

/* EMS_EUNSUPPORTED with a sentence that names job->op. */
int ems_lv_refuse(const ems_lite_job *j, const char *why);
ems_lite_name ems_lv_temporary(ems_lite_job *j);
/* The tensor behind input i, through what only changes how numbers are
 * written; NULL: left out. */
const ems_lite_tensor *ems_lv_input(const ems_lite_job *j, size_t i);
const ems_lite_tensor *ems_lv_output(const ems_lite_job *j);
/* A constant of this rank (-1: any); NULL with a sentence. */
const ems_lite_tensor *ems_lv_constant(const ems_lite_job *j, size_t i,
                                       int rank);
/* The name of input i; a constant is written when it is first asked for. */
const char *ems_lv_in_name(ems_lite_job *j, size_t i);
/* How many whole numbers a constant input holds; below 0 with a sentence. */
int ems_lv_wholes_of(const ems_lite_job *j, size_t i,
                     int64_t out[2 * EMS_LITE_RANK]);
ems_lite_name ems_lv_list(ems_lite_job *j, const int64_t *values,
                          size_t count);
static inline void ems_lv_node(ems_lite_job *j, const char *op, const char *a,
                               const char *b, const char *out)
{
    ems_onnx_simple(&j->graph, op, a, b, out);
}

static inline void ems_lv_transpose(ems_lite_job *j, const char *in,
                                    const char *out, const int64_t *perm,
                                    size_t rank)
{
    ems_onnx_transpose(&j->graph, in, out, perm, rank);
}
void ems_lv_clip(ems_lite_job *j, const char *in, const char *out, float low,
                 float high);
/* What is fused into an operator (field `f` of its options; below 0: nothing
 * can be), and the range that its result can hold. */
int ems_lv_finish(ems_lite_job *j, int f, const char *in);
#endif

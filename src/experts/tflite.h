/* tflite.h - a network in TensorFlow Lite's format (a FlatBuffer, schema
 * version 3), read strictly: every offset is checked before it is followed. */
#ifndef EMS_TFLITE_H
#define EMS_TFLITE_H
#include "base/error.h"

enum { EMS_LITE_RANK = 8, EMS_LITE_TENSORS = 5000, EMS_LITE_PORTS = 64 };

typedef enum ems_lite_type { /* of TensorType; others are refused */
    EMS_LITE_FLOAT = 0, EMS_LITE_HALF = 1, EMS_LITE_INT32 = 2,
    EMS_LITE_UINT8 = 3, EMS_LITE_INT64 = 4, EMS_LITE_INT8 = 9,
} ems_lite_type;

/* A table of the FlatBuffer; at 0: there is none. */
typedef struct ems_lite_table {
    size_t at;
} ems_lite_table;

typedef struct ems_lite_tensor {
    char *name;           /* the part behind the last ';', unique */
    ems_lite_type type;
    int rank;
    int64_t dims[EMS_LITE_RANK];
    size_t count;         /* elements */
    const uint8_t *bytes; /* of a constant; NULL: computed */
    size_t scale_count;   /* 0: real numbers; 1, or one for each channel */
    const uint8_t *scales, *zeros; /* float32, int64; little-endian */
    int axis;             /* of the channels */
} ems_lite_tensor;

typedef struct ems_lite_op {
    int code;             /* of BuiltinOperator */
    ems_lite_table options;
    size_t in_count, out_count;
    int32_t in[EMS_LITE_PORTS], out[EMS_LITE_PORTS]; /* tensors; -1: none */
} ems_lite_op;

typedef struct ems_lite {
    const uint8_t *data;  /* borrowed */
    size_t size;
    ems_lite_tensor *tensors;
    ems_lite_op *ops;     /* in order */
    size_t tensor_count, op_count, in_count, out_count;
    int32_t in[EMS_LITE_PORTS], out[EMS_LITE_PORTS];
} ems_lite;

/* From memory, which must outlive it; EMS_EFORMAT. */
ems_lite *ems_lite_parse(const uint8_t *data, size_t size, const char *name,
                         ems_error *err);
void ems_lite_free(ems_lite *m);

/* A field of a table that may be absent. Never fails: a broken one is as if
 * absent. */
int32_t ems_lite_int(const ems_lite *m, ems_lite_table t, int field,
                     int32_t otherwise);
int ems_lite_byte(const ems_lite *m, ems_lite_table t, int field,
                  int otherwise);
float ems_lite_float(const ems_lite *m, ems_lite_table t, int field,
                     float otherwise);
/* A vector of int32; at most `most` of it. */
size_t ems_lite_ints(const ems_lite *m, ems_lite_table t, int field,
                     int32_t *out, size_t most);

/* A constant's numbers in new memory (ems_free), whole ones as they are or
 * what they stand for. NULL: out of memory. */
float *ems_lite_reals(const ems_lite_tensor *t);
int64_t *ems_lite_wholes(const ems_lite_tensor *t);
/* The range of what a computed tensor of 8 bits can hold; 0: no such. */
int ems_lite_range(const ems_lite_tensor *t, float *low, float *high);

/* Convert what the tensors `outputs` need (names, NULL at the end; NULL: the
 * model's outputs). Numbers become float32: weights are what they stand for,
 * computed values of 8 bits are only clipped to their range. New memory
 * (ems_free); NULL with a sentence for what is not known. */
uint8_t *ems_lite_convert(const ems_lite *m, const char *const *outputs,
                          const char *name, size_t *size, ems_error *err);
#endif

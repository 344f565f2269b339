/* safetensors.h - tensor files: 8 bytes of header length (little-endian), a
 * JSON header, then the data (github.com/huggingface/safetensors). */
#ifndef EMS_SAFETENSORS_H
#define EMS_SAFETENSORS_H
#include "base/error.h"

typedef enum ems_dtype {
    EMS_DT_F32, EMS_DT_F16, EMS_DT_BF16, EMS_DT_F64,
    EMS_DT_I64, EMS_DT_I32, EMS_DT_I16, EMS_DT_I8, EMS_DT_U8, EMS_DT_BOOL,
    EMS_DTYPES,
} ems_dtype;

enum { EMS_ST_DIMS = 8 };

typedef struct ems_st_tensor {
    const char *name;
    ems_dtype dtype;
    int ndim;                 /* 0: a scalar */
    size_t dims[EMS_ST_DIMS];
    const void *data;         /* of a parsed file: NOT always aligned to its
                                 type; copy with memcpy or ems_st_read_f32 */
    size_t bytes;             /* product of dims times the element's size */
} ems_st_tensor;

typedef struct ems_safetensors ems_safetensors; /* read-only */

/* Map and check a file. NULL on failure; the sentence names the tensor. */
ems_safetensors *ems_safetensors_open(const char *path, ems_error *err);
/* As above from memory that outlives the result; `name` is used in errors. */
ems_safetensors *ems_safetensors_parse(const void *data, size_t size,
                                       const char *name, ems_error *err);
/* NULL when there is none of that name. */
const ems_st_tensor *ems_safetensors_find(const ems_safetensors *st,
                                          const char *name);
/* All tensors, in the order of the header. */
const ems_st_tensor *ems_safetensors_all(const ems_safetensors *st,
                                         size_t *count);
/* Value in __metadata__, or NULL. */
const char *ems_safetensors_metadata(const ems_safetensors *st,
                                     const char *key);
void ems_safetensors_free(ems_safetensors *st);

typedef struct ems_st_pair {
    const char *key, *value;
} ems_st_pair;

/* Write a whole file; each tensor starts at a multiple of 64 bytes if all
 * sizes are such multiples, the first always does. Names must differ. */
int ems_safetensors_write(const char *path, const ems_st_tensor *tensors,
                          size_t count, const ems_st_pair *metadata,
                          size_t pairs, ems_error *err);

size_t ems_dtype_size(ems_dtype dtype);
const char *ems_dtype_name(ems_dtype dtype); /* "F32" ... */
/* Elements of t; never overflows for a tensor from a checked file. */
size_t ems_st_count(const ems_st_tensor *t);
/* Copy to float, widening F16 and BF16, narrowing F64. -1: another dtype. */
int ems_st_read_f32(const ems_st_tensor *t, float *out);
#endif

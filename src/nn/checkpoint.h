/* checkpoint.h - what a training needs to go on, as a safetensors file: whole
 * numbers in its metadata, blocks of floats as tensors. */
#ifndef EMS_NN_CHECKPOINT_H
#define EMS_NN_CHECKPOINT_H
#include "nn/safetensors.h"

typedef struct ems_ckpt_field {
    const char *key;
    uint64_t value;
} ems_ckpt_field;

typedef struct ems_ckpt_block { /* borrowed */
    const char *name;
    float *data;
    size_t count;
} ems_ckpt_block;

enum { EMS_CKPT_FIELDS = 16, EMS_CKPT_BLOCKS = 8 }; /* at most */

/* A real as a whole number, bit for bit, and back. */
uint64_t ems_ckpt_bits(double x);
double ems_ckpt_real(uint64_t bits);

/* The whole file or none. `format`: value of the metadata's "format". */
int ems_ckpt_write(const char *path, const char *format,
                   const ems_ckpt_field *fields, size_t field_count,
                   const ems_ckpt_block *blocks, size_t block_count,
                   ems_error *err);
/* -1: the file has no such field, or it is no whole number. */
int ems_ckpt_number(const ems_safetensors *st, const char *key,
                    uint64_t *out);
/* Fill all blocks from a file. EMS_EFORMAT: one is missing or of another
 * size. */
int ems_ckpt_read_blocks(const char *path, const ems_ckpt_block *blocks,
                         size_t count, ems_error *err);
#endif

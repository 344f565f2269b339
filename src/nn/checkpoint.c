#include "nn/checkpoint.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 24 };

uint64_t ems_ckpt_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

double ems_ckpt_real(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

int ems_ckpt_write(const char *path, const char *format,
                   const ems_ckpt_field *fields, size_t field_count,
                   const ems_ckpt_block *blocks, size_t block_count,
                   ems_error *err)
{
    char text[EMS_CKPT_FIELDS][TEXT];
    ems_st_pair pair[EMS_CKPT_FIELDS + 1];
    ems_st_tensor tensor[EMS_CKPT_BLOCKS];
    assert(field_count <= EMS_CKPT_FIELDS && block_count <= EMS_CKPT_BLOCKS);
    for (size_t i = 0; i < field_count; i++) {
        snprintf(text[i], TEXT, "%" PRIu64, fields[i].value);
        pair[i] = (ems_st_pair){fields[i].key, text[i]};
    }
    pair[field_count] = (ems_st_pair){"format", format};
    for (size_t i = 0; i < block_count; i++)
        tensor[i] = (ems_st_tensor){
            .name = blocks[i].name, .dtype = EMS_DT_F32, .ndim = 1,
            .dims = {blocks[i].count}, .data = blocks[i].data,
            .bytes = blocks[i].count * sizeof(float)};
    return ems_safetensors_write(path, tensor, block_count, pair,
                                 field_count + 1, err);
}

int ems_ckpt_number(const ems_safetensors *st, const char *key, uint64_t *out)
{
    char *end;
    const char *text = ems_safetensors_metadata(st, key);
    if (!text || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno || *end ? -1 : 0;
}

static int read_block(const ems_safetensors *st, const char *path,
                      const ems_ckpt_block *b, ems_error *err)
{
    const ems_st_tensor *t = ems_safetensors_find(st, b->name);
    if (!t || t->dtype != EMS_DT_F32 || ems_st_count(t) != b->count)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": no tensor \"%s\" of %zu"
                        " floats; train anew", path, b->name, b->count);
    return ems_st_read_f32(t, b->data);
}

int ems_ckpt_read_blocks(const char *path, const ems_ckpt_block *blocks,
                         size_t count, ems_error *err)
{
    ems_error local;
    if (!err)
        err = &local;
    ems_safetensors *st = ems_safetensors_open(path, err);
    int code = st ? EMS_OK : (int)err->code;
    for (size_t i = 0; i < count && code == EMS_OK; i++)
        code = read_block(st, path, &blocks[i], err);
    ems_safetensors_free(st);
    return code;
}

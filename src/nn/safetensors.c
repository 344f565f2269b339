#include "nn/safetensors.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 16 << 20, ALIGN = 64, LENGTH_BYTES = 8 };

struct ems_safetensors {
    ems_bytes map;       /* empty when parsed from the caller's memory */
    json_t *header;      /* owns the names */
    ems_st_tensor *tensor;
    size_t count;
};

static const struct {
    const char *name;
    size_t size;
} DTYPE[EMS_DTYPES] = {
    {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8},
    {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U8", 1},  {"BOOL", 1},
};

size_t ems_dtype_size(ems_dtype dtype)
{
    return DTYPE[dtype].size;
}

const char *ems_dtype_name(ems_dtype dtype)
{
    return DTYPE[dtype].name;
}

size_t ems_st_count(const ems_st_tensor *t)
{
    size_t count = 1;
    for (int i = 0; i < t->ndim; i++)
        count *= t->dims[i];
    return count;
}

static int read_dtype(const json_t *entry, const ems_json_at *at,
                      ems_st_tensor *t)
{
    const char *text = NULL;
    const int code = ems_json_string(entry, at, "dtype", &text);
    if (code < 0)
        return code;
    for (int i = 0; i < EMS_DTYPES; i++) {
        if (strcmp(text, DTYPE[i].name) == 0) {
            t->dtype = (ems_dtype)i;
            return EMS_OK;
        }
    }
    return ems_json_fail(at, "element type \"%.16s\" is not known here", text);
}

static int read_dims(const json_t *entry, const ems_json_at *at,
                     ems_st_tensor *t)
{
    json_t *shape = NULL;
    const int code = ems_json_array(entry, at, "shape", EMS_ST_DIMS, &shape);
    if (code < 0)
        return code;
    t->ndim = (int)json_array_size(shape);
    t->bytes = DTYPE[t->dtype].size;
    for (int i = 0; i < t->ndim; i++) {
        const json_t *d = json_array_get(shape, (size_t)i);
        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return ems_json_fail(at, "dimension %d is not a whole number", i);
        t->dims[i] = (size_t)json_integer_value(d);
    }
    for (int i = 0; i < t->ndim; i++)
        if (__builtin_mul_overflow(t->bytes, t->dims[i], &t->bytes))
            return ems_json_fail(at, "dimensions too large");
    return EMS_OK;
}

/* data_offsets [begin, end) into the `size` bytes at `data`. */
static int read_place(const json_t *entry, const ems_json_at *at,
                      const uint8_t *data, size_t size, ems_st_tensor *t)
{
    json_t *pair = NULL;
    const int code = ems_json_array(entry, at, "data_offsets", 2, &pair);
    if (code < 0)
        return code;
    const json_t *b = json_array_get(pair, 0), *e = json_array_get(pair, 1);
    if (!json_is_integer(b) || !json_is_integer(e))
        return ems_json_fail(at, "data_offsets are not two whole numbers");
    const json_int_t begin = json_integer_value(b);
    const json_int_t end = json_integer_value(e);
    if (begin < 0 || end < begin || (uint64_t)end > size)
        return ems_json_fail(at, "data_offsets [%lld, %lld] lie outside the"
                             " file's %zu bytes of data", (long long)begin,
                             (long long)end, size);
    if ((uint64_t)(end - begin) != t->bytes)
        return ems_json_fail(at, "has %lld bytes; its dimensions ask for %zu",
                             (long long)(end - begin), t->bytes);
    t->data = data + begin;
    return EMS_OK;
}

static int read_entry(const char *key, const json_t *entry,
                      const ems_json_at *root, const uint8_t *data,
                      size_t size, ems_st_tensor *t)
{
    for (const char *c = key; *c; c++)
        if ((unsigned char)*c < ' ')
            return ems_json_fail(root, "a tensor's name holds control"
                                 " characters");
    const ems_json_at at = ems_json_key(root, key);
    t->name = key;
    int code = read_dtype(entry, &at, t);
    if (code == EMS_OK)
        code = read_dims(entry, &at, t);
    if (code == EMS_OK)
        code = read_place(entry, &at, data, size, t);
    return code;
}

static int by_place(const void *a, const void *b)
{
    const ems_st_tensor *x = *(ems_st_tensor *const *)a;
    const ems_st_tensor *y = *(ems_st_tensor *const *)b;
    const uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    if (p != q)
        return p < q ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int check_overlap(const ems_safetensors *st, const ems_json_at *root)
{
    ems_st_tensor **order = ems_alloc(st->count, sizeof *order);
    if (!order)
        return ems_out_of_memory(root->err);
    for (size_t i = 0; i < st->count; i++)
        order[i] = &st->tensor[i];
    qsort(order, st->count, sizeof *order, by_place);
    int code = EMS_OK;
    for (size_t i = 1; i < st->count && code == EMS_OK; i++) {
        const ems_st_tensor *a = order[i - 1], *b = order[i];
        if ((uintptr_t)a->data + a->bytes > (uintptr_t)b->data)
            code = ems_json_fail(root, "tensors \"%.60s\" and \"%.60s\""
                                 " overlap", a->name, b->name);
    }
    ems_free(order);
    return code;
}

static int check_metadata(const json_t *metadata, const ems_json_at *root)
{
    const char *key;
    json_t *value;
    const ems_json_at at = ems_json_key(root, "__metadata__");
    if (metadata && !json_is_object(metadata))
        return ems_json_fail(&at, "must be an object");
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value) {
        if (!json_is_string(value))
            return ems_json_fail(&at, "\"%.40s\" must be a string", key);
    }
    return EMS_OK;
}

static int read_header(ems_safetensors *st, const ems_json_at *root,
                       const uint8_t *data, size_t size)
{
    if (!json_is_object(st->header))
        return ems_json_fail(root, "the header is not an object");
    int code = check_metadata(json_object_get(st->header, "__metadata__"),
                              root);
    if (code < 0)
        return code;
    st->tensor = ems_alloc(json_object_size(st->header), sizeof *st->tensor);
    if (!st->tensor)
        return ems_out_of_memory(root->err);
    const char *key;
    json_t *entry;
    json_object_foreach(st->header, key, entry) {
        if (strcmp(key, "__metadata__") == 0)
            continue;
        code = read_entry(key, entry, root, data, size,
                          &st->tensor[st->count]);
        if (code < 0)
            return code;
        st->count++;
    }
    return check_overlap(st, root);
}

/* The header's JSON text, or NULL. */
static const char *header_text(const uint8_t *data, size_t size,
                               const char *name, size_t *length,
                               ems_error *err)
{
    uint64_t n = 0;
    if (size < LENGTH_BYTES) {
        ems_fail(err, EMS_EFORMAT, "%s: %zu bytes are too few for a"
                 " safetensors file", name, size);
        return NULL;
    }
    for (int i = LENGTH_BYTES; i-- > 0;)
        n = n << 8 | data[i];
    if (n < 2 || n > MAX_HEADER || n > size - LENGTH_BYTES ||
        data[LENGTH_BYTES] != '{') {
        ems_fail(err, EMS_EFORMAT, "%s: not a safetensors file, or cut off"
                 " (header of %llu bytes in a file of %zu)", name,
                 (unsigned long long)n, size);
        return NULL;
    }
    *length = (size_t)n;
    return (const char *)data + LENGTH_BYTES;
}

ems_safetensors *ems_safetensors_parse(const void *data, size_t size,
                                       const char *name, ems_error *err)
{
    size_t length = 0;
    const uint8_t *bytes = data;
    const char *text = header_text(bytes, size, name, &length, err);
    if (!text)
        return NULL;
    ems_safetensors *st = ems_alloc(1, sizeof *st);
    if (!st) {
        ems_out_of_memory(err);
        return NULL;
    }
    const ems_json_at root = ems_json_root(name, err);
    const size_t start = LENGTH_BYTES + length;
    st->header = ems_json_parse(text, length, name, err);
    if (!st->header ||
        read_header(st, &root, bytes + start, size - start) < 0) {
        ems_safetensors_free(st);
        return NULL;
    }
    return st;
}

ems_safetensors *ems_safetensors_open(const char *path, ems_error *err)
{
    ems_bytes map;
    if (ems_bytes_map(&map, path, 0, err) < 0)
        return NULL;
    ems_safetensors *st = ems_safetensors_parse(map.data, map.size, path,
                                                err);
    if (st)
        st->map = map;
    else
        ems_bytes_unmap(&map);
    return st;
}

void ems_safetensors_free(ems_safetensors *st)
{
    if (!st)
        return;
    json_decref(st->header);
    ems_bytes_unmap(&st->map);
    ems_free(st->tensor);
    ems_free(st);
}

const ems_st_tensor *ems_safetensors_find(const ems_safetensors *st,
                                          const char *name)
{
    for (size_t i = 0; i < st->count; i++)
        if (strcmp(st->tensor[i].name, name) == 0)
            return &st->tensor[i];
    return NULL;
}

const ems_st_tensor *ems_safetensors_all(const ems_safetensors *st,
                                         size_t *count)
{
    *count = st->count;
    return st->tensor;
}

const char *ems_safetensors_metadata(const ems_safetensors *st,
                                     const char *key)
{
    const json_t *all = json_object_get(st->header, "__metadata__");
    return json_string_value(json_object_get(all, key));
}

static float widen_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h >> 15) << 31;
    const uint32_t e = h >> 10 & 31, m = h & 1023;
    if (e == 0) { /* zero or subnormal: m * 2^-24, exact */
        const float value = (float)m * 0x1p-24f;
        return sign ? -value : value;
    }
    const uint32_t bits =
        sign | (e == 31 ? 255 : e + 112) << 23 | m << 13;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static float read_16(const uint8_t *p, ems_dtype dtype)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    if (dtype == EMS_DT_F16)
        return widen_f16(h);
    const uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

int ems_st_read_f32(const ems_st_tensor *t, float *out)
{
    const size_t count = ems_st_count(t);
    const uint8_t *p = t->data;
    switch (t->dtype) {
    case EMS_DT_F32:
        if (count)
            memcpy(out, p, count * sizeof *out);
        return 0;
    case EMS_DT_F16:
    case EMS_DT_BF16:
        for (size_t i = 0; i < count; i++)
            out[i] = read_16(p + 2 * i, t->dtype);
        return 0;
    case EMS_DT_F64:
        for (size_t i = 0; i < count; i++) {
            double d;
            memcpy(&d, p + 8 * i, sizeof d);
            out[i] = (float)d;
        }
        return 0;
    default:
        return -1;
    }
}

/* ---- Writing ---------------------------------------------------------- */

static json_t *header_entry(const ems_st_tensor *t, size_t at)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->ndim; i++)
        json_array_append_new(shape, json_integer((json_int_t)t->dims[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", DTYPE[t->dtype].name,
                     "shape", shape, "data_offsets", (json_int_t)at,
                     (json_int_t)(at + t->bytes));
}

/* The header's JSON, to be released with free(); NULL: out of memory, or a
 * name or value that is not UTF-8. */
static char *make_header(const ems_st_tensor *tensors, size_t count,
                         const ems_st_pair *metadata, size_t pairs)
{
    json_t *root = json_object(), *meta = json_object();
    int failed = !root || !meta;
    for (size_t i = 0; i < pairs; i++)
        failed |= json_object_set_new(meta, metadata[i].key,
                                      json_string(metadata[i].value)) != 0;
    if (pairs && root)
        failed |= json_object_set(root, "__metadata__", meta) != 0;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        failed |= json_object_set_new(root, tensors[i].name,
                                      header_entry(&tensors[i], at)) != 0;
        at += tensors[i].bytes;
    }
    failed |= json_object_size(root) != count + (pairs > 0);
    char *text = failed ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(meta);
    json_decref(root);
    return text;
}

int ems_safetensors_write(const char *path, const ems_st_tensor *tensors,
                          size_t count, const ems_st_pair *metadata,
                          size_t pairs, ems_error *err)
{
    char *text = make_header(tensors, count, metadata, pairs);
    if (!text)
        return ems_fail(err, EMS_EINVAL, "cannot write \"%s\": names that"
                        " repeat or are not UTF-8, or out of memory", path);
    const size_t length = strlen(text);
    const size_t padded =
        (LENGTH_BYTES + length + ALIGN - 1) / ALIGN * ALIGN - LENGTH_BYTES;
    ems_output o;
    int code = ems_output_open(&o, path, err);
    if (code == EMS_OK) {
        for (int i = 0; i < LENGTH_BYTES; i++)
            fputc((int)(padded >> (8 * i) & 255), o.file);
        fwrite(text, 1, length, o.file);
        for (size_t i = length; i < padded; i++)
            fputc(' ', o.file);
        for (size_t i = 0; i < count; i++)
            if (tensors[i].bytes)
                fwrite(tensors[i].data, 1, tensors[i].bytes, o.file);
        code = ems_output_commit(&o, err);
    }
    free(text); /* jansson's own allocation */
    return code;
}

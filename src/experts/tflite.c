#include "experts/tflite.h"

#include "base/mem.h"
#include "experts/tfjs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fields of the tables of schema.fbs, by number. */
enum { MODEL_CODES = 1, MODEL_GRAPHS = 2, MODEL_BUFFERS = 4 };
enum { CODE_OLD = 0, CODE_NEW = 3 };
enum { GRAPH_TENSORS = 0, GRAPH_IN = 1, GRAPH_OUT = 2, GRAPH_OPS = 3 };
enum { TENSOR_SHAPE = 0, TENSOR_TYPE = 1, TENSOR_BUFFER = 2, TENSOR_NAME = 3,
       TENSOR_QUANT = 4 };
enum { QUANT_SCALE = 2, QUANT_ZERO = 3, QUANT_AXIS = 6 };
enum { OP_CODE = 0, OP_IN = 1, OP_OUT = 2, OP_OPTIONS = 4 };

/* ---- FlatBuffers --------------------------------------------------------- */

static int inside(const ems_lite *m, size_t at, size_t bytes)
{
    return at <= m->size && bytes <= m->size - at;
}

static uint32_t u32(const ems_lite *m, size_t at)
{
    const uint8_t *p = m->data + at;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static unsigned u16(const ems_lite *m, size_t at)
{
    return m->data[at] | (unsigned)m->data[at + 1] << 8;
}

/* Where a field of `bytes` lies; 0: it is absent, or outside of the file. */
static size_t field_at(const ems_lite *m, ems_lite_table t, int field,
                       size_t bytes)
{
    if (!t.at || !inside(m, t.at, 4))
        return 0;
    const int64_t vtable = (int64_t)t.at - (int32_t)u32(m, t.at);
    if (vtable < 0 || !inside(m, (size_t)vtable, 4))
        return 0;
    const size_t v = (size_t)vtable, entry = 4 + 2 * (size_t)field;
    if (entry + 2 > u16(m, v) || !inside(m, v + entry, 2))
        return 0;
    const size_t offset = u16(m, v + entry);
    return offset && inside(m, t.at + offset, bytes) ? t.at + offset : 0;
}

/* What an offset stored at `at` points to; 0: outside. */
static size_t follow(const ems_lite *m, size_t at)
{
    const size_t to = at ? at + u32(m, at) : 0;
    return to && inside(m, to, 4) ? to : 0;
}

/* A vector of elements of `bytes`; 0 with *count 0: there is none. */
static size_t vector_at(const ems_lite *m, ems_lite_table t, int field,
                        size_t bytes, size_t *count)
{
    const size_t at = follow(m, field_at(m, t, field, 4));
    *count = at ? u32(m, at) : 0;
    if (at && *count <= m->size / bytes && inside(m, at + 4, *count * bytes))
        return at + 4;
    *count = 0;
    return 0;
}

static ems_lite_table element(const ems_lite *m, size_t vector, size_t i)
{
    return (ems_lite_table){follow(m, vector + 4 * i)};
}

int32_t ems_lite_int(const ems_lite *m, ems_lite_table t, int field,
                     int32_t otherwise)
{
    const size_t at = field_at(m, t, field, 4);
    return at ? (int32_t)u32(m, at) : otherwise;
}

int ems_lite_byte(const ems_lite *m, ems_lite_table t, int field,
                  int otherwise)
{
    const size_t at = field_at(m, t, field, 1);
    return at ? (int8_t)m->data[at] : otherwise;
}

float ems_lite_float(const ems_lite *m, ems_lite_table t, int field,
                     float otherwise)
{
    const int32_t bits = ems_lite_int(m, t, field, 0);
    float x;
    memcpy(&x, &bits, 4);
    return field_at(m, t, field, 4) ? x : otherwise;
}

size_t ems_lite_ints(const ems_lite *m, ems_lite_table t, int field,
                     int32_t *out, size_t most)
{
    size_t n;
    const size_t at = vector_at(m, t, field, 4, &n);
    n = n < most ? n : most;
    for (size_t i = 0; i < n; i++)
        out[i] = (int32_t)u32(m, at + 4 * i);
    return n;
}

/* ---- Tensors ------------------------------------------------------------- */

typedef struct reading {
    ems_lite *m;
    size_t buffers, buffer_count; /* vectors of tables */
    size_t codes, code_count;
    const char *name;
    ems_error *err;
} reading;

static int broken(const reading *r, const char *what, size_t i)
{
    return ems_fail(r->err, EMS_EFORMAT, "\"%s\" is no TensorFlow Lite model"
                    " that can be read: %s %zu", r->name, what, i);
}

static size_t bytes_each(ems_lite_type type)
{
    switch (type) {
    case EMS_LITE_INT64:
        return 8;
    case EMS_LITE_FLOAT:
    case EMS_LITE_INT32:
        return 4;
    case EMS_LITE_HALF:
        return 2;
    case EMS_LITE_UINT8:
    case EMS_LITE_INT8:
        return 1;
    }
    return 0;
}

static int read_shape(const reading *r, ems_lite_table t, ems_lite_tensor *x)
{
    int32_t dims[EMS_LITE_RANK + 1];
    const size_t rank = ems_lite_ints(r->m, t, TENSOR_SHAPE, dims,
                                      EMS_LITE_RANK + 1);
    x->rank = (int)rank;
    x->count = 1;
    if (rank > EMS_LITE_RANK)
        return 0;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0 || dims[i] > 1 << 24 ||
            (x->count *= (size_t)dims[i]) > (size_t)1 << 28)
            return 0;
        x->dims[i] = dims[i];
    }
    return 1;
}

/* The name's last part, made unique by the number where it is not. */
static char *name_of(const reading *r, ems_lite_table t, size_t index)
{
    size_t n;
    const size_t at = vector_at(r->m, t, TENSOR_NAME, 1, &n);
    const char *text = (const char *)r->m->data + at;
    size_t from = n;
    while (from > 0 && text[from - 1] != ';')
        from--;
    size_t length = n - from < 150 ? n - from : 150;
    char *out = ems_alloc(length + 16, 1);
    if (!out)
        return NULL;
    for (size_t i = 0; i < length; i++) /* printable only */
        out[i] = text[from + i] > ' ' && text[from + i] < 127
                     ? text[from + i] : '_';
    int taken = length == 0;
    for (size_t i = 0; i < index && !taken; i++)
        taken = strcmp(r->m->tensors[i].name, out) == 0;
    if (taken)
        snprintf(out + length, 16, "#%zu", index);
    return out;
}

static int read_constant(const reading *r, ems_lite_table t,
                         ems_lite_tensor *x)
{
    const uint32_t i = (uint32_t)ems_lite_int(r->m, t, TENSOR_BUFFER, 0);
    size_t n = 0;
    if (i >= r->buffer_count)
        return 0;
    const size_t at = vector_at(r->m, element(r->m, r->buffers, i), 0, 1, &n);
    if (!n)
        return 1;
    x->bytes = r->m->data + at;
    return n == x->count * bytes_each(x->type);
}

static int read_scales(const reading *r, ems_lite_table t, ems_lite_tensor *x)
{
    const ems_lite_table q = {
        follow(r->m, field_at(r->m, t, TENSOR_QUANT, 4))};
    size_t n, zeros;
    const size_t at = vector_at(r->m, q, QUANT_SCALE, 4, &n);
    const size_t zero_at = vector_at(r->m, q, QUANT_ZERO, 8, &zeros);
    x->axis = ems_lite_int(r->m, q, QUANT_AXIS, 0);
    if (!n)
        return 1;
    if (x->axis < 0 || (x->axis >= x->rank && n > 1) || zeros != n ||
        (n > 1 && (int64_t)n != x->dims[x->axis]))
        return 0;
    x->scale_count = n;
    x->scales = r->m->data + at;
    x->zeros = r->m->data + zero_at;
    return 1;
}

static int read_tensor(const reading *r, ems_lite_table t, size_t i)
{
    ems_lite_tensor *x = &r->m->tensors[i];
    x->type = (ems_lite_type)ems_lite_byte(r->m, t, TENSOR_TYPE, 0);
    if (!bytes_each(x->type) || !read_shape(r, t, x))
        return broken(r, "type or shape is not known of tensor", i);
    if (!read_constant(r, t, x) || !read_scales(r, t, x))
        return broken(r, "numbers are missing of tensor", i);
    x->name = name_of(r, t, i);
    return x->name ? EMS_OK : ems_out_of_memory(r->err);
}

static int read_tensors(const reading *r, ems_lite_table graph)
{
    size_t n;
    const size_t at = vector_at(r->m, graph, GRAPH_TENSORS, 4, &n);
    if (n < 1 || n > EMS_LITE_TENSORS)
        return broken(r, "number of tensors", n);
    r->m->tensors = ems_alloc(n, sizeof *r->m->tensors);
    if (!r->m->tensors)
        return ems_out_of_memory(r->err);
    int code = EMS_OK;
    for (size_t i = 0; i < n && code == EMS_OK; i++) {
        r->m->tensor_count = i + 1;
        code = read_tensor(r, element(r->m, at, i), i);
    }
    return code;
}

/* ---- Operators ----------------------------------------------------------- */

/* Numbers of tensors; -1: left out. */
static int read_ports(const reading *r, ems_lite_table t, int field,
                      int32_t *out, size_t *count)
{
    *count = ems_lite_ints(r->m, t, field, out, EMS_LITE_PORTS);
    for (size_t i = 0; i < *count; i++)
        if (out[i] < -1 || out[i] >= (int32_t)r->m->tensor_count)
            return 0;
    return 1;
}

static int read_op(const reading *r, ems_lite_table t, ems_lite_op *op)
{
    const uint32_t i = (uint32_t)ems_lite_int(r->m, t, OP_CODE, 0);
    if (i >= r->code_count)
        return 0;
    const ems_lite_table code = element(r->m, r->codes, i);
    op->code = ems_lite_int(r->m, code, CODE_NEW, 0);
    if (!op->code)
        op->code = ems_lite_byte(r->m, code, CODE_OLD, 0);
    op->options.at = follow(r->m, field_at(r->m, t, OP_OPTIONS, 4));
    if (!read_ports(r, t, OP_IN, op->in, &op->in_count) ||
        !read_ports(r, t, OP_OUT, op->out, &op->out_count))
        return 0;
    return op->in_count > 0 && op->out_count > 0 && op->in[0] >= 0 &&
           op->out[0] >= 0;
}

static int read_ops(const reading *r, ems_lite_table graph)
{
    size_t n;
    const size_t at = vector_at(r->m, graph, GRAPH_OPS, 4, &n);
    if (n > EMS_LITE_TENSORS)
        return broken(r, "number of operators", n);
    r->m->ops = ems_alloc(n, sizeof *r->m->ops);
    if (!r->m->ops)
        return ems_out_of_memory(r->err);
    r->m->op_count = n;
    for (size_t i = 0; i < n; i++)
        if (!read_op(r, element(r->m, at, i), &r->m->ops[i]))
            return broken(r, "operator", i);
    if (!read_ports(r, graph, GRAPH_IN, r->m->in, &r->m->in_count) ||
        !read_ports(r, graph, GRAPH_OUT, r->m->out, &r->m->out_count))
        return broken(r, "inputs or outputs, of tensors", r->m->tensor_count);
    return EMS_OK;
}

/* ---- The model ----------------------------------------------------------- */

static int read_model(reading *r)
{
    const ems_lite_table model = {u32(r->m, 0)}; /* the root */
    size_t graphs;
    const size_t graph = vector_at(r->m, model, MODEL_GRAPHS, 4, &graphs);
    r->buffers = vector_at(r->m, model, MODEL_BUFFERS, 4, &r->buffer_count);
    r->codes = vector_at(r->m, model, MODEL_CODES, 4, &r->code_count);
    if (graphs != 1)
        return broken(r, "it must hold one graph and holds", graphs);
    const ems_lite_table g = element(r->m, graph, 0);
    const int code = read_tensors(r, g);
    return code < 0 ? code : read_ops(r, g);
}

ems_lite *ems_lite_parse(const uint8_t *data, size_t size, const char *name,
                         ems_error *err)
{
    ems_lite *m = ems_alloc(1, sizeof *m);
    if (!m) {
        ems_out_of_memory(err);
        return NULL;
    }
    m->data = data;
    m->size = size;
    reading r = {.m = m, .name = name, .err = err};
    int code = size >= 8 && memcmp(data + 4, "TFL3", 4) == 0
                   ? EMS_OK : broken(&r, "its mark is missing, bytes", size);
    if (code == EMS_OK)
        code = read_model(&r);
    if (code == EMS_OK)
        return m;
    ems_lite_free(m);
    return NULL;
}

void ems_lite_free(ems_lite *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->tensor_count; i++)
        ems_free(m->tensors[i].name);
    ems_free(m->tensors);
    ems_free(m->ops);
    ems_free(m);
}

/* ---- Numbers ------------------------------------------------------------- */

static int64_t whole_at(const ems_lite_tensor *t, size_t i)
{
    const size_t each = bytes_each(t->type);
    const uint8_t *p = t->bytes + i * each;
    uint64_t bits = 0;
    for (size_t k = 0; k < each; k++)
        bits |= (uint64_t)p[k] << 8 * k;
    switch (t->type) {
    case EMS_LITE_INT8:
        return (int8_t)bits;
    case EMS_LITE_INT32:
        return (int32_t)bits;
    default:
        return (int64_t)bits;
    }
}

static double scale_at(const ems_lite_tensor *t, size_t i, int64_t *zero)
{
    uint64_t bits = 0;
    float scale;
    for (int k = 0; k < 8; k++)
        bits |= (uint64_t)t->zeros[8 * i + (size_t)k] << 8 * k;
    memcpy(&scale, t->scales + 4 * i, 4);
    *zero = (int64_t)bits;
    return (double)scale;
}

static double plain_at(const ems_lite_tensor *t, size_t i)
{
    float x;
    if (t->type == EMS_LITE_HALF)
        return ems_half(t->bytes[2 * i] | (unsigned)t->bytes[2 * i + 1] << 8);
    if (t->type != EMS_LITE_FLOAT)
        return (double)whole_at(t, i);
    memcpy(&x, t->bytes + 4 * i, 4);
    return (double)x;
}

float *ems_lite_reals(const ems_lite_tensor *t)
{
    float *out = ems_alloc(t->count, sizeof *out);
    const int real = t->type == EMS_LITE_FLOAT || t->type == EMS_LITE_HALF;
    const size_t channels = real ? 0 : t->scale_count;
    double scale = 1;
    int64_t zero = 0;
    size_t inner = 1; /* elements between two of one channel */
    for (int d = t->axis + 1; d < t->rank; d++)
        inner *= (size_t)t->dims[d];
    for (size_t i = 0; out && i < t->count; i++) {
        if (channels && (i == 0 || (channels > 1 && i % inner == 0)))
            scale = scale_at(t, i / inner % channels, &zero);
        out[i] = (float)((plain_at(t, i) - (double)zero) * scale);
    }
    return out;
}

int64_t *ems_lite_wholes(const ems_lite_tensor *t)
{
    int64_t *out = ems_alloc(t->count, sizeof *out);
    const int real = t->type == EMS_LITE_FLOAT || t->type == EMS_LITE_HALF;
    for (size_t i = 0; out && i < t->count && !real; i++)
        out[i] = whole_at(t, i);
    return out;
}

int ems_lite_range(const ems_lite_tensor *t, float *low, float *high)
{
    int64_t zero;
    if (t->scale_count != 1 ||
        (t->type != EMS_LITE_UINT8 && t->type != EMS_LITE_INT8))
        return 0;
    const double scale = scale_at(t, 0, &zero);
    const double least = t->type == EMS_LITE_INT8 ? -128 : 0;
    *low = (float)((least - (double)zero) * scale);
    *high = (float)((least + 255 - (double)zero) * scale);
    return 1;
}

#include "experts/onnx_write.h"

#include "base/mem.h"

#include <string.h>

/* ---- Protocol buffers ---------------------------------------------------- */

enum { VARINT = 0, BYTES = 2 };

static void put(ems_pb *b, const void *data, size_t size)
{
    if (b->failed || ems_reserve((void **)&b->data, &b->room,
                                 b->size + size, 1) < 0) {
        b->failed = 1;
        return;
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_varint(ems_pb *b, uint64_t x)
{
    uint8_t bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (uint8_t)(x & 127) | (x > 127 ? 128 : 0);
        n++;
    } while ((x >>= 7));
    put(b, bytes, n);
}

static void put_int(ems_pb *b, unsigned field, int64_t value)
{
    put_varint(b, field << 3 | VARINT);
    put_varint(b, (uint64_t)value);
}

static void put_bytes(ems_pb *b, unsigned field, const void *data,
                      size_t size)
{
    put_varint(b, field << 3 | BYTES);
    put_varint(b, size);
    put(b, data, size);
}

static void put_text(ems_pb *b, unsigned field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

/* A message inside another; it is released. */
static void put_message(ems_pb *b, unsigned field, ems_pb *inner)
{
    put_bytes(b, field, inner->data, inner->size);
    b->failed |= inner->failed;
    ems_pb_free(inner);
}

void ems_pb_free(ems_pb *b)
{
    ems_free(b->data);
    *b = (ems_pb){0};
}

/* ---- NodeProto: input 1, output 2, op_type 4, attribute 5 ---------------- */

ems_onnx_node ems_onnx_node_begin(const char *op)
{
    ems_onnx_node n = {0};
    put_text(&n.message, 4, op);
    return n;
}

void ems_onnx_input(ems_onnx_node *n, const char *name)
{
    put_text(&n->message, 1, name);
}

void ems_onnx_output(ems_onnx_node *n, const char *name)
{
    put_text(&n->message, 2, name);
}

/* AttributeProto: name 1, i 3, s 4, ints 8, type 20 (INT 2, STRING 3,
 * INTS 7) */
void ems_onnx_int(ems_onnx_node *n, const char *name, int64_t value)
{
    ems_pb a = {0};
    put_text(&a, 1, name);
    put_int(&a, 3, value);
    put_int(&a, 20, 2);
    put_message(&n->message, 5, &a);
}

void ems_onnx_ints(ems_onnx_node *n, const char *name, const int64_t *values,
                   size_t count)
{
    ems_pb a = {0};
    put_text(&a, 1, name);
    for (size_t i = 0; i < count; i++)
        put_int(&a, 8, values[i]);
    put_int(&a, 20, 7);
    put_message(&n->message, 5, &a);
}

void ems_onnx_text(ems_onnx_node *n, const char *name, const char *value)
{
    ems_pb a = {0};
    put_text(&a, 1, name);
    put_text(&a, 4, value);
    put_int(&a, 20, 3);
    put_message(&n->message, 5, &a);
}

void ems_onnx_node_end(ems_pb *graph, ems_onnx_node *n)
{
    put_message(graph, 1, &n->message);
}

void ems_onnx_simple(ems_pb *graph, const char *op, const char *a,
                     const char *b, const char *out)
{
    ems_onnx_node n = ems_onnx_node_begin(op);
    ems_onnx_input(&n, a);
    if (b)
        ems_onnx_input(&n, b);
    ems_onnx_output(&n, out);
    ems_onnx_node_end(graph, &n);
}

void ems_onnx_transpose(ems_pb *graph, const char *in, const char *out,
                        const int64_t *perm, size_t rank)
{
    ems_onnx_node n = ems_onnx_node_begin("Transpose");
    ems_onnx_ints(&n, "perm", perm, rank);
    ems_onnx_input(&n, in);
    ems_onnx_output(&n, out);
    ems_onnx_node_end(graph, &n);
}

void ems_onnx_resize(ems_pb *graph, const char *in, const char *sizes,
                     const char *out, int align_corners, int half_pixel)
{
    ems_onnx_node n = ems_onnx_node_begin("Resize");
    ems_onnx_text(&n, "mode", "linear");
    ems_onnx_text(&n, "coordinate_transformation_mode",
                  align_corners ? "align_corners"
                  : half_pixel  ? "half_pixel"
                                : "asymmetric");
    ems_onnx_input(&n, in);
    ems_onnx_input(&n, "");
    ems_onnx_input(&n, "");
    ems_onnx_input(&n, sizes);
    ems_onnx_output(&n, out);
    ems_onnx_node_end(graph, &n);
}

/* ---- TensorProto: dims 1, data_type 2, name 8, raw_data 9 ---------------- */

static ems_pb tensor(const char *name, const int64_t *dims, int rank,
                     int type, const void *data, size_t bytes)
{
    ems_pb t = {0};
    for (int i = 0; i < rank; i++)
        put_int(&t, 1, dims[i]);
    put_int(&t, 2, type);
    put_text(&t, 8, name);
    put_bytes(&t, 9, data, bytes);
    return t;
}

static size_t elements(const int64_t *dims, int rank)
{
    size_t n = 1;
    for (int i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    return n;
}

void ems_onnx_floats(ems_pb *graph, const char *name, const float *values,
                     const int64_t *dims, int rank)
{
    ems_pb t = tensor(name, dims, rank, EMS_ONNX_FLOAT, values,
                      elements(dims, rank) * sizeof *values);
    put_message(graph, 5, &t);
}

void ems_onnx_wholes(ems_pb *graph, const char *name, const int64_t *values,
                     const int64_t *dims, int rank, int type)
{
    const size_t n = elements(dims, rank);
    int32_t *narrow = ems_alloc(n, sizeof *narrow);
    graph->failed |= !narrow;
    for (size_t i = 0; narrow && i < n; i++)
        narrow[i] = (int32_t)values[i];
    ems_pb t = type == EMS_ONNX_INT64
                   ? tensor(name, dims, rank, type, values,
                            n * sizeof *values)
                   : tensor(name, dims, rank, type, narrow,
                            narrow ? n * sizeof *narrow : 0);
    put_message(graph, 5, &t);
    ems_free(narrow);
}

/* ---- ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1 (elem_type 1,
 * shape 2 (dim 1 (dim_value 1, dim_param 2))) ------------------------------ */

static ems_pb shape_message(const int64_t *dims, int rank)
{
    ems_pb shape = {0};
    for (int i = 0; i < rank; i++) {
        ems_pb dim = {0};
        if (dims[i] >= 0)
            put_int(&dim, 1, dims[i]);
        else
            put_text(&dim, 2, "n");
        put_message(&shape, 1, &dim);
    }
    return shape;
}

void ems_onnx_graph_input(ems_pb *graph, const char *name, int type,
                          const int64_t *dims, int rank)
{
    ems_pb shape = shape_message(dims, rank), tensor_type = {0};
    ems_pb holder = {0}, info = {0};
    put_int(&tensor_type, 1, type);
    put_message(&tensor_type, 2, &shape);
    put_message(&holder, 1, &tensor_type);
    put_text(&info, 1, name);
    put_message(&info, 2, &holder);
    put_message(graph, 11, &info);
}

void ems_onnx_graph_output(ems_pb *graph, const char *name)
{
    ems_pb info = {0};
    put_text(&info, 1, name);
    put_message(graph, 12, &info);
}

/* ModelProto: ir_version 1, producer_name 2, graph 7, opset_import 8
 * (version 2); GraphProto: name 2 */
uint8_t *ems_onnx_file(ems_pb *graph, const char *name, size_t *size)
{
    ems_pb model = {0}, opset = {0};
    put_int(&model, 1, 8);
    put_text(&model, 2, "emsync");
    put_text(graph, 2, name);
    put_message(&model, 7, graph);
    put_int(&opset, 2, EMS_ONNX_OPSET);
    put_message(&model, 8, &opset);
    if (model.failed) {
        ems_pb_free(&model);
        return NULL;
    }
    *size = model.size;
    return model.data;
}

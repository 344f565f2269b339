/* onnx_write.h - an ONNX file, message by message (protocol buffers; field
 * numbers of onnx.proto). Failures of memory are remembered until the end. */
#ifndef EMS_ONNX_WRITE_H
#define EMS_ONNX_WRITE_H
#include <stddef.h>
#include <stdint.h>

enum { EMS_ONNX_FLOAT = 1, EMS_ONNX_INT32 = 6, EMS_ONNX_INT64 = 7,
       EMS_ONNX_BOOL = 9, EMS_ONNX_OPSET = 18 };

typedef struct ems_pb { /* a growing message */
    uint8_t *data;
    size_t size, room;
    int failed;
} ems_pb;

void ems_pb_free(ems_pb *b);

/* A node under construction. */
typedef struct ems_onnx_node {
    ems_pb message;
} ems_onnx_node;

ems_onnx_node ems_onnx_node_begin(const char *op);
void ems_onnx_input(ems_onnx_node *n, const char *name);
void ems_onnx_output(ems_onnx_node *n, const char *name);
void ems_onnx_int(ems_onnx_node *n, const char *name, int64_t value);
void ems_onnx_ints(ems_onnx_node *n, const char *name, const int64_t *values,
                   size_t count);
void ems_onnx_text(ems_onnx_node *n, const char *name, const char *value);
/* Put it into the graph and release it. */
void ems_onnx_node_end(ems_pb *graph, ems_onnx_node *n);
/* Whole nodes. One or two inputs (b may be NULL) and no attributes: */
void ems_onnx_simple(ems_pb *graph, const char *op, const char *a,
                     const char *b, const char *out);
void ems_onnx_transpose(ems_pb *graph, const char *in, const char *out,
                        const int64_t *perm, size_t rank);
/* Of a picture with channels first, to the sizes in the tensor `sizes`. */
void ems_onnx_resize(ems_pb *graph, const char *in, const char *sizes,
                     const char *out, int align_corners, int half_pixel);

/* Constants of the graph. */
void ems_onnx_floats(ems_pb *graph, const char *name, const float *values,
                     const int64_t *dims, int rank);
void ems_onnx_wholes(ems_pb *graph, const char *name, const int64_t *values,
                     const int64_t *dims, int rank, int type);
/* An input (rank >= 0; a size below 0: any) or output of the graph. */
void ems_onnx_graph_input(ems_pb *graph, const char *name, int type,
                          const int64_t *dims, int rank);
void ems_onnx_graph_output(ems_pb *graph, const char *name);
/* The whole file; NULL: out of memory. The graph is released. */
uint8_t *ems_onnx_file(ems_pb *graph, const char *name, size_t *size);
#endif

/* tflite_convert.c - TensorFlow Lite's operators as ONNX nodes. A tensor keeps
 * its name; pictures stay channels last (see convert.h). Shapes are fixed in
 * this format, so that whatever only reshapes takes the shape of its result. */
#include "experts/tflite_parts.h"

#include "base/mem.h"

#include <string.h>

static const size_t MOST_ONNX = (size_t)1 << 30;

/* ---- Convolutions and pools ---------------------------------------------- */

/* [O,H,W,I] or, depthwise, [1,H,W,C] as [O,I,H,W] or [C,1,H,W]. */
static int filter(ems_lite_job *j, const ems_lite_tensor *w, int depthwise,
                  const char *name)
{
    const int64_t h = w->dims[1], v = w->dims[2];
    const int64_t o = depthwise ? w->dims[3] : w->dims[0];
    const int64_t in = depthwise ? 1 : w->dims[3];
    const int64_t dims[] = {o, in, h, v};
    float *x = ems_lite_reals(w), *y = ems_alloc(w->count, sizeof *y);
    for (int64_t a = 0; x && y && a < o; a++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t p = 0; p < h * v; p++)
                y[(a * in + i) * h * v + p] =
                    depthwise ? x[p * o + a] : x[(a * h * v + p) * in + i];
    if (x && y)
        ems_onnx_floats(&j->graph, name, y, dims, 4);
    const int ok = x && y;
    ems_free(x);
    ems_free(y);
    return ok ? EMS_OK : ems_out_of_memory(j->err);
}

/* The width stands before the height in this format. */
static void pair(const ems_lite_job *j, ems_onnx_node *n, const char *name,
                 int field, int32_t otherwise)
{
    const ems_lite_table t = j->op->options;
    const int64_t v[] = {ems_lite_int(j->m, t, field + 1, otherwise),
                         ems_lite_int(j->m, t, field, otherwise)};
    ems_onnx_ints(n, name, v, 2);
}

static void padding(const ems_lite_job *j, ems_onnx_node *n)
{
    const int valid = ems_lite_byte(j->m, j->op->options, 0, 0) == 1;
    ems_onnx_text(n, "auto_pad", valid ? "VALID" : "SAME_UPPER");
}

static int convolve(ems_lite_job *j)
{
    const int depthwise = j->op->code == EMS_OP_DEPTHWISE;
    const ems_lite_tensor *w = ems_lv_constant(j, 1, 4),
                          *b = ems_lv_input(j, 2);
    const ems_lite_name x = ems_lv_temporary(j), f = ems_lv_temporary(j),
                        y = ems_lv_temporary(j), z = ems_lv_temporary(j);
    if (!w || ems_lv_input(j, 0)->rank != 4 || (b && !b->bytes))
        return w ? ems_lv_refuse(j, "its input or bias is not known")
                 : EMS_EUNSUPPORTED;
    const char *from = ems_lv_in_name(j, 0);
    ems_lv_transpose(j, from, x.text, EMS_LV_FIRST, 4);
    const int code = filter(j, w, depthwise, f.text);
    if (code < 0)
        return code;
    const char *bias = b ? ems_lv_in_name(j, 2) : NULL;
    ems_onnx_node n = ems_onnx_node_begin("Conv");
    padding(j, &n);
    pair(j, &n, "strides", 1, 1);
    pair(j, &n, "dilations", depthwise ? 5 : 4, 1);
    if (depthwise)
        ems_onnx_int(&n, "group", ems_lv_input(j, 0)->dims[3]);
    ems_onnx_input(&n, x.text);
    ems_onnx_input(&n, f.text);
    if (bias)
        ems_onnx_input(&n, bias);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    ems_lv_transpose(j, y.text, z.text, EMS_LV_LAST, 4);
    return ems_lv_finish(j, depthwise ? 4 : 3, z.text);
}

static int pool(ems_lite_job *j)
{
    const ems_lite_name x = ems_lv_temporary(j), y = ems_lv_temporary(j),
                        z = ems_lv_temporary(j);
    const char *from = ems_lv_in_name(j, 0);
    ems_lv_transpose(j, from, x.text, EMS_LV_FIRST, 4);
    ems_onnx_node n = ems_onnx_node_begin(
        j->op->code == EMS_OP_MAX_POOL ? "MaxPool" : "AveragePool");
    padding(j, &n);
    pair(j, &n, "strides", 1, 1);
    pair(j, &n, "kernel_shape", 3, 1);
    ems_onnx_input(&n, x.text);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    ems_lv_transpose(j, y.text, z.text, EMS_LV_LAST, 4);
    return ems_lv_finish(j, 5, z.text);
}

static int resize(ems_lite_job *j)
{
    const ems_lite_tensor *o = ems_lv_output(j);
    const ems_lite_name x = ems_lv_temporary(j), y = ems_lv_temporary(j);
    const char *from = ems_lv_in_name(j, 0);
    if (o->rank != 4)
        return ems_lv_refuse(j, "it has not four dimensions");
    const int64_t dims[] = {o->dims[0], o->dims[3], o->dims[1], o->dims[2]};
    const ems_lite_name sizes = ems_lv_list(j, dims, 4);
    ems_lv_transpose(j, from, x.text, EMS_LV_FIRST, 4);
    ems_onnx_resize(&j->graph, x.text, sizes.text, y.text,
                    ems_lite_byte(j->m, j->op->options, 2, 0),
                    ems_lite_byte(j->m, j->op->options, 3, 0));
    ems_lv_transpose(j, y.text, o->name, EMS_LV_LAST, 4);
    return EMS_OK;
}

/* ---- The others ---------------------------------------------------------- */

static int dense(ems_lite_job *j)
{
    static const int64_t SWAP[] = {1, 0};
    const ems_lite_tensor *w = ems_lv_constant(j, 1, 2);
    const ems_lite_name flat = ems_lv_temporary(j),
                        turned = ems_lv_temporary(j), y = ems_lv_temporary(j),
                        z = ems_lv_temporary(j);
    if (!w)
        return EMS_EUNSUPPORTED;
    const int64_t shape[] = {-1, w->dims[1]};
    const int keeps = ems_lite_byte(j->m, j->op->options, 2, 0) ||
                      ems_lv_input(j, 0)->rank == 2;
    const char *from = ems_lv_in_name(j, 0), *weights = ems_lv_in_name(j, 1);
    if (!keeps)
        ems_lv_node(j, "Reshape", from, ems_lv_list(j, shape, 2).text,
                    flat.text);
    ems_lv_transpose(j, weights, turned.text, SWAP, 2);
    ems_lv_node(j, "MatMul", keeps ? from : flat.text, turned.text, y.text);
    if (ems_lv_input(j, 2))
        ems_lv_node(j, "Add", y.text, ems_lv_in_name(j, 2), z.text);
    return ems_lv_finish(j, 0, ems_lv_input(j, 2) ? z.text : y.text);
}

/* Two inputs with broadcasting; activation in field 0 of the options. */
static int two(ems_lite_job *j)
{
    const char *op = j->op->code == EMS_OP_ADD   ? "Add"
                     : j->op->code == EMS_OP_SUB ? "Sub"
                     : j->op->code == EMS_OP_MUL ? "Mul"
                                                 : "Div";
    const ems_lite_name y = ems_lv_temporary(j);
    if (!ems_lv_input(j, 1))
        return ems_lv_refuse(j, "it has one input");
    const char *a = ems_lv_in_name(j, 0), *b = ems_lv_in_name(j, 1);
    ems_lv_node(j, op, a, b, y.text);
    return ems_lv_finish(j, 0, y.text);
}

static int plain(ems_lite_job *j)
{
    static const struct {
        int code;
        const char *op;
        size_t inputs;
    } ALL[] = {{EMS_OP_LOGISTIC, "Sigmoid", 1},
               {EMS_OP_RELU, "Relu", 1},
               {EMS_OP_TANH, "Tanh", 1},
               {EMS_OP_EXP, "Exp", 1},
               {EMS_OP_LOG, "Log", 1},
               {EMS_OP_SQRT, "Sqrt", 1},
               {EMS_OP_HARD_SWISH, "HardSwish", 1},
               {EMS_OP_MAXIMUM, "Max", 2},
               {EMS_OP_MINIMUM, "Min", 2}};
    const char *a = ems_lv_in_name(j, 0);
    if (j->op->code == EMS_OP_SQUARE) {
        ems_lv_node(j, "Mul", a, a, ems_lv_output(j)->name);
        return EMS_OK;
    }
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++)
        if (ALL[i].code == j->op->code) {
            if (ALL[i].inputs == 2 && !ems_lv_input(j, 1))
                return ems_lv_refuse(j, "it has one input");
            ems_lv_node(j, ALL[i].op, a,
                        ALL[i].inputs == 2 ? ems_lv_in_name(j, 1) : NULL,
                        ems_lv_output(j)->name);
            return EMS_OK;
        }
    char why[40];
    snprintf(why, sizeof why, "operator %d is not known", j->op->code);
    return ems_lv_refuse(j, why);
}

static int relu6(ems_lite_job *j)
{
    ems_lv_clip(j, ems_lv_in_name(j, 0), ems_lv_output(j)->name, 0, 6);
    return EMS_OK;
}

static int reshape(ems_lite_job *j)
{
    const char *a = ems_lv_in_name(j, 0);
    const ems_lite_name shape =
        ems_lv_list(j, ems_lv_output(j)->dims, (size_t)ems_lv_output(j)->rank);
    ems_lv_node(j, "Reshape", a, shape.text, ems_lv_output(j)->name);
    return EMS_OK;
}

static int softmax(ems_lite_job *j)
{
    if (ems_lite_float(j->m, j->op->options, 0, 1) != 1)
        return ems_lv_refuse(j, "its beta is not 1");
    ems_lv_node(j, "Softmax", ems_lv_in_name(j, 0), NULL,
                ems_lv_output(j)->name);
    return EMS_OK;
}

static int mean(ems_lite_job *j)
{
    int64_t axes[2 * EMS_LITE_RANK];
    const int n = ems_lv_wholes_of(j, 1, axes);
    if (n < 0)
        return n;
    const char *a = ems_lv_in_name(j, 0);
    const ems_lite_name all = ems_lv_list(j, axes, (size_t)n);
    ems_onnx_node node = ems_onnx_node_begin("ReduceMean");
    ems_onnx_int(&node, "keepdims",
                 ems_lite_byte(j->m, j->op->options, 0, 0) != 0);
    ems_onnx_input(&node, a);
    ems_onnx_input(&node, all.text);
    ems_onnx_output(&node, ems_lv_output(j)->name);
    ems_onnx_node_end(&j->graph, &node);
    return EMS_OK;
}

static int concatenate(ems_lite_job *j)
{
    const ems_lite_name y = ems_lv_temporary(j);
    const char *names[EMS_LITE_PORTS];
    for (size_t i = 0; i < j->op->in_count; i++)
        names[i] = ems_lv_in_name(j, i);
    ems_onnx_node n = ems_onnx_node_begin("Concat");
    ems_onnx_int(&n, "axis", ems_lite_int(j->m, j->op->options, 0, 0));
    for (size_t i = 0; i < j->op->in_count; i++)
        ems_onnx_input(&n, names[i]);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    return ems_lv_finish(j, 1, y.text);
}

/* [rank,2] as all beginnings, then all ends. */
static int pad(ems_lite_job *j)
{
    int64_t p[2 * EMS_LITE_RANK], moved[2 * EMS_LITE_RANK];
    const int n = ems_lv_wholes_of(j, 1, p);
    if (n < 0)
        return n;
    if (n != 2 * ems_lv_input(j, 0)->rank)
        return ems_lv_refuse(j, "its paddings are not those of its input");
    for (int i = 0; i < n; i++)
        moved[i % 2 * (n / 2) + i / 2] = p[i];
    const char *a = ems_lv_in_name(j, 0);
    ems_lv_node(j, "Pad", a, ems_lv_list(j, moved, (size_t)n).text,
                ems_lv_output(j)->name);
    return EMS_OK;
}

static int gather(ems_lite_job *j)
{
    if (!ems_lv_input(j, 1) || ems_lite_int(j->m, j->op->options, 1, 0) != 0)
        return ems_lv_refuse(j, "it gathers in batches");
    const char *a = ems_lv_in_name(j, 0), *b = ems_lv_in_name(j, 1);
    ems_onnx_node n = ems_onnx_node_begin("Gather");
    ems_onnx_int(&n, "axis", ems_lite_int(j->m, j->op->options, 0, 0));
    ems_onnx_input(&n, a);
    ems_onnx_input(&n, b);
    ems_onnx_output(&n, ems_lv_output(j)->name);
    ems_onnx_node_end(&j->graph, &n);
    return EMS_OK;
}

static int turn(ems_lite_job *j)
{
    int64_t perm[2 * EMS_LITE_RANK];
    const int n = ems_lv_wholes_of(j, 1, perm);
    if (n < 0)
        return n;
    ems_lv_transpose(j, ems_lv_in_name(j, 0), ems_lv_output(j)->name, perm,
                     (size_t)n);
    return EMS_OK;
}

static int write_slice(ems_lite_job *j, const int64_t *from, const int64_t *to,
                       const int64_t *step, size_t n)
{
    int64_t axes[EMS_LITE_RANK];
    for (size_t i = 0; i < n; i++)
        axes[i] = (int64_t)i;
    const char *a = ems_lv_in_name(j, 0);
    const ems_lite_name lists[] = {
        ems_lv_list(j, from, n), ems_lv_list(j, to, n), ems_lv_list(j, axes, n),
        ems_lv_list(j, step, n)};
    ems_onnx_node node = ems_onnx_node_begin("Slice");
    ems_onnx_input(&node, a);
    for (int i = 0; i < 4; i++)
        ems_onnx_input(&node, lists[i].text);
    ems_onnx_output(&node, ems_lv_output(j)->name);
    ems_onnx_node_end(&j->graph, &node);
    return EMS_OK;
}

static int slice(ems_lite_job *j)
{
    int64_t from[2 * EMS_LITE_RANK], to[2 * EMS_LITE_RANK], step[EMS_LITE_RANK];
    const int strided = j->op->code == EMS_OP_STRIDED_SLICE;
    const int n = ems_lv_wholes_of(j, 1, from),
              m = n < 0 ? n : ems_lv_wholes_of(j, 2, to);
    const ems_lite_table o = j->op->options;
    if (n < 0 || m < 0)
        return EMS_EUNSUPPORTED;
    if (n != m || n > EMS_LITE_RANK ||
        (strided &&
         (ems_lite_int(j->m, o, 2, 0) || ems_lite_int(j->m, o, 3, 0) ||
          ems_lite_int(j->m, o, 4, 0))))
        return ems_lv_refuse(j, "it makes or drops dimensions");
    for (int i = 0; i < n; i++) {
        if (from[i] != (int32_t)from[i] || to[i] != (int32_t)to[i])
            return ems_lv_refuse(j, "it slices beyond all sizes");
        step[i] = 1;
        if (strided ? ems_lite_int(j->m, o, 1, 0) >> i & 1 : to[i] < 0)
            to[i] = INT64_MAX;
        else if (!strided)
            to[i] += from[i];
        if (strided && ems_lite_int(j->m, o, 0, 0) >> i & 1)
            from[i] = 0;
    }
    if (strided) {
        int64_t steps[2 * EMS_LITE_RANK];
        if (ems_lv_wholes_of(j, 3, steps) != n)
            return ems_lv_refuse(j, "its strides are not known");
        for (int i = 0; i < n; i++) {
            if (steps[i] < 1)
                return ems_lv_refuse(j, "it goes backwards");
            step[i] = steps[i];
        }
    }
    return write_slice(j, from, to, step, (size_t)n);
}

/* Other ways of writing the same numbers: nothing, or the same. */
static int rewrite(ems_lite_job *j)
{
    if (!ems_lv_input(j, 0)->bytes)
        ems_lv_node(j, "Identity", ems_lv_in_name(j, 0), NULL,
                    ems_lv_output(j)->name);
    return EMS_OK;
}

static int convert_op(ems_lite_job *j)
{
    switch (j->op->code) {
    case EMS_OP_CONV:
    case EMS_OP_DEPTHWISE:
        return convolve(j);
    case EMS_OP_AVERAGE_POOL:
    case EMS_OP_MAX_POOL:
        return pool(j);
    case EMS_OP_ADD:
    case EMS_OP_SUB:
    case EMS_OP_MUL:
    case EMS_OP_DIV:
        return two(j);
    case EMS_OP_RESHAPE:
    case EMS_OP_SQUEEZE:
    case EMS_OP_EXPAND_DIMS:
        return reshape(j);
    case EMS_OP_SLICE:
    case EMS_OP_STRIDED_SLICE:
        return slice(j);
    case EMS_OP_DEQUANTIZE:
    case EMS_OP_QUANTIZE:
        return rewrite(j);
    case EMS_OP_RESIZE_BILINEAR:
        return resize(j);
    case EMS_OP_FULLY_CONNECTED:
        return dense(j);
    case EMS_OP_RELU6:
        return relu6(j);
    case EMS_OP_SOFTMAX:
        return softmax(j);
    case EMS_OP_MEAN:
        return mean(j);
    case EMS_OP_CONCATENATION:
        return concatenate(j);
    case EMS_OP_PAD:
        return pad(j);
    case EMS_OP_GATHER:
        return gather(j);
    case EMS_OP_TRANSPOSE:
        return turn(j);
    default:
        return plain(j);
    }
}

/* ---- The graph ----------------------------------------------------------- */

static const ems_lite_tensor *find(const ems_lite *m, const char *name)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        if (strcmp(m->tensors[i].name, name) == 0)
            return &m->tensors[i];
    return NULL;
}

static int add_output(ems_lite_job *j, const ems_lite_tensor *t,
                      const char *name)
{
    if (!t || t->bytes)
        return ems_fail(j->err, EMS_EINVAL,
                        "the model computes nothing"
                        " named \"%.100s\"",
                        name);
    ems_onnx_graph_output(&j->graph, t->name);
    j->needed[t - j->m->tensors] = 1;
    return EMS_OK;
}

static int add_ports(ems_lite_job *j, const char *const *outputs)
{
    const ems_lite *m = j->m;
    int code = EMS_OK;
    for (size_t i = 0; outputs && outputs[i] && code == EMS_OK; i++)
        code = add_output(j, find(m, outputs[i]), outputs[i]);
    for (size_t i = 0; !outputs && i < m->out_count && code == EMS_OK; i++)
        if (m->out[i] >= 0)
            code = add_output(j, &m->tensors[m->out[i]],
                              m->tensors[m->out[i]].name);
    for (size_t i = 0; i < m->in_count && code == EMS_OK; i++)
        if (m->in[i] >= 0) {
            const ems_lite_tensor *t = &m->tensors[m->in[i]];
            ems_onnx_graph_input(&j->graph, t->name, EMS_ONNX_FLOAT, t->dims,
                                 t->rank);
        }
    return code;
}

/* Operators stand in the order in which they are computed. */
static void mark(ems_lite_job *j)
{
    for (size_t i = j->m->op_count; i-- > 0;) {
        const ems_lite_op *op = &j->m->ops[i];
        int wanted = 0;
        for (size_t k = 0; k < op->out_count; k++)
            wanted |= op->out[k] >= 0 && j->needed[op->out[k]];
        for (size_t k = 0; k < op->in_count && wanted; k++)
            if (op->in[k] >= 0)
                j->needed[op->in[k]] = 1;
    }
}

static int convert_all(ems_lite_job *j, const char *const *outputs)
{
    int code = add_ports(j, outputs);
    for (size_t i = 0; i < j->m->op_count; i++)
        j->of[j->m->ops[i].out[0]] = &j->m->ops[i];
    mark(j);
    for (size_t i = 0; i < j->m->op_count && code == EMS_OK; i++) {
        j->op = &j->m->ops[i];
        if (j->needed[j->op->out[0]])
            code = convert_op(j);
        if (code == EMS_OK && j->graph.size > MOST_ONNX)
            code = ems_lv_refuse(j, "the network becomes larger than 1 GB");
    }
    return code;
}

uint8_t *ems_lite_convert(const ems_lite *m, const char *const *outputs,
                          const char *name, size_t *size, ems_error *err)
{
    ems_lite_job j = {.m = m,
                      .err = err,
                      .of = ems_alloc(m->tensor_count, sizeof *j.of),
                      .needed = ems_alloc(m->tensor_count, 1),
                      .written = ems_alloc(m->tensor_count, 1)};
    const int code = j.of && j.needed && j.written ? convert_all(&j, outputs)
                                                   : ems_out_of_memory(err);
    uint8_t *file = NULL;
    if (code == EMS_OK) {
        file = ems_onnx_file(&j.graph, name, size);
        if (!file)
            ems_out_of_memory(err);
    }
    ems_pb_free(&j.graph);
    ems_free(j.of);
    ems_free(j.needed);
    ems_free(j.written);
    return file;
}

/* convert_ops.c - one TensorFlow operator after the other as ONNX nodes. A
 * tensor has the name of its TensorFlow node; "name:1" is a second output. */
#include "experts/convert_parts.h"

#include "base/mem.h"

#include <string.h>

/* ---- Sources ------------------------------------------------------------- */

static int onnx_type(const char *tf)
{
    return !strcmp(tf, "DT_FLOAT")   ? EMS_ONNX_FLOAT
           : !strcmp(tf, "DT_INT32") ? EMS_ONNX_INT32
           : !strcmp(tf, "DT_BOOL")  ? EMS_ONNX_BOOL
                                     : 0;
}

static int op_placeholder(ems_convert_job *j)
{
    const json_t *shape = ems_cv_attribute(j, "shape", "shape");
    const json_t *list = json_object_get(shape, "dim");
    const size_t rank = json_array_size(list);
    int64_t dims[EMS_TF_RANK];
    const int type = onnx_type(ems_cv_type_of(j, "dtype"));
    if (rank > EMS_TF_RANK || !type || !shape)
        return ems_cv_refuse(j, "its type or shape is not known");
    for (size_t i = 0; i < rank; i++)
        dims[i] = ems_cv_whole_of(
            json_object_get(json_array_get(list, i), "size"), -1);
    ems_onnx_graph_input(&j->graph, j->node->name, type, dims, (int)rank);
    return EMS_OK;
}

static int op_const(ems_convert_job *j)
{
    return ems_tf_weight_of(j->model, j->node->name)
               ? EMS_OK
               : ems_cv_refuse(j, "its weights are not there");
}

/* ---- Convolutions and products ------------------------------------------- */

typedef struct fusion {
    int bias, relu, relu6;
} fusion;

static int read_fusion(const ems_convert_job *j, fusion *f)
{
    const json_t *list =
        json_object_get(ems_cv_attribute(j, "fused_ops", "list"), "s");
    *f = (fusion){0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        if (ems_cv_means(v, WORD_BIAS) && i == 0)
            f->bias = 1;
        else if (ems_cv_means(v, WORD_RELU))
            f->relu = 1;
        else if (ems_cv_means(v, WORD_RELU6))
            f->relu6 = 1;
        else
            return ems_cv_refuse(j, "what is fused into it is not known");
    }
    return EMS_OK;
}

/* Weights [H,W,I,O] as [O,I,H,W]; of a depthwise one [H,W,C,M] as
 * [C*M,1,H,W]. */
static int filter(ems_convert_job *j, const ems_tf_weight *w, int depthwise,
                  const char *out)
{
    const int64_t h = w->dims[0], v = w->dims[1], a = w->dims[2],
                  b = w->dims[3];
    float *in = ems_tf_floats(w), *moved = ems_alloc(w->count, sizeof *moved);
    for (int64_t y = 0; in && moved && y < h; y++)
        for (int64_t x = 0; x < v; x++)
            for (int64_t i = 0; i < a; i++)
                for (int64_t o = 0; o < b; o++) {
                    const int64_t row = depthwise ? i * b + o : o * a + i;
                    moved[(row * h + y) * v + x] =
                        in[((y * v + x) * a + i) * b + o];
                }
    const int64_t dims[] = {depthwise ? a * b : b, depthwise ? 1 : a, h, v};
    const int ok = in && moved;
    if (ok)
        ems_onnx_floats(&j->graph, out, moved, dims, 4);
    ems_free(in);
    ems_free(moved);
    return ok ? EMS_OK : ems_out_of_memory(j->err);
}

/* strides, padding, data_format: of convolutions and pooling */
static int window_attributes(const ems_convert_job *j, ems_onnx_node *n)
{
    int64_t s[EMS_TF_RANK];
    const json_t *padding = ems_cv_attribute(j, "padding", "s");
    const json_t *format = ems_cv_attribute(j, "data_format", "s");
    if (ems_cv_list_of(j, "strides", s) != 4 || s[0] != 1 || s[3] != 1)
        return ems_cv_refuse(j, "its strides are not known");
    if (format && !ems_cv_means(format, WORD_NHWC))
        return ems_cv_refuse(j, "its channels are not last");
    if (!ems_cv_means(padding, WORD_SAME) && !ems_cv_means(padding, WORD_VALID))
        return ems_cv_refuse(j, "its padding is neither SAME nor VALID");
    ems_onnx_text(n, "auto_pad",
                  ems_cv_means(padding, WORD_SAME) ? "SAME_UPPER" : "VALID");
    ems_onnx_ints(n, "strides", s + 1, 2);
    return EMS_OK;
}

static void activate(ems_convert_job *j, const fusion *f, const char *in,
                     const char *out)
{
    if (f->relu6)
        ems_cv_relu6(j, in, out);
    else
        ems_cv_simple(j, f->relu ? "Relu" : "Identity", in, NULL, out);
}

static int convolve(ems_convert_job *j, int depthwise)
{
    const ems_tf_weight *w = ems_cv_constant(j, 1);
    fusion f;
    int64_t d[EMS_TF_RANK];
    int code = w ? read_fusion(j, &f) : EMS_EUNSUPPORTED;
    if (code < 0)
        return code;
    if (w->rank != 4 || w->whole)
        return ems_cv_refuse(j, "its filter has not four dimensions");
    const ems_cv_name x = ems_cv_temporary(j), filters = ems_cv_temporary(j),
                      y = ems_cv_temporary(j), z = ems_cv_temporary(j),
                      input = ems_cv_in_name(j, 0);
    ems_cv_transpose(j, input.text, x.text, 1);
    code = filter(j, w, depthwise, filters.text);
    ems_onnx_node n = ems_onnx_node_begin("Conv");
    if (code == EMS_OK)
        code = window_attributes(j, &n);
    if (ems_cv_list_of(j, "dilations", d) == 4)
        ems_onnx_ints(&n, "dilations", d + 1, 2);
    if (depthwise)
        ems_onnx_int(&n, "group", w->dims[2]);
    ems_onnx_input(&n, x.text);
    ems_onnx_input(&n, filters.text);
    if (f.bias)
        ems_onnx_input(&n, ems_cv_in_name(j, 2).text);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    activate(j, &f, y.text, z.text);
    ems_cv_transpose(j, z.text, j->node->name, 0);
    return code;
}

static int op_conv(ems_convert_job *j)
{
    return convolve(j, 0);
}

static int op_depthwise(ems_convert_job *j)
{
    return convolve(j, 1);
}

static int op_matmul(ems_convert_job *j)
{
    fusion f;
    const int code = read_fusion(j, &f);
    if (code < 0)
        return code;
    if (ems_cv_flag(j, "transpose_a") || ems_cv_flag(j, "transpose_b"))
        return ems_cv_refuse(j, "it transposes");
    const ems_cv_name y = ems_cv_temporary(j), z = ems_cv_temporary(j);
    ems_cv_simple(j, "MatMul", ems_cv_in_name(j, 0).text,
                  ems_cv_in_name(j, 1).text, y.text);
    if (f.bias)
        ems_cv_simple(j, "Add", y.text, ems_cv_in_name(j, 2).text, z.text);
    activate(j, &f, f.bias ? z.text : y.text, j->node->name);
    return EMS_OK;
}

static int pool(ems_convert_job *j, const char *op)
{
    int64_t size[EMS_TF_RANK];
    if (ems_cv_list_of(j, "ksize", size) != 4 || size[0] != 1 || size[3] != 1)
        return ems_cv_refuse(j, "its window is not known");
    const ems_cv_name x = ems_cv_temporary(j), y = ems_cv_temporary(j);
    ems_cv_transpose(j, ems_cv_in_name(j, 0).text, x.text, 1);
    ems_onnx_node n = ems_onnx_node_begin(op);
    const int code = window_attributes(j, &n);
    ems_onnx_ints(&n, "kernel_shape", size + 1, 2);
    ems_onnx_input(&n, x.text);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    ems_cv_transpose(j, y.text, j->node->name, 0);
    return code;
}

static int op_max_pool(ems_convert_job *j)
{
    return pool(j, "MaxPool");
}

static int op_average_pool(ems_convert_job *j)
{
    return pool(j, "AveragePool");
}

/* [N,C] as they are and the new height and width. */
static ems_cv_name sizes_of(ems_convert_job *j, const char *x,
                            const int64_t *size)
{
    const ems_cv_name kept = ems_cv_temporary(j), all = ems_cv_temporary(j);
    const ems_cv_name new_ones = ems_cv_wholes(j, size, 2);
    ems_onnx_node n = ems_onnx_node_begin("Shape");
    ems_onnx_int(&n, "start", 0);
    ems_onnx_int(&n, "end", 2);
    ems_onnx_input(&n, x);
    ems_onnx_output(&n, kept.text);
    ems_onnx_node_end(&j->graph, &n);
    n = ems_onnx_node_begin("Concat");
    ems_onnx_int(&n, "axis", 0);
    ems_onnx_input(&n, kept.text);
    ems_onnx_input(&n, new_ones.text);
    ems_onnx_output(&n, all.text);
    ems_onnx_node_end(&j->graph, &n);
    return all;
}

static int op_resize(ems_convert_job *j)
{
    const ems_tf_weight *w = ems_cv_constant(j, 1);
    int64_t *size = w && w->count == 2 ? ems_tf_wholes(w) : NULL;
    if (!size)
        return w ? ems_cv_refuse(j, "its size is not known") : EMS_EUNSUPPORTED;
    const ems_cv_name x = ems_cv_temporary(j), y = ems_cv_temporary(j);
    ems_cv_transpose(j, ems_cv_in_name(j, 0).text, x.text, 1);
    const ems_cv_name sizes = sizes_of(j, x.text, size);
    ems_free(size);
    ems_onnx_resize(&j->graph, x.text, sizes.text, y.text,
                    ems_cv_flag(j, "align_corners"),
                    ems_cv_flag(j, "half_pixel_centers"));
    ems_cv_transpose(j, y.text, j->node->name, 0);
    return EMS_OK;
}

/* ---- Shapes -------------------------------------------------------------- */

/* The whole numbers behind a constant input as a new constant. */
static int wholes_in(ems_convert_job *j, size_t i, ems_cv_name *out)
{
    const ems_tf_weight *w = ems_cv_constant(j, i);
    int64_t *values = w ? ems_tf_wholes(w) : NULL;
    if (!values)
        return w ? ems_out_of_memory(j->err) : EMS_EUNSUPPORTED;
    *out = ems_cv_wholes(j, values, w->count);
    ems_free(values);
    return EMS_OK;
}

static int whole_in(ems_convert_job *j, size_t i, int64_t *out)
{
    const ems_tf_weight *w = ems_cv_constant(j, i);
    int64_t *values = w && w->count == 1 ? ems_tf_wholes(w) : NULL;
    if (!values)
        return w ? ems_cv_refuse(j, "an axis is not one number")
                 : EMS_EUNSUPPORTED;
    *out = values[0];
    ems_free(values);
    return EMS_OK;
}

/* Operators whose second input is a list of whole numbers in ONNX too. */
static int with_list(ems_convert_job *j, const char *op)
{
    ems_cv_name list;
    const int code = wholes_in(j, 1, &list);
    if (code == EMS_OK)
        ems_cv_simple(j, op, ems_cv_in_name(j, 0).text, list.text,
                      j->node->name);
    return code;
}

static int op_reshape(ems_convert_job *j)
{
    return with_list(j, "Reshape");
}

static int op_expand(ems_convert_job *j)
{
    return with_list(j, "Unsqueeze");
}

static int op_squeeze(ems_convert_job *j)
{
    int64_t axes[EMS_TF_RANK];
    const size_t n = ems_cv_list_of(j, "squeeze_dims", axes);
    const ems_cv_name list = ems_cv_wholes(j, axes, n);
    ems_cv_simple(j, "Squeeze", ems_cv_in_name(j, 0).text, n ? list.text : NULL,
                  j->node->name);
    return EMS_OK;
}

/* [rank,2] before and after becomes all before, then all after. */
static int op_pad(ems_convert_job *j)
{
    const ems_tf_weight *w = ems_cv_constant(j, 1);
    int64_t *in = w && w->count <= 2 * EMS_TF_RANK && w->count % 2 == 0
                      ? ems_tf_wholes(w)
                      : NULL;
    if (!in)
        return w ? ems_cv_refuse(j, "its padding is not known")
                 : EMS_EUNSUPPORTED;
    int64_t pads[2 * EMS_TF_RANK];
    const size_t rank = w->count / 2;
    for (size_t i = 0; i < rank; i++) {
        pads[i] = in[2 * i];
        pads[rank + i] = in[2 * i + 1];
    }
    ems_free(in);
    ems_cv_simple(j, "Pad", ems_cv_in_name(j, 0).text,
                  ems_cv_wholes(j, pads, 2 * rank).text, j->node->name);
    return EMS_OK;
}

static int op_mean(ems_convert_job *j)
{
    ems_cv_name axes;
    const int code = wholes_in(j, 1, &axes);
    if (code < 0)
        return code;
    ems_onnx_node n = ems_onnx_node_begin("ReduceMean");
    ems_onnx_int(&n, "keepdims", ems_cv_flag(j, "keep_dims"));
    ems_onnx_input(&n, ems_cv_in_name(j, 0).text);
    ems_onnx_input(&n, axes.text);
    ems_onnx_output(&n, j->node->name);
    ems_onnx_node_end(&j->graph, &n);
    return EMS_OK;
}

static int op_concat(ems_convert_job *j)
{
    int64_t axis = 0;
    const size_t last = j->node->in_count ? j->node->in_count - 1 : 0;
    const int code = whole_in(j, last, &axis);
    if (code < 0)
        return code;
    ems_onnx_node n = ems_onnx_node_begin("Concat");
    ems_onnx_int(&n, "axis", axis);
    for (size_t i = 0; i < last; i++)
        ems_onnx_input(&n, ems_cv_in_name(j, i).text);
    ems_onnx_output(&n, j->node->name);
    ems_onnx_node_end(&j->graph, &n);
    return EMS_OK;
}

static int op_pack(ems_convert_job *j)
{
    const int64_t axis = ems_cv_whole_of(ems_cv_attribute(j, "axis", "i"), 0);
    const ems_cv_name axes = ems_cv_wholes(j, &axis, 1);
    ems_onnx_node n = ems_onnx_node_begin("Concat");
    ems_onnx_int(&n, "axis", axis);
    for (size_t i = 0; i < j->node->in_count; i++) {
        const ems_cv_name part = ems_cv_temporary(j);
        ems_cv_simple(j, "Unsqueeze", ems_cv_in_name(j, i).text, axes.text,
                      part.text);
        ems_onnx_input(&n, part.text);
    }
    ems_onnx_output(&n, j->node->name);
    ems_onnx_node_end(&j->graph, &n);
    return EMS_OK;
}

static ems_cv_name output_name(const ems_convert_job *j, int64_t i)
{
    ems_cv_name n;
    snprintf(n.text, sizeof n.text, i ? "%s:%lld" : "%s", j->node->name,
             (long long)i);
    return n;
}

static int op_unpack(ems_convert_job *j)
{
    const int64_t axis = ems_cv_whole_of(ems_cv_attribute(j, "axis", "i"), 0);
    const int64_t count = ems_cv_whole_of(ems_cv_attribute(j, "num", "i"), 0);
    if (count < 1 || count > EMS_TF_INPUTS)
        return ems_cv_refuse(j, "it makes none or too many");
    ems_cv_name parts[EMS_TF_INPUTS];
    const ems_cv_name axes = ems_cv_wholes(j, &axis, 1);
    ems_onnx_node n = ems_onnx_node_begin("Split");
    ems_onnx_int(&n, "axis", axis);
    ems_onnx_int(&n, "num_outputs", count);
    ems_onnx_input(&n, ems_cv_in_name(j, 0).text);
    for (int64_t i = 0; i < count; i++) {
        parts[i] = ems_cv_temporary(j);
        ems_onnx_output(&n, parts[i].text);
    }
    ems_onnx_node_end(&j->graph, &n);
    for (int64_t i = 0; i < count; i++)
        ems_cv_simple(j, "Squeeze", parts[i].text, axes.text,
                      output_name(j, i).text);
    return EMS_OK;
}

/* Masks other than "from the beginning", "to the end" do not occur. */
static int op_slice(ems_convert_job *j)
{
    int64_t *part[3] = {0}; /* begin, end, step */
    int64_t axes[EMS_TF_RANK];
    const ems_tf_weight *w[3];
    const int64_t begins =
        ems_cv_whole_of(ems_cv_attribute(j, "begin_mask", "i"), 0);
    const int64_t ends =
        ems_cv_whole_of(ems_cv_attribute(j, "end_mask", "i"), 0);
    if (ems_cv_whole_of(ems_cv_attribute(j, "ellipsis_mask", "i"), 0) ||
        ems_cv_whole_of(ems_cv_attribute(j, "new_axis_mask", "i"), 0) ||
        ems_cv_whole_of(ems_cv_attribute(j, "shrink_axis_mask", "i"), 0))
        return ems_cv_refuse(j, "its masks are not known");
    for (size_t i = 0; i < 3; i++) {
        w[i] = ems_cv_constant(j, i + 1);
        if (!w[i])
            return EMS_EUNSUPPORTED;
        if (w[i]->count > EMS_TF_RANK || w[i]->count != w[0]->count)
            return ems_cv_refuse(j, "its bounds are not known");
    }
    const size_t n = w[0]->count;
    for (size_t i = 0; i < 3; i++)
        part[i] = ems_tf_wholes(w[i]);
    const int ok = part[0] && part[1] && part[2];
    for (size_t i = 0; ok && i < n; i++) {
        axes[i] = (int64_t)i;
        part[0][i] = begins >> i & 1 ? 0 : part[0][i];
        part[1][i] = ends >> i & 1 ? INT32_MAX : part[1][i];
    }
    ems_onnx_node node = ems_onnx_node_begin("Slice");
    ems_onnx_input(&node, ems_cv_in_name(j, 0).text);
    if (ok) {
        ems_onnx_input(&node, ems_cv_wholes(j, part[0], n).text);
        ems_onnx_input(&node, ems_cv_wholes(j, part[1], n).text);
        ems_onnx_input(&node, ems_cv_wholes(j, axes, n).text);
        ems_onnx_input(&node, ems_cv_wholes(j, part[2], n).text);
    }
    ems_onnx_output(&node, j->node->name);
    ems_onnx_node_end(&j->graph, &node);
    for (size_t i = 0; i < 3; i++)
        ems_free(part[i]);
    return ok ? EMS_OK : ems_out_of_memory(j->err);
}

/* ---- Choosing ------------------------------------------------------------ */

static int op_gather(ems_convert_job *j)
{
    int64_t axis = 0;
    const int code = whole_in(j, 2, &axis);
    if (code < 0)
        return code;
    ems_onnx_node n = ems_onnx_node_begin("Gather");
    ems_onnx_int(&n, "axis", axis);
    ems_onnx_input(&n, ems_cv_in_name(j, 0).text);
    ems_onnx_input(&n, ems_cv_in_name(j, 1).text);
    ems_onnx_output(&n, j->node->name);
    ems_onnx_node_end(&j->graph, &n);
    return EMS_OK;
}

static int op_gather_nd(ems_convert_job *j)
{
    const ems_cv_name at = ems_cv_temporary(j);
    ems_cv_cast(j, ems_cv_in_name(j, 1).text, at.text, EMS_ONNX_INT64);
    ems_cv_simple(j, "GatherND", ems_cv_in_name(j, 0).text, at.text,
                  j->node->name);
    return EMS_OK;
}

static int op_arg_max(ems_convert_job *j)
{
    int64_t axis = 0;
    const int code = whole_in(j, 1, &axis);
    if (code < 0)
        return code;
    const ems_cv_name at = ems_cv_temporary(j);
    ems_onnx_node n = ems_onnx_node_begin("ArgMax");
    ems_onnx_int(&n, "axis", axis);
    ems_onnx_int(&n, "keepdims", 0);
    ems_onnx_input(&n, ems_cv_in_name(j, 0).text);
    ems_onnx_output(&n, at.text);
    ems_onnx_node_end(&j->graph, &n);
    ems_cv_cast(j, at.text, j->node->name, EMS_ONNX_INT32);
    return EMS_OK;
}

static int op_top_k(ems_convert_job *j)
{
    ems_cv_name k;
    const int code = wholes_in(j, 1, &k);
    if (code < 0)
        return code;
    const ems_cv_name at = ems_cv_temporary(j);
    ems_onnx_node n = ems_onnx_node_begin("TopK");
    ems_onnx_input(&n, ems_cv_in_name(j, 0).text);
    ems_onnx_input(&n, k.text);
    ems_onnx_output(&n, j->node->name);
    ems_onnx_output(&n, at.text);
    ems_onnx_node_end(&j->graph, &n);
    ems_cv_cast(j, at.text, output_name(j, 1).text, EMS_ONNX_INT32);
    return EMS_OK;
}

/* ---- Element by element -------------------------------------------------- */

static int op_cast(ems_convert_job *j)
{
    const int type = onnx_type(ems_cv_type_of(j, "DstT"));
    if (!type)
        return ems_cv_refuse(j, "its type is not known");
    ems_cv_cast(j, ems_cv_in_name(j, 0).text, j->node->name, type);
    return EMS_OK;
}

static int op_relu6(ems_convert_job *j)
{
    ems_cv_relu6(j, ems_cv_in_name(j, 0).text, j->node->name);
    return EMS_OK;
}

static int op_squared_difference(ems_convert_job *j)
{
    const ems_cv_name d = ems_cv_temporary(j);
    ems_cv_simple(j, "Sub", ems_cv_in_name(j, 0).text,
                  ems_cv_in_name(j, 1).text, d.text);
    ems_cv_simple(j, "Mul", d.text, d.text, j->node->name);
    return EMS_OK;
}

/* ONNX divides whole numbers towards zero: the same for those that are not
 * negative, and indices are not. */
static int op_floor_div(ems_convert_job *j)
{
    if (strcmp(ems_cv_type_of(j, "T"), "DT_INT32"))
        return ems_cv_refuse(j, "it is not of whole numbers");
    ems_cv_simple(j, "Div", ems_cv_in_name(j, 0).text,
                  ems_cv_in_name(j, 1).text, j->node->name);
    return EMS_OK;
}

static const struct {
    const char *tf, *onnx;
    size_t inputs;
} SAME_IN_BOTH[] = {
    {"Identity", "Identity", 1}, {"Relu", "Relu", 1},
    {"Sqrt", "Sqrt", 1},         {"Sigmoid", "Sigmoid", 1},
    {"Softmax", "Softmax", 1},   {"Add", "Add", 2},
    {"AddV2", "Add", 2},         {"Sub", "Sub", 2},
    {"Mul", "Mul", 2},           {"RealDiv", "Div", 2},
    {"BiasAdd", "Add", 2},       {"Equal", "Equal", 2},
    {"FloorMod", "Mod", 2},
};

static const struct {
    const char *tf;
    size_t inputs; /* at least */
    int (*write)(ems_convert_job *);
} OWN_WAY[] = {
    {"Placeholder", 0, op_placeholder},
    {"Const", 0, op_const},
    {"Conv2D", 2, op_conv},
    {"_FusedConv2D", 2, op_conv},
    {"DepthwiseConv2dNative", 2, op_depthwise},
    {"FusedDepthwiseConv2dNative", 2, op_depthwise},
    {"MatMul", 2, op_matmul},
    {"_FusedMatMul", 2, op_matmul},
    {"MaxPool", 1, op_max_pool},
    {"AvgPool", 1, op_average_pool},
    {"ResizeBilinear", 2, op_resize},
    {"Reshape", 2, op_reshape},
    {"ExpandDims", 2, op_expand},
    {"Squeeze", 1, op_squeeze},
    {"Pad", 2, op_pad},
    {"Mean", 2, op_mean},
    {"ConcatV2", 2, op_concat},
    {"Pack", 1, op_pack},
    {"Unpack", 1, op_unpack},
    {"StridedSlice", 4, op_slice},
    {"GatherV2", 3, op_gather},
    {"GatherNd", 2, op_gather_nd},
    {"ArgMax", 2, op_arg_max},
    {"TopKV2", 2, op_top_k},
    {"Cast", 1, op_cast},
    {"Relu6", 1, op_relu6},
    {"SquaredDifference", 2, op_squared_difference},
    {"FloorDiv", 2, op_floor_div},
};

int ems_convert_node(ems_convert_job *j)
{
    const ems_tf_node *n = j->node;
    if (n->in_count > EMS_TF_INPUTS)
        return ems_cv_refuse(j, "it has too many inputs");
    for (size_t i = 0; i < sizeof OWN_WAY / sizeof *OWN_WAY; i++)
        if (!strcmp(n->op, OWN_WAY[i].tf))
            return n->in_count < OWN_WAY[i].inputs
                       ? ems_cv_refuse(j, "inputs are missing")
                       : OWN_WAY[i].write(j);
    for (size_t i = 0; i < sizeof SAME_IN_BOTH / sizeof *SAME_IN_BOTH; i++)
        if (!strcmp(n->op, SAME_IN_BOTH[i].tf)) {
            if (n->in_count != SAME_IN_BOTH[i].inputs)
                return ems_cv_refuse(j, "inputs are missing");
            ems_cv_simple(j, SAME_IN_BOTH[i].onnx, ems_cv_in_name(j, 0).text,
                          n->in_count > 1 ? ems_cv_in_name(j, 1).text : NULL,
                          n->name);
            return EMS_OK;
        }
    return ems_cv_refuse(j, "this operator is not known");
}

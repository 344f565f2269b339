/* tflite_convert.c - TensorFlow Lite's operators as ONNX nodes. A tensor keeps
 * its name; pictures stay channels last (see convert.h). Shapes are fixed in
 * this format, so that whatever only reshapes takes the shape of its result. */
#include "experts/convert.h"
#include "experts/tflite.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

static const size_t MOST_ONNX = (size_t)1 << 30;

typedef struct lite_name {
    char text[200];
} lite_name;

typedef struct lite_job {
    const ems_lite *m;
    ems_pb graph;
    const ems_lite_op *op;   /* at work */
    const ems_lite_op **of;  /* per tensor: what computes it; NULL */
    uint8_t *needed, *written; /* per tensor */
    unsigned temporaries;
    ems_error *err;
} lite_job;

enum { /* BuiltinOperator */
    ADD = 0, AVERAGE_POOL = 1, CONCATENATION = 2, CONV = 3, DEPTHWISE = 4,
    DEQUANTIZE = 6, FULLY_CONNECTED = 9, LOGISTIC = 14, MAX_POOL = 17,
    MUL = 18, RELU = 19, RELU6 = 21, RESHAPE = 22, RESIZE_BILINEAR = 23,
    SOFTMAX = 25, TANH = 28, PAD = 34, GATHER = 36, TRANSPOSE = 39, MEAN = 40,
    SUB = 41, DIV = 42, SQUEEZE = 43, STRIDED_SLICE = 45, EXP = 47,
    MAXIMUM = 55, MINIMUM = 57, SLICE = 65, EXPAND_DIMS = 70, LOG = 73,
    SQRT = 75, SQUARE = 92, QUANTIZE = 114, HARD_SWISH = 117,
};

static int refuse(const lite_job *j, const char *why)
{
    return ems_fail(j->err, EMS_EUNSUPPORTED, "the operator that computes"
                    " \"%.120s\" cannot be converted: %s",
                    j->m->tensors[j->op->out[0]].name, why);
}

static lite_name temporary(lite_job *j)
{
    lite_name n;
    snprintf(n.text, sizeof n.text, "~%u", j->temporaries++);
    return n;
}

/* ---- Inputs -------------------------------------------------------------- */

/* The tensor behind input i, through what only changes how numbers are
 * written; NULL: left out. */
static const ems_lite_tensor *input(const lite_job *j, size_t i)
{
    if (i >= j->op->in_count || j->op->in[i] < 0)
        return NULL;
    size_t t = (size_t)j->op->in[i];
    for (int hops = 0; hops < 4 && j->of[t]; hops++) {
        const int code = j->of[t]->code;
        if (code != DEQUANTIZE && code != QUANTIZE)
            break;
        t = (size_t)j->of[t]->in[0];
    }
    return &j->m->tensors[t];
}

static const ems_lite_tensor *output(const lite_job *j)
{
    return &j->m->tensors[j->op->out[0]];
}

/* A constant of real numbers with this rank; NULL with a sentence. */
static const ems_lite_tensor *constant(const lite_job *j, size_t i, int rank)
{
    const ems_lite_tensor *t = input(j, i);
    if (t && t->bytes && (rank < 0 || t->rank == rank))
        return t;
    refuse(j, "an input that must be constant is not, or has another rank");
    return NULL;
}

static void write_reals(lite_job *j, const char *name,
                        const ems_lite_tensor *t, const int64_t *dims,
                        int rank)
{
    float *x = ems_lite_reals(t);
    if (x)
        ems_onnx_floats(&j->graph, name, x, dims, rank);
    else
        j->graph.failed = 1;
    ems_free(x);
}

static void write_constant(lite_job *j, const ems_lite_tensor *t)
{
    const int whole = (t->type == EMS_LITE_INT32 ||
                       t->type == EMS_LITE_INT64) && !t->scale_count;
    if (!whole) {
        write_reals(j, t->name, t, t->dims, t->rank);
        return;
    }
    int64_t *x = ems_lite_wholes(t);
    if (x)
        ems_onnx_wholes(&j->graph, t->name, x, t->dims, t->rank,
                        EMS_ONNX_INT64);
    else
        j->graph.failed = 1;
    ems_free(x);
}

/* The name of input i; a constant is written when it is first asked for. */
static const char *in_name(lite_job *j, size_t i)
{
    const ems_lite_tensor *t = input(j, i);
    if (!t)
        return "";
    uint8_t *written = &j->written[t - j->m->tensors];
    if (t->bytes && !*written)
        write_constant(j, t);
    *written = 1;
    return t->name;
}

/* Whole numbers of a constant input; -1 with a sentence. */
static int wholes_of(const lite_job *j, size_t i,
                     int64_t out[2 * EMS_LITE_RANK])
{
    const ems_lite_tensor *t = constant(j, i, -1);
    if (!t)
        return -1;
    if (t->count > 2 * EMS_LITE_RANK ||
        (t->type != EMS_LITE_INT32 && t->type != EMS_LITE_INT64))
        return refuse(j, "a list of whole numbers is too long or has none");
    int64_t *x = ems_lite_wholes(t);
    if (!x)
        return ems_out_of_memory(j->err);
    memcpy(out, x, t->count * sizeof *x);
    ems_free(x);
    return (int)t->count;
}

/* ---- Nodes --------------------------------------------------------------- */

static lite_name list(lite_job *j, const int64_t *values, size_t count)
{
    const lite_name n = temporary(j);
    const int64_t dims[] = {(int64_t)count};
    ems_onnx_wholes(&j->graph, n.text, values, dims, 1, EMS_ONNX_INT64);
    return n;
}

static void node(lite_job *j, const char *op, const char *a, const char *b,
                 const char *out)
{
    ems_onnx_node n = ems_onnx_node_begin(op);
    ems_onnx_input(&n, a);
    if (b)
        ems_onnx_input(&n, b);
    ems_onnx_output(&n, out);
    ems_onnx_node_end(&j->graph, &n);
}

static void transpose(lite_job *j, const char *in, const char *out,
                      const int64_t *perm, size_t rank)
{
    ems_onnx_node n = ems_onnx_node_begin("Transpose");
    ems_onnx_ints(&n, "perm", perm, rank);
    ems_onnx_input(&n, in);
    ems_onnx_output(&n, out);
    ems_onnx_node_end(&j->graph, &n);
}

static const int64_t FIRST[] = {0, 3, 1, 2}, LAST[] = {0, 2, 3, 1};

static void clip(lite_job *j, const char *in, const char *out, float low,
                 float high)
{
    const lite_name a = temporary(j), b = temporary(j);
    ems_onnx_floats(&j->graph, a.text, &low, NULL, 0);
    ems_onnx_floats(&j->graph, b.text, &high, NULL, 0);
    ems_onnx_node n = ems_onnx_node_begin("Clip");
    ems_onnx_input(&n, in);
    ems_onnx_input(&n, a.text);
    ems_onnx_input(&n, b.text);
    ems_onnx_output(&n, out);
    ems_onnx_node_end(&j->graph, &n);
}

/* What is fused into an operator (field `f` of its options), and the range
 * that its result can hold. */
static int finish(lite_job *j, int f, const char *in)
{
    static const float LOW[] = {-INFINITY, 0, -1, 0};
    static const float HIGH[] = {INFINITY, INFINITY, 1, 6};
    const int act = f < 0 ? 0 : ems_lite_byte(j->m, j->op->options, f, 0);
    const char *out = output(j)->name;
    float low, high;
    if (act < 0 || act > 3)
        return refuse(j, "what is fused into it is not known");
    if (!ems_lite_range(output(j), &low, &high)) {
        low = -INFINITY;
        high = INFINITY;
    }
    low = fmaxf(low, LOW[act]);
    high = fminf(high, HIGH[act]);
    if (isinf(low) && isinf(high))
        node(j, "Identity", in, NULL, out);
    else if (isinf(high) && low == 0)
        node(j, "Relu", in, NULL, out);
    else
        clip(j, in, out, low, high);
    return EMS_OK;
}

/* ---- Convolutions and pools ---------------------------------------------- */

/* [O,H,W,I] or, depthwise, [1,H,W,C] as [O,I,H,W] or [C,1,H,W]. */
static int filter(lite_job *j, const ems_lite_tensor *w, int depthwise,
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
static void pair(const lite_job *j, ems_onnx_node *n, const char *name,
                 int field, int32_t otherwise)
{
    const ems_lite_table t = j->op->options;
    const int64_t v[] = {ems_lite_int(j->m, t, field + 1, otherwise),
                         ems_lite_int(j->m, t, field, otherwise)};
    ems_onnx_ints(n, name, v, 2);
}

static void padding(const lite_job *j, ems_onnx_node *n)
{
    const int valid = ems_lite_byte(j->m, j->op->options, 0, 0) == 1;
    ems_onnx_text(n, "auto_pad", valid ? "VALID" : "SAME_UPPER");
}

static int convolve(lite_job *j)
{
    const int depthwise = j->op->code == DEPTHWISE;
    const ems_lite_tensor *w = constant(j, 1, 4), *b = input(j, 2);
    const lite_name x = temporary(j), f = temporary(j), y = temporary(j),
                    z = temporary(j);
    if (!w || input(j, 0)->rank != 4 || (b && !b->bytes))
        return w ? refuse(j, "its input or bias is not known")
                 : EMS_EUNSUPPORTED;
    const char *from = in_name(j, 0);
    transpose(j, from, x.text, FIRST, 4);
    const int code = filter(j, w, depthwise, f.text);
    if (code < 0)
        return code;
    const char *bias = b ? in_name(j, 2) : NULL;
    ems_onnx_node n = ems_onnx_node_begin("Conv");
    padding(j, &n);
    pair(j, &n, "strides", 1, 1);
    pair(j, &n, "dilations", depthwise ? 5 : 4, 1);
    if (depthwise)
        ems_onnx_int(&n, "group", input(j, 0)->dims[3]);
    ems_onnx_input(&n, x.text);
    ems_onnx_input(&n, f.text);
    if (bias)
        ems_onnx_input(&n, bias);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    transpose(j, y.text, z.text, LAST, 4);
    return finish(j, depthwise ? 4 : 3, z.text);
}

static int pool(lite_job *j)
{
    const lite_name x = temporary(j), y = temporary(j), z = temporary(j);
    const char *from = in_name(j, 0);
    transpose(j, from, x.text, FIRST, 4);
    ems_onnx_node n = ems_onnx_node_begin(
        j->op->code == MAX_POOL ? "MaxPool" : "AveragePool");
    padding(j, &n);
    pair(j, &n, "strides", 1, 1);
    pair(j, &n, "kernel_shape", 3, 1);
    ems_onnx_input(&n, x.text);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    transpose(j, y.text, z.text, LAST, 4);
    return finish(j, 5, z.text);
}

static int resize(lite_job *j)
{
    const ems_lite_tensor *o = output(j);
    const lite_name x = temporary(j), y = temporary(j);
    const char *from = in_name(j, 0);
    if (o->rank != 4)
        return refuse(j, "it has not four dimensions");
    const int64_t dims[] = {o->dims[0], o->dims[3], o->dims[1], o->dims[2]};
    const lite_name sizes = list(j, dims, 4);
    transpose(j, from, x.text, FIRST, 4);
    ems_onnx_node n = ems_onnx_node_begin("Resize");
    ems_onnx_text(&n, "mode", "linear");
    ems_onnx_text(&n, "coordinate_transformation_mode",
                  ems_lite_byte(j->m, j->op->options, 2, 0) ? "align_corners"
                  : ems_lite_byte(j->m, j->op->options, 3, 0)
                      ? "half_pixel" : "asymmetric");
    ems_onnx_input(&n, x.text);
    ems_onnx_input(&n, "");
    ems_onnx_input(&n, "");
    ems_onnx_input(&n, sizes.text);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    transpose(j, y.text, o->name, LAST, 4);
    return EMS_OK;
}

/* ---- The others ---------------------------------------------------------- */

static int dense(lite_job *j)
{
    static const int64_t SWAP[] = {1, 0};
    const ems_lite_tensor *w = constant(j, 1, 2);
    const lite_name flat = temporary(j), turned = temporary(j),
                    y = temporary(j), z = temporary(j);
    if (!w)
        return EMS_EUNSUPPORTED;
    const int64_t shape[] = {-1, w->dims[1]};
    const int keeps = ems_lite_byte(j->m, j->op->options, 2, 0) ||
                      input(j, 0)->rank == 2;
    const char *from = in_name(j, 0), *weights = in_name(j, 1);
    if (!keeps)
        node(j, "Reshape", from, list(j, shape, 2).text, flat.text);
    transpose(j, weights, turned.text, SWAP, 2);
    node(j, "MatMul", keeps ? from : flat.text, turned.text, y.text);
    if (input(j, 2))
        node(j, "Add", y.text, in_name(j, 2), z.text);
    return finish(j, 0, input(j, 2) ? z.text : y.text);
}

/* Two inputs with broadcasting; activation in field 0 of the options. */
static int two(lite_job *j)
{
    const char *op = j->op->code == ADD   ? "Add"
                     : j->op->code == SUB ? "Sub"
                     : j->op->code == MUL ? "Mul"
                                          : "Div";
    const lite_name y = temporary(j);
    if (!input(j, 1))
        return refuse(j, "it has one input");
    const char *a = in_name(j, 0), *b = in_name(j, 1);
    node(j, op, a, b, y.text);
    return finish(j, 0, y.text);
}

static int plain(lite_job *j)
{
    static const struct {
        int code;
        const char *op;
        size_t inputs;
    } ALL[] = {{LOGISTIC, "Sigmoid", 1}, {RELU, "Relu", 1},
               {TANH, "Tanh", 1}, {EXP, "Exp", 1}, {LOG, "Log", 1},
               {SQRT, "Sqrt", 1}, {HARD_SWISH, "HardSwish", 1},
               {MAXIMUM, "Max", 2}, {MINIMUM, "Min", 2}};
    const char *a = in_name(j, 0);
    if (j->op->code == SQUARE) {
        node(j, "Mul", a, a, output(j)->name);
        return EMS_OK;
    }
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++)
        if (ALL[i].code == j->op->code) {
            if (ALL[i].inputs == 2 && !input(j, 1))
                return refuse(j, "it has one input");
            node(j, ALL[i].op, a, ALL[i].inputs == 2 ? in_name(j, 1) : NULL,
                 output(j)->name);
            return EMS_OK;
        }
    char why[40];
    snprintf(why, sizeof why, "operator %d is not known", j->op->code);
    return refuse(j, why);
}

static int relu6(lite_job *j)
{
    clip(j, in_name(j, 0), output(j)->name, 0, 6);
    return EMS_OK;
}

static int reshape(lite_job *j)
{
    const char *a = in_name(j, 0);
    const lite_name shape = list(j, output(j)->dims,
                                 (size_t)output(j)->rank);
    node(j, "Reshape", a, shape.text, output(j)->name);
    return EMS_OK;
}

static int softmax(lite_job *j)
{
    if (ems_lite_float(j->m, j->op->options, 0, 1) != 1)
        return refuse(j, "its beta is not 1");
    node(j, "Softmax", in_name(j, 0), NULL, output(j)->name);
    return EMS_OK;
}

static int mean(lite_job *j)
{
    int64_t axes[2 * EMS_LITE_RANK];
    const int n = wholes_of(j, 1, axes);
    if (n < 0)
        return n;
    const char *a = in_name(j, 0);
    const lite_name all = list(j, axes, (size_t)n);
    ems_onnx_node node = ems_onnx_node_begin("ReduceMean");
    ems_onnx_int(&node, "keepdims",
                 ems_lite_byte(j->m, j->op->options, 0, 0) != 0);
    ems_onnx_input(&node, a);
    ems_onnx_input(&node, all.text);
    ems_onnx_output(&node, output(j)->name);
    ems_onnx_node_end(&j->graph, &node);
    return EMS_OK;
}

static int concatenate(lite_job *j)
{
    const lite_name y = temporary(j);
    const char *names[EMS_LITE_PORTS];
    for (size_t i = 0; i < j->op->in_count; i++)
        names[i] = in_name(j, i);
    ems_onnx_node n = ems_onnx_node_begin("Concat");
    ems_onnx_int(&n, "axis", ems_lite_int(j->m, j->op->options, 0, 0));
    for (size_t i = 0; i < j->op->in_count; i++)
        ems_onnx_input(&n, names[i]);
    ems_onnx_output(&n, y.text);
    ems_onnx_node_end(&j->graph, &n);
    return finish(j, 1, y.text);
}

/* [rank,2] as all beginnings, then all ends. */
static int pad(lite_job *j)
{
    int64_t p[2 * EMS_LITE_RANK], moved[2 * EMS_LITE_RANK];
    const int n = wholes_of(j, 1, p);
    if (n < 0)
        return n;
    if (n != 2 * input(j, 0)->rank)
        return refuse(j, "its paddings are not those of its input");
    for (int i = 0; i < n; i++)
        moved[i % 2 * (n / 2) + i / 2] = p[i];
    const char *a = in_name(j, 0);
    node(j, "Pad", a, list(j, moved, (size_t)n).text, output(j)->name);
    return EMS_OK;
}

static int gather(lite_job *j)
{
    if (!input(j, 1) || ems_lite_int(j->m, j->op->options, 1, 0) != 0)
        return refuse(j, "it gathers in batches");
    const char *a = in_name(j, 0), *b = in_name(j, 1);
    ems_onnx_node n = ems_onnx_node_begin("Gather");
    ems_onnx_int(&n, "axis", ems_lite_int(j->m, j->op->options, 0, 0));
    ems_onnx_input(&n, a);
    ems_onnx_input(&n, b);
    ems_onnx_output(&n, output(j)->name);
    ems_onnx_node_end(&j->graph, &n);
    return EMS_OK;
}

static int turn(lite_job *j)
{
    int64_t perm[2 * EMS_LITE_RANK];
    const int n = wholes_of(j, 1, perm);
    if (n < 0)
        return n;
    transpose(j, in_name(j, 0), output(j)->name, perm, (size_t)n);
    return EMS_OK;
}

static int write_slice(lite_job *j, const int64_t *from, const int64_t *to,
                       const int64_t *step, size_t n)
{
    int64_t axes[EMS_LITE_RANK];
    for (size_t i = 0; i < n; i++)
        axes[i] = (int64_t)i;
    const char *a = in_name(j, 0);
    const lite_name lists[] = {list(j, from, n), list(j, to, n),
                               list(j, axes, n), list(j, step, n)};
    ems_onnx_node node = ems_onnx_node_begin("Slice");
    ems_onnx_input(&node, a);
    for (int i = 0; i < 4; i++)
        ems_onnx_input(&node, lists[i].text);
    ems_onnx_output(&node, output(j)->name);
    ems_onnx_node_end(&j->graph, &node);
    return EMS_OK;
}

static int slice(lite_job *j)
{
    int64_t from[2 * EMS_LITE_RANK], to[2 * EMS_LITE_RANK],
        step[EMS_LITE_RANK];
    const int strided = j->op->code == STRIDED_SLICE;
    const int n = wholes_of(j, 1, from), m = n < 0 ? n : wholes_of(j, 2, to);
    const ems_lite_table o = j->op->options;
    if (n < 0 || m < 0)
        return EMS_EUNSUPPORTED;
    if (n != m || n > EMS_LITE_RANK ||
        (strided && (ems_lite_int(j->m, o, 2, 0) ||
                     ems_lite_int(j->m, o, 3, 0) ||
                     ems_lite_int(j->m, o, 4, 0))))
        return refuse(j, "it makes or drops dimensions");
    for (int i = 0; i < n; i++) {
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
        if (wholes_of(j, 3, steps) != n)
            return refuse(j, "its strides are not known");
        for (int i = 0; i < n; i++) {
            if (steps[i] < 1)
                return refuse(j, "it goes backwards");
            step[i] = steps[i];
        }
    }
    return write_slice(j, from, to, step, (size_t)n);
}

/* Other ways of writing the same numbers: nothing, or the same. */
static int rewrite(lite_job *j)
{
    if (!input(j, 0)->bytes)
        node(j, "Identity", in_name(j, 0), NULL, output(j)->name);
    return EMS_OK;
}

static int convert_op(lite_job *j)
{
    switch (j->op->code) {
    case CONV: case DEPTHWISE:
        return convolve(j);
    case AVERAGE_POOL: case MAX_POOL:
        return pool(j);
    case ADD: case SUB: case MUL: case DIV:
        return two(j);
    case RESHAPE: case SQUEEZE: case EXPAND_DIMS:
        return reshape(j);
    case SLICE: case STRIDED_SLICE:
        return slice(j);
    case DEQUANTIZE: case QUANTIZE:
        return rewrite(j);
    case RESIZE_BILINEAR:
        return resize(j);
    case FULLY_CONNECTED:
        return dense(j);
    case RELU6:
        return relu6(j);
    case SOFTMAX:
        return softmax(j);
    case MEAN:
        return mean(j);
    case CONCATENATION:
        return concatenate(j);
    case PAD:
        return pad(j);
    case GATHER:
        return gather(j);
    case TRANSPOSE:
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

static int add_output(lite_job *j, const ems_lite_tensor *t, const char *name)
{
    if (!t || t->bytes)
        return ems_fail(j->err, EMS_EINVAL, "the model computes nothing"
                        " named \"%.100s\"", name);
    ems_onnx_graph_output(&j->graph, t->name);
    j->needed[t - j->m->tensors] = 1;
    return EMS_OK;
}

static int add_ports(lite_job *j, const char *const *outputs)
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
static void mark(lite_job *j)
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

static int convert_all(lite_job *j, const char *const *outputs)
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
            code = refuse(j, "the network becomes larger than 1 GB");
    }
    return code;
}

uint8_t *ems_lite_convert(const ems_lite *m, const char *const *outputs,
                          const char *name, size_t *size, ems_error *err)
{
    lite_job j = {.m = m, .err = err,
                  .of = ems_alloc(m->tensor_count, sizeof *j.of),
                  .needed = ems_alloc(m->tensor_count, 1),
                  .written = ems_alloc(m->tensor_count, 1)};
    const int code = j.of && j.needed && j.written
                         ? convert_all(&j, outputs) : ems_out_of_memory(err);
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

/* tflite_write.c - inputs, names and plain nodes for the operators'
 * converters. */
#include "experts/tflite_parts.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

int ems_lv_refuse(const ems_lite_job *j, const char *why)
{
    return ems_fail(j->err, EMS_EUNSUPPORTED,
                    "the operator that computes"
                    " \"%.120s\" cannot be converted: %s",
                    j->m->tensors[j->op->out[0]].name, why);
}

ems_lite_name ems_lv_temporary(ems_lite_job *j)
{
    ems_lite_name n;
    snprintf(n.text, sizeof n.text, "~%u", j->temporaries++);
    return n;
}

/* ---- Inputs -------------------------------------------------------------- */

/* The tensor behind input i, through what only changes how numbers are
 * written; NULL: left out. */
const ems_lite_tensor *ems_lv_input(const ems_lite_job *j, size_t i)
{
    if (i >= j->op->in_count || j->op->in[i] < 0)
        return NULL;
    size_t t = (size_t)j->op->in[i];
    for (int hops = 0; hops < 4 && j->of[t]; hops++) {
        const int code = j->of[t]->code;
        if (code != EMS_OP_DEQUANTIZE && code != EMS_OP_QUANTIZE)
            break;
        t = (size_t)j->of[t]->in[0];
    }
    return &j->m->tensors[t];
}

const ems_lite_tensor *ems_lv_output(const ems_lite_job *j)
{
    return &j->m->tensors[j->op->out[0]];
}

/* A constant of real numbers with this rank; NULL with a sentence. */
const ems_lite_tensor *ems_lv_constant(const ems_lite_job *j, size_t i,
                                       int rank)
{
    const ems_lite_tensor *t = ems_lv_input(j, i);
    if (t && t->bytes && (rank < 0 || t->rank == rank))
        return t;
    ems_lv_refuse(j,
                  "an input that must be constant is not, or has another rank");
    return NULL;
}

static void write_reals(ems_lite_job *j, const char *name,
                        const ems_lite_tensor *t, const int64_t *dims, int rank)
{
    float *x = ems_lite_reals(t);
    if (x)
        ems_onnx_floats(&j->graph, name, x, dims, rank);
    else
        j->graph.failed = 1;
    ems_free(x);
}

static void write_constant(ems_lite_job *j, const ems_lite_tensor *t)
{
    const int whole =
        (t->type == EMS_LITE_INT32 || t->type == EMS_LITE_INT64) &&
        !t->scale_count;
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
const char *ems_lv_in_name(ems_lite_job *j, size_t i)
{
    const ems_lite_tensor *t = ems_lv_input(j, i);
    if (!t)
        return "";
    uint8_t *written = &j->written[t - j->m->tensors];
    if (t->bytes && !*written)
        write_constant(j, t);
    *written = 1;
    return t->name;
}

/* Whole numbers of a constant input; -1 with a sentence. */
int ems_lv_wholes_of(const ems_lite_job *j, size_t i,
                     int64_t out[2 * EMS_LITE_RANK])
{
    const ems_lite_tensor *t = ems_lv_constant(j, i, -1);
    if (!t)
        return -1;
    if (t->count > 2 * EMS_LITE_RANK ||
        (t->type != EMS_LITE_INT32 && t->type != EMS_LITE_INT64))
        return ems_lv_refuse(j,
                             "a list of whole numbers is too long or has none");
    int64_t *x = ems_lite_wholes(t);
    if (!x)
        return ems_out_of_memory(j->err);
    memcpy(out, x, t->count * sizeof *x);
    ems_free(x);
    return (int)t->count;
}

/* ---- Nodes --------------------------------------------------------------- */

ems_lite_name ems_lv_list(ems_lite_job *j, const int64_t *values, size_t count)
{
    const ems_lite_name n = ems_lv_temporary(j);
    const int64_t dims[] = {(int64_t)count};
    ems_onnx_wholes(&j->graph, n.text, values, dims, 1, EMS_ONNX_INT64);
    return n;
}

const int64_t EMS_LV_FIRST[4] = {0, 3, 1, 2}, EMS_LV_LAST[4] = {0, 2, 3, 1};

void ems_lv_clip(ems_lite_job *j, const char *in, const char *out, float low,
                 float high)
{
    const ems_lite_name a = ems_lv_temporary(j), b = ems_lv_temporary(j);
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
int ems_lv_finish(ems_lite_job *j, int f, const char *in)
{
    static const float LOW[] = {-INFINITY, 0, -1, 0};
    static const float HIGH[] = {INFINITY, INFINITY, 1, 6};
    const int act = f < 0 ? 0 : ems_lite_byte(j->m, j->op->options, f, 0);
    const char *out = ems_lv_output(j)->name;
    float low, high;
    if (act < 0 || act > 3)
        return ems_lv_refuse(j, "what is fused into it is not known");
    if (!ems_lite_range(ems_lv_output(j), &low, &high)) {
        low = -INFINITY;
        high = INFINITY;
    }
    low = fmaxf(low, LOW[act]);
    high = fminf(high, HIGH[act]);
    if (isinf(low) && isinf(high))
        ems_lv_node(j, "Identity", in, NULL, out);
    else if (isinf(high) && low == 0)
        ems_lv_node(j, "Relu", in, NULL, out);
    else
        ems_lv_clip(j, in, out, low, high);
    return EMS_OK;
}

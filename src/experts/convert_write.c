/* convert_write.c - names, attributes, constants and plain nodes for the
 * operators' converters. */
#include "experts/convert_parts.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- Names and attributes ------------------------------------------------ */

int ems_cv_refuse(const ems_convert_job *j, const char *why)
{
    return ems_fail(j->err, EMS_EUNSUPPORTED,
                    "the node \"%.120s\" (%.40s)"
                    " cannot be converted: %s",
                    j->node->name, j->node->op, why);
}

ems_cv_name ems_cv_plain(const char *input)
{
    ems_cv_name n;
    const size_t length = strlen(input);
    const int zero = length > 2 && !strcmp(input + length - 2, ":0");
    snprintf(n.text, sizeof n.text, "%.*s", (int)(length - (zero ? 2 : 0)),
             input);
    return n;
}

ems_cv_name ems_cv_temporary(ems_convert_job *j)
{
    ems_cv_name n;
    snprintf(n.text, sizeof n.text, "%s/~%u", j->node->name, j->temporaries++);
    return n;
}

const json_t *ems_cv_attribute(const ems_convert_job *j, const char *key,
                               const char *type)
{
    return json_object_get(json_object_get(j->node->attr, key), type);
}

/* "i" comes as text, as protocol buffers do in JSON. */
int64_t ems_cv_whole_of(const json_t *v, int64_t otherwise)
{
    if (json_is_integer(v))
        return json_integer_value(v);
    return json_is_string(v) ? strtoll(json_string_value(v), NULL, 10)
                             : otherwise;
}

int ems_cv_flag(const ems_convert_job *j, const char *key)
{
    return json_is_true(ems_cv_attribute(j, key, "b"));
}

const char *ems_cv_type_of(const ems_convert_job *j, const char *key)
{
    const char *s = json_string_value(ems_cv_attribute(j, key, "type"));
    return s ? s : "";
}

size_t ems_cv_list_of(const ems_convert_job *j, const char *key,
                      int64_t out[EMS_TF_RANK])
{
    const json_t *list = json_object_get(ems_cv_attribute(j, key, "list"), "i");
    size_t n = json_array_size(list);
    n = n > EMS_TF_RANK ? EMS_TF_RANK : n;
    for (size_t i = 0; i < n; i++)
        out[i] = ems_cv_whole_of(json_array_get(list, i), 0);
    return n;
}

/* Base 64 of the few words that stand in graphs. */
int ems_cv_means(const json_t *value, const char *word64)
{
    const char *s = json_string_value(value);
    return s && strcmp(s, word64) == 0;
}

/* The constant behind an input; NULL with a sentence. */
const ems_tf_weight *ems_cv_constant(const ems_convert_job *j, size_t i)
{
    int output;
    const ems_tf_node *n = i < j->node->in_count
                               ? ems_tf_find(j->model, j->node->in[i], &output)
                               : NULL;
    const ems_tf_weight *w = n && !strcmp(n->op, "Const")
                                 ? ems_tf_weight_of(j->model, n->name)
                                 : NULL;
    if (!w)
        ems_cv_refuse(j, "an input that must be constant is not");
    return w;
}

static int write_constant(ems_convert_job *j, const ems_tf_weight *w)
{
    float *reals = w->whole ? NULL : ems_tf_floats(w);
    int64_t *numbers = w->whole ? ems_tf_wholes(w) : NULL;
    if (reals)
        ems_onnx_floats(&j->graph, w->name, reals, w->dims, w->rank);
    else if (numbers)
        ems_onnx_wholes(&j->graph, w->name, numbers, w->dims, w->rank,
                        EMS_ONNX_INT32);
    ems_free(reals);
    ems_free(numbers);
    return reals || numbers ? EMS_OK : ems_out_of_memory(j->err);
}

/* The name of an input. Constants are written when they are first asked for
 * by name: those that become filters or attributes never are. */
ems_cv_name ems_cv_in_name(ems_convert_job *j, size_t i)
{
    int output;
    const char *in = i < j->node->in_count ? j->node->in[i] : "";
    const ems_tf_node *n = ems_tf_find(j->model, in, &output);
    if (n && !strcmp(n->op, "Const")) {
        uint8_t *written = &j->written[n - j->all];
        const ems_tf_weight *w = ems_tf_weight_of(j->model, n->name);
        if (!*written && (!w || write_constant(j, w) < 0))
            j->graph.failed = 1;
        *written = 1;
    }
    return ems_cv_plain(in);
}

/* ---- Writing ------------------------------------------------------------- */

ems_cv_name ems_cv_wholes(ems_convert_job *j, const int64_t *values,
                          size_t count)
{
    const ems_cv_name n = ems_cv_temporary(j);
    const int64_t dims[] = {(int64_t)count};
    ems_onnx_wholes(&j->graph, n.text, values, dims, 1, EMS_ONNX_INT64);
    return n;
}

ems_cv_name ems_cv_scalar(ems_convert_job *j, float value)
{
    const ems_cv_name n = ems_cv_temporary(j);
    ems_onnx_floats(&j->graph, n.text, &value, NULL, 0);
    return n;
}

void ems_cv_transpose(ems_convert_job *j, const char *in, const char *out,
                      int to_first)
{
    static const int64_t FIRST[] = {0, 3, 1, 2}, LAST[] = {0, 2, 3, 1};
    ems_onnx_transpose(&j->graph, in, out, to_first ? FIRST : LAST, 4);
}

void ems_cv_cast(ems_convert_job *j, const char *in, const char *out, int type)
{
    ems_onnx_node n = ems_onnx_node_begin("Cast");
    ems_onnx_int(&n, "to", type);
    ems_onnx_input(&n, in);
    ems_onnx_output(&n, out);
    ems_onnx_node_end(&j->graph, &n);
}

void ems_cv_relu6(ems_convert_job *j, const char *in, const char *out)
{
    const ems_cv_name low = ems_cv_scalar(j, 0), high = ems_cv_scalar(j, 6);
    ems_onnx_node n = ems_onnx_node_begin("Clip");
    ems_onnx_input(&n, in);
    ems_onnx_input(&n, low.text);
    ems_onnx_input(&n, high.text);
    ems_onnx_output(&n, out);
    ems_onnx_node_end(&j->graph, &n);
}

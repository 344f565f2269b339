#include "experts/tfjs.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WEIGHTS = 20000 };
static const size_t MOST_BYTES = (size_t)1 << 30;

struct ems_tf_model {
    json_t *root;
    ems_tf_node *nodes;  /* as in the file */
    size_t node_count;
    size_t *by_name;     /* indices of nodes, sorted */
    ems_tf_weight *weights; /* sorted by name */
    size_t weight_count;
    const char **inputs; /* of all nodes, back to back */
    uint8_t *own;        /* bytes of the weight files */
};

/* ---- Graph ---------------------------------------------------------------*/

static int read_inputs(const json_t *node, const ems_json_at *at,
                       ems_tf_node *n, const char **room)
{
    json_t *array = json_object_get(node, "input");
    n->in = room;
    n->in_count = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *s = json_string_value(json_array_get(array, i));
        if (!s || strlen(s) > 500)
            return ems_json_fail(at, "input must hold names");
        if (s[0] != '^')
            room[n->in_count++] = s;
    }
    return EMS_OK;
}

static int read_node(const json_t *o, const ems_json_at *at, ems_tf_node *n,
                     const char **room)
{
    json_t *attr = NULL;
    int code = ems_json_string(o, at, "name", &n->name);
    if (code == EMS_OK)
        code = ems_json_string(o, at, "op", &n->op);
    if (code == EMS_OK && strlen(n->name) > 500)
        code = ems_json_fail(at, "has a name of more than 500 characters");
    if (code == EMS_OK && json_object_get(o, "attr"))
        code = ems_json_object(o, at, "attr", &attr);
    n->attr = attr;
    return code == EMS_OK ? read_inputs(o, at, n, room) : code;
}

static size_t count_inputs(const json_t *nodes)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(nodes); i++)
        n += json_array_size(
            json_object_get(json_array_get(nodes, i), "input"));
    return n;
}

static int by_node_name(const void *a, const void *b, void *nodes)
{
    const ems_tf_node *n = nodes;
    return strcmp(n[*(const size_t *)a].name, n[*(const size_t *)b].name);
}

static int read_graph(ems_tf_model *m, const ems_json_at *at)
{
    json_t *topology, *nodes;
    int code = ems_json_object(m->root, at, "modelTopology", &topology);
    const ems_json_at inside = ems_json_key(at, "modelTopology");
    if (code == EMS_OK)
        code = ems_json_array(topology, &inside, "node", EMS_TF_NODES,
                              &nodes);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(&inside, "node");
    const size_t n = json_array_size(nodes);
    m->nodes = ems_alloc(n, sizeof *m->nodes);
    m->by_name = ems_alloc(n, sizeof *m->by_name);
    m->inputs = ems_alloc(count_inputs(nodes), sizeof *m->inputs);
    if (!m->nodes || !m->by_name || !m->inputs)
        return ems_out_of_memory(at->err);
    const char **room = m->inputs;
    for (size_t i = 0; i < n; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        code = read_node(json_array_get(nodes, i), &here, &m->nodes[i],
                         room);
        if (code < 0)
            return code;
        room += m->nodes[i].in_count;
        m->by_name[i] = i;
    }
    m->node_count = n;
    qsort_r(m->by_name, n, sizeof *m->by_name, by_node_name, m->nodes);
    for (size_t i = 1; i < n; i++)
        if (by_node_name(&m->by_name[i - 1], &m->by_name[i], m->nodes) == 0)
            return ems_json_fail(&all, "names \"%.60s\" twice",
                                 m->nodes[m->by_name[i]].name);
    return EMS_OK;
}

/* ---- Weights ------------------------------------------------------------- */

static int read_packing(const json_t *o, const ems_json_at *at,
                        ems_tf_weight *w)
{
    json_t *q;
    const char *type = "";
    if (!json_object_get(o, "quantization"))
        return EMS_OK;
    int code = ems_json_object(o, at, "quantization", &q);
    const ems_json_at here = ems_json_key(at, "quantization");
    if (code == EMS_OK)
        code = ems_json_string(q, &here, "dtype", &type);
    if (code < 0)
        return code;
    w->packing = !strcmp(type, "float16") ? EMS_TF_HALF
                 : !strcmp(type, "uint8") ? EMS_TF_BYTE
                 : !strcmp(type, "uint16") ? EMS_TF_SHORT : EMS_TF_PLAIN;
    if (w->packing == EMS_TF_PLAIN)
        return ems_json_fail(&here, "has the type \"%.20s\"; float16, uint8"
                             " and uint16 are known", type);
    if (w->packing == EMS_TF_HALF)
        return EMS_OK;
    code = ems_json_number(q, &here, "scale", -1e30, 1e30, &w->scale);
    return code < 0 ? code : ems_json_number(q, &here, "min", -1e30, 1e30,
                                             &w->least);
}

static int read_dims(const json_t *o, const ems_json_at *at,
                     ems_tf_weight *w)
{
    json_t *array;
    const int code = ems_json_array(o, at, "shape", EMS_TF_RANK, &array);
    if (code < 0)
        return code;
    w->rank = (int)json_array_size(array);
    w->count = 1;
    for (int i = 0; i < w->rank; i++) {
        const json_t *v = json_array_get(array, (size_t)i);
        w->dims[i] = json_is_integer(v) ? json_integer_value(v) : -1;
        if (w->dims[i] < 0 ||
            __builtin_mul_overflow(w->count, (size_t)w->dims[i],
                                   &w->count) ||
            w->count > MOST_BYTES)
            return ems_json_fail(at, "shape must hold sizes whose product is"
                                 " at most 2^30");
    }
    return EMS_OK;
}

static size_t bytes_each(const ems_tf_weight *w)
{
    static const size_t BYTES[] = {4, 2, 1, 2};
    return BYTES[w->packing];
}

static int read_weight(const json_t *o, const ems_json_at *at,
                       ems_tf_weight *w, const uint8_t *bytes, size_t size,
                       size_t *used)
{
    const char *type = "";
    int code = ems_json_string(o, at, "name", &w->name);
    if (code == EMS_OK)
        code = ems_json_string(o, at, "dtype", &type);
    if (code == EMS_OK && strcmp(type, "float32") && strcmp(type, "int32"))
        code = ems_json_fail(at, "has the type \"%.20s\"; float32 and int32"
                             " are known", type);
    w->whole = strcmp(type, "int32") == 0;
    if (code == EMS_OK)
        code = read_packing(o, at, w);
    if (code == EMS_OK)
        code = read_dims(o, at, w);
    if (code < 0)
        return code;
    const size_t needed = w->count * bytes_each(w);
    if (needed > size - *used)
        return ems_json_fail(at, "\"%.60s\" needs %zu bytes; the weight"
                             " files have %zu left", w->name, needed,
                             size - *used);
    w->bytes = bytes + *used;
    *used += needed;
    return EMS_OK;
}

static int by_weight_name(const void *a, const void *b)
{
    return strcmp(((const ems_tf_weight *)a)->name,
                  ((const ems_tf_weight *)b)->name);
}

static int read_weights(ems_tf_model *m, const ems_json_at *at,
                        const uint8_t *bytes, size_t size)
{
    json_t *groups;
    size_t used = 0, room = 0;
    int code = ems_json_array(m->root, at, "weightsManifest", 1000, &groups);
    const ems_json_at all = ems_json_key(at, "weightsManifest");
    for (size_t g = 0; code == EMS_OK && g < json_array_size(groups); g++) {
        json_t *list;
        const ems_json_at here = ems_json_index(&all, g);
        code = ems_json_array(json_array_get(groups, g), &here, "weights",
                              MOST_WEIGHTS, &list);
        for (size_t i = 0; code == EMS_OK && i < json_array_size(list); i++) {
            if (m->weight_count >= MOST_WEIGHTS)
                return ems_json_fail(&here, "lists more than %d weights",
                                     MOST_WEIGHTS);
            if (ems_reserve((void **)&m->weights, &room, m->weight_count + 1,
                            sizeof *m->weights) < 0)
                return ems_out_of_memory(at->err);
            const ems_json_at w = ems_json_index(&here, i);
            ems_tf_weight *next = &m->weights[m->weight_count++];
            *next = (ems_tf_weight){0};
            code = read_weight(json_array_get(list, i), &w, next, bytes, size,
                               &used);
        }
    }
    if (code == EMS_OK && m->weight_count)
        qsort(m->weights, m->weight_count, sizeof *m->weights,
              by_weight_name);
    return code;
}

/* ---- The model ----------------------------------------------------------- */

static ems_tf_model *from_json(json_t *root, const uint8_t *bytes,
                               size_t size, const char *name, ems_error *err)
{
    const ems_json_at at = ems_json_root(name, err);
    ems_tf_model *m = ems_alloc(1, sizeof *m);
    if (!m) {
        json_decref(root);
        ems_out_of_memory(err);
        return NULL;
    }
    m->root = root;
    if (read_graph(m, &at) == EMS_OK &&
        read_weights(m, &at, bytes, size) == EMS_OK)
        return m;
    ems_tf_free(m);
    return NULL;
}

ems_tf_model *ems_tf_parse(const char *json, size_t size,
                           const uint8_t *weights, size_t weight_size,
                           const char *name, ems_error *err)
{
    json_t *root = ems_json_parse(json, size, name, err);
    return root ? from_json(root, weights, weight_size, name, err) : NULL;
}

/* Put one weight file behind the others. */
static int add_file(const char *folder, const char *file, uint8_t **bytes,
                    size_t *size, ems_error *err)
{
    if (strchr(file, '/') || file[0] == '.')
        return ems_fail(err, EMS_EFORMAT, "\"%s\": the weight file \"%.60s\""
                        " is not beside it", folder, file);
    char *path = ems_path_join(folder, file);
    ems_bytes b = {0};
    int code = path ? ems_bytes_map(&b, path, MOST_BYTES - *size, err)
                    : ems_out_of_memory(err);
    if (code == EMS_OK) {
        uint8_t *grown = ems_realloc(*bytes, *size + b.size + 1, 1);
        if (grown) {
            *bytes = grown;
            if (b.size)
                memcpy(grown + *size, b.data, b.size);
            *size += b.size;
        } else {
            code = ems_out_of_memory(err);
        }
    }
    ems_bytes_unmap(&b);
    ems_free(path);
    return code;
}

static int add_files(const json_t *root, const char *folder, uint8_t **bytes,
                     size_t *size, ems_error *err)
{
    const json_t *groups = json_object_get(root, "weightsManifest");
    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *paths =
            json_object_get(json_array_get(groups, g), "paths");
        for (size_t i = 0; i < json_array_size(paths); i++) {
            const char *file = json_string_value(json_array_get(paths, i));
            const int code = add_file(folder, file ? file : "", bytes, size,
                                      err);
            if (code < 0)
                return code;
        }
    }
    return EMS_OK;
}

ems_tf_model *ems_tf_open(const char *path, ems_error *err)
{
    json_t *root = ems_json_load(path, err);
    if (!root)
        return NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    char *folder = ems_strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        *slash = '\0';
    int code = folder ? add_files(root, slash ? folder : ".", &bytes, &size,
                                  err)
                      : ems_out_of_memory(err);
    ems_free(folder);
    ems_tf_model *m = NULL;
    if (code == EMS_OK)
        m = from_json(root, bytes, size, path, err);
    else
        json_decref(root);
    if (m)
        m->own = bytes;
    else
        ems_free(bytes);
    return m;
}

void ems_tf_free(ems_tf_model *m)
{
    if (!m)
        return;
    ems_free(m->nodes);
    ems_free(m->by_name);
    ems_free(m->weights);
    ems_free(m->inputs);
    ems_free(m->own);
    json_decref(m->root);
    ems_free(m);
}

/* ---- Questions ------------------------------------------------------------*/

const ems_tf_node *ems_tf_nodes(const ems_tf_model *m, size_t *count)
{
    *count = m->node_count;
    return m->nodes;
}

const ems_tf_node *ems_tf_find(const ems_tf_model *m, const char *input,
                               int *output)
{
    const char *colon = strrchr(input, ':');
    const size_t length = colon ? (size_t)(colon - input) : strlen(input);
    *output = colon ? atoi(colon + 1) : 0;
    size_t low = 0, high = m->node_count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const char *name = m->nodes[m->by_name[mid]].name;
        int order = strncmp(name, input, length);
        if (order == 0 && name[length])
            order = 1;
        if (order == 0)
            return &m->nodes[m->by_name[mid]];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const ems_tf_weight *ems_tf_weight_of(const ems_tf_model *m,
                                      const char *name)
{
    const ems_tf_weight key = {.name = name};
    return m->weight_count ? bsearch(&key, m->weights, m->weight_count,
                                     sizeof key, by_weight_name)
                           : NULL;
}

size_t ems_tf_outputs(const ems_tf_model *m,
                      const char *names[EMS_TF_INPUTS])
{
    json_t *s = json_object_get(m->root, "signature");
    if (!s)
        s = json_object_get(json_object_get(m->root, "userDefinedMetadata"),
                            "signature");
    json_t *outputs = json_object_get(s, "outputs");
    size_t n = 0;
    const char *key;
    json_t *value;
    json_object_foreach(outputs, key, value) {
        const char *name = json_string_value(json_object_get(value, "name"));
        if (n < EMS_TF_INPUTS)
            names[n++] = name ? name : key;
    }
    return n;
}

double ems_half(unsigned h)
{
    const int exponent = h >> 10 & 31;
    const double mantissa = h & 1023;
    const double x = exponent == 0 ? ldexp(mantissa, -24)
                     : exponent == 31
                         ? (mantissa > 0 ? (double)NAN : (double)INFINITY)
                         : ldexp(1024 + mantissa, exponent - 25);
    return h & 0x8000 ? -x : x;
}

static double element(const ems_tf_weight *w, size_t i)
{
    const uint8_t *p = w->bytes + i * bytes_each(w);
    uint32_t bits;
    float real;
    switch (w->packing) {
    case EMS_TF_HALF:
        return ems_half(p[0] | (unsigned)p[1] << 8);
    case EMS_TF_BYTE:
        return p[0] * w->scale + w->least;
    case EMS_TF_SHORT:
        return (p[0] | p[1] << 8) * w->scale + w->least;
    case EMS_TF_PLAIN:
        break;
    }
    bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
    memcpy(&real, &bits, 4);
    return w->whole ? (double)(int32_t)bits : (double)real;
}

float *ems_tf_floats(const ems_tf_weight *w)
{
    float *out = ems_alloc(w->count, sizeof *out);
    for (size_t i = 0; out && i < w->count; i++)
        out[i] = (float)element(w, i);
    return out;
}

int64_t *ems_tf_wholes(const ems_tf_weight *w)
{
    int64_t *out = ems_alloc(w->count, sizeof *out);
    for (size_t i = 0; out && i < w->count; i++) {
        const double x = element(w, i);
        out[i] = x > -9e15 && x < 9e15 ? (int64_t)rint(x) : 0;
    }
    return out;
}

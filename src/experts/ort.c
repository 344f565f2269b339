#include "experts/ort.h"

#include "base/file.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The table of functions --------------------------------------------- */

enum { TABLE_VERSION = 17, QUIET = 4, ALL_OPTIMISATIONS = 99, ARENA = 1 };

enum slot { /* places in OrtApi */
    GET_ERROR_MESSAGE = 2, CREATE_ENV = 3, DISABLE_TELEMETRY = 6,
    CREATE_SESSION_FROM_ARRAY = 8, RUN = 9, CREATE_SESSION_OPTIONS = 10,
    SET_OPTIMISATION = 23, SET_INTRA_THREADS = 24, SET_INTER_THREADS = 25,
    INPUT_COUNT = 30, OUTPUT_COUNT = 31, INPUT_TYPE = 33, OUTPUT_TYPE = 34,
    INPUT_NAME = 36, OUTPUT_NAME = 37, TENSOR_WITH_DATA = 49,
    TENSOR_DATA = 51, CAST_TYPE = 55, ELEMENT_TYPE = 60, RANK = 61, DIMS = 62,
    TENSOR_SHAPE = 65, CPU_MEMORY = 69, ALLOCATOR_FREE = 76, ALLOCATOR = 78,
    RELEASE_ENV = 92, RELEASE_STATUS = 93, RELEASE_MEMORY = 94,
    RELEASE_SESSION = 95, RELEASE_VALUE = 96, RELEASE_TYPE = 98,
    RELEASE_SHAPE = 99, RELEASE_SESSION_OPTIONS = 100, SET_ENTRY = 130,
};

typedef void *status; /* NULL: done */
typedef void (*anything)(void);

typedef struct api_base {
    const anything *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} api_base;

struct ems_ort {
    void *library;
    const anything *api;
    char version[32];
    void *env, *memory, *allocator;
    int threads;
};

struct ems_onnx {
    ems_ort *ort;
    void *session;
    char *name;
    ems_port in[EMS_NET_PORTS], out[EMS_NET_PORTS];
    size_t in_count, out_count;
};

/* Call slot N, whose arguments have these types, with these values. */
#define CALL(o, slot, types, ...) \
    (((status (*) types)(o)->api[slot])(__VA_ARGS__))
#define RELEASE(o, slot, what) \
    do { \
        if (what) \
            ((void (*)(void *))(o)->api[slot])(what); \
    } while (0)

/* The library's sentences go over several lines; one is enough. */
static int check(const ems_ort *o, status s, const char *what,
                 const char *name, ems_error *err)
{
    if (!s)
        return EMS_OK;
    const char *text = ((const char *(*)(const void *))
                            o->api[GET_ERROR_MESSAGE])(s);
    char line[240];
    snprintf(line, sizeof line, "%s", text ? text : "unknown error");
    for (char *c = line; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    RELEASE(o, RELEASE_STATUS, s);
    return ems_fail(err, EMS_EFORMAT, "%s \"%s\": %s", what, name, line);
}

/* ---- The library --------------------------------------------------------- */

static void *open_library(const char *const *folders)
{
    const char *named = getenv("EMSYNC_ONNXRUNTIME");
    const int how = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
    if (named && *named)
        return dlopen(named, how);
    for (size_t i = 0; folders && folders[i]; i++) {
        char *path = ems_path_join(folders[i], "libonnxruntime.so");
        void *library = path && access(path, R_OK) == 0 ? dlopen(path, how)
                                                        : NULL;
        ems_free(path);
        if (library)
            return library;
    }
    void *library = dlopen("libonnxruntime.so.1", how);
    return library ? library : dlopen("libonnxruntime.so", how);
}

static int open_api(ems_ort *o, ems_error *err)
{
    const api_base *(*get)(void);
    void *symbol = dlsym(o->library, "OrtGetApiBase");
    if (!symbol)
        return ems_fail(err, EMS_EUNSUPPORTED, "what is installed as ONNX"
                        " Runtime is another library; run \"make experts\"");
    memcpy(&get, &symbol, sizeof get); /* ISO C has no cast for it */
    const api_base *base = get();
    snprintf(o->version, sizeof o->version, "%s", base->get_version());
    o->api = base->get_api(TABLE_VERSION);
    if (!o->api)
        return ems_fail(err, EMS_EUNSUPPORTED, "ONNX Runtime %s is too old;"
                        " 1.17 or newer is needed (run \"make experts\")",
                        o->version);
    return EMS_OK;
}

static int open_env(ems_ort *o, ems_error *err)
{
    int code = check(o, CALL(o, CREATE_ENV, (int, const char *, void **),
                             QUIET, "emsync", &o->env),
                     "cannot start", "ONNX Runtime", err);
    if (code == EMS_OK) {
        status s = CALL(o, DISABLE_TELEMETRY, (const void *), o->env);
        RELEASE(o, RELEASE_STATUS, s); /* most builds have none */
        code = check(o, CALL(o, CPU_MEMORY, (int, int, void **), ARENA, 0,
                             &o->memory),
                     "cannot start", "ONNX Runtime", err);
    }
    if (code == EMS_OK)
        code = check(o, CALL(o, ALLOCATOR, (void **), &o->allocator),
                     "cannot start", "ONNX Runtime", err);
    return code;
}

ems_ort *ems_ort_open(const char *const *folders, int threads,
                      ems_error *err)
{
    ems_ort *o = ems_alloc(1, sizeof *o);
    if (!o) {
        ems_out_of_memory(err);
        return NULL;
    }
    o->threads = threads;
    o->library = open_library(folders);
    int code = EMS_OK;
    if (!o->library) {
        const char *why = dlerror();
        code = ems_fail(err, EMS_EUNSUPPORTED, "ONNX Runtime is not"
                        " installed; run \"make experts\" (%.200s)",
                        why ? why : "no library");
    }
    if (code == EMS_OK)
        code = open_api(o, err);
    if (code == EMS_OK)
        code = open_env(o, err);
    if (code == EMS_OK)
        return o;
    ems_ort_close(o);
    return NULL;
}

const char *ems_ort_version(const ems_ort *ort)
{
    return ort->version;
}

void ems_ort_close(ems_ort *o)
{
    if (!o)
        return;
    if (o->api) {
        RELEASE(o, RELEASE_MEMORY, o->memory);
        RELEASE(o, RELEASE_ENV, o->env);
    }
    if (o->library)
        dlclose(o->library);
    ems_free(o);
}

/* ---- Networks ------------------------------------------------------------ */

/* Bounded threads that sleep between two pictures instead of spinning. */
static int set_options(const ems_ort *o, void *options, const char *name,
                       ems_error *err)
{
    status s = CALL(o, SET_OPTIMISATION, (void *, int), options,
                    ALL_OPTIMISATIONS);
    if (!s)
        s = CALL(o, SET_INTRA_THREADS, (void *, int), options, o->threads);
    if (!s)
        s = CALL(o, SET_INTER_THREADS, (void *, int), options, 1);
    if (!s)
        s = CALL(o, SET_ENTRY, (void *, const char *, const char *), options,
                 "session.intra_op.allow_spinning", "0");
    return check(o, s, "cannot prepare", name, err);
}

static int open_session(ems_onnx *n, const void *onnx, size_t size,
                        ems_error *err)
{
    const ems_ort *o = n->ort;
    void *options = NULL;
    int code = check(o, CALL(o, CREATE_SESSION_OPTIONS, (void **), &options),
                     "cannot prepare", n->name, err);
    if (code == EMS_OK)
        code = set_options(o, options, n->name, err);
    if (code == EMS_OK)
        code = check(o, CALL(o, CREATE_SESSION_FROM_ARRAY,
                             (const void *, const void *, size_t,
                              const void *, void **),
                             o->env, onnx, size, options, &n->session),
                     "ONNX Runtime refuses", n->name, err);
    RELEASE(o, RELEASE_SESSION_OPTIONS, options);
    return code;
}

/* Type and dimensions out of an OrtTensorTypeAndShapeInfo. */
static int read_shape(const ems_onnx *n, const void *info, ems_tensor *out,
                      ems_error *err)
{
    const ems_ort *o = n->ort;
    int type = 0;
    size_t rank = 0;
    status s = CALL(o, ELEMENT_TYPE, (const void *, int *), info, &type);
    if (!s)
        s = CALL(o, RANK, (const void *, size_t *), info, &rank);
    int code = check(o, s, "cannot read a shape of", n->name, err);
    if (code == EMS_OK && rank > EMS_TENSOR_RANK)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" has a tensor of %zu"
                        " dimensions; %d are the most", n->name, rank,
                        EMS_TENSOR_RANK);
    if (code < 0)
        return code;
    out->type = (ems_tensor_type)type;
    out->rank = (int)rank;
    return check(o, CALL(o, DIMS, (const void *, int64_t *, size_t), info,
                         out->dims, rank),
                 "cannot read a shape of", n->name, err);
}

static int read_port(const ems_onnx *n, size_t index, int output,
                     ems_port *port, ems_error *err)
{
    const ems_ort *o = n->ort;
    void *type = NULL;
    const void *tensor = NULL;
    char *name = NULL;
    status s = CALL(o, output ? OUTPUT_NAME : INPUT_NAME,
                    (const void *, size_t, void *, char **), n->session,
                    index, o->allocator, &name);
    if (!s) {
        port->name = ems_strdup(name);
        s = CALL(o, ALLOCATOR_FREE, (void *, void *), o->allocator, name);
    }
    if (!s)
        s = CALL(o, output ? OUTPUT_TYPE : INPUT_TYPE,
                 (const void *, size_t, void **), n->session, index, &type);
    if (!s)
        s = CALL(o, CAST_TYPE, (const void *, const void **), type, &tensor);
    int code = check(o, s, "cannot read the ports of", n->name, err);
    if (code == EMS_OK && !port->name)
        code = ems_out_of_memory(err);
    if (code == EMS_OK && !tensor)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" has an input or output"
                        " that is no tensor", n->name);
    if (code == EMS_OK)
        code = read_shape(n, tensor, &port->shape, err);
    RELEASE(o, RELEASE_TYPE, type);
    return code;
}

static int read_ports(ems_onnx *n, int output, ems_error *err)
{
    const ems_ort *o = n->ort;
    size_t count = 0;
    int code = check(o, CALL(o, output ? OUTPUT_COUNT : INPUT_COUNT,
                             (const void *, size_t *), n->session, &count),
                     "cannot read the ports of", n->name, err);
    if (code == EMS_OK && count > EMS_NET_PORTS)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" has %zu inputs or outputs;"
                        " %d are the most", n->name, count, EMS_NET_PORTS);
    for (size_t i = 0; i < count && code == EMS_OK; i++) {
        code = read_port(n, i, output, output ? &n->out[i] : &n->in[i], err);
        *(output ? &n->out_count : &n->in_count) = i + 1;
    }
    return code;
}

ems_onnx *ems_onnx_open(ems_ort *ort, const void *onnx, size_t size,
                      const char *name, ems_error *err)
{
    ems_onnx *n = ems_alloc(1, sizeof *n);
    if (!n) {
        ems_out_of_memory(err);
        return NULL;
    }
    n->ort = ort;
    n->name = ems_strdup(name);
    int code = n->name ? open_session(n, onnx, size, err)
                       : ems_out_of_memory(err);
    if (code == EMS_OK)
        code = read_ports(n, 0, err);
    if (code == EMS_OK)
        code = read_ports(n, 1, err);
    if (code == EMS_OK)
        return n;
    ems_onnx_close(n);
    return NULL;
}

const ems_port *ems_onnx_inputs(const ems_onnx *net, size_t *count)
{
    *count = net->in_count;
    return net->in;
}

const ems_port *ems_onnx_outputs(const ems_onnx *net, size_t *count)
{
    *count = net->out_count;
    return net->out;
}

void ems_onnx_close(ems_onnx *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < EMS_NET_PORTS; i++) {
        ems_free(n->in[i].name);
        ems_free(n->out[i].name);
    }
    RELEASE(n->ort, RELEASE_SESSION, n->session);
    ems_free(n->name);
    ems_free(n);
}

/* ---- Running ------------------------------------------------------------- */

size_t ems_tensor_elements(const ems_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0 ||
            __builtin_mul_overflow(n, (size_t)t->dims[i], &n))
            return 0;
    return n;
}

static size_t element_size(ems_tensor_type type)
{
    return type == EMS_TENSOR_UINT8 ? 1 : type == EMS_TENSOR_INT64 ? 8 : 4;
}

static int wrap(const ems_onnx *n, const ems_tensor *t, void **value,
                ems_error *err)
{
    const size_t bytes = ems_tensor_elements(t) * element_size(t->type);
    return check(n->ort,
                 CALL(n->ort, TENSOR_WITH_DATA,
                      (const void *, void *, size_t, const int64_t *, size_t,
                       int, void **),
                      n->ort->memory, t->data, bytes, t->dims,
                      (size_t)t->rank, (int)t->type, value),
                 "cannot feed", n->name, err);
}

static int unwrap(const ems_onnx *n, void *value, ems_tensor *t,
                  ems_error *err)
{
    const ems_ort *o = n->ort;
    void *info = NULL;
    *t = (ems_tensor){.owner = value};
    status s = CALL(o, TENSOR_SHAPE, (const void *, void **), value, &info);
    if (!s)
        s = CALL(o, TENSOR_DATA, (void *, void **), value, &t->data);
    int code = check(o, s, "cannot read the output of", n->name, err);
    if (code == EMS_OK)
        code = read_shape(n, info, t, err);
    RELEASE(o, RELEASE_SHAPE, info);
    return code;
}

void ems_tensors_release(ems_onnx *net, ems_tensor *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        RELEASE(net->ort, RELEASE_VALUE, out[i].owner);
        out[i] = (ems_tensor){0};
    }
}

int ems_onnx_run(ems_onnx *net, const char *const *in_names,
                const ems_tensor *in, size_t in_count,
                const char *const *out_names, ems_tensor *out,
                size_t out_count, ems_error *err)
{
    void *fed[EMS_NET_PORTS] = {0}, *got[EMS_NET_PORTS] = {0};
    int code = in_count <= EMS_NET_PORTS && out_count <= EMS_NET_PORTS
                   ? EMS_OK
                   : ems_fail(err, EMS_EINTERNAL, "too many tensors");
    for (size_t i = 0; i < in_count && code == EMS_OK; i++)
        code = wrap(net, &in[i], &fed[i], err);
    if (code == EMS_OK)
        code = check(net->ort,
                     CALL(net->ort, RUN,
                          (void *, const void *, const char *const *,
                           void *const *, size_t, const char *const *, size_t,
                           void **),
                          net->session, NULL, in_names, fed, in_count,
                          out_names, out_count, got),
                     "cannot run", net->name, err);
    for (size_t i = 0; i < out_count; i++)
        out[i] = (ems_tensor){.owner = got[i]};
    for (size_t i = 0; i < out_count && code == EMS_OK; i++)
        code = unwrap(net, got[i], &out[i], err);
    for (size_t i = 0; i < in_count && i < EMS_NET_PORTS; i++)
        RELEASE(net->ort, RELEASE_VALUE, fed[i]);
    if (code < 0)
        ems_tensors_release(net, out, out_count);
    return code;
}

#include "experts/convert.h"

#include <emsync/emsync.h>

#include "base/file.h"
#include "base/mem.h"

#include <string.h>

/* ---- Which nodes, in which order ----------------------------------------- */

enum { UNSEEN, OPEN, DONE };

typedef struct walk {
    const ems_tf_model *model;
    const ems_tf_node *all;
    uint8_t *state;   /* per node */
    size_t *stack, depth;
    size_t *order, count;
} walk;

/* Push the first input that is not done yet; 0: none is left. */
static int push_input(walk *w, size_t i, ems_error *err)
{
    const ems_tf_node *n = &w->all[i];
    for (size_t k = 0; k < n->in_count; k++) {
        int output;
        const ems_tf_node *from = ems_tf_find(w->model, n->in[k], &output);
        if (!from)
            return ems_fail(err, EMS_EFORMAT, "the node \"%.80s\" asks for"
                            " \"%.80s\", which is not there", n->name,
                            n->in[k]);
        const size_t next = (size_t)(from - w->all);
        if (w->state[next] == OPEN)
            return ems_fail(err, EMS_EFORMAT, "the node \"%.80s\" needs its"
                            " own output", from->name);
        if (w->state[next] == UNSEEN) {
            w->state[next] = OPEN;
            w->stack[w->depth++] = next;
            return 1;
        }
    }
    return 0;
}

/* Depth first without recursion: what a node needs comes before it. */
static int visit(walk *w, size_t start, ems_error *err)
{
    if (w->state[start] == DONE)
        return EMS_OK;
    w->stack[w->depth++] = start;
    w->state[start] = OPEN;
    while (w->depth > 0) {
        const size_t top = w->stack[w->depth - 1];
        const int more = push_input(w, top, err);
        if (more < 0)
            return more;
        if (more)
            continue;
        w->state[top] = DONE;
        w->order[w->count++] = top;
        w->depth--;
    }
    return EMS_OK;
}

/* ---- The graph ----------------------------------------------------------- */

static int convert_all(ems_convert_job *job, const walk *w)
{
    for (size_t i = 0; i < w->count; i++) {
        job->node = &w->all[w->order[i]];
        const int code = ems_convert_node(job);
        if (code < 0)
            return code;
    }
    return EMS_OK;
}

static int add_output(ems_convert_job *job, walk *w, const char *name)
{
    int output;
    const ems_tf_node *n = ems_tf_find(w->model, name, &output);
    if (!n)
        return ems_fail(job->err, EMS_EINVAL, "the model has no node"
                        " \"%.100s\"", name);
    char plain[520];
    snprintf(plain, sizeof plain, output ? "%s:%d" : "%s", n->name, output);
    ems_onnx_graph_output(&job->graph, plain);
    return visit(w, (size_t)(n - w->all), job->err);
}

static int convert_outputs(ems_convert_job *job, walk *w,
                           const char *const *outputs)
{
    const char *own[EMS_TF_INPUTS + 1] = {0};
    if (!outputs) {
        if (ems_tf_outputs(w->model, own) == 0)
            return ems_fail(job->err, EMS_EINVAL, "the model has no"
                            " signature; name the nodes that shall be its"
                            " outputs");
        outputs = own;
    }
    for (size_t i = 0; outputs[i]; i++) {
        const int code = add_output(job, w, outputs[i]);
        if (code < 0)
            return code;
    }
    return convert_all(job, w);
}

uint8_t *ems_convert(const ems_tf_model *model, const char *const *outputs,
                     const char *name, size_t *size, ems_error *err)
{
    walk w = {.model = model};
    size_t n;
    w.all = ems_tf_nodes(model, &n);
    w.state = ems_alloc(n, 1);
    w.stack = ems_alloc(n + 1, sizeof *w.stack);
    w.order = ems_alloc(n, sizeof *w.order);
    ems_convert_job job = {.model = model, .all = w.all, .err = err,
                           .written = ems_alloc(n, 1)};
    int code = w.state && w.stack && w.order && job.written
                   ? convert_outputs(&job, &w, outputs)
                   : ems_out_of_memory(err);
    uint8_t *file = NULL;
    if (code == EMS_OK) {
        file = ems_onnx_file(&job.graph, name, size);
        if (!file)
            ems_out_of_memory(err);
    }
    ems_pb_free(&job.graph);
    ems_free(job.written);
    ems_free(w.state);
    ems_free(w.stack);
    ems_free(w.order);
    return file;
}

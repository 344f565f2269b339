/* expert.c - loading and checking. */
#include "experts/expert_parts.h"

#include "base/mem.h"
#include "base/sha256.h"

#include <string.h>

static const size_t MOST_MANIFEST = 1 << 20, MOST_NETWORK = (size_t)2 << 30;

/* ---- Files ----------------------------------------------------------------*/

static int map_network(const ems_expert *e, const ems_network_file *file,
                       ems_bytes *b, ems_sha256 *id, ems_error *err)
{
    char *path = ems_path_join(e->folder, file->path);
    if (!path)
        return ems_out_of_memory(err);
    char sum[65];
    int code = ems_bytes_map(b, path, MOST_NETWORK, err);
    if (code == EMS_OK) {
        ems_sha256_hex(b->data, b->size, sum);
        ems_sha256_add(id, sum, 64);
        if (strcmp(sum, file->sha256) != 0)
            code = ems_fail(err, EMS_EFORMAT, "\"%s\" is not the file that"
                            " its manifest names: SHA-256 %.12s instead of"
                            " %.12s", path, sum, file->sha256);
    }
    ems_free(path);
    return code;
}

static int load_files(ems_expert *e, ems_error *err)
{
    char *path = ems_path_join(e->folder, "manifest.json");
    ems_bytes text = {0};
    ems_sha256 id;
    uint8_t digest[32];
    int code = path ? ems_bytes_map(&text, path, MOST_MANIFEST, err)
                    : ems_out_of_memory(err);
    if (code == EMS_OK) {
        e->manifest = ems_manifest_parse((const char *)text.data, text.size,
                                         path, err);
        code = e->manifest ? EMS_OK : EMS_EFORMAT;
    }
    ems_sha256_begin(&id);
    ems_sha256_add(&id, text.data, text.size);
    if (code == EMS_OK)
        code = map_network(e, &e->manifest->network, &e->network, &id, err);
    if (code == EMS_OK && e->manifest->sound.front.path)
        code = map_network(e, &e->manifest->sound.front, &e->front, &id,
                           err);
    ems_sha256_end(&id, digest);
    for (int i = 0; i < 32; i++)
        snprintf(e->id + 2 * i, 3, "%02x", digest[i]);
    ems_bytes_unmap(&text);
    ems_free(path);
    return code;
}

ems_expert *ems_expert_load(const char *folder, ems_error *err)
{
    ems_error own;
    ems_expert *e = ems_alloc(1, sizeof *e);
    if (!err)
        err = &own;
    int code = EMS_ENOMEM;
    if (e)
        e->folder = ems_strdup(folder);
    if (!e || !e->folder)
        ems_out_of_memory(err);
    else
        code = load_files(e, err);
    if (code == EMS_OK)
        return e;
    ems_expert_free(e);
    return NULL;
}

void ems_expert_free(ems_expert *e)
{
    if (!e)
        return;
    ems_onnx_close(e->net);
    ems_onnx_close(e->front_net);
    ems_bytes_unmap(&e->network);
    ems_bytes_unmap(&e->front);
    ems_manifest_free(e->manifest);
    ems_fitter_clear(&e->fitter);
    for (int i = 0; i < EMS_EXPERT_STATES; i++)
        ems_free(e->states[i]);
    ems_free(e->batch);
    ems_free(e->folder);
    ems_free(e);
}

const ems_manifest *ems_expert_manifest(const ems_expert *e)
{
    return e->manifest;
}

const char *ems_expert_id(const ems_expert *e)
{
    return e->id;
}

/* ---- Does the network fit the manifest? ---------------------------------- */

static void print_shape(const ems_tensor *t, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < t->rank && used < size; i++) {
        const int n = t->dims[i] < 0
            ? snprintf(text + used, size - used, "%sany", i ? "x" : "")
            : snprintf(text + used, size - used, "%s%lld", i ? "x" : "",
                       (long long)t->dims[i]);
        used += (size_t)n;
    }
}

static const ems_port *find_port(const ems_port *ports, size_t count,
                                 const char *name)
{
    if (!name)
        return count == 1 ? ports : NULL;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(ports[i].name, name))
            return &ports[i];
    return NULL;
}

static int no_port(const ems_expert *e, const char *what, const char *name,
                   const ems_port *ports, size_t count, ems_error *err)
{
    char all[200] = "";
    for (size_t i = 0; i < count; i++) {
        const size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "",
                 ports[i].name);
    }
    return ems_fail(err, EMS_EFORMAT, "the network of \"%s\" has no %s"
                    " \"%.80s\"; it has %s", e->manifest->name, what,
                    name ? name : "(the only one)", all);
}

/* Does `port` take the tensor `want`? */
static int check_port(const ems_expert *e, const ems_port *port,
                      const ems_tensor *want, ems_error *err)
{
    int same = port->shape.rank == want->rank &&
               port->shape.type == want->type;
    for (int i = 0; i < want->rank && same; i++)
        same = port->shape.dims[i] < 0 ||
               port->shape.dims[i] == want->dims[i];
    if (same)
        return EMS_OK;
    char has[100], wants[100];
    print_shape(&port->shape, has, sizeof has);
    print_shape(want, wants, sizeof wants);
    return ems_fail(err, EMS_EFORMAT, "the network of \"%s\" takes %s (type"
                    " %d) at \"%.80s\"; its manifest gives %s (type %d)",
                    e->manifest->name, has, (int)port->shape.type,
                    port->name, wants, (int)want->type);
}

static ems_tensor picture_tensor(const ems_manifest *m)
{
    const ems_picture_input *p = &m->picture;
    ems_tensor t = {.type = p->type, .rank = 4,
                    .dims = {m->batch, p->height, p->width, p->channels}};
    if (p->first) {
        t.dims[1] = p->channels;
        t.dims[2] = p->height;
        t.dims[3] = p->width;
    }
    return t;
}

static ems_tensor sound_tensor(const ems_manifest *m)
{
    const ems_sound_input *s = &m->sound;
    const int64_t window = (int64_t)s->window;
    ems_tensor t = {.type = EMS_TENSOR_FLOAT, .rank = s->rank,
                    .dims = {m->batch, window}};
    if (s->rank == 1)
        t.dims[0] = window;
    if (s->rank == 3) {
        t.dims[1] = 1;
        t.dims[2] = window;
    }
    return t;
}

static ems_tensor front_tensor(const ems_manifest *m)
{
    ems_tensor t = {.type = EMS_TENSOR_FLOAT, .rank = m->sound.front_rank};
    memcpy(t.dims, m->sound.front_dims, sizeof t.dims);
    return t;
}

static int check_states(ems_expert *e, const ems_port *in, size_t in_count,
                        const ems_port *out, size_t out_count,
                        ems_error *err)
{
    const ems_manifest *m = e->manifest;
    for (size_t i = 0; i < m->state_count; i++) {
        const ems_state *s = &m->states[i];
        ems_tensor want = {.type = EMS_TENSOR_FLOAT, .rank = s->rank};
        memcpy(want.dims, s->dims, sizeof want.dims);
        const ems_port *port = find_port(in, in_count, s->in);
        if (!port)
            return no_port(e, "input", s->in, in, in_count, err);
        if (!find_port(out, out_count, s->out))
            return no_port(e, "output", s->out, out, out_count, err);
        const int code = check_port(e, port, &want, err);
        if (code < 0)
            return code;
        e->states[i] = ems_alloc(ems_tensor_elements(&want), sizeof(float));
        if (!e->states[i])
            return ems_out_of_memory(err);
    }
    return EMS_OK;
}

static int check_inputs(ems_expert *e, const ems_tensor *want,
                        ems_error *err)
{
    const ems_manifest *m = e->manifest;
    size_t in_count, out_count;
    const ems_port *in = ems_onnx_inputs(e->net, &in_count);
    const ems_port *out = ems_onnx_outputs(e->net, &out_count);
    const ems_port *main_port = find_port(in, in_count, m->input);
    if (!main_port)
        return no_port(e, "input", m->input, in, in_count, err);
    e->input = main_port->name;
    if (in_count != 1 + m->state_count + (m->constant != NULL))
        return ems_fail(err, EMS_EFORMAT, "the network of \"%s\" has %zu"
                        " inputs; its manifest feeds %zu", m->name, in_count,
                        1 + m->state_count + (m->constant != NULL));
    if (m->constant && !find_port(in, in_count, m->constant))
        return no_port(e, "input", m->constant, in, in_count, err);
    for (size_t i = 0; i < m->output_count; i++) {
        const ems_port *p = find_port(out, out_count, m->outputs[i].name);
        if (!p)
            return no_port(e, "output", m->outputs[i].name, out, out_count,
                           err);
        e->outputs[i] = p->name;
    }
    const int code = check_port(e, main_port, want, err);
    return code < 0 ? code
                    : check_states(e, in, in_count, out, out_count, err);
}

static int is_sound(const ems_manifest *m)
{
    return m->kind == EMS_EXPERT_SOUND || m->kind == EMS_EXPERT_SPEECH;
}

static int start_front(ems_expert *e, ems_ort *ort, ems_error *err)
{
    const ems_manifest *m = e->manifest;
    size_t in_count, out_count;
    e->front_net = ems_onnx_open(ort, e->front.data, e->front.size,
                                 m->sound.front.path, err);
    if (!e->front_net)
        return EMS_EFORMAT;
    const ems_port *in = ems_onnx_inputs(e->front_net, &in_count);
    ems_onnx_outputs(e->front_net, &out_count);
    if (in_count != 1 || out_count != 1)
        return ems_fail(err, EMS_EFORMAT, "the front of \"%s\" has %zu inputs"
                        " and %zu outputs; it must have one of each", m->name,
                        in_count, out_count);
    const ems_tensor want = sound_tensor(m);
    return check_port(e, in, &want, err);
}

int ems_expert_start(ems_expert *e, ems_ort *ort, ems_error *err)
{
    const ems_manifest *m = e->manifest;
    e->net = ems_onnx_open(ort, e->network.data, e->network.size,
                           m->network.path, err);
    if (!e->net)
        return EMS_EFORMAT;
    const int front = m->sound.front.path != NULL;
    const ems_tensor want = front ? front_tensor(m)
                            : is_sound(m) ? sound_tensor(m)
                                          : picture_tensor(m);
    int code = front ? start_front(e, ort, err) : EMS_OK;
    if (code == EMS_OK)
        code = check_inputs(e, &want, err);
    if (code == EMS_OK && !is_sound(m)) {
        e->batch = ems_alloc_aligned((size_t)m->batch,
                                     ems_fit_bytes(&m->picture));
        code = e->batch ? EMS_OK : ems_out_of_memory(err);
    }
    return code;
}

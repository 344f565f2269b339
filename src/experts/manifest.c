#include "experts/manifest.h"

#include "base/json.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

const char *const ems_expert_kinds[EMS_EXPERT_KINDS] = {
    "frame", "face", "body", "sound", "speech", "text", "face-detector",
};
static const char *const FITS[] = {"crop", "pad", "stretch", NULL};
static const char *const POOLS[] = {"none", "mean", "max", "first", NULL};
static const char *const LAYOUTS[] = {"channels-last", "channels-first",
                                      NULL};
static const char *const COLOURS[] = {"rgb", "bgr", "grey", NULL};
static const char *const TYPES[] = {"float32", "uint8", "int32", NULL};
static const ems_tensor_type TYPE_OF[] = {EMS_TENSOR_FLOAT, EMS_TENSOR_UINT8,
                                          EMS_TENSOR_INT32};

/* ---- Pieces ---------------------------------------------------------------*/

static int has(const json_t *o, const char *key)
{
    return json_object_get(o, key) != NULL;
}

static int text(const json_t *o, const ems_json_at *at, const char *key,
                size_t most, char **out)
{
    const char *s = "";
    const int code = ems_json_string(o, at, key, &s);
    if (code < 0)
        return code;
    const ems_json_at here = ems_json_key(at, key);
    if (!*s || strlen(s) > most)
        return ems_json_fail(&here, "must have 1 to %zu characters", most);
    *out = ems_strdup(s);
    return *out ? EMS_OK : ems_out_of_memory(at->err);
}

static int maybe_text(const json_t *o, const ems_json_at *at, const char *key,
                      size_t most, char **out)
{
    return has(o, key) ? text(o, at, key, most, out) : EMS_OK;
}

/* One of `words`; absent: the first. */
static int word(const json_t *o, const ems_json_at *at, const char *key,
                const char *const *words, int *out)
{
    const char *s = words[0];
    const int code = has(o, key) ? ems_json_string(o, at, key, &s) : EMS_OK;
    if (code < 0)
        return code;
    for (int i = 0; words[i]; i++)
        if (strcmp(s, words[i]) == 0) {
            *out = i;
            return EMS_OK;
        }
    char all[160] = "";
    for (int i = 0; words[i]; i++) {
        const size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "",
                 words[i]);
    }
    const ems_json_at here = ems_json_key(at, key);
    return ems_json_fail(&here, "is \"%.40s\"; it must be one of %s", s, all);
}

static int whole(const json_t *o, const ems_json_at *at, const char *key,
                 int low, int high, int *out)
{
    json_int_t n = *out;
    if (!has(o, key) && *out)
        return EMS_OK;
    const int code = ems_json_integer(o, at, key, low, high, &n);
    *out = (int)n;
    return code;
}

static int number(const json_t *o, const ems_json_at *at, const char *key,
                  double low, double high, double *out)
{
    return has(o, key) ? ems_json_number(o, at, key, low, high, out)
                       : EMS_OK;
}

/* An array of exactly `count` numbers, if it is there. */
static int numbers(const json_t *o, const ems_json_at *at, const char *key,
                   double low, double high, size_t count, double *out)
{
    json_t *array;
    if (!has(o, key))
        return EMS_OK;
    const int code = ems_json_array(o, at, key, count, &array);
    if (code < 0)
        return code;
    const ems_json_at here = ems_json_key(at, key);
    if (json_array_size(array) != count)
        return ems_json_fail(&here, "must hold %zu numbers", count);
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_array_get(array, i);
        const double x = json_is_number(v) ? json_number_value(v) : NAN;
        if (!(x >= low && x <= high))
            return ems_json_fail(&here, "must hold numbers in [%g, %g]", low,
                                 high);
        out[i] = x;
    }
    return EMS_OK;
}

static int shape(const json_t *o, const ems_json_at *at, const char *key,
                 int *rank, int64_t dims[EMS_TENSOR_RANK])
{
    json_t *array;
    const int code = ems_json_array(o, at, key, EMS_TENSOR_RANK, &array);
    if (code < 0)
        return code;
    const ems_json_at here = ems_json_key(at, key);
    int64_t elements = 1;
    *rank = (int)json_array_size(array);
    for (int i = 0; i < *rank; i++) {
        const json_t *v = json_array_get(array, (size_t)i);
        dims[i] = json_is_integer(v) ? json_integer_value(v) : 0;
        if (dims[i] < 1 || dims[i] > 1 << 20 ||
            (elements *= dims[i]) > 1 << 24)
            return ems_json_fail(&here, "must hold whole numbers whose"
                                 " product is at most 2^24");
    }
    return *rank ? EMS_OK : ems_json_fail(&here, "is empty");
}

/* A plain name: a manifest cannot reach outside its folder. */
static int file(const json_t *o, const ems_json_at *at, const char *key,
                const char *sum, ems_network_file *out)
{
    int code = text(o, at, key, 100, &out->path);
    const char *s = "";
    if (code == EMS_OK)
        code = ems_json_string(o, at, sum, &s);
    if (code < 0)
        return code;
    if (strchr(out->path, '/') || out->path[0] == '.') {
        const ems_json_at here = ems_json_key(at, key);
        return ems_json_fail(&here, "is \"%.60s\"; it must be a file in the"
                             " manifest's own folder", out->path);
    }
    if (strlen(s) != 64 || strspn(s, "0123456789abcdef") != 64) {
        const ems_json_at here = ems_json_key(at, sum);
        return ems_json_fail(&here, "must be 64 hexadecimal digits, small"
                             " letters");
    }
    memcpy(out->sha256, s, 65);
    return EMS_OK;
}

/* ---- Inputs -------------------------------------------------------------- */

static int read_picture(const json_t *o, const ems_json_at *at,
                        ems_picture_input *p)
{
    int layout = 0, colour = 0, type = 0, fit = 0;
    double range[2] = {0, 1};
    for (int c = 0; c < 3; c++)
        p->std[c] = 1;
    int code = whole(o, at, "width", 8, EMS_EXPERT_SIDE, &p->width);
    if (code == EMS_OK)
        code = whole(o, at, "height", 8, EMS_EXPERT_SIDE, &p->height);
    if (code == EMS_OK)
        code = word(o, at, "layout", LAYOUTS, &layout);
    if (code == EMS_OK)
        code = word(o, at, "colour", COLOURS, &colour);
    if (code == EMS_OK)
        code = word(o, at, "type", TYPES, &type);
    if (code == EMS_OK)
        code = word(o, at, "fit", FITS, &fit);
    if (type != 0)
        range[1] = 255;
    if (code == EMS_OK)
        code = numbers(o, at, "range", -1e6, 1e6, 2, range);
    p->channels = colour == 2 ? 1 : 3;
    if (code == EMS_OK)
        code = numbers(o, at, "mean", -1e6, 1e6, (size_t)p->channels,
                       p->mean);
    if (code == EMS_OK)
        code = numbers(o, at, "std", 1e-6, 1e6, (size_t)p->channels, p->std);
    p->first = layout;
    p->bgr = colour == 1;
    p->type = TYPE_OF[type];
    p->fit = (ems_fit)fit;
    p->low = range[0];
    p->high = range[1];
    return code;
}

static int read_front(const json_t *o, const ems_json_at *at,
                      ems_sound_input *s)
{
    json_t *front;
    int code = ems_json_object(o, at, "front", &front);
    const ems_json_at here = ems_json_key(at, "front");
    if (code == EMS_OK)
        code = file(front, &here, "network", "sha256", &s->front);
    if (code == EMS_OK)
        code = number(front, &here, "scale", -1e6, 1e6, &s->front_scale);
    if (code == EMS_OK)
        code = number(front, &here, "offset", -1e6, 1e6, &s->front_offset);
    return code < 0 ? code
                    : shape(front, &here, "shape", &s->front_rank,
                            s->front_dims);
}

static int read_sound(const json_t *o, const ems_json_at *at,
                      ems_sound_input *s)
{
    int window = 0, hop = 0;
    s->scale = s->front_scale = 1;
    s->rank = 2;
    int code = whole(o, at, "rate", 4000, 48000, &s->rate);
    if (code == EMS_OK)
        code = whole(o, at, "window", 64, 1 << 20, &window);
    hop = window;
    if (code == EMS_OK)
        code = whole(o, at, "hop", 64, window, &hop);
    if (code == EMS_OK)
        code = number(o, at, "scale", 1e-6, 1e6, &s->scale);
    if (code == EMS_OK)
        code = whole(o, at, "rank", 1, 3, &s->rank);
    s->window = (size_t)window;
    s->hop = (size_t)hop;
    return code == EMS_OK && has(o, "front") ? read_front(o, at, s) : code;
}

static int read_states(const json_t *o, const ems_json_at *at,
                       ems_manifest *m)
{
    json_t *array;
    int code = ems_json_array(o, at, "states", EMS_EXPERT_STATES, &array);
    const ems_json_at all = ems_json_key(at, "states");
    for (size_t i = 0; code == EMS_OK && i < json_array_size(array); i++) {
        const json_t *e = json_array_get(array, i);
        const ems_json_at here = ems_json_index(&all, i);
        ems_state *s = &m->states[i];
        m->state_count = i + 1;
        code = text(e, &here, "in", 200, &s->in);
        if (code == EMS_OK)
            code = text(e, &here, "out", 200, &s->out);
        if (code == EMS_OK)
            code = shape(e, &here, "shape", &s->rank, s->dims);
    }
    return code;
}

static int read_constant(const json_t *o, const ems_json_at *at,
                         ems_manifest *m)
{
    json_t *c;
    json_int_t value = 0;
    int code = ems_json_object(o, at, "constant", &c);
    const ems_json_at here = ems_json_key(at, "constant");
    if (code == EMS_OK)
        code = text(c, &here, "name", 200, &m->constant);
    if (code == EMS_OK)
        code = ems_json_integer(c, &here, "value", -(1LL << 40), 1LL << 40,
                                &value);
    m->constant_value = value;
    return code;
}

static int is_sound(const ems_manifest *m)
{
    return m->kind == EMS_EXPERT_SOUND || m->kind == EMS_EXPERT_SPEECH;
}

static int read_input(const json_t *root, const ems_json_at *at,
                      ems_manifest *m)
{
    json_t *o;
    int code = ems_json_object(root, at, "input", &o);
    const ems_json_at here = ems_json_key(at, "input");
    if (code == EMS_OK)
        code = maybe_text(o, &here, "name", 200, &m->input);
    if (code == EMS_OK)
        code = is_sound(m) ? read_sound(o, &here, &m->sound)
                           : read_picture(o, &here, &m->picture);
    if (code == EMS_OK && has(o, "constant"))
        code = read_constant(o, &here, m);
    if (code == EMS_OK && has(o, "states"))
        code = read_states(o, &here, m);
    return code;
}

/* ---- Outputs ------------------------------------------------------------- */

static int read_labels(const json_t *o, const ems_json_at *at,
                       ems_expert_output *out)
{
    json_t *array;
    const int code = ems_json_array(o, at, "labels", EMS_EXPERT_LABELS,
                                    &array);
    if (code < 0)
        return code;
    const ems_json_at here = ems_json_key(at, "labels");
    if (json_array_size(array) != out->dim)
        return ems_json_fail(&here, "has %zu names for %zu values",
                             json_array_size(array), out->dim);
    out->labels = ems_alloc(out->dim, sizeof *out->labels);
    if (!out->labels)
        return ems_out_of_memory(at->err);
    out->label_count = out->dim;
    for (size_t i = 0; i < out->dim; i++) {
        const char *s = json_string_value(json_array_get(array, i));
        if (!s || strlen(s) > 100)
            return ems_json_fail(&here, "must hold texts of at most 100"
                                 " characters");
        out->labels[i] = ems_strdup(s);
        if (!out->labels[i])
            return ems_out_of_memory(at->err);
    }
    return EMS_OK;
}

static int read_output(const json_t *o, const ems_json_at *at,
                       ems_expert_output *out)
{
    int pool = 0, dim = 0, layout = 0;
    int code = json_is_object(o) ? EMS_OK
                                 : ems_json_fail(at, "must be an object");
    if (code == EMS_OK)
        code = maybe_text(o, at, "name", 200, &out->name);
    if (code == EMS_OK)
        code = word(o, at, "pool", POOLS, &pool);
    if (code == EMS_OK)
        code = word(o, at, "layout", LAYOUTS, &layout);
    if (code == EMS_OK)
        code = whole(o, at, "dim", 1, EMS_EXPERT_COLUMNS, &dim);
    out->pool = (ems_pool)pool;
    out->first = layout;
    out->dim = (size_t)dim;
    return code == EMS_OK && has(o, "labels") ? read_labels(o, at, out)
                                              : code;
}

static int read_outputs(const json_t *root, const ems_json_at *at,
                        ems_manifest *m)
{
    json_t *array;
    int code = ems_json_array(root, at, "outputs", EMS_EXPERT_OUTPUTS,
                              &array);
    const ems_json_at all = ems_json_key(at, "outputs");
    if (code == EMS_OK && json_array_size(array) == 0)
        code = ems_json_fail(&all, "is empty; it needs at least one");
    for (size_t i = 0; code == EMS_OK && i < json_array_size(array); i++) {
        const ems_json_at here = ems_json_index(&all, i);
        m->output_count = i + 1;
        code = read_output(json_array_get(array, i), &here, &m->outputs[i]);
        m->dim += m->outputs[i].dim;
    }
    if (code == EMS_OK && m->kind == EMS_EXPERT_SPEECH && m->dim != 1)
        code = ems_json_fail(&all, "of a speech expert have one value in all,"
                             " not %zu", m->dim);
    return code;
}

static int read_scaling(const json_t *root, const ems_json_at *at,
                        ems_manifest *m)
{
    double range[2] = {0, 1};
    const int code = numbers(root, at, "scaling", -1e9, 1e9, 2, range);
    if (code == EMS_OK && !(range[1] - range[0] > 1e-9)) {
        const ems_json_at here = ems_json_key(at, "scaling");
        return ems_json_fail(&here, "must be [low, high] with low < high");
    }
    m->shift = range[0];
    m->scale = 1 / (range[1] - range[0]);
    return code;
}

/* ---- The whole ----------------------------------------------------------- */

static int read_name(const json_t *root, const ems_json_at *at,
                     ems_manifest *m)
{
    int code = text(root, at, "name", 40, &m->name);
    if (code < 0)
        return code;
    if (strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
            strlen(m->name) ||
        !strcmp(m->name, "all") || !strcmp(m->name, "none")) {
        const ems_json_at here = ems_json_key(at, "name");
        return ems_json_fail(&here, "is \"%.40s\"; it must be a word of small"
                             " letters, digits and -, other than all and"
                             " none", m->name);
    }
    code = text(root, at, "what", 300, &m->what);
    if (code == EMS_OK)
        code = text(root, at, "licence", 300, &m->licence);
    return code == EMS_OK ? maybe_text(root, at, "source", 300, &m->source)
                          : code;
}

static int read_kind(const json_t *root, const ems_json_at *at,
                     ems_manifest *m)
{
    const char *words[EMS_EXPERT_KINDS + 1] = {0};
    memcpy(words, ems_expert_kinds, sizeof ems_expert_kinds);
    int kind = 0;
    if (!has(root, "modality")) {
        const ems_json_at here = ems_json_key(at, "modality");
        return ems_json_fail(&here, "missing; it must be a string");
    }
    const int code = word(root, at, "modality", words, &kind);
    m->kind = (ems_expert_kind)kind;
    return code;
}

static int read_rest(const json_t *root, const ems_json_at *at,
                     ems_manifest *m)
{
    m->every = 1;
    m->batch = 1;
    m->faces = 2;
    m->margin = 1.4;
    int code = number(root, at, "every", 0.04, 3600, &m->every);
    if (code == EMS_OK)
        code = whole(root, at, "batch", 1, 64, &m->batch);
    if (code == EMS_OK)
        code = whole(root, at, "faces", 1, 8, &m->faces);
    if (code == EMS_OK)
        code = number(root, at, "margin", 0.5, 4, &m->margin);
    if (code == EMS_OK)
        code = file(root, at, "network", "sha256", &m->network);
    if (code == EMS_OK)
        code = read_input(root, at, m);
    if (code == EMS_OK)
        code = read_outputs(root, at, m);
    return code == EMS_OK ? read_scaling(root, at, m) : code;
}

static int read_manifest(const json_t *root, const ems_json_at *at,
                         ems_manifest *m)
{
    int code = ems_json_format(root, at, "emsync-expert", 1);
    if (code == EMS_OK)
        code = read_name(root, at, m);
    if (code == EMS_OK)
        code = read_kind(root, at, m);
    if (code == EMS_OK && m->kind == EMS_EXPERT_TEXT) {
        const ems_json_at here = ems_json_key(at, "modality");
        return ems_json_fail(&here, "is \"text\": words are rated by the"
                             " classifier that ships (emsync text), networks"
                             " for text cannot be added yet");
    }
    return code == EMS_OK ? read_rest(root, at, m) : code;
}

ems_manifest *ems_manifest_parse(const char *data, size_t size,
                                 const char *name, ems_error *err)
{
    json_t *root = ems_json_parse(data, size, name, err);
    ems_manifest *m = root ? ems_alloc(1, sizeof *m) : NULL;
    if (root && !m)
        ems_out_of_memory(err);
    const ems_json_at at = ems_json_root(name, err);
    if (m && read_manifest(root, &at, m) < 0) {
        ems_manifest_free(m);
        m = NULL;
    }
    json_decref(root);
    return m;
}

static void free_output(ems_expert_output *o)
{
    for (size_t i = 0; i < o->label_count; i++)
        ems_free(o->labels[i]);
    ems_free(o->labels);
    ems_free(o->name);
}

void ems_manifest_free(ems_manifest *m)
{
    if (!m)
        return;
    char *texts[] = {m->name, m->what, m->licence, m->source,
                     m->network.path, m->input, m->sound.front.path,
                     m->constant};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ems_free(texts[i]);
    for (size_t i = 0; i < m->state_count; i++) {
        ems_free(m->states[i].in);
        ems_free(m->states[i].out);
    }
    for (size_t i = 0; i < m->output_count; i++)
        free_output(&m->outputs[i]);
    ems_free(m);
}

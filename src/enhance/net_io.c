#include "base/mem.h"
#include "enhance/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 40, PAIRS = 16, PARTS = 4 };

static const char *const PART[PARTS] = {"weight", "bias", "running_mean",
                                        "running_var"};

static void name_of(char name[NAME], size_t layer, int part)
{
    snprintf(name, NAME, "layers.%zu.%s", layer, PART[part]);
}

static size_t channels_in(const ems_cnet *n, const ems_cnet_layer *l)
{
    return n->tensor[l->in].channels;
}

static size_t channels_out(const ems_cnet *n, const ems_cnet_layer *l)
{
    return n->tensor[l->out].channels;
}

static int parts_of(const ems_cnet_layer *l)
{
    return l->kind == EMS_CNET_NORM ? 4 : l->kind == EMS_CNET_CONV ? 2 : 0;
}

static ems_st_tensor tensor_of(const ems_cnet *n, const ems_cnet_layer *l,
                               int part, const char *name)
{
    ems_st_tensor t = {.name = name, .dtype = EMS_DT_F32, .ndim = 1};
    t.dims[0] = channels_out(n, l);
    t.bytes = t.dims[0] * sizeof(float);
    if (l->kind == EMS_CNET_CONV && part == 0) {
        t.ndim = 3;
        t.dims[1] = channels_in(n, l);
        t.dims[2] = l->taps;
        t.bytes *= t.dims[1] * t.dims[2];
    }
    return t;
}

/* [taps, in, out] here is [out, in, taps] there. */
static void turn_axes(float *to, const float *from, size_t a, size_t b,
                      size_t c)
{
    for (size_t i = 0; i < a; i++)
        for (size_t j = 0; j < b; j++)
            for (size_t k = 0; k < c; k++)
                to[(k * b + j) * a + i] = from[(i * b + j) * c + k];
}

static const float *data_of(const ems_cnet *n, const ems_cnet_layer *l,
                            int part, const float *p, const float *stats)
{
    if (part < 2)
        return p + (part == 0 ? l->weight : l->bias);
    return stats + l->stats + (part == 2 ? 0 : channels_in(n, l));
}

/* ---- Out ----------------------------------------------------------------- */

typedef struct listing {
    ems_st_tensor tensor[EMS_CNET_LAYERS * PARTS];
    char name[EMS_CNET_LAYERS * PARTS][NAME];
    size_t count;
} listing;

/* Tensors in the file's order; kernels, turned, take turns in `turned`. */
static void list_tensors(listing *list, const ems_cnet *n, const float *p,
                         const float *stats, float *turned)
{
    for (size_t i = 0, number = 0; i < n->layers; i++) {
        const ems_cnet_layer *l = &n->layer[i];
        for (int part = 0; part < parts_of(l); part++) {
            char *name = list->name[list->count];
            ems_st_tensor *t = &list->tensor[list->count++];
            const float *data = data_of(n, l, part, p, stats);
            name_of(name, number, part);
            *t = tensor_of(n, l, part, name);
            t->data = data;
            if (t->ndim == 3) {
                turn_axes(turned, data, l->taps, channels_in(n, l),
                          channels_out(n, l));
                t->data = turned;
                turned += t->bytes / sizeof *turned;
            }
        }
        number += parts_of(l) > 0;
    }
}

static size_t shape_pairs(const ems_enhancer_shape *s, ems_st_pair *pair,
                          char text[3][12])
{
    const int value[3] = {s->width, s->blocks, s->batch_norm != 0};
    static const char *const key[3] = {"width", "blocks", "batch_norm"};
    pair[0] = (ems_st_pair){"format", "emsync-enhancer-1"};
    pair[1] = (ems_st_pair){
        "kind", s->kind == EMS_ENHANCER_UNET ? "unet" : "resnet"};
    for (int i = 0; i < 3; i++) {
        snprintf(text[i], 12, "%d", value[i]);
        pair[2 + i] = (ems_st_pair){key[i], text[i]};
    }
    return 5;
}

int ems_cnet_save(const ems_cnet *n, const float *p, const float *stats,
                 const char *path, const ems_st_pair *pairs, size_t count,
                 ems_error *err)
{
    ems_st_pair pair[PAIRS];
    char text[3][12];
    size_t all = shape_pairs(&n->shape, pair, text);
    for (size_t i = 0; i < count && all < PAIRS; i++)
        pair[all++] = pairs[i];
    listing *list = ems_alloc(1, sizeof *list);
    float *turned = ems_alloc(n->parameters, sizeof *turned);
    int code = EMS_ENOMEM;
    if (list && turned) {
        list_tensors(list, n, p, stats, turned);
        code = ems_safetensors_write(path, list->tensor, list->count, pair,
                                     all, err);
    } else {
        ems_out_of_memory(err);
    }
    ems_free(list);
    ems_free(turned);
    return code;
}

/* ---- In ------------------------------------------------------------------ */

static int number_in(const ems_safetensors *st, const char *key, int *out)
{
    const char *text = ems_safetensors_metadata(st, key);
    char *end;
    errno = 0;
    const long v = text && *text ? strtol(text, &end, 10) : -1;
    if (!text || errno || *end || v < 0 || v > 100000)
        return -1;
    *out = (int)v;
    return 0;
}

int ems_cnet_shape_of(const ems_safetensors *st, const char *name,
                     ems_enhancer_shape *shape, ems_error *err)
{
    const char *kind = ems_safetensors_metadata(st, "kind");
    *shape = (ems_enhancer_shape){.kind = EMS_ENHANCER_RESNET};
    if (!kind || number_in(st, "width", &shape->width) < 0 ||
        number_in(st, "blocks", &shape->blocks) < 0 ||
        number_in(st, "batch_norm", &shape->batch_norm) < 0)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" is not an enhancer's"
                        " weights: no kind, width, blocks in its metadata",
                        name);
    if (strcmp(kind, "unet") == 0)
        shape->kind = EMS_ENHANCER_UNET;
    else if (strcmp(kind, "resnet") != 0)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" is an enhancer of an"
                        " unknown kind, \"%.40s\"", name, kind);
    return ems_cnet_check(shape, err) < 0 ? EMS_EFORMAT : EMS_OK;
}

static int same_shape(const ems_st_tensor *a, const ems_st_tensor *b)
{
    int same = a->ndim == b->ndim;
    for (int i = 0; same && i < a->ndim; i++)
        same = a->dims[i] == b->dims[i];
    return same;
}

static int load_part(const ems_cnet *n, const ems_cnet_layer *l, int part,
                     size_t number, const ems_safetensors *st,
                     const char *file, float *to, ems_error *err)
{
    char name[NAME];
    name_of(name, number, part);
    const ems_st_tensor want = tensor_of(n, l, part, name);
    const ems_st_tensor *t = ems_safetensors_find(st, name);
    if (!t || !same_shape(t, &want))
        return ems_fail(err, EMS_EFORMAT, "\"%s\" is not an enhancer's"
                        " weights: %s is missing or of another size", file,
                        name);
    const size_t count = ems_st_count(t);
    float *x = ems_alloc(count, sizeof *x);
    if (!x)
        return ems_out_of_memory(err);
    int code = EMS_OK;
    if (ems_st_read_f32(t, x) < 0)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\": %s is not of floats", file,
                        name);
    for (size_t i = 0; code == EMS_OK && i < count; i++)
        if (!(x[i] > -1e6f && x[i] < 1e6f))
            code = ems_fail(err, EMS_EFORMAT, "\"%s\": %s has a number beyond"
                            " reason", file, name);
    if (t->ndim == 3)
        turn_axes(to, x, t->dims[0], t->dims[1], t->dims[2]);
    else
        memcpy(to, x, count * sizeof *to);
    ems_free(x);
    return code;
}

int ems_cnet_load(const ems_cnet *n, const ems_safetensors *st,
                 const char *name, float *p, float *stats, ems_error *err)
{
    int code = EMS_OK;
    for (size_t i = 0, number = 0; code == EMS_OK && i < n->layers; i++) {
        const ems_cnet_layer *l = &n->layer[i];
        for (int k = 0; code == EMS_OK && k < parts_of(l); k++) {
            float *to = k < 2 ? p + (k == 0 ? l->weight : l->bias)
                              : stats + l->stats +
                                    (k == 2 ? 0 : channels_in(n, l));
            code = load_part(n, l, k, number, st, name, to, err);
        }
        number += parts_of(l) > 0;
    }
    return code;
}

/* The critic's weights from and to safetensors. */
#include "music/critic_weights.h"

#include "base/file.h"
#include "base/mem.h"
#include "nn/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIELDS = 6, TENSORS = 2 * FIELDS };

typedef struct field {
    const char *name;
    float *data;      /* of the first axis; the second follows `stride` on */
    size_t axes, features, stride;
} field;

/* The tensors of one head, in the order of the file. */
static void fields_of(field f[FIELDS], ems_critic_head *h)
{
    const size_t n = h->features;
    f[0] = (field){"mean", h->mean, 1, n, 0};
    f[1] = (field){"scale", h->scale, 1, n, 0};
    f[2] = (field){"weight", h->weight[0], 2, n, EMS_HEARD_WHOLE};
    f[3] = (field){"bias", h->bias, 1, 2, 0};
    f[4] = (field){"gain", h->gain, 1, 2, 0};
    f[5] = (field){"offset", h->offset, 1, 2, 0};
}

static int check_values(const field *f, const char *head, const char *name,
                        ems_error *err)
{
    for (size_t a = 0; a < f->axes; a++)
        for (size_t i = 0; i < f->features; i++) {
            const float x = f->data[a * f->stride + i];
            if (!isfinite(x) || fabsf(x) > 1e6F ||
                (strcmp(f->name, "scale") == 0 && !(x > 0)))
                return ems_fail(err, EMS_EFORMAT, "%s: tensor \"%s.%s\" holds"
                                " a value that cannot be; train or install"
                                " the critic again", name, head, f->name);
        }
    return EMS_OK;
}

static int load_field(const ems_safetensors *st, const field *f,
                      const char *head, const char *name, ems_error *err)
{
    char tensor[40];
    snprintf(tensor, sizeof tensor, "%s.%s", head, f->name);
    const ems_st_tensor *t = ems_safetensors_find(st, tensor);
    if (!t)
        return ems_fail(err, EMS_EFORMAT, "%s is not a critic: no tensor"
                        " \"%s\"", name, tensor);
    const int shape = f->axes == 1
                          ? t->ndim == 1 && t->dims[0] == f->features
                          : t->ndim == 2 && t->dims[0] == f->axes &&
                                t->dims[1] == f->features;
    if (!shape || t->dtype != EMS_DT_F32)
        return ems_fail(err, EMS_EFORMAT, "%s: tensor \"%s\" is not F32 with"
                        " %zu features; it needs another version of emsync",
                        name, tensor, f->features);
    const size_t row = f->features * sizeof(float);
    for (size_t a = 0; a < f->axes; a++)
        memcpy(f->data + a * f->stride,
               (const char *)t->data + a * row, row);
    return check_values(f, head, name, err);
}

static int load_head(const ems_safetensors *st, ems_critic_head *h,
                     const char *head, const char *name, ems_error *err)
{
    field f[FIELDS];
    fields_of(f, h);
    for (int i = 0; i < FIELDS; i++)
        if (load_field(st, &f[i], head, name, err) < 0)
            return EMS_EFORMAT;
    return EMS_OK;
}

static ems_critic *load(ems_safetensors *st, const char *name,
                        ems_error *err)
{
    ems_critic *c = st ? ems_alloc(1, sizeof *c) : NULL;
    if (st && !c)
        ems_out_of_memory(err);
    if (c) {
        c->window.features = EMS_HEARD_FEATURES;
        c->piece.features = EMS_HEARD_WHOLE;
        if (load_head(st, &c->window, "window", name, err) < 0 ||
            load_head(st, &c->piece, "piece", name, err) < 0) {
            ems_critic_free(c);
            c = NULL;
        }
    }
    ems_safetensors_free(st);
    return c;
}

ems_critic *ems_critic_parse(const void *data, size_t size, const char *name,
                             ems_error *err)
{
    return load(ems_safetensors_parse(data, size, name, err), name, err);
}

ems_critic *ems_critic_open(const char *path, ems_error *err)
{
    char *found = path ? NULL : ems_models_find("emsync-critic.safetensors", err);
    if (!path && !found)
        return NULL;
    const char *file = path ? path : found;
    ems_critic *c = load(ems_safetensors_open(file, err), file, err);
    ems_free(found);
    return c;
}

int ems_critic_save(const ems_critic *critic, const char *path,
                    const ems_st_pair *metadata, size_t pairs,
                    ems_error *err)
{
    ems_critic *c = ems_alloc(1, sizeof *c);
    if (!c)
        return ems_out_of_memory(err);
    *c = *critic;
    /* the file's rows are as long as the head has features */
    memmove(&c->window.weight[0][EMS_HEARD_FEATURES], c->window.weight[1],
            EMS_HEARD_FEATURES * sizeof(float));
    ems_st_tensor t[TENSORS];
    char names[TENSORS][40];
    for (int i = 0; i < TENSORS; i++) {
        field f[FIELDS];
        fields_of(f, i < FIELDS ? &c->window : &c->piece);
        const field *k = &f[i % FIELDS];
        snprintf(names[i], sizeof names[i], "%s.%s",
                 i < FIELDS ? "window" : "piece", k->name);
        t[i] = (ems_st_tensor){
            .name = names[i], .dtype = EMS_DT_F32,
            .ndim = k->axes == 1 ? 1 : 2,
            .dims = {k->axes == 1 ? k->features : k->axes,
                     k->axes == 1 ? 0 : k->features},
            .data = k->data,
            .bytes = k->axes * k->features * sizeof(float)};
    }
    const int code = ems_safetensors_write(path, t, TENSORS, metadata, pairs,
                                           err);
    ems_free(c);
    return code;
}

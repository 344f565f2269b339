#include "base/mem.h"
#include "enhance/train.h"
#include "nn/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 8, TEXT = 24 };

/* Every field as an unsigned integer (reals by their bits), in this order. */
static const char *const KEYS[FIELDS] = {
    "kind", "width", "blocks", "batch_norm", "filters", "step", "seed",
    "seconds_bits",
};

static void fields_of(const ems_enhance_state *s, uint64_t v[FIELDS])
{
    v[0] = (uint64_t)s->shape.kind;
    v[1] = (uint64_t)s->shape.width;
    v[2] = (uint64_t)s->shape.blocks;
    v[3] = s->shape.batch_norm != 0;
    v[4] = (uint64_t)s->filters;
    v[5] = s->step;
    v[6] = s->seed;
    memcpy(&v[7], &s->seconds, sizeof v[7]);
}

static int small(uint64_t v)
{
    return v < 65536 ? (int)v : -1;
}

static void state_of(const uint64_t v[FIELDS], ems_enhance_state *s)
{
    s->shape.kind = (ems_enhancer_kind)small(v[0]);
    s->shape.width = small(v[1]);
    s->shape.blocks = small(v[2]);
    s->shape.batch_norm = small(v[3]);
    s->filters = (ems_enhancer_filters)small(v[4]);
    s->step = v[5];
    s->seed = v[6];
    memcpy(&s->seconds, &v[7], sizeof v[7]);
}

int ems_enhance_checkpoint_save(const ems_enhance_train *t, ems_error *err)
{
    uint64_t v[FIELDS];
    char text[FIELDS][TEXT];
    ems_st_pair pair[FIELDS + 1];
    const float *const data[] = {t->optim.p, t->optim.m, t->optim.v,
                                 t->stats};
    const char *const name[] = {"parameters", "moment1", "moment2",
                                "statistics"};
    const size_t n = t->net->parameters;
    const size_t count[] = {n, n, n, t->net->statistics};
    ems_st_tensor tensor[4];
    fields_of(&t->state, v);
    for (int i = 0; i < FIELDS; i++) {
        snprintf(text[i], TEXT, "%" PRIu64, v[i]);
        pair[i] = (ems_st_pair){KEYS[i], text[i]};
    }
    pair[FIELDS] = (ems_st_pair){"format", "emsync-enhancer-checkpoint-1"};
    for (int i = 0; i < 4; i++)
        tensor[i] = (ems_st_tensor){
            .name = name[i], .dtype = EMS_DT_F32, .ndim = 1,
            .dims = {count[i]}, .data = data[i],
            .bytes = count[i] * sizeof(float)};
    return ems_safetensors_write(t->checkpoint, tensor, 4, pair, FIELDS + 1,
                                 err);
}

static int read_number(const char *text, uint64_t *out)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno || *end ? -1 : 0;
}

static int read_state(const ems_safetensors *st, const char *path,
                      ems_enhance_state *s, ems_error *err)
{
    uint64_t v[FIELDS];
    for (int i = 0; i < FIELDS; i++)
        if (read_number(ems_safetensors_metadata(st, KEYS[i]), &v[i]) < 0)
            return ems_fail(err, EMS_EFORMAT, "\"%s\" is not a checkpoint of"
                            " an enhancer: no \"%s\" in its metadata", path,
                            KEYS[i]);
    state_of(v, s);
    if (!(s->seconds >= 0) || ems_cnet_check(&s->shape, NULL) < 0)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": the checkpoint's state is"
                        " damaged; train anew", path);
    return EMS_OK;
}

int ems_enhance_checkpoint_state(const char *path, ems_enhance_state *s,
                                 ems_error *err)
{
    ems_safetensors *st = ems_safetensors_open(path, err);
    const int code = st ? read_state(st, path, s, err) : EMS_EFORMAT;
    ems_safetensors_free(st);
    return code;
}

static int read_block(const ems_safetensors *st, const char *path,
                      const char *name, float *out, size_t count,
                      ems_error *err)
{
    const ems_st_tensor *t = ems_safetensors_find(st, name);
    if (!t || t->dtype != EMS_DT_F32 || ems_st_count(t) != count)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": no tensor \"%s\" of %zu"
                        " floats; train anew", path, name, count);
    return ems_st_read_f32(t, out);
}

int ems_enhance_checkpoint_load(ems_enhance_train *t, ems_error *err)
{
    const size_t n = t->net->parameters;
    float *const to[] = {t->optim.p, t->optim.m, t->optim.v, t->stats};
    const char *const name[] = {"parameters", "moment1", "moment2",
                                "statistics"};
    const size_t count[] = {n, n, n, t->net->statistics};
    ems_safetensors *st = ems_safetensors_open(t->checkpoint, err);
    int code = st ? EMS_OK : EMS_EFORMAT;
    for (int i = 0; code == EMS_OK && i < 4; i++)
        code = read_block(st, t->checkpoint, name[i], to[i], count[i], err);
    ems_safetensors_free(st);
    return code;
}

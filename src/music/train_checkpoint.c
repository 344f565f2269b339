#include "music/model_io.h"
#include "music/train.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 11, TEXT = 24 };
#define HELD "held_out_pieces"

static uint64_t bits_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static double double_of(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Every field as an unsigned integer (reals by their bits), in this order. */
static const char *const KEYS[FIELDS] = {
    "d_model", "n_layer", "n_head", "d_inner", "context_len", "vocab_size",
    "step", "tokens", "seed", "seconds_bits", "best_bits",
};

static void fields_of(const ems_train_state *s, uint64_t v[FIELDS])
{
    const ems_model_shape *m = &s->shape;
    const int shape[] = {m->d_model, m->n_layer, m->n_head, m->d_inner,
                         m->context_len, m->vocab_size};
    for (int i = 0; i < 6; i++)
        v[i] = (uint64_t)shape[i];
    v[6] = s->step;
    v[7] = s->tokens;
    v[8] = s->seed;
    v[9] = bits_of(s->seconds);
    v[10] = bits_of(s->best);
}

static void state_of(const uint64_t v[FIELDS], ems_train_state *s)
{
    int *const shape[] = {&s->shape.d_model, &s->shape.n_layer,
                          &s->shape.n_head, &s->shape.d_inner,
                          &s->shape.context_len, &s->shape.vocab_size};
    for (int i = 0; i < 6; i++)
        *shape[i] = v[i] > 65536 ? -1 : (int)v[i];
    s->step = v[6];
    s->tokens = v[7];
    s->seed = v[8];
    s->seconds = double_of(v[9]);
    s->best = double_of(v[10]);
}

int ems_checkpoint_save(const ems_training *t, ems_error *err)
{
    uint64_t v[FIELDS];
    char text[FIELDS][TEXT];
    char held[TEXT];
    ems_st_pair pair[FIELDS + 2];
    fields_of(&t->state, v);
    for (int i = 0; i < FIELDS; i++) {
        snprintf(text[i], TEXT, "%" PRIu64, v[i]);
        pair[i] = (ems_st_pair){KEYS[i], text[i]};
    }
    snprintf(held, sizeof held, "%" PRIu64, t->state.held);
    pair[FIELDS] = (ems_st_pair){"format", "emsync-checkpoint-1"};
    pair[FIELDS + 1] = (ems_st_pair){HELD, held};
    const float *const data[] = {t->optim.p, t->optim.m, t->optim.v};
    const char *const name[] = {"parameters", "moment1", "moment2"};
    ems_st_tensor tensor[3];
    for (int i = 0; i < 3; i++)
        tensor[i] = (ems_st_tensor){
            .name = name[i], .dtype = EMS_DT_F32, .ndim = 1,
            .dims = {t->p.count}, .data = data[i],
            .bytes = t->p.count * sizeof(float)};
    return ems_safetensors_write(t->checkpoint, tensor, 3, pair, FIELDS + 2,
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
                      ems_train_state *s, ems_error *err)
{
    uint64_t v[FIELDS];
    for (int i = 0; i < FIELDS; i++)
        if (read_number(ems_safetensors_metadata(st, KEYS[i]), &v[i]) < 0)
            return ems_fail(err, EMS_EFORMAT, "\"%s\" is not a checkpoint:"
                            " no \"%s\" in its metadata", path, KEYS[i]);
    state_of(v, s);
    if (read_number(ems_safetensors_metadata(st, HELD), &s->held) < 0)
        s->held = 0; /* not in the first checkpoints: unknown */
    if (!(s->seconds >= 0) || ems_shape_check(&s->shape, NULL) < 0)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": the checkpoint's state is"
                        " damaged; train anew", path);
    return EMS_OK;
}

int ems_checkpoint_state(const char *path, ems_train_state *s, ems_error *err)
{
    ems_error local;
    if (!err)
        err = &local;
    ems_safetensors *st = ems_safetensors_open(path, err);
    const int code = st ? read_state(st, path, s, err) : err->code;
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

int ems_checkpoint_load(ems_training *t, ems_error *err)
{
    ems_error local;
    if (!err)
        err = &local;
    const char *path = t->checkpoint;
    const size_t n = t->p.count;
    ems_safetensors *st = ems_safetensors_open(path, err);
    if (!st)
        return err->code;
    int code = read_block(st, path, "parameters", t->optim.p, n, err);
    if (code == EMS_OK)
        code = read_block(st, path, "moment1", t->optim.m, n, err);
    if (code == EMS_OK)
        code = read_block(st, path, "moment2", t->optim.v, n, err);
    ems_safetensors_free(st);
    return code;
}

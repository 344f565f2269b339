#include "music/params.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int ems_shape_check(const ems_model_shape *s, ems_error *err)
{
    if (s->d_model < 4 || s->d_model > 8192 || s->d_model % 4 != 0)
        return ems_fail(err, EMS_EINVAL, "model width %d must be a multiple"
                        " of 4 between 4 and 8192", s->d_model);
    if (s->n_head < 1 || s->d_model % s->n_head != 0)
        return ems_fail(err, EMS_EINVAL, "model width %d is not a multiple"
                        " of its %d heads", s->d_model, s->n_head);
    if (s->n_layer < 1 || s->n_layer > EMS_MAX_LAYERS)
        return ems_fail(err, EMS_EINVAL, "%d layers; a model has 1 to %d",
                        s->n_layer, EMS_MAX_LAYERS);
    if (s->d_inner < 1 || s->d_inner > 65536)
        return ems_fail(err, EMS_EINVAL, "inner width %d must lie between 1"
                        " and 65536", s->d_inner);
    if (s->context_len < 8 || s->context_len > 65536)
        return ems_fail(err, EMS_EINVAL, "context of %d positions must lie"
                        " between 8 and 65536", s->context_len);
    if (s->vocab_size < 8 || s->vocab_size > 65536)
        return ems_fail(err, EMS_EINVAL, "vocabulary of %d tokens must lie"
                        " between 8 and 65536", s->vocab_size);
    return EMS_OK;
}

static void visit_row(void (*visit)(void *, const ems_tensor *), void *user,
                      size_t *at, const char *prefix, const char *name,
                      int rows, int cols, ems_init init, int decay)
{
    ems_tensor t = {.offset = *at, .init = init, .decay = decay};
    snprintf(t.name, sizeof t.name, "%s%s", prefix, name);
    t.count = (size_t)(rows ? rows : 1) * (size_t)cols;
    if (rows)
        t.dims[t.ndim++] = (size_t)rows;
    t.dims[t.ndim++] = (size_t)cols;
    if (strcmp(name, "positional_encoding") == 0) { /* [1, T, C/2] */
        memmove(t.dims + 1, t.dims, 2 * sizeof t.dims[0]);
        t.dims[0] = 1;
        t.ndim = 3;
    }
    *at += t.count;
    visit(user, &t);
}

void ems_params_each(const ems_model_shape *c,
                     void (*visit)(void *, const ems_tensor *), void *user)
{
    size_t at = 0;
#define X(field, name, rows, cols, init, decay)                               \
    visit_row(visit, user, &at, "", name, rows, cols, EMS_INIT_##init, decay);
    EMS_MODEL_PARAMS(X)
#undef X
    for (int i = 0; i < c->n_layer; i++) {
        char prefix[24];
        snprintf(prefix, sizeof prefix, "enc_layers.%d.", i);
#define X(field, name, rows, cols, init, decay)                               \
    visit_row(visit, user, &at, prefix, name, rows, cols, EMS_INIT_##init,    \
              decay);
        EMS_LAYER_PARAMS(X)
#undef X
    }
}

static void add_count(void *user, const ems_tensor *t)
{
    *(size_t *)user += t->count;
}

size_t ems_params_count(const ems_model_shape *shape)
{
    size_t count = 0;
    ems_params_each(shape, add_count, &count);
    return count;
}

void ems_params_place(ems_params *p, const ems_model_shape *c, float *block)
{
    memset(p, 0, sizeof *p);
    p->shape = *c;
    p->block = block;
    p->count = ems_params_count(c);
    float *at = block;
#define X(field, name, rows, cols, init, decay)                               \
    p->field = at;                                                            \
    at += (size_t)((rows) ? (rows) : 1) * (size_t)(cols);
    EMS_MODEL_PARAMS(X)
#undef X
    for (int i = 0; i < c->n_layer; i++) {
#define X(field, name, rows, cols, init, decay)                               \
    p->layer[i].field = at;                                                   \
    at += (size_t)((rows) ? (rows) : 1) * (size_t)(cols);
        EMS_LAYER_PARAMS(X)
#undef X
    }
}

typedef struct init_state {
    ems_params *p;
    ems_rng rng;
} init_state;

static void init_tensor(void *user, const ems_tensor *t)
{
    init_state *s = user;
    const ems_model_shape *shape = &s->p->shape;
    float *w = s->p->block + t->offset;
    double bound = 0.1;
    if (t->init == EMS_INIT_FAN_IN)
        bound = 1 / sqrt(shape->d_model);
    if (t->init == EMS_INIT_FAN_IN_INNER)
        bound = 1 / sqrt(shape->d_inner);
    for (size_t i = 0; i < t->count; i++) {
        switch (t->init) {
        case EMS_INIT_ZERO: w[i] = 0; break;
        case EMS_INIT_ONE: w[i] = 1; break;
        case EMS_INIT_NORMAL: w[i] = (float)ems_rng_normal(&s->rng); break;
        case EMS_INIT_TENTH:
        case EMS_INIT_FAN_IN:
        case EMS_INIT_FAN_IN_INNER:
            w[i] = (float)(bound * (2 * ems_rng_uniform(&s->rng) - 1));
            break;
        }
    }
}

void ems_params_init(ems_params *p, uint64_t seed)
{
    init_state s = {p, ems_rng_seed(seed, 0)};
    ems_params_each(&p->shape, init_tensor, &s);
    /* The padding token's embedding is zero and stays so. */
    memset(p->emb, 0, (size_t)p->shape.d_model * sizeof *p->emb);
}

uint64_t ems_model_parameters(const ems_model_shape *shape, ems_error *err)
{
    return ems_shape_check(shape, err) < 0 ? 0 : ems_params_count(shape);
}

/* Existing weights as the beginning of a new run, with a longer memory. */
#include "base/mem.h"
#include "music/model_io.h"
#include "music/train.h"

#include <string.h>

enum { FARTHEST = 16 }; /* distances that stand for all farther ones */

int ems_train_from_shape(const char *weights, ems_model_shape *want,
                         ems_error *err)
{
    ems_model_shape shape;
    ems_safetensors *st = ems_safetensors_open(weights, err);
    if (!st)
        return err->code;
    const int code = ems_model_shape_of(st, weights, &shape, err);
    ems_safetensors_free(st);
    if (code < 0)
        return code;
    if (shape.context_len < want->context_len)
        shape.context_len = want->context_len;
    *want = shape;
    return EMS_OK;
}

/* E as [rows, n], where the last row is distance 0: old rows go to the end. */
static void grow_distances(float *to, size_t rows, const float *old,
                           size_t old_rows, size_t n)
{
    const size_t fresh = rows - old_rows;
    const size_t far = old_rows < FARTHEST ? old_rows : FARTHEST;
    memcpy(to + fresh * n, old, old_rows * n * sizeof *to);
    for (size_t j = 0; fresh && j < n; j++) {
        double sum = 0;
        for (size_t i = 0; i < far; i++)
            sum += (double)old[i * n + j];
        for (size_t i = 0; i < fresh; i++)
            to[i * n + j] = (float)(sum / (double)far);
    }
}

typedef struct copying {
    float *to;         /* the new block */
    const float *from; /* the next tensor of the old one */
    size_t rows, old_rows; /* context lengths */
} copying;

/* Both blocks have the same tensors in the same order; E and the positions
 * alone depend on the context. New positions keep their random start. */
static void copy_tensor(void *user, const ems_tensor *t)
{
    copying *c = user;
    float *const to = c->to + t->offset;
    const size_t length = strlen(t->name);
    const int distances = length > 6 &&
                          strcmp(t->name + length - 6, ".rga.E") == 0;
    const int positions = strcmp(t->name, "positional_encoding") == 0;
    size_t count = t->count;
    if (distances || positions)
        count = t->count / c->rows * c->old_rows;
    if (distances)
        grow_distances(to, c->rows, c->from, c->old_rows,
                       t->count / c->rows);
    else
        memcpy(to, c->from, count * sizeof *to);
    c->from += count;
}

int ems_train_from(const char *weights, ems_params *p, ems_error *err)
{
    ems_params old = {0};
    ems_safetensors *st = ems_safetensors_open(weights, err);
    if (!st)
        return err->code;
    const int code = ems_params_load(st, weights, &old, err);
    ems_safetensors_free(st);
    if (code < 0)
        return code;
    ems_model_shape same = old.shape;
    same.context_len = p->shape.context_len;
    if (memcmp(&same, &p->shape, sizeof same) != 0 ||
        old.shape.context_len > p->shape.context_len) {
        ems_free(old.block);
        return ems_fail(err, EMS_EIO, "\"%s\" has changed while it was read",
                        weights);
    }
    copying c = {p->block, old.block, (size_t)p->shape.context_len,
                 (size_t)old.shape.context_len};
    ems_params_each(&p->shape, copy_tensor, &c);
    ems_free(old.block);
    return EMS_OK;
}

#include "affect/text_model.h"

#include "base/mem.h"
#include "nn/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct param { /* a row of the table, for a shape */
    const char *name;
    size_t rows, cols;
} param;

enum { PARAMS = 7 };

static void list_params(param out[PARAMS], const ems_text_shape *s)
{
    const param list[PARAMS] = {
#define X(field, name, rows, cols) {name, rows, cols},
        EMS_TEXT_PARAMS(X)
#undef X
    };
    memcpy(out, list, sizeof list);
}

static size_t count_of(const param *p)
{
    return (p->rows ? p->rows : 1) * p->cols;
}

size_t ems_text_params_place(ems_text_params *p, float *block,
                             const ems_text_shape *s)
{
    param list[PARAMS];
    float **const field[PARAMS] = {
#define X(field, name, rows, cols) &p->field,
        EMS_TEXT_PARAMS(X)
#undef X
    };
    list_params(list, s);
    size_t used = 0;
    for (size_t i = 0; i < PARAMS; i++) {
        *field[i] = block ? block + used : NULL;
        used += (count_of(&list[i]) + 15) & ~(size_t)15;
    }
    return used;
}

static int unit_in(size_t x, size_t most)
{
    return x >= EMS_TEXT_UNIT && x <= most && x % EMS_TEXT_UNIT == 0;
}

int ems_text_shape_check(const ems_text_shape *s, ems_error *err)
{
    if (s->buckets < 1 || s->buckets > EMS_TEXT_MAX_BUCKETS ||
        !unit_in(s->width, EMS_TEXT_MAX_WIDTH) ||
        !unit_in(s->channels, EMS_TEXT_MAX_CHANNELS) ||
        !unit_in(s->hidden, EMS_TEXT_MAX_HIDDEN))
        return ems_fail(err, EMS_EINVAL, "%zu buckets, width %zu, %zu"
                        " channels, %zu hidden: take at most %d, %d, %d and"
                        " %d, the last three as multiples of %d", s->buckets,
                        s->width, s->channels, s->hidden,
                        EMS_TEXT_MAX_BUCKETS, EMS_TEXT_MAX_WIDTH,
                        EMS_TEXT_MAX_CHANNELS, EMS_TEXT_MAX_HIDDEN,
                        EMS_TEXT_UNIT);
    return EMS_OK;
}

ems_text *ems_text_new(const ems_text_shape *s, ems_error *err)
{
    if (ems_text_shape_check(s, err) < 0)
        return NULL;
    ems_text *t = ems_alloc(1, sizeof *t);
    if (t) {
        t->shape = *s;
        t->kern = ems_text_kern_get(ems_cpu_best());
        const size_t floats = ems_text_params_place(&t->params, NULL, s);
        t->block = ems_alloc_aligned(floats, sizeof *t->block);
        t->table = ems_alloc_aligned(s->buckets * s->width, 1);
        t->scale = ems_alloc_aligned(s->buckets, sizeof *t->scale);
    }
    if (!t || !t->block || !t->table || !t->scale) {
        ems_text_free(t);
        ems_out_of_memory(err);
        return NULL;
    }
    ems_text_params_place(&t->params, t->block, s);
    return t;
}

void ems_text_free(ems_text *t)
{
    if (!t)
        return;
    ems_free(t->block);
    ems_free(t->table);
    ems_free(t->scale);
    ems_free(t);
}

/* ---- From a file -------------------------------------------------------- */

typedef struct source {
    const ems_safetensors *st;
    const char *file;
    ems_error *err;
} source;

/* rows 0: a vector; a size of SIZE_MAX takes any. */
static const ems_st_tensor *find(const source *f, const char *name,
                                 ems_dtype dtype, size_t rows, size_t cols)
{
    const ems_st_tensor *t = ems_safetensors_find(f->st, name);
    if (!t) {
        ems_fail(f->err, EMS_EFORMAT, "%s: no tensor \"%s\" (is it a"
                 " classifier of texts?)", f->file, name);
        return NULL;
    }
    const int vector = rows == 0;
    if (t->dtype != dtype || t->ndim != (vector ? 1 : 2) ||
        (!vector && rows != SIZE_MAX && t->dims[0] != rows) ||
        (cols != SIZE_MAX && t->dims[!vector] != cols)) {
        ems_fail(f->err, EMS_EFORMAT, "%s: tensor \"%s\" has another shape or"
                 " type than the rest of the classifier asks for", f->file,
                 name);
        return NULL;
    }
    return t;
}

static int shape_of(const source *f, ems_text_shape *s)
{
    const ems_st_tensor *table = find(f, "embedding", EMS_DT_I8, SIZE_MAX,
                                      SIZE_MAX);
    const ems_st_tensor *conv = find(f, "conv.bias", EMS_DT_F32, 0, SIZE_MAX);
    const ems_st_tensor *hid = find(f, "hidden.bias", EMS_DT_F32, 0, SIZE_MAX);
    if (!table || !conv || !hid)
        return EMS_EFORMAT;
    *s = (ems_text_shape){table->dims[0], table->dims[1], conv->dims[0],
                          hid->dims[0]};
    ems_error why;
    if (ems_text_shape_check(s, &why) < 0)
        return ems_fail(f->err, EMS_EFORMAT, "%s: %s", f->file, why.text);
    return EMS_OK;
}

/* Finite numbers only: a NaN would make every score NaN. */
static int read_floats(const source *f, float *to, const char *name,
                       size_t rows, size_t cols)
{
    const ems_st_tensor *t = find(f, name, EMS_DT_F32, rows, cols);
    if (!t)
        return EMS_EFORMAT;
    ems_st_read_f32(t, to);
    const size_t count = (rows ? rows : 1) * cols;
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(to[i]) <= 1e6f))
            return ems_fail(f->err, EMS_EFORMAT, "%s: tensor \"%s\" holds"
                            " a number that is not finite or too large",
                            f->file, name);
    return EMS_OK;
}

/* The outputs are stored without padding; spread the rows. */
static void pad_rows(float *x, size_t rows)
{
    for (size_t r = rows; r-- > 0;) {
        float *to = x + r * EMS_TEXT_PADDED;
        memmove(to, x + r * EMS_TEXT_OUTPUTS,
                EMS_TEXT_OUTPUTS * sizeof *x);
        memset(to + EMS_TEXT_OUTPUTS, 0,
               (EMS_TEXT_PADDED - EMS_TEXT_OUTPUTS) * sizeof *x);
    }
}

static int read_all(const source *f, ems_text *t)
{
    param list[PARAMS];
    const ems_text_params *p = &t->params;
    float *const field[PARAMS] = {
#define X(field, name, rows, cols) p->field,
        EMS_TEXT_PARAMS(X)
#undef X
    };
    list_params(list, &t->shape);
    for (size_t i = 0; i < PARAMS; i++) {
        const int padded = list[i].cols == EMS_TEXT_PADDED && i >= PARAMS - 2;
        const size_t cols = padded ? EMS_TEXT_OUTPUTS : list[i].cols;
        if (read_floats(f, field[i], list[i].name, list[i].rows, cols) < 0)
            return EMS_EFORMAT;
        if (padded)
            pad_rows(field[i], list[i].rows ? list[i].rows : 1);
    }
    const ems_st_tensor *table = find(f, "embedding", EMS_DT_I8,
                                      t->shape.buckets, t->shape.width);
    memcpy(t->table, table->data, table->bytes);
    if (read_floats(f, t->scale, "embedding.scale", 0, t->shape.buckets) < 0)
        return EMS_EFORMAT;
    return read_floats(f, t->threshold, "threshold", 0, EMS_TEXT_OUTPUTS);
}

ems_text *ems_text_parse(const void *data, size_t size, const char *name,
                         ems_error *err)
{
    ems_safetensors *st = ems_safetensors_parse(data, size, name, err);
    if (!st)
        return NULL;
    const source f = {st, name, err};
    ems_text_shape shape;
    ems_text *t = shape_of(&f, &shape) < 0 ? NULL : ems_text_new(&shape, err);
    if (t && read_all(&f, t) < 0) {
        ems_text_free(t);
        t = NULL;
    }
    ems_safetensors_free(st);
    return t;
}

/* ---- To a file ---------------------------------------------------------- */

static ems_st_tensor tensor(const char *name, ems_dtype dtype, size_t rows,
                            size_t cols, const void *data)
{
    ems_st_tensor x = {.name = name, .dtype = dtype, .ndim = rows ? 2 : 1,
                       .dims = {rows ? rows : cols, rows ? cols : 0},
                       .data = data};
    x.bytes = (rows ? rows : 1) * cols * ems_dtype_size(dtype);
    return x;
}

/* The first EMS_TEXT_OUTPUTS of every padded row. */
static void strip_rows(float *to, const float *from, size_t rows)
{
    for (size_t r = 0; r < rows; r++)
        memcpy(to + r * EMS_TEXT_OUTPUTS, from + r * EMS_TEXT_PADDED,
               EMS_TEXT_OUTPUTS * sizeof *to);
}

int ems_text_save(const ems_text *t, const char *path, const char *made_of,
                  ems_error *err)
{
    const ems_text_shape *s = &t->shape;
    float *stripped = ems_alloc((s->hidden + 1) * EMS_TEXT_OUTPUTS,
                                sizeof *stripped);
    if (!stripped)
        return ems_out_of_memory(err);
    float *const bias = stripped + s->hidden * EMS_TEXT_OUTPUTS;
    strip_rows(stripped, t->params.output_w, s->hidden);
    strip_rows(bias, t->params.output_b, 1);
    const ems_text_params *p = &t->params;
    ems_st_tensor list[PARAMS + 3] = {
#define X(field, name, rows, cols)                                            \
        tensor(name, EMS_DT_F32, rows, cols, p->field),
        EMS_TEXT_PARAMS(X)
#undef X
        tensor("embedding", EMS_DT_I8, s->buckets, s->width, t->table),
        tensor("embedding.scale", EMS_DT_F32, 0, s->buckets, t->scale),
        tensor("threshold", EMS_DT_F32, 0, EMS_TEXT_OUTPUTS, t->threshold),
    };
    list[PARAMS - 2] = tensor("output.weight", EMS_DT_F32, s->hidden,
                              EMS_TEXT_OUTPUTS, stripped);
    list[PARAMS - 1] = tensor("output.bias", EMS_DT_F32, 0, EMS_TEXT_OUTPUTS,
                              bias);
    const ems_st_pair meta[] = {{"format", "emsync-text"}, {"version", "1"},
                                {"made_of", made_of}};
    const int code = ems_safetensors_write(path, list, PARAMS + 3, meta, 3,
                                           err);
    ems_free(stripped);
    return code;
}

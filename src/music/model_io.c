#include "music/model_io.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "nn/kern.h"
#include "nn/torch_pt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_NAME "emsync-music.safetensors"
enum { SIZES = 6 };
static const char *const SIZE_NAME[SIZES] = {
    "d_model", "n_layer", "n_head", "d_inner", "context_len", "vocab_size",
};

static int *size_of(ems_model_shape *s, int i)
{
    int *const field[SIZES] = {&s->d_model, &s->n_layer, &s->n_head,
                               &s->d_inner, &s->context_len, &s->vocab_size};
    return field[i];
}

/* Tensors by name, from either kind of file. */
typedef struct tensor_list {
    const ems_st_tensor *tensor;
    size_t count;
    const char *file;
} tensor_list;

static const ems_st_tensor *find(const tensor_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->tensor[i].name, name) == 0)
            return &l->tensor[i];
    return NULL;
}

static const ems_st_tensor *find_matrix(const tensor_list *l,
                                        const char *name, ems_error *err)
{
    const ems_st_tensor *t = find(l, name);
    if (!t || t->ndim != 2 || t->dims[0] > 1 << 20 || t->dims[1] > 1 << 20 ||
        t->dims[1] == 0) {
        ems_fail(err, EMS_EFORMAT, "%s is not an EMSYNC music model: %s"
                 " matrix \"%s\"", l->file, t ? "odd" : "no", name);
        return NULL;
    }
    return t;
}

static int count_layers(const tensor_list *l)
{
    for (int i = 0;; i++) {
        char name[40];
        snprintf(name, sizeof name, "enc_layers.%d.rga.E", i);
        if (i > EMS_MAX_LAYERS || !find(l, name))
            return i;
    }
}

/* Six tensors tell all six sizes. */
static int deduce_shape(const tensor_list *l, ems_model_shape *shape,
                        ems_error *err)
{
    const ems_st_tensor *emb = find_matrix(l, "embedding.weight", err);
    const ems_st_tensor *rel =
        emb ? find_matrix(l, "enc_layers.0.rga.E", err) : NULL;
    const ems_st_tensor *ff =
        rel ? find_matrix(l, "enc_layers.0.FFN_pre.weight", err) : NULL;
    if (!ff)
        return EMS_EFORMAT;
    *shape = (ems_model_shape){
        .d_model = (int)emb->dims[1],
        .n_layer = count_layers(l),
        .n_head = (int)(emb->dims[1] / rel->dims[1]),
        .d_inner = (int)ff->dims[0],
        .context_len = (int)rel->dims[0],
        .vocab_size = (int)emb->dims[0],
    };
    ems_error why;
    if (ems_shape_check(shape, &why) < 0)
        return ems_fail(err, EMS_EFORMAT, "%s: %.300s", l->file, why.text);
    return EMS_OK;
}

static int check_metadata(const ems_safetensors *st, const char *name,
                          ems_model_shape *shape, ems_error *err)
{
    for (int i = 0; i < SIZES; i++) {
        const char *text = ems_safetensors_metadata(st, SIZE_NAME[i]);
        if (text && strtol(text, NULL, 10) != *size_of(shape, i))
            return ems_fail(err, EMS_EFORMAT, "%s: its metadata says %s is"
                            " %.20s, its tensors say %d", name, SIZE_NAME[i],
                            text, *size_of(shape, i));
    }
    return EMS_OK;
}

int ems_model_shape_of(const ems_safetensors *st, const char *name,
                       ems_model_shape *shape, ems_error *err)
{
    tensor_list l = {.file = name};
    l.tensor = ems_safetensors_all(st, &l.count);
    const int code = deduce_shape(&l, shape, err);
    return code < 0 ? code : check_metadata(st, name, shape, err);
}

/* ---- Against the table ------------------------------------------------- */

typedef struct loading {
    const tensor_list *list;
    float *block;   /* NULL: check only */
    size_t found;
    int code;
    ems_error *err;
} loading;

static int same_dims(const ems_st_tensor *have, const ems_tensor *want)
{
    int same = have->ndim == want->ndim;
    for (int i = 0; same && i < want->ndim; i++)
        same = have->dims[i] == want->dims[i];
    return same;
}

static int load_values(const loading *s, const ems_st_tensor *have,
                       const ems_tensor *want)
{
    float *out = s->block + want->offset;
    ems_st_read_f32(have, out);
    for (size_t i = 0; i < want->count; i++)
        if (!isfinite(out[i]))
            return ems_fail(s->err, EMS_EFORMAT, "%s: tensor \"%s\" is"
                            " damaged: element %zu is not a finite number",
                            s->list->file, want->name, i);
    return EMS_OK;
}

static void visit_tensor(void *user, const ems_tensor *want)
{
    loading *s = user;
    if (s->code < 0)
        return;
    const ems_st_tensor *have = find(s->list, want->name);
    if (!have)
        s->code = ems_fail(s->err, EMS_EFORMAT, "%s: tensor \"%s\" is"
                           " missing", s->list->file, want->name);
    else if (!same_dims(have, want))
        s->code = ems_fail(s->err, EMS_EFORMAT, "%s: tensor \"%s\" has other"
                           " dimensions than the model's sizes ask for"
                           " (%d dims, first %zu; want %d, %zu)",
                           s->list->file, want->name, have->ndim,
                           have->ndim ? have->dims[0] : 0, want->ndim,
                           want->dims[0]);
    else if (have->dtype > EMS_DT_BF16)
        s->code = ems_fail(s->err, EMS_EFORMAT, "%s: tensor \"%s\" is %s;"
                           " F32, F16 or BF16 is needed", s->list->file,
                           want->name, ems_dtype_name(have->dtype));
    else if (s->block)
        s->code = load_values(s, have, want);
    s->found++;
}

static void note_known(void *user, const ems_tensor *t)
{
    const char **unknown = user;
    if (*unknown && strcmp(*unknown, t->name) == 0)
        *unknown = NULL;
}

static int refuse_unknown(const tensor_list *l, const ems_model_shape *shape,
                          ems_error *err)
{
    for (size_t i = 0; i < l->count; i++) {
        const char *unknown = l->tensor[i].name;
        ems_params_each(shape, note_known, &unknown);
        if (unknown)
            return ems_fail(err, EMS_EFORMAT, "%s: tensor \"%.80s\" is not"
                            " part of an EMSYNC music model", l->file,
                            unknown);
    }
    return EMS_OK;
}

static int check_tensors(const tensor_list *l, const ems_model_shape *shape,
                         ems_error *err)
{
    loading s = {.list = l, .err = err};
    ems_params_each(shape, visit_tensor, &s);
    if (s.code == EMS_OK && s.found != l->count)
        s.code = refuse_unknown(l, shape, err);
    return s.code;
}

static int load_list(const tensor_list *l, const ems_model_shape *shape,
                     ems_params *p, ems_error *err)
{
    const int code = check_tensors(l, shape, err);
    if (code < 0)
        return code;
    float *block = ems_alloc_aligned(ems_params_count(shape), sizeof *block);
    if (!block)
        return ems_out_of_memory(err);
    loading s = {.list = l, .block = block, .err = err};
    ems_params_each(shape, visit_tensor, &s);
    if (s.code < 0)
        ems_free(block);
    else
        ems_params_place(p, shape, block);
    return s.code;
}

int ems_params_load(const ems_safetensors *st, const char *name,
                    ems_params *p, ems_error *err)
{
    ems_model_shape shape;
    const int code = ems_model_shape_of(st, name, &shape, err);
    if (code < 0)
        return code;
    tensor_list l = {.file = name};
    l.tensor = ems_safetensors_all(st, &l.count);
    return load_list(&l, &shape, p, err);
}

/* ---- Saving ------------------------------------------------------------ */

typedef struct saving {
    const char *block;
    ems_dtype dtype;
    ems_tensor *row;
    ems_st_tensor *out;
    size_t count;
} saving;

static void add_row(void *user, const ems_tensor *t)
{
    saving *s = user;
    if (s->row) {
        s->row[s->count] = *t;
        ems_st_tensor *o = &s->out[s->count];
        *o = (ems_st_tensor){.name = s->row[s->count].name,
                             .dtype = s->dtype, .ndim = t->ndim};
        o->data = s->block + t->offset * ems_dtype_size(s->dtype);
        o->bytes = t->count * ems_dtype_size(s->dtype);
        for (int i = 0; i < t->ndim; i++)
            o->dims[i] = t->dims[i];
    }
    s->count++;
}

static int write_rows(const saving *s, const ems_params *p, const char *path,
                      const ems_st_pair *metadata, size_t pairs,
                      ems_error *err)
{
    char text[SIZES][16];
    ems_model_shape shape = p->shape;
    ems_st_pair *all = ems_alloc(SIZES + pairs, sizeof *all);
    if (!all)
        return ems_out_of_memory(err);
    for (int i = 0; i < SIZES; i++) {
        snprintf(text[i], sizeof text[i], "%d", *size_of(&shape, i));
        all[i] = (ems_st_pair){SIZE_NAME[i], text[i]};
    }
    for (size_t i = 0; i < pairs; i++)
        all[SIZES + i] = metadata[i];
    const int code = ems_safetensors_write(path, s->out, s->count, all,
                                           SIZES + pairs, err);
    ems_free(all);
    return code;
}

/* `block` holds p's values as `dtype`. */
static int save_block(const ems_params *p, const void *block, ems_dtype dtype,
                      const char *path, const ems_st_pair *metadata,
                      size_t pairs, ems_error *err)
{
    saving s = {.block = block, .dtype = dtype};
    ems_params_each(&p->shape, add_row, &s);
    s.row = ems_alloc(s.count, sizeof *s.row);
    s.out = ems_alloc(s.count, sizeof *s.out);
    s.count = 0;
    int code = EMS_OK;
    if (s.row && s.out) {
        ems_params_each(&p->shape, add_row, &s);
        code = write_rows(&s, p, path, metadata, pairs, err);
    } else {
        code = ems_out_of_memory(err);
    }
    ems_free(s.row);
    ems_free(s.out);
    return code;
}

int ems_params_save(const ems_params *p, const char *path,
                    const ems_st_pair *metadata, size_t pairs, ems_error *err)
{
    return save_block(p, p->block, EMS_DT_F32, path, metadata, pairs, err);
}

static int save_bf16(const ems_params *p, const char *path, ems_error *err)
{
    uint16_t *block = ems_alloc(p->count, sizeof *block);
    if (!block)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < p->count; i++)
        block[i] = ems_bf16(p->block[i]);
    const int code = save_block(p, block, EMS_DT_BF16, path, NULL, 0, err);
    ems_free(block);
    return code;
}

/* ---- Public calls ------------------------------------------------------ */

static int hash_file(const char *path, char hex[65], ems_error *err)
{
    ems_bytes b;
    const int code = ems_bytes_map(&b, path, 0, err);
    if (code < 0)
        return code;
    ems_sha256_hex(b.data, b.size, hex);
    ems_bytes_unmap(&b);
    return EMS_OK;
}

char *ems_model_find(ems_error *err)
{
    char *path = ems_models_find(MODEL_NAME, NULL);
    if (!path)
        ems_fail(err, EMS_EIO, "no music model: %s is neither in the folder"
                 " $EMSYNC_MODELS nor in %s (name one with --model, or train"
                 " one with \"emsync train music\")", MODEL_NAME,
                 EMS_MODELS_INSTALLED);
    return path;
}

/* The header and every tensor's name, size and type; no weights. */
static int check_file(const char *path, ems_model_shape *shape,
                      ems_error *err)
{
    ems_safetensors *st = ems_safetensors_open(path, err);
    if (!st)
        return err->code;
    int code = ems_model_shape_of(st, path, shape, err);
    if (code == EMS_OK) {
        tensor_list l = {.file = path};
        l.tensor = ems_safetensors_all(st, &l.count);
        code = check_tensors(&l, shape, err);
    }
    ems_safetensors_free(st);
    return code;
}

int ems_model_inspect(const char *weights, ems_model_info *out,
                      ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    *out = (ems_model_info){0};
    const int code = check_file(weights, &out->shape, e);
    if (code < 0)
        return code;
    out->parameters = ems_params_count(&out->shape);
    return hash_file(weights, out->sha256, e);
}

int ems_model_ready(const char *path, ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    ems_model_shape shape;
    char *found = path ? NULL : ems_model_find(e);
    if (!path && !found)
        return e->code;
    const int code = check_file(path ? path : found, &shape, e);
    ems_free(found);
    return code;
}

static int import_open(const ems_torch_pt *pt, const char *path,
                       const char *safetensors, ems_error *err)
{
    tensor_list l = {.file = path};
    l.tensor = ems_torch_pt_all(pt, &l.count);
    ems_model_shape shape;
    ems_params p;
    int code = deduce_shape(&l, &shape, err);
    if (code == EMS_OK)
        code = load_list(&l, &shape, &p, err);
    if (code < 0)
        return code;
    code = ems_params_save(&p, safetensors, NULL, 0, err);
    ems_free(p.block);
    return code;
}

int ems_model_import(const char *pt, const char *safetensors, ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    ems_torch_pt *file = ems_torch_pt_open(pt, e);
    if (!file)
        return e->code;
    const int code = import_open(file, pt, safetensors, e);
    ems_torch_pt_free(file);
    return code;
}

int ems_model_convert(const char *weights, const char *out,
                      ems_precision precision, ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    if (precision != EMS_F32 && precision != EMS_BF16)
        return ems_fail(e, EMS_EINVAL, "weights are stored as f32 or bf16");
    ems_safetensors *st = ems_safetensors_open(weights, e);
    if (!st)
        return e->code;
    ems_params p = {0};
    int code = ems_params_load(st, weights, &p, e);
    ems_safetensors_free(st);
    if (code == EMS_OK)
        code = precision == EMS_F32 ? ems_params_save(&p, out, NULL, 0, e)
                                    : save_bf16(&p, out, e);
    ems_free(p.block);
    return code;
}

#include "emotion/parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "nn/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES = 1 << 28 };
#define FORMAT "emsync-parts-1"

void ems_parts_clear(ems_parts *p)
{
    for (size_t i = 0; i < p->count; i++)
        ems_free(p->part[i].values);
    *p = (ems_parts){0};
}

int ems_parts_add(ems_parts *p, const char *name, const char *id, size_t dim,
                  size_t rows, const float *values, size_t most,
                  ems_error *err)
{
    if (p->count == EMS_FUSION_EXPERTS)
        return ems_fail(err, EMS_EUNSUPPORTED, "more than %d experts; choose"
                        " some with --experts", EMS_FUSION_EXPERTS);
    ems_part *x = &p->part[p->count];
    const size_t kept = rows < most ? rows : most;
    *x = (ems_part){.dim = dim, .rows = kept};
    snprintf(x->name, sizeof x->name, "%s", name);
    snprintf(x->id, sizeof x->id, "%s", id);
    x->values = ems_alloc(kept * dim, sizeof *x->values);
    if (!x->values)
        return ems_out_of_memory(err);
    p->count++;
    for (size_t i = 0; i < kept; i++) {
        const size_t from = kept < 2 ? 0 : (size_t)rint(
            (double)i * (double)(rows - 1) / (double)(kept - 1));
        memcpy(x->values + i * dim, values + from * dim,
               dim * sizeof *values);
    }
    return EMS_OK;
}

static int same(const ems_part *a, const ems_part *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->id, b->id) == 0 &&
           a->dim == b->dim;
}

int ems_parts_choose(ems_parts *p, const ems_parts *list)
{
    ems_parts chosen = {0};
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < p->count; k++)
            if (p->part[k].values && same(&p->part[k], &list->part[i])) {
                chosen.part[chosen.count++] = p->part[k];
                p->part[k].values = NULL; /* it has moved */
            }
    const int all = chosen.count == list->count;
    ems_parts_clear(p);
    *p = chosen;
    return all;
}

/* ---- In a file ---------------------------------------------------------- */

int ems_parts_save(const ems_parts *p, const char *path, ems_error *err)
{
    ems_st_tensor t[EMS_FUSION_EXPERTS];
    ems_st_pair meta[EMS_FUSION_EXPERTS + 1] = {{"format", FORMAT}};
    char key[EMS_FUSION_EXPERTS][EMS_FUSION_NAME + 4];
    for (size_t i = 0; i < p->count; i++) {
        const ems_part *x = &p->part[i];
        t[i] = (ems_st_tensor){.name = x->name, .dtype = EMS_DT_F32,
                               .ndim = 2, .dims = {x->rows, x->dim},
                               .data = x->values,
                               .bytes = x->rows * x->dim * sizeof(float)};
        snprintf(key[i], sizeof key[i], "id.%s", x->name);
        meta[i + 1] = (ems_st_pair){key[i], x->id};
    }
    return ems_safetensors_write(path, t, p->count, meta, p->count + 1, err);
}

/* NaN says that something is not known; beyond a million nothing is. */
static int sane(const ems_part *x)
{
    for (size_t i = 0; i < x->rows * x->dim; i++)
        if (fabsf(x->values[i]) > 1e6f)
            return 0;
    return 1;
}

static int read_part(ems_parts *p, const ems_safetensors *st,
                     const ems_st_tensor *t)
{
    char key[EMS_FUSION_NAME + 4];
    ems_part *x = &p->part[p->count];
    if (t->dtype != EMS_DT_F32 || t->ndim != 2 ||
        strlen(t->name) >= sizeof x->name || t->dims[1] < 1 ||
        t->dims[1] > EMS_FUSION_MOST_DIM || t->dims[0] > EMS_FUSION_MOST_ROWS)
        return -1;
    snprintf(key, sizeof key, "id.%s", t->name);
    const char *id = ems_safetensors_metadata(st, key);
    if (!id || strlen(id) >= sizeof x->id)
        return -1;
    *x = (ems_part){.rows = t->dims[0], .dim = t->dims[1]};
    snprintf(x->name, sizeof x->name, "%s", t->name);
    snprintf(x->id, sizeof x->id, "%s", id);
    x->values = ems_alloc(x->rows * x->dim, sizeof *x->values);
    if (!x->values)
        return -1;
    p->count++;
    ems_st_read_f32(t, x->values);
    return sane(x) ? 0 : -1;
}

int ems_parts_parse(ems_parts *p, const void *data, size_t size,
                    const char *name, ems_error *err)
{
    *p = (ems_parts){0};
    ems_safetensors *st = ems_safetensors_parse(data, size, name, err);
    if (!st)
        return EMS_EFORMAT;
    size_t count;
    const ems_st_tensor *t = ems_safetensors_all(st, &count);
    const char *format = ems_safetensors_metadata(st, "format");
    int bad = !format || strcmp(format, FORMAT) || count > EMS_FUSION_EXPERTS;
    for (size_t i = 0; i < count && !bad; i++)
        bad = read_part(p, st, &t[i]) < 0;
    ems_safetensors_free(st);
    if (!bad)
        return EMS_OK;
    ems_parts_clear(p);
    return ems_fail(err, EMS_EFORMAT, "%s: no features of a film", name);
}

int ems_parts_load(ems_parts *p, const char *path, ems_error *err)
{
    ems_bytes b;
    *p = (ems_parts){0};
    const int code = ems_bytes_map(&b, path, FILE_BYTES, err);
    if (code < 0)
        return code;
    const int parsed = ems_parts_parse(p, b.data, b.size, path, err);
    ems_bytes_unmap(&b);
    return parsed;
}

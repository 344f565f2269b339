#include "fusion/model.h"

#include "base/exact.h"
#include "base/file.h"
#include "base/mem.h"
#include "nn/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Birth and death ---------------------------------------------------- */

static void place_scales(ems_fusion *f)
{
    size_t at = 0;
    for (size_t e = 0; e < f->shape.experts; e++) {
        const size_t dim = f->shape.expert[e].dim;
        f->mean[e] = f->scales + at;
        f->unit[e] = f->scales + at + dim;
        for (size_t j = 0; j < dim; j++)
            f->unit[e][j] = 1;
        at += 2 * dim;
    }
}

ems_fusion *ems_fusion_new(const ems_fusion_shape *s, ems_error *err)
{
    if (ems_fusion_check(s, err) < 0)
        return NULL;
    ems_fusion *f = ems_alloc(1, sizeof *f);
    size_t dims = 0;
    for (size_t e = 0; e < s->experts; e++)
        dims += s->expert[e].dim;
    if (f) {
        f->shape = *s;
        f->floats = ems_fusion_place(&f->params, NULL, s, NULL, NULL);
        f->block = ems_alloc_aligned(f->floats, sizeof *f->block);
        f->scales = ems_alloc(2 * dims, sizeof *f->scales);
    }
    if (!f || !f->block || !f->scales) {
        ems_fusion_free(f);
        ems_out_of_memory(err);
        return NULL;
    }
    ems_fusion_place(&f->params, f->block, s, NULL, NULL);
    place_scales(f);
    return f;
}

void ems_fusion_free(ems_fusion *f)
{
    if (!f)
        return;
    ems_free(f->block);
    ems_free(f->scales);
    ems_free(f);
}

ems_fusion_net ems_fusion_net_of(const ems_fusion *f)
{
    ems_fusion_net n = {.shape = f->shape, .params = &f->params,
                        .weight = {1, 1, 1}, .level = ems_cpu_best()};
    n.ops = ems_ops_get(n.level);
    for (size_t e = 0; e < f->shape.experts; e++) {
        n.mean[e] = f->mean[e];
        n.unit[e] = f->unit[e];
    }
    return n;
}

/* ---- The tensors of a file ---------------------------------------------- */

/* All tensors of f: the weights, then mean and unit of each expert, then the
 * deviation. */
typedef struct listing {
    ems_fusion_tensor *weights;
    ems_st_tensor *st;
    char (*name)[EMS_FUSION_NAME + 16];
    size_t weight_count, count;
} listing;

static void list_free(listing *l)
{
    ems_free(l->weights);
    ems_free(l->st);
    ems_free(l->name);
}

static void list_one(listing *l, const char *name, size_t rows, size_t cols,
                     const float *data)
{
    ems_st_tensor *t = &l->st[l->count++];
    *t = (ems_st_tensor){.name = name, .dtype = EMS_DT_F32,
                         .ndim = rows ? 2 : 1, .data = data,
                         .dims = {rows ? rows : cols, rows ? cols : 0}};
    t->bytes = (rows ? rows : 1) * cols * sizeof(float);
}

static int list_all(listing *l, const ems_fusion *f, ems_error *err)
{
    ems_fusion_params p;
    *l = (listing){0};
    ems_fusion_place(&p, NULL, &f->shape, NULL, &l->weight_count);
    l->weights = ems_alloc(l->weight_count, sizeof *l->weights);
    l->st = ems_alloc(l->weight_count + 2 * f->shape.experts + 1,
                      sizeof *l->st);
    l->name = ems_alloc(2 * f->shape.experts, sizeof *l->name);
    if (!l->weights || !l->st || !l->name) {
        list_free(l);
        return ems_out_of_memory(err);
    }
    ems_fusion_place(&p, NULL, &f->shape, l->weights, NULL);
    for (size_t i = 0; i < l->weight_count; i++) {
        const ems_fusion_tensor *t = &l->weights[i];
        list_one(l, t->name, t->rows, t->cols, f->block + t->at);
    }
    for (size_t e = 0; e < f->shape.experts; e++) {
        const ems_fusion_expert *x = &f->shape.expert[e];
        snprintf(l->name[2 * e], sizeof *l->name, "scale.mean.%s", x->name);
        snprintf(l->name[2 * e + 1], sizeof *l->name, "scale.unit.%s",
                 x->name);
        list_one(l, l->name[2 * e], 0, x->dim, f->mean[e]);
        list_one(l, l->name[2 * e + 1], 0, x->dim, f->unit[e]);
    }
    list_one(l, "deviation", 0, 2, f->deviation);
    return EMS_OK;
}

/* ---- To a file ---------------------------------------------------------- */

static json_t *describe(const ems_fusion *f)
{
    const ems_fusion_shape *s = &f->shape;
    json_t *experts = json_array(), *genres = json_array();
    for (size_t e = 0; e < s->experts; e++)
        json_array_append_new(experts, json_pack(
            "{s:s, s:I, s:I, s:s}", "name", s->expert[e].name, "dim",
            (json_int_t)s->expert[e].dim, "rows",
            (json_int_t)s->expert[e].rows, "id", f->id[e]));
    for (size_t g = 0; g < s->genres; g++)
        json_array_append_new(genres, json_string(f->genre[g]));
    return json_pack("{s:s, s:I, s:I, s:I, s:b, s:b, s:o, s:o}", "kind",
                     s->kind == EMS_FUSION_JOINT ? "joint" : "cross",
                     "width", (json_int_t)s->width, "heads",
                     (json_int_t)s->heads, "inner", (json_int_t)s->inner,
                     "emotions", s->emotions > 0, "affect", s->affect > 0,
                     "experts", experts, "genres", genres);
}

int ems_fusion_save(const ems_fusion *f, const char *path,
                    const char *made_of, ems_error *err)
{
    listing l;
    json_t *about = describe(f);
    char *text = about ? json_dumps(about, JSON_COMPACT) : NULL;
    json_decref(about);
    if (!text)
        return ems_out_of_memory(err);
    int code = list_all(&l, f, err);
    if (code == EMS_OK) {
        const ems_st_pair meta[] = {{"format", "emsync-fusion"},
                                    {"version", "1"}, {"shape", text},
                                    {"made_of", made_of}};
        code = ems_safetensors_write(path, l.st, l.count, meta, 4, err);
        list_free(&l);
    }
    free(text); /* jansson's */
    return code;
}

/* ---- From a file -------------------------------------------------------- */

static int copy_text(char *to, size_t size, const json_t *text)
{
    const char *s = json_string_value(text);
    if (!s || strlen(s) >= size || strlen(s) != json_string_length(text))
        return -1;
    memcpy(to, s, strlen(s) + 1);
    return 0;
}

static size_t count_at(const json_t *o, const char *key)
{
    const json_int_t n = json_integer_value(json_object_get(o, key));
    return n < 0 || n > 1 << 20 ? 0 : (size_t)n;
}

static int read_experts(const json_t *list, ems_fusion_shape *s,
                        char id[][EMS_FUSION_ID])
{
    s->experts = json_array_size(list);
    if (s->experts > EMS_FUSION_EXPERTS)
        return -1;
    for (size_t e = 0; e < s->experts; e++) {
        const json_t *x = json_array_get(list, e);
        s->expert[e].dim = count_at(x, "dim");
        s->expert[e].rows = count_at(x, "rows");
        if (copy_text(s->expert[e].name, EMS_FUSION_NAME,
                      json_object_get(x, "name")) < 0 ||
            copy_text(id[e], EMS_FUSION_ID, json_object_get(x, "id")) < 0)
            return -1;
    }
    return 0;
}

static int read_genres(const json_t *list, ems_fusion_shape *s,
                       char genre[][EMS_FUSION_GENRE_NAME])
{
    s->genres = json_array_size(list);
    if (s->genres > EMS_FUSION_GENRES)
        return -1;
    for (size_t g = 0; g < s->genres; g++)
        if (copy_text(genre[g], EMS_FUSION_GENRE_NAME,
                      json_array_get(list, g)) < 0)
            return -1;
    return 0;
}

static int read_shape(const json_t *o, ems_fusion *about)
{
    ems_fusion_shape *s = &about->shape;
    const char *kind = json_string_value(json_object_get(o, "kind"));
    if (!kind || (strcmp(kind, "joint") && strcmp(kind, "cross")))
        return -1;
    s->kind = strcmp(kind, "joint") ? EMS_FUSION_CROSS : EMS_FUSION_JOINT;
    s->width = count_at(o, "width");
    s->heads = count_at(o, "heads");
    s->inner = count_at(o, "inner");
    s->emotions = json_is_true(json_object_get(o, "emotions")) ? EMS_EKMAN : 0;
    s->affect = json_is_true(json_object_get(o, "affect")) ? 2 : 0;
    return read_experts(json_object_get(o, "experts"), s, about->id) < 0 ||
           read_genres(json_object_get(o, "genres"), s, about->genre) < 0
               ? -1 : 0;
}

/* The shape and names, without weights. */
static int read_about(const ems_safetensors *st, const char *name,
                      ems_fusion *about, ems_error *err)
{
    const char *format = ems_safetensors_metadata(st, "format");
    const char *version = ems_safetensors_metadata(st, "version");
    const char *text = ems_safetensors_metadata(st, "shape");
    ems_error why;
    if (!format || strcmp(format, "emsync-fusion") || !version || !text)
        return ems_fail(err, EMS_EFORMAT, "%s: not a fusion of experts (they"
                        " are made by emsync train emotion)", name);
    if (strcmp(version, "1"))
        return ems_fail(err, EMS_EFORMAT, "%s: a fusion of version %.20s;"
                        " this program knows version 1", name, version);
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const int bad = !o || read_shape(o, about) < 0;
    json_decref(o);
    if (bad)
        return ems_fail(err, EMS_EFORMAT, "%s: the description of the fusion"
                        " in the file is broken", name);
    if (ems_fusion_check(&about->shape, &why) < 0)
        return ems_fail(err, EMS_EFORMAT, "%s: %s", name, why.text);
    return EMS_OK;
}

static int read_tensor(const ems_safetensors *st, const char *file,
                       const ems_st_tensor *want, ems_error *err)
{
    const ems_st_tensor *t = ems_safetensors_find(st, want->name);
    float *to = (float *)(uintptr_t)want->data; /* into our own block */
    if (!t || t->dtype != EMS_DT_F32 || t->ndim != want->ndim ||
        t->dims[0] != want->dims[0] ||
        (t->ndim == 2 && t->dims[1] != want->dims[1]))
        return ems_fail(err, EMS_EFORMAT, "%s: tensor \"%s\" is missing or"
                        " has another shape or type than the fusion's"
                        " description asks for", file, want->name);
    ems_st_read_f32(t, to);
    for (size_t i = 0; i < ems_st_count(t); i++)
        if (!(fabsf(to[i]) <= 1e6f))
            return ems_fail(err, EMS_EFORMAT, "%s: tensor \"%s\" holds a"
                            " number that is not finite or too large", file,
                            want->name);
    return EMS_OK;
}

static int read_all(const ems_safetensors *st, const char *name,
                    ems_fusion *f, ems_error *err)
{
    listing l;
    int code = list_all(&l, f, err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < l.count && code == EMS_OK; i++)
        code = read_tensor(st, name, &l.st[i], err);
    list_free(&l);
    return code;
}

/* A file cannot make us take more memory than it has itself. */
static int plausible(const ems_fusion_shape *s, size_t size)
{
    return ems_fusion_parameters(s) <= size / sizeof(float);
}

ems_fusion *ems_fusion_parse(const void *data, size_t size, const char *name,
                             ems_error *err)
{
    ems_safetensors *st = ems_safetensors_parse(data, size, name, err);
    ems_fusion *f = NULL, *about = st ? ems_alloc(1, sizeof *about) : NULL;
    if (about && read_about(st, name, about, err) == EMS_OK) {
        if (!plausible(&about->shape, size))
            ems_fail(err, EMS_EFORMAT, "%s: the file is too short for the"
                     " fusion it describes", name);
        else
            f = ems_fusion_new(&about->shape, err);
    }
    if (f) {
        memcpy(f->id, about->id, sizeof f->id);
        memcpy(f->genre, about->genre, sizeof f->genre);
    }
    if (f && read_all(st, name, f, err) < 0) {
        ems_fusion_free(f);
        f = NULL;
    }
    if (st && !about)
        ems_out_of_memory(err);
    ems_free(about);
    ems_safetensors_free(st);
    return f;
}

ems_fusion *ems_fusion_load(const char *path, ems_error *err)
{
    ems_bytes b;
    if (ems_bytes_map(&b, path, EMS_FUSION_BYTES, err) < 0)
        return NULL;
    ems_fusion *f = ems_fusion_parse(b.data, b.size, path, err);
    ems_bytes_unmap(&b);
    return f;
}

/* ---- Whose features? ---------------------------------------------------- */

static int same_expert(const ems_fusion *f, size_t e,
                       const ems_fusion_offer *o)
{
    return o->dim == f->shape.expert[e].dim &&
           (!f->id[e][0] || !o->id || strcmp(f->id[e], o->id) == 0);
}

int ems_fusion_match(const ems_fusion *f, const char *name,
                     const ems_fusion_offer *offers, size_t count,
                     size_t place[EMS_FUSION_EXPERTS], ems_error *err)
{
    size_t found = 0;
    for (size_t e = 0; e < f->shape.experts; e++) {
        const ems_fusion_expert *x = &f->shape.expert[e];
        place[e] = SIZE_MAX;
        for (size_t i = 0; i < count && place[e] == SIZE_MAX; i++)
            if (strcmp(offers[i].name, x->name) == 0)
                place[e] = i;
        if (place[e] == SIZE_MAX)
            continue;
        found++;
        if (!same_expert(f, e, &offers[place[e]]))
            return ems_fail(err, EMS_EFORMAT, "%s learned from another expert"
                            " \"%s\" (%zu numbers, %.12s) than the one that"
                            " is installed (%zu numbers, %.12s); install that"
                            " one or train anew", name, x->name, x->dim,
                            f->id[e][0] ? f->id[e] : "any",
                            offers[place[e]].dim,
                            offers[place[e]].id ? offers[place[e]].id : "any");
    }
    if (!found)
        return ems_fail(err, EMS_EFORMAT, "%s needs at least one of its"
                        " experts (\"%s\"%s); none of them is installed",
                        name, f->shape.expert[0].name,
                        f->shape.experts > 1 ? ", .." : "");
    return EMS_OK;
}

/* ---- Rating ------------------------------------------------------------- */

enum { TURN = 8 };

static float clip_one(float x)
{
    return x < -1 ? -1 : x > 1 ? 1 : x;
}

static void say(const ems_fusion_shape *s, const float *o,
                ems_fusion_said *said)
{
    double most = -INFINITY, sum = 0;
    const float *affect = o + s->emotions, *genre = affect + s->affect;
    for (size_t i = 0; i < EMS_EKMAN; i++) {
        said->emotion[i] = NAN;
        if (s->emotions)
            most = fmax(most, (double)o[i]);
    }
    for (size_t i = 0; i < s->emotions; i++)
        sum += ems_exact_exp((double)o[i] - most);
    for (size_t i = 0; i < s->emotions; i++)
        said->emotion[i] = (float)(ems_exact_exp((double)o[i] - most) / sum);
    for (size_t i = 0; i < 2; i++)
        said->affect[i] = s->affect ? clip_one(affect[i]) : NAN;
    for (size_t i = 0; i < EMS_FUSION_GENRES; i++)
        said->genre[i] = i < s->genres
            ? (float)(1 / (1 + ems_exact_exp(-(double)genre[i]))) : NAN;
}

int ems_fusion_rate(const ems_fusion *f, const ems_clip *clips, size_t count,
                    ems_fusion_said *said, ems_error *err)
{
    const ems_fusion_net net = ems_fusion_net_of(f);
    const size_t out = ems_fusion_outputs(&f->shape);
    ems_fusion_shard *s = ems_fusion_shard_new(&f->shape, TURN, 1, err);
    void *work = s ? ems_alloc_aligned(ems_gemm_work(net.level), 1) : NULL;
    for (size_t at = 0; work && at < count; at += TURN) {
        s->clips = count - at < TURN ? count - at : TURN;
        for (size_t i = 0; i < s->clips; i++)
            s->clip[i] = &clips[at + i];
        ems_fusion_forward(s, &net, work);
        for (size_t i = 0; i < s->clips; i++)
            say(&f->shape, s->output + i * out, &said[at + i]);
    }
    ems_fusion_shard_free(s);
    const int failed = !work;
    ems_free(work);
    return failed ? ems_out_of_memory(err) : EMS_OK;
}

/* plan_json.c - plan.json, docs/FORMATS.md. */
#include "base/json.h"
#include "base/mem.h"
#include "music/plan.h"

#include <stdio.h>
#include <string.h>

static const char *const KINDS[] = {
    [EMS_CUT] = "cut", [EMS_DISSOLVE] = "dissolve",
    [EMS_FADE_IN] = "fade_in", [EMS_FADE_OUT] = "fade_out",
};
static const char *const SYNCS[] = {
    [EMS_SYNC_EXACT] = "exact", [EMS_SYNC_PAPER] = "paper",
};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS,
       SYNC_COUNT = sizeof SYNCS / sizeof *SYNCS };

/* ---- Writing ------------------------------------------------------------ */

static json_t *hits_json(const ems_plan *p)
{
    json_t *array = json_array();
    for (size_t i = 0; i < p->hit_count; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "time", ems_json_real(p->hits[i], 6));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *cuts_json(const ems_plan *p)
{
    json_t *array = json_array();
    for (size_t i = 0; i < p->cut_count; i++) {
        const ems_cut *c = &p->cuts[i];
        json_t *o = json_object();
        json_object_set_new(o, "time", ems_json_real(c->time, 6));
        json_object_set_new(o, "kind", json_string(KINDS[c->kind]));
        json_object_set_new(o, "strength", ems_json_real(c->strength, 6));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *curve_json(const ems_plan *p)
{
    json_t *array = json_array();
    for (size_t i = 0; i < p->knot_count; i++) {
        const ems_knot *k = &p->curve[i];
        json_t *o = json_object();
        json_object_set_new(o, "time", ems_json_real(k->time, 6));
        json_object_set_new(o, "valence", ems_json_real(k->valence, 6));
        json_object_set_new(o, "arousal", ems_json_real(k->arousal, 6));
        json_array_append_new(array, o);
    }
    return array;
}

int ems_plan_save(const ems_plan *p, const char *path, ems_error *err)
{
    json_t *root = json_object();
    if (!root)
        return ems_out_of_memory(err);
    json_object_set_new(root, "format", json_string("emsync-plan"));
    json_object_set_new(root, "version", json_integer(1));
    json_object_set_new(root, "duration", ems_json_real(p->duration, 6));
    json_object_set_new(root, "fps", ems_json_real(p->fps, 6));
    json_object_set_new(root, "seed", json_integer((json_int_t)p->seed));
    json_object_set_new(root, "sync", json_string(SYNCS[p->sync]));
    json_object_set_new(root, "hits", hits_json(p));
    json_object_set_new(root, "cuts", cuts_json(p));
    json_object_set_new(root, "curve", curve_json(p));
    const int code = ems_json_save(root, path, err);
    json_decref(root);
    return code;
}

/* ---- Reading ------------------------------------------------------------ */

/* The place of `text` among `names`, or a failure that names them. */
static int read_name(const json_t *o, const ems_json_at *at, const char *key,
                     const char *const *names, int count)
{
    const char *text = "";
    const int code = ems_json_string(o, at, key, &text);
    if (code < 0)
        return code;
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    char list[64] = "";
    for (int i = 0; i < count; i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                 names[i]);
    }
    const ems_json_at here = ems_json_key(at, key);
    return ems_json_fail(&here, "is \"%.20s\"; it must be one of %s", text,
                         list);
}

typedef int read_element(ems_plan *p, size_t i, const json_t *o,
                         const ems_json_at *at);

/* Every element of the array `key` through `each`; the block for them comes
 * from `make`, sized for the array. */
static int read_array(ems_plan *p, const json_t *root, const ems_json_at *at,
                      const char *key, size_t size, void *block_out,
                      size_t *count, read_element *each)
{
    json_t *array;
    const int code = ems_json_array(root, at, key, EMS_PLAN_MOST, &array);
    if (code < 0)
        return code;
    const size_t n = json_array_size(array);
    void *block = ems_alloc(n, size);
    if (!block)
        return ems_out_of_memory(at->err);
    memcpy(block_out, &block, sizeof block);
    const ems_json_at all = ems_json_key(at, key);
    for (size_t i = 0; i < n; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        const int bad = each(p, i, json_array_get(array, i), &here);
        if (bad < 0)
            return bad;
    }
    *count = n;
    return EMS_OK;
}

static int read_hit(ems_plan *p, size_t i, const json_t *o,
                    const ems_json_at *at)
{
    double *t = &p->hits[i];
    const int code = ems_json_number(o, at, "time", 0, p->duration, t);
    if (code < 0)
        return code;
    if (!(*t > 0 && *t < p->duration))
        return ems_json_fail(at, "time %g is the film's very beginning or"
                             " end; nothing can be hit there", *t);
    /* A millionth of slack: both times were rounded. */
    if (i && !(*t - p->hits[i - 1] >= EMS_PLAN_GAP_LEAST - 1e-6))
        return ems_json_fail(at, "time %g is not at least %g s after %g", *t,
                             EMS_PLAN_GAP_LEAST, p->hits[i - 1]);
    return EMS_OK;
}

static int read_cut(ems_plan *p, size_t i, const json_t *o,
                    const ems_json_at *at)
{
    ems_cut *c = &p->cuts[i];
    int code = ems_json_number(o, at, "time", 0, p->duration, &c->time);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "strength", 0, 1, &c->strength);
    if (code < 0)
        return code;
    const int kind = read_name(o, at, "kind", KINDS, KIND_COUNT);
    if (kind < 0)
        return kind;
    c->kind = (ems_cut_kind)kind;
    const double after = i ? p->cuts[i - 1].time : 0;
    if (!(c->time > after))
        return ems_json_fail(at, "time %g is not after %g", c->time, after);
    return EMS_OK;
}

static int read_knot(ems_plan *p, size_t i, const json_t *o,
                     const ems_json_at *at)
{
    ems_knot *k = &p->curve[i];
    int code = ems_json_number(o, at, "time", 0, p->duration, &k->time);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "valence", -1, 1, &k->valence);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "arousal", -1, 1, &k->arousal);
    if (code < 0)
        return code;
    if (i && !(k->time > p->curve[i - 1].time))
        return ems_json_fail(at, "time %g is not after %g", k->time,
                             p->curve[i - 1].time);
    return EMS_OK;
}

static int read_head(ems_plan *p, const json_t *root, const ems_json_at *at)
{
    json_int_t seed = 0;
    int code = ems_json_format(root, at, "emsync-plan", 1);
    if (code == EMS_OK)
        code = ems_json_number(root, at, "duration", 1e-6, EMS_PLAN_LONGEST,
                               &p->duration);
    if (code == EMS_OK)
        code = ems_json_number(root, at, "fps", 0, 1e6, &p->fps);
    if (code == EMS_OK)
        code = ems_json_integer(root, at, "seed", 0,
                                (json_int_t)EMS_PLAN_SEED_MOST, &seed);
    if (code < 0)
        return code;
    const int sync = read_name(root, at, "sync", SYNCS, SYNC_COUNT);
    if (sync < 0)
        return sync;
    p->seed = (uint64_t)seed;
    p->sync = (ems_sync)sync;
    return EMS_OK;
}

static int read_arrays(ems_plan *p, const json_t *root, const ems_json_at *at)
{
    int code = read_array(p, root, at, "hits", sizeof *p->hits, &p->hits,
                          &p->hit_count, read_hit);
    if (code == EMS_OK)
        code = read_array(p, root, at, "cuts", sizeof *p->cuts, &p->cuts,
                          &p->cut_count, read_cut);
    if (code == EMS_OK)
        code = read_array(p, root, at, "curve", sizeof *p->curve, &p->curve,
                          &p->knot_count, read_knot);
    if (code < 0 || p->knot_count > 0)
        return code;
    const ems_json_at here = ems_json_key(at, "curve");
    return ems_json_fail(&here, "is empty; it needs at least one knot");
}

static ems_plan *from_json(const json_t *root, const char *name,
                           ems_error *err)
{
    const ems_json_at at = ems_json_root(name, err);
    ems_plan *p = ems_alloc(1, sizeof *p);
    if (!p) {
        ems_out_of_memory(err);
        return NULL;
    }
    if (read_head(p, root, &at) < 0 || read_arrays(p, root, &at) < 0) {
        ems_plan_free(p);
        return NULL;
    }
    return p;
}

ems_plan *ems_plan_parse(const char *data, size_t size, const char *name,
                         ems_error *err)
{
    json_t *root = ems_json_parse(data, size, name, err);
    ems_plan *p = root ? from_json(root, name, err) : NULL;
    json_decref(root);
    return p;
}

ems_plan *ems_plan_load(const char *path, ems_error *err)
{
    json_t *root = ems_json_load(path, err);
    ems_plan *p = root ? from_json(root, path, err) : NULL;
    json_decref(root);
    return p;
}

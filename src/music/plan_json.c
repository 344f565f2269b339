/* plan_json.c - reading plan.json, docs/FORMATS.md. */
#include "base/json.h"
#include "base/mem.h"
#include "music/plan_names.h"

#include <stdio.h>
#include <string.h>

/* One reading of one file. Whoever wants to hear of every mistake, not the
 * first only, gives `each`; what is wrong is then left out. */
typedef struct reader {
    ems_plan *p;
    ems_error *err;
    void (*each)(void *user, const char *sentence);
    void *user;
    int found;
} reader;

/* EMS_OK if reading shall go on without what failed. */
static int mistake(reader *r, int code)
{
    if (code >= 0 || !r->each || code == EMS_ENOMEM)
        return code;
    r->each(r->user, r->err->text);
    r->found++;
    return EMS_OK;
}

/* The place of `text` among `names`, or a failure that names them. */
static int find_name(const char *text, const ems_json_at *at,
                     const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    char list[64] = "";
    for (int i = 0; i < count; i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                 names[i]);
    }
    return ems_json_fail(at, "is \"%.20s\"; it must be one of %s", text,
                         list);
}

static int read_name(const json_t *o, const ems_json_at *at, const char *key,
                     const char *const *names, int count)
{
    const char *text = "";
    const int code = ems_json_string(o, at, key, &text);
    if (code < 0)
        return code;
    const ems_json_at here = ems_json_key(at, key);
    return find_name(text, &here, names, count);
}

/* ---- Arrays -------------------------------------------------------------- */

/* Element n of what was taken so far. */
typedef int read_element(ems_plan *p, size_t n, const json_t *o,
                         const ems_json_at *at);

/* Every element of the array `key` through `each`; the block for them comes
 * from here, sized for the array. */
static int read_array(reader *r, const json_t *root, const ems_json_at *at,
                      const char *key, size_t size, void *block_out,
                      size_t *count, read_element *each)
{
    json_t *array;
    int code = ems_json_array(root, at, key, EMS_PLAN_MOST, &array);
    if (code < 0)
        return mistake(r, code);
    const size_t n = json_array_size(array);
    void *block = ems_alloc(n, size);
    if (!block)
        return ems_out_of_memory(at->err);
    memcpy(block_out, &block, sizeof block);
    const ems_json_at all = ems_json_key(at, key);
    for (size_t i = 0; i < n; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        code = each(r->p, *count, json_array_get(array, i), &here);
        if (code == EMS_OK)
            ++*count;
        else if (mistake(r, code) < 0)
            return code;
    }
    return EMS_OK;
}

/* The same, of an array that may be missing. */
static int read_wish(reader *r, const json_t *root, const ems_json_at *at,
                     const char *key, size_t size, void *block_out,
                     size_t *count, read_element *each)
{
    if (!json_object_get(root, key))
        return EMS_OK;
    return read_array(r, root, at, key, size, block_out, count, each);
}

static int read_hit(ems_plan *p, size_t n, const json_t *o,
                    const ems_json_at *at)
{
    double *t = &p->hits[n];
    const int code = ems_json_number(o, at, "time", 0, p->duration, t);
    if (code < 0)
        return code;
    if (!(*t > 0 && *t < p->duration))
        return ems_json_fail(at, "time %g is the film's very beginning or"
                             " end; nothing can be hit there", *t);
    /* A millionth of slack: both times were rounded. */
    if (n && !(*t - p->hits[n - 1] >= EMS_PLAN_GAP_LEAST - 1e-6))
        return ems_json_fail(at, "time %g is not at least %g s after %g", *t,
                             EMS_PLAN_GAP_LEAST, p->hits[n - 1]);
    return EMS_OK;
}

static int read_cut(ems_plan *p, size_t n, const json_t *o,
                    const ems_json_at *at)
{
    ems_cut *c = &p->cuts[n];
    int code = ems_json_number(o, at, "time", 0, p->duration, &c->time);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "strength", 0, 1, &c->strength);
    if (code < 0)
        return code;
    const int kind = read_name(o, at, "kind", ems_cut_kind_names,
                               EMS_CUT_KINDS);
    if (kind < 0)
        return kind;
    c->kind = (ems_cut_kind)kind;
    const double after = n ? p->cuts[n - 1].time : 0;
    if (!(c->time > after))
        return ems_json_fail(at, "time %g is not after %g", c->time, after);
    return EMS_OK;
}

static int read_knot(ems_plan *p, size_t n, const json_t *o,
                     const ems_json_at *at)
{
    ems_knot *k = &p->curve[n];
    int code = ems_json_number(o, at, "time", 0, p->duration, &k->time);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "valence", -1, 1, &k->valence);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "arousal", -1, 1, &k->arousal);
    if (code < 0)
        return code;
    if (n && !(k->time > p->curve[n - 1].time))
        return ems_json_fail(at, "time %g is not after %g", k->time,
                             p->curve[n - 1].time);
    return EMS_OK;
}

static int read_phrase(ems_plan *p, size_t n, const json_t *o,
                       const ems_json_at *at)
{
    double *t = &p->phrases[n];
    const int code = ems_json_number(o, at, "time", 0, p->duration, t);
    if (code == EMS_OK && n && !(*t > p->phrases[n - 1]))
        return ems_json_fail(at, "time %g is not after %g", *t,
                             p->phrases[n - 1]);
    return code;
}

static int read_speech(ems_plan *p, size_t n, const json_t *o,
                       const ems_json_at *at)
{
    ems_stretch *s = &p->speech[n];
    const double after = n ? p->speech[n - 1].to : 0;
    int code = ems_json_number(o, at, "from", 0, p->duration, &s->from);
    if (code == EMS_OK)
        code = ems_json_number(o, at, "to", 0, p->duration, &s->to);
    if (code == EMS_OK && !(s->from >= after && s->to > s->from))
        return ems_json_fail(at, "lasts from %g to %g, which is no time"
                             " after %g", s->from, s->to, after);
    return code;
}

/* "families" as bits; *out stays if it may be missing and is. */
static int read_families(const json_t *o, const ems_json_at *at, int may_miss,
                         unsigned *out)
{
    json_t *array;
    if (may_miss && !json_object_get(o, "families"))
        return EMS_OK;
    const int code = ems_json_array(o, at, "families", 100, &array);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(at, "families");
    *out = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const ems_json_at here = ems_json_index(&all, i);
        const char *text = json_string_value(json_array_get(array, i));
        const int f = find_name(text ? text : "no text", &here,
                                ems_family_words, EMS_FAMILIES);
        if (f < 0)
            return f;
        *out |= 1u << f;
    }
    return *out ? EMS_OK : ems_json_fail(&all, "is empty; somebody must play");
}

static int read_key(ems_section *s, const json_t *o, const ems_json_at *at)
{
    const json_t *key = json_object_get(o, "key");
    const char *text;
    s->tonic = -1;
    if (!key || json_is_null(key))
        return EMS_OK;
    const int code = ems_json_string(o, at, "key", &text);
    if (code < 0)
        return code;
    if (ems_key_parse(text, &s->tonic, &s->minor) == 0)
        return EMS_OK;
    const ems_json_at here = ems_json_key(at, "key");
    return ems_json_fail(&here, "is \"%.20s\"; a key is written like \"C#"
                         " minor\" or \"Bb major\"", text);
}

static int read_section(ems_plan *p, size_t n, const json_t *o,
                        const ems_json_at *at)
{
    ems_section *s = &p->sections[n];
    json_int_t seed = (json_int_t)ems_plan_section_seed(p->seed, n);
    int code = ems_json_number(o, at, "from", 0, p->duration, &s->from);
    if (code == EMS_OK && json_object_get(o, "seed"))
        code = ems_json_integer(o, at, "seed", 0,
                                (json_int_t)EMS_PLAN_SEED_MOST, &seed);
    s->seed = (uint64_t)seed;
    if (code == EMS_OK)
        code = read_key(s, o, at);
    if (code == EMS_OK)
        code = read_families(o, at, 1, &s->families);
    if (code < 0)
        return code;
    if (s->families == 1u << EMS_DRUMS)
        return ems_json_fail(at, "drums alone have no chord to hit a cut"
                             " with; add a family to them");
    if (n == 0 && s->from != 0)
        return ems_json_fail(at, "from %g: the first section begins at 0",
                             s->from);
    if (n && !(s->from > p->sections[n - 1].from))
        return ems_json_fail(at, "from %g is not after %g", s->from,
                             p->sections[n - 1].from);
    return s->from < p->duration
               ? EMS_OK : ems_json_fail(at, "begins at the film's end");
}

static int read_lock(ems_plan *p, size_t n, const json_t *o,
                     const ems_json_at *at)
{
    json_int_t section = 0;
    const int most = p->section_count ? (int)p->section_count : 1;
    const ems_json_at here = ems_json_key(at, "section");
    int code = ems_json_integer(o, at, "section", 1, EMS_PLAN_MOST, &section);
    if (code == EMS_OK && section > most)
        return ems_json_fail(&here, "is %d, but there are %d sections; the"
                             " one that was locked is gone", (int)section,
                             most);
    if (code == EMS_OK)
        code = read_families(o, at, 0, &p->locks[n].families);
    p->locks[n].section = (int)section;
    return code;
}

/* ---- The rest ------------------------------------------------------------ */

static int read_head(ems_plan *p, const json_t *root, const ems_json_at *at)
{
    json_int_t seed = 0;
    int code = ems_json_format(root, at, "emsync-plan", 2);
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
    const int sync = read_name(root, at, "sync", ems_sync_names, EMS_SYNCS);
    if (sync < 0)
        return sync;
    p->seed = (uint64_t)seed;
    p->sync = (ems_sync)sync;
    return EMS_OK;
}

static int read_tempo(ems_plan *p, const json_t *root, const ems_json_at *at)
{
    json_t *o;
    ems_tempo t;
    if (!json_object_get(root, "tempo"))
        return EMS_OK;
    const ems_json_at here = ems_json_key(at, "tempo");
    int code = ems_json_object(root, at, "tempo", &o);
    if (code == EMS_OK)
        code = ems_json_number(o, &here, "wanted", 20, 300, &t.wanted);
    if (code == EMS_OK)
        code = ems_json_number(o, &here, "least", 20, t.wanted, &t.least);
    if (code == EMS_OK)
        code = ems_json_number(o, &here, "most", t.wanted, 300, &t.most);
    if (code == EMS_OK)
        p->tempo = t;
    return code;
}

static int read_ending(ems_plan *p, const json_t *root, const ems_json_at *at)
{
    static const char *const kinds[] = {"chord", "none"};
    json_t *o;
    if (!json_object_get(root, "ending"))
        return EMS_OK;
    const ems_json_at here = ems_json_key(at, "ending");
    int code = ems_json_object(root, at, "ending", &o);
    if (code < 0)
        return code;
    const int kind = read_name(o, &here, "kind", kinds, 2);
    if (kind < 0)
        return kind;
    p->ending = kind == 0 ? EMS_ENDING_CHORD : EMS_ENDING_NONE;
    if (kind == 1)
        return EMS_OK;
    double time = 0;
    code = ems_json_number(o, &here, "time", 0, p->duration, &time);
    p->ending_time = time;
    const double last = p->hit_count ? p->hits[p->hit_count - 1] : 0;
    if (code == EMS_OK && !(time < p->duration && time > 0))
        return ems_json_fail(&here, "the last chord at %g s cannot be heard",
                             time);
    if (code == EMS_OK && time < last)
        return ems_json_fail(&here, "the last chord at %g s comes before the"
                             " last hit at %g", time, last);
    return code;
}

static int read_arrays(reader *r, const json_t *root, const ems_json_at *at)
{
    ems_plan *p = r->p;
    int code = read_array(r, root, at, "hits", sizeof *p->hits, &p->hits,
                          &p->hit_count, read_hit);
    if (code == EMS_OK)
        code = read_array(r, root, at, "cuts", sizeof *p->cuts, &p->cuts,
                          &p->cut_count, read_cut);
    if (code == EMS_OK)
        code = read_array(r, root, at, "curve", sizeof *p->curve, &p->curve,
                          &p->knot_count, read_knot);
    if (code == EMS_OK)
        code = read_wish(r, root, at, "phrases", sizeof *p->phrases,
                         &p->phrases, &p->phrase_count, read_phrase);
    if (code == EMS_OK)
        code = read_wish(r, root, at, "speech", sizeof *p->speech,
                         &p->speech, &p->speech_count, read_speech);
    if (code == EMS_OK)
        code = read_wish(r, root, at, "sections", sizeof *p->sections,
                         &p->sections, &p->section_count, read_section);
    if (code == EMS_OK)
        code = read_wish(r, root, at, "locks", sizeof *p->locks, &p->locks,
                         &p->lock_count, read_lock);
    if (code < 0 || p->knot_count > 0)
        return code;
    const ems_json_at here = ems_json_key(at, "curve");
    return mistake(r, ems_json_fail(&here,
                                    "is empty; it needs at least one knot"));
}

static int read_plan(reader *r, const json_t *root, const char *name)
{
    const ems_json_at at = ems_json_root(name, r->err);
    int code = read_head(r->p, root, &at);
    if (code < 0) {
        mistake(r, code); /* nothing else can be told without it */
        return code;
    }
    code = read_arrays(r, root, &at);
    if (code == EMS_OK)
        code = mistake(r, read_tempo(r->p, root, &at));
    if (code == EMS_OK)
        code = mistake(r, read_ending(r->p, root, &at));
    return code;
}

static void keep_first(void *user, const char *sentence)
{
    ems_error *err = user;
    if (err->code == EMS_OK)
        ems_fail(err, EMS_EFORMAT, "%s", sentence);
}

static ems_plan *from_json(const json_t *root, const char *name,
                           ems_error *err)
{
    ems_error own;
    reader r = {.p = ems_alloc(1, sizeof *r.p), .err = err ? err : &own};
    if (!r.p) {
        ems_out_of_memory(err);
        return NULL;
    }
    int code = read_plan(&r, root, name);
    if (code == EMS_OK) {
        r.err->code = EMS_OK;
        code = ems_plan_contradictions(r.p, name, keep_first, r.err);
    }
    if (code == EMS_OK)
        return r.p;
    ems_plan_free(r.p);
    return NULL;
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

int ems_plan_check(const char *path,
                   void (*each)(void *user, const char *sentence),
                   void *user, ems_error *err)
{
    ems_error own;
    json_t *root = ems_json_load(path, err);
    if (!root)
        return err ? err->code : EMS_EFORMAT;
    reader r = {.p = ems_alloc(1, sizeof *r.p), .err = err ? err : &own,
                .each = each, .user = user};
    int code = r.p ? read_plan(&r, root, path) : ems_out_of_memory(err);
    if (code == EMS_OK)
        r.found += ems_plan_contradictions(r.p, path, each, user);
    json_decref(root);
    ems_plan_free(r.p);
    return r.found ? r.found : code;
}

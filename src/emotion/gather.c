#include "emotion/gather.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/run.h"
#include "base/sha256.h"
#include "emotion/grammar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- One film ----------------------------------------------------------- */

void ems_parts_clear(ems_parts *p)
{
    for (size_t i = 0; i < p->count; i++)
        ems_free(p->part[i].values);
    *p = (ems_parts){0};
}

/* "scene" in "faces,scene"? NULL lists all. */
static int listed(const char *list, const char *name)
{
    const size_t n = strlen(name);
    if (!list || strcmp(list, "all") == 0)
        return 1;
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && strncmp(p, name, n) == 0)
            return 1;
    return 0;
}

/* Rows of an expert, at most `most`, evenly, as round(linspace). */
static int add_part(ems_parts *p, const char *name, const char *id,
                    size_t dim, size_t rows, const float *values, size_t most,
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

/* Where the features of a file with this content are kept; NULL: out of
 * memory or nowhere. */
static char *cache_path(const char *cache, const char *video)
{
    ems_bytes b;
    char name[96], hex[65];
    if (!cache || ems_bytes_map(&b, video, 0, NULL) < 0)
        return NULL;
    ems_sha256_hex(b.data, b.size, hex);
    ems_bytes_unmap(&b);
    snprintf(name, sizeof name, "%s.grammar.safetensors", hex);
    return ems_path_join(cache, name);
}

static int read_cached(ems_grammar *g, const char *path)
{
    ems_bytes b;
    if (!path || access(path, R_OK) < 0 ||
        ems_bytes_map(&b, path, 64 << 20, NULL) < 0)
        return 0;
    const int code = ems_grammar_parse(g, b.data, b.size, path, NULL);
    ems_bytes_unmap(&b);
    return code == EMS_OK; /* a broken one is made anew */
}

static int add_grammar(ems_parts *p, const char *video, const char *experts,
                       const char *cache, size_t rows, const ems_run *run,
                       ems_error *err)
{
    const int picture = listed(experts, "grammar");
    const int sound = listed(experts, "tone");
    ems_grammar g = {0};
    int code = EMS_OK;
    if (!picture && !sound)
        return EMS_OK;
    char *path = cache_path(cache, video);
    if (!read_cached(&g, path)) {
        code = ems_grammar_watch(&g, video, run, err);
        if (code == EMS_OK && path)
            (void)ems_grammar_save(&g, path, NULL); /* next time again */
    }
    if (code == EMS_OK && picture)
        code = add_part(p, "grammar", EMS_GRAMMAR_ID, EMS_GRAMMAR_DIM,
                        g.has_picture ? g.rows : 0, g.picture, rows, err);
    if (code == EMS_OK && sound)
        code = add_part(p, "tone", EMS_TONE_ID, EMS_TONE_DIM,
                        g.has_sound ? g.rows : 0, g.sound, rows, err);
    ems_grammar_clear(&g);
    ems_free(path);
    return code;
}

int ems_parts_watch(ems_parts *p, const char *video, const char *experts,
                    const char *cache, size_t rows, const ems_run *run,
                    ems_error *err)
{
    *p = (ems_parts){0};
    const int code = add_grammar(p, video, experts, cache, rows, run, err);
    if (code < 0)
        ems_parts_clear(p);
    return code;
}

/* ---- Which films -------------------------------------------------------- */

/* The file of a label, with a suffix where the table has none; NULL: it is
 * not there (or out of memory). */
static char *find_file(const char *folder, const char *name)
{
    static const char *const SUFFIX[] = {"", ".mp4", ".webm", ".mkv", ".mov",
                                         ".avi", ".m4v", ".wav", ".mp3"};
    char text[1100];
    for (size_t i = 0; i < sizeof SUFFIX / sizeof *SUFFIX; i++) {
        snprintf(text, sizeof text, "%s%s", name, SUFFIX[i]);
        char *path = ems_path_join(folder, text);
        if (path && access(path, R_OK) == 0)
            return path;
        ems_free(path);
    }
    return NULL;
}

typedef struct gather_job {
    ems_gathering *g;
    const ems_fusion_train_options *o;
    const char *cache;
    ems_run quiet;      /* one thread, silent: callbacks are the caller's */
    size_t first;       /* label of the loop's 0 */
    ems_error *why;     /* [labels.count] */
    uint8_t *usable;    /* [labels.count] */
} gather_job;

static void watch_one(void *ctx, size_t i)
{
    gather_job *j = ctx;
    const size_t at = j->first + i;
    const ems_label *l = &j->g->labels.label[at];
    if (!l->clip.known)
        return;
    char *path = find_file(j->o->folder, l->file);
    if (!path) {
        ems_fail(&j->why[at], EMS_EIO, "\"%s\" is not in \"%s\"", l->file,
                 j->o->folder);
        return;
    }
    j->usable[at] = ems_parts_watch(&j->g->parts[at], path, j->o->experts,
                                    j->cache, (size_t)j->o->rows, &j->quiet,
                                    &j->why[at]) == EMS_OK &&
                    j->g->parts[at].count > 0;
    ems_free(path);
}

static int watch_all(gather_job *j, ems_pool *pool, const ems_run *run,
                     ems_error *err)
{
    const size_t n = j->g->labels.count;
    const size_t turn = (size_t)ems_pool_threads(pool);
    for (j->first = 0; j->first < n; j->first += turn) {
        if (ems_cancelled(run))
            return ems_fail_cancelled(err);
        ems_progress(run, "features", (double)j->first / (double)n);
        ems_pool_for(pool, n - j->first < turn ? n - j->first : turn,
                     watch_one, j);
    }
    return EMS_OK;
}

static int tell_passed_over(gather_job *j, const ems_run *run, ems_error *err)
{
    enum { SAID = 5 };
    ems_gathering *g = j->g;
    const ems_error *first = NULL;
    for (size_t i = 0; i < g->labels.count; i++) {
        if (j->usable[i])
            continue;
        if (g->labels.label[i].clip.known && !first)
            first = &j->why[i];
        if (g->passed_over++ < SAID && g->labels.label[i].clip.known)
            ems_log(run, EMS_LOG_WARNING, "passed over: %s", j->why[i].text);
    }
    if (g->passed_over > SAID)
        ems_log(run, EMS_LOG_WARNING, "passed over: %zu files in all",
                g->passed_over);
    if (g->passed_over < g->labels.count)
        return EMS_OK;
    return ems_fail(err, EMS_EFORMAT, "not one of the %zu files of \"%s\" can"
                    " be used: %.300s", g->labels.count, j->o->labels,
                    first ? first->text : "none has a label");
}

/* ---- Laying out --------------------------------------------------------- */

static size_t place_expert(ems_gathering *g, const ems_part *x)
{
    size_t at = 0;
    while (at < g->experts && strcmp(g->expert[at].name, x->name) < 0)
        at++;
    if (at < g->experts && strcmp(g->expert[at].name, x->name) == 0)
        return at;
    if (g->experts == EMS_FUSION_EXPERTS)
        return SIZE_MAX;
    memmove(g->expert + at + 1, g->expert + at,
            (g->experts - at) * sizeof *g->expert);
    memmove(g->id + at + 1, g->id + at, (g->experts - at) * sizeof *g->id);
    g->experts++;
    g->expert[at] = (ems_fusion_expert){.dim = x->dim};
    memcpy(g->expert[at].name, x->name, sizeof x->name);
    memcpy(g->id[at], x->id, sizeof x->id);
    return at;
}

/* Experts that said something of at least one film. */
static int list_experts(ems_gathering *g, const uint8_t *usable,
                        ems_error *err)
{
    for (size_t i = 0; i < g->labels.count; i++)
        for (size_t k = 0; usable[i] && k < g->parts[i].count; k++) {
            const ems_part *x = &g->parts[i].part[k];
            const size_t at = x->rows ? place_expert(g, x) : SIZE_MAX;
            if (at == SIZE_MAX)
                continue;
            if (g->expert[at].dim != x->dim || strcmp(g->id[at], x->id))
                return ems_fail(err, EMS_EINTERNAL, "expert \"%s\" changed"
                                " while it worked", x->name);
            if (x->rows > g->expert[at].rows)
                g->expert[at].rows = x->rows;
        }
    if (!g->experts)
        return ems_fail(err, EMS_EFORMAT, "the experts said nothing of any"
                        " film; are there others (--experts)?");
    return EMS_OK;
}

static void lay_clip(ems_gathering *g, size_t label)
{
    const ems_parts *p = &g->parts[label];
    ems_clip *c = &g->clips[g->count];
    *c = g->labels.label[label].clip;
    for (size_t k = 0; k < p->count; k++)
        for (size_t e = 0; e < g->experts; e++)
            if (strcmp(g->expert[e].name, p->part[k].name) == 0)
                c->part[e] = (ems_fusion_rows){p->part[k].values,
                                               p->part[k].rows};
    g->label[g->count++] = label;
}

static int by_file(const void *a, const void *b, void *ctx)
{
    const ems_gathering *g = ctx;
    return strcmp(g->labels.label[*(const size_t *)a].file,
                  g->labels.label[*(const size_t *)b].file);
}

static int lay_out(ems_gathering *g, const uint8_t *usable, ems_error *err)
{
    const size_t n = g->labels.count;
    size_t *order = ems_alloc(n, sizeof *order), usables = 0;
    g->clips = ems_alloc(n, sizeof *g->clips);
    g->label = ems_alloc(n, sizeof *g->label);
    if (!order || !g->clips || !g->label) {
        ems_free(order);
        return ems_out_of_memory(err);
    }
    const int code = list_experts(g, usable, err);
    for (size_t i = 0; i < n; i++)
        if (usable[i])
            order[usables++] = i;
    qsort_r(order, usables, sizeof *order, by_file, g);
    for (size_t i = 0; i < usables && code == EMS_OK; i++)
        lay_clip(g, order[i]);
    ems_free(order);
    return code;
}

/* ---- All of it ---------------------------------------------------------- */

static int gather(gather_job *j, const ems_run *run, ems_error *err)
{
    const size_t n = j->g->labels.count;
    j->g->parts = ems_alloc(n, sizeof *j->g->parts);
    j->why = ems_alloc(n, sizeof *j->why);
    j->usable = ems_alloc(n, 1);
    ems_pool *pool = ems_pool_new(ems_run_threads(run), err);
    int code = EMS_OK;
    if (!j->g->parts || !j->why || !j->usable)
        code = ems_out_of_memory(err);
    else if (!pool)
        code = EMS_ENOMEM;
    if (code == EMS_OK)
        code = watch_all(j, pool, run, err);
    if (code == EMS_OK)
        code = tell_passed_over(j, run, err);
    if (code == EMS_OK)
        code = lay_out(j->g, j->usable, err);
    ems_pool_free(pool);
    ems_free(j->why);
    ems_free(j->usable);
    return code;
}

int ems_gather(ems_gathering *g, const ems_fusion_train_options *options,
               const ems_run *run, ems_error *err)
{
    *g = (ems_gathering){0};
    int code = ems_label_set_load(&g->labels, options->labels,
                                  options->genres, err);
    if (code < 0)
        return code;
    char *own = options->cache ? NULL
                               : ems_path_join(options->folder, ".emsync");
    gather_job j = {.g = g, .o = options, .quiet = {.threads = 1},
                    .cache = options->cache ? options->cache : own};
    /* A folder that cannot be written to costs time, no more. */
    if (j.cache && ems_folder_make(j.cache, NULL) < 0)
        j.cache = NULL;
    code = gather(&j, run, err);
    ems_free(own);
    if (code < 0)
        ems_gathering_clear(g);
    return code;
}

void ems_gathering_clear(ems_gathering *g)
{
    for (size_t i = 0; g->parts && i < g->labels.count; i++)
        ems_parts_clear(&g->parts[i]);
    ems_free(g->parts);
    ems_free(g->clips);
    ems_free(g->label);
    ems_label_set_clear(&g->labels);
    *g = (ems_gathering){0};
}

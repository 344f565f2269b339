#include "emotion/gather.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/run.h"
#include "base/sha256.h"
#include "emotion/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Which files --------------------------------------------------------- */

/* The file of a label, with a suffix where the table has none; NULL: it is
 * not there (or out of memory). */
static char *find_file(const char *folder, const char *name)
{
    static const char *const SUFFIX[] = {"", ".mp4", ".webm", ".mkv", ".mov",
                                         ".avi", ".m4v", ".jpg", ".jpeg",
                                         ".png"};
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
    ems_parts experts;  /* what all of them are, without rows */
    ems_run quiet;      /* one thread, silent: callbacks are the caller's */
    char **path;        /* [labels.count]; NULL: not there, or no label */
    char **kept;        /* [labels.count]: where its features are kept */
    ems_error *why;     /* [labels.count] */
    uint8_t *usable;    /* [labels.count] */
    ems_watching *task; /* what must be watched */
    size_t tasks, first;
    size_t *label;      /* [labels.count]: of the tasks, one after the other */
    size_t *label_at;   /* [labels.count]: a task's first */
} gather_job;

/* A name for a file's features: its content and the number of rows; whose they
 * are stands in the file. NULL: nowhere to keep them. */
static char *kept_path(const gather_job *j, const char *path)
{
    ems_bytes b;
    char name[96], hex[65], text[160];
    if (!j->cache || ems_bytes_map(&b, path, 0, NULL) < 0)
        return NULL;
    ems_sha256_hex(b.data, b.size, hex);
    ems_bytes_unmap(&b);
    snprintf(text, sizeof text, "%s %d", hex, j->o->rows);
    ems_sha256_hex(text, strlen(text), hex);
    snprintf(name, sizeof name, "%s.safetensors", hex);
    return ems_path_join(j->cache, name);
}

static void find_one(void *ctx, size_t i)
{
    gather_job *j = ctx;
    const ems_label *l = &j->g->labels.label[i];
    if (!l->clip.known)
        return;
    j->path[i] = find_file(j->o->folder, l->file);
    if (!j->path[i]) {
        ems_fail(&j->why[i], EMS_EIO, "\"%s\" is not in \"%s\"", l->file,
                 j->o->folder);
        return;
    }
    j->kept[i] = kept_path(j, j->path[i]);
    j->usable[i] = j->kept[i] && access(j->kept[i], R_OK) == 0 &&
                   ems_parts_load(&j->g->parts[i], j->kept[i], NULL) ==
                       EMS_OK && /* a broken one is made anew */
                   ems_parts_choose(&j->g->parts[i], &j->experts);
    if (!j->usable[i])
        ems_parts_clear(&j->g->parts[i]);
}

/* Films one by one, pictures some at a time. */
static void make_tasks(gather_job *j)
{
    size_t n = 0;
    for (int pictures = 0; pictures < 2; pictures++) {
        ems_watching *w = NULL;
        for (size_t i = 0; i < j->g->labels.count; i++) {
            if (!j->path[i] || j->usable[i] ||
                ems_is_picture(j->path[i]) != pictures)
                continue;
            if (!w || !pictures || w->count == EMS_WATCH_PICTURES) {
                w = &j->task[j->tasks];
                j->label_at[j->tasks++] = n;
            }
            w->path[w->count] = j->path[i];
            w->parts[w->count] = &j->g->parts[i];
            w->why[w->count++] = &j->why[i];
            j->label[n++] = i;
        }
    }
}

static void watch_one(void *ctx, size_t i)
{
    gather_job *j = ctx;
    ems_watching *w = &j->task[j->first + i];
    ems_watch(w, j->o->experts, (size_t)j->o->rows, &j->quiet);
    for (size_t k = 0; k < w->count; k++) {
        const size_t at = j->label[j->label_at[j->first + i] + k];
        j->usable[at] = w->done[k] != 0;
        if (w->done[k] && j->kept[at]) /* if not, the next run works again */
            (void)ems_parts_save(w->parts[k], j->kept[at], NULL);
    }
}

static int watch_all(gather_job *j, ems_pool *pool, const ems_run *run,
                     ems_error *err)
{
    const size_t turn = (size_t)ems_pool_threads(pool);
    ems_pool_for(pool, j->g->labels.count, find_one, j);
    make_tasks(j);
    for (j->first = 0; j->first < j->tasks; j->first += turn) {
        if (ems_cancelled(run))
            return ems_fail_cancelled(err);
        ems_progress(run, "features", (double)j->first / (double)j->tasks);
        ems_pool_for(pool, j->tasks - j->first < turn ? j->tasks - j->first
                                                      : turn, watch_one, j);
    }
    return EMS_OK;
}

/* The first file that has a label and cannot be used, or NULL. */
static const ems_error *first_reason(const gather_job *j)
{
    for (size_t i = 0; i < j->g->labels.count; i++)
        if (!j->usable[i] && j->g->labels.label[i].clip.known)
            return &j->why[i];
    return NULL;
}

static int tell_passed_over(gather_job *j, const ems_run *run, ems_error *err)
{
    enum { SAID = 5 };
    ems_gathering *g = j->g;
    const ems_error *first = first_reason(j);
    size_t said = 0;
    for (size_t i = 0; i < g->labels.count; i++)
        g->passed_over += !j->usable[i];
    if (g->passed_over == g->labels.count)
        return ems_fail(err, EMS_EFORMAT, "not one of the %zu files of \"%s\""
                        " can be used: %.300s", g->labels.count, j->o->labels,
                        first ? first->text : "none has a label");
    for (size_t i = 0; i < g->labels.count && said < SAID; i++)
        if (!j->usable[i] && g->labels.label[i].clip.known) {
            ems_log(run, EMS_LOG_WARNING, "passed over: %s", j->why[i].text);
            said++;
        }
    if (g->passed_over > said)
        ems_log(run, EMS_LOG_WARNING, "passed over: %zu files in all",
                g->passed_over);
    return EMS_OK;
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

static int list_asked(gather_job *j, const ems_run *run, ems_error *err)
{
    const int code = ems_watch_list(&j->experts, j->o->experts, run, err);
    if (code < 0 || j->experts.count)
        return code;
    return ems_fail(err, EMS_EINVAL, "none of the experts \"%s\" is"
                    " installed; \"emsync experts list\" shows which are",
                    j->o->experts ? j->o->experts : "all");
}

static int make_room(gather_job *j, ems_error *err)
{
    const size_t n = j->g->labels.count;
    j->g->parts = ems_alloc(n, sizeof *j->g->parts);
    j->path = ems_alloc(n, sizeof *j->path);
    j->kept = ems_alloc(n, sizeof *j->kept);
    j->why = ems_alloc(n, sizeof *j->why);
    j->usable = ems_alloc(n, 1);
    j->task = ems_alloc(n, sizeof *j->task);
    j->label = ems_alloc(n, sizeof *j->label);
    j->label_at = ems_alloc(n, sizeof *j->label_at);
    return j->g->parts && j->path && j->kept && j->why && j->usable &&
           j->task && j->label && j->label_at ? EMS_OK
                                              : ems_out_of_memory(err);
}

static void clear_job(gather_job *j)
{
    for (size_t i = 0; j->path && j->kept && i < j->g->labels.count; i++) {
        ems_free(j->path[i]);
        ems_free(j->kept[i]);
    }
    ems_free(j->path);
    ems_free(j->kept);
    ems_free(j->why);
    ems_free(j->usable);
    ems_free(j->task);
    ems_free(j->label);
    ems_free(j->label_at);
    ems_parts_clear(&j->experts);
}

static int gather(gather_job *j, const ems_run *run, ems_error *err)
{
    ems_pool *pool = ems_pool_new(ems_run_threads(run), err);
    int code = pool ? make_room(j, err) : EMS_ENOMEM;
    if (code == EMS_OK)
        code = list_asked(j, run, err);
    if (code == EMS_OK)
        code = watch_all(j, pool, run, err);
    if (code == EMS_OK)
        code = tell_passed_over(j, run, err);
    if (code == EMS_OK)
        code = lay_out(j->g, j->usable, err);
    ems_pool_free(pool);
    clear_job(j);
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

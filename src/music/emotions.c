#include "music/emotions.h"

#include "affect/mapping.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = 7, NEUTRAL = EMS_EKMAN, MD5 = 32 };

typedef struct row {
    char *file;
    float scores[LABELS];
} row;

struct ems_emotions {
    row *rows;           /* ascending name: the path's last part, then file */
    size_t count, capacity;
};

/* ---- Reading -------------------------------------------------------------- */

/* GoEmotions' own grouping of its 28 labels (ekman_mapping.json). */
static const struct { const char *name; int ekman; } group[] = {
    {"anger", EMS_ANGER}, {"annoyance", EMS_ANGER},
    {"disapproval", EMS_ANGER}, {"disgust", EMS_DISGUST},
    {"fear", EMS_FEAR}, {"nervousness", EMS_FEAR},
    {"joy", EMS_JOY}, {"amusement", EMS_JOY}, {"approval", EMS_JOY},
    {"excitement", EMS_JOY}, {"gratitude", EMS_JOY}, {"love", EMS_JOY},
    {"optimism", EMS_JOY}, {"relief", EMS_JOY}, {"pride", EMS_JOY},
    {"admiration", EMS_JOY}, {"desire", EMS_JOY}, {"caring", EMS_JOY},
    {"sadness", EMS_SADNESS}, {"disappointment", EMS_SADNESS},
    {"embarrassment", EMS_SADNESS}, {"grief", EMS_SADNESS},
    {"remorse", EMS_SADNESS}, {"surprise", EMS_SURPRISE},
    {"realization", EMS_SURPRISE}, {"confusion", EMS_SURPRISE},
    {"curiosity", EMS_SURPRISE}, {"neutral", NEUTRAL},
};
enum { GROUP = sizeof group / sizeof *group };

typedef struct columns {
    int file, score[GROUP];
} columns;

static int find_columns(columns *at, const ems_csv *c, ems_error *err)
{
    int found[LABELS] = {0};
    at->file = ems_csv_column(c, "file");
    for (int i = 0; i < GROUP; i++) {
        at->score[i] = ems_csv_column(c, group[i].name);
        found[group[i].ekman] |= at->score[i] >= 0;
    }
    int ekman = 0;
    for (int i = 0; i < EMS_EKMAN; i++)
        ekman += found[i];
    if (at->file >= 0 && ekman == EMS_EKMAN)
        return EMS_OK;
    return ems_csv_fail(c, "columns named file, anger, disgust, fear, joy,"
                           " sadness and surprise are needed", err);
}

static int add_row(ems_emotions *e, const ems_csv *c, const columns *at,
                   ems_error *err)
{
    row r = {0};
    for (int i = 0; i < GROUP; i++) {
        double x;
        if (ems_csv_number(c, at->score[i], 0, 1, &x, err) < 0)
            return EMS_EFORMAT;
        if (!isnan(x))
            r.scores[group[i].ekman] += (float)x;
    }
    const char *file = ems_csv_text(c, at->file);
    if (!*file)
        return ems_csv_fail(c, "no file is named", err);
    if (ems_reserve((void *)&e->rows, &e->capacity, e->count + 1,
                    sizeof *e->rows) < 0 || !(r.file = ems_strdup(file)))
        return ems_out_of_memory(err);
    e->rows[e->count++] = r;
    return EMS_OK;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int row_order(const void *a, const void *b)
{
    const row *x = a, *y = b;
    const int c = strcmp(name_of(x->file), name_of(y->file));
    return c ? c : strcmp(x->file, y->file);
}

static int read_rows(ems_emotions *e, ems_csv *c, ems_error *err)
{
    columns at;
    int code = find_columns(&at, c, err), more = 1;
    while (code == EMS_OK && (more = ems_csv_next(c, err)) > 0)
        code = add_row(e, c, &at, err);
    if (e->count > 1)
        qsort(e->rows, e->count, sizeof *e->rows, row_order);
    return code < 0 ? code : more;
}

ems_emotions *ems_emotions_parse(const char *data, size_t size,
                                 const char *name, ems_error *err)
{
    ems_csv c;
    if (ems_csv_open(&c, data, size, name, err) < 0)
        return NULL;
    ems_emotions *e = ems_alloc(1, sizeof *e);
    const int code = e ? read_rows(e, &c, err) : ems_out_of_memory(err);
    ems_csv_close(&c);
    if (code < 0) {
        ems_emotions_free(e);
        return NULL;
    }
    return e;
}

ems_emotions *ems_emotions_load(const char *path, ems_error *err)
{
    ems_bytes b;
    if (ems_bytes_map(&b, path, EMS_CSV_BYTES, err) < 0)
        return NULL;
    ems_emotions *e = ems_emotions_parse(b.data ? (const char *)b.data : "",
                                         b.size, path, err);
    ems_bytes_unmap(&b);
    return e;
}

void ems_emotions_free(ems_emotions *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->count; i++)
        ems_free(e->rows[i].file);
    ems_free(e->rows);
    ems_free(e);
}

size_t ems_emotions_count(const ems_emotions *e)
{
    return e->count;
}

/* ---- Finding -------------------------------------------------------------- */

/* Is `part` all of `path`, or its end after a slash? */
static int ends_with(const char *path, const char *part)
{
    const size_t n = strlen(path), k = strlen(part);
    return k <= n && strcmp(path + n - k, part) == 0 &&
           (k == n || path[n - k - 1] == '/');
}

/* The first row whose file has that name, or `count`. */
static size_t first_named(const ems_emotions *e, const char *name)
{
    size_t low = 0, high = e->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (strcmp(name_of(e->rows[middle].file), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int is_md5(const char *name)
{
    return strspn(name, "0123456789abcdef") == MD5 && name[MD5] == '.';
}

const float *ems_emotions_find(const ems_emotions *e, const char *path,
                               const char *md5)
{
    const char *name = name_of(path);
    const float *found = NULL;
    for (size_t i = first_named(e, name);
         i < e->count && strcmp(name_of(e->rows[i].file), name) == 0; i++) {
        const char *file = e->rows[i].file;
        if (strcmp(file, path) == 0)
            return e->rows[i].scores;
        if (ends_with(file, path) || ends_with(path, file) || is_md5(name))
            found = e->rows[i].scores;
    }
    if (found || !md5)
        return found;
    char hashed[MD5 + 5];
    memcpy(hashed, md5, MD5);
    memcpy(hashed + MD5, ".mid", 5);
    const size_t i = first_named(e, hashed);
    return i < e->count && strcmp(name_of(e->rows[i].file), hashed) == 0
               ? e->rows[i].scores
               : NULL;
}

void ems_emotions_affect(const float ekman[LABELS], float *valence,
                         float *arousal)
{
    double sum = 0, p[EMS_EKMAN], v = NAN, a = NAN;
    for (int i = 0; i < LABELS; i++)
        sum += (double)ekman[i];
    for (int i = 0; i < EMS_EKMAN; i++)
        p[i] = (double)ekman[i] / sum;
    if (sum > 0)
        ems_emotion_to_va(&v, &a, p);
    *valence = (float)v;
    *arousal = (float)a;
}

/* ---- Writing -------------------------------------------------------------- */

void ems_emotions_put(FILE *f, const char *file, const float *scores,
                      const char *const *names, size_t count)
{
    static const int published[LABELS] = {EMS_ANGER, EMS_DISGUST, EMS_FEAR,
                                          EMS_JOY, NEUTRAL, EMS_SADNESS,
                                          EMS_SURPRISE};
    ems_csv_put(f, file ? file : "file");
    for (size_t i = 0; i < count; i++) {
        const size_t k = count == LABELS ? (size_t)published[i] : i;
        if (!file) {
            fprintf(f, ",%s", names[k]);
            continue;
        }
        const int x = (int)((double)scores[k] * 1e4 + 0.5);
        fprintf(f, ",%d.%04d", x / 10000, x % 10000);
    }
    fputc('\n', f);
}

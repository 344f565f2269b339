#include "music/listeners.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_POINTS = 10000, MAX_BYTES = 64 << 20 };

static int listened_order(const void *a, const void *b)
{
    return strcmp(((const ems_listened *)a)->file,
                  ((const ems_listened *)b)->file);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- One piece ------------------------------------------------------------ */

typedef struct sums {
    double *sum, *count; /* [points, 2] */
    size_t points;
} sums;

static int add_curve(sums *s, const json_t *rating, const ems_json_at *at,
                     const char *key, size_t axis)
{
    json_t *array;
    const int code = ems_json_array(rating, at, key, MAX_POINTS, &array);
    if (code < 0)
        return code;
    for (size_t i = 0; i < json_array_size(array) && i < s->points; i++) {
        const json_t *x = json_array_get(array, i);
        if (!json_is_number(x))
            return ems_json_fail(at, "%s[%zu] is not a number", key, i);
        double value = json_number_value(x);
        if (value < -1 || value > 1)
            return ems_json_fail(at, "%s[%zu] is not in [-1,1]", key, i);
        s->sum[2 * i + axis] += value;
        s->count[2 * i + axis]++;
    }
    return EMS_OK;
}

/* "piece0_12" is a person's rating of "piece0". */
static int rates(const char *rating, const char *piece)
{
    const size_t n = strlen(piece);
    return strncmp(rating, piece, n) == 0 && rating[n] == '_';
}

static int add_ratings(sums *s, size_t *people, json_t *ratings,
                       const ems_json_at *at, const char *piece)
{
    const char *key;
    json_t *rating;
    json_object_foreach(ratings, key, rating) {
        if (!rates(key, piece))
            continue;
        const ems_json_at here = ems_json_key(at, key);
        if (!json_is_object(rating))
            return ems_json_fail(&here, "not an object");
        int code = add_curve(s, rating, &here, "valence", 0);
        if (code == EMS_OK)
            code = add_curve(s, rating, &here, "arousal", 1);
        if (code < 0)
            return code;
        ++*people;
    }
    return EMS_OK;
}

static int keep(ems_listeners *l, const sums *s, const char *midi,
                size_t people, ems_error *err)
{
    if (people == 0)
        return EMS_OK;
    ems_listened x = {.points = s->points, .people = people};
    if (ems_reserve((void *)&l->items, &l->capacity, l->count + 1,
                    sizeof *l->items) < 0)
        return ems_out_of_memory(err);
    x.file = ems_strdup(name_of(midi));
    x.values = ems_alloc(2 * s->points, sizeof *x.values);
    if (!x.file || !x.values) {
        ems_free(x.file);
        ems_free(x.values);
        return ems_out_of_memory(err);
    }
    for (size_t i = 0; i < 2 * s->points; i++)
        x.values[i] = s->count[i] > 0 ? (float)(s->sum[i] / s->count[i])
                                      : NAN;
    l->items[l->count++] = x;
    return EMS_OK;
}

static int read_piece(ems_listeners *l, json_t *ratings,
                      const ems_json_at *ratings_at, const json_t *piece,
                      const ems_json_at *at, const char *id)
{
    const char *midi;
    json_int_t measures;
    if (!json_is_object(piece))
        return ems_json_fail(at, "not an object");
    int code = ems_json_string(piece, at, "midi", &midi);
    if (code == EMS_OK)
        code = ems_json_integer(piece, at, "measures", 1, MAX_POINTS,
                                &measures);
    if (code < 0)
        return code;
    sums s = {.points = (size_t)measures};
    size_t people = 0;
    s.sum = ems_alloc(2 * s.points, sizeof *s.sum);
    s.count = ems_alloc(2 * s.points, sizeof *s.count);
    code = s.sum && s.count
               ? add_ratings(&s, &people, ratings, ratings_at, id)
               : ems_out_of_memory(at->err);
    if (code == EMS_OK)
        code = keep(l, &s, midi, people, at->err);
    ems_free(s.sum);
    ems_free(s.count);
    return code;
}

/* ---- Files ---------------------------------------------------------------- */

static int read_root(ems_listeners *l, const json_t *root, const char *name,
                     ems_error *err)
{
    const ems_json_at at = ems_json_root(name, err);
    json_t *ratings, *pieces, *piece;
    if (!json_is_object(root))
        return ems_json_fail(&at, "not an object");
    int code = ems_json_object(root, &at, "annotations", &ratings);
    if (code == EMS_OK)
        code = ems_json_object(root, &at, "pieces", &pieces);
    if (code < 0)
        return code;
    const ems_json_at ratings_at = ems_json_key(&at, "annotations");
    const ems_json_at pieces_at = ems_json_key(&at, "pieces");
    const char *id;
    json_object_foreach(pieces, id, piece) {
        const ems_json_at here = ems_json_key(&pieces_at, id);
        code = read_piece(l, ratings, &ratings_at, piece, &here, id);
        if (code < 0)
            return code;
    }
    return EMS_OK;
}

int ems_listeners_parse(ems_listeners *l, const char *data, size_t size,
                        const char *name, ems_error *err)
{
    json_t *root = ems_json_parse(data, size, name, err);
    const int code = root ? read_root(l, root, name, err) : EMS_EFORMAT;
    json_decref(root);
    if (l->count > 1)
        qsort(l->items, l->count, sizeof *l->items, listened_order);
    if (code < 0)
        ems_listeners_clear(l);
    return code;
}

static int load_file(ems_listeners *l, const char *path, ems_error *err)
{
    ems_bytes b;
    int code = ems_bytes_map(&b, path, MAX_BYTES, err);
    if (code < 0)
        return code;
    code = ems_listeners_parse(l, b.data ? (const char *)b.data : "", b.size,
                               path, err);
    ems_bytes_unmap(&b);
    return code;
}

static int load_folder(ems_listeners *l, const char *path, ems_error *err)
{
    struct dirent **names;
    const int n = scandir(path, &names, NULL, alphasort);
    if (n < 0)
        return ems_fail_errno(err, EMS_EIO, "cannot read folder \"%s\"",
                              path);
    int code = EMS_OK, files = 0;
    for (int i = 0; i < n; i++) {
        const char *dot = strrchr(names[i]->d_name, '.');
        if (code == EMS_OK && dot && strcasecmp(dot, ".json") == 0) {
            char *file = ems_path_join(path, names[i]->d_name);
            code = file ? load_file(l, file, err) : ems_out_of_memory(err);
            ems_free(file);
            files++;
        }
        free(names[i]);
    }
    free(names);
    if (code == EMS_OK && !files)
        code = ems_fail(err, EMS_EIO, "no JSON file in folder \"%s\"", path);
    return code;
}

int ems_listeners_load(ems_listeners *l, const char *path, ems_error *err)
{
    *l = (ems_listeners){0};
    struct stat st;
    const int code = stat(path, &st) == 0 && S_ISDIR(st.st_mode)
                         ? load_folder(l, path, err)
                         : load_file(l, path, err);
    if (code < 0)
        ems_listeners_clear(l);
    return code;
}

const ems_listened *ems_listeners_find(const ems_listeners *l,
                                       const char *path)
{
    const ems_listened key = {.file = (char *)(uintptr_t)name_of(path)};
    return l->count ? bsearch(&key, l->items, l->count, sizeof key,
                              listened_order)
                    : NULL;
}

void ems_listeners_clear(ems_listeners *l)
{
    for (size_t i = 0; i < l->count; i++) {
        ems_free(l->items[i].file);
        ems_free(l->items[i].values);
    }
    ems_free(l->items);
    *l = (ems_listeners){0};
}

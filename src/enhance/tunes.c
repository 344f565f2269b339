#include "enhance/tunes.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "media/audio_in.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEEPEST = 8, BLOCK = 16384 };

/* ---- What is in the folder ----------------------------------------------- */

typedef struct names {
    char **name;
    size_t count, capacity;
} names;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void clear_names(names *n)
{
    for (size_t i = 0; i < n->count; i++)
        ems_free(n->name[i]);
    ems_free(n->name);
}

static int walk(names *n, const char *folder, int depth, ems_error *err);

static int take(names *n, char *path, int depth, ems_error *err)
{
    struct stat st;
    int code = EMS_OK;
    if (!path)
        return ems_out_of_memory(err);
    if (stat(path, &st) < 0)
        st.st_mode = 0; /* gone meanwhile */
    if (S_ISDIR(st.st_mode) && depth < DEEPEST)
        code = walk(n, path, depth + 1, err);
    if (!S_ISREG(st.st_mode)) {
        ems_free(path);
        return code;
    }
    if (ems_reserve((void **)&n->name, &n->capacity, n->count + 1,
                    sizeof *n->name) < 0) {
        ems_free(path);
        return ems_out_of_memory(err);
    }
    n->name[n->count++] = path;
    return EMS_OK;
}

static int walk(names *n, const char *folder, int depth, ems_error *err)
{
    DIR *d = opendir(folder);
    if (!d)
        return ems_fail_errno(err, EMS_EIO, "cannot read the folder \"%s\"",
                              folder);
    int code = EMS_OK;
    for (struct dirent *e; code == EMS_OK && (e = readdir(d));)
        if (e->d_name[0] != '.')
            code = take(n, ems_path_join(folder, e->d_name), depth, err);
    closedir(d);
    return code;
}

/* ---- Their sound --------------------------------------------------------- */

static int16_t sample(float x)
{
    const float y = rintf(x * 32768);
    return (int16_t)(y > 32767 ? 32767 : y < -32768 ? -32768 : y);
}

/* Read past `skip` frames. Those read, or a negative code. */
static int64_t pass_over(ems_audio_in *s, int64_t skip, float *block,
                         ems_error *err)
{
    int64_t done = 0;
    while (done < skip) {
        const int64_t want = skip - done < BLOCK ? skip - done : BLOCK;
        const int64_t n = ems_audio_in_read(s, block, want, err);
        if (n <= 0)
            return n < 0 ? n : done;
        done += n;
    }
    return done;
}

static int append(ems_tune *t, ems_audio_in *s, size_t most, float *block,
                  ems_error *err)
{
    size_t capacity = 0;
    while (t->frames < most) {
        const size_t left = most - t->frames;
        const int64_t n = ems_audio_in_read(s, block, left < BLOCK ? (int64_t)left
                                                                : BLOCK, err);
        if (n <= 0)
            return (int)n;
        if (ems_reserve((void **)&t->x, &capacity,
                        2 * (t->frames + (size_t)n), sizeof *t->x) < 0)
            return ems_out_of_memory(err);
        for (int64_t i = 0; i < 2 * n; i++)
            t->x[2 * t->frames + (size_t)i] = sample(block[i]);
        t->frames += (size_t)n;
    }
    return EMS_OK;
}

static int read_tune(ems_tune *t, const char *path, double from,
                     double seconds, const ems_run *run, ems_error *err)
{
    float block[2 * BLOCK];
    const int64_t skip = (int64_t)(from * EMS_TUNE_RATE);
    for (int try = 0; try < 2 && t->frames == 0; try++) {
        ems_audio_in *s = ems_audio_in_open(path, EMS_TUNE_RATE, 2, run, err);
        if (!s)
            return err->code;
        int64_t n = try == 0 ? pass_over(s, skip, block, err) : 0;
        if (n >= 0 && (n == skip || try == 1))
            n = append(t, s, (size_t)(seconds * EMS_TUNE_RATE), block, err);
        ems_audio_in_close(s);
        if (n < 0)
            return (int)n;
    }
    return EMS_OK;
}

static int add(ems_tunes *t, const char *path, const char *name, double from,
               double seconds, const ems_run *run, ems_error *err)
{
    ems_error local = {0};
    ems_tune tune = {.name = NULL};
    if (read_tune(&tune, path, from, seconds, run, &local) == EMS_ENOMEM) {
        ems_free(tune.x);
        return ems_out_of_memory(err);
    }
    if (tune.frames == 0) {
        ems_log(run, EMS_LOG_INFO, "no sound in \"%s\"", path);
        ems_free(tune.x);
        return EMS_OK;
    }
    tune.name = ems_strdup(name);
    if (!tune.name || ems_reserve((void **)&t->tune, &t->capacity,
                                  t->count + 1, sizeof *t->tune) < 0) {
        ems_free(tune.x);
        ems_free(tune.name);
        return ems_out_of_memory(err);
    }
    t->tune[t->count++] = tune;
    t->seconds += (double)tune.frames / EMS_TUNE_RATE;
    return EMS_OK;
}

int ems_tunes_read(ems_tunes *t, const char *folder, double from,
                   double seconds, const ems_run *run, ems_error *err)
{
    names n = {0};
    *t = (ems_tunes){0};
    int code = walk(&n, folder, 0, err);
    if (code == EMS_OK && n.count)
        qsort(n.name, n.count, sizeof *n.name, by_name);
    for (size_t i = 0; code == EMS_OK && i < n.count; i++) {
        code = ems_cancelled(run) ? ems_fail_cancelled(err) : EMS_OK;
        if (code == EMS_OK)
            code = add(t, n.name[i], n.name[i] + strlen(folder), from,
                       seconds, run, err);
        ems_progress(run, "read", (double)(i + 1) / (double)n.count);
    }
    clear_names(&n);
    if (code == EMS_OK && t->count == 0)
        code = ems_fail(err, EMS_EFORMAT, "no sound below \"%s\"; give a"
                        " folder of music", folder);
    if (code < 0)
        ems_tunes_clear(t);
    return code;
}

void ems_tunes_clear(ems_tunes *t)
{
    for (size_t i = 0; i < t->count; i++) {
        ems_free(t->tune[i].name);
        ems_free(t->tune[i].x);
    }
    ems_free(t->tune);
    *t = (ems_tunes){0};
}

void ems_tune_get(const ems_tune *t, float *out, size_t at, size_t frames)
{
    for (size_t i = 0; i < 2 * frames; i++)
        out[i] = 2 * at + i < 2 * t->frames
                     ? (float)t->x[2 * at + i] / 32768
                     : 0;
}

int ems_tune_filtered(const ems_tune *t, const ems_filter *f, float *whole,
                      float *dull, size_t at, size_t frames, ems_error *err)
{
    ems_tune_get(t, whole, at, frames);
    if (!f) {
        memcpy(dull, whole, 2 * frames * sizeof *dull);
        return EMS_OK;
    }
    const size_t before = at < EMS_TUNE_MARGIN ? at : EMS_TUNE_MARGIN;
    const size_t count = before + frames + EMS_TUNE_MARGIN;
    const size_t left = t->frames - (at - before);
    float *x = ems_alloc(2 * count, sizeof *x);
    if (!x)
        return ems_out_of_memory(err);
    ems_tune_get(t, x, at - before, count);
    const int code = ems_filter_zero_phase(f, x, x, count < left ? count
                                                                 : left, 2,
                                           err);
    memcpy(dull, x + 2 * before, 2 * frames * sizeof *dull);
    ems_free(x);
    return code;
}

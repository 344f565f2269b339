#include "music/critic_data.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "music/listeners.h"
#include "music/piece.h"

#include <math.h>
#include <string.h>

/* Ratings follow the music: r is highest when the window of 16 s ends 4 s
 * after the rating's own time or earlier (4 to 12 s of lag differ by .01). */
#define LAG 4.0

static int reserve_rows(ems_rated *r, size_t rows, ems_error *err)
{
    float *x = ems_realloc(r->x, rows * EMS_HEARD_WHOLE, sizeof *x);
    r->x = x ? x : r->x;
    float *y = x ? ems_realloc(r->y, rows * 2, sizeof *y) : NULL;
    r->y = y ? y : r->y;
    uint32_t *piece = y ? ems_realloc(r->piece, rows, sizeof *piece) : NULL;
    r->piece = piece ? piece : r->piece;
    return piece ? EMS_OK : ems_out_of_memory(err);
}

typedef struct adding {
    ems_rated *r;
    const ems_listened *listened;
} adding;

static void add_row(void *user, size_t i, const double *x)
{
    const adding *a = user;
    ems_rated *r = a->r;
    const float *y = &a->listened->values[2 * i];
    if (!x || isnan(y[0]) || isnan(y[1]))
        return;
    for (size_t f = 0; f < EMS_HEARD_WHOLE; f++)
        r->x[r->rows * EMS_HEARD_WHOLE + f] = (float)x[f];
    r->y[2 * r->rows] = y[0];
    r->y[2 * r->rows + 1] = y[1];
    r->piece[r->rows++] = (uint32_t)r->pieces;
}

static int add_piece(ems_rated *r, const ems_listened *l, const ems_piece *p,
                     ems_error *err)
{
    double *times = ems_alloc(l->points, sizeof *times);
    char *name = ems_strdup(l->file);
    if (!times || !name || reserve_rows(r, r->rows + l->points, err) < 0) {
        ems_free(times);
        ems_free(name);
        return ems_out_of_memory(err);
    }
    for (size_t i = 0; i < l->points; i++)
        times[i] = ((double)i + 0.5) * p->duration / (double)l->points - LAG;
    adding a = {r, l};
    const size_t before = r->rows;
    const int code = ems_hear_piece(p->notes, p->note_count, times, l->points,
                                    add_row, &a, err);
    ems_free(times);
    if (code == EMS_OK && r->rows > before)
        r->name[r->pieces++] = name;
    else
        ems_free(name);
    return code;
}

static int load_piece(ems_rated *r, const char *midi, const ems_listened *l,
                      const ems_run *run, ems_error *err)
{
    char *path = ems_path_join(midi, l->file);
    if (!path)
        return ems_out_of_memory(err);
    ems_piece *p = ems_piece_load(path, err);
    ems_free(path);
    if (!p && err->code == EMS_ENOMEM)
        return EMS_ENOMEM;
    if (!p) {
        ems_log(run, EMS_LOG_WARNING, "left out: %s", err->text);
        return EMS_OK;
    }
    const int code = add_piece(r, l, p, err);
    ems_piece_free(p);
    return code;
}

static int load_pieces(ems_rated *r, const ems_listeners *l,
                       const char *folder, const ems_run *run, ems_error *err)
{
    char *midi = ems_path_join(folder, "midi");
    r->name = ems_alloc(l->count, sizeof *r->name);
    r->group = ems_alloc(l->count, sizeof *r->group);
    int code = midi && r->name && r->group ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; code == EMS_OK && i < l->count; i++) {
        if (ems_cancelled(run))
            code = ems_fail_cancelled(err);
        else
            code = load_piece(r, midi, &l->items[i], run, err);
        ems_progress(run, "hear", (double)(i + 1) / (double)l->count);
    }
    ems_free(midi);
    if (code == EMS_OK && r->pieces < 2)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" has fewer than two rated"
                        " pieces; it needs annotations/*.json and midi/ as"
                        " VGMIDI has them", folder);
    return code;
}

int ems_rated_load(ems_rated *r, const char *folder, const ems_run *run,
                   ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    *r = (ems_rated){0};
    char *ratings = ems_path_join(folder, "annotations");
    if (!ratings)
        return ems_out_of_memory(e);
    ems_listeners l = {0};
    int code = ems_listeners_load(&l, ratings, e);
    if (code == EMS_OK)
        code = load_pieces(r, &l, folder, run, e);
    ems_rated_group(r);
    ems_listeners_clear(&l);
    ems_free(ratings);
    if (code < 0)
        ems_rated_clear(r);
    return code;
}

void ems_rated_clear(ems_rated *r)
{
    for (size_t i = 0; i < r->pieces; i++)
        ems_free(r->name[i]);
    ems_free(r->x);
    ems_free(r->y);
    ems_free(r->piece);
    ems_free(r->group);
    ems_free(r->name);
    *r = (ems_rated){0};
}

/* ---- Series --------------------------------------------------------------- */

/* How many bytes of a name tell its series. */
static size_t series_length(const char *name)
{
    const size_t first = strcspn(name, "_");
    if (first != 5 || strncmp(name, "Other", 5) != 0 || !name[first])
        return first;
    const size_t second = first + 1 + strcspn(name + first + 1, "_");
    return name[second] ? second + 1 + strcspn(name + second + 1, "_")
                        : second;
}

static int same_series(const char *a, const char *b)
{
    const size_t n = series_length(a);
    return n == series_length(b) && memcmp(a, b, n) == 0;
}

void ems_rated_group(ems_rated *r)
{
    r->groups = 0;
    for (size_t i = 0; i < r->pieces; i++) {
        size_t k = 0;
        while (k < i && !same_series(r->name[k], r->name[i]))
            k++;
        r->group[i] = k < i ? r->group[k] : r->groups++;
    }
}

int ems_rated_halve(const ems_rated *r, uint8_t *half, ems_error *err)
{
    size_t *size = ems_alloc(r->groups, sizeof *size), total[2] = {0};
    if (!size)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < r->pieces; i++)
        size[r->group[i]]++;
    for (uint32_t k = 0; k < r->groups; k++) {
        uint32_t largest = 0;
        for (uint32_t g = 1; g < r->groups; g++)
            largest = size[g] > size[largest] ? g : largest;
        half[largest] = total[1] < total[0];
        total[half[largest]] += size[largest];
        size[largest] = 0;
    }
    ems_free(size);
    return EMS_OK;
}

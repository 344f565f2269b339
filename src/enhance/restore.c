#include "enhance/restore.h"

#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 16384 };
#define FILE_NAME "emsync-enhancer.safetensors"

static char *find(ems_error *err)
{
    char *path = ems_models_find(FILE_NAME, NULL);
    if (!path)
        ems_fail(err, EMS_EIO, "no %s in \"%s\"; install emsync, set"
                 " EMSYNC_MODELS, or train one (\"emsync train enhancer\")",
                 FILE_NAME, EMS_MODELS_INSTALLED);
    return path;
}

/* Numbers in the file: what it does not hold is not worth memory. */
static size_t numbers_in(const ems_safetensors *st)
{
    size_t count, sum = 0;
    const ems_st_tensor *t = ems_safetensors_all(st, &count);
    for (size_t i = 0; i < count; i++)
        sum += ems_st_count(&t[i]);
    return sum;
}

static int load(ems_enhancer *e, const ems_safetensors *st, const char *path,
                ems_pool *pool, ems_error *err)
{
    int code = ems_cnet_shape_of(st, path, &e->shape, err);
    if (code < 0)
        return code;
    if (numbers_in(st) < ems_cnet_parameters(&e->shape))
        return ems_fail(err, EMS_EFORMAT, "\"%s\" is not a whole enhancer: a"
                        " network of width %d has %zu numbers", path,
                        e->shape.width, ems_cnet_parameters(&e->shape));
    e->chunk = CHUNK;
    const size_t time = CHUNK + 2 * (ems_cnet_reach(&e->shape) +
                                     EMS_CROSS_HALF) +
                        ems_cnet_step(&e->shape);
    const size_t step = ems_cnet_step(&e->shape);
    e->net = ems_cnet_new(&e->shape, 1, time / step * step, 0, pool, err);
    if (!e->net)
        return EMS_ENOMEM;
    e->p = ems_alloc_aligned(e->net->parameters, sizeof *e->p);
    e->stats = ems_alloc(e->net->statistics + 1, sizeof *e->stats);
    if (!e->p || !e->stats)
        return ems_out_of_memory(err);
    return ems_cnet_load(e->net, st, path, e->p, e->stats, err);
}

int ems_enhancer_parse(ems_enhancer *e, const ems_safetensors *st,
                       const char *name, ems_pool *pool, ems_error *err)
{
    *e = (ems_enhancer){0};
    const int code = load(e, st, name, pool, err);
    if (code < 0)
        ems_enhancer_close(e);
    return code;
}

int ems_enhancer_open(ems_enhancer *e, const char *path, ems_pool *pool,
                      ems_error *err)
{
    ems_error local;
    err = err ? err : &local;
    char *shipped = path ? NULL : find(err);
    const char *name = path ? path : shipped;
    ems_safetensors *st = name ? ems_safetensors_open(name, err) : NULL;
    const int code = st ? ems_enhancer_parse(e, st, name, pool, err)
                        : err->code;
    ems_safetensors_free(st);
    ems_free(shipped);
    return code;
}

void ems_enhancer_close(ems_enhancer *e)
{
    ems_cnet_free(e->net);
    ems_free(e->p);
    ems_free(e->stats);
    *e = (ems_enhancer){0};
}

void ems_enhancer_cross(ems_enhancer *e, double hz, double rate)
{
    const double turn = 2 * M_PI * hz / rate;
    double sum = 0;
    e->crosses = hz > 0;
    for (int i = -EMS_CROSS_HALF; i <= EMS_CROSS_HALF; i++) {
        const double at = M_PI * i / (EMS_CROSS_HALF + 1);
        const double window = 0.42 + 0.5 * cos(at) + 0.08 * cos(2 * at);
        const double low = i ? sin(turn * i) / (M_PI * i) : turn / M_PI;
        e->cross[EMS_CROSS_HALF + i] = (float)(-window * low);
        sum += window * low;
    }
    for (int i = 0; i <= 2 * EMS_CROSS_HALF && hz > 0; i++)
        e->cross[i] /= (float)sum; /* nothing of a constant passes */
    e->cross[EMS_CROSS_HALF] += 1;
}

size_t ems_enhancer_reach(const ems_enhancer *e)
{
    const size_t step = e->net->step;
    return e->net->reach + (e->crosses ? (EMS_CROSS_HALF + step - 1) / step *
                                             step : 0);
}

/* Row at - EMS_CROSS_HALF of a sound that stands still beyond its ends. */
static size_t hold(size_t at, size_t end)
{
    const size_t row = at < EMS_CROSS_HALF ? 0 : at - EMS_CROSS_HALF;
    return row < end ? row : end - 1;
}

/* y = x + the high-passed difference between z and x; row 0 of x and z is
 * `before` rows before that of y, and they end `after` rows after it. */
static void add_above(const ems_enhancer *e, float *y, const float *x,
                      const float *z, size_t frames, size_t before,
                      size_t after)
{
    const size_t end = before + frames + after;
    for (size_t i = 0; i < frames; i++) {
        const size_t at = before + i;
        float sum[2] = {0, 0};
        for (size_t j = 0; j <= 2 * EMS_CROSS_HALF; j++) {
            const size_t k = hold(at + j, end);
            sum[0] += e->cross[j] * (z[2 * k] - x[2 * k]);
            sum[1] += e->cross[j] * (z[2 * k + 1] - x[2 * k + 1]);
        }
        y[2 * i] = x[2 * at] + sum[0];
        y[2 * i + 1] = x[2 * at + 1] + sum[1];
    }
}

int ems_restore_chunk(ems_enhancer *e, float *y, size_t at, size_t frames,
                      size_t total, ems_restore_read *read, void *user,
                      ems_error *err)
{
    const size_t reach = ems_enhancer_reach(e), step = e->net->step;
    const size_t from = at < reach ? 0 : at - reach;
    const size_t end = total - at < frames + reach ? total
                                                   : at + frames + reach;
    const size_t time = (end - from + step - 1) / step * step;
    const int code = read(user, ems_cnet_input(e->net, 0), from, time, err);
    if (code < 0)
        return code;
    const ems_cnet_pass pass = {.p = e->p, .stats = e->stats, .sounds = 1,
                                .time = time};
    ems_cnet_forward(e->net, &pass);
    const float *z = ems_cnet_output(e->net, 0, 0);
    if (e->crosses)
        add_above(e, y, ems_cnet_input(e->net, 0), z, frames, at - from,
                  end - at - frames);
    else
        memcpy(y, z + 2 * (at - from), 2 * frames * sizeof *y);
    return EMS_OK;
}

typedef struct memory {
    const float *x;
    size_t frames;
} memory;

static int from_memory(void *user, float *x, size_t at, size_t frames,
                       ems_error *err)
{
    const memory *m = user;
    const size_t have = m->frames - at < frames ? m->frames - at : frames;
    (void)err;
    memcpy(x, m->x + 2 * at, 2 * have * sizeof *x);
    memset(x + 2 * have, 0, 2 * (frames - have) * sizeof *x);
    return EMS_OK;
}

int ems_restore(ems_enhancer *e, float *y, const float *x, size_t frames,
                ems_error *err)
{
    memory m = {x, frames};
    int code = EMS_OK;
    for (size_t at = 0; code == EMS_OK && at < frames; at += e->chunk) {
        const size_t n = frames - at < e->chunk ? frames - at : e->chunk;
        code = ems_restore_chunk(e, y + 2 * at, at, n, frames, from_memory,
                                 &m, err);
    }
    return code;
}

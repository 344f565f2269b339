/* ems_model_check: does our arithmetic equal that of reference vectors? */
#include "base/mem.h"
#include "base/run.h"
#include "music/graph.h"
#include "music/model_io.h"
#include "music/vocab.h"

#include <math.h>
#include <string.h>

typedef struct check {
    double tolerance;
    void (*each)(void *user, const char *tensor, double error);
    void *user;
    int above;
    ems_error *err;
} check;

#define ROUNDING 1e-6

/* Largest difference relative to the largest reference value, or, when the
 * direction is off by more than rounding, the larger of that and the angle's
 * sine. A tensor that is zero but for rounding (next to `scale`, the largest
 * of all values; a key's bias cannot have a gradient) is measured on that
 * scale. */
static double compare(const float *ours, const float *wanted, size_t n,
                      double scale)
{
    double worst = 0, most = 0, dot = 0, a = 0, b = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = ours[i], y = wanted[i];
        if (!isfinite(x))
            return INFINITY;
        worst = fmax(worst, fabs(x - y));
        most = fmax(most, fabs(y));
        dot += x * y;
        a += x * x;
        b += y * y;
    }
    if (most <= ROUNDING * scale)
        return scale > 0 ? worst / scale : worst;
    const double error = worst / most;
    const double cosine = a > 0 && b > 0 ? dot / sqrt(a * b) : 0;
    if (cosine > 1 - ROUNDING)
        return error;
    return fmax(error, sqrt(fmax(0, 1 - cosine * cosine)));
}

static void report(check *c, const char *name, double error)
{
    if (!(error <= c->tolerance))
        c->above++;
    if (c->each)
        c->each(c->user, name, error);
}

/* ---- Reference vectors -------------------------------------------------- */

typedef struct vectors {
    ems_batch batch;
    size_t sequences, tokens;
    uint16_t *ids;  /* tokens, then targets */
    float *reals;   /* seconds, conditions, logits, loss */
    const float *logits, *loss;
} vectors;

static void vectors_clear(vectors *v)
{
    ems_free(v->ids);
    ems_free(v->reals);
    *v = (vectors){0};
}

static const ems_st_tensor *wanted_tensor(const ems_safetensors *st,
                                          const char *file, const char *name,
                                          size_t count, ems_error *err)
{
    const ems_st_tensor *t = ems_safetensors_find(st, name);
    if (!t)
        ems_fail(err, EMS_EFORMAT, "\"%s\": no tensor \"%s\"", file, name);
    else if (count && ems_st_count(t) != count)
        ems_fail(err, EMS_EFORMAT, "\"%s\": tensor \"%s\" has %zu elements,"
                 " want %zu", file, name, ems_st_count(t), count);
    else
        return t;
    return NULL;
}

static int read_ids(uint16_t *out, const ems_safetensors *st,
                    const char *file, const char *name, size_t count,
                    int vocab, ems_error *err)
{
    const ems_st_tensor *t = wanted_tensor(st, file, name, count, err);
    if (!t)
        return EMS_EFORMAT;
    if (t->dtype != EMS_DT_I64)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": tensor \"%s\" is not I64",
                        file, name);
    for (size_t i = 0; i < count; i++) {
        int64_t id;
        memcpy(&id, (const char *)t->data + 8 * i, sizeof id);
        if (id < 0 || id >= vocab)
            return ems_fail(err, EMS_EFORMAT, "\"%s\": %s[%zu] is outside"
                            " the vocabulary", file, name, i);
        out[i] = (uint16_t)id;
    }
    return EMS_OK;
}

static int read_reals(float *out, const ems_safetensors *st, const char *file,
                      const char *name, size_t count, ems_error *err)
{
    const ems_st_tensor *t = wanted_tensor(st, file, name, count, err);
    if (!t)
        return EMS_EFORMAT;
    if (ems_st_read_f32(t, out) < 0)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": tensor \"%s\" does not"
                        " hold reals", file, name);
    return EMS_OK;
}

static int vectors_sizes(vectors *v, const ems_safetensors *st,
                         const char *file, const ems_model_shape *shape,
                         ems_error *err)
{
    const ems_st_tensor *t = wanted_tensor(st, file, "tokens", 0, err);
    if (!t)
        return EMS_EFORMAT;
    const size_t most = (size_t)shape->context_len - EMS_CONDITIONS;
    if (t->ndim != 2 || t->dims[0] < 1 || t->dims[0] > 4096 ||
        t->dims[1] < 1 || t->dims[1] > most)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": tokens must be [batch, 1"
                        " to %zu]", file, most);
    v->sequences = t->dims[0];
    v->tokens = t->dims[1];
    return EMS_OK;
}

static int vectors_read(vectors *v, const ems_safetensors *st,
                        const char *file, const ems_model_shape *shape,
                        ems_error *err)
{
    if (vectors_sizes(v, st, file, shape, err) < 0)
        return EMS_EFORMAT;
    const size_t n = v->sequences * v->tokens;
    const size_t conditions = v->sequences * EMS_CONDITIONS;
    const size_t logits = v->sequences * (v->tokens + EMS_CONDITIONS) *
                          (size_t)shape->vocab_size;
    v->ids = ems_alloc(2 * n, sizeof *v->ids);
    v->reals = ems_alloc(n + conditions + logits + 1, sizeof *v->reals);
    if (!v->ids || !v->reals)
        return ems_out_of_memory(err);
    float *const seconds = v->reals, *const values = seconds + n;
    float *const out = values + conditions, *const loss = out + logits;
    const int vocab = shape->vocab_size;
    if (read_ids(v->ids, st, file, "tokens", n, vocab, err) < 0 ||
        read_ids(v->ids + n, st, file, "targets", n, vocab, err) < 0 ||
        read_reals(seconds, st, file, "seconds_to_boundary", n, err) < 0 ||
        read_reals(values, st, file, "conditions", conditions, err) < 0 ||
        read_reals(out, st, file, "logits", logits, err) < 0 ||
        read_reals(loss, st, file, "loss", 1, err) < 0)
        return EMS_EFORMAT;
    v->batch = (ems_batch){.tokens = v->ids, .targets = v->ids + n,
                           .seconds = seconds, .conditions = values};
    v->logits = out;
    v->loss = loss;
    return EMS_OK;
}

/* ---- The comparison ----------------------------------------------------- */

static int check_logits(check *c, const ems_graph *g, const vectors *v,
                        size_t vocab)
{
    size_t stride;
    const float *logits = ems_graph_logits(g, &stride);
    const size_t rows = v->sequences * (v->tokens + EMS_CONDITIONS);
    float *ours = ems_alloc(rows * vocab, sizeof *ours);
    if (!ours)
        return ems_out_of_memory(c->err);
    for (size_t i = 0; i < rows; i++)
        memcpy(ours + i * vocab, logits + i * stride, vocab * sizeof *ours);
    report(c, "logits", compare(ours, v->logits, rows * vocab, 0));
    ems_free(ours);
    return EMS_OK;
}

typedef struct tensor_check {
    check *c;
    const ems_safetensors *st;
    const char *file;
    const float *ours;
    double scale; /* the largest gradient of all */
    int measuring; /* looking for it */
    int code;
} tensor_check;

static double largest(const float *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

static void check_tensor(void *user, const ems_tensor *t)
{
    tensor_check *k = user;
    if (k->code < 0)
        return;
    float *wanted = ems_alloc(t->count, sizeof *wanted);
    if (!wanted) {
        k->code = ems_out_of_memory(k->c->err);
        return;
    }
    k->code = read_reals(wanted, k->st, k->file, t->name, t->count,
                         k->c->err);
    if (k->code == EMS_OK && k->measuring)
        k->scale = fmax(k->scale, largest(wanted, t->count));
    else if (k->code == EMS_OK)
        report(k->c, t->name, compare(k->ours + t->offset, wanted, t->count,
                                      k->scale));
    ems_free(wanted);
}

static int check_gradients(check *c, ems_graph *g, const ems_params *p,
                           const vectors *v, const char *file)
{
    ems_params d;
    float *block = ems_alloc_aligned(p->count, sizeof *block);
    ems_safetensors *st = ems_safetensors_open(file, c->err);
    int code = EMS_OK;
    if (!block)
        code = ems_out_of_memory(c->err);
    else if (!st)
        code = c->err->code;
    if (code == EMS_OK) {
        ems_params_place(&d, &p->shape, block);
        const float loss = (float)ems_graph_backward(g, p, &v->batch, &d);
        report(c, "loss", compare(&loss, v->loss, 1, 0));
        tensor_check k = {c, st, file, block, 0, 1, EMS_OK};
        ems_params_each(&p->shape, check_tensor, &k);
        k.measuring = 0;
        ems_params_each(&p->shape, check_tensor, &k);
        code = k.code;
    }
    ems_safetensors_free(st);
    ems_free(block);
    return code;
}

static int check_all(check *c, const ems_params *p, const vectors *v,
                     const char *grads, const ems_run *run)
{
    ems_pool *pool = ems_pool_new(ems_run_threads(run), c->err);
    if (!pool)
        return c->err->code;
    const ems_graph_options o = {
        .shape = p->shape, .batch = v->sequences, .tokens = v->tokens,
        .forward_only = !grads, .all_rows = 1};
    ems_graph *g = ems_graph_new(&o, ems_cpu_best(), pool, c->err);
    int code = g ? EMS_OK : c->err->code;
    if (g) {
        ems_graph_forward(g, p, &v->batch, 0);
        code = check_logits(c, g, v, (size_t)p->shape.vocab_size);
    }
    if (code == EMS_OK && grads) {
        code = check_gradients(c, g, p, v, grads);
    } else if (code == EMS_OK) {
        const float loss = (float)ems_graph_loss(g, &v->batch);
        report(c, "loss", compare(&loss, v->loss, 1, 0));
    }
    ems_graph_free(g);
    ems_pool_free(pool);
    return code;
}

int ems_model_check(const char *weights, const char *io, const char *grads,
                    double tolerance,
                    void (*each)(void *user, const char *tensor,
                                 double error),
                    void *user, const ems_run *run, ems_error *err)
{
    ems_error local;
    check c = {tolerance, each, user, 0, err ? err : &local};
    ems_params p = {0};
    vectors v = {0};
    ems_safetensors *w = ems_safetensors_open(weights, c.err);
    ems_safetensors *in = w ? ems_safetensors_open(io, c.err) : NULL;
    int code = in ? EMS_OK : c.err->code;
    if (code == EMS_OK)
        code = ems_params_load(w, weights, &p, c.err);
    if (code == EMS_OK)
        code = vectors_read(&v, in, io, &p.shape, c.err);
    if (code == EMS_OK)
        code = check_all(&c, &p, &v, grads, run);
    vectors_clear(&v);
    ems_free(p.block);
    ems_safetensors_free(in);
    ems_safetensors_free(w);
    return code < 0 ? code : c.above;
}

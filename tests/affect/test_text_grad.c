/* Gradients of the classifier against finite differences. */
#include "ems_test.h"

#include "affect/text_grad.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>

static const ems_text_shape SHAPE = {40, 32, 32, 32};

typedef struct subject {
    ems_text_net net;
    ems_text_params params;
    float *block, *table;
    size_t floats, cells;
    ems_shard *shard;
    void *work;
} subject;

static void randomize(float *x, size_t count, double reach, ems_rng *rng)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(ems_rng_normal(rng) * reach);
}

static void make_input(ems_shard_input *in, ems_rng *rng)
{
    static const size_t WORDS[] = {3, 1, 7, 2, 5};
    in->lines = sizeof WORDS / sizeof *WORDS;
    in->key = 77;
    size_t w = 0;
    for (size_t l = 0; l < in->lines; l++) {
        for (size_t i = 0; i < WORDS[l]; i++, w++) {
            const size_t pieces = 1 + ems_rng_below(rng, 4);
            in->word[w + 1] = in->word[w] + pieces;
            for (size_t k = 0; k < pieces; k++)
                in->row[in->word[w] + k] =
                    (uint32_t)ems_rng_below(rng, SHAPE.buckets);
        }
        in->line[l + 1] = w;
        for (size_t o = 0; o < EMS_TEXT_OUTPUTS; o++)
            in->target[l][o] = (float)ems_rng_uniform(rng);
    }
}

static int setup(void **state)
{
    subject *s = ems_alloc(1, sizeof *s);
    ems_rng rng = ems_rng_seed(5, 0);
    s->floats = ems_text_params_place(&s->params, NULL, &SHAPE);
    s->cells = SHAPE.buckets * SHAPE.width;
    s->block = ems_alloc_aligned(s->floats, sizeof(float));
    s->table = ems_alloc_aligned(s->cells, sizeof(float));
    ems_text_params_place(&s->params, s->block, &SHAPE);
    randomize(s->block, s->floats, 0.2, &rng);
    randomize(s->table, s->cells, 0.7, &rng);
    s->net = (ems_text_net){.shape = SHAPE, .params = &s->params,
                            .table = s->table, .level = ems_cpu_best()};
    s->net.ops = ems_ops_get(s->net.level);
    s->shard = ems_shard_new(&SHAPE, NULL);
    s->work = ems_alloc_aligned(ems_gemm_work(s->net.level), 1);
    make_input(&s->shard->in, &rng);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    subject *s = *state;
    ems_shard_free(s->shard);
    ems_free(s->work);
    ems_free(s->block);
    ems_free(s->table);
    ems_free(s);
    return 0;
}

static double loss_of(subject *s)
{
    ems_shard_run(s->shard, &s->net, s->work);
    return s->shard->loss;
}

/* The slope of the loss along the direction d of the numbers x. */
static double slope(subject *s, float *x, const float *d, size_t n)
{
    const double step = 2e-3;
    double loss[2];
    float *kept = ems_alloc(n, sizeof *kept);
    memcpy(kept, x, n * sizeof *x);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((double)kept[i] +
                           (side ? step : -step) * (double)d[i]);
        loss[side] = loss_of(s);
    }
    memcpy(x, kept, n * sizeof *x);
    ems_free(kept);
    return (loss[1] - loss[0]) / (2 * step);
}

/* Along the gradient the slope is its length; along its larger half, the
 * length of that: each element counts. */
static void check(subject *s, const char *name, float *x, const float *grad,
                  size_t n)
{
    float *d = ems_alloc(n, sizeof *d), *g = ems_alloc(n, sizeof *g);
    memcpy(g, grad, n * sizeof *g);
    for (int half = 0; half < 3; half++) {
        double square = 0;
        for (size_t i = 0; i < n; i++) {
            d[i] = half && (i & 1) == (size_t)(half - 1) ? 0 : g[i];
            square += (double)d[i] * (double)d[i];
        }
        const double length = sqrt(square);
        assert_true(length > 1e-3);
        for (size_t i = 0; i < n; i++)
            d[i] = (float)((double)d[i] / length);
        const double found = slope(s, x, d, n);
        if (fabs(found - length) > 0.01 * length)
            fail_msg("%s: slope %g, gradient %g", name, found, length);
    }
    ems_free(d);
    ems_free(g);
}

/* From the gradients of the words' means to the rows'. */
static float *table_gradient(const subject *s)
{
    const ems_shard_input *in = &s->shard->in;
    float *g = ems_alloc(s->cells, sizeof *g);
    for (size_t w = 0; w < in->line[in->lines]; w++) {
        const size_t from = in->word[w], to = in->word[w + 1];
        for (size_t i = from; i < to; i++)
            for (size_t j = 0; j < SHAPE.width; j++)
                g[in->row[i] * SHAPE.width + j] +=
                    s->shard->dword[w * SHAPE.width + j] / (float)(to - from);
    }
    return g;
}

enum { PARAMS = 7 };

typedef struct tensor {
    const char *name;
    float *x;
    const float *grad;
    size_t count;
} tensor;

static void list_tensors(tensor out[PARAMS], const ems_text_params *p,
                         const ems_text_params *g, const ems_text_shape *s)
{
    const tensor list[PARAMS] = {
#define X(field, name, rows, cols)                                            \
        {name, p->field, g->field, ((rows) > 0 ? (rows) : 1) * (cols)},
        EMS_TEXT_PARAMS(X)
#undef X
    };
    memcpy(out, list, sizeof list);
}

static void check_all(subject *s)
{
    tensor t[PARAMS];
    loss_of(s);
    float *rows = table_gradient(s);
    check(s, "embedding", s->table, rows, s->cells);
    ems_free(rows);
    list_tensors(t, &s->params, &s->shard->grad, &SHAPE);
    for (size_t i = 0; i < PARAMS; i++) {
        loss_of(s); /* check() leaves the gradient of another point */
        check(s, t[i].name, t[i].x, t[i].grad, t[i].count);
    }
}

static void gradients(void **state)
{
    check_all(*state);
}

static void gradients_with_dropout(void **state)
{
    subject *s = *state;
    s->net.dropout = 0.3f;
    check_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gradients, setup, teardown),
        cmocka_unit_test_setup_teardown(gradients_with_dropout, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

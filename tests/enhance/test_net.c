/* The enhancer's networks: the paper's sizes, PyTorch's numbers, gradients by
 * finite differences, any number of threads, chunks that meet. */
#include "ems_test.h"

#include "base/mem.h"
#include "enhance/net.h"

#include <math.h>

typedef struct reference {
    const char *name;
    double loss, norm;
    size_t parameters;
    double output[24], gradient[24], eval[24], stats[24];
} reference;

#include "torch_reference.h"

typedef struct rig {
    ems_cnet *net;
    ems_pool *pool;
    float *p, *stats, *gradient, *want;
    size_t sounds, time;
} rig;

static uint32_t noise_state;

/* The generator of torch_reference.py. */
static float noise(void)
{
    noise_state = (noise_state * 1103515245u + 12345u) & 0x7fffffff;
    return (float)(noise_state >> 15) / 32768.0f - 1.0f;
}

static void fill_layer(rig *r, const ems_cnet_layer *l)
{
    const size_t c = r->net->tensor[l->in].channels;
    const size_t out = r->net->tensor[l->out].channels;
    const double scale = 1.4 / sqrt((double)(c * l->taps));
    for (size_t i = l->weight; i < l->bias; i++)
        r->p[i] = l->kind == EMS_CNET_NORM ? 1 + 0.5f * noise()
                                          : (float)(scale * (double)noise());
    for (size_t i = 0; i < out; i++)
        r->p[l->bias + i] = 0.1f * noise();
    for (size_t i = 0; l->kind == EMS_CNET_NORM && i < c; i++) {
        r->stats[l->stats + i] = 0;
        r->stats[l->stats + c + i] = 1;
    }
}

static rig rig_new(const ems_enhancer_shape *shape, size_t sounds,
                   size_t time, int training, int threads)
{
    ems_error err;
    rig r = {.pool = ems_pool_new(threads, &err), .sounds = sounds,
             .time = time};
    r.net = ems_cnet_new(shape, sounds, time, training, r.pool, &err);
    assert_non_null(r.net);
    r.p = ems_alloc_aligned(r.net->parameters, sizeof *r.p);
    r.gradient = ems_alloc_aligned(r.net->parameters, sizeof *r.gradient);
    r.stats = ems_alloc(r.net->statistics + 1, sizeof *r.stats);
    r.want = ems_alloc(sounds * time * 2, sizeof *r.want);
    noise_state = 1;
    for (size_t i = 0; i < r.net->layers; i++)
        if (r.net->layer[i].kind <= EMS_CNET_NORM)
            fill_layer(&r, &r.net->layer[i]);
    for (size_t i = 0; i < sounds; i++)
        for (size_t k = 0; k < 2 * time; k++)
            ems_cnet_input(r.net, i)[k] = noise();
    for (size_t i = 0; i < sounds * time * 2; i++)
        r.want[i] = noise();
    return r;
}

static void rig_free(rig *r)
{
    ems_cnet_free(r->net);
    ems_pool_free(r->pool);
    ems_free(r->p);
    ems_free(r->gradient);
    ems_free(r->stats);
    ems_free(r->want);
}

static ems_cnet_pass pass_of(const rig *r, int train)
{
    return (ems_cnet_pass){.p = r->p, .stats = r->stats, .sounds = r->sounds,
                          .time = r->time, .train = train, .seed = 5};
}

static double loss(rig *r, int train, int backward)
{
    const ems_cnet_pass pass = pass_of(r, train);
    const size_t n = 2 * r->time;
    double sum = 0;
    ems_cnet_forward(r->net, &pass);
    for (size_t i = 0; i < r->sounds; i++)
        for (size_t k = 0; k < n; k++) {
            const double e = (double)ems_cnet_output(r->net, i, 0)[k] -
                             (double)r->want[i * n + k];
            sum += e * e;
            if (backward)
                ems_cnet_output(r->net, i, 1)[k] =
                    (float)(2 * e / (double)(r->sounds * n));
        }
    if (backward)
        ems_cnet_backward(r->net, &pass, r->gradient);
    return sum / (double)(r->sounds * n);
}

static void near(double got, double want, double scale, const char *what)
{
    if (!(fabs(got - want) <= 2e-5 * scale))
        fail_msg("%s: %.9g, not %.9g", what, got, want);
}

static void compare(const float *got, size_t count, const double want[24],
                    const char *what)
{
    double scale = 1e-6;
    for (size_t i = 0; i < 24; i++)
        scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < 24; i++)
        near((double)got[i * (count - 1) / 23], want[i], scale, what);
}

static void compare_output(rig *r, const double want[24])
{
    const size_t n = 2 * r->time;
    float *all = ems_alloc(r->sounds * n, sizeof *all);
    for (size_t i = 0; i < r->sounds; i++)
        memcpy(all + i * n, ems_cnet_output(r->net, i, 0), n * sizeof *all);
    compare(all, r->sounds * n, want, "output");
    ems_free(all);
}

static const struct {
    ems_enhancer_shape shape;
    size_t sounds, time;
} CASES[] = {
    {{.kind = EMS_ENHANCER_RESNET, .width = 8, .blocks = 3}, 2, 96},
    {{.kind = EMS_ENHANCER_RESNET, .width = 5, .blocks = 2, .batch_norm = 1},
     3, 64},
    {{.kind = EMS_ENHANCER_UNET, .width = 3, .blocks = 1}, 2, 160},
    {{.kind = EMS_ENHANCER_UNET, .width = 2, .blocks = 1, .batch_norm = 1},
     2, 128},
};
enum { CASE_COUNT = sizeof CASES / sizeof *CASES };

static void test_as_pytorch(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const reference *ref = &REFERENCE[i];
        rig r = rig_new(&CASES[i].shape, CASES[i].sounds, CASES[i].time, 1,
                        1);
        assert_int_equal(r.net->parameters, ref->parameters);
        near(loss(&r, 1, 1), ref->loss, ref->loss, ref->name);
        compare_output(&r, ref->output);
        compare(r.gradient, r.net->parameters, ref->gradient, ref->name);
        double norm = 0;
        for (size_t k = 0; k < r.net->parameters; k++)
            norm += (double)r.gradient[k] * (double)r.gradient[k];
        near(sqrt(norm), ref->norm, ref->norm, "norm");
        if (r.net->statistics)
            compare(r.stats, r.net->statistics, ref->stats, "statistics");
        loss(&r, 0, 0);
        compare_output(&r, ref->eval);
        rig_free(&r);
    }
}

/* Dropout is the same in each pass of a seed, so differences see it too. */
static void test_gradient_by_differences(void **state)
{
    (void)state;
    static const ems_enhancer_shape shapes[] = {
        {.kind = EMS_ENHANCER_RESNET, .width = 6, .blocks = 2,
         .dropout = 0.5},
        {.kind = EMS_ENHANCER_UNET, .width = 2, .blocks = 1, .dropout = 0.5}};
    for (size_t s = 0; s < 2; s++) {
        rig r = rig_new(&shapes[s], 2, 64, 1, 2);
        loss(&r, 1, 1);
        ems_rng rng = ems_rng_seed(3, s);
        double error = 0, size = 0;
        for (int i = 0; i < 60; i++) {
            float *w = &r.p[ems_rng_below(&rng, r.net->parameters)];
            const float was = *w, h = 1.0f / 4096;
            *w = was + h;
            const double up = loss(&r, 1, 0);
            *w = was - h;
            const double down = loss(&r, 1, 0);
            *w = was;
            const double got = (double)r.gradient[w - r.p];
            const double want = (up - down) / (2 * (double)h);
            error += (got - want) * (got - want);
            size += want * want;
        }
        assert_true(size > 0);
        assert_true(sqrt(error / size) < 0.005);
        rig_free(&r);
    }
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        ems_enhancer_shape shape = CASES[i].shape;
        shape.width *= 6;
        rig a = rig_new(&shape, 3, 960, 1, 1);
        rig b = rig_new(&shape, 3, 960, 1, 3);
        assert_true(loss(&a, 1, 1) == loss(&b, 1, 1));
        assert_memory_equal(a.gradient, b.gradient,
                            a.net->parameters * sizeof(float));
        rig_free(&a);
        rig_free(&b);
    }
}

/* Inference, whose tensors share memory, gives what training's memory gives;
 * so does a piece of the sound from ems_cnet_reach inside its ends on. */
static void test_pieces_meet(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const size_t time = 2560, cut = 960, n = 2 * time;
        rig a = rig_new(&CASES[i].shape, 1, time, 1, 1);
        rig b = rig_new(&CASES[i].shape, 1, time, 0, 2);
        loss(&a, 0, 0);
        loss(&b, 0, 0);
        assert_memory_equal(ems_cnet_output(a.net, 0, 0),
                            ems_cnet_output(b.net, 0, 0), n * sizeof(float));
        const size_t reach = a.net->reach;
        assert_int_equal(reach, ems_cnet_reach(&CASES[i].shape));
        memcpy(ems_cnet_input(b.net, 0), ems_cnet_input(a.net, 0) + 2 * cut,
               (n - 2 * cut) * sizeof(float));
        ems_cnet_pass pass = pass_of(&b, 0);
        pass.time = time - cut;
        ems_cnet_forward(b.net, &pass);
        assert_memory_equal(ems_cnet_output(b.net, 0, 0) + 2 * reach,
                            ems_cnet_output(a.net, 0, 0) + 2 * (cut + reach),
                            (n - 2 * (cut + reach)) * sizeof(float));
        rig_free(&a);
        rig_free(&b);
    }
}

static void test_sizes_of_the_paper(void **state)
{
    (void)state;
    const ems_enhancer_shape resnet = {.kind = EMS_ENHANCER_RESNET,
                                       .width = 512, .blocks = 15};
    const ems_enhancer_shape unet = {.kind = EMS_ENHANCER_UNET, .width = 128,
                                     .blocks = 1};
    assert_int_equal(ems_cnet_parameters(&resnet), 55074306);
    assert_int_equal(ems_cnet_parameters(&unet), 56424324);
    assert_int_equal(ems_cnet_reach(&resnet), 3 * 31);
    assert_int_equal(ems_cnet_step(&unet), 32);
}

static void test_refusals(void **state)
{
    (void)state;
    ems_error err;
    const ems_enhancer_shape good = {.width = 4, .blocks = 1};
    static const ems_enhancer_shape bad[] = {
        {.width = 0, .blocks = 1}, {.width = 4, .blocks = 0},
        {.width = 4, .blocks = 1, .dropout = NAN},
        {.width = 4, .blocks = 1, .dropout = 0.5, .batch_norm = 1},
        {.kind = (ems_enhancer_kind)7, .width = 4, .blocks = 1},
        {.width = 100000, .blocks = 1}, {.width = 4, .blocks = 1000}};
    assert_int_equal(ems_cnet_check(&good, &err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ems_cnet_check(&bad[i], &err), EMS_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_pytorch),
        cmocka_unit_test(test_gradient_by_differences),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_pieces_meet),
        cmocka_unit_test(test_sizes_of_the_paper),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

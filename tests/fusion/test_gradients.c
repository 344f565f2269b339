/* Gradients of both fusions against differences, with and without dropout,
 * and what masks must do. */
#include "rig.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>

static const size_t ROWS[RIG_CLIPS][4] = {
    {3, 5, 2, 1}, {4, 0, 3, 0}, {0, 0, 1, 1}, {1, 2, 0, 0}, {4, 9, 3, 1}};

static void randomize(float *x, size_t n, double reach, ems_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(ems_rng_normal(rng) * reach);
}

static rig *random_rig(ems_fusion_kind kind)
{
    rig *r = rig_new(kind);
    ems_rng rng = ems_rng_seed(3, 0);
    randomize(r->block, r->floats, 0.3, &rng);
    for (size_t c = 0; c < RIG_CLIPS; c++) {
        ems_clip *clip = &r->clip[c];
        clip->known = EMS_KNOWN_EMOTION | EMS_KNOWN_AFFECT | EMS_KNOWN_GENRES;
        for (size_t e = 0; e < 4; e++) {
            const size_t n = ROWS[c][e] * r->net.shape.expert[e].dim;
            r->rows[c][e] = ems_alloc(n, sizeof(float));
            randomize(r->rows[c][e], n, 1, &rng);
            clip->part[e] = (ems_fusion_rows){r->rows[c][e], ROWS[c][e]};
        }
        clip->emotion[c] = 1;
        clip->affect[0] = (float)ems_rng_uniform(&rng);
        clip->genre[c * 3] = 1;
    }
    return r;
}

/* The slope of the loss along d. */
static double slope(rig *r, float *x, const float *d, size_t n)
{
    const double step = 7e-4;
    double loss[2];
    float *kept = ems_alloc(n, sizeof *kept);
    memcpy(kept, x, n * sizeof *x);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((double)kept[i] +
                           (side ? step : -step) * (double)d[i]);
        loss[side] = rig_run(r);
    }
    memcpy(x, kept, n * sizeof *x);
    ems_free(kept);
    return (loss[1] - loss[0]) / (2 * step);
}

/* Along the gradient the slope is its length. */
static void check(rig *r, const ems_fusion_tensor *t)
{
    const size_t n = (t->rows ? t->rows : 1) * t->cols;
    float *d = ems_alloc(n, sizeof *d);
    double square = 0;
    rig_run(r);
    memcpy(d, r->shard->grads + t->at, n * sizeof *d);
    for (size_t i = 0; i < n; i++)
        square += (double)d[i] * (double)d[i];
    const double length = sqrt(square);
    for (size_t i = 0; i < n && length > 1e-4; i++)
        d[i] = (float)((double)d[i] / length);
    const double found = slope(r, r->block + t->at, d, n);
    if (fabs(found - length) > 0.02 * length + 2e-3)
        fail_msg("%s: slope %g, gradient %g", t->name, found, length);
    ems_free(d);
}

static void gradients(ems_fusion_kind kind, float dropout)
{
    rig *r = random_rig(kind);
    size_t flat = 0;
    r->net.dropout = dropout;
    r->shard->key = 9;
    for (size_t i = 0; i < r->tensors; i++)
        check(r, &r->tensor[i]);
    rig_run(r);
    for (size_t i = 0; i < r->tensors; i++)
        flat += fabsf(r->shard->grads[r->tensor[i].at]) < 1e-9f;
    assert_true(flat < r->tensors / 4); /* most weights matter */
    rig_free(r);
}

static void cross(void **state)
{
    (void)state;
    gradients(EMS_FUSION_CROSS, 0);
    gradients(EMS_FUSION_CROSS, 0.3f);
}

static void joint(void **state)
{
    (void)state;
    gradients(EMS_FUSION_JOINT, 0);
    gradients(EMS_FUSION_JOINT, 0.3f);
}

/* What is marked absent is as if it had never been said, and clips do not
 * see each other. */
static void masks(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        rig *r = random_rig((ems_fusion_kind)kind);
        const size_t out = 29;
        float alone[29];
        r->shard->absent[0] = 1 << 2;
        ems_fusion_forward(r->shard, &r->net, r->work);
        memcpy(alone, r->shard->output, sizeof alone);
        r->shard->absent[0] = 0;
        ems_fusion_forward(r->shard, &r->net, r->work);
        assert_memory_not_equal(alone, r->shard->output, sizeof alone);
        r->clip[0].part[2].rows = 0;
        r->shard->clips = 1;
        ems_fusion_forward(r->shard, &r->net, r->work);
        for (size_t i = 0; i < out; i++)
            assert_float_equal(alone[i], r->shard->output[i], 1e-6);
        rig_free(r);
    }
}

/* Nine rows where five are wanted: 0, 2, 4, 6, 8. */
static void thinning(void **state)
{
    (void)state;
    rig *r = random_rig(EMS_FUSION_CROSS);
    float before[29], *all = r->rows[4][1];
    r->shard->clip[0] = &r->clip[4];
    r->shard->clips = 1;
    ems_fusion_forward(r->shard, &r->net, r->work);
    memcpy(before, r->shard->output, sizeof before);
    for (size_t i = 1; i < 5; i++)
        memmove(all + i * 10, all + 2 * i * 10, 10 * sizeof *all);
    r->clip[4].part[1].rows = 5;
    ems_fusion_forward(r->shard, &r->net, r->work);
    assert_memory_equal(before, r->shard->output, sizeof before);
    rig_free(r);
}

static void unknown_labels_cost_nothing(void **state)
{
    (void)state;
    rig *r = random_rig(EMS_FUSION_CROSS);
    for (size_t c = 0; c < RIG_CLIPS; c++)
        r->clip[c].known = 0;
    assert_true(rig_run(r) == 0);
    for (size_t i = 0; i < r->floats; i++)
        assert_true(r->shard->grads[i] == 0);
    rig_free(r);
}

static void wrong_shapes(void **state)
{
    (void)state;
    ems_error err;
    ems_fusion_shape s = rig_shape(EMS_FUSION_CROSS);
    s.heads = 5;
    assert_int_equal(ems_fusion_check(&s, &err), EMS_EINVAL);
    assert_non_null(strstr(err.text, "heads"));
    s = rig_shape(EMS_FUSION_CROSS);
    memcpy(s.expert[1].name, "face", 5);
    assert_int_equal(ems_fusion_check(&s, &err), EMS_EINVAL);
    assert_non_null(strstr(err.text, "face"));
    s = rig_shape(EMS_FUSION_CROSS);
    s.emotions = s.affect = s.genres = 0;
    assert_int_equal(ems_fusion_check(&s, &err), EMS_EINVAL);
    s = rig_shape(EMS_FUSION_JOINT);
    s.expert[2].dim = 0;
    assert_int_equal(ems_fusion_check(&s, &err), EMS_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross),
        cmocka_unit_test(joint),
        cmocka_unit_test(masks),
        cmocka_unit_test(thinning),
        cmocka_unit_test(unknown_labels_cost_nothing),
        cmocka_unit_test(wrong_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

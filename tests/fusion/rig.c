#include "rig.h"

#include "base/mem.h"

ems_fusion_shape rig_shape(ems_fusion_kind kind)
{
    return (ems_fusion_shape){
        .kind = kind, .experts = 4,
        .expert = {{"face", 7, 4}, {"scene", 10, 5}, {"sound", 6, 3},
                   {"words", 9, 1}},
        .width = 16, .heads = 4, .inner = 24, .emotions = EMS_EKMAN,
        .affect = 2, .genres = 21};
}

rig *rig_new(ems_fusion_kind kind)
{
    rig *r = ems_alloc(1, sizeof *r);
    const ems_fusion_shape s = rig_shape(kind);
    assert_int_equal(ems_fusion_check(&s, NULL), EMS_OK);
    r->floats = ems_fusion_place(&r->params, NULL, &s, r->tensor,
                                 &r->tensors);
    assert_true(r->tensors <= RIG_TENSORS);
    r->block = ems_alloc_aligned(r->floats, sizeof *r->block);
    r->ones = ems_alloc(64, sizeof *r->ones);
    for (size_t i = 32; i < 64; i++)
        r->ones[i] = 1;
    ems_fusion_place(&r->params, r->block, &s, NULL, NULL);
    r->net = (ems_fusion_net){.shape = s, .params = &r->params,
                              .weight = {1, 1, 1}, .level = ems_cpu_best()};
    r->net.ops = ems_ops_get(r->net.level);
    for (size_t e = 0; e < s.experts; e++) {
        r->net.mean[e] = r->ones;
        r->net.unit[e] = r->ones + 32;
    }
    r->shard = ems_fusion_shard_new(&s, RIG_CLIPS, 0, NULL);
    r->shard->clips = RIG_CLIPS;
    for (size_t c = 0; c < RIG_CLIPS; c++)
        r->shard->clip[c] = &r->clip[c];
    r->work = ems_alloc_aligned(ems_gemm_work(r->net.level), 1);
    return r;
}

void rig_free(rig *r)
{
    for (size_t c = 0; c < RIG_CLIPS; c++)
        for (size_t e = 0; e < EMS_FUSION_EXPERTS; e++)
            ems_free(r->rows[c][e]);
    ems_fusion_shard_free(r->shard);
    ems_free(r->work);
    ems_free(r->block);
    ems_free(r->ones);
    ems_free(r);
}

double rig_run(rig *r)
{
    ems_fusion_learn(r->shard, &r->net, r->work);
    return r->shard->loss;
}

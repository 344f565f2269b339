#include "enhance/train.h"
#include "nn/checkpoint.h"

enum { FIELDS = 9, BLOCKS = 4 };

/* Every field as an unsigned integer (reals by their bits), in this order. */
static const char *const KEYS[FIELDS] = {
    "kind", "width", "blocks", "batch_norm", "filters", "step", "seed",
    "seconds_bits", "optimizer",
};

static void fields_of(const ems_enhance_state *s, uint64_t v[FIELDS])
{
    v[0] = (uint64_t)s->shape.kind;
    v[1] = (uint64_t)s->shape.width;
    v[2] = (uint64_t)s->shape.blocks;
    v[3] = s->shape.batch_norm != 0;
    v[4] = (uint64_t)s->filters;
    v[5] = s->step;
    v[6] = s->seed;
    v[7] = ems_ckpt_bits(s->seconds);
    v[8] = (uint64_t)s->optimizer;
}

static int small(uint64_t v)
{
    return v < 65536 ? (int)v : -1;
}

static void state_of(const uint64_t v[FIELDS], ems_enhance_state *s)
{
    s->shape.kind = (ems_enhancer_kind)small(v[0]);
    s->shape.width = small(v[1]);
    s->shape.blocks = small(v[2]);
    s->shape.batch_norm = small(v[3]);
    s->filters = (ems_enhancer_filters)small(v[4]);
    s->step = v[5];
    s->seed = v[6];
    s->seconds = ems_ckpt_real(v[7]);
    s->optimizer = (ems_enhancer_optimizer)small(v[8]);
}

static void blocks_of(const ems_enhance_train *t, ems_ckpt_block b[BLOCKS])
{
    const size_t n = t->net->parameters;
    b[0] = (ems_ckpt_block){"parameters", t->optim.p, n};
    b[1] = (ems_ckpt_block){"moment1", t->optim.m, n};
    b[2] = (ems_ckpt_block){"moment2", t->optim.v, n};
    b[3] = (ems_ckpt_block){"statistics", t->stats, t->net->statistics};
}

int ems_enhance_checkpoint_save(const ems_enhance_train *t, ems_error *err)
{
    uint64_t v[FIELDS];
    ems_ckpt_field field[FIELDS];
    ems_ckpt_block block[BLOCKS];
    fields_of(&t->state, v);
    for (int i = 0; i < FIELDS; i++)
        field[i] = (ems_ckpt_field){KEYS[i], v[i]};
    blocks_of(t, block);
    return ems_ckpt_write(t->checkpoint, "emsync-enhancer-checkpoint-1",
                          field, FIELDS, block, BLOCKS, err);
}

static int read_state(const ems_safetensors *st, const char *path,
                      ems_enhance_state *s, ems_error *err)
{
    uint64_t v[FIELDS];
    for (int i = 0; i < FIELDS; i++)
        if (ems_ckpt_number(st, KEYS[i], &v[i]) < 0)
            return ems_fail(err, EMS_EFORMAT, "\"%s\" is not a checkpoint of"
                            " an enhancer: no \"%s\" in its metadata", path,
                            KEYS[i]);
    state_of(v, s);
    if (!(s->seconds >= 0) || ems_cnet_check(&s->shape, NULL) < 0)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": the checkpoint's state is"
                        " damaged; train anew", path);
    return EMS_OK;
}

int ems_enhance_checkpoint_state(const char *path, ems_enhance_state *s,
                                 ems_error *err)
{
    ems_safetensors *st = ems_safetensors_open(path, err);
    const int code = st ? read_state(st, path, s, err) : EMS_EFORMAT;
    ems_safetensors_free(st);
    return code;
}

int ems_enhance_checkpoint_load(ems_enhance_train *t, ems_error *err)
{
    ems_ckpt_block block[BLOCKS];
    blocks_of(t, block);
    return ems_ckpt_read_blocks(t->checkpoint, block, BLOCKS, err);
}

#include "music/model_io.h"
#include "music/train.h"
#include "nn/checkpoint.h"

enum { FIELDS = 11, BLOCKS = 3 };
#define HELD "held_out_pieces"

/* Every field as an unsigned integer (reals by their bits), in this order. */
static const char *const KEYS[FIELDS] = {
    "d_model", "n_layer", "n_head", "d_inner", "context_len", "vocab_size",
    "step", "tokens", "seed", "seconds_bits", "best_bits",
};

static void fields_of(const ems_train_state *s, uint64_t v[FIELDS])
{
    const ems_model_shape *m = &s->shape;
    const int shape[] = {m->d_model, m->n_layer, m->n_head, m->d_inner,
                         m->context_len, m->vocab_size};
    for (int i = 0; i < 6; i++)
        v[i] = (uint64_t)shape[i];
    v[6] = s->step;
    v[7] = s->tokens;
    v[8] = s->seed;
    v[9] = ems_ckpt_bits(s->seconds);
    v[10] = ems_ckpt_bits(s->best);
}

static void state_of(const uint64_t v[FIELDS], ems_train_state *s)
{
    int *const shape[] = {&s->shape.d_model, &s->shape.n_layer,
                          &s->shape.n_head, &s->shape.d_inner,
                          &s->shape.context_len, &s->shape.vocab_size};
    for (int i = 0; i < 6; i++)
        *shape[i] = v[i] > 65536 ? -1 : (int)v[i];
    s->step = v[6];
    s->tokens = v[7];
    s->seed = v[8];
    s->seconds = ems_ckpt_real(v[9]);
    s->best = ems_ckpt_real(v[10]);
}

static void blocks_of(const ems_training *t, ems_ckpt_block b[BLOCKS])
{
    b[0] = (ems_ckpt_block){"parameters", t->optim.p, t->p.count};
    b[1] = (ems_ckpt_block){"moment1", t->optim.m, t->p.count};
    b[2] = (ems_ckpt_block){"moment2", t->optim.v, t->p.count};
}

int ems_checkpoint_save(const ems_training *t, ems_error *err)
{
    uint64_t v[FIELDS];
    ems_ckpt_field field[FIELDS + 1];
    ems_ckpt_block block[BLOCKS];
    fields_of(&t->state, v);
    for (int i = 0; i < FIELDS; i++)
        field[i] = (ems_ckpt_field){KEYS[i], v[i]};
    field[FIELDS] = (ems_ckpt_field){HELD, t->state.held};
    blocks_of(t, block);
    return ems_ckpt_write(t->checkpoint, "emsync-checkpoint-1", field,
                          FIELDS + 1, block, BLOCKS, err);
}

static int read_state(const ems_safetensors *st, const char *path,
                      ems_train_state *s, ems_error *err)
{
    uint64_t v[FIELDS];
    for (int i = 0; i < FIELDS; i++)
        if (ems_ckpt_number(st, KEYS[i], &v[i]) < 0)
            return ems_fail(err, EMS_EFORMAT, "\"%s\" is not a checkpoint:"
                            " no \"%s\" in its metadata", path, KEYS[i]);
    state_of(v, s);
    if (ems_ckpt_number(st, HELD, &s->held) < 0)
        s->held = 0; /* not in the first checkpoints: unknown */
    if (!(s->seconds >= 0) || ems_shape_check(&s->shape, NULL) < 0)
        return ems_fail(err, EMS_EFORMAT, "\"%s\": the checkpoint's state is"
                        " damaged; train anew", path);
    return EMS_OK;
}

int ems_checkpoint_state(const char *path, ems_train_state *s, ems_error *err)
{
    ems_error local;
    if (!err)
        err = &local;
    ems_safetensors *st = ems_safetensors_open(path, err);
    const int code = st ? read_state(st, path, s, err) : err->code;
    ems_safetensors_free(st);
    return code;
}

int ems_checkpoint_load(ems_training *t, ems_error *err)
{
    ems_ckpt_block block[BLOCKS];
    blocks_of(t, block);
    return ems_ckpt_read_blocks(t->checkpoint, block, BLOCKS, err);
}

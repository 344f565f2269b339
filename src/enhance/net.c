#include "enhance/net.h"

#include "base/arena.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

/* ---- The list of layers -------------------------------------------------- */

static size_t add_tensor(ems_cnet *n, size_t channels, size_t divide)
{
    n->tensor[n->tensors] = (ems_cnet_tensor){.channels = channels,
                                             .divide = divide};
    return n->tensors++;
}

static ems_cnet_layer *add_layer(ems_cnet *n, ems_cnet_kind kind, size_t in,
                                size_t channels, size_t divide)
{
    ems_cnet_layer *l = &n->layer[n->layers++];
    *l = (ems_cnet_layer){.kind = kind, .in = in, .taps = 1, .stride = 1};
    l->out = add_tensor(n, channels, divide);
    return l;
}

typedef enum after { PLAIN = 0, RELU = 1, DROP = 2, NORM = 4 } after;

static size_t add_norm(ems_cnet *n, size_t in, int relu)
{
    const size_t c = n->tensor[in].channels;
    ems_cnet_layer *l = add_layer(n, EMS_CNET_NORM, in, c,
                                 n->tensor[in].divide);
    l->relu = relu;
    l->weight = n->parameters;
    l->bias = l->weight + c;
    l->stats = n->statistics;
    n->parameters += 2 * c;
    n->statistics += 2 * c;
    return l->out;
}

/* A convolution with what follows it; what lies beyond the sound is zero. */
static size_t add_conv(ems_cnet *n, size_t in, size_t out, size_t taps,
                       size_t stride, int then)
{
    const size_t c = n->tensor[in].channels, divide = n->tensor[in].divide;
    ems_cnet_layer *l = add_layer(n, EMS_CNET_CONV, in, out, divide * stride);
    l->taps = taps;
    l->stride = stride;
    l->relu = then & RELU && !(then & NORM);
    l->drop = (then & DROP) != 0;
    l->weight = n->parameters;
    l->bias = l->weight + taps * c * out;
    n->parameters = l->bias + out;
    n->reach += taps / 2 * divide;
    return then & NORM ? add_norm(n, l->out, then & RELU) : l->out;
}

static size_t add_shuffle(ems_cnet *n, size_t in)
{
    const ems_cnet_tensor t = n->tensor[in];
    return add_layer(n, EMS_CNET_SHUFFLE, in, t.channels / 2, t.divide / 2)
        ->out;
}

static size_t add_pair(ems_cnet *n, ems_cnet_kind kind, size_t in, size_t in2)
{
    const ems_cnet_tensor *a = &n->tensor[in], *b = &n->tensor[in2];
    const size_t c = kind == EMS_CNET_JOIN ? a->channels + b->channels
                                          : a->channels;
    ems_cnet_layer *l = add_layer(n, kind, in, c, a->divide);
    l->in2 = in2;
    return l->out;
}

static int regularised(const ems_enhancer_shape *s)
{
    return s->batch_norm ? NORM : s->dropout > 0 ? DROP : PLAIN;
}

static void list_resnet(ems_cnet *n, size_t in)
{
    enum { TAPS = 7 };
    const size_t c = (size_t)n->shape.width;
    const int also = regularised(&n->shape);
    size_t x = add_conv(n, in, c, TAPS, 1, PLAIN);
    for (int i = 0; i < n->shape.blocks; i++) {
        const size_t y = add_conv(n, x, c, TAPS, 1, RELU | also);
        const size_t z = add_conv(n, y, c, TAPS, 1, also);
        x = add_pair(n, EMS_CNET_ADD, x, z);
    }
    add_conv(n, x, EMS_CNET_SOUND, 1, 1, PLAIN);
}

/* Batch norm on the way down only, dropout on the way up only. */
static void list_unet(ems_cnet *n, size_t in)
{
    static const size_t down_taps[4] = {65, 33, 17, 9};
    static const size_t up_taps[4] = {17, 33, 65, 9};
    const size_t c = (size_t)n->shape.width;
    const size_t down[4] = {c, 2 * c, 4 * c, 4 * c};
    const size_t up[4] = {8 * c, 4 * c, 2 * c, 2 * EMS_CNET_SOUND};
    const int also = regularised(&n->shape);
    size_t skip[4], x = in;
    for (int i = 0; i < 4; i++)
        skip[i] = x = add_conv(n, x, down[i], down_taps[i], 2,
                               RELU | (also & NORM));
    x = add_conv(n, x, 4 * c, 9, 2, RELU | (also & DROP));
    x = add_conv(n, x, 8 * c, 9, 1, RELU | (also & DROP));
    for (int i = 0; i < 4; i++) {
        x = add_pair(n, EMS_CNET_JOIN, add_shuffle(n, x), skip[3 - i]);
        x = add_conv(n, x, up[i], up_taps[i], 1,
                     i < 3 ? RELU | (also & DROP) : PLAIN);
    }
    add_shuffle(n, x);
}

/* In the order of the backward pass, who writes a gradient first? */
static void mark_gradients(ems_cnet *n)
{
    int written[EMS_CNET_LAYERS] = {0};
    for (size_t i = n->layers; i-- > 0;) {
        ems_cnet_layer *l = &n->layer[i];
        l->adds = written[l->in]++;
        if (l->kind == EMS_CNET_ADD || l->kind == EMS_CNET_JOIN)
            l->adds2 = written[l->in2]++;
    }
}

static void list_layers(ems_cnet *n)
{
    const size_t in = add_tensor(n, EMS_CNET_SOUND, 1);
    if (n->shape.kind == EMS_ENHANCER_RESNET)
        list_resnet(n, in);
    else
        list_unet(n, in);
    n->step = n->shape.kind == EMS_ENHANCER_UNET ? 32 : 1;
    n->reach = (n->reach + n->step - 1) / n->step * n->step;
    mark_gradients(n);
}

int ems_cnet_check(const ems_enhancer_shape *s, ems_error *err)
{
    enum { WIDEST = 1024, MOST_BLOCKS = 32 };
    if (s->kind != EMS_ENHANCER_RESNET && s->kind != EMS_ENHANCER_UNET)
        return ems_fail(err, EMS_EINVAL, "an enhancer is a resnet or a unet");
    if (s->width < 1 || s->width > WIDEST || s->blocks < 1 ||
        s->blocks > MOST_BLOCKS)
        return ems_fail(err, EMS_EINVAL, "an enhancer of width %d and %d"
                        " blocks: give a width of 1 to %d and 1 to %d blocks",
                        s->width, s->blocks, WIDEST, MOST_BLOCKS);
    if (!(s->dropout >= 0 && s->dropout <= 0.9) ||
        (s->batch_norm && s->dropout > 0))
        return ems_fail(err, EMS_EINVAL, "dropout must lie in 0..0.9, and is"
                        " not used together with batch norm");
    return EMS_OK;
}

/* The list of a shape alone; a field of it, as size. */
static size_t measure(const ems_enhancer_shape *s, size_t field)
{
    ems_cnet *n = ems_alloc(1, sizeof *n);
    size_t value = 0;
    if (n) {
        n->shape = *s;
        list_layers(n);
        memcpy(&value, (const char *)n + field, sizeof value);
        ems_free(n);
    }
    return value;
}

size_t ems_cnet_parameters(const ems_enhancer_shape *s)
{
    return measure(s, offsetof(ems_cnet, parameters));
}

size_t ems_cnet_statistics(const ems_enhancer_shape *s)
{
    return measure(s, offsetof(ems_cnet, statistics));
}

size_t ems_cnet_step(const ems_enhancer_shape *s)
{
    return s->kind == EMS_ENHANCER_UNET ? 32 : 1;
}

size_t ems_cnet_reach(const ems_enhancer_shape *s)
{
    return measure(s, offsetof(ems_cnet, reach));
}

/* ---- Memory -------------------------------------------------------------- */

/* The last layer that reads each tensor; those of the ends live on. */
static void find_last_use(const ems_cnet *n, size_t *last)
{
    memset(last, 0, EMS_CNET_LAYERS * sizeof *last);
    for (size_t i = 0; i < n->layers; i++) {
        const ems_cnet_layer *l = &n->layer[i];
        last[l->in] = i;
        if (l->kind == EMS_CNET_ADD || l->kind == EMS_CNET_JOIN)
            last[l->in2] = i;
    }
    last[0] = last[n->tensors - 1] = n->layers;
}

static void use_slot(ems_cnet *n, size_t tensor, size_t slot)
{
    ems_cnet_tensor *t = &n->tensor[tensor];
    const size_t floats = ems_cnet_stride(n, t);
    t->slot = slot;
    if (n->slot_floats[slot] < floats)
        n->slot_floats[slot] = floats;
    if (n->slots <= slot)
        n->slots = slot + 1;
}

/* A tensor takes over the memory of one that nobody reads any more. */
static void share_slots(ems_cnet *n)
{
    size_t last[EMS_CNET_LAYERS], holder[EMS_CNET_LAYERS] = {0};
    find_last_use(n, last);
    use_slot(n, 0, 0);
    for (size_t i = 0; i < n->layers; i++) {
        size_t slot = 0;
        while (slot < n->slots && last[holder[slot]] >= i)
            slot++;
        use_slot(n, n->layer[i].out, slot);
        holder[slot] = n->layer[i].out;
    }
}

static size_t widest_kernel(const ems_cnet *n)
{
    size_t most = 0;
    for (size_t i = 0; i < n->layers; i++) {
        const ems_cnet_layer *l = &n->layer[i];
        const size_t size = (l->taps + 1) * n->tensor[l->in].channels *
                            n->tensor[l->out].channels;
        if (l->kind == EMS_CNET_CONV && size > most)
            most = size;
    }
    return most;
}

static size_t widest_tensor(const ems_cnet *n)
{
    size_t most = 0;
    for (size_t i = 0; i < n->tensors; i++)
        if (n->tensor[i].channels > most)
            most = n->tensor[i].channels;
    return most;
}

static void place(ems_cnet *n, ems_arena *a)
{
    float *slot[EMS_CNET_LAYERS];
    for (size_t i = 0; i < n->slots; i++)
        slot[i] = ems_take(a, n->sounds * n->slot_floats[i], sizeof(float));
    for (size_t i = 0; i < n->tensors; i++) {
        ems_cnet_tensor *t = &n->tensor[i];
        const size_t edge = EMS_CNET_PAD * t->channels;
        float *d = n->training ? ems_take(a, n->sounds * ems_cnet_stride(n, t),
                                          sizeof *d)
                               : NULL;
        if (a->base) {
            t->x = slot[t->slot] + edge;
            t->d = d ? d + edge : NULL;
        }
    }
    if (n->training) {
        n->turned = ems_take(a, widest_kernel(n), sizeof *n->turned);
        n->sums = ems_take(a, 2 * n->sounds * widest_tensor(n),
                           sizeof *n->sums);
        n->saved = ems_take(a, n->statistics, sizeof *n->saved);
    }
}

static int take_memory(ems_cnet *n, ems_error *err)
{
    ems_arena a = {0};
    if (n->training)
        for (size_t i = 0; i < n->tensors; i++)
            use_slot(n, i, i);
    else
        share_slots(n);
    place(n, &a);
    a.base = ems_alloc_aligned(a.used, 1);
    n->block = (float *)(void *)a.base;
    if (!n->block)
        return ems_out_of_memory(err);
    a.used = 0;
    place(n, &a);
    return EMS_OK;
}

ems_cnet *ems_cnet_new(const ems_enhancer_shape *shape, size_t sounds,
                     size_t time, int training, ems_pool *pool,
                     ems_error *err)
{
    if (ems_cnet_check(shape, err) < 0)
        return NULL;
    ems_cnet *n = ems_alloc(1, sizeof *n);
    if (!n) {
        ems_out_of_memory(err);
        return NULL;
    }
    n->shape = *shape;
    n->sounds = sounds;
    n->time = time;
    n->training = training;
    n->pool = pool;
    n->ops = ems_ops_get(ems_cpu_best());
    list_layers(n);
    n->gemm = ems_gemm_pool_new(pool, ems_cpu_best(), err);
    if (!n->gemm || take_memory(n, err) < 0) {
        ems_cnet_free(n);
        return NULL;
    }
    return n;
}

void ems_cnet_free(ems_cnet *n)
{
    if (!n)
        return;
    ems_gemm_pool_free(n->gemm);
    ems_free(n->block);
    ems_free(n);
}

float *ems_cnet_input(ems_cnet *n, size_t i)
{
    return n->tensor[0].x + i * ems_cnet_stride(n, &n->tensor[0]);
}

float *ems_cnet_output(ems_cnet *n, size_t i, int gradient)
{
    const ems_cnet_tensor *t = &n->tensor[n->tensors - 1];
    return (gradient ? t->d : t->x) + i * ems_cnet_stride(n, t);
}

void ems_cnet_init(const ems_cnet *n, float *p, float *stats, uint64_t seed)
{
    static const double variance = 0.02 * 0.02 * 7 * 512; /* of a sum */
    ems_rng r = ems_rng_seed(seed, 0);
    size_t last = 0;
    for (size_t i = 0; i < n->layers; i++) {
        const ems_cnet_layer *l = &n->layer[i];
        const size_t in = n->tensor[l->in].channels;
        const size_t out = n->tensor[l->out].channels;
        const double spread = sqrt(variance / (double)(in * l->taps));
        for (size_t k = 0; l->kind == EMS_CNET_CONV && k < out; k++)
            p[l->bias + k] = 0;
        for (size_t k = l->weight; l->kind == EMS_CNET_CONV && k < l->bias; k++)
            p[k] = (float)(spread * ems_rng_normal(&r));
        for (size_t k = 0; l->kind == EMS_CNET_NORM && k < in; k++) {
            p[l->weight + k] = stats[l->stats + in + k] = 1;
            p[l->bias + k] = stats[l->stats + k] = 0;
        }
        last = l->kind == EMS_CNET_CONV ? i : last;
    }
    const ems_cnet_layer *l = &n->layer[last];
    memset(p + l->weight, 0, (l->bias - l->weight) * sizeof *p);
}

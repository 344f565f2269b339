#include "enhance/net.h"

#include <string.h>

#define BRANCH 0.1f /* what a residual block adds to its input */

/* What the loops over sounds share. */
typedef struct loop {
    ems_cnet *n;
    const ems_cnet_layer *l;
    const ems_cnet_pass *pass;
} loop;

static float *sound_of(const ems_cnet *n, const ems_cnet_tensor *t, float *data,
                       size_t i)
{
    return data + i * ems_cnet_stride(n, t);
}

/* What lies `edge` rows before and after a sound is silence. */
static void clear_edges(float *x, size_t rows, size_t edge, size_t channels)
{
    const size_t floats = edge * channels;
    memset(x - floats, 0, floats * sizeof *x);
    memset(x + rows * channels, 0, floats * sizeof *x);
}

static ems_drop drop_of(const ems_cnet *n, const ems_cnet_layer *l,
                        const ems_cnet_pass *pass)
{
    ems_rng r = ems_rng_seed(pass->seed, (uint64_t)(l - n->layer) + 1);
    const double rate = n->shape.dropout;
    return (ems_drop){.key = (uint32_t)ems_rng_next(&r),
                      .threshold = (uint32_t)(rate * (1 << 24)),
                      .scale = (float)(1 / (1 - rate))};
}

/* Dropout of what a layer gives, or of its gradient: the same for both. */
static void drop(void *ctx, size_t i)
{
    const loop *s = ctx;
    ems_cnet *n = s->n;
    const ems_cnet_tensor *t = &n->tensor[s->l->out];
    const size_t count = ems_cnet_rows(t, s->pass->time) * t->channels;
    float *x = sound_of(n, t, t->d && s->pass->train < 0 ? t->d : t->x, i);
    n->ops->drop(x, count, i * count, drop_of(n, s->l, s->pass));
}

/* ---- Forward ------------------------------------------------------------- */

static void convolve(ems_cnet *n, const ems_cnet_layer *l,
                     const ems_cnet_pass *pass)
{
    const ems_cnet_tensor *in = &n->tensor[l->in], *out = &n->tensor[l->out];
    const size_t c = in->channels, edge = l->taps / 2;
    for (size_t i = 0; i < pass->sounds; i++) {
        float *x = sound_of(n, in, in->x, i);
        clear_edges(x, ems_cnet_rows(in, pass->time), edge, c);
        const ems_gemm g = {
            .c = sound_of(n, out, out->x, i), .ldc = out->channels,
            .a = x - edge * c, .a_row = l->stride * c, .a_col = 1,
            .b = pass->p + l->weight, .b_row = out->channels, .b_col = 1,
            .m = ems_cnet_rows(out, pass->time), .n = out->channels,
            .k = l->taps * c, .bias = pass->p + l->bias,
            .flags = l->relu ? EMS_GEMM_RELU : 0};
        ems_gemm_all(n->gemm, &g);
    }
    loop s = {n, l, pass};
    if (l->drop && pass->train)
        ems_pool_for(n->pool, pass->sounds, drop, &s);
}

static void combine(void *ctx, size_t i)
{
    const loop *s = ctx;
    const ems_cnet *n = s->n;
    const ems_cnet_tensor *in = &n->tensor[s->l->in];
    const ems_cnet_tensor *in2 = &n->tensor[s->l->in2];
    const ems_cnet_tensor *out = &n->tensor[s->l->out];
    const size_t rows = ems_cnet_rows(out, s->pass->time), c = in->channels;
    const size_t c2 = in2->channels;
    const float *x = sound_of(n, in, in->x, i);
    const float *x2 = sound_of(n, in2, in2->x, i);
    float *y = sound_of(n, out, out->x, i);
    if (s->l->kind == EMS_CNET_SHUFFLE) {
        memcpy(y, x, rows * out->channels * sizeof *y);
    } else if (s->l->kind == EMS_CNET_ADD) {
        for (size_t k = 0; k < rows * c; k++)
            y[k] = x[k] + BRANCH * x2[k];
    } else {
        for (size_t t = 0; t < rows; t++, y += c + c2) {
            memcpy(y, x + t * c, c * sizeof *y);
            memcpy(y + c, x2 + t * c2, c2 * sizeof *y);
        }
    }
}

static void add_input(ems_cnet *n, const ems_cnet_pass *pass)
{
    for (size_t i = 0; i < pass->sounds; i++) {
        const float *x = ems_cnet_input(n, i);
        float *y = ems_cnet_output(n, i, 0);
        for (size_t k = 0; k < pass->time * EMS_CNET_SOUND; k++)
            y[k] += x[k];
    }
}

void ems_cnet_forward(ems_cnet *n, const ems_cnet_pass *pass)
{
    for (size_t i = 0; i < n->layers; i++) {
        const ems_cnet_layer *l = &n->layer[i];
        loop s = {n, l, pass};
        if (l->kind == EMS_CNET_CONV)
            convolve(n, l, pass);
        else if (l->kind == EMS_CNET_NORM)
            ems_cnet_norm(n, l, pass);
        else
            ems_pool_for(n->pool, pass->sounds, combine, &s);
    }
    add_input(n, pass);
}

/* ---- Backward ------------------------------------------------------------ */

/* The kernel for the way back, [taps, channels out, stride * channels in]:
 * pairs of rows (stride 2), or rows, of the input's gradient see `taps` rows
 * of the output's, from `before` rows earlier on. */
typedef struct turned {
    size_t taps, before;
} turned;

static turned turn_kernel(const ems_cnet *n, const ems_cnet_layer *l,
                          const float *w)
{
    const size_t c = n->tensor[l->in].channels, s = l->stride;
    const size_t out = n->tensor[l->out].channels;
    const size_t edge = l->taps / 2, after = (edge + s - 1) / s;
    const turned t = {(l->taps - 1 - edge) / s + after + 1,
                      (l->taps - 1 - edge) / s};
    float *to = n->turned;
    for (size_t i = 0; i < t.taps; i++)
        for (size_t o = 0; o < out; o++)
            for (size_t r = 0; r < s; r++, to += c) {
                /* row u s + r of the input is tap j of output u - q */
                const size_t j = s * t.before + edge + r - s * i;
                const float *from = w + j * c * out + o;
                for (size_t k = 0; k < c; k++)
                    to[k] = j < l->taps ? from[k * out] : 0;
            }
    return t;
}

static void input_gradient(ems_cnet *n, const ems_cnet_layer *l,
                           const ems_cnet_pass *pass)
{
    const ems_cnet_tensor *in = &n->tensor[l->in], *out = &n->tensor[l->out];
    const turned t = turn_kernel(n, l, pass->p + l->weight);
    const size_t rows = ems_cnet_rows(out, pass->time), c = out->channels;
    const size_t wide = l->stride * in->channels;
    for (size_t i = 0; i < pass->sounds; i++) {
        float *d = sound_of(n, out, out->d, i);
        clear_edges(d, rows, l->taps / 2, c);
        const ems_gemm g = {
            .c = sound_of(n, in, in->d, i), .ldc = wide,
            .a = d - t.before * c, .a_row = c, .a_col = 1,
            .b = n->turned, .b_row = wide, .b_col = 1,
            .m = rows, .n = wide, .k = t.taps * c,
            .flags = l->adds ? EMS_GEMM_ADD : 0};
        ems_gemm_all(n->gemm, &g);
    }
}

static void kernel_gradient(ems_cnet *n, const ems_cnet_layer *l,
                            const ems_cnet_pass *pass, float *gradient)
{
    const ems_cnet_tensor *in = &n->tensor[l->in], *out = &n->tensor[l->out];
    const size_t rows = ems_cnet_rows(out, pass->time), c = in->channels;
    for (size_t i = 0; i < pass->sounds; i++) {
        const float *d = sound_of(n, out, out->d, i);
        const ems_gemm g = {
            .c = gradient + l->weight, .ldc = out->channels,
            .a = sound_of(n, in, in->x, i) - l->taps / 2 * c,
            .a_row = 1, .a_col = l->stride * c,
            .b = d, .b_row = out->channels, .b_col = 1,
            .m = l->taps * c, .n = out->channels, .k = rows,
            .flags = EMS_GEMM_DIRECT | (i > 0 ? EMS_GEMM_ADD : 0)};
        ems_gemm_all(n->gemm, &g);
        n->ops->columns(rows, out->channels, out->channels, d, NULL,
                        gradient + l->bias, NULL);
    }
}

static void gate(void *ctx, size_t i)
{
    const loop *s = ctx;
    const ems_cnet_tensor *t = &s->n->tensor[s->l->out];
    const size_t count = ems_cnet_rows(t, s->pass->time) * t->channels;
    const float *x = sound_of(s->n, t, t->x, i);
    float *d = sound_of(s->n, t, t->d, i);
    for (size_t k = 0; k < count; k++)
        d[k] = x[k] > 0 ? d[k] : 0;
}

static void convolve_back(ems_cnet *n, const ems_cnet_layer *l,
                          const ems_cnet_pass *pass, float *gradient)
{
    ems_cnet_pass back = *pass;
    back.train = -1; /* dropout of gradients */
    loop s = {n, l, &back};
    if (l->drop && pass->train)
        ems_pool_for(n->pool, pass->sounds, drop, &s);
    if (l->relu)
        ems_pool_for(n->pool, pass->sounds, gate, &s);
    kernel_gradient(n, l, pass, gradient);
    if (l->in > 0)
        input_gradient(n, l, pass);
}

static void pass_on(float *d, const float *from, size_t count, float scale,
                    int adds)
{
    if (adds)
        for (size_t k = 0; k < count; k++)
            d[k] += scale * from[k];
    else
        for (size_t k = 0; k < count; k++)
            d[k] = scale * from[k];
}

static void combine_back(void *ctx, size_t i)
{
    const loop *s = ctx;
    const ems_cnet *n = s->n;
    const ems_cnet_tensor *in = &n->tensor[s->l->in];
    const ems_cnet_tensor *in2 = &n->tensor[s->l->in2];
    const ems_cnet_tensor *out = &n->tensor[s->l->out];
    const size_t rows = ems_cnet_rows(out, s->pass->time), c = in->channels;
    const size_t c2 = in2->channels;
    const float *d = sound_of(n, out, out->d, i);
    float *to = sound_of(n, in, in->d, i), *to2 = sound_of(n, in2, in2->d, i);
    if (s->l->kind == EMS_CNET_SHUFFLE) {
        pass_on(to, d, rows * out->channels, 1, s->l->adds);
    } else if (s->l->kind == EMS_CNET_ADD) {
        pass_on(to, d, rows * c, 1, s->l->adds);
        pass_on(to2, d, rows * c, BRANCH, s->l->adds2);
    } else {
        for (size_t t = 0; t < rows; t++, d += c + c2) {
            pass_on(to + t * c, d, c, 1, s->l->adds);
            pass_on(to2 + t * c2, d + c, c2, 1, s->l->adds2);
        }
    }
}

void ems_cnet_backward(ems_cnet *n, const ems_cnet_pass *pass, float *gradient)
{
    memset(gradient, 0, n->parameters * sizeof *gradient);
    for (size_t i = n->layers; i-- > 0;) {
        const ems_cnet_layer *l = &n->layer[i];
        loop s = {n, l, pass};
        if (l->kind == EMS_CNET_CONV)
            convolve_back(n, l, pass, gradient);
        else if (l->kind == EMS_CNET_NORM)
            ems_cnet_norm_back(n, l, pass, gradient);
        else
            ems_pool_for(n->pool, pass->sounds, combine_back, &s);
    }
}

/* Batch normalisation (Ioffe and Szegedy, 2015), as PyTorch does it: over all
 * sounds and times of a batch, running statistics with a momentum of 0.1. */
#include "enhance/net.h"

#include <math.h>

#define EPSILON 1e-5
#define MOMENTUM 0.1

typedef struct norm_loop {
    ems_cnet *n;
    const ems_cnet_layer *l;
    const ems_cnet_pass *pass;
    const float *mean, *rstd, *gain, *bias; /* [channels] */
    const double *shift, *slope; /* backward: means of the gradient, and of it
                                    times the normal value */
} norm_loop;

static norm_loop begin(ems_cnet *n, const ems_cnet_layer *l,
                       const ems_cnet_pass *pass)
{
    const size_t c = n->tensor[l->in].channels;
    return (norm_loop){.n = n, .l = l, .pass = pass,
                       .mean = n->saved + l->stats,
                       .rstd = n->saved + l->stats + c,
                       .gain = pass->p + l->weight,
                       .bias = pass->p + l->bias};
}

static const float *values(const norm_loop *s, size_t tensor, size_t i)
{
    const ems_cnet_tensor *t = &s->n->tensor[tensor];
    return t->x + i * ems_cnet_stride(s->n, t);
}

static float *gradients(const norm_loop *s, size_t tensor, size_t i)
{
    const ems_cnet_tensor *t = &s->n->tensor[tensor];
    return t->d + i * ems_cnet_stride(s->n, t);
}

static size_t rows_of(const norm_loop *s)
{
    return ems_cnet_rows(&s->n->tensor[s->l->in], s->pass->time);
}

static size_t channels_of(const norm_loop *s)
{
    return s->n->tensor[s->l->in].channels;
}

/* n->sums[i][channel]: of one sound. */
static void sum_values(void *ctx, size_t i)
{
    const norm_loop *s = ctx;
    const size_t c = channels_of(s), rows = rows_of(s);
    const float *x = values(s, s->l->in, i);
    double *sum = s->n->sums + i * c;
    for (size_t k = 0; k < c; k++)
        sum[k] = 0;
    for (size_t t = 0; t < rows; t++, x += c)
        for (size_t k = 0; k < c; k++)
            sum[k] += (double)x[k];
}

static void sum_squares(void *ctx, size_t i)
{
    const norm_loop *s = ctx;
    const size_t c = channels_of(s), rows = rows_of(s);
    const float *x = values(s, s->l->in, i);
    double *sum = s->n->sums + i * c;
    for (size_t k = 0; k < c; k++)
        sum[k] = 0;
    for (size_t t = 0; t < rows; t++, x += c)
        for (size_t k = 0; k < c; k++) {
            const double y = (double)x[k] - (double)s->mean[k];
            sum[k] += y * y;
        }
}

static double total(const norm_loop *s, size_t channel)
{
    double sum = 0;
    for (size_t i = 0; i < s->pass->sounds; i++)
        sum += s->n->sums[i * channels_of(s) + channel];
    return sum;
}

/* Mean and 1 / deviation of the batch into n->saved, and learnt. */
static void measure(norm_loop *s)
{
    const size_t c = channels_of(s), sounds = s->pass->sounds;
    const double count = (double)(sounds * rows_of(s));
    float *mean = s->n->saved + s->l->stats, *rstd = mean + c;
    float *run = s->pass->stats + s->l->stats;
    ems_pool_for(s->n->pool, sounds, sum_values, s);
    for (size_t k = 0; k < c; k++)
        mean[k] = (float)(total(s, k) / count);
    ems_pool_for(s->n->pool, sounds, sum_squares, s);
    for (size_t k = 0; k < c; k++) {
        const double sum = total(s, k);
        rstd[k] = (float)(1 / sqrt(sum / count + EPSILON));
        run[k] += (float)(MOMENTUM * ((double)mean[k] - (double)run[k]));
        run[c + k] += (float)(MOMENTUM * (sum / fmax(count - 1, 1) -
                                          (double)run[c + k]));
    }
}

static void apply(void *ctx, size_t i)
{
    const norm_loop *s = ctx;
    const size_t c = channels_of(s), rows = rows_of(s);
    const ems_cnet_tensor *out = &s->n->tensor[s->l->out];
    const float *run = s->pass->stats + s->l->stats;
    const float *x = values(s, s->l->in, i);
    float *y = out->x + i * ems_cnet_stride(s->n, out);
    for (size_t k = 0; k < c; k++) {
        const double rstd = s->pass->train
                                ? (double)s->rstd[k]
                                : 1 / sqrt((double)run[c + k] + EPSILON);
        const float mean = s->pass->train ? s->mean[k] : run[k];
        const float scale = (float)((double)s->gain[k] * rstd);
        for (size_t t = 0; t < rows; t++) {
            const float z = (x[t * c + k] - mean) * scale + s->bias[k];
            y[t * c + k] = s->l->relu && !(z > 0) ? 0 : z;
        }
    }
}

void ems_cnet_norm(ems_cnet *n, const ems_cnet_layer *l,
                  const ems_cnet_pass *pass)
{
    norm_loop s = begin(n, l, pass);
    if (pass->train)
        measure(&s);
    ems_pool_for(n->pool, pass->sounds, apply, &s);
}

/* ReLU, then the sums of the gradient and of it times the normal value. */
static void sum_gradients(void *ctx, size_t i)
{
    const norm_loop *s = ctx;
    const size_t c = channels_of(s), rows = rows_of(s);
    const float *x = values(s, s->l->in, i), *y = values(s, s->l->out, i);
    float *d = gradients(s, s->l->out, i);
    double *sum = s->n->sums + 2 * i * c, *dot = sum + c;
    for (size_t k = 0; k < 2 * c; k++)
        sum[k] = 0;
    for (size_t t = 0; t < rows; t++, x += c, y += c, d += c)
        for (size_t k = 0; k < c; k++) {
            if (s->l->relu && !(y[k] > 0))
                d[k] = 0;
            sum[k] += (double)d[k];
            dot[k] += (double)(d[k] * (x[k] - s->mean[k]) * s->rstd[k]);
        }
}

static void apply_back(void *ctx, size_t i)
{
    const norm_loop *s = ctx;
    const size_t c = channels_of(s), rows = rows_of(s);
    const float *x = values(s, s->l->in, i);
    const float *d = gradients(s, s->l->out, i);
    float *to = gradients(s, s->l->in, i);
    for (size_t k = 0; k < c; k++) {
        const float scale = s->gain[k] * s->rstd[k], mean = s->mean[k];
        const float shift = (float)s->shift[k];
        const float slope = (float)s->slope[k] * s->rstd[k];
        for (size_t t = k; t < rows * c; t += c) {
            const float g = scale * (d[t] - shift - slope * (x[t] - mean));
            to[t] = s->l->adds ? to[t] + g : g;
        }
    }
}

void ems_cnet_norm_back(ems_cnet *n, const ems_cnet_layer *l,
                       const ems_cnet_pass *pass, float *gradient)
{
    norm_loop s = begin(n, l, pass);
    const size_t c = channels_of(&s);
    const double count = (double)(pass->sounds * rows_of(&s));
    ems_pool_for(n->pool, pass->sounds, sum_gradients, &s);
    for (size_t k = 0; k < 2 * c; k++) {
        for (size_t i = 1; i < pass->sounds; i++)
            n->sums[k] += n->sums[2 * i * c + k];
        gradient[k < c ? l->bias + k : l->weight + k - c] = (float)n->sums[k];
        n->sums[k] /= count;
    }
    s.shift = n->sums;
    s.slope = n->sums + c;
    ems_pool_for(n->pool, pass->sounds, apply_back, &s);
}

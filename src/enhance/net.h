/* net.h - the two networks that give sound its missing top back (Sulun and
 * Davies, "On filter generalization for music bandwidth extension using deep
 * neural networks", 2021): waveform in, waveform out, and what they compute
 * is added to their input.
 *
 *     net.c           the network as a list of layers over tensors; memory
 *     net_pass.c      forward and backward through the list
 *     net_norm.c      batch normalisation
 *     net_io.c        weights in and out of a safetensors file
 *
 * Sound lies as [time, channels], so the windows that a convolution sees are
 * rows that overlap in memory: it is a matrix product of the sound itself
 * with the kernel [taps * channels in, channels out], and nothing is copied.
 * Of stride 2 it steps two rows at a time; its gradient is a convolution of
 * stride 1 over pairs of rows. The U-Net's shuffle (channel s C + c becomes
 * sub-sample s of channel c) is no work at all in this order.
 *
 * Results have the same bits for any number of threads. */
#ifndef EMS_NET_H
#define EMS_NET_H
#include "base/pool.h"
#include "base/rng.h"
#include "nn/gemm.h"
#include "nn/ops.h"
#include "nn/safetensors.h"

enum {
    EMS_NET_SOUND = 2,    /* channels in and out */
    EMS_NET_LAYERS = 256, /* at most; and tensors */
    EMS_NET_PAD = 32,     /* rows of zeros before and after every tensor */
};

/* Learned numbers of a shape, and running statistics of its norms. */
size_t ems_net_parameters(const ems_enhancer_shape *s);
size_t ems_net_statistics(const ems_enhancer_shape *s);
/* EMS_EINVAL with what is wrong. */
int ems_net_check(const ems_enhancer_shape *s, ems_error *err);
/* Times must be multiples of this: 1 or 32. */
size_t ems_net_step(const ems_enhancer_shape *s);
/* So far from the end of a piece of sound (a multiple of ems_net_step) what
 * lies beyond does not reach. */
size_t ems_net_reach(const ems_enhancer_shape *s);

typedef enum ems_net_kind { EMS_NET_CONV, EMS_NET_NORM, EMS_NET_ADD,
                            EMS_NET_JOIN, EMS_NET_SHUFFLE } ems_net_kind;

typedef struct ems_net_tensor {
    size_t channels, divide; /* rows = time / divide */
    size_t slot;             /* of memory */
    float *x, *d;            /* first row of the first sound; gradient */
} ems_net_tensor;

/* One layer: out = f(in). CONV may be followed by dropout and ReLU, NORM by
 * ReLU. ADD: in + 0.1 in2. JOIN: the channels of in, then those of in2. */
typedef struct ems_net_layer {
    ems_net_kind kind;
    size_t in, in2, out; /* tensors */
    size_t taps, stride; /* CONV */
    size_t weight, bias; /* offsets among the parameters. CONV:
                            [taps, channels in, channels out], [out];
                            NORM: gain, bias */
    size_t stats;        /* NORM: mean, variance among the statistics */
    int relu, drop;
    int adds, adds2;     /* backward: the gradient of in (in2) has been
                            written by a later layer, so add to it */
} ems_net_layer;

typedef struct ems_net {
    ems_enhancer_shape shape;
    ems_net_layer layer[EMS_NET_LAYERS];
    ems_net_tensor tensor[EMS_NET_LAYERS];
    size_t layers, tensors, slots;
    size_t parameters, statistics, step, reach;
    size_t sounds, time; /* capacity */
    int training;
    size_t slot_floats[EMS_NET_LAYERS]; /* of one sound */
    ems_pool *pool;
    ems_gemm_pool *gemm;
    const ems_ops *ops;
    float *block;        /* all tensors */
    float *turned;       /* backward: the kernel of a layer, turned */
    double *sums;        /* NORM: of each sound and channel */
    float *saved;        /* NORM: mean and 1 / deviation of the batch, where
                            statistics has mean and variance */
} ems_net;

/* Memory for `sounds` sounds of up to `time` frames (a multiple of
 * ems_net_step). Without `training` only forward works, and memory is that of
 * the few tensors in use at once. `pool` is borrowed. NULL on failure. */
ems_net *ems_net_new(const ems_enhancer_shape *shape, size_t sounds,
                     size_t time, int training, ems_pool *pool,
                     ems_error *err);
void ems_net_free(ems_net *n);

typedef struct ems_net_pass {
    const float *p;   /* parameters */
    float *stats;     /* running statistics; learnt when `train` */
    size_t sounds, time;
    int train;        /* statistics of the batch, dropout */
    uint64_t seed;    /* of the dropout */
} ems_net_pass;

/* Where sound i goes: [time, 2]; and where its restored version is after
 * forward. In training, `d` of the output takes the loss' gradient before
 * backward. */
float *ems_net_input(ems_net *n, size_t i);
float *ems_net_output(ems_net *n, size_t i, int gradient);

void ems_net_forward(ems_net *n, const ems_net_pass *pass);
/* gradient[parameters] is overwritten. */
void ems_net_backward(ems_net *n, const ems_net_pass *pass, float *gradient);

/* Convolutions from N(0, 0.02) at the paper's width, so wide for every fan-in
 * that what comes out is as loud; the last layer is zero: training begins
 * with sound left as it is. Norms: gain 1, bias 0, mean 0, variance 1. */
void ems_net_init(const ems_net *n, float *p, float *stats, uint64_t seed);

/* Row 0 of sound i of a tensor: rows below 0 and beyond its end are there. */
static inline size_t ems_net_rows(const ems_net_tensor *t, size_t time)
{
    return time / t->divide;
}
static inline size_t ems_net_stride(const ems_net *n, const ems_net_tensor *t)
{
    return (n->time / t->divide + 2 * EMS_NET_PAD) * t->channels;
}

/* net_norm.c: one batch normalisation with its ReLU, and its gradient. */
void ems_net_norm(ems_net *n, const ems_net_layer *l,
                  const ems_net_pass *pass);
void ems_net_norm_back(ems_net *n, const ems_net_layer *l,
                       const ems_net_pass *pass, float *gradient);

/* net_io.c: weights as PyTorch lays them out, layer by layer; `pairs` join the
 * metadata. */
int ems_net_save(const ems_net *n, const float *p, const float *stats,
                 const char *path, const ems_st_pair *pairs, size_t count,
                 ems_error *err);
/* The shape that a file's metadata tells, checked. `name` is for errors. */
int ems_net_shape_of(const ems_safetensors *st, const char *name,
                     ems_enhancer_shape *shape, ems_error *err);
/* p[parameters], stats[statistics] of a network of that shape. */
int ems_net_load(const ems_net *n, const ems_safetensors *st,
                 const char *name, float *p, float *stats, ems_error *err);
#endif

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
#ifndef EMS_CNET_H
#define EMS_CNET_H
#include "base/pool.h"
#include "base/rng.h"
#include "nn/gemm.h"
#include "nn/ops.h"
#include "nn/safetensors.h"

enum {
    EMS_CNET_SOUND = 2,    /* channels in and out */
    EMS_CNET_LAYERS = 256, /* at most; and tensors */
    EMS_CNET_PAD = 32,     /* rows of zeros before and after every tensor */
};

/* Learned numbers of a shape, and running statistics of its norms. */
size_t ems_cnet_parameters(const ems_enhancer_shape *s);
size_t ems_cnet_statistics(const ems_enhancer_shape *s);
/* EMS_EINVAL with what is wrong. */
int ems_cnet_check(const ems_enhancer_shape *s, ems_error *err);
/* Times must be multiples of this: 1 or 32. */
size_t ems_cnet_step(const ems_enhancer_shape *s);
/* So far from the end of a piece of sound (a multiple of ems_cnet_step) what
 * lies beyond does not reach. */
size_t ems_cnet_reach(const ems_enhancer_shape *s);

typedef enum ems_cnet_kind { EMS_CNET_CONV, EMS_CNET_NORM, EMS_CNET_ADD,
                            EMS_CNET_JOIN, EMS_CNET_SHUFFLE } ems_cnet_kind;

typedef struct ems_cnet_tensor {
    size_t channels, divide; /* rows = time / divide */
    size_t slot;             /* of memory */
    float *x, *d;            /* first row of the first sound; gradient */
} ems_cnet_tensor;

/* One layer: out = f(in). CONV may be followed by dropout and ReLU, NORM by
 * ReLU. ADD: in + 0.1 in2. JOIN: the channels of in, then those of in2. */
typedef struct ems_cnet_layer {
    ems_cnet_kind kind;
    size_t in, in2, out; /* tensors */
    size_t taps, stride; /* CONV */
    size_t weight, bias; /* offsets among the parameters. CONV:
                            [taps, channels in, channels out], [out];
                            NORM: gain, bias */
    size_t stats;        /* NORM: mean, variance among the statistics */
    int relu, drop;
    int adds, adds2;     /* backward: the gradient of in (in2) has been
                            written by a later layer, so add to it */
} ems_cnet_layer;

typedef struct ems_cnet {
    ems_enhancer_shape shape;
    ems_cnet_layer layer[EMS_CNET_LAYERS];
    ems_cnet_tensor tensor[EMS_CNET_LAYERS];
    size_t layers, tensors, slots;
    size_t parameters, statistics, step, reach;
    size_t sounds, time; /* capacity */
    int training;
    size_t slot_floats[EMS_CNET_LAYERS]; /* of one sound */
    ems_pool *pool;
    ems_gemm_pool *gemm;
    const ems_ops *ops;
    float *block;        /* all tensors */
    float *turned;       /* backward: the kernel of a layer, turned */
    double *sums;        /* NORM: of each sound and channel */
    float *saved;        /* NORM: mean and 1 / deviation of the batch, where
                            statistics has mean and variance */
} ems_cnet;

/* Memory for `sounds` sounds of up to `time` frames (a multiple of
 * ems_cnet_step). Without `training` only forward works, and memory is that of
 * the few tensors in use at once. `pool` is borrowed. NULL on failure. */
ems_cnet *ems_cnet_new(const ems_enhancer_shape *shape, size_t sounds,
                     size_t time, int training, ems_pool *pool,
                     ems_error *err);
void ems_cnet_free(ems_cnet *n);

typedef struct ems_cnet_pass {
    const float *p;   /* parameters */
    float *stats;     /* running statistics; learnt when `train` */
    size_t sounds, time;
    int train;        /* statistics of the batch, dropout */
    uint64_t seed;    /* of the dropout */
} ems_cnet_pass;

/* Where sound i goes: [time, 2]; and where its restored version is after
 * forward. In training, `d` of the output takes the loss' gradient before
 * backward. */
float *ems_cnet_input(ems_cnet *n, size_t i);
float *ems_cnet_output(ems_cnet *n, size_t i, int gradient);

void ems_cnet_forward(ems_cnet *n, const ems_cnet_pass *pass);
/* gradient[parameters] is overwritten. */
void ems_cnet_backward(ems_cnet *n, const ems_cnet_pass *pass, float *gradient);

/* Convolutions from N(0, 0.02) at the paper's width, so wide for every fan-in
 * that what comes out is as loud; the last layer is zero: training begins
 * with sound left as it is. Norms: gain 1, bias 0, mean 0, variance 1. */
void ems_cnet_init(const ems_cnet *n, float *p, float *stats, uint64_t seed);

/* Row 0 of sound i of a tensor: rows below 0 and beyond its end are there. */
static inline size_t ems_cnet_rows(const ems_cnet_tensor *t, size_t time)
{
    return time / t->divide;
}
static inline size_t ems_cnet_stride(const ems_cnet *n,
                                     const ems_cnet_tensor *t)
{
    return (n->time / t->divide + 2 * EMS_CNET_PAD) * t->channels;
}

/* net_norm.c: one batch normalisation with its ReLU, and its gradient. */
void ems_cnet_norm(ems_cnet *n, const ems_cnet_layer *l,
                  const ems_cnet_pass *pass);
void ems_cnet_norm_back(ems_cnet *n, const ems_cnet_layer *l,
                       const ems_cnet_pass *pass, float *gradient);

/* net_io.c: weights as PyTorch lays them out, layer by layer; `pairs` join the
 * metadata. */
int ems_cnet_save(const ems_cnet *n, const float *p, const float *stats,
                 const char *path, const ems_st_pair *pairs, size_t count,
                 ems_error *err);
/* The shape that a file's metadata tells, checked. `name` is for errors. */
int ems_cnet_shape_of(const ems_safetensors *st, const char *name,
                     ems_enhancer_shape *shape, ems_error *err);
/* p[parameters], stats[statistics] of a network of that shape. */
int ems_cnet_load(const ems_cnet *n, const ems_safetensors *st,
                 const char *name, float *p, float *stats, ems_error *err);
#endif

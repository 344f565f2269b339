/* net.h - a fusion at work on a few clips at a time: forward, loss, and
 * gradients. */
#ifndef EMS_FUSION_NET_H
#define EMS_FUSION_NET_H
#include "fusion/parts.h"

typedef struct ems_fusion_net { /* read-only; shared by all shards */
    ems_fusion_shape shape;
    const ems_fusion_params *params;
    const float *mean[EMS_FUSION_EXPERTS], *unit[EMS_FUSION_EXPERTS];
                           /* [dim]: inputs are (x - mean) * unit */
    float dropout;         /* 0: off */
    float weight[3];       /* of the three heads' losses */
    ems_cpu_level level;
    const ems_ops *ops;
} ems_fusion_net;

typedef struct ems_shard_expert { /* rows of all clips below each other */
    size_t *at;            /* [most + 1]: clip i has rows at[i]..at[i+1]-1 */
    float *x, *c, *q, *k, *v, *dc, *dq, *dk, *dv; /* [rows,dim], [rows,D] */
} ems_shard_expert;

typedef struct ems_shard_pair {
    float *q, *k, *v, *p, *mix, *y, *normal, *rstd;
} ems_shard_pair;

typedef struct ems_shard_joint {
    size_t *at;            /* [most + 1]: rows of z */
    float *z, *k, *v, *dz, *dk, *dv;      /* [rows,D] */
    float *s, *q, *p, *mix, *h, *f, *y, *ds, *dq, *dmix, *dh, *df;
    float *normal[3], *rstd[3];
} ems_shard_joint;

typedef struct ems_fusion_shard {
    size_t clips, most;
    const ems_clip **clip; /* [most], set by the caller with `clips` */
    uint32_t *absent;      /* [most]: bit e: as if expert e had said nothing */
    uint32_t key;          /* of the dropout */
    float *output;         /* [clips, outputs]: before softmax and sigmoid */
    float *doutput, *code, *dcode; /* [clips, code] */
    ems_shard_expert expert[EMS_FUSION_EXPERTS];
    ems_shard_pair *pair;
    ems_shard_joint joint;
    float *scratch, *dy, *dq, *dk, *dv;
    ems_fusion_params grad;
    float *grads;          /* grad's block */
    size_t floats;
    double loss;           /* sum over the clips */
    void *block;
} ems_fusion_shard;

/* Room for `most` clips; without gradients if `forward_only`. */
ems_fusion_shard *ems_fusion_shard_new(const ems_fusion_shape *s, size_t most,
                                       int forward_only, ems_error *err);
void ems_fusion_shard_free(ems_fusion_shard *s);
/* Fill s->output. `work`: ems_gemm_work bytes. */
void ems_fusion_forward(ems_fusion_shard *s, const ems_fusion_net *net,
                        void *work);
/* Then s->loss, and the gradients of it in s->grad. */
void ems_fusion_learn(ems_fusion_shard *s, const ems_fusion_net *net,
                      void *work);
/* Cross-entropy of the emotions, squared error of valence and arousal (half
 * their sum), mean binary cross-entropy of the genres; doutput (may be NULL)
 * becomes its gradient. Heads that are not known cost nothing. */
double ems_fusion_loss(const ems_fusion_shape *s, const float weight[3],
                       const ems_clip *clip, const float *output,
                       float *doutput);

/* ---- Between net.c, cross.c and joint.c ---------------------------------- */

typedef struct ems_fusion_run {
    ems_fusion_shard *s;
    const ems_fusion_net *net;
    ems_tools tools;
    size_t d;
} ems_fusion_run;

enum { /* where dropout acts, plus the number of the expert or pair */
    EMS_DROP_ENCODE = 0, EMS_DROP_QUERY = 16, EMS_DROP_KEY = 32,
    EMS_DROP_VALUE = 48, EMS_DROP_INPUT = 64, EMS_DROP_PAIR = 128,
};

void ems_fusion_drop(const ems_fusion_run *r, float *x, size_t n,
                     uint32_t site);
static inline size_t ems_fusion_rows_of(const ems_shard_expert *e, size_t clip)
{
    return e->at[clip + 1] - e->at[clip];
}

void ems_cross_forward(const ems_fusion_run *r);  /* c -> code */
void ems_cross_backward(const ems_fusion_run *r); /* dcode -> dc */
void ems_joint_forward(const ems_fusion_run *r);
void ems_joint_backward(const ems_fusion_run *r);
#endif

/* graph.h - the music transformer over whole batches, forwards and backwards:
 * EMSYNC's model exactly (thesis 2602.07063; docs/MODEL.md).
 *
 * A sequence is N = tokens + 2 positions: valence, arousal, then the tokens,
 * the first of which is the instrument-count token; what follows its last
 * target costs nothing. All memory is one arena
 * made by ems_graph_new; a step allocates nothing. Results do not depend on
 * the number of threads. */
#ifndef EMS_GRAPH_H
#define EMS_GRAPH_H
#include "base/pool.h"
#include "music/params.h"
#include "nn/cpu.h"

typedef struct ems_graph ems_graph;

typedef struct ems_graph_options {
    ems_model_shape shape;
    size_t batch, tokens;    /* sequences, tokens in each: tokens + 2 must
                                not be above shape.context_len */
    ems_precision precision; /* EMS_F32 or EMS_BF16, of the projections */
    double dropout;          /* 0..0.9 */
    double contrast;         /* weight of telling pairs apart; 0: no pairs.
                                Otherwise the sequences batch / 2 and on are
                                the others again, or their beginnings, under
                                other conditions: see ems_graph_loss. Not
                                with all_rows */
    int forward_only;        /* nonzero: no memory for gradients */
    int all_rows;            /* nonzero: rows after a sequence's last target
                                are computed, too */
} ems_graph_options;

typedef struct ems_batch {
    const uint16_t *tokens;   /* [batch, tokens] */
    const uint16_t *targets;  /* [batch, tokens]; EMS_PAD: ignored */
    const float *seconds;     /* [batch, tokens] to the next chord, 0..8 */
    const float *conditions;  /* [batch, 2]: valence, arousal; NaN: unknown */
    /* When a step has several batches: the number of this one's sequence 0,
     * by which dropout goes, and the weight of all their targets together,
     * by which the loss is divided (0: this batch is alone). Their losses
     * and gradients then sum to those of one large batch. */
    size_t first;
    double weight;
} ems_batch;

typedef struct ems_score_sums { /* of every target that is not EMS_PAD */
    double nll;               /* unweighted, natural log */
    double count, top1, top5;
} ems_score_sums;

/* Bytes of the arena and of scratch, and floating point operations of one
 * training step. */
size_t ems_graph_bytes(const ems_graph_options *o, int threads);
double ems_graph_flops(const ems_graph_options *o);

/* `pool` is borrowed. EMS_EINVAL, EMS_ENOMEM, EMS_EUNSUPPORTED. */
ems_graph *ems_graph_new(const ems_graph_options *o, ems_cpu_level level,
                         ems_pool *pool, ems_error *err);
/* Logits of the batch. `step` numbers the dropout masks; 0: no dropout. */
void ems_graph_forward(ems_graph *g, const ems_params *p, const ems_batch *b,
                       uint64_t step);
/* After forward: the weighted mean cross-entropy (weight 10 on <CHORD>). With
 * contrast w a pair counts like w targets of loss log(1 + exp(D)), D = how
 * much less likely (natural log, every target counts once) what the two share
 * is under its own conditions than under the other's: the loss of the model as
 * a classifier of the condition (Krause et al. 2020, GeDi, not divided by the
 * length). */
double ems_graph_loss(ems_graph *g, const ems_batch *b);
/* The weight of all targets of a batch's excerpts: 10 of a <CHORD>, 0 of
 * EMS_PAD. */
double ems_graph_weight(const ems_graph *g, const ems_batch *b);
/* Call `done` from backward as soon as a layer's gradients are complete, last
 * layer first; then, with layer -1, when all others are. NULL: nobody. */
void ems_graph_watch(ems_graph *g, void (*done)(void *user, int layer),
                     void *user);
/* After forward: loss, and all gradients into `grads` (overwritten). The
 * logits are gone afterwards. */
double ems_graph_backward(ems_graph *g, const ems_params *p,
                          const ems_batch *b, ems_params *grads);
/* After forward, instead of backward. */
ems_score_sums ems_graph_score(ems_graph *g, const ems_batch *b);
/* Rows of *stride floats, the first vocab_size of each are logits. Sequence
 * after sequence, tokens + 2 rows each; without all_rows a sequence has none
 * after its last target. */
const float *ems_graph_logits(const ems_graph *g, size_t *stride);
/* Multiplications and additions so far and the seconds they took: of the
 * products with weights, and of attention with its softmax (what the mask
 * hides is not counted). */
typedef struct ems_graph_work {
    double products, product_seconds, attention, attention_seconds;
} ems_graph_work;
ems_graph_work ems_graph_done(const ems_graph *g);
/* The pairs of all losses so far, and the sum of the probabilities, by the
 * model, that their conditions are their own: 0.5 of each is a guess. */
typedef struct ems_graph_pairs {
    double count, told;
} ems_graph_pairs;
ems_graph_pairs ems_graph_told(const ems_graph *g);
/* What no product can exceed: ems_gemm_peak of this graph's precision. */
double ems_graph_peak(ems_graph *g);
void ems_graph_free(ems_graph *g);
#endif

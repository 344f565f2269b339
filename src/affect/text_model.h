/* text_model.h - the classifier of texts: what its file holds.
 *
 * Letters: B buckets of hashes, D width of a word's vector, C channels of the
 * convolution over three words, H hidden. A chunk of words goes this way:
 *
 *     v[t]  = mean of the embeddings of word t's hashes            [D]
 *     z[t]  = relu(conv(v[t-1], v[t], v[t+1]))                     [C]
 *     u     = max over t of z; attention over t of z; mean of v    [2C + D]
 *     score = sigmoid(output(relu(hidden(u))))                     [35] */
#ifndef EMS_TEXT_MODEL_H
#define EMS_TEXT_MODEL_H
#include "affect/text_kern.h"
#include "affect/words.h"
#include "base/error.h"

enum {
    EMS_TEXT_OUTPUTS = EMS_TEXT_FULL + EMS_TEXT_EKMAN, /* in this order */
    EMS_TEXT_PADDED = 64, /* the same, in whole units */
    EMS_TEXT_MAX_WIDTH = 128, EMS_TEXT_MAX_CHANNELS = 256,
    EMS_TEXT_MAX_HIDDEN = 512, EMS_TEXT_MAX_BUCKETS = 1 << 22,
    EMS_TEXT_MAX_POOLED = 2 * EMS_TEXT_MAX_CHANNELS + EMS_TEXT_MAX_WIDTH,
};

typedef struct ems_text_shape {
    size_t buckets, width, channels, hidden; /* all but B whole units */
} ems_text_shape;

static inline size_t ems_text_pooled(const ems_text_shape *s)
{
    return 2 * s->channels + s->width;
}

/* X(field, name, rows, cols): the float tensors, row-major; s is the shape.
 * rows 0: a vector. In memory the outputs are padded to EMS_TEXT_PADDED. */
#define EMS_TEXT_PARAMS(X)                                                    \
    X(conv_w, "conv.weight", 3 * s->width, s->channels)                       \
    X(conv_b, "conv.bias", 0, s->channels)                                    \
    X(query, "attention.query", 0, s->channels)                               \
    X(hidden_w, "hidden.weight", ems_text_pooled(s), s->hidden)               \
    X(hidden_b, "hidden.bias", 0, s->hidden)                                  \
    X(output_w, "output.weight", s->hidden, EMS_TEXT_PADDED)                  \
    X(output_b, "output.bias", 0, EMS_TEXT_PADDED)

typedef struct ems_text_params {
#define X(field, name, rows, cols) float *field;
    EMS_TEXT_PARAMS(X)
#undef X
} ems_text_params;

/* Point the fields into `block` and return the floats it takes; NULL only
 * measures. Each tensor begins at a multiple of 16 floats. */
size_t ems_text_params_place(ems_text_params *p, float *block,
                             const ems_text_shape *s);
int ems_text_shape_check(const ems_text_shape *s, ems_error *err);

struct ems_text {
    ems_text_shape shape;
    const ems_text_kern *kern;
    ems_text_params params;
    float *block;           /* of params */
    int8_t *table;          /* [B,D] */
    float *scale;           /* [B] */
    float threshold[EMS_TEXT_OUTPUTS]; /* at or above: the label holds */
};

/* A model with room for its numbers, all zero. */
ems_text *ems_text_new(const ems_text_shape *s, ems_error *err);
/* From a safetensors file in memory; `name` is for errors. */
ems_text *ems_text_parse(const void *data, size_t size, const char *name,
                         ems_error *err);
int ems_text_save(const ems_text *t, const char *path, const char *made_of,
                  ems_error *err);
/* Scores of one chunk with at least one word. */
void ems_text_chunk(const ems_text *t, const ems_words *w,
                    float score[EMS_TEXT_OUTPUTS]);
/* 1 / (1 + exp(-x)), the same bits everywhere. */
float ems_text_sigmoid(float x);
#endif

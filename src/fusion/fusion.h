/* fusion.h - the small networks that join what frozen experts say of a clip.
 *
 * Each expert e gives a clip rows [T_e, dim_e], T_e between 0 (it had nothing
 * to say) and rows_e; an expert with rows_e = 1 is single, the others are
 * sequences. Two networks (Sulun, Viana, Davies; PyTorch's names and layouts
 * of the weights, so that equal sizes give equal networks):
 *
 * EMS_FUSION_CROSS, "VEMOCLAP" (arXiv 2410.21303): with D the width,
 *     c_e = drop(encode_e(x_e))                            every expert
 *     q, k, v = drop(query_e(c_e)), ..                     sequences
 *     for each ordered pair (a, b) of sequences
 *         y = attention_ab(q_a, k_b, v_b), h heads         [T_a, D]
 *         u_ab = mean over T_a of drop(norm_ab(y))         [D]
 *     code = relu(u_ab .. and c_e of singles, by name)     [units D]
 * A lone sequence is paired with itself.
 *
 * EMS_FUSION_JOINT, the single-transformer of the trailers' genres:
 *     z_e = drop([separator_e, encode_e(x_e)] + position_e)
 *     z = [start, z_e ..]                                  [L, D]
 *     h = norm1(start + attention(start, z, z))            [D]
 *     code = norm(norm2(h + outer(relu(inner(h)))))        [D]
 * which is one post-norm encoder layer, of which only the first row is used.
 *
 * Both end in output(code): Ekman's six (softmax), valence and arousal, and
 * genres (sigmoid), whichever of the three heads the network has. What is
 * missing is masked: rows that are not there take part in no softmax and no
 * mean, a pair with a missing side is 0. */
#ifndef EMS_FUSION_H
#define EMS_FUSION_H
#include "base/error.h"

enum {
    EMS_FUSION_EXPERTS = 16, EMS_FUSION_NAME = 48,
    EMS_FUSION_PAIRS = EMS_FUSION_EXPERTS * (EMS_FUSION_EXPERTS - 1),
    EMS_FUSION_UNITS = EMS_FUSION_PAIRS + EMS_FUSION_EXPERTS,
    EMS_FUSION_MOST_DIM = 8192, EMS_FUSION_MOST_ROWS = 1024,
    EMS_FUSION_MOST_WIDTH = 2048, EMS_FUSION_MOST_INNER = 8192,
    EMS_FUSION_GENRES = EMS_GENRES,
    EMS_FUSION_OUTPUTS = EMS_EKMAN + 2 + EMS_FUSION_GENRES,
};

typedef enum ems_fusion_kind { EMS_FUSION_CROSS, EMS_FUSION_JOINT }
    ems_fusion_kind;

typedef struct ems_fusion_expert {
    char name[EMS_FUSION_NAME]; /* letters, digits, '-', '_', '.' */
    size_t dim, rows;
} ems_fusion_expert;

typedef struct ems_fusion_shape {
    ems_fusion_kind kind;
    size_t experts;
    ems_fusion_expert expert[EMS_FUSION_EXPERTS]; /* ascending by name */
    size_t width, heads; /* heads divides width */
    size_t inner;        /* EMS_FUSION_JOINT only */
    size_t emotions;     /* EMS_EKMAN or 0 */
    size_t affect;       /* 2 or 0 */
    size_t genres;       /* 0..EMS_FUSION_GENRES */
} ems_fusion_shape;

/* EMS_EINVAL with what is wrong with it. */
int ems_fusion_check(const ems_fusion_shape *s, ems_error *err);
static inline size_t ems_fusion_outputs(const ems_fusion_shape *s)
{
    return s->emotions + s->affect + s->genres;
}

typedef struct ems_linear { /* y = x w' + b */
    float *w, *b;           /* [n,k], [n] */
} ems_linear;

typedef struct ems_attention_params { /* of torch.nn.MultiheadAttention */
    ems_linear in, out;               /* in: q, k and v, [3D,D] */
} ems_attention_params;

typedef struct ems_fusion_pair {
    size_t a, b; /* experts */
    ems_attention_params mha;
    float *gain, *bias;
} ems_fusion_pair;

typedef struct ems_fusion_unit { /* D numbers of the code */
    int single;
    size_t index;                /* of the pair, or of the expert */
} ems_fusion_unit;

/* Where each tensor lies in one block of floats. */
typedef struct ems_fusion_params {
    ems_linear encode[EMS_FUSION_EXPERTS];
    ems_linear query[EMS_FUSION_EXPERTS], key[EMS_FUSION_EXPERTS],
        value[EMS_FUSION_EXPERTS];
    ems_fusion_pair pair[EMS_FUSION_PAIRS];
    size_t pairs;
    ems_fusion_unit unit[EMS_FUSION_UNITS];
    size_t units;
    float *separator[EMS_FUSION_EXPERTS], *position[EMS_FUSION_EXPERTS];
    float *start;
    size_t positions; /* rows of each table: every row of every expert */
    ems_attention_params mha;
    ems_linear inner, outer;
    float *gain[3], *bias[3];
    ems_linear output; /* [outputs, code]: emotions, affect, genres */
    size_t code;
} ems_fusion_params;

typedef struct ems_fusion_tensor {
    char name[2 * EMS_FUSION_NAME + 32];
    size_t at, rows, cols; /* floats into the block; rows 0: a vector */
} ems_fusion_tensor;

/* Point the fields into `block` (NULL: only measure) and return the floats it
 * takes. `list` (may be NULL) gets the tensors, *count how many they are. */
size_t ems_fusion_place(ems_fusion_params *p, float *block,
                        const ems_fusion_shape *s, ems_fusion_tensor *list,
                        size_t *count);
/* Learned numbers. */
uint64_t ems_fusion_parameters(const ems_fusion_shape *s);

/* What the experts say of one clip, and what people say of it. */
typedef struct ems_fusion_rows {
    const float *data; /* [rows, dim]; NaN: not known, as if average */
    size_t rows;
} ems_fusion_rows;

enum { EMS_KNOWN_EMOTION = 1, EMS_KNOWN_AFFECT = 2, EMS_KNOWN_GENRES = 4 };

typedef struct ems_clip {
    ems_fusion_rows part[EMS_FUSION_EXPERTS];
    int known;                         /* EMS_KNOWN_ flags */
    float emotion[EMS_EKMAN];          /* shares, sum 1 */
    float affect[2];                   /* valence, arousal */
    float genre[EMS_FUSION_GENRES];    /* 0 or 1 */
    size_t group; /* clips of one group are never on both sides of a split */
    int split;    /* ems_clip_split */
} ems_clip;

typedef enum ems_clip_split {
    EMS_SPLIT_ANY, EMS_SPLIT_TRAIN, EMS_SPLIT_VALID, EMS_SPLIT_TEST,
} ems_clip_split;
#endif

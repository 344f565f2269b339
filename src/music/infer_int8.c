/* infer_int8.c - a head's attention with keys, values and relative table of
 * 8 bits. A tile of rows at neighbouring positions goes through together, so
 * that what is read from the cache serves all of them; each row's numbers are
 * those it would get alone. */
#include "music/infer_parts.h"

#include <math.h>
#include <string.h>

enum { SCORES = EMS_MAX_CONTEXT + EMS_PANEL };

typedef struct tile {
    const ems_net *net;
    const ems_head_cache *cache;
    const ems_weights *rel;
    size_t at, rows;          /* of the first row; at most EMS_TILE */
    size_t end;               /* positions up to the last row's, whole panels */
    float *p;                 /* [rows][end]: scores, then probabilities */
    int16_t *weight;          /* [rows][end] */
    int16_t *q;               /* [rows][D rounded up to pairs] */
    float q_scale[EMS_TILE], sum[EMS_TILE];
} tile;

static void note_scale(const ems_head_cache *c, size_t at)
{
    const float before = at ? c->value_most[at - 1] : 0;
    const float here = c->value_scale[at];
    c->value_most[at] = here > before ? here : before;
}

void ems_cache8_scales(ems_head_cache *c, size_t length)
{
    for (size_t at = 0; at < length; at++)
        note_scale(c, at);
}

static void store(const ems_net *n, const ems_head_cache *c, size_t at,
                  const float *k, const float *v)
{
    int16_t q[EMS_MAX_HEAD];
    const size_t D = n->D, Tp = ems_whole(n->T);
    c->key_scale[at] = n->kern8->quantise(q, k, D, EMS_BYTE);
    int8_t *key = c->keys8 + at / EMS_PANEL * ems_panel_bytes(EMS_INT8, D) +
                  2 * (at % EMS_PANEL);
    for (size_t d = 0; d < D; d++)
        key[d / 2 * 2 * EMS_PANEL + d % 2] = (int8_t)q[d];
    c->value_scale[at] = n->kern8->quantise(q, v, D, EMS_BYTE);
    int8_t *value = c->values8 + at / 2 * 2 * EMS_PANEL + at % 2;
    for (size_t d = 0; d < D; d++)
        value[d / EMS_PANEL * Tp * EMS_PANEL + 2 * (d % EMS_PANEL)] =
            (int8_t)q[d];
    note_scale(c, at);
}

/* p[r][j] = q . E of the distance from j to the row's own position, which is
 * row T - 1 - (at - j) of E. */
static void meet_distances(tile *t)
{
    const ems_net *n = t->net;
    const size_t last = t->at + t->rows - 1, width = ems_even(n->D);
    const size_t bytes = ems_panel_bytes(EMS_INT8, n->D);
    int32_t sum[EMS_TILE * EMS_PANEL];
    for (size_t e = (n->T - 1 - last) / EMS_PANEL * EMS_PANEL; e < n->T;
         e += EMS_PANEL) {
        n->kern8->dots(sum, EMS_PANEL,
                       (const int8_t *)t->rel->packed + e / EMS_PANEL * bytes,
                       t->q, width, t->rows, width);
        for (size_t r = 0; r < t->rows; r++) {
            const size_t zero = n->T - 1 - (t->at + r); /* E's row of j = 0 */
            const size_t from = e < zero ? zero - e : 0;
            const size_t to = n->T - e < EMS_PANEL ? n->T - e : EMS_PANEL;
            if (from < to)
                n->kern8->begin_scores(t->p + r * t->end + e + from - zero,
                                       sum + r * EMS_PANEL + from,
                                       t->rel->scale + e + from, to - from);
        }
    }
}

static void meet_keys(tile *t)
{
    const ems_net *n = t->net;
    const float scale = (float)(1 / sqrt((double)n->D));
    const size_t width = ems_even(n->D);
    const size_t bytes = ems_panel_bytes(EMS_INT8, n->D);
    int32_t sum[EMS_TILE * EMS_PANEL];
    for (size_t j = 0; j < t->end; j += EMS_PANEL) {
        n->kern8->dots(sum, EMS_PANEL, t->cache->keys8 + j / EMS_PANEL * bytes,
                       t->q, width, t->rows, width);
        for (size_t r = 0; r < t->rows; r++)
            n->kern8->scores(t->p + r * t->end + j, sum + r * EMS_PANEL,
                             t->cache->key_scale + j, t->q_scale[r] * scale);
    }
}

/* Scores to weights of 16 bits that hold the values' scales, too. */
static void weigh(tile *t, size_t r)
{
    const ems_net *n = t->net;
    const size_t at = t->at + r, end = ems_whole(at + 1);
    float *p = t->p + r * t->end;
    int16_t *weight = t->weight + r * t->end;
    for (size_t j = at + 1; j < end; j++)
        p[j] = -INFINITY;
    t->sum[r] = n->kern->softmax(p, end);
    const float most = t->cache->value_most[at];
    n->kern8->weigh(weight, p, t->cache->value_scale,
                    most > 0 ? INT16_MAX / most : 0, end);
    for (size_t j = end; j < t->end; j++)
        weight[j] = 0;
}

/* 64 columns of the rows' outputs. */
static void mix(const tile *t, size_t panel, float out[][EMS_PANEL])
{
    const int8_t *values = t->cache->values8 +
                           panel * ems_whole(t->net->T) * EMS_PANEL;
    int32_t sum[EMS_TILE * EMS_PANEL];
    memset(out, 0, t->rows * sizeof *out);
    for (size_t j = 0; j < t->end; j += EMS_STRETCH) {
        const size_t left = t->end - j;
        t->net->kern8->dots(sum, EMS_PANEL, values + j * EMS_PANEL,
                            t->weight + j, t->end, t->rows,
                            left < EMS_STRETCH ? left : EMS_STRETCH);
        for (size_t r = 0; r < t->rows; r++)
            for (size_t i = 0; i < EMS_PANEL; i++)
                out[r][i] += (float)sum[r * EMS_PANEL + i];
    }
    for (size_t r = 0; r < t->rows; r++) {
        const float most = t->cache->value_most[t->at + r];
        for (size_t i = 0; i < EMS_PANEL; i++)
            out[r][i] = out[r][i] * (most / INT16_MAX / t->sum[r]);
    }
}

/* q[rows][ldq] to att[rows][ldatt]. */
static void attend(tile *t, const float *q, size_t ldq, float *att,
                   size_t ldatt)
{
    const size_t D = t->net->D, width = ems_even(D);
    for (size_t r = 0; r < t->rows; r++) {
        t->q[r * width + D] = 0; /* overwritten unless D is odd */
        t->q_scale[r] = t->net->kern8->quantise(
            t->q + r * width, q + r * ldq, D, (float)ems_range(D));
        for (size_t j = t->at + r + 1; j < t->end; j++)
            t->p[r * t->end + j] = 0;
    }
    meet_distances(t);
    meet_keys(t);
    for (size_t r = 0; r < t->rows; r++)
        weigh(t, r);
    for (size_t panel = 0; panel * EMS_PANEL < D; panel++) {
        float out[EMS_TILE][EMS_PANEL];
        const size_t left = D - panel * EMS_PANEL;
        mix(t, panel, out);
        for (size_t r = 0; r < t->rows; r++)
            memcpy(att + r * ldatt + panel * EMS_PANEL, out[r],
                   (left < EMS_PANEL ? left : EMS_PANEL) * sizeof **out);
    }
}

/* How many rows from r on may go together. */
static size_t together(const ems_session *s, size_t r, size_t rows)
{
    const size_t at = s->row[r].at;
    size_t n = 1;
    while (n < EMS_TILE && r + n < rows &&
           s->row[r + n].session == s->row[r].session &&
           s->row[r + n].at == at + n &&
           (n + 1) * ems_whole(at + n + 1) <= SCORES &&
           (n + 1) * ems_even(s->net->D) <= EMS_MAX_HEAD)
        n++;
    return n;
}

void ems_head_int8(ems_session *s, size_t layer, size_t head, size_t rows)
{
    const ems_net *n = s->net;
    const float *qkv = s->qkv + head * n->head_panels * EMS_PANEL;
    _Alignas(64) float p[SCORES];
    _Alignas(64) int16_t weight[SCORES], q[EMS_MAX_HEAD + 2];
    for (size_t r = 0; r < rows; r++) {
        const float *k = qkv + r * s->qkv_width + n->D;
        store(n, &s->row[r].session->cache[layer * n->H + head],
              s->row[r].at, k, k + n->D);
    }
    for (size_t r = 0, step; r < rows; r += step) {
        step = together(s, r, rows);
        tile t = {.net = n, .rel = &n->layer[layer].rel8, .rows = step,
                  .cache = &s->row[r].session->cache[layer * n->H + head],
                  .at = s->row[r].at, .p = p, .weight = weight, .q = q};
        t.end = ems_whole(t.at + step);
        attend(&t, qkv + r * s->qkv_width, s->qkv_width,
               s->att + r * s->x_width + head * n->D, s->x_width);
    }
}

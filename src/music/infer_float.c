/* infer_float.c - a head's attention with keys and values as float. */
#include "music/infer_parts.h"

#include <math.h>
#include <string.h>

static void store(const ems_net *n, const ems_head_cache *c, size_t at,
                  const float *k, const float *v)
{
    const size_t D = n->D;
    float *column = c->keys + at / EMS_PANEL * EMS_PANEL * D + at % EMS_PANEL;
    for (size_t d = 0; d < D; d++)
        column[d * EMS_PANEL] = k[d];
    memcpy(c->values + at * n->v_width, v, D * sizeof *v);
}

/* One query at position `at` against all positions up to it. */
static void attend(const ems_net *n, const ems_head_cache *c,
                   const float *rel, size_t at, const float *q, float *att)
{
    const size_t D = n->D;
    const float scale = (float)(1 / sqrt((double)D));
    _Alignas(64) float p[EMS_MAX_CONTEXT + EMS_PANEL];
    _Alignas(64) float out[EMS_MAX_HEAD + EMS_LANES];
    const size_t end = (at / EMS_PANEL + 1) * EMS_PANEL;
    for (size_t j = 0; j < end; j += EMS_PANEL)
        n->kern->scores(p + j, q, c->keys + j * D, rel + (n->T - 1 - at + j),
                        n->rel_stride, D, scale);
    for (size_t j = at + 1; j < end; j++)
        p[j] = -INFINITY;
    const float sum = n->kern->softmax(p, end);
    n->kern->mix(out, p, c->values, at + 1, n->v_width, 1 / sum);
    memcpy(att, out, D * sizeof *out);
}

void ems_head_float(ems_session *s, size_t layer, size_t head, size_t rows)
{
    const ems_net *n = s->net;
    const float *qkv = s->qkv + head * n->head_panels * EMS_PANEL;
    for (size_t r = 0; r < rows; r++) {
        const float *k = qkv + r * s->qkv_width + n->D;
        const ems_head_cache *c =
            &s->row[r].session->cache[layer * n->H + head];
        store(n, c, s->row[r].at, k, k + n->D);
    }
    for (size_t r = 0; r < rows; r++) {
        const ems_head_cache *c =
            &s->row[r].session->cache[layer * n->H + head];
        attend(n, c, n->layer[layer].rel, s->row[r].at,
               qkv + r * s->qkv_width, s->att + r * s->x_width + head * n->D);
    }
}

#include "fusion/learn.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/run.h"
#include "nn/optim.h"

#include <math.h>
#include <string.h>

enum { PARTS = 4 };

typedef struct school {
    ems_fusion *f;
    const ems_fusion_lesson *l;
    ems_fusion_net net;
    ems_fusion_shard *part[PARTS];
    void *work[PARTS];
    ems_clip *mixed;       /* [batch]: clips made of two */
    float *rows;           /* their rows */
    size_t row_floats;     /* per clip */
    float *g, *m, *v, *best;
    ems_optim optim;
    ems_span *span;
    double *sums;
    size_t *order, n;      /* clips to learn from */
    ems_fusion_said *said; /* [count] */
    uint64_t step;
    double best_quality;
    int best_epoch;
} school;

/* ---- Scales ------------------------------------------------------------- */

/* Mean and 1 / deviation of every number, over the rows to learn from. */
static void scale_each(const school *s, size_t e)
{
    const size_t dim = s->f->shape.expert[e].dim;
    for (size_t j = 0; j < dim; j++) {
        double n = 0, sum = 0, square = 0;
        for (size_t i = 0; i < s->n; i++) {
            const ems_fusion_rows *p = &s->l->clips[s->order[i]].part[e];
            for (size_t r = 0; r < p->rows; r++) {
                const double x = (double)p->data[r * dim + j];
                if (isnan(x))
                    continue;
                n++;
                sum += x;
                square += x * x;
            }
        }
        const double mean = n > 0 ? sum / n : 0;
        const double d = n > 0 ? sqrt(fmax(square / n - mean * mean, 0)) : 0;
        s->f->mean[e][j] = (float)mean;
        s->f->unit[e][j] = d > 1e-6 ? (float)(1 / d) : 0;
    }
}

/* EMSYNC: an expert's smallest and largest number become 0 and 1. */
static void scale_range(const school *s, size_t e)
{
    const size_t dim = s->f->shape.expert[e].dim;
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < s->n; i++) {
        const ems_fusion_rows *p = &s->l->clips[s->order[i]].part[e];
        for (size_t k = 0; k < p->rows * dim; k++) {
            low = fminf(low, p->data[k]);
            high = fmaxf(high, p->data[k]);
        }
    }
    for (size_t j = 0; j < dim; j++) {
        s->f->mean[e][j] = low < high ? low : 0;
        s->f->unit[e][j] = low < high ? 1 / (high - low) : 0;
    }
}

/* ---- Birth -------------------------------------------------------------- */

static void uniform(float *x, size_t n, double reach, ems_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((ems_rng_uniform(rng) * 2 - 1) * reach);
}

static void fill(float *x, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        x[i] = value;
}

static void linear(ems_linear l, size_t n, size_t k, ems_rng *rng)
{
    uniform(l.w, n * k, 1 / sqrt((double)k), rng);
    uniform(l.b, n, 1 / sqrt((double)k), rng);
}

static void attention(const ems_attention_params *a, size_t d, ems_rng *rng)
{
    uniform(a->in.w, 3 * d * d, sqrt(6 / (4 * (double)d)), rng);
    uniform(a->out.w, d * d, 1 / sqrt((double)d), rng);
}

static void normal(float *x, size_t n, ems_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.02 * ems_rng_normal(rng));
}

static void begin_joint(const ems_fusion *f, ems_rng *rng)
{
    const ems_fusion_params *p = &f->params;
    const size_t d = f->shape.width;
    for (size_t e = 0; e < f->shape.experts; e++) {
        normal(p->separator[e], d, rng);
        normal(p->position[e], p->positions * d, rng);
    }
    normal(p->start, d, rng);
    attention(&p->mha, d, rng);
    linear(p->inner, f->shape.inner, d, rng);
    linear(p->outer, d, f->shape.inner, rng);
    for (size_t i = 0; i < 3; i++)
        fill(p->gain[i], d, 1);
}

static void begin_weights(const ems_fusion *f, uint64_t seed)
{
    const ems_fusion_params *p = &f->params;
    const size_t d = f->shape.width;
    ems_rng rng = ems_rng_seed(seed, 1);
    memset(f->block, 0, f->floats * sizeof *f->block);
    for (size_t e = 0; e < f->shape.experts; e++) {
        linear(p->encode[e], d, f->shape.expert[e].dim, &rng);
        if (f->shape.kind == EMS_FUSION_JOINT || f->shape.expert[e].rows == 1)
            continue;
        linear(p->query[e], d, d, &rng);
        linear(p->key[e], d, d, &rng);
        linear(p->value[e], d, d, &rng);
    }
    for (size_t i = 0; i < p->pairs; i++) {
        attention(&p->pair[i].mha, d, &rng);
        fill(p->pair[i].gain, d, 1);
    }
    if (f->shape.kind == EMS_FUSION_JOINT)
        begin_joint(f, &rng);
    linear(p->output, ems_fusion_outputs(&f->shape), p->code, &rng);
}

/* ---- Clips of two ------------------------------------------------------- */

/* How alike two clips feel: 0 is the same, above 1 is another emotion. */
static double distance(const ems_clip *a, const ems_clip *b)
{
    double d = 0;
    if (a->known != b->known)
        return 2;
    if (a->known & EMS_KNOWN_AFFECT)
        for (int i = 0; i < 2; i++)
            d += pow(4 * (double)(a->affect[i] - b->affect[i]), 2);
    if (a->known & EMS_KNOWN_EMOTION)
        for (int i = 0; i < EMS_EKMAN; i++)
            d += pow(2 * (double)(a->emotion[i] - b->emotion[i]), 2);
    return sqrt(d);
}

static void mix_labels(ems_clip *to, const ems_clip *b)
{
    for (int i = 0; i < 2; i++)
        to->affect[i] = (to->affect[i] + b->affect[i]) / 2;
    for (int i = 0; i < EMS_EKMAN; i++)
        to->emotion[i] = (to->emotion[i] + b->emotion[i]) / 2;
}

/* Rows of a, then of b, half of the room each. */
static float *join(ems_fusion_rows *to, const ems_fusion_rows *a,
                   const ems_fusion_rows *b, const ems_fusion_expert *x,
                   float *room)
{
    const ems_fusion_rows *const from[2] = {a, b};
    size_t n = 0;
    float *const data = room;
    for (int i = 0; i < 2; i++) {
        const size_t half = (x->rows + 1 - (size_t)i) / 2;
        const size_t rows = from[i]->rows < half ? from[i]->rows : half;
        if (rows)
            memcpy(room, from[i]->data, rows * x->dim * sizeof *room);
        room += rows * x->dim;
        n += rows;
    }
    *to = (ems_fusion_rows){data, n};
    return room;
}

/* Another clip of like emotion, out of some drawn at random; or NULL. */
static const ems_clip *like(const school *s, const ems_clip *clip,
                            ems_rng *rng)
{
    for (int tries = 0; tries < 40; tries++) {
        const ems_clip *b = &s->l->clips[s->order[ems_rng_below(rng, s->n)]];
        if (b != clip && distance(clip, b) < 1)
            return b;
    }
    return NULL;
}

static const ems_clip *maybe_mixed(const school *s, size_t slot,
                                   const ems_clip *clip, ems_rng *rng)
{
    float *room = s->rows + slot * s->row_floats;
    if (!s->mixed || ems_rng_uniform(rng) >= s->l->mix ||
        clip->known & EMS_KNOWN_GENRES)
        return clip;
    const ems_clip *b = like(s, clip, rng);
    if (!b)
        return clip;
    ems_clip *to = &s->mixed[slot];
    *to = *clip;
    mix_labels(to, b);
    for (size_t e = 0; e < s->f->shape.experts; e++)
        room = join(&to->part[e], &clip->part[e], &b->part[e],
                    &s->f->shape.expert[e], room);
    return to;
}

/* ---- A step ------------------------------------------------------------- */

/* Experts that are left out of a clip this time; never all that spoke. */
static uint32_t draw_absent(const school *s, const ems_clip *clip,
                            ems_rng *rng)
{
    uint32_t absent = 0;
    size_t left = 0;
    for (size_t e = 0; e < s->f->shape.experts; e++) {
        const int gone = ems_rng_uniform(rng) < s->l->absent;
        if (gone)
            absent |= 1u << e;
        else
            left += clip->part[e].rows > 0;
    }
    return left ? absent : 0;
}

static void run_part(void *ctx, size_t i)
{
    school *s = ctx;
    if (s->part[i]->clips)
        ems_fusion_learn(s->part[i], &s->net, s->work[i]);
}

static void fill_parts(school *s, const size_t *order, size_t n)
{
    const size_t each = (n + PARTS - 1) / PARTS;
    for (size_t i = 0; i < PARTS; i++) {
        ems_fusion_shard *p = s->part[i];
        p->clips = 0;
        p->key = (uint32_t)(s->step * PARTS + i) + (uint32_t)s->l->seed;
        for (size_t k = i * each; k < n && k < (i + 1) * each; k++) {
            ems_rng rng = ems_rng_seed(s->l->seed ^ s->step << 20, 64 + k);
            const ems_clip *c = &s->l->clips[order[k]];
            p->clip[p->clips] = maybe_mixed(s, k, c, &rng);
            p->absent[p->clips++] = draw_absent(s, c, &rng);
        }
    }
}

static int step(school *s, const size_t *order, size_t n, double lr,
                double *loss)
{
    fill_parts(s, order, n);
    ems_pool_for(s->l->pool, PARTS, run_part, s);
    memset(s->g, 0, s->f->floats * sizeof *s->g);
    *loss = 0;
    for (size_t i = 0; i < PARTS; i++) {
        if (!s->part[i]->clips)
            continue;
        *loss += s->part[i]->loss;
        for (size_t j = 0; j < s->f->floats; j++)
            s->g[j] += s->part[i]->grads[j];
    }
    const double scale = 1 / (double)n;
    const double norm = ems_optim_norm(&s->optim) * scale;
    if (!isfinite(*loss) || !isfinite(norm))
        return -1;
    ems_optim_step(&s->optim, ++s->step, lr, s->l->decay,
                   norm > 1 ? scale / norm : scale);
    return 0;
}

/* ---- Epochs ------------------------------------------------------------- */

static void shuffle(school *s, int epoch)
{
    ems_rng rng = ems_rng_seed(s->l->seed, 1000 + (uint64_t)epoch);
    for (size_t i = s->n; i > 1; i--) {
        const size_t j = ems_rng_below(&rng, i), t = s->order[i - 1];
        s->order[i - 1] = s->order[j];
        s->order[j] = t;
    }
}

static int teach_epoch(school *s, int epoch, double *mean, ems_error *err)
{
    const ems_fusion_lesson *l = s->l;
    const size_t batch = (size_t)l->batch;
    double sum = 0, loss;
    shuffle(s, epoch);
    for (size_t at = 0; at < s->n; at += batch) {
        const size_t n = s->n - at < batch ? s->n - at : batch;
        const double done = ((double)epoch + (double)at / (double)s->n) /
                            (double)l->epochs;
        if (ems_cancelled(l->run))
            return ems_fail_cancelled(err);
        ems_progress(l->run, "train", l->from + (l->to - l->from) * done);
        if (step(s, s->order + at, n,
                 ems_learning_rate(l->lr, 0.02, 20, s->step, done),
                 &loss) < 0)
            return ems_fail(err, EMS_EINTERNAL, "the loss is not finite any"
                            " more in step %llu; try a lower learning rate",
                            (unsigned long long)s->step + 1);
        sum += loss;
    }
    *mean = sum / (double)s->n;
    return EMS_OK;
}

static int has_valid(const ems_fusion_lesson *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->role[i] == EMS_ROLE_VALID)
            return 1;
    return 0;
}

static int judge(school *s, int epoch, double loss, ems_error *err)
{
    const ems_fusion_lesson *l = s->l;
    ems_fusion_scores scores;
    if (ems_fusion_rate(s->f, l->clips, l->count, s->said, err) < 0 ||
        ems_fusion_measure(&scores, &s->f->shape, l->clips, s->said, l->role,
                           EMS_ROLE_VALID, l->count) < 0)
        return ems_out_of_memory(err);
    const double q = ems_fusion_quality(&scores);
    if (!l->quiet)
        ems_log(l->run, EMS_LOG_INFO, "epoch %d: loss %.4f, validation %.4f",
                epoch, loss, q);
    if (isnan(q) || q > s->best_quality) {
        s->best_quality = isnan(q) ? s->best_quality : q;
        s->best_epoch = epoch;
        memcpy(s->best, s->f->block, s->f->floats * sizeof *s->best);
    }
    return EMS_OK;
}

static int teach(school *s, ems_error *err)
{
    const int watched = has_valid(s->l);
    double loss = 0;
    int code = EMS_OK;
    s->best_quality = -INFINITY;
    for (int e = 0; e < s->l->epochs && code == EMS_OK; e++) {
        code = teach_epoch(s, e, &loss, err);
        if (code == EMS_OK && watched)
            code = judge(s, e + 1, loss, err);
        if (watched && e + 1 - s->best_epoch >= s->l->patience)
            break;
    }
    if (code == EMS_OK && watched)
        memcpy(s->f->block, s->best, s->f->floats * sizeof *s->best);
    else
        s->best_epoch = s->l->epochs;
    return code;
}

/* ---- Beginning and end -------------------------------------------------- */

static void list_clips(school *s)
{
    for (size_t i = 0; i < s->l->count; i++)
        if (s->l->role[i] == EMS_ROLE_TRAIN)
            s->order[s->n++] = i;
}

static int make_optim(school *s)
{
    const size_t n = s->f->floats, spans = (n + EMS_SPAN - 1) / EMS_SPAN;
    s->span = ems_alloc(spans, sizeof *s->span);
    s->sums = ems_alloc(spans, sizeof *s->sums);
    if (!s->span || !s->sums)
        return -1;
    for (size_t i = 0; i < spans; i++)
        s->span[i] = (ems_span){i * EMS_SPAN, n - i * EMS_SPAN < EMS_SPAN
                                ? n - i * EMS_SPAN : EMS_SPAN, 1};
    s->optim = (ems_optim){.ops = s->net.ops, .pool = s->l->pool,
                           .span = s->span, .spans = spans, .sums = s->sums,
                           .p = s->f->block, .g = s->g, .m = s->m, .v = s->v};
    return 0;
}

static int make_room(school *s)
{
    const size_t n = s->f->floats, batch = (size_t)s->l->batch;
    for (size_t e = 0; e < s->f->shape.experts; e++)
        s->row_floats += s->f->shape.expert[e].rows *
                         s->f->shape.expert[e].dim;
    s->order = ems_alloc(s->l->count, sizeof *s->order);
    s->said = ems_alloc(s->l->count, sizeof *s->said);
    s->best = ems_alloc_aligned(n, sizeof *s->best);
    s->g = ems_alloc_aligned(n, sizeof *s->g);
    s->m = ems_alloc_aligned(n, sizeof *s->m);
    s->v = ems_alloc_aligned(n, sizeof *s->v);
    if (!s->order || !s->said || !s->best || !s->g || !s->m || !s->v)
        return -1;
    if (s->l->mix > 0) {
        s->mixed = ems_alloc(batch, sizeof *s->mixed);
        s->rows = ems_alloc(batch * s->row_floats, sizeof *s->rows);
        if (!s->mixed || !s->rows)
            return -1;
    }
    for (size_t i = 0; i < PARTS; i++) {
        s->part[i] = ems_fusion_shard_new(&s->f->shape,
                                          (batch + PARTS - 1) / PARTS, 0,
                                          NULL);
        s->work[i] = ems_alloc_aligned(ems_gemm_work(s->net.level), 1);
        if (!s->part[i] || !s->work[i])
            return -1;
    }
    return make_optim(s);
}

static void clear(school *s)
{
    for (size_t i = 0; i < PARTS; i++) {
        ems_fusion_shard_free(s->part[i]);
        ems_free(s->work[i]);
    }
    ems_free(s->mixed);
    ems_free(s->rows);
    ems_free(s->order);
    ems_free(s->said);
    ems_free(s->best);
    ems_free(s->g);
    ems_free(s->m);
    ems_free(s->v);
    ems_free(s->span);
    ems_free(s->sums);
}

int ems_fusion_teach(ems_fusion *f, const ems_fusion_lesson *lesson,
                     int *epoch, ems_error *err)
{
    school s = {.f = f, .l = lesson, .net = ems_fusion_net_of(f)};
    int code = EMS_OK;
    s.net.dropout = (float)lesson->dropout;
    if (make_room(&s) < 0) {
        clear(&s);
        return ems_out_of_memory(err);
    }
    list_clips(&s);
    if (!s.n)
        code = ems_fail(err, EMS_EINVAL, "there is no clip to learn from");
    for (size_t e = 0; e < f->shape.experts && code == EMS_OK; e++)
        (lesson->minmax ? scale_range : scale_each)(&s, e);
    begin_weights(f, lesson->seed);
    if (code == EMS_OK)
        code = teach(&s, err);
    *epoch = s.best_epoch;
    clear(&s);
    return code;
}

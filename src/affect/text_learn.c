#include "affect/text_learn.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/run.h"

#include <math.h>
#include <string.h>

enum {
    PARTS = 16,    /* of the embedding's rows, each moved by one thread */
    MAX_SHARDS = 64,
};

/* Rows move less often than the other weights, so each time further. */
static const double ROW_RATE = 2;

struct ems_learner {
    ems_text_net net;
    ems_text_params params;
    float *weights;          /* params' block, then gradient and moments */
    size_t floats;
    float *table, *m, *v;    /* [B,D] */
    float *sum;              /* [B,D]: gradient of rows in use */
    uint32_t *stamp;         /* [B]: the last step that used the row */
    ems_shard *shard[MAX_SHARDS];
    size_t shards;
    ems_pool *pool;
    ems_gemm_pool *gemm;
    ems_optim optim;
    ems_span *span;
    uint64_t step;
};

/* ---- Birth -------------------------------------------------------------- */

static void uniform(float *x, size_t count, double reach, ems_rng *rng)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((ems_rng_uniform(rng) * 2 - 1) * reach);
}

static void begin_weights(ems_learner *l, const float *prior, uint64_t seed)
{
    const ems_text_shape *s = &l->net.shape;
    const ems_text_params *p = &l->params;
    const size_t pooled = ems_text_pooled(s);
    ems_rng rng = ems_rng_seed(seed, 1);
    uniform(l->table, s->buckets * s->width, 0.3, &rng);
    uniform(p->conv_w, 3 * s->width * s->channels,
            1 / sqrt(3 * (double)s->width), &rng);
    uniform(p->query, s->channels, 1 / sqrt((double)s->channels), &rng);
    uniform(p->hidden_w, pooled * s->hidden, 1 / sqrt((double)pooled), &rng);
    for (size_t i = 0; i < s->hidden; i++)
        uniform(p->output_w + i * EMS_TEXT_PADDED, EMS_TEXT_OUTPUTS,
                1 / sqrt((double)s->hidden), &rng);
    for (size_t i = 0; i < EMS_TEXT_OUTPUTS; i++) {
        const double share = fmin(fmax(prior[i], 1e-4), 1 - 1e-4);
        p->output_b[i] = (float)log(share / (1 - share));
    }
}

static int make_optim(ems_learner *l)
{
    const size_t spans = (l->floats + EMS_SPAN - 1) / EMS_SPAN;
    l->span = ems_alloc(spans, sizeof *l->span);
    double *sums = ems_alloc(spans, sizeof *sums);
    l->optim = (ems_optim){.ops = l->net.ops, .pool = l->pool,
                           .span = l->span, .spans = spans, .sums = sums,
                           .p = l->weights, .g = l->weights + l->floats,
                           .m = l->weights + 2 * l->floats,
                           .v = l->weights + 3 * l->floats};
    if (!l->span || !sums)
        return -1;
    for (size_t i = 0; i < spans; i++) {
        const size_t at = i * EMS_SPAN, left = l->floats - at;
        l->span[i] = (ems_span){at, left < EMS_SPAN ? left : EMS_SPAN, 1};
    }
    return 0;
}

ems_learner *ems_learner_new(const ems_text_shape *s,
                             const float prior[EMS_TEXT_OUTPUTS],
                             uint64_t seed, ems_pool *pool, ems_error *err)
{
    ems_learner *l = ems_alloc(1, sizeof *l);
    if (l) {
        const size_t cells = s->buckets * s->width;
        l->net.shape = *s;
        l->net.params = &l->params;
        l->net.level = ems_cpu_best();
        l->net.ops = ems_ops_get(l->net.level);
        l->pool = pool;
        l->floats = ems_text_params_place(&l->params, NULL, s);
        l->weights = ems_alloc_aligned(4 * l->floats, sizeof(float));
        l->table = ems_alloc_aligned(cells, sizeof(float));
        l->m = ems_alloc_aligned(cells, sizeof(float));
        l->v = ems_alloc_aligned(cells, sizeof(float));
        l->sum = ems_alloc_aligned(cells, sizeof(float));
        l->stamp = ems_alloc(s->buckets, sizeof *l->stamp);
        l->gemm = ems_gemm_pool_new(pool, l->net.level, err);
    }
    if (!l || !l->weights || !l->table || !l->m || !l->v || !l->sum ||
        !l->stamp || !l->gemm || make_optim(l) < 0) {
        ems_learner_free(l);
        ems_out_of_memory(err);
        return NULL;
    }
    l->net.table = l->table;
    ems_text_params_place(&l->params, l->weights, s);
    begin_weights(l, prior, seed);
    return l;
}

void ems_learner_free(ems_learner *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->shards; i++)
        ems_shard_free(l->shard[i]);
    ems_gemm_pool_free(l->gemm);
    ems_free(l->optim.sums);
    ems_free(l->span);
    ems_free(l->weights);
    ems_free(l->table);
    ems_free(l->m);
    ems_free(l->v);
    ems_free(l->sum);
    ems_free(l->stamp);
    ems_free(l);
}

/* ---- A batch ------------------------------------------------------------ */

typedef struct batch {
    ems_learner *l;
    const ems_lesson *lesson;
    const size_t *order;   /* of the batch's lines in the set */
    size_t lines, shards;
    uint64_t number;       /* of the epoch */
    ems_adamw row;         /* how rows move */
} batch;

/* The hashes of a word, but for some: one of them stays. */
static size_t remember(uint32_t *out, const uint32_t *hash, size_t count,
                       const batch *b, ems_rng *rng)
{
    const size_t buckets = b->l->net.shape.buckets;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (ems_rng_uniform(rng) >= (double)b->lesson->forget)
            out[kept++] = (uint32_t)ems_text_row(hash[i], buckets);
    if (kept == 0)
        out[kept++] = (uint32_t)ems_text_row(
            hash[ems_rng_below(rng, count)], buckets);
    return kept;
}

static void fill_line(ems_shard_input *in, const batch *b, size_t index)
{
    const size_t l = in->lines++;
    ems_words w;
    ems_rng rng = ems_rng_seed(b->lesson->seed ^ b->number << 32, index + 16);
    ems_text_set_words(b->lesson->set, index, &w);
    size_t at = in->line[l];
    for (size_t t = 0; t < w.count; t++, at++) {
        const size_t from = t ? w.end[t - 1] : 0;
        in->word[at + 1] = in->word[at] +
                           remember(in->row + in->word[at], w.hash + from,
                                    w.end[t] - from, b, &rng);
    }
    in->line[l + 1] = at;
    memcpy(in->target[l], b->lesson->target + index * EMS_TEXT_OUTPUTS,
           sizeof in->target[l]);
}

static void run_shard(void *ctx, size_t i)
{
    const batch *b = ctx;
    ems_shard *s = b->l->shard[i];
    const size_t from = i * EMS_SHARD;
    s->in.lines = s->in.line[0] = s->in.word[0] = 0;
    s->in.key = (uint32_t)(b->l->step * MAX_SHARDS + i) * 0x9e3779b1u;
    for (size_t k = from; k < b->lines && k < from + EMS_SHARD; k++)
        fill_line(&s->in, b, b->order[k]);
    size_t slot;
    void *work = ems_gemm_borrow(b->l->gemm, &slot);
    ems_shard_run(s, &b->l->net, work);
    ems_gemm_return(b->l->gemm, slot);
}

/* ---- Moving the embedding ----------------------------------------------- */

static void add_word(ems_learner *l, const ems_shard *s, size_t w, size_t part)
{
    const size_t d = l->net.shape.width;
    const uint32_t now = (uint32_t)(l->step + 1);
    const size_t from = s->in.word[w], to = s->in.word[w + 1];
    const float share = 1 / (float)(to - from);
    for (size_t i = from; i < to; i++) {
        const size_t row = s->in.row[i];
        if (row % PARTS != part)
            continue;
        float *sum = l->sum + row * d;
        if (l->stamp[row] != now)
            memset(sum, 0, d * sizeof *sum);
        l->stamp[row] = now;
        for (size_t j = 0; j < d; j++)
            sum[j] += share * s->dword[w * d + j];
    }
}

/* Rows that carry the mark `now` move once: the mark changes. */
static void move_word(ems_learner *l, const ems_shard *s, size_t w,
                      size_t part, const ems_adamw *how)
{
    const size_t d = l->net.shape.width;
    const uint32_t now = (uint32_t)(l->step + 1);
    for (size_t i = s->in.word[w]; i < s->in.word[w + 1]; i++) {
        const size_t row = s->in.row[i], at = row * d;
        if (row % PARTS != part || l->stamp[row] != now)
            continue;
        l->stamp[row] = 0;
        l->net.ops->adamw(l->table + at, l->sum + at, l->m + at, l->v + at, d,
                          how);
    }
}

static void move_part(void *ctx, size_t part)
{
    const batch *b = ctx;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < b->shards; i++) {
            const ems_shard *s = b->l->shard[i];
            for (size_t w = 0; w < s->in.line[s->in.lines]; w++)
                if (pass == 0)
                    add_word(b->l, s, w, part);
                else
                    move_word(b->l, s, w, part, &b->row);
        }
}

/* ---- A step ------------------------------------------------------------- */

static void sum_gradients(ems_learner *l, size_t shards)
{
    float *sum = l->weights + l->floats;
    memset(sum, 0, l->floats * sizeof *sum);
    for (size_t i = 0; i < shards; i++) {
        const float *g = l->shard[i]->grad.conv_w; /* first of the block */
        for (size_t j = 0; j < l->floats; j++)
            sum[j] += g[j];
    }
}

static int step(batch *b, double lr, double *loss)
{
    ems_learner *l = b->l;
    const double scale = 1 / (double)b->lines;
    b->shards = (b->lines + EMS_SHARD - 1) / EMS_SHARD;
    ems_pool_for(l->pool, b->shards, run_shard, b);
    *loss = 0;
    for (size_t i = 0; i < b->shards; i++)
        *loss += l->shard[i]->loss;
    sum_gradients(l, b->shards);
    if (!isfinite(*loss) || !isfinite(ems_optim_norm(&l->optim)))
        return -1;
    const double n = (double)(l->step + 1);
    b->row = (ems_adamw){
        .lr = (float)(lr * ROW_RATE), .beta1 = 0.9f, .beta2 = 0.999f,
        .epsilon = 1e-8f, .correct1 = (float)(1 / (1 - pow(0.9, n))),
        .correct2 = (float)(1 / (1 - pow(0.999, n))), .scale = (float)scale};
    ems_pool_for(l->pool, PARTS, move_part, b);
    ems_optim_step(&l->optim, ++l->step, lr, b->lesson->decay, scale);
    return 0;
}

/* ---- Lessons ------------------------------------------------------------ */

static void shuffle(size_t *order, size_t n, uint64_t seed, uint64_t epoch)
{
    ems_rng rng = ems_rng_seed(seed, 2 + epoch);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        const size_t j = ems_rng_below(&rng, i), t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}

static int make_shards(ems_learner *l, size_t lines, ems_error *err)
{
    while (l->shards < lines / EMS_SHARD) {
        ems_shard *s = ems_shard_new(&l->net.shape, err);
        if (!s)
            return EMS_ENOMEM;
        l->shard[l->shards++] = s;
    }
    return EMS_OK;
}

static int teach_epoch(batch *b, size_t *order, ems_error *err)
{
    const ems_lesson *x = b->lesson;
    const size_t lines = x->set->count;
    double sum = 0, loss;
    shuffle(order, lines, x->seed, b->number);
    for (size_t at = 0; at < lines; at += b->lines) {
        const double done = ((double)b->number + (double)at / (double)lines) /
                            (double)x->epochs;
        b->order = order + at;
        b->lines = lines - at < x->batch ? lines - at : x->batch;
        if (ems_cancelled(x->run))
            return ems_fail_cancelled(err);
        ems_progress(x->run, "train", done);
        if (step(b, ems_learning_rate(x->lr, 0.01, x->warmup, b->l->step,
                                      done), &loss) < 0)
            return ems_fail(err, EMS_EINTERNAL, "the loss is not finite any"
                            " more in step %llu; try a lower learning rate",
                            (unsigned long long)b->l->step + 1);
        sum += loss;
    }
    ems_log(x->run, EMS_LOG_INFO, "epoch %llu of %zu: loss %.4f",
            (unsigned long long)b->number + 1, x->epochs,
            sum / (double)lines);
    return EMS_OK;
}

int ems_learner_teach(ems_learner *l, const ems_lesson *lesson,
                      ems_error *err)
{
    size_t *order = ems_alloc(lesson->set->count, sizeof *order);
    if (!order)
        return ems_out_of_memory(err);
    batch b = {.l = l, .lesson = lesson};
    l->net.dropout = lesson->dropout;
    int code = make_shards(l, lesson->batch, err);
    for (; code == EMS_OK && b.number < lesson->epochs; b.number++)
        code = teach_epoch(&b, order, err);
    ems_free(order);
    return code;
}

/* ---- The result --------------------------------------------------------- */

/* A row that no text ever used says nothing. */
static int is_used(const ems_learner *l, size_t row)
{
    const size_t d = l->net.shape.width;
    for (size_t j = 0; j < d; j++)
        if (l->v[row * d + j] > 0)
            return 1;
    return 0;
}

ems_text *ems_learner_result(const ems_learner *l, ems_error *err)
{
    const ems_text_shape *s = &l->net.shape;
    ems_text *t = ems_text_new(s, err);
    if (!t)
        return NULL;
    memcpy(t->block, l->weights, l->floats * sizeof *t->block);
    for (size_t r = 0; r < s->buckets; r++) {
        const float *row = l->table + r * s->width;
        float most = 0;
        const size_t width = is_used(l, r) ? s->width : 0;
        for (size_t j = 0; j < width; j++)
            most = fmaxf(most, fabsf(row[j]));
        t->scale[r] = most / 127;
        for (size_t j = 0; j < s->width; j++)
            t->table[r * s->width + j] =
                most > 0 ? (int8_t)lrintf(row[j] / t->scale[r]) : 0;
    }
    return t;
}

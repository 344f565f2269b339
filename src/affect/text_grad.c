#include "affect/text_grad.h"

#include "base/arena.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

static void place(ems_shard *s, ems_arena *a, const ems_text_shape *shape)
{
    const size_t d = shape->width, c = shape->channels, h = shape->hidden;
    const size_t pooled = ems_text_pooled(shape), rows = EMS_SHARD_ROWS;
    const size_t one = sizeof(float);
    s->dword = ems_take(a, EMS_SHARD_WORDS * d, one);
    s->v = ems_take(a, rows * d, one);
    s->dv = ems_take(a, rows * d, one);
    s->z = ems_take(a, rows * c, one);
    s->dz = ems_take(a, rows * c, one);
    s->window = ems_take(a, rows * 3 * d, one);
    s->u = ems_take(a, EMS_SHARD * pooled, one);
    s->du = ems_take(a, EMS_SHARD * pooled, one);
    s->h = ems_take(a, EMS_SHARD * h, one);
    s->dh = ems_take(a, EMS_SHARD * h, one);
    s->o = ems_take(a, EMS_SHARD * EMS_TEXT_PADDED, one);
    s->share = ems_take(a, EMS_SHARD_WORDS, one);
    s->arg = ems_take(a, EMS_SHARD * c, sizeof *s->arg);
    float *grads = ems_take(a, ems_text_params_place(&s->grad, NULL, shape),
                            one);
    ems_text_params_place(&s->grad, grads, shape);
}

ems_shard *ems_shard_new(const ems_text_shape *shape, ems_error *err)
{
    ems_shard *s = ems_alloc(1, sizeof *s);
    ems_arena a = {0};
    if (s) {
        place(s, &a, shape);
        a = (ems_arena){.base = ems_alloc_aligned(a.used, 1)};
        s->block = a.base;
    }
    if (!s || !s->block) {
        ems_shard_free(s);
        ems_out_of_memory(err);
        return NULL;
    }
    place(s, &a, shape);
    return s;
}

void ems_shard_free(ems_shard *s)
{
    if (!s)
        return;
    ems_free(s->block);
    ems_free(s);
}

/* ---- What every step needs ---------------------------------------------- */

typedef struct run {
    ems_shard *s;
    const ems_text_net *net;
    void *work;
    size_t d, c, h, pooled;
    size_t rows;   /* of v: a zero row before, between and after the lines */
} run;

/* Dropout sites. */
enum { WORDS, POOLED, HIDDEN };

static ems_drop drop_at(const run *r, uint32_t site)
{
    const float rate = r->net->dropout;
    return (ems_drop){.key = r->s->in.key * 3 + site,
                      .threshold = (uint32_t)(rate * (float)(1 << 24)),
                      .scale = 1 / (1 - rate)};
}

static void drop(const run *r, float *x, size_t n, uint32_t site)
{
    const ems_drop d = drop_at(r, site);
    if (d.threshold)
        r->net->ops->drop(x, n, 0, d);
}

/* Row of v that holds word w of line l. */
static size_t row_of(size_t w, size_t l)
{
    return w + l + 1;
}

static void multiply(const run *r, const ems_gemm *g)
{
    ems_gemm_one(r->net->level, g, r->work);
}

/* ---- Forward ------------------------------------------------------------ */

static void word_mean(float *out, const float *table, const uint32_t *row,
                      size_t count, size_t d)
{
    const float share = 1 / (float)count;
    memset(out, 0, d * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        const float *from = table + row[i] * d;
        for (size_t j = 0; j < d; j++)
            out[j] += from[j];
    }
    for (size_t j = 0; j < d; j++)
        out[j] *= share;
}

static void embed(const run *r)
{
    const ems_shard_input *in = &r->s->in;
    memset(r->s->v, 0, r->rows * r->d * sizeof(float));
    for (size_t l = 0; l < in->lines; l++)
        for (size_t w = in->line[l]; w < in->line[l + 1]; w++)
            word_mean(r->s->v + row_of(w, l) * r->d, r->net->table,
                      in->row + in->word[w], in->word[w + 1] - in->word[w],
                      r->d);
    drop(r, r->s->v, r->rows * r->d, WORDS);
}

/* z[row] sees v[row - 1 .. row + 1]; the first and last row have none. */
static void convolve(const run *r)
{
    const ems_text_params *p = r->net->params;
    multiply(r, &(ems_gemm){
        .c = r->s->z + r->c, .ldc = r->c, .a = r->s->v, .a_row = r->d,
        .a_col = 1, .b = p->conv_w, .b_row = r->c, .b_col = 1,
        .m = r->rows - 2, .n = r->c, .k = 3 * r->d, .bias = p->conv_b,
        .flags = EMS_GEMM_RELU});
}

static double dot(const float *a, const float *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += (double)a[i] * (double)b[i];
    return s;
}

static void attend(const run *r, size_t l, float *out)
{
    const ems_shard_input *in = &r->s->in;
    const size_t from = in->line[l], to = in->line[l + 1];
    float *share = r->s->share;
    double most = -1e300, sum = 0;
    for (size_t w = from; w < to; w++) {
        share[w] = (float)dot(r->s->z + row_of(w, l) * r->c,
                              r->net->params->query, r->c);
        most = share[w] > most ? share[w] : most;
    }
    for (size_t w = from; w < to; w++)
        sum += share[w] = (float)exp(share[w] - most);
    for (size_t c = 0; c < r->c; c++)
        out[c] = 0;
    for (size_t w = from; w < to; w++) {
        share[w] = (float)(share[w] / sum);
        const float *z = r->s->z + row_of(w, l) * r->c;
        for (size_t c = 0; c < r->c; c++)
            out[c] += share[w] * z[c];
    }
}

static void highest(const run *r, size_t l, float *out)
{
    const ems_shard_input *in = &r->s->in;
    size_t *arg = r->s->arg + l * r->c;
    for (size_t c = 0; c < r->c; c++)
        arg[c] = in->line[l];
    for (size_t w = in->line[l]; w < in->line[l + 1]; w++) {
        const float *z = r->s->z + row_of(w, l) * r->c;
        for (size_t c = 0; c < r->c; c++)
            if (z[c] > r->s->z[row_of(arg[c], l) * r->c + c])
                arg[c] = w;
    }
    for (size_t c = 0; c < r->c; c++)
        out[c] = r->s->z[row_of(arg[c], l) * r->c + c];
}

static void pool(const run *r)
{
    const ems_shard_input *in = &r->s->in;
    for (size_t l = 0; l < in->lines; l++) {
        float *u = r->s->u + l * r->pooled, *mean = u + 2 * r->c;
        const size_t words = in->line[l + 1] - in->line[l];
        highest(r, l, u);
        attend(r, l, u + r->c);
        memset(mean, 0, r->d * sizeof *mean);
        for (size_t w = in->line[l]; w < in->line[l + 1]; w++)
            for (size_t j = 0; j < r->d; j++)
                mean[j] += r->s->v[row_of(w, l) * r->d + j] / (float)words;
    }
    drop(r, r->s->u, in->lines * r->pooled, POOLED);
}

static void judge(const run *r)
{
    const ems_text_params *p = r->net->params;
    multiply(r, &(ems_gemm){
        .c = r->s->h, .ldc = r->h, .a = r->s->u, .a_row = r->pooled,
        .a_col = 1, .b = p->hidden_w, .b_row = r->h, .b_col = 1,
        .m = r->s->in.lines, .n = r->h, .k = r->pooled, .bias = p->hidden_b,
        .flags = EMS_GEMM_RELU});
    drop(r, r->s->h, r->s->in.lines * r->h, HIDDEN);
    multiply(r, &(ems_gemm){
        .c = r->s->o, .ldc = EMS_TEXT_PADDED, .a = r->s->h, .a_row = r->h,
        .a_col = 1, .b = p->output_w, .b_row = EMS_TEXT_PADDED, .b_col = 1,
        .m = r->s->in.lines, .n = EMS_TEXT_PADDED, .k = r->h,
        .bias = p->output_b});
}

/* Binary cross-entropy with a soft target; o becomes its gradient. */
static void lose(const run *r)
{
    r->s->loss = 0;
    for (size_t l = 0; l < r->s->in.lines; l++) {
        float *o = r->s->o + l * EMS_TEXT_PADDED;
        for (size_t i = 0; i < EMS_TEXT_OUTPUTS; i++) {
            const double x = (double)o[i], e = exp(-fabs(x));
            const double y = (double)r->s->in.target[l][i];
            r->s->loss += fmax(x, 0) - x * y + log1p(e);
            o[i] = (float)((x >= 0 ? 1 : e) / (1 + e) - y);
        }
        for (size_t i = EMS_TEXT_OUTPUTS; i < EMS_TEXT_PADDED; i++)
            o[i] = 0;
    }
}

/* ---- Backward ----------------------------------------------------------- */

static void column_sums(float *sum, const float *x, size_t rows, size_t n)
{
    memset(sum, 0, n * sizeof *sum);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++)
            sum[j] += x[i * n + j];
}

/* y = x w + bias: from dy, the gradients of w and bias, and dx (gated by
 * `gate` where that is not NULL). */
typedef struct linear_back {
    const float *x, *dy, *w, *gate;
    float *dx, *dw, *dbias;
    size_t rows, k, n;
} linear_back;

static void linear_backward(const run *r, const linear_back *b)
{
    multiply(r, &(ems_gemm){
        .c = b->dw, .ldc = b->n, .a = b->x, .a_row = 1, .a_col = b->k,
        .b = b->dy, .b_row = b->n, .b_col = 1, .m = b->k, .n = b->n,
        .k = b->rows});
    column_sums(b->dbias, b->dy, b->rows, b->n);
    multiply(r, &(ems_gemm){
        .c = b->dx, .ldc = b->k, .a = b->dy, .a_row = b->n, .a_col = 1,
        .b = b->w, .b_row = 1, .b_col = b->n, .m = b->rows, .n = b->k,
        .k = b->n, .gate = b->gate, .ldgate = b->k});
}

static void judge_back(const run *r)
{
    const ems_text_params *p = r->net->params;
    ems_shard *s = r->s;
    const size_t lines = s->in.lines;
    linear_backward(r, &(linear_back){
        s->h, s->o, p->output_w, s->h, s->dh, s->grad.output_w,
        s->grad.output_b, lines, r->h, EMS_TEXT_PADDED});
    drop(r, s->dh, lines * r->h, HIDDEN);
    linear_backward(r, &(linear_back){
        s->u, s->dh, p->hidden_w, NULL, s->du, s->grad.hidden_w,
        s->grad.hidden_b, lines, r->pooled, r->h});
    drop(r, s->du, lines * r->pooled, POOLED);
}

/* With y = sum of share z, share = softmax(query . z): dz and dquery. */
static void attend_back(const run *r, size_t l, const float *dy)
{
    const ems_shard_input *in = &r->s->in;
    const float *query = r->net->params->query;
    double mean = 0, d[EMS_WORDS_MAX];
    for (size_t w = in->line[l]; w < in->line[l + 1]; w++) {
        const size_t i = w - in->line[l];
        d[i] = dot(dy, r->s->z + row_of(w, l) * r->c, r->c);
        mean += (double)r->s->share[w] * d[i];
    }
    for (size_t w = in->line[l]; w < in->line[l + 1]; w++) {
        const float a = r->s->share[w];
        const float ds = (float)((double)a * (d[w - in->line[l]] - mean));
        const float *z = r->s->z + row_of(w, l) * r->c;
        float *dz = r->s->dz + row_of(w, l) * r->c;
        for (size_t c = 0; c < r->c; c++) {
            dz[c] += a * dy[c] + ds * query[c];
            r->s->grad.query[c] += ds * z[c];
        }
    }
}

static void pool_back(const run *r)
{
    ems_shard *s = r->s;
    memset(s->dz, 0, r->rows * r->c * sizeof(float));
    memset(s->dv, 0, r->rows * r->d * sizeof(float));
    memset(s->grad.query, 0, r->c * sizeof(float));
    for (size_t l = 0; l < s->in.lines; l++) {
        const float *du = s->du + l * r->pooled, *dmean = du + 2 * r->c;
        const size_t *arg = s->arg + l * r->c;
        const size_t words = s->in.line[l + 1] - s->in.line[l];
        for (size_t c = 0; c < r->c; c++)
            s->dz[row_of(arg[c], l) * r->c + c] += du[c];
        attend_back(r, l, du + r->c);
        for (size_t w = s->in.line[l]; w < s->in.line[l + 1]; w++)
            for (size_t j = 0; j < r->d; j++)
                s->dv[row_of(w, l) * r->d + j] += dmean[j] / (float)words;
    }
    for (size_t i = r->c; i < (r->rows - 1) * r->c; i++)
        s->dz[i] = s->z[i] > 0 ? s->dz[i] : 0;
}

static void convolve_back(const run *r)
{
    ems_shard *s = r->s;
    const size_t m = r->rows - 2, k = 3 * r->d;
    const float *dz = s->dz + r->c;
    multiply(r, &(ems_gemm){
        .c = s->grad.conv_w, .ldc = r->c, .a = s->v, .a_row = 1,
        .a_col = r->d, .b = dz, .b_row = r->c, .b_col = 1, .m = k, .n = r->c,
        .k = m});
    column_sums(s->grad.conv_b, dz, m, r->c);
    multiply(r, &(ems_gemm){
        .c = s->window, .ldc = k, .a = dz, .a_row = r->c, .a_col = 1,
        .b = r->net->params->conv_w, .b_row = 1, .b_col = r->c, .m = m,
        .n = k, .k = r->c});
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < k; j++)
            s->dv[i * r->d + j] += s->window[i * k + j];
    drop(r, s->dv, r->rows * r->d, WORDS);
}

void ems_shard_run(ems_shard *s, const ems_text_net *net, void *work)
{
    const ems_text_shape *shape = &net->shape;
    const ems_shard_input *in = &s->in;
    const run r = {.s = s, .net = net, .work = work, .d = shape->width,
                   .c = shape->channels, .h = shape->hidden,
                   .pooled = ems_text_pooled(shape),
                   .rows = in->line[in->lines] + in->lines + 1};
    embed(&r);
    convolve(&r);
    pool(&r);
    judge(&r);
    lose(&r);
    judge_back(&r);
    pool_back(&r);
    convolve_back(&r);
    for (size_t l = 0; l < in->lines; l++)
        for (size_t w = in->line[l]; w < in->line[l + 1]; w++)
            memcpy(s->dword + w * r.d, s->dv + row_of(w, l) * r.d,
                   r.d * sizeof(float));
}

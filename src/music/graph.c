/* The transformer of graph.h: memory and layers. graph_embed.c makes the
 * input of the first layer, graph_attention.c is the attention, graph_loss.c
 * what comes after the last layer. */
#include "music/graph.h"

#include "base/mem.h"
#include "music/graph_parts.h"
#include "music/vocab.h"

#include <math.h>
#include <string.h>

enum { STRIP = 64 }; /* columns of one turn of a parallel loop */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Memory ------------------------------------------------------------- */

static void set_sizes(ems_graph *g, const ems_graph_options *o)
{
    const ems_model_shape *s = &o->shape;
    g->o = *o;
    g->C = (size_t)s->d_model;
    g->H = (size_t)s->n_head;
    g->D = g->C / g->H;
    g->F = (size_t)s->d_inner;
    g->V = (size_t)s->vocab_size;
    g->N = o->tokens + EMS_CONDITIONS;
    g->M = o->batch * g->N;
    g->wide = (g->N + EMS_ATT_UNIT - 1) / EMS_ATT_UNIT * EMS_ATT_UNIT;
    g->ld = (g->V + 31) / 32 * 32 + 16; /* no power of two: cache sets */
    g->flags = o->precision == EMS_BF16 ? EMS_GEMM_BF16 : 0;
    ems_attention_sizes(g);
}

static void place_layers(ems_graph *g, ems_arena *a)
{
    const size_t mc = g->M * g->C;
    const size_t prob = g->o.batch * g->H * g->prob_floats;
    for (int i = 0; i < g->o.shape.n_layer; i++) {
        ems_layer_state *s = &g->layer[i];
        if (i > 0 && g->o.forward_only) {
            *s = s[-1]; /* one layer's memory serves all */
            continue;
        }
        float **const rows[] = {&s->q, &s->k, &s->v, &s->o, &s->normal1,
                                &s->h, &s->normal2, &s->y};
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            *rows[r] = ems_take(a, mc, sizeof(float));
        s->f = ems_take(a, g->M * g->F, sizeof(float));
        s->rstd1 = ems_take(a, g->M, sizeof(float));
        s->rstd2 = ems_take(a, g->M, sizeof(float));
        s->prob = ems_take(a, prob, sizeof(float));
    }
}

static void place_shared(ems_graph *g, ems_arena *a)
{
    const size_t B = g->o.batch, M = g->M, C = g->C;
    g->x0 = ems_take(a, M * C, sizeof(float));
    g->logits = ems_take(a, M * g->ld, sizeof(float));
    g->offset = ems_take(a, M, sizeof(float));
    g->offset_hidden = ems_take(a, M * (C / 4), sizeof(float));
    g->cond = ems_take(a, EMS_CONDITIONS * B * C, sizeof(float));
    g->cond_hidden = ems_take(a, EMS_CONDITIONS * B * (C / 2), sizeof(float));
    g->row_nll = ems_take(a, M, sizeof(double));
    g->gain = ems_take(a, B, sizeof(double));
    g->t = ems_take(a, M * C, sizeof(float));
    g->rel = ems_take(a, g->wide * g->D, sizeof(float));
    g->rel_packed = ems_take(
        a, ems_gemm_packed_floats(g->level, g->D, g->wide), sizeof(float));
    g->rel_rows = ems_take(
        a, ems_gemm_packed_floats(g->level, g->wide, g->D), sizeof(float));
}

static void place_gradients(ems_graph *g, ems_arena *a)
{
    const size_t mc = g->M * g->C, B = g->o.batch;
    if (g->o.forward_only)
        return;
    float **const rows[] = {&g->dx, &g->dh, &g->dq, &g->dk, &g->dv};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        *rows[r] = ems_take(a, mc, sizeof(float));
    g->df = ems_take(a, g->M * g->F, sizeof(float));
    g->drel = ems_take(a, B * g->H * g->wide * g->D, sizeof(float));
    g->dcond = ems_take(a, B * g->C, sizeof(float));
    g->dhidden = ems_take(a, g->M * (g->C / 4) + B * g->C, sizeof(float));
}

/* Run once to measure, once to take. */
static void place(ems_graph *g, ems_arena *a, size_t threads)
{
    g->group = ems_take(a, g->groups, sizeof *g->group);
    ems_attention_groups(g);
    ems_rows_place(g, a);
    place_shared(g, a);
    place_layers(g, a);
    place_gradients(g, a);
    g->scratch_floats = (ems_attention_scratch(g) + 15) / 16 * 16;
    g->scratch = ems_take(a, threads * g->scratch_floats, sizeof(float));
}

size_t ems_graph_bytes(const ems_graph_options *o, int threads)
{
    ems_graph *g = ems_alloc(1, sizeof *g);
    ems_arena a = {0};
    if (!g)
        return 0;
    g->level = ems_cpu_best();
    set_sizes(g, o);
    place(g, &a, (size_t)threads);
    a.used += ems_gemm_pool_bytes(g->level, threads);
    ems_free(g);
    return a.used;
}

/* Multiplications and additions of a step: a product of [m,k] and [k,n] is
 * 2mnk forwards and twice that backwards. */
double ems_graph_flops(const ems_graph_options *o)
{
    const double N = (double)o->tokens + EMS_CONDITIONS;
    const double M = (double)o->batch * N, C = o->shape.d_model;
    const double F = o->shape.d_inner, V = o->shape.vocab_size;
    const double linear = 2 * M * C * (4 * C + 2 * F);
    const double pairs = M * (N + 1) / 2;    /* (query, key) per head */
    const double attention = 2 * pairs * C;  /* one product over the heads */
    return o->shape.n_layer * (3 * linear + (3 + 6) * attention) +
           3 * 2 * M * C * V;
}

static int options_check(const ems_graph_options *o, ems_error *err)
{
    if (ems_shape_check(&o->shape, err) < 0)
        return EMS_EINVAL;
    const size_t most = (size_t)o->shape.context_len - EMS_CONDITIONS;
    if (o->batch < 1 || o->batch > 4096)
        return ems_fail(err, EMS_EINVAL, "batch of %zu sequences; take 1 to"
                        " 4096", o->batch);
    if (o->tokens < 1 || o->tokens > most)
        return ems_fail(err, EMS_EINVAL, "sequences of %zu tokens; a context"
                        " of %d positions takes 1 to %zu", o->tokens,
                        o->shape.context_len, most);
    if (o->precision == EMS_INT8)
        return ems_fail(err, EMS_EUNSUPPORTED, "training in int8; choose f32"
                        " or bf16");
    if (!(o->contrast >= 0) ||
        (o->contrast > 0 && (o->batch % 2 || o->all_rows)))
        return ems_fail(err, EMS_EINVAL, "a contrast of weight %g over %zu"
                        " sequences; it is 0 or more, and of pairs",
                        o->contrast, o->batch);
    if (!(o->dropout >= 0 && o->dropout <= 0.9))
        return ems_fail(err, EMS_EINVAL, "dropout %g must lie between 0 and"
                        " 0.9", o->dropout);
    return EMS_OK;
}

ems_graph *ems_graph_new(const ems_graph_options *o, ems_cpu_level level,
                         ems_pool *pool, ems_error *err)
{
    if (options_check(o, err) < 0)
        return NULL;
    ems_graph *g = ems_alloc(1, sizeof *g);
    if (!g) {
        ems_out_of_memory(err);
        return NULL;
    }
    const size_t threads = (size_t)ems_pool_threads(pool);
    g->level = level;
    g->pool = pool;
    g->ops = ems_ops_get(level);
    set_sizes(g, o);
    ems_arena a = {0};
    place(g, &a, threads);
    g->base = a.base = ems_alloc_aligned(a.used, 1);
    g->gemm = g->base ? ems_gemm_pool_new(pool, level, err) : NULL;
    if (!g->gemm) {
        ems_fail(err, EMS_ENOMEM, "training needs %.2f GB of memory; take a"
                 " smaller batch", (double)a.used * 1e-9);
        ems_graph_free(g);
        return NULL;
    }
    a.used = 0;
    place(g, &a, threads);
    return g;
}

void ems_graph_free(ems_graph *g)
{
    if (!g)
        return;
    ems_gemm_pool_free(g->gemm);
    ems_free(g->base);
    ems_free(g);
}

const float *ems_graph_logits(const ems_graph *g, size_t *stride)
{
    *stride = g->ld;
    return g->logits;
}

ems_graph_work ems_graph_done(const ems_graph *g)
{
    const ems_gemm_work_done done = ems_gemm_done(g->gemm);
    return (ems_graph_work){done.operations, done.seconds, g->attention,
                            g->attention_seconds};
}

ems_graph_pairs ems_graph_told(const ems_graph *g)
{
    return g->pairs;
}

double ems_graph_peak(ems_graph *g)
{
    return ems_gemm_peak(g->gemm, g->flags);
}

/* ---- Linear layers: y = x W' + b, W [out,in] ---------------------------- */

void ems_linear(ems_graph *g, float *y, size_t ldy, ems_matrix x,
                const float *w, const float *b, size_t out, int flags)
{
    ems_gemm_all(g->gemm, &(ems_gemm){
        .c = y, .ldc = ldy, .a = x.data, .a_row = x.ld, .a_col = 1, .b = w,
        .b_row = 1, .b_col = x.columns, .m = x.rows, .n = out,
        .k = x.columns, .bias = b, .flags = g->flags | flags});
}

/* dx (+)= dy W; gate: of a ReLU before. */
void ems_linear_dx(ems_graph *g, float *dx, ems_matrix dy, const float *w,
                   size_t in, const float *gate, int flags)
{
    ems_gemm_all(g->gemm, &(ems_gemm){
        .c = dx, .ldc = in, .a = dy.data, .a_row = dy.ld, .a_col = 1, .b = w,
        .b_row = in, .b_col = 1, .m = dy.rows, .n = in, .k = dy.columns,
        .gate = gate, .ldgate = in, .flags = g->flags | flags});
}

typedef struct column_sum {
    const ems_graph *g;
    ems_matrix x;
    const float *y;
    float *sum, *dot;
} column_sum;

static void sum_strip(void *ctx, size_t i)
{
    const column_sum *s = ctx;
    const size_t j = i * STRIP, n = least(s->x.columns - j, STRIP);
    memset(s->sum + j, 0, n * sizeof(float));
    if (s->dot)
        memset(s->dot + j, 0, n * sizeof(float));
    s->g->ops->columns(s->x.rows, n, s->x.ld, s->x.data + j,
                       s->y ? s->y + j : NULL, s->sum + j,
                       s->dot ? s->dot + j : NULL);
}

static void sum_columns(ems_graph *g, ems_matrix x, const float *y,
                        float *sum, float *dot)
{
    column_sum s = {g, x, y, sum, dot};
    ems_pool_for(g->pool, (x.columns + STRIP - 1) / STRIP, sum_strip, &s);
}

void ems_linear_dw(ems_graph *g, float *dw, float *db, ems_matrix dy,
                   ems_matrix x)
{
    ems_gemm_all(g->gemm, &(ems_gemm){
        .c = dw, .ldc = x.columns, .a = dy.data, .a_row = 1, .a_col = dy.ld,
        .b = x.data, .b_row = x.ld, .b_col = 1, .m = dy.columns,
        .n = x.columns, .k = dy.rows, .flags = g->flags});
    if (db)
        sum_columns(g, dy, NULL, db, NULL);
}

static ems_matrix rows_of(const ems_graph *g, const float *data, size_t n)
{
    return (ems_matrix){data, g->M, n, n};
}

/* ---- Dropout and the two residual branches ------------------------------ */

ems_drop ems_graph_drop(const ems_graph *g, unsigned site)
{
    ems_drop d = {0};
    const int is_condition = site == 1 || site == 2;
    if (!g->step || !(g->o.dropout > 0))
        return d;
    uint64_t z = g->step * 0x9e3779b97f4a7c15u + site;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    d.key = (uint32_t)(z ^ (z >> 31));
    d.threshold = (uint32_t)(g->o.dropout * 16777216);
    d.scale = (float)(1 / (1 - g->o.dropout));
    return ems_drop_from(d, g->first * (is_condition ? g->C : g->N * g->C));
}

static unsigned site(int layer, int branch)
{
    return 16 + 2 * (unsigned)layer + (unsigned)branch;
}

typedef struct norm_pass {
    const ems_graph *g;
    ems_add_norm forward;
    ems_norm_back back;
} norm_pass;

static void add_norm_rows(void *ctx, size_t i)
{
    const norm_pass *p = ctx;
    const ems_rows *r = &p->g->turn[i];
    ems_add_norm a = p->forward;
    const size_t at = r->row * a.n;
    a.first = ems_rows_number(p->g, r);
    a.rows = r->count;
    a.x += at;
    a.branch += at;
    a.normal += at;
    a.y += at;
    a.rstd += r->row;
    p->g->ops->add_norm(&a);
}

static void add_norm(ems_graph *g, const ems_add_norm *a)
{
    norm_pass p = {.g = g, .forward = *a};
    p.forward.n = g->C;
    ems_rows_each(g, add_norm_rows, &p);
}

static void norm_back_rows(void *ctx, size_t i)
{
    const norm_pass *p = ctx;
    const ems_rows *r = &p->g->turn[i];
    ems_norm_back a = p->back;
    const size_t at = r->row * a.n;
    a.first = ems_rows_number(p->g, r);
    a.rows = r->count;
    a.dy += at;
    a.normal += at;
    a.rstd += r->row;
    a.dx += at;
    a.dbranch += at;
    p->g->ops->norm_back(&a);
}

/* dx may be dy itself. */
static void norm_back(ems_graph *g, const ems_norm_back *a, float *dgain,
                      float *dbias)
{
    norm_pass p = {.g = g, .back = *a};
    p.back.n = g->C;
    sum_columns(g, rows_of(g, a->dy, g->C), a->normal, dbias, dgain);
    ems_rows_each(g, norm_back_rows, &p);
}

/* ---- Layers ------------------------------------------------------------- */

static void layer_forward(ems_graph *g, int i, const ems_layer_params *p,
                          const float *x)
{
    const ems_layer_state *s = &g->layer[i];
    const size_t C = g->C, F = g->F;
    const ems_matrix input = rows_of(g, x, C);
    ems_linear(g, s->q, C, input, p->q_w, p->q_b, C, 0);
    ems_linear(g, s->k, C, input, p->k_w, p->k_b, C, 0);
    ems_linear(g, s->v, C, input, p->v_w, p->v_b, C, 0);
    ems_attention(g, s, p->rel);
    ems_linear(g, g->t, C, rows_of(g, s->o, C), p->o_w, p->o_b, C, 0);
    add_norm(g, &(ems_add_norm){
        .x = x, .branch = g->t, .gain = p->ln1_w, .bias = p->ln1_b,
        .drop = ems_graph_drop(g, site(i, 0)), .normal = s->normal1,
        .rstd = s->rstd1, .y = s->h});
    ems_linear(g, s->f, F, rows_of(g, s->h, C), p->ff1_w, p->ff1_b, F,
               EMS_GEMM_RELU);
    ems_linear(g, g->t, C, rows_of(g, s->f, F), p->ff2_w, p->ff2_b, C, 0);
    add_norm(g, &(ems_add_norm){
        .x = s->h, .branch = g->t, .gain = p->ln2_w, .bias = p->ln2_b,
        .drop = ems_graph_drop(g, site(i, 1)), .normal = s->normal2,
        .rstd = s->rstd2, .y = s->y});
}

void ems_graph_forward(ems_graph *g, const ems_params *p, const ems_batch *b,
                       uint64_t step)
{
    g->step = step;
    g->first = b->first;
    ems_rows_find(g, b);
    ems_embed(g, p, b);
    const float *x = g->x0;
    for (int i = 0; i < g->o.shape.n_layer; i++) {
        layer_forward(g, i, &p->layer[i], x);
        x = g->layer[i].y;
    }
    ems_linear(g, g->logits, g->ld, rows_of(g, x, g->C), p->out_w, p->out_b,
               g->V, 0);
}

static void feed_forward_back(ems_graph *g, int i, const ems_layer_params *p,
                              const ems_layer_params *d)
{
    const ems_layer_state *s = &g->layer[i];
    const size_t C = g->C, F = g->F;
    norm_back(g, &(ems_norm_back){
        .dy = g->dx, .normal = s->normal2, .rstd = s->rstd2,
        .gain = p->ln2_w, .drop = ems_graph_drop(g, site(i, 1)),
        .dx = g->dh, .dbranch = g->t}, d->ln2_w, d->ln2_b);
    const ems_matrix dt = rows_of(g, g->t, C), df = rows_of(g, g->df, F);
    ems_linear_dw(g, d->ff2_w, d->ff2_b, dt, rows_of(g, s->f, F));
    ems_linear_dx(g, g->df, dt, p->ff2_w, F, s->f, 0);
    ems_linear_dw(g, d->ff1_w, d->ff1_b, df, rows_of(g, s->h, C));
    ems_linear_dx(g, g->dh, df, p->ff1_w, C, NULL, EMS_GEMM_ADD);
}

/* From dx of the layer's output to dx of its input. */
static void layer_back(ems_graph *g, int i, const ems_layer_params *p,
                       const float *x, const ems_layer_params *d)
{
    const ems_layer_state *s = &g->layer[i];
    const size_t C = g->C;
    feed_forward_back(g, i, p, d);
    norm_back(g, &(ems_norm_back){
        .dy = g->dh, .normal = s->normal1, .rstd = s->rstd1,
        .gain = p->ln1_w, .drop = ems_graph_drop(g, site(i, 0)),
        .dx = g->dx, .dbranch = g->t}, d->ln1_w, d->ln1_b);
    const ems_matrix dt = rows_of(g, g->t, C);
    ems_linear_dw(g, d->o_w, d->o_b, dt, rows_of(g, s->o, C));
    ems_linear_dx(g, g->dh, dt, p->o_w, C, NULL, 0);
    ems_attention_back(g, s, p->rel, g->dh, d->rel);
    const ems_matrix input = rows_of(g, x, C);
    const float *const grad[] = {g->dq, g->dk, g->dv};
    const float *const w[] = {p->q_w, p->k_w, p->v_w};
    float *const dw[] = {d->q_w, d->k_w, d->v_w};
    float *const db[] = {d->q_b, d->k_b, d->v_b};
    for (int m = 0; m < 3; m++) {
        ems_linear_dw(g, dw[m], db[m], rows_of(g, grad[m], C), input);
        ems_linear_dx(g, g->dx, rows_of(g, grad[m], C), w[m], C, NULL,
                      EMS_GEMM_ADD);
    }
}

/* ---- Backwards ---------------------------------------------------------- */

void ems_graph_watch(ems_graph *g, void (*done)(void *user, int layer),
                     void *user)
{
    g->done = done;
    g->done_user = user;
}

static void tell(const ems_graph *g, int layer)
{
    if (g->done)
        g->done(g->done_user, layer);
}

double ems_graph_backward(ems_graph *g, const ems_params *p,
                          const ems_batch *b, ems_params *grads)
{
    const int layers = g->o.shape.n_layer;
    const double value = ems_graph_gradient(g, b);
    memset(grads->block, 0, grads->count * sizeof *grads->block);
    const ems_matrix dlogits = {g->logits, g->M, g->V, g->ld};
    ems_linear_dw(g, grads->out_w, grads->out_b, dlogits,
                  rows_of(g, g->layer[layers - 1].y, g->C));
    ems_linear_dx(g, g->dx, dlogits, p->out_w, g->C, NULL, 0);
    for (int i = layers - 1; i >= 0; i--) {
        layer_back(g, i, &p->layer[i], i ? g->layer[i - 1].y : g->x0,
                   &grads->layer[i]);
        tell(g, i);
    }
    ems_embed_back(g, p, b, grads);
    tell(g, -1);
    return value;
}

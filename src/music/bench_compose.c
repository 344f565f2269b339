#include "base/mem.h"
#include "base/run.h"
#include "music/infer.h"

#include <math.h>
#include <string.h>

enum {
    STREAM_PART = 1 << 16, /* floats one loop of the pool reads */
    STREAM_LAPS = 3,
    UNROLL = 16,
};

ems_bench_options ems_bench_defaults(void)
{
    return (ems_bench_options){
        .shape = {.d_model = 512, .n_layer = 11, .n_head = 8,
                  .d_inner = 2048, .context_len = 1216, .vocab_size = 1011},
        .precision = EMS_F32, .window = 600, .tokens = 200, .batch = 8,
        .pieces = 1,
    };
}

/* Reading memory and nothing else: one element of each vector that a kernel
 * would load. */
typedef struct stream {
    const float *data;
    size_t count;
    float sum[64];
} stream;

static void read_part(void *ctx, size_t part)
{
    stream *s = ctx;
    const size_t from = part * STREAM_PART;
    const size_t left = s->count - from;
    const size_t n = left < STREAM_PART ? left : STREAM_PART;
    float lane[UNROLL] = {0};
    for (size_t i = 0; i + UNROLL <= n; i += UNROLL)
        for (size_t j = 0; j < UNROLL; j++)
            lane[j] += s->data[from + i + j];
    float sum = 0;
    for (size_t j = 0; j < UNROLL; j++)
        sum += lane[j];
    s->sum[part % 64] = sum; /* so that reading is not dropped */
}

/* Bytes per second at which `bytes` of memory are read: the best lap. */
static int measure_memory(ems_pool *pool, size_t bytes, double *rate,
                          ems_error *err)
{
    const size_t count = bytes / sizeof(float);
    float *block = ems_alloc_aligned(count, sizeof *block);
    if (!block)
        return ems_out_of_memory(err);
    memset(block, 1, count * sizeof *block);
    stream s = {.data = block, .count = count};
    *rate = 0;
    for (int lap = 0; lap < STREAM_LAPS; lap++) {
        const double start = ems_now();
        ems_pool_for(pool, (count + STREAM_PART - 1) / STREAM_PART, read_part,
                     &s);
        const double seconds = ems_now() - start;
        if (seconds > 0 && (double)bytes / seconds > *rate)
            *rate = (double)bytes / seconds;
    }
    ems_free(block);
    return EMS_OK;
}

static ems_net *random_net(const ems_bench_options *o, ems_error *err)
{
    ems_params *p = ems_alloc(1, sizeof *p);
    float *block = ems_alloc_aligned(ems_params_count(&o->shape),
                                     sizeof *block);
    ems_net *net = NULL;
    if (p && block) {
        ems_params_place(p, &o->shape, block);
        ems_params_init(p, 1);
        net = ems_net_new(p, o->precision, err);
    } else {
        ems_out_of_memory(err);
    }
    ems_free(block);
    ems_free(p);
    return net;
}

typedef struct bench {
    const ems_bench_options *o;
    const ems_run *run;
    ems_pool *pool;
    ems_net *net;
    ems_model_shape shape;
    ems_session *session[EMS_BENCH_PIECES];
} bench;

static int fill_window(const bench *b, ems_session *s, ems_error *err)
{
    const size_t count = (size_t)b->o->window;
    uint16_t *tokens = ems_alloc(count, sizeof *tokens);
    float *seconds = ems_alloc(count, sizeof *seconds);
    int code = tokens && seconds ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; code == EMS_OK && i < count; i++)
        tokens[i] = (uint16_t)(1 + i * 37 % (size_t)(b->shape.vocab_size - 1));
    const double start = ems_now();
    if (code == EMS_OK)
        code = ems_session_fill(s, 0, 0, tokens, seconds, count, err);
    if (code == EMS_OK && s == b->session[0])
        ems_log(b->run, EMS_LOG_INFO, "filled a window of %zu tokens at %.0f"
                " tokens a second", count,
                (double)count / (ems_now() - start));
    ems_free(tokens);
    ems_free(seconds);
    return code;
}

/* A token for every piece. The windows stay as long as they are: it takes the
 * place of the one before. */
static int step_all(const bench *b, int step, ems_error *err)
{
    int token[EMS_BENCH_PIECES];
    float left[EMS_BENCH_PIECES];
    const size_t pieces = (size_t)b->o->pieces;
    for (size_t i = 0; i < pieces; i++) {
        ems_session_rewind(b->session[i], b->o->window + EMS_CONDITIONS);
        token[i] = 1 + (step * 37 + (int)i) % (b->shape.vocab_size - 1);
        left[i] = 1;
    }
    return ems_sessions_append(b->session, token, left, pieces, err);
}

/* The best lap of two tokens or a millisecond: other work on the machine only
 * ever adds, and a short lap may find a gap in it. */
static int time_tokens(const bench *b, double *rate, ems_error *err)
{
    static const double LAP = 1e-3;
    *rate = 0;
    for (int done = 0; done < b->o->tokens;) {
        const double start = ems_now();
        double seconds = 0;
        int steps = 0;
        if (ems_cancelled(b->run))
            return ems_fail_cancelled(err);
        while (steps < 2 || seconds < LAP) {
            const int code = step_all(b, done + steps++, err);
            if (code < 0)
                return code;
            seconds = ems_now() - start;
        }
        const double here = steps * b->o->pieces / seconds;
        *rate = here > *rate ? here : *rate;
        done += steps;
        ems_progress(b->run, "bench", fmin(1, done / (double)b->o->tokens));
    }
    return EMS_OK;
}

static int check_options(const bench *b, ems_error *err)
{
    const ems_bench_options *o = b->o;
    const int code = ems_shape_check(&b->shape, err);
    if (code < 0)
        return code;
    if (o->pieces < 1 || o->pieces > EMS_BENCH_PIECES)
        return ems_fail(err, EMS_EINVAL, "%d pieces; from 1 to %d can be"
                        " composed side by side", o->pieces,
                        EMS_BENCH_PIECES);
    if (o->window < 1 || o->tokens < 1 ||
        o->window >= b->shape.context_len - EMS_CONDITIONS)
        return ems_fail(err, EMS_EINVAL, "%d tokens to time in a window of %d"
                        " of a context of %d: the window must lie between 1"
                        " and the context less 3", o->tokens, o->window,
                        b->shape.context_len);
    return EMS_OK;
}

static int set_up(bench *b, ems_error *err)
{
    const ems_bench_options *o = b->o;
    if (o->weights) {
        b->net = ems_net_open(o->weights, o->precision, err);
        if (!b->net)
            return EMS_EIO;
        b->shape = *ems_net_shape(b->net);
    }
    int code = check_options(b, err);
    if (code < 0)
        return code;
    b->pool = ems_pool_new(ems_run_threads(b->run), err);
    if (b->pool && !b->net)
        b->net = random_net(o, err);
    if (!b->net || !b->pool)
        return EMS_ENOMEM;
    for (int i = 0; i < o->pieces && code == EMS_OK; i++) {
        b->session[i] = ems_session_new(b->net, b->pool, err);
        code = b->session[i] ? fill_window(b, b->session[i], err)
                             : EMS_ENOMEM;
    }
    return code;
}

int ems_bench_compose(const ems_bench_options *o, double *tokens_per_second,
                      double *bandwidth, const ems_run *run, ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    bench b = {.o = o, .run = run, .shape = o->shape};
    double rate = 0;
    int code = set_up(&b, e);
    if (code == EMS_OK)
        code = time_tokens(&b, tokens_per_second, e);
    if (code == EMS_OK && bandwidth) {
        const size_t bytes = ems_net_bytes(b.net);
        code = measure_memory(b.pool, bytes, &rate, e);
        *bandwidth = o->pieces * rate / (double)bytes;
    }
    for (int i = 0; i < EMS_BENCH_PIECES; i++)
        ems_session_free(b.session[i]);
    ems_net_free(b.net);
    ems_pool_free(b.pool);
    return code < 0 ? e->code : EMS_OK;
}

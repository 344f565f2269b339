#include "base/mem.h"
#include "base/run.h"
#include "music/infer.h"

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

static int fill_window(ems_session *s, const ems_bench_options *o,
                       ems_error *err)
{
    const size_t count = (size_t)o->window;
    uint16_t *tokens = ems_alloc(count, sizeof *tokens);
    float *seconds = ems_alloc(count, sizeof *seconds);
    int code = tokens && seconds ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; code == EMS_OK && i < count; i++)
        tokens[i] = (uint16_t)(1 + i * 37 % (size_t)(o->shape.vocab_size - 1));
    if (code == EMS_OK)
        code = ems_session_fill(s, 0, 0, tokens, seconds, count, err);
    ems_free(tokens);
    ems_free(seconds);
    return code;
}

/* The window stays as long as it is: every timed token takes the place of the
 * one before. */
static int time_tokens(ems_session *s, const ems_bench_options *o,
                       double *tokens_per_second, const ems_run *run,
                       ems_error *err)
{
    const int length = ems_session_length(s);
    const double start = ems_now();
    for (int i = 0; i < o->tokens; i++) {
        if (ems_cancelled(run))
            return ems_fail_cancelled(err);
        const int code = ems_session_append(
            s, 1 + i * 37 % (o->shape.vocab_size - 1), 1, err);
        if (code < 0)
            return code;
        ems_session_rewind(s, length);
        ems_progress(run, "bench", (i + 1.0) / o->tokens);
    }
    const double seconds = ems_now() - start;
    *tokens_per_second = o->tokens / (seconds > 0 ? seconds : 1e-9);
    return EMS_OK;
}

static int check_options(const ems_bench_options *o, ems_error *err)
{
    const int code = ems_shape_check(&o->shape, err);
    if (code < 0)
        return code;
    if (o->window < 1 || o->tokens < 1 ||
        o->window >= o->shape.context_len - EMS_CONDITIONS)
        return ems_fail(err, EMS_EINVAL, "%d tokens to time in a window of %d"
                        " of a context of %d: the window must lie between 1"
                        " and the context less 3", o->tokens, o->window,
                        o->shape.context_len);
    return EMS_OK;
}

int ems_bench_compose(const ems_bench_options *o, double *tokens_per_second,
                      double *bandwidth, const ems_run *run, ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    int code = check_options(o, e);
    if (code < 0)
        return code;
    double rate = 0;
    ems_pool *pool = ems_pool_new(ems_run_threads(run), e);
    ems_net *net = pool ? random_net(o, e) : NULL;
    ems_session *s = net ? ems_session_new(net, pool, e) : NULL;
    code = s ? fill_window(s, o, e) : (int)e->code;
    if (code == EMS_OK)
        code = time_tokens(s, o, tokens_per_second, run, e);
    if (code == EMS_OK && bandwidth) {
        const size_t bytes = ems_net_bytes(net);
        code = measure_memory(pool, bytes, &rate, e);
        *bandwidth = rate / (double)bytes;
    }
    ems_session_free(s);
    ems_net_free(net);
    ems_pool_free(pool);
    return code;
}

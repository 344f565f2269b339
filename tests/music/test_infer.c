/* The cache, the packing and the threads change nothing: one token at a time,
 * all at once and a plain transcription of the model agree. */
#include "ems_test.h"

#include "base/mem.h"
#include "music/infer.h"
#include "nn/cpu.h"

#include <math.h>

enum { COUNT = 130 };
static const ems_model_shape SHAPE = {40, 2, 5, 52, 140, 1011};

static ems_params *make_params(uint64_t seed)
{
    ems_params *p = ems_alloc(1, sizeof *p);
    float *block = ems_alloc(ems_params_count(&SHAPE), sizeof *block);
    assert_true(p && block);
    ems_params_place(p, &SHAPE, block);
    ems_params_init(p, seed);
    return p;
}

static void free_params(ems_params *p)
{
    ems_free(p->block);
    ems_free(p);
}

static void make_song(uint16_t *tokens, float *seconds)
{
    for (int i = 0; i < COUNT; i++) {
        tokens[i] = (uint16_t)(i == 0 ? 1010 : 2 + i * 61 % 1000);
        seconds[i] = (float)(i % 23) * 0.41f;
    }
    seconds[0] = seconds[1];
}

/* ---- The model, written down as docs/MODEL.md states it, in double ------------ */

static void linear(double *y, const float *w, const float *b, const double *x,
                   int n, int k)
{
    for (int i = 0; i < n; i++) {
        y[i] = (double)b[i];
        for (int j = 0; j < k; j++)
            y[i] += (double)w[i * k + j] * x[j];
    }
}

static void relu(double *x, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}

static void small_net(double *y, const float *w1, const float *b1,
                      const float *w2, const float *b2, double x, int hidden,
                      int n)
{
    double h[64];
    linear(h, w1, b1, &x, hidden, 1);
    relu(h, hidden);
    linear(y, w2, b2, h, n, hidden);
}

static void norm(double *x, const double *add, const float *w, const float *b)
{
    const int C = SHAPE.d_model;
    double mean = 0, variance = 0;
    for (int i = 0; i < C; i++)
        mean += (x[i] += add[i]) / C;
    for (int i = 0; i < C; i++)
        variance += (x[i] - mean) * (x[i] - mean) / C;
    for (int i = 0; i < C; i++)
        x[i] = (x[i] - mean) / sqrt(variance + 1e-6) * (double)w[i] +
               (double)b[i];
}

static void embed(double *x, const ems_params *p, int position, int token,
                  double condition, double seconds)
{
    const int C = SHAPE.d_model;
    double offset[64];
    small_net(offset, p->off1_w, p->off1_b, p->off2_w, p->off2_b,
              8 - (seconds < 8 ? seconds : 8), C / 4, C / 2);
    for (int i = 0; i < C; i++)
        x[i] = position == 0   ? (double)p->v_null[i]
               : position == 1 ? (double)p->a_null[i]
                               : (double)p->emb[token * C + i] * sqrt(C);
    if (position < 2 && !isnan(condition))
        small_net(x, position ? p->a1_w : p->v1_w,
                  position ? p->a1_b : p->v1_b, position ? p->a2_w : p->v2_w,
                  position ? p->a2_b : p->v2_b, condition, C / 2, C);
    for (int i = 0; i < C / 2; i++) {
        x[i] += (double)p->pos[position * C / 2 + i];
        x[C / 2 + i] += offset[i];
    }
}

static void attention(double *out, double (*q)[40], double (*k)[40],
                      double (*v)[40], const float *rel, int at)
{
    const int D = SHAPE.d_model / SHAPE.n_head;
    for (int h = 0; h < SHAPE.n_head; h++) {
        double p[COUNT + 2], sum = 0;
        for (int j = 0; j <= at; j++) {
            const float *e = rel + (SHAPE.context_len - 1 - (at - j)) * D;
            double dot = 0;
            for (int d = 0; d < D; d++)
                dot += q[at][h * D + d] * (k[j][h * D + d] + (double)e[d]);
            sum += p[j] = exp(dot / sqrt(D));
        }
        for (int d = 0; d < D; d++) {
            out[h * D + d] = 0;
            for (int j = 0; j <= at; j++)
                out[h * D + d] += p[j] / sum * v[j][h * D + d];
        }
    }
}

static void layer(double (*x)[40], const ems_layer_params *l, int n)
{
    static double q[COUNT + 2][40], k[COUNT + 2][40], v[COUNT + 2][40];
    const int C = SHAPE.d_model, F = SHAPE.d_inner;
    for (int i = 0; i < n; i++) {
        linear(q[i], l->q_w, l->q_b, x[i], C, C);
        linear(k[i], l->k_w, l->k_b, x[i], C, C);
        linear(v[i], l->v_w, l->v_b, x[i], C, C);
    }
    for (int i = 0; i < n; i++) {
        double a[40], o[40], f[64];
        attention(a, q, k, v, l->rel, i);
        linear(o, l->o_w, l->o_b, a, C, C);
        norm(x[i], o, l->ln1_w, l->ln1_b);
        linear(f, l->ff1_w, l->ff1_b, x[i], F, C);
        relu(f, F);
        linear(o, l->ff2_w, l->ff2_b, f, C, F);
        norm(x[i], o, l->ln2_w, l->ln2_b);
    }
}

static void model(double *logits, const ems_params *p, double valence,
                  double arousal, const uint16_t *tokens,
                  const float *seconds, int count)
{
    static double x[COUNT + 2][40];
    for (int i = 0; i < count + 2; i++)
        embed(x[i], p, i, i < 2 ? 0 : tokens[i - 2], i ? arousal : valence,
              (double)seconds[i < 2 ? 0 : i - 2]);
    for (int l = 0; l < SHAPE.n_layer; l++)
        layer(x, &p->layer[l], count + 2);
    linear(logits, p->out_w, p->out_b, x[count + 1], SHAPE.vocab_size,
           SHAPE.d_model);
}

/* ---- Tests --------------------------------------------------------------- */

static void test_transcription(void **state)
{
    (void)state;
    ems_params *p = make_params(3);
    ems_net *net = ems_net_new(p, EMS_F32, NULL);
    ems_session *s = ems_session_new(net, NULL, NULL);
    uint16_t tokens[COUNT];
    float seconds[COUNT];
    double want[1011];
    make_song(tokens, seconds);
    static const int counts[] = {1, 2, 61, 62, 63, COUNT};
    for (int i = 0; i < 6; i++) {
        const double arousal = i % 2 ? 0.4 : NAN;
        model(want, p, -0.7, arousal, tokens, seconds, counts[i]);
        assert_int_equal(ems_session_fill(s, -0.7f, (float)arousal, tokens,
                                          seconds, (size_t)counts[i], NULL),
                         EMS_OK);
        assert_int_equal(ems_session_length(s), counts[i] + 2);
        for (int v = 0; v < 1011; v++)
            assert_true(fabs(want[v] - (double)ems_session_logits(s)[v]) <
                        2e-5);
    }
    ems_session_free(s);
    ems_net_free(net);
    free_params(p);
}

/* Bit for bit: steps, fills, rewinds, threads, levels. */
static void same_bits(ems_precision precision)
{
    ems_params *p = make_params(4);
    ems_net *net = ems_net_new(p, precision, NULL);
    uint16_t tokens[COUNT];
    float seconds[COUNT];
    make_song(tokens, seconds);
    ems_session *step = ems_session_new(net, NULL, NULL);
    ems_pool *pool = ems_pool_new(3, NULL);
    ems_session *fill = ems_session_new(net, pool, NULL);
    for (int i = 0; i < COUNT; i++) {
        if (i == 0)
            ems_session_fill(step, 0.2f, 0.1f, tokens, seconds, 1, NULL);
        else
            assert_int_equal(ems_session_append(step, tokens[i], seconds[i],
                                                NULL), EMS_OK);
        if (i % 31 != 1 && i != COUNT - 1)
            continue;
        ems_session_fill(fill, 0.2f, 0.1f, tokens, seconds, (size_t)i + 1,
                         NULL);
        assert_memory_equal(ems_session_logits(step),
                            ems_session_logits(fill), 1011 * sizeof(float));
    }
    ems_session_rewind(fill, 102);
    for (int i = 100; i < COUNT; i++)
        ems_session_append(fill, tokens[i], seconds[i], NULL);
    assert_memory_equal(ems_session_logits(step), ems_session_logits(fill),
                        1011 * sizeof(float));
    ems_session_free(step);
    ems_session_free(fill);
    ems_pool_free(pool);
    ems_net_free(net);
    free_params(p);
}

static void test_bits(void **state)
{
    (void)state;
    for (int precision = EMS_F32; precision <= EMS_INT8; precision++)
        same_bits((ems_precision)precision);
}

/* The oracle's kernels and the vectors', through the whole model. */
static void same_levels(ems_precision precision)
{
    static const char *const level[] = {"ref", "avx2", "wide", "avx512"};
    float want[1011];
    uint16_t tokens[COUNT];
    float seconds[COUNT];
    make_song(tokens, seconds);
    ems_params *p = make_params(5);
    for (int i = 0; i < 4 && ems_cpu_can(EMS_CPU_AVX2); i++) {
        setenv("EMSYNC_CPU", level[i], 1);
        ems_net *net = ems_net_new(p, precision, NULL);
        ems_session *s = ems_session_new(net, NULL, NULL);
        ems_session_fill(s, 0.5f, NAN, tokens, seconds, COUNT - 2, NULL);
        ems_session_append(s, 7, 0.25f, NULL);
        if (i == 0)
            memcpy(want, ems_session_logits(s), sizeof want);
        assert_memory_equal(want, ems_session_logits(s), sizeof want);
        ems_session_free(s);
        ems_net_free(net);
    }
    unsetenv("EMSYNC_CPU");
    free_params(p);
}

static void test_levels(void **state)
{
    (void)state;
    for (int precision = EMS_F32; precision <= EMS_INT8; precision++)
        same_levels((ems_precision)precision);
}

/* Rounded to 8 bits it is still the same model. */
static void test_precision(void **state)
{
    (void)state;
    static const double allowed[] = {0, 0.03, 0.1};
    float exact[1011];
    uint16_t tokens[COUNT];
    float seconds[COUNT];
    make_song(tokens, seconds);
    ems_params *p = make_params(8);
    for (int precision = EMS_F32; precision <= EMS_INT8; precision++) {
        ems_net *net = ems_net_new(p, (ems_precision)precision, NULL);
        ems_session *s = ems_session_new(net, NULL, NULL);
        ems_session_fill(s, 0.5f, -0.2f, tokens, seconds, COUNT, NULL);
        if (precision == EMS_F32)
            memcpy(exact, ems_session_logits(s), sizeof exact);
        for (int v = 0; v < 1011; v++)
            assert_true(fabs((double)(exact[v] - ems_session_logits(s)[v])) <=
                        allowed[precision]);
        ems_session_free(s);
        ems_net_free(net);
    }
    free_params(p);
}

/* Sessions of any length side by side, and each alone. */
static void side_by_side(ems_precision precision)
{
    enum { MANY = 101 }; /* more than go through the layers together */
    ems_params *p = make_params(9);
    ems_net *net = ems_net_new(p, precision, NULL);
    ems_pool *pool = ems_pool_new(2, NULL);
    ems_session *together[MANY], *alone[MANY];
    uint16_t song[COUNT];
    float seconds[COUNT];
    make_song(song, seconds);
    for (int i = 0; i < MANY; i++) {
        together[i] = ems_session_new(net, pool, NULL);
        alone[i] = ems_session_new(net, NULL, NULL);
        ems_session_fill(together[i], 0.1f * (float)(i % 9), 0, song, seconds,
                         (size_t)(1 + i * 7 % 90), NULL);
        ems_session_fill(alone[i], 0.1f * (float)(i % 9), 0, song, seconds,
                         (size_t)(1 + i * 7 % 90), NULL);
    }
    for (int step = 0; step < 3; step++) {
        const size_t n = step == 0 ? MANY : step == 1 ? 4 : 13;
        int token[MANY];
        float left[MANY];
        for (int i = 0; i < MANY; i++) {
            token[i] = (i * 37 + step) % 1011;
            left[i] = (float)i * 0.1f;
        }
        assert_int_equal(ems_sessions_append(together, token, left, n, NULL),
                         EMS_OK);
        for (size_t i = 0; i < n; i++) {
            ems_session_append(alone[i], token[i], left[i], NULL);
            assert_int_equal(ems_session_length(together[i]),
                             ems_session_length(alone[i]));
            assert_memory_equal(ems_session_logits(together[i]),
                                ems_session_logits(alone[i]),
                                1011 * sizeof(float));
        }
    }
    for (int i = 0; i < MANY; i++) {
        ems_session_free(together[i]);
        ems_session_free(alone[i]);
    }
    ems_pool_free(pool);
    ems_net_free(net);
    free_params(p);
}

static void test_batch(void **state)
{
    (void)state;
    for (int precision = EMS_F32; precision <= EMS_INT8; precision++)
        side_by_side((ems_precision)precision);
}

/* The old conditions renewed are no change; new ones reach what follows. */
static void renew(ems_precision precision)
{
    ems_params *p = make_params(10);
    ems_net *net = ems_net_new(p, precision, NULL);
    ems_session *s[3];
    uint16_t tokens[COUNT];
    float seconds[COUNT], logits[1011];
    make_song(tokens, seconds);
    for (int i = 0; i < 3; i++) {
        s[i] = ems_session_new(net, NULL, NULL);
        assert_int_equal(ems_session_renew(s[i], 0, 0, 1, NULL), EMS_EINVAL);
        ems_session_fill(s[i], 0.1f, NAN, tokens, seconds, COUNT - 2, NULL);
        if (i)
            assert_int_equal(ems_session_renew(s[i], i == 1 ? 0.1f : -1, NAN,
                                               seconds[0], NULL), EMS_OK);
        assert_int_equal(ems_session_length(s[i]), COUNT);
        if (i == 0)
            memcpy(logits, ems_session_logits(s[0]), sizeof logits);
        assert_memory_equal(logits, ems_session_logits(s[i]), sizeof logits);
        for (int t = COUNT - 2; t < COUNT; t++)
            ems_session_append(s[i], tokens[t], seconds[t], NULL);
    }
    assert_memory_equal(ems_session_logits(s[0]), ems_session_logits(s[1]),
                        1011 * sizeof(float));
    assert_memory_not_equal(ems_session_logits(s[0]),
                            ems_session_logits(s[2]), 1011 * sizeof(float));
    for (int i = 0; i < 3; i++)
        ems_session_free(s[i]);
    ems_net_free(net);
    free_params(p);
}

static void test_renew(void **state)
{
    (void)state;
    for (int precision = EMS_F32; precision <= EMS_INT8; precision++)
        renew((ems_precision)precision);
}

static void test_refusals(void **state)
{
    (void)state;
    ems_error err;
    ems_params *p = make_params(6);
    ems_net *net = ems_net_new(p, EMS_F32, NULL);
    ems_session *s = ems_session_new(net, NULL, NULL);
    uint16_t tokens[200] = {1010, 2};
    float seconds[200] = {0};
    assert_int_equal(ems_session_append(s, 2, 0, &err), EMS_EINVAL);
    assert_int_equal(ems_session_fill(s, 0, 0, tokens, seconds, 0, &err),
                     EMS_EINVAL);
    assert_int_equal(ems_session_fill(s, 0, 0, tokens, seconds, 139, &err),
                     EMS_EINVAL);
    assert_int_equal(ems_session_fill(s, 0, 0, tokens, seconds, 138, &err),
                     EMS_OK);
    assert_int_equal(ems_session_append(s, 2, 0, &err), EMS_EINVAL);
    tokens[1] = 1011;
    assert_int_equal(ems_session_fill(s, 0, 0, tokens, seconds, 2, &err),
                     EMS_EINVAL);
    ems_session_free(s);
    ems_net_free(net);
    free_params(p);
}

/* Every allocation may fail; nothing leaks (the sanitizer build looks). */
static void test_memory(void **state)
{
    (void)state;
    ems_params *p = make_params(7);
    int done = 0;
    for (long nth = 1; !done; nth++) {
        ems_error err = {0};
        ems_alloc_fail_at(nth);
        ems_net *net = ems_net_new(p, EMS_INT8, &err);
        ems_session *s = net ? ems_session_new(net, NULL, &err) : NULL;
        ems_alloc_fail_at(0);
        done = s != NULL;
        if (!done)
            assert_int_equal(err.code, EMS_ENOMEM);
        ems_session_free(s);
        ems_net_free(net);
        assert_true(nth < 200);
    }
    free_params(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcription), cmocka_unit_test(test_bits),
        cmocka_unit_test(test_levels),        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_batch),         cmocka_unit_test(test_renew),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

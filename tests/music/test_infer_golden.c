/* The authors' own model (random weights) says what our logits must be. */
#include "ems_test.h"

#include "music/infer.h"
#include "nn/safetensors.h"

#include <math.h>

#define FOLDER EMS_SHARED "/golden/reference-model/"

static double compare(const ems_net *net, const ems_st_tensor *tokens,
                      const float *conditions, const float *seconds,
                      const float *want, size_t row, int step)
{
    const size_t count = tokens->dims[1];
    const size_t vocab = (size_t)ems_net_shape(net)->vocab_size;
    ems_session *s = ems_session_new(net, NULL, NULL);
    uint16_t ids[512];
    double worst = 0, scale = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t id;
        memcpy(&id, (const char *)tokens->data + (row * count + i) * 8, 8);
        ids[i] = (uint16_t)id;
    }
    for (size_t i = 0; i < vocab * count; i++)
        scale = fmax(scale, fabs((double)want[2 * vocab + i]));
    for (size_t i = 0; i < count; i++) {
        if (step && i > 0)
            assert_int_equal(ems_session_append(s, ids[i], seconds[i], NULL),
                             0);
        else
            assert_int_equal(ems_session_fill(s, conditions[0], conditions[1],
                                              ids, seconds, i + 1, NULL), 0);
        const float *got = ems_session_logits(s);
        for (size_t v = 0; v < vocab; v++)
            worst = fmax(worst, fabs((double)got[v] -
                                     (double)want[(i + 2) * vocab + v]));
    }
    ems_session_free(s);
    return worst / scale;
}

static void check_model(const char *name)
{
    char path[512];
    ems_error err = {0};
    snprintf(path, sizeof path, FOLDER "%s.weights.safetensors", name);
    ems_net *net = ems_net_open(path, EMS_F32, &err);
    assert_string_equal(err.text, "");
    assert_non_null(net);
    snprintf(path, sizeof path, FOLDER "%s.io.safetensors", name);
    ems_safetensors *io = ems_safetensors_open(path, &err);
    assert_non_null(io);
    const ems_st_tensor *tokens = ems_safetensors_find(io, "tokens");
    const ems_st_tensor *seconds =
        ems_safetensors_find(io, "seconds_to_boundary");
    const ems_st_tensor *conditions = ems_safetensors_find(io, "conditions");
    const ems_st_tensor *logits = ems_safetensors_find(io, "logits");
    float *want = malloc(logits->bytes), *t = malloc(seconds->bytes), c[64];
    assert_int_equal(ems_st_read_f32(logits, want), 0);
    assert_int_equal(ems_st_read_f32(seconds, t), 0);
    assert_int_equal(ems_st_read_f32(conditions, c), 0);
    for (size_t row = 0; row < tokens->dims[0]; row++)
        for (int step = 0; step < 2; step++) {
            const double error = compare(
                net, tokens, c + 2 * row, t + row * tokens->dims[1],
                want + row * logits->dims[1] * logits->dims[2], row, step);
            printf("%s row %zu %s: relative error %.2e\n", name, row,
                   step ? "step by step" : "at once", error);
            assert_true(error < 1e-5);
        }
    free(want), free(t);
    ems_safetensors_free(io);
    ems_net_free(net);
}

static void test_tiny(void **state)
{
    (void)state;
    check_model("tiny");
}

static void test_odd(void **state)
{
    (void)state;
    check_model("odd");
}

int main(void)
{
    EMS_NEEDS_SHARED("golden/reference-model/tiny.weights.safetensors");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny), cmocka_unit_test(test_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

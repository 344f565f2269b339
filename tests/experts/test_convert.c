/* A small TensorFlow.js model, made here, converted and run: what ONNX
 * Runtime computes is what the operators mean. Broken models are refused. */
#include "ems_test.h"

#include "base/mem.h"
#include "experts/convert.h"
#include "experts/installed.h"

#include <math.h>

/* x [1,4,4,2] -> convolution 1x1 (2 -> 3, bias, ReLU6) -> depthwise 3x3 with
 * stride 2, SAME -> mean over the picture -> [1,3] */
#define NODE(name, op, inputs, attr)                                        \
    "{\"name\": \"" name "\", \"op\": \"" op "\", \"input\": [" inputs      \
    "], \"attr\": {" attr "}}"
#define LIST(key, i) "\"" key "\": {\"list\": {\"i\": [" i "]}}"
#define WINDOW(strides)                                                     \
    LIST("strides", strides) ", \"padding\": {\"s\": \"U0FNRQ==\"},"         \
    " \"data_format\": {\"s\": \"TkhXQw==\"}"
#define WEIGHT(name, shape)                                                 \
    "{\"name\": \"" name "\", \"shape\": [" shape "], \"dtype\": \"float32\"}"
#define MODEL(convolution)                                                  \
    "{\"modelTopology\": {\"node\": ["                                      \
    NODE("x", "Placeholder", "", "\"dtype\": {\"type\": \"DT_FLOAT\"},"     \
         " \"shape\": {\"shape\": {\"dim\": [{\"size\": \"1\"},"            \
         " {\"size\": \"4\"}, {\"size\": \"4\"}, {\"size\": \"2\"}]}}")     \
    "," NODE("w", "Const", "", "") "," NODE("b", "Const", "", "") ","       \
    NODE("d", "Const", "", "") "," NODE("axes", "Const", "", "") ","        \
    NODE("c", convolution, "\"x\", \"w\", \"b\"", WINDOW("1, 1, 1, 1")      \
         ", \"fused_ops\": {\"list\": {\"s\": [\"Qmlhc0FkZA==\","           \
         " \"UmVsdTY=\"]}}") ","                                            \
    NODE("s", "DepthwiseConv2dNative", "\"c\", \"d\"",                      \
         WINDOW("1, 2, 2, 1")) ","                                          \
    NODE("y", "Mean", "\"s\", \"axes\"", "\"keep_dims\": {\"b\": false}")   \
    "]}, \"signature\": {\"outputs\": {\"y:0\": {\"name\": \"y:0\"}}},"      \
    " \"weightsManifest\": [{\"paths\": [], \"weights\": ["                 \
    WEIGHT("w", "1, 1, 2, 3") "," WEIGHT("b", "3") ","                      \
    "{\"name\": \"d\", \"shape\": [3, 3, 3, 1], \"dtype\": \"float32\","    \
    " \"quantization\": {\"dtype\": \"uint8\", \"scale\": 0.5, \"min\": -1}}," \
    "{\"name\": \"axes\", \"shape\": [2], \"dtype\": \"int32\"}]}]}"

static uint8_t weights[6 * 4 + 3 * 4 + 27 + 2 * 4];

static void make_weights(void)
{
    const float w[6] = {1, -2, 0.5f, 3, 1, -1}, b[3] = {0.25f, 4, -1};
    const int32_t axes[2] = {1, 2};
    memcpy(weights, w, 24);
    memcpy(weights + 24, b, 12);
    for (int i = 0; i < 27; i++)
        weights[36 + i] = (uint8_t)(i * 7 % 6);
    memcpy(weights + 63, axes, 8);
}

static ems_tf_model *parse(const char *json, size_t bytes, ems_error *err)
{
    make_weights();
    return ems_tf_parse(json, strlen(json), weights, bytes, "tiny", err);
}

/* The same by hand: [4,4,2] -> [3]. SAME with stride 2 on 4 pixels pads one
 * row below and one column to the right. */
static void by_hand(const float *x, double y[3])
{
    const float *w = (const float *)(const void *)weights;
    for (int o = 0; o < 3; o++) {
        double sum = 0;
        for (int r = 0; r < 2; r++)
            for (int c = 0; c < 2; c++)
                for (int k = 0; k < 9; k++) {
                    const int py = 2 * r + k / 3, px = 2 * c + k % 3;
                    if (py > 3 || px > 3)
                        continue;
                    const float *p = x + 2 * (4 * py + px);
                    const double v = (double)(p[0] * w[o] + p[1] * w[3 + o] +
                                              w[6 + o]);
                    sum += fmin(fmax(v, 0), 6) *
                           (weights[36 + 3 * k + o] * 0.5 - 1);
                }
        y[o] = sum / 4;
    }
}

static void a_model_means_the_same(void **state)
{
    ems_ort *ort = *state;
    ems_error err;
    size_t size;
    float x[32];
    double wanted[3];
    if (!ort)
        skip();
    ems_tf_model *m = parse(MODEL("_FusedConv2D"), sizeof weights, &err);
    assert_non_null(m);
    uint8_t *onnx = ems_convert(m, NULL, "tiny", &size, &err);
    assert_non_null(onnx);
    ems_onnx *net = ems_onnx_open(ort, onnx, size, "tiny", &err);
    if (!net)
        fail_msg("%s", err.text);
    for (int i = 0; i < 32; i++)
        x[i] = sinf((float)i) * 2;
    by_hand(x, wanted);
    const char *in = "x", *out = "y";
    const ems_tensor input = {.type = EMS_TENSOR_FLOAT, .rank = 4,
                              .dims = {1, 4, 4, 2}, .data = x};
    ems_tensor answer;
    assert_int_equal(ems_onnx_run(net, &in, &input, 1, &out, &answer, 1,
                                  &err), EMS_OK);
    assert_int_equal(ems_tensor_elements(&answer), 3);
    for (int i = 0; i < 3; i++)
        assert_true(fabs((double)((float *)answer.data)[i] - wanted[i]) <
                    1e-5);
    ems_tensors_release(net, &answer, 1);
    ems_onnx_close(net);
    ems_free(onnx);
    ems_tf_free(m);
}

static void what_is_not_known_is_named(void **state)
{
    (void)state;
    ems_error err;
    size_t size;
    static const char *const LOST[] = {"nowhere", NULL};
    ems_tf_model *m = parse(MODEL("Einsum"), sizeof weights, &err);
    assert_non_null(m);
    assert_null(ems_convert(m, NULL, "tiny", &size, &err));
    assert_non_null(strstr(err.text, "\"c\" (Einsum)"));
    assert_null(ems_convert(m, LOST, "tiny", &size, &err));
    assert_non_null(strstr(err.text, "nowhere"));
    ems_tf_free(m);
    assert_null(parse(MODEL("_FusedConv2D"), sizeof weights - 1, &err));
    assert_non_null(strstr(err.text, "needs"));
    assert_null(parse("{\"modelTopology\": {\"node\": ["
                      NODE("a", "Relu", "", "") "," NODE("a", "Relu", "", "")
                      "]}, \"weightsManifest\": []}", 0, &err));
    assert_non_null(strstr(err.text, "twice"));
}

static void circles_end(void **state)
{
    (void)state;
    ems_error err;
    size_t size;
    static const char *const OUT[] = {"a", NULL};
    ems_tf_model *m = parse("{\"modelTopology\": {\"node\": ["
                            NODE("a", "Relu", "\"b\"", "") ","
                            NODE("b", "Relu", "\"a\"", "")
                            "]}, \"weightsManifest\": []}", 0, &err);
    assert_non_null(m);
    assert_null(ems_convert(m, OUT, "tiny", &size, &err));
    assert_non_null(strstr(err.text, "its own output"));
    ems_tf_free(m);
}

int main(void)
{
    ems_error err;
    ems_ort *ort = ems_test_ort(&err);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_model_means_the_same, ort),
        cmocka_unit_test(what_is_not_known_is_named),
        cmocka_unit_test(circles_end),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ems_ort_close(ort);
    return failed;
}

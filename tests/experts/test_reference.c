/* The default networks as they were converted against what TensorFlow.js
 * computes with the original graphs (reference/make.js), on a real picture:
 * the Sintel trailer at 15 s. Needs "make experts" and the trailer. */
#include "ems_test.h"
#include "installed.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "media/media.h"

#include <math.h>

#define FILM "data/videos/sintel-trailer.mp4"

typedef struct picture {
    int width, height;
    uint8_t *rgb;
} picture;

static int no_frame(void *user, const ems_frame *frame, ems_error *err)
{
    (void)user;
    (void)frame;
    (void)err;
    return EMS_OK;
}

/* The still at 15 s; then the decoding may end. */
static int take_still(void *user, const ems_still *still, ems_error *err)
{
    picture *p = user;
    if (still->time < 15)
        return EMS_OK;
    const size_t bytes = 3 * (size_t)still->width * (size_t)still->height;
    p->width = still->width;
    p->height = still->height;
    p->rgb = ems_alloc(bytes, 1);
    memcpy(p->rgb, still->rgb, bytes);
    return ems_fail(err, EMS_ECANCELLED, "enough");
}

static double value_at(const picture *p, int y, int x, int channel)
{
    return p->rgb[3 * ((y % p->height) * p->width + x % p->width) + channel];
}

/* As input() of make.js. */
static ems_tensor make_input(const picture *p, const json_t *n)
{
    const int side = (int)json_integer_value(json_object_get(n, "side"));
    const int grey = json_is_true(json_object_get(n, "grey"));
    const int whole = !strcmp(
        json_string_value(json_object_get(n, "type")), "int32");
    const json_t *range = json_object_get(n, "range");
    const double from = json_number_value(json_array_get(range, 0));
    const double to = json_number_value(json_array_get(range, 1));
    const int channels = grey ? 1 : 3;
    ems_tensor t = {.type = whole ? EMS_TENSOR_INT32 : EMS_TENSOR_FLOAT,
                    .rank = 4, .dims = {1, side, side, channels}};
    float *real = ems_alloc(ems_tensor_elements(&t), 4);
    t.data = real;
    int32_t *number = t.data;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int c = 0; c < channels; c++) {
                const int at = (y * side + x) * channels + c;
                const double v = grey ? 0.2989 * value_at(p, y, x, 0) +
                                            0.587 * value_at(p, y, x, 1) +
                                            0.114 * value_at(p, y, x, 2)
                                      : value_at(p, y, x, c);
                if (whole)
                    number[at] = (int32_t)v;
                else
                    real[at] = (float)(from + (to - from) * v / 255);
            }
    return t;
}

/* Largest difference, as a share of the largest value. */
static double compare(const ems_tensor *answer, const json_t *wanted)
{
    const json_t *values = json_object_get(wanted, "values");
    const size_t step =
        (size_t)json_integer_value(json_object_get(wanted, "step"));
    const float *is = answer->data;
    double worst = 0, largest = 1e-6;
    assert_int_equal(ems_tensor_elements(answer),
                     json_integer_value(json_object_get(wanted, "count")));
    for (size_t i = 0; i < json_array_size(values); i++) {
        const double v = json_number_value(json_array_get(values, i));
        worst = fmax(worst, fabs(v - (double)is[i * step]));
        largest = fmax(largest, fabs(v));
    }
    return worst / largest;
}

static void check_network(ems_ort *ort, const char *name, const json_t *n,
                          const picture *p)
{
    ems_error err;
    char path[700];
    ems_bytes file;
    snprintf(path, sizeof path, "%s/%s/network.onnx", ems_test_experts(),
             name);
    if (ems_bytes_map(&file, path, 0, &err) < 0)
        return; /* not installed */
    ems_onnx *net = ems_onnx_open(ort, file.data, file.size, name, &err);
    assert_non_null(net);
    size_t ports;
    const char *in = ems_onnx_inputs(net, &ports)->name, *out[4];
    const json_t *outputs = json_object_get(n, "outputs");
    const size_t count = json_array_size(outputs);
    for (size_t i = 0; i < count; i++)
        out[i] = json_string_value(
            json_object_get(json_array_get(outputs, i), "node"));
    const ems_port *has = ems_onnx_outputs(net, &ports);
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < ports; k++)
            found += strcmp(has[k].name, out[i]) == 0;
    if (found < count) {
        printf("%-14s is of an older \"make experts\"\n", name);
        ems_onnx_close(net);
        ems_bytes_unmap(&file);
        return;
    }
    const ems_tensor input = make_input(p, n);
    ems_tensor answers[4];
    assert_int_equal(ems_onnx_run(net, &in, &input, 1, out, answers, count,
                                  &err), EMS_OK);
    for (size_t i = 0; i < count; i++) {
        const double error =
            compare(&answers[i], json_array_get(outputs, i));
        printf("%-14s %-50.50s %.1e\n", name, out[i], error);
        assert_true(error < 2e-4);
    }
    ems_tensors_release(net, answers, count);
    ems_onnx_close(net);
    ems_free(input.data);
    ems_bytes_unmap(&file);
}

static void converted_networks_agree(void **state)
{
    ems_ort *ort = *state;
    ems_error err;
    picture p = {0};
    ems_media_info info;
    const ems_media_sink sink = {.user = &p, .video = no_frame,
                                 .still = take_still, .still_seconds = 5,
                                 .thumb_seconds = 1e9};
    ems_media_decode(EMS_SHARED "/" FILM, &sink, &info, NULL, &err);
    assert_non_null(p.rgb);
    if (getenv("EMS_DUMP"))
        ems_file_write(getenv("EMS_DUMP"), p.rgb,
                       3 * (size_t)p.width * (size_t)p.height, &err);
    json_t *root = ems_json_load(EMS_REFERENCE, &err);
    assert_non_null(root);
    const char *name;
    json_t *n;
    json_object_foreach(json_object_get(root, "networks"), name, n)
        check_network(ort, name, n, &p);
    json_decref(root);
    ems_free(p.rgb);
}

int main(void)
{
    ems_error err;
    EMS_NEEDS_SHARED(FILM);
    ems_ort *ort = ems_test_ort(&err);
    if (!ort) {
        printf("skipped: %s\n", err.text);
        return EMS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(converted_networks_agree, ort),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ems_ort_close(ort);
    return failed;
}

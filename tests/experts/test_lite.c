/* Networks of TensorFlow Lite as experts of one's own: converted, described
 * by the manifests of experts/examples, and compared with what TensorFlow Lite
 * computes (reference/lite.js). Needs the networks of shared data and, to run
 * them, ONNX Runtime; EMS_SSD=FILE also compares the detector that "things"
 * is cut from (tools/experts says where it lies in its package). */
#include "ems_test.h"
#include "installed.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "experts/expert.h"
#include "experts/tflite.h"

#include <math.h>
#include <unistd.h>

#define NETWORKS EMS_SHARED "/data/networks/"

/* ---- The reader ---------------------------------------------------------- */

static void broken_files_are_refused(void **state)
{
    (void)state;
    ems_bytes b;
    ems_error err;
    assert_int_equal(ems_bytes_map(&b, NETWORKS "yamnet.tflite", 0, &err),
                     EMS_OK);
    uint8_t *copy = ems_alloc(b.size, 1);
    assert_non_null(copy);
    assert_null(ems_lite_parse(b.data, 7, "short", &err));
    assert_null(ems_lite_parse(b.data, b.size / 2, "half", &err));
    assert_string_equal(err.text, "\"half\" is no TensorFlow Lite model that"
                        " can be read: it must hold one graph and holds 0");
    for (size_t at = 0; at < 4000; at += 37) { /* any byte may be wrong */
        memcpy(copy, b.data, b.size);
        copy[at] ^= 0xff;
        ems_lite *m = ems_lite_parse(copy, b.size, "flipped", &err);
        size_t size;
        if (m)
            ems_free(ems_lite_convert(m, NULL, "flipped", &size, &err));
        ems_lite_free(m);
    }
    ems_free(copy);
    ems_bytes_unmap(&b);
}

static void outputs_that_are_not_there(void **state)
{
    (void)state;
    ems_error err;
    const char *const nodes[] = {"nothing", NULL};
    assert_true(ems_expert_convert(NETWORKS "yamnet.tflite",
                                   EMS_SCRATCH "/x.onnx", nodes, &err) < 0);
    assert_string_equal(err.text,
                        "the model computes nothing named \"nothing\"");
}

/* ---- What TensorFlow Lite says ------------------------------------------- */

/* As pixel() and sample() of lite.js. */
static double pixel(int i)
{
    const int c = i % 3, x = i / 3 % 256, y = i / 768;
    return (x * (c + 1) + y * 3 + (x * y >> 5) + (x >> 5 << 5)) & 255;
}

static double sample(int64_t i)
{
    return (double)(((int32_t)(i * i) >> 9 ^ (int32_t)(i * 3)) & 1023) / 1024 -
           0.5;
}

/* Cosine of the angle between both: what quantised networks are judged by. */
static double likeness(const float *is, const json_t *wanted)
{
    const json_t *values = json_object_get(wanted, "values");
    const size_t step =
        (size_t)json_integer_value(json_object_get(wanted, "step"));
    double xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < json_array_size(values); i++) {
        const double x = json_number_value(json_array_get(values, i));
        const double y = (double)is[i * step];
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    return xy / sqrt(xx * yy);
}

/* Convert a network into the folder of an expert with its example's manifest,
 * whose checksum is the converted file's. */
static void make_expert(const char *network, const char *name,
                        const char *node, const char *folder)
{
    ems_error err;
    char path[700], hex[65];
    const char *const nodes[] = {node, NULL};
    ems_bytes b;
    assert_int_equal(ems_folder_make(folder, &err), EMS_OK);
    snprintf(path, sizeof path, "%s/network.onnx", folder);
    if (ems_expert_convert(network, path, nodes, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(ems_bytes_map(&b, path, 0, &err), EMS_OK);
    ems_sha256_hex(b.data, b.size, hex);
    ems_bytes_unmap(&b);
    snprintf(path, sizeof path, "%s/examples/%s/manifest.json",
             EMS_EXPERTS_TREE, name);
    json_t *m = ems_json_load(path, &err);
    assert_non_null(m);
    /* what tells a converter that changed: the checksum that ships */
    assert_string_equal(json_string_value(json_object_get(m, "sha256")), hex);
    snprintf(path, sizeof path, "%s/manifest.json", folder);
    assert_int_equal(json_dump_file(m, path, 0), 0);
    json_decref(m);
}

/* The raw network's answer to the input of lite.js. */
static float *ask(ems_ort *ort, const char *network, const char *node,
                  int sound, size_t *count)
{
    ems_error err;
    const char *const nodes[] = {node, NULL};
    ems_bytes b;
    assert_int_equal(ems_bytes_map(&b, network, 0, &err), EMS_OK);
    ems_lite *m = ems_lite_parse(b.data, b.size, network, &err);
    assert_non_null(m);
    size_t size, ports;
    uint8_t *file = ems_lite_convert(m, node ? nodes : NULL, "x", &size,
                                     &err);
    assert_non_null(file);
    ems_onnx *net = ems_onnx_open(ort, file, size, "x", &err);
    assert_non_null(net);
    const ems_port *in = ems_onnx_inputs(net, &ports);
    ems_tensor t = in->shape, answer;
    const size_t n = ems_tensor_elements(&t);
    float *x = ems_alloc(n, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(sound ? sample((int64_t)i)
                             : pixel((int)i) / 127.5 - 1);
    if (!sound && strstr(network, "mobilenet")) /* 8 bits around 128 */
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((pixel((int)i) - 128) / 128);
    t.data = x;
    const char *out = ems_onnx_outputs(net, &ports)->name;
    const char *name = in->name;
    assert_int_equal(ems_onnx_run(net, &name, &t, 1, &out, &answer, 1,
                                  &err), EMS_OK);
    *count = ems_tensor_elements(&answer);
    float *y = ems_alloc(*count, sizeof *y);
    assert_non_null(y);
    memcpy(y, answer.data, *count * sizeof *y);
    ems_tensors_release(net, &answer, 1);
    ems_onnx_close(net);
    ems_free(x);
    ems_free(file);
    ems_lite_free(m);
    ems_bytes_unmap(&b);
    return y;
}

static void answers_agree(void **state)
{
    ems_error err;
    size_t n;
    float *y;
    json_t *all = ems_json_load(EMS_LITE_REFERENCE, &err);
    assert_non_null(all);
    /* TensorFlow Lite rounds what meets weights of 8 bits, we do not */
    y = ask(*state, NETWORKS "yamnet.tflite", NULL, 1, &n);
    assert_int_equal(n, 521);
    const double scores = likeness(
        y, json_object_get(json_object_get(all, "yamnet"), "0"));
    ems_free(y);
    y = ask(*state, NETWORKS "yamnet.tflite", "Identity_1", 1, &n);
    assert_int_equal(n, 96 * 64);
    const double mel = likeness(
        y, json_object_get(json_object_get(all, "yamnet"), "1"));
    ems_free(y);
    /* whole networks of 8 bits */
    y = ask(*state, NETWORKS "mobilenet_v1_embedding.tflite", NULL, 0, &n);
    const double v1 = likeness(
        y, json_object_get(json_object_get(all, "mobilenet_v1_embedding"),
                           "0"));
    assert_int_equal(n, 1024);
    ems_free(y);
    y = ask(*state, NETWORKS "mobilenet_v2_imagenet.tflite", NULL, 0, &n);
    const double v2 = likeness(
        y, json_object_get(json_object_get(all, "mobilenet_v2_imagenet"),
                           "0"));
    ems_free(y);
    printf("yamnet: scores %.4f, mel %.4f; mobilenet v1 %.4f, v2 %.4f\n",
           scores, mel, v1, v2);
    assert_true(scores > 0.97 && mel > 0.998);
    assert_true(v1 > 0.98 && v2 > 0.9);
    json_decref(all);
}

/* Largest difference as a share of the largest value: all of it is float. */
static double difference(const float *is, const json_t *wanted)
{
    const json_t *values = json_object_get(wanted, "values");
    const size_t step =
        (size_t)json_integer_value(json_object_get(wanted, "step"));
    double worst = 0;
    for (size_t i = 0; i < json_array_size(values); i++)
        worst = fmax(worst, fabs(json_number_value(json_array_get(values, i)) -
                                 (double)is[i * step]));
    return worst / json_number_value(json_object_get(wanted, "largest"));
}

static void detector_agrees(void **state)
{
    ems_error err;
    size_t n;
    const char *const nodes[] = {"raw_outputs/box_encodings",
                                 "raw_outputs/class_predictions"};
    const char *ssd = getenv("EMS_SSD");
    if (!ssd)
        return;
    json_t *all = ems_json_load(EMS_LITE_REFERENCE, &err);
    assert_non_null(all);
    for (int i = 0; i < 2; i++) {
        float *y = ask(*state, ssd, nodes[i], 0, &n);
        const double off = difference(
            y, json_object_get(json_object_get(all, "ssd"), i ? "1" : "0"));
        printf("%s: %.1e\n", nodes[i], off);
        assert_true(off < 1e-4);
        ems_free(y);
    }
    json_decref(all);
}

/* ---- As experts ---------------------------------------------------------- */

static ems_expert *open_expert(const char *folder, ems_ort *ort)
{
    ems_error err;
    ems_expert *e = ems_expert_load(folder, &err);
    if (!e || ems_expert_start(e, ort, &err) < 0)
        fail_msg("%s", err.text);
    return e;
}

static void yamnet_hears(void **state)
{
    ems_error err;
    const char *folder = EMS_SCRATCH "/yamnet";
    make_expert(NETWORKS "yamnet.tflite", "yamnet", "Identity", folder);
    ems_expert *e = open_expert(folder, *state);
    const ems_manifest *m = ems_expert_manifest(e);
    assert_int_equal(m->dim, 521);
    float *window = ems_alloc(m->sound.window, sizeof *window), row[521];
    assert_non_null(window);
    for (int loud = 0; loud < 2; loud++) {
        for (size_t i = 0; i < m->sound.window; i++)
            window[i] = loud ? 0.5f * sinf(2.7489f * (float)i) : 0; /* 7 kHz */
        assert_int_equal(ems_expert_hear(e, window, 1, row, &err), EMS_OK);
        size_t best = 0;
        for (size_t i = 0; i < 521; i++)
            best = row[i] > row[best] ? i : best;
        printf("%s: \"%s\" (%.2f)\n", loud ? "a high tone" : "nothing",
               m->outputs[0].labels[best], (double)row[best]);
        if (!loud)
            assert_string_equal(m->outputs[0].labels[best], "Silence");
    }
    ems_free(window);
    ems_expert_free(e);
}

static void mobilenet_sees(void **state)
{
    ems_error err;
    const char *folder = EMS_SCRATCH "/mobilenet-v1";
    make_expert(NETWORKS "mobilenet_v1_embedding.tflite", "mobilenet-v1",
                NULL, folder);
    ems_expert *e = open_expert(folder, *state);
    float row[1024], other[1024];
    uint8_t *rgb = ems_alloc(3 * 224 * 224, 1);
    for (int i = 0; i < 3 * 224 * 224; i++)
        rgb[i] = (uint8_t)pixel(i);
    const ems_rgb picture = {224, 224, rgb};
    assert_int_equal(ems_expert_manifest(e)->dim, 1024);
    assert_int_equal(ems_expert_see(e, &picture, NULL, 1, row, &err), EMS_OK);
    /* the same as the network asked directly: the manifest's range is right */
    size_t n;
    float *y = ask(*state, NETWORKS "mobilenet_v1_embedding.tflite", NULL, 0,
                   &n);
    for (size_t i = 0; i < n; i++)
        assert_true(fabsf(row[i] - y[i]) < 0.05f);
    memset(rgb, 90, 3 * 224 * 224);
    assert_int_equal(ems_expert_see(e, &picture, NULL, 1, other, &err),
                     EMS_OK);
    assert_memory_not_equal(row, other, sizeof row);
    ems_free(y);
    ems_free(rgb);
    ems_expert_free(e);
}

int main(void)
{
    ems_error err;
    EMS_NEEDS_SHARED("data/networks/yamnet.tflite");
    const struct CMUnitTest reads[] = {
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(outputs_that_are_not_there),
    };
    int failed = cmocka_run_group_tests_name("reading", reads, NULL, NULL);
    ems_ort *ort = ems_test_ort(&err);
    if (!ort) {
        printf("not run, only read: %s\n", err.text);
        return failed;
    }
    const struct CMUnitTest runs[] = {
        cmocka_unit_test_prestate(answers_agree, ort),
        cmocka_unit_test_prestate(detector_agrees, ort),
        cmocka_unit_test_prestate(yamnet_hears, ort),
        cmocka_unit_test_prestate(mobilenet_sees, ort),
    };
    failed += cmocka_run_group_tests_name("running", runs, NULL, NULL);
    ems_ort_close(ort);
    return failed;
}

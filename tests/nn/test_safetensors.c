#include "ems_test.h"

#include "nn/safetensors.h"

#include <math.h>

#define FILE_PATH EMS_SCRATCH "/test.safetensors"

static void test_round_trip(void **state)
{
    (void)state;
    static const float a[] = {1, -2, 3, 4, 5, 6};
    static const int64_t b[] = {-7};
    const ems_st_tensor out[] = {
        {"layer.0.w", EMS_DT_F32, 2, {2, 3}, a, sizeof a},
        {"empty", EMS_DT_F32, 2, {0, 3}, NULL, 0},
        {"scalar \"x\"", EMS_DT_I64, 0, {0}, b, sizeof b},
    };
    const ems_st_pair meta[] = {{"who", "\xc3\xa9" "ms"}, {"n", "3"}};
    ems_error err = {0};
    assert_int_equal(ems_safetensors_write(FILE_PATH, out, 3, meta, 2, &err),
                     EMS_OK);
    ems_safetensors *st = ems_safetensors_open(FILE_PATH, &err);
    assert_non_null(st);
    size_t count;
    const ems_st_tensor *all = ems_safetensors_all(st, &count);
    assert_int_equal(count, 3);
    assert_int_equal((uintptr_t)all[0].data % 64, 0);
    const ems_st_tensor *t = ems_safetensors_find(st, "layer.0.w");
    assert_int_equal(t->ndim, 2);
    assert_int_equal(t->dims[1], 3);
    assert_memory_equal(t->data, a, sizeof a);
    t = ems_safetensors_find(st, "scalar \"x\"");
    assert_int_equal(t->dtype, EMS_DT_I64);
    assert_memory_equal(t->data, b, sizeof b);
    assert_null(ems_safetensors_find(st, "layer.0"));
    assert_string_equal(ems_safetensors_metadata(st, "who"), "\xc3\xa9" "ms");
    assert_null(ems_safetensors_metadata(st, "what"));
    ems_safetensors_free(st);
    const ems_st_tensor twice[] = {out[0], out[0]};
    assert_int_equal(ems_safetensors_write(FILE_PATH, twice, 2, NULL, 0,
                                           &err), EMS_EINVAL);
}

/* The header as given, then `data` bytes of zeros. */
static ems_safetensors *parse(const char *header, size_t data, ems_error *err)
{
    static uint8_t file[4096];
    const size_t n = strlen(header);
    memset(file, 0, sizeof file);
    file[0] = (uint8_t)n, file[1] = (uint8_t)(n >> 8);
    memcpy(file + 8, header, n);
    return ems_safetensors_parse(file, 8 + n + data, "x", err);
}

static void test_good_header(void **state)
{
    (void)state;
    ems_error err = {0};
    ems_safetensors *st = parse(
        "{\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[4,8]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}  ",
        8, &err);
    assert_string_equal(err.text, "");
    assert_non_null(st);
    ems_safetensors_free(st);
}

static void test_hostile(void **state)
{
    (void)state;
#define ONE(type, shape, offsets)                                             \
    "{\"a\":{\"dtype\":" type ",\"shape\":" shape ",\"data_offsets\":"        \
    offsets "}}"
    static const char *const header[] = {
        "",
        "{",
        "[]",
        "{\"a\":1}",
        "{\"a\":{}}",
        ONE("\"F31\"", "[1]", "[0,4]"),
        ONE("4", "[1]", "[0,4]"),
        ONE("\"F32\"", "[-1]", "[0,4]"),
        ONE("\"F32\"", "[1.5]", "[0,4]"),
        ONE("\"F32\"", "1", "[0,4]"),
        ONE("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"),
        ONE("\"F32\"", "[4294967296,4294967296,4]", "[0,4]"),
        ONE("\"F32\"", "[4611686018427387905]", "[0,4]"),
        ONE("\"F32\"", "[99999999999999999999]", "[0,4]"),
        ONE("\"F32\"", "[1]", "[0,8]"),
        ONE("\"F32\"", "[1]", "[4,0]"),
        ONE("\"F32\"", "[1]", "[-4,0]"),
        ONE("\"F32\"", "[1]", "[14,18]"),
        ONE("\"F32\"", "[1]", "[0]"),
        ONE("\"F32\"", "[1]", "[0,4,8]"),
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
        "{\"a\\u0007\":{\"dtype\":\"F32\",\"shape\":[1],"
        "\"data_offsets\":[0,4]}}",
        "{\"__metadata__\":[]}",
        "{\"__metadata__\":{\"k\":1}}",
    };
    for (size_t i = 0; i < sizeof header / sizeof *header; i++) {
        ems_error err = {0};
        assert_null(parse(header[i], 16, &err));
        assert_int_equal(err.code, EMS_EFORMAT);
        assert_true(strlen(err.text) > 10);
    }
    ems_error err = {0};
    assert_null(ems_safetensors_parse("\xff\xff\xff\xff\xff\xff\xff\xff{}",
                                      10, "x", &err));
    assert_null(ems_safetensors_parse("abc", 3, "x", &err));
    assert_null(ems_safetensors_parse(NULL, 0, "x", &err));
    assert_null(ems_safetensors_open(EMS_SCRATCH "/none", &err));
    assert_int_equal(err.code, EMS_EIO);
}

static void test_widening(void **state)
{
    (void)state;
    static const uint16_t half[] = {0x3c00, 0xc000, 0x0001, 0x8000, 0x7c00,
                                    0x7bff, 0x3555};
    static const float want[] = {1, -2, 0x1p-24f, -0.0f, INFINITY, 65504,
                                 0.333251953125f};
    float got[7];
    ems_st_tensor t = {"h", EMS_DT_F16, 1, {7}, half, sizeof half};
    assert_int_equal(ems_st_read_f32(&t, got), 0);
    assert_memory_equal(got, want, sizeof want);
    static const uint16_t brain[] = {0x3f80, 0xc040, 0x7f80};
    static const float wide[] = {1, -3, INFINITY};
    t = (ems_st_tensor){"b", EMS_DT_BF16, 1, {3}, brain, sizeof brain};
    assert_int_equal(ems_st_read_f32(&t, got), 0);
    assert_memory_equal(got, wide, sizeof wide);
    t.dtype = EMS_DT_I16;
    assert_int_equal(ems_st_read_f32(&t, got), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_good_header),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_widening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

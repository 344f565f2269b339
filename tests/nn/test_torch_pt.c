/* Pickles made here, good and hostile, inside zips made here; and a file that
 * torch.save wrote. */
#include "ems_test.h"

#include "nn/torch_pt.h"

typedef struct buffer {
    uint8_t bytes[8192];
    size_t size;
} buffer;

static void put(buffer *b, const void *data, size_t n)
{
    assert_true(b->size + n <= sizeof b->bytes);
    memcpy(b->bytes + b->size, data, n);
    b->size += n;
}

static void put_le(buffer *b, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put(b, &(uint8_t){(uint8_t)(i < 4 ? value >> (8 * i) : 0)}, 1);
}

static uint32_t crc32_of(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

typedef struct record {
    const char *name;
    const void *data;
    size_t size, at;
} record;

static void put_header(buffer *z, const record *r, int central, int method)
{
    const uint32_t n = (uint32_t)strlen(r->name);
    put(z, central ? "PK\1\2\0\0\0\0" : "PK\3\4\0\0", central ? 8 : 6);
    put_le(z, 0, 2);
    put_le(z, (uint32_t)method, 2);
    put_le(z, 0, 4);
    put_le(z, crc32_of(r->data, r->size), 4);
    put_le(z, (uint32_t)r->size, 4);
    put_le(z, (uint32_t)r->size, 4);
    put_le(z, n, 4); /* name, no extra field */
    if (central) {
        put_le(z, 0, 2 + 4 + 4);
        put_le(z, (uint32_t)r->at, 4);
    }
    put(z, r->name, n);
}

static void make_zip(buffer *z, record *r, size_t count, int method)
{
    z->size = 0;
    for (size_t i = 0; i < count; i++) {
        r[i].at = z->size;
        put_header(z, &r[i], 0, method);
        put(z, r[i].data, r[i].size);
    }
    const size_t start = z->size;
    for (size_t i = 0; i < count; i++)
        put_header(z, &r[i], 1, method);
    const size_t end = z->size;
    put(z, "PK\5\6\0\0\0\0", 8);
    put_le(z, (uint32_t)count, 2);
    put_le(z, (uint32_t)count, 2);
    put_le(z, (uint32_t)(end - start), 4);
    put_le(z, (uint32_t)start, 4);
    put_le(z, 0, 2);
}

/* Pieces of pickle. */
#define STRING(length, text) "X" length "\0\0\0" text
#define STORAGE(type, count)                                                  \
    "((" STRING("\7", "storage") "ctorch\n" type "\n" STRING("\1", "0")       \
    STRING("\3", "cpu") "K" count "tQ"
#define REST "\x89" "ccollections\nOrderedDict\n)Rt" "R"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"
#define TENSOR                                                                \
    REBUILD STORAGE("FloatStorage", "\6") "K\0K\2K\3\x86K\3K\1\x86" REST
#define WHOLE(body) "\x80\2" body "."
#define DICT(body) WHOLE("}(" body "u")

static const float VALUES[6] = {1, 2, 3, 4, 5, 6};

static ems_torch_pt *parse_pickle(const char *pickle, size_t size,
                                  ems_error *err)
{
    static buffer zip;
    record r[] = {{"m/data.pkl", pickle, size, 0},
                  {"m/data/0", VALUES, sizeof VALUES, 0}};
    make_zip(&zip, r, 2, 0);
    return ems_torch_pt_parse(zip.bytes, zip.size, "x.pt", err);
}
#define PARSE(text, err) parse_pickle(text, sizeof(text) - 1, err)

static void test_good(void **state)
{
    (void)state;
    ems_error err = {0};
    ems_torch_pt *pt = PARSE(DICT(STRING("\3", "a.w") TENSOR), &err);
    assert_string_equal(err.text, "");
    size_t count;
    const ems_st_tensor *t = ems_torch_pt_all(pt, &count);
    assert_int_equal(count, 1);
    assert_string_equal(t->name, "a.w");
    assert_int_equal(t->ndim, 2);
    assert_int_equal(t->dims[0], 2);
    assert_int_equal(t->dims[1], 3);
    assert_memory_equal(t->data, VALUES, sizeof VALUES);
    ems_torch_pt_free(pt);
}

/* nn.Module.state_dict() is an OrderedDict with version numbers as state;
 * memo, 64-bit numbers and an offset into the storage. */
static void test_module(void **state)
{
    (void)state;
    ems_error err = {0};
    ems_torch_pt *pt = PARSE(
        WHOLE("ccollections\nOrderedDict\nq\0)Rq\1("
              STRING("\1", "b") "q\2" REBUILD STORAGE("FloatStorage", "\6")
              "\x8a\1\2K\4\x85\x8a\2\1\0\x85" REST "u"
              "}" STRING("\11", "_metadata") "h\0)R" STRING("\0", "")
              "}" STRING("\7", "version") "K\1sssb"), &err);
    assert_string_equal(err.text, "");
    size_t count;
    const ems_st_tensor *t = ems_torch_pt_all(pt, &count);
    assert_int_equal(count, 1);
    assert_int_equal(t->dims[0], 4);
    assert_memory_equal(t->data, VALUES + 2, 4 * sizeof *VALUES);
    ems_torch_pt_free(pt);
}

typedef struct bad_pickle {
    const char *text;
    size_t size;
    const char *says;
} bad_pickle;
#define BAD(text, says) {text, sizeof(text) - 1, says}
#define VARIANT(type, count, layout)                                          \
    DICT(STRING("\1", "a") REBUILD STORAGE(type, count) layout REST)

static void test_hostile(void **state)
{
    (void)state;
    static const bad_pickle bad[] = {
        BAD(DICT(STRING("\1", "a") "cposix\nsystem\n" STRING("\2", "ls")
                 "\x85R"), "posix.system"),
        BAD(DICT(STRING("\1", "a") "c__builtin__\neval\n"), "eval"),
        BAD(WHOLE("i__builtin__\neval\n"), "opcode 0x69"),
        BAD("\x80\4.", "protocol"),
        BAD(WHOLE("}q"), "not there|cut off|must be"),
        BAD(WHOLE(""), "no value|none"),
        BAD(WHOLE("K\1"), "a number where a dict"),
        BAD(DICT(STRING("\1", "a") "K\1"), "must be a tensor"),
        BAD(DICT("K\1K\2"), "string keys"),
        BAD(DICT("K\1"), "pairs"),
        BAD("\x80\2u.", "mark"),
        BAD("\x80\2t.", "mark"),
        BAD("\x80\2h\7.", "never kept"),
        BAD("\x80\2r\xff\xff\xff\xff.", "not there"),
        BAD("\x80\2}r\xff\xff\xff\x7f.", "not there"),
        BAD("\x80\2X\xff\xff\xff\x7f" "abc", "cut off"),
        BAD("\x80\2\x8a\x09" "123456789.", "64 bits"),
        BAD("\x80\2}(", "cut off"),
        BAD("\x80\2\x87.", "none"),
        BAD(WHOLE("}}b}b"), "?"),
        BAD(DICT(STRING("\1", "a") TENSOR STRING("\1", "a") TENSOR),
            "one name"),
        BAD(DICT(STRING("\1", "\n") TENSOR), "control"),
        BAD(VARIANT("FloatStorage", "\7", "K\0K\1\x85K\1\x85"), "larger"),
        BAD(VARIANT("FloatStorage", "\6", "K\1K\6\x85K\1\x85"), "beyond"),
        BAD(VARIANT("FloatStorage", "\6", "K\7K\0\x85K\1\x85"), "beyond"),
        BAD(VARIANT("FloatStorage", "\6",
                    "J\xff\xff\xff\xffK\1\x85K\1\x85"), "beyond"),
        BAD(VARIANT("FloatStorage", "\6", "K\0K\3\x85K\2\x85"),
            "contiguous"),
        BAD(VARIANT("FloatStorage", "\6", "K\0J\xff\xff\xff\xff\x85K\1\x85"),
            "contiguous"),
        BAD(VARIANT("FloatStorage", "\6",
                    "K\0\x8a\10\0\0\0\0\0\0\0\x40K\1\x86K\1K\1\x86"),
            "contiguous"),
        BAD(VARIANT("FloatStorage", "\6", "K\0K\2K\3\x86K\3\x85"),
            "contiguous"),
        BAD(VARIANT("LongStorage", "\3", "K\0K\3\x85K\1\x85"),
            "torch.LongStorage"),
        BAD(WHOLE("(K\1tQ"), "not a storage"),
        BAD(WHOLE(REBUILD "K\1\x85R"), "odd arguments"),
        BAD(WHOLE("ctorch\nFloatStorage\n)R"), "a call"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ems_error err = {0};
        ems_torch_pt *pt = parse_pickle(bad[i].text, bad[i].size, &err);
        if (strcmp(bad[i].says, "?") == 0) {
            ems_torch_pt_free(pt); /* harmless either way */
            continue;
        }
        assert_null(pt);
        assert_int_equal(err.code, EMS_EFORMAT);
        char says[64];
        int found = 0;
        snprintf(says, sizeof says, "%s", bad[i].says);
        for (char *w = strtok(says, "|"); w; w = strtok(NULL, "|"))
            found |= strstr(err.text, w) != NULL;
        if (!found)
            print_error("pickle %zu: %s\n", i, err.text);
        assert_true(found);
    }
}

static void refused(buffer *zip, size_t size, const char *says)
{
    ems_error err = {0};
    assert_null(ems_torch_pt_parse(zip->bytes, size, "x.pt", &err));
    assert_int_equal(err.code, EMS_EFORMAT);
    if (!strstr(err.text, says))
        print_error("%s\n", err.text);
    assert_non_null(strstr(err.text, says));
}

static void test_zip(void **state)
{
    (void)state;
    static const char pickle[] = DICT(STRING("\1", "a") TENSOR);
    static buffer zip;
    record r[] = {{"m/data.pkl", pickle, sizeof pickle - 1, 0},
                  {"m/data/0", VALUES, sizeof VALUES, 0}};
    make_zip(&zip, r, 2, 0);
    for (size_t size = 0; size < zip.size; size++)
        refused(&zip, size, "x.pt");
    zip.bytes[r[1].at + 30 + strlen(r[1].name)] ^= 1;
    refused(&zip, zip.size, "damaged");
    make_zip(&zip, r, 2, 8);
    refused(&zip, zip.size, "compressed");
    make_zip(&zip, r, 1, 0);
    refused(&zip, zip.size, "no record");
    make_zip(&zip, r + 1, 1, 0);
    refused(&zip, zip.size, "pickle");
}

static void test_torch_save(void **state)
{
    (void)state;
    static const char pt_path[] = EMS_SHARED
        "/golden/reference-model/tiny.pt";
    static const char st_path[] = EMS_SHARED
        "/golden/reference-model/tiny.weights.safetensors";
    if (access(pt_path, R_OK) != 0)
        skip();
    ems_error err = {0};
    ems_torch_pt *pt = ems_torch_pt_open(pt_path, &err);
    ems_safetensors *st = ems_safetensors_open(st_path, &err);
    assert_string_equal(err.text, "");
    size_t count, same;
    const ems_st_tensor *t = ems_torch_pt_all(pt, &count);
    ems_safetensors_all(st, &same);
    assert_int_equal(count, same);
    for (size_t i = 0; i < count; i++) {
        const ems_st_tensor *o = ems_safetensors_find(st, t[i].name);
        assert_non_null(o);
        assert_int_equal(t[i].ndim, o->ndim);
        assert_memory_equal(t[i].dims, o->dims, sizeof o->dims);
        assert_int_equal(t[i].bytes, o->bytes);
        assert_memory_equal(t[i].data, o->data, o->bytes);
    }
    ems_torch_pt_free(pt);
    ems_safetensors_free(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_module),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_zip),
        cmocka_unit_test(test_torch_save),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "ems_test.h"

#include "base/arena.h"
#include "base/exact.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/reader.h"
#include "base/rng.h"
#include "base/sha256.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void error_holds_code_and_sentence(void **state)
{
    (void)state;
    ems_error err;
    assert_int_equal(ems_fail(&err, EMS_EIO, "cannot read \"%s\"", "a"),
                     EMS_EIO);
    assert_int_equal(err.code, EMS_EIO);
    assert_string_equal(err.text, "cannot read \"a\"");
    errno = ENOENT;
    ems_fail_errno(&err, EMS_EIO, "cannot open \"%s\"", "b");
    assert_string_equal(err.text,
                        "cannot open \"b\": No such file or directory");
    assert_int_equal(ems_fail(NULL, EMS_EINVAL, "nobody listens"), EMS_EINVAL);
}

static void long_sentence_is_cut_not_overrun(void **state)
{
    (void)state;
    ems_error err;
    char name[2000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    errno = ENOENT;
    ems_fail_errno(&err, EMS_EIO, "cannot open \"%s\"", name);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void allocation_checks_overflow_and_fails_on_demand(void **state)
{
    (void)state;
    assert_null(ems_alloc(SIZE_MAX / 2, 3));
    assert_null(ems_alloc_aligned(SIZE_MAX / 2, 3));
    assert_null(ems_realloc(NULL, SIZE_MAX / 2, 3));
    float *p = ems_alloc_aligned(5, sizeof *p);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_true(p[4] == 0);
    ems_free(p);
    ems_alloc_fail_at(2);
    void *first = ems_alloc(1, 1), *second = ems_alloc(1, 1);
    ems_alloc_fail_at(0);
    assert_non_null(first);
    assert_null(second);
    ems_free(first);
}

static void reserve_grows_and_keeps(void **state)
{
    (void)state;
    int *list = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(ems_reserve((void **)&list, &capacity, (size_t)i + 1,
                                     sizeof *list), 0);
        list[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    ems_alloc_fail_at(1);
    assert_int_equal(ems_reserve((void **)&list, &capacity, capacity + 1,
                                 sizeof *list), -1);
    ems_alloc_fail_at(0);
    assert_int_equal(list[999], 999);
    ems_free(list);
}

static void arena_measures_then_takes(void **state)
{
    (void)state;
    ems_arena a = {0};
    assert_null(ems_take(&a, 3, 4));
    assert_null(ems_take(&a, 1, 1));
    assert_int_equal(a.used, 65);
    _Alignas(64) char block[65];
    a = (ems_arena){.base = block};
    assert_ptr_equal(ems_take(&a, 3, 4), block);
    assert_ptr_equal(ems_take(&a, 1, 1), block + 64);
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void output_appears_whole_or_not_at_all(void **state)
{
    (void)state;
    const char *path = EMS_SCRATCH "/out put.txt";
    unlink(path);
    ems_output o;
    ems_error err;
    assert_int_equal(ems_output_open(&o, path, &err), 0);
    fputs("half", o.file);
    assert_false(exists(path));
    char *temporary = ems_strdup(o.temporary);
    assert_string_equal(strrchr(temporary, '.'), ".txt");
    ems_output_discard(&o);
    assert_false(exists(temporary));
    assert_false(exists(path));
    ems_free(temporary);
    assert_int_equal(ems_file_write(path, "whole", 5, &err), 0);
    ems_bytes b;
    assert_int_equal(ems_bytes_map(&b, path, 0, &err), 0);
    assert_int_equal(b.size, 5);
    assert_memory_equal(b.data, "whole", 5);
    ems_bytes_unmap(&b);
    assert_int_equal(ems_bytes_map(&b, path, 4, &err), EMS_EFORMAT);
    unlink(path);
}

static void unwritable_targets_are_refused(void **state)
{
    (void)state;
    ems_error err;
    assert_int_equal(ems_file_write(EMS_SCRATCH "/none/x", "a", 1, &err),
                     EMS_EIO);
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(ems_file_write(EMS_SCRATCH, "a", 1, &err), EMS_EIO);
    assert_non_null(strstr(err.text, "folder"));
    ems_bytes b;
    assert_int_equal(ems_bytes_map(&b, EMS_SCRATCH, 0, &err), EMS_EFORMAT);
    assert_int_equal(ems_bytes_map(&b, EMS_SCRATCH "/none", 0, &err), EMS_EIO);
}

/* A file-size limit stands in for a full disk: write fails with EFBIG. */
static void full_disk_leaves_nothing(void **state)
{
    (void)state;
    const char *path = EMS_SCRATCH "/full";
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    static char data[100000];
    ems_error err;
    const int code = ems_file_write(path, data, sizeof data, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(code, EMS_EIO);
    assert_false(exists(path));
}

static void folders_are_made_with_parents(void **state)
{
    (void)state;
    ems_error err;
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/a/b/c", &err), 0);
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/a/b/c", &err), 0);
    assert_true(exists(EMS_SCRATCH "/a/b/c"));
    assert_int_equal(ems_file_write(EMS_SCRATCH "/a/f", "", 0, &err), 0);
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/a/f", &err), EMS_EIO);
    unlink(EMS_SCRATCH "/a/f");
    char *joined = ems_path_join("x", "y");
    assert_string_equal(joined, "x/y");
    ems_free(joined);
}

static void reader_stops_at_the_end(void **state)
{
    (void)state;
    const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    ems_reader r = {.data = data, .size = sizeof data};
    assert_int_equal(ems_read_u16be(&r), 0x0102);
    assert_int_equal(ems_read_u16le(&r), 0x0403);
    assert_int_equal(ems_read_u32be(&r), 0x05060708);
    assert_int_equal(ems_read_u16be(&r), 0);
    assert_true(r.failed);
    assert_int_equal(ems_read_u8(&r), 0); /* sticky, though a byte is left */
    r = (ems_reader){.data = data, .size = sizeof data};
    assert_int_equal(ems_read_u64le(&r), 0x0807060504030201);
}

enum { LOOP = 1000 };

static void count_index(void *ctx, size_t i)
{
    atomic_fetch_add(&((atomic_int *)ctx)[i], 1);
}

static void pool_calls_each_index_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        ems_pool *pool = ems_pool_new(threads, NULL);
        assert_non_null(pool);
        assert_int_equal(ems_pool_threads(pool), threads);
        static atomic_int calls[LOOP];
        for (int round = 0; round < 200; round++)
            ems_pool_for(pool, LOOP, count_index, calls);
        for (int i = 0; i < LOOP; i++)
            assert_int_equal(atomic_exchange(&calls[i], 0), 200);
        ems_pool_free(pool);
    }
    atomic_int call = 0;
    ems_pool_for(NULL, 1, count_index, &call);
    assert_int_equal(call, 1);
}

static void random_numbers_are_the_same_everywhere(void **state)
{
    (void)state;
    ems_rng a = ems_rng_seed(1, 0), b = ems_rng_seed(1, 1);
    assert_true(ems_rng_next(&a) != ems_rng_next(&b));
    double sum = 0, square = 0;
    for (int i = 0; i < 100000; i++) {
        const double u = ems_rng_uniform(&a);
        assert_true(u >= 0 && u < 1);
        const double n = ems_rng_normal(&a);
        sum += n;
        square += n * n;
        assert_true(ems_rng_below(&a, 7) < 7);
    }
    assert_true(fabs(sum / 1e5) < 0.02);
    assert_true(fabs(square / 1e5 - 1) < 0.03);
    /* Frozen: a change here changes every score ever seeded. */
    ems_rng c = ems_rng_seed(42, 7);
    assert_true(ems_rng_next(&c) == 0x62737c38a122f17bu);
}

static void exact_functions_agree_with_libm(void **state)
{
    (void)state;
    for (double x = -700; x < 700; x += 0.37) {
        const double want = exp(x);
        assert_true(fabs(ems_exact_exp(x) - want) <= 1e-15 * want);
    }
    for (double x = 1e-300; x < 1e300; x *= 1.9) {
        const double want = log(x);
        assert_true(fabs(ems_exact_log(x) - want) <=
                    1e-15 * fmax(fabs(want), 1));
    }
    assert_true(ems_exact_exp(-1e9) == 0);
    double many[1003];
    for (int i = 0; i < 1003; i++)
        many[i] = -0.731 * i;
    ems_exact_exps(many, 1003);
    for (int i = 0; i < 1003; i++) {
        const double want = -0.731 * i > -700 ? exp(-0.731 * i) : 0;
        assert_true(fabs(many[i] - want) <= 1e-14 * want);
    }
    assert_true(isinf(ems_exact_exp(1e9)));
    assert_true(isinf(ems_exact_log(0)) && ems_exact_log(0) < 0);
    assert_true(isnan(ems_exact_exp(NAN)));
}

/* With the processor's SHA extensions, where it has them, and without. */
static void sha256_has_one_answer(void **state)
{
    (void)state;
    uint8_t data[700], fast[32], plain[32];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3 ^ i);
    for (size_t n = 0; n <= sizeof data; n += 7) {
        ems_sha256 a, b;
        ems_sha256_begin(&a);
        ems_sha256_begin(&b);
        b.fast = 0;
        ems_sha256_add(&a, data, n);
        ems_sha256_add(&b, data, n);
        ems_sha256_end(&a, fast);
        ems_sha256_end(&b, plain);
        assert_memory_equal(fast, plain, 32);
    }
}

static void sha256_knows_the_standards_vectors(void **state)
{
    (void)state;
    char hex[65];
    ems_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
                             "b00361a396177a9cb410ff61f20015ad");
    ems_sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb924"
                             "27ae41e4649b934ca495991b7852b855");
    /* a million 'a', fed in uneven pieces */
    static char text[1000];
    memset(text, 'a', sizeof text);
    ems_sha256 s;
    ems_sha256_begin(&s);
    size_t left = 1000000;
    for (size_t n = 1; left > 0; n = n * 7 % 997 + 1) {
        const size_t part = n < left ? n : left;
        ems_sha256_add(&s, text, part);
        left -= part;
    }
    uint8_t digest[32];
    ems_sha256_end(&s, digest);
    const uint8_t want[4] = {0xcd, 0xc7, 0x6e, 0x5c};
    assert_memory_equal(digest, want, 4);
}

static void json_errors_name_file_and_path(void **state)
{
    (void)state;
    ems_error err;
    const char *text = "{\"hits\": [{\"time\": \"soon\"}], \"n\": 3}";
    json_t *root = ems_json_parse(text, strlen(text), "plan.json", &err);
    assert_non_null(root);
    const ems_json_at at = ems_json_root("plan.json", &err);
    json_t *hits;
    assert_int_equal(ems_json_array(root, &at, "hits", 10, &hits), 0);
    const ems_json_at list = ems_json_key(&at, "hits");
    const ems_json_at first = ems_json_index(&list, 0);
    double time;
    assert_int_equal(ems_json_number(json_array_get(hits, 0), &first, "time",
                                     0, 1, &time), EMS_EFORMAT);
    assert_string_equal(err.text,
                        "plan.json: hits[0].time: must be a number");
    assert_int_equal(ems_json_number(root, &at, "n", 0, 2, &time),
                     EMS_EFORMAT);
    assert_int_equal(ems_json_number(root, &at, "m", 0, 2, &time),
                     EMS_EFORMAT);
    assert_string_equal(err.text,
                        "plan.json: m: missing; it must be a number");
    json_int_t n;
    assert_int_equal(ems_json_integer(root, &at, "n", 0, 3, &n), 0);
    assert_int_equal(n, 3);
    json_decref(root);
    assert_null(ems_json_parse("{", 1, "x", &err));
    assert_int_equal(err.code, EMS_EFORMAT);
    assert_null(ems_json_parse("{\"a\":1,\"a\":2}", 13, "x", &err));
}

static void json_reals_are_rounded(void **state)
{
    (void)state;
    json_t *value = ems_json_real(0.1 + 0.2, 4);
    assert_true(json_real_value(value) == 0.3);
    json_decref(value);
    value = ems_json_real(-1e-9, 4);
    assert_false(signbit(json_real_value(value)));
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_holds_code_and_sentence),
        cmocka_unit_test(long_sentence_is_cut_not_overrun),
        cmocka_unit_test(allocation_checks_overflow_and_fails_on_demand),
        cmocka_unit_test(reserve_grows_and_keeps),
        cmocka_unit_test(arena_measures_then_takes),
        cmocka_unit_test(output_appears_whole_or_not_at_all),
        cmocka_unit_test(unwritable_targets_are_refused),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(folders_are_made_with_parents),
        cmocka_unit_test(reader_stops_at_the_end),
        cmocka_unit_test(pool_calls_each_index_once),
        cmocka_unit_test(random_numbers_are_the_same_everywhere),
        cmocka_unit_test(exact_functions_agree_with_libm),
        cmocka_unit_test(sha256_knows_the_standards_vectors),
        cmocka_unit_test(sha256_has_one_answer),
        cmocka_unit_test(json_errors_name_file_and_path),
        cmocka_unit_test(json_reals_are_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

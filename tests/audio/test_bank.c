/* Hostile SoundFonts: the pre-check refuses them with a sentence. */
#include "audio/audio.h"
#include "audio/bank.h"
#include "audio/tiny_bank.h"
#include "base/file.h"
#include "ems_test.h"

static uint8_t good[TINY_MAX], bad[TINY_MAX];
static size_t size;

static int check(const uint8_t *data, size_t bytes, ems_error *err)
{
    const ems_source s = {.size = bytes, .fd = -1, .data = data};
    return ems_bank_check(&s, "test.sf2", err);
}

static void fresh(void)
{
    size = tiny_bank_usual(good);
    memcpy(bad, good, sizeof bad);
}

static void set32(size_t at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        bad[at + (size_t)i] = (uint8_t)(v >> 8 * i);
}

static void refused(size_t bytes, const char *part)
{
    ems_error err;
    const int code = check(bad, bytes, &err);
    if (code == EMS_OK || !strstr(err.text, part))
        fail_msg("code %d, \"%s\" without \"%s\"", code,
                 code ? err.text : "", part);
    assert_non_null(strstr(err.text, "test.sf2"));
}

static void test_good(void **state)
{
    (void)state;
    fresh();
    ems_error err;
    assert_int_equal(check(good, size, &err), EMS_OK);
}

static void test_not_a_bank(void **state)
{
    (void)state;
    fresh();
    refused(0, "not a soundfont");
    refused(11, "not a soundfont");
    memcpy(bad + 8, "DLS ", 4);
    refused(size, "another kind");
    memset(bad, 'a', size);
    refused(size, "not a soundfont");
}

static void test_every_truncation(void **state)
{
    (void)state;
    fresh();
    ems_error err;
    for (size_t n = 0; n < size; n++) {
        assert_int_not_equal(check(bad, n, &err), EMS_OK);
        if (n < 12)
            continue;
        set32(4, (uint32_t)n - 8); /* a size that fits the damage */
        assert_int_not_equal(check(bad, n, &err), EMS_OK);
    }
}

static void test_chunk_sizes(void **state)
{
    (void)state;
    static const char *const ids[] = {"LIST", "ifil", "smpl", "phdr", "pbag",
                                      "pmod", "pgen", "inst", "ibag", "imod",
                                      "igen", "shdr"};
    static const uint32_t sizes[] = {0, 1, 3, 0x7fffffff, 0x80000000,
                                     0xfffffff0, 0xffffffff};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            fresh();
            set32(tiny_find(bad, size, ids[i]) + 4, sizes[k]);
            refused(size, "byte ");
        }
}

static void test_indices(void **state)
{
    (void)state;
    fresh();
    bad[tiny_find(bad, size, "phdr") + 8 + 24] = 200;
    refused(size, "phdr record 0 points to pbag record 200");
    fresh();
    bad[tiny_find(bad, size, "pbag") + 8 + 1] = 9;
    refused(size, "pgen record");
    fresh();
    bad[tiny_find(bad, size, "ibag") + 8 + 2] = 7;
    refused(size, "imod record 7");
    fresh();
    bad[tiny_find(bad, size, "pgen") + 8 + 6] = 2;
    refused(size, "names inst record 2");
    fresh();
    bad[tiny_find(bad, size, "igen") + 8 + 7] = 1;
    refused(size, "names shdr record 256");
    fresh();
    for (size_t i = 0; i < 2; i++)
        set32(tiny_find(bad, size, "shdr") + 8 + 46 * i + 24, 0x7fffffff);
    refused(size, "no sample");
}

/* One flipped byte anywhere: refused or accepted, never more. */
static void test_every_byte(void **state)
{
    (void)state;
    fresh();
    const size_t smpl = tiny_find(good, size, "smpl");
    const size_t pdta = tiny_find(good, size, "pdta");
    ems_error err;
    for (size_t i = 0; i < size; i++) {
        if (i > smpl + 16 && i < pdta - 16)
            continue;
        for (int bit = 0; bit < 8; bit++) {
            bad[i] ^= (uint8_t)(1 << bit);
            check(bad, size, &err);
            bad[i] = good[i];
        }
    }
}

static void test_files(void **state)
{
    (void)state;
    ems_bank b;
    ems_error err;
    assert_int_equal(ems_bank_open(&b, "/nonexistent.sf2", &err), EMS_EIO);
    assert_non_null(strstr(err.text, "/nonexistent.sf2"));
    assert_int_equal(ems_bank_open(&b, "/dev/zero", &err), EMS_EFORMAT);
    assert_int_equal(ems_bank_open(&b, EMS_SCRATCH, &err), EMS_EFORMAT);
    ems_bank_close(&b);
}

static void test_search(void **state)
{
    (void)state;
    ems_error err;
    assert_null(ems_soundfont_find("/nonexistent.sf2", &err));
    assert_int_equal(err.code, EMS_EIO);
    setenv("EMSYNC_SOUNDFONT", "/nonexistent too.sf2", 1);
    assert_null(ems_soundfont_find(NULL, &err));
    assert_non_null(strstr(err.text, "EMSYNC_SOUNDFONT"));
    unsetenv("EMSYNC_SOUNDFONT");
    if (!ems_soundfont_find(NULL, &err))
        assert_non_null(strstr(err.text, "fluid-soundfont-gm"));
}

static void test_installed(void **state)
{
    (void)state;
    ems_error err;
    const char *path = ems_soundfont_find(NULL, &err);
    if (!path)
        skip();
    ems_bank b;
    assert_int_equal(ems_bank_open(&b, path, &err), EMS_OK);
    ems_bank_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_not_a_bank),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_chunk_sizes),
        cmocka_unit_test(test_indices),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_installed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "ems_test.h"

#include "affect/words.h"

static ems_words read_all(const char *text)
{
    ems_words w;
    const size_t size = strlen(text);
    assert_int_equal(ems_words_read(&w, text, size), size);
    return w;
}

static int same(const ems_words *a, const ems_words *b)
{
    if (a->count != b->count)
        return 0;
    for (size_t i = 0; i < a->count; i++)
        if (a->end[i] != b->end[i])
            return 0;
    const size_t hashes = a->count ? a->end[a->count - 1] : 0;
    return memcmp(a->hash, b->hash, hashes * sizeof *a->hash) == 0;
}

static void assert_same(const char *a, const char *b)
{
    const ems_words x = read_all(a), y = read_all(b);
    if (!same(&x, &y))
        fail_msg("\"%s\" and \"%s\" differ", a, b);
}

static void assert_differ(const char *a, const char *b)
{
    const ems_words x = read_all(a), y = read_all(b);
    if (same(&x, &y))
        fail_msg("\"%s\" and \"%s\" are the same", a, b);
}

static void spellings_of_one_word(void **state)
{
    (void)state;
    assert_same("Wonderful NIGHT", "wonderful night");
    assert_same("  wonderful\tnight ", "wonderful night");
    assert_same("won- der-ful night", "wonderful night");
    assert_same("won\xc2\xad" "der\xe2\x80\x8b" "ful", "wonderful");
    assert_same("/won\\der/ful", "won der ful");
    assert_same("@won_derful", "wonderful");
    assert_same("don\xe2\x80\x99t", "Don't");
    assert_same("sooooooo", "sooo");
    assert_same("caf\xc3\xa9", "CAF\xc3\x89");
    assert_same("caf\xe9", "caf\xc3\xa9"); /* Latin-1 */
    assert_same("\xd0\x9c\xd0\xb8\xd1\x80", "\xd0\xbc\xd0\xb8\xd1\x80");
    assert_same("\xe2\x80\x9cyes\xe2\x80\x9d\xe2\x80\xa6", "\"yes\".");
}

static void different_words(void **state)
{
    (void)state;
    assert_differ("so", "sooo");
    assert_differ("dont", "don't");
    assert_differ("100", "1000");
    assert_differ("a b", "ab");
    assert_differ("nice - but", "nicebut");
    assert_differ(":)", ":(");
    assert_differ("[NAME]", "[name]"); /* a mask, and a word in brackets */
    assert_differ("\xf0\x9f\x98\x82", "\xf0\x9f\x98\xa2");
}

static void counts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t words, letters;
    } CASE[] = {
        {"", 0, 0}, {" \n\r ", 0, 0}, {"Hello", 1, 1}, {"Hello!", 2, 1},
        {"I'm here, [NAME] :)", 5, 3}, {"and/or", 2, 2}, {"it :/ is", 3, 2},
        {"!!! ???", 2, 0}, {"'quoted'", 1, 1}, {"well--no", 3, 2},
        {"\xff\xfe\x80", 1, 1}, /* Latin-1: two letters, a blank */
    };
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        const ems_words w = read_all(CASE[i].text);
        if (w.count != CASE[i].words || w.letters != CASE[i].letters)
            fail_msg("\"%s\": %zu words, %zu with letters", CASE[i].text,
                     w.count, w.letters);
    }
}

static void pieces_of_a_word(void **state)
{
    (void)state;
    const ems_words w = read_all("cat"); /* <cat>: <ca cat at> .. <cat> */
    assert_int_equal(w.end[0], 1 + 3 + 2 + 1);
    const ems_words longest = read_all("abcdefghijklmnopqrstuvwxyzabcdefghi");
    assert_in_range(longest.end[0], 40, EMS_WORD_PIECES);
}

/* Chunks end after enough words at a line's end, or when they are full. */
static void long_texts_in_chunks(void **state)
{
    (void)state;
    static const char *const LINE[] = {"la la la la\n", "la ", "!a", "[NAME]"};
    for (size_t k = 0; k < 4; k++) {
        char text[6000];
        size_t size = 0, at = 0, chunks = 0, words = 0;
        while (size + strlen(LINE[k]) < sizeof text) {
            memcpy(text + size, LINE[k], strlen(LINE[k]));
            size += strlen(LINE[k]);
        }
        while (at < size) {
            ems_words w;
            const size_t n = ems_words_read(&w, text + at, size - at);
            assert_in_range(n, 1, size - at);
            assert_in_range(w.count, 1, EMS_WORDS_MAX);
            at += n;
            words += w.count;
            chunks++;
        }
        static const size_t WORDS[] = {4 * 499, 1999, 2 * 2999, 999};
        static const size_t FULL[] = {16, 48, 48, 48};
        assert_int_equal(words, WORDS[k]);
        assert_int_equal(chunks, (words + FULL[k] - 1) / FULL[k]);
    }
}

static void any_bytes(void **state)
{
    (void)state;
    uint32_t x = 1;
    char text[512];
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof text; i++) {
            x = x * 1664525u + 1013904223u;
            text[i] = round & 1 ? (char)(x >> 24)
                                : "'-/\\[ \xc3\xa9\n"[x >> 29];
        }
        ems_words w;
        for (size_t at = 0; at < sizeof text;) {
            const size_t n = ems_words_read(&w, text + at, sizeof text - at);
            assert_in_range(n, 1, sizeof text - at);
            at += n;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_word),
        cmocka_unit_test(different_words),
        cmocka_unit_test(counts),
        cmocka_unit_test(pieces_of_a_word),
        cmocka_unit_test(long_texts_in_chunks),
        cmocka_unit_test(any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

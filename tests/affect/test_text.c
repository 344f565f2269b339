/* Rating texts: any weights, hostile weights, and those that ship. */
#include "ems_test.h"

#include "affect/text.h"
#include "affect/text_model.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"

#include <math.h>

static const ems_text_shape SHAPE = {200, 96, 64, 32};

static ems_text *random_model(void)
{
    ems_text *t = ems_text_new(&SHAPE, NULL);
    ems_rng rng = ems_rng_seed(3, 0);
    const size_t floats = ems_text_params_place(&t->params, NULL, &SHAPE);
    for (size_t i = 0; i < floats; i++)
        t->block[i] = (float)(ems_rng_normal(&rng) * 0.2);
    ems_text_params_place(&t->params, t->block, &SHAPE);
    for (size_t i = 0; i < SHAPE.buckets * SHAPE.width; i++)
        t->table[i] = (int8_t)((int)ems_rng_below(&rng, 255) - 127);
    for (size_t i = 0; i < SHAPE.buckets; i++)
        t->scale[i] = (float)ems_rng_uniform(&rng) / 64;
    return t;
}

typedef struct scores {
    float ekman[EMS_TEXT_EKMAN], full[EMS_TEXT_FULL];
} scores;

static scores rate(const ems_text *t, const char *text, size_t size)
{
    scores s;
    ems_text_rate(t, text, size, s.ekman, s.full);
    for (size_t i = 0; i < EMS_TEXT_EKMAN; i++)
        assert_true(s.ekman[i] >= 0 && s.ekman[i] <= 1);
    for (size_t i = 0; i < EMS_TEXT_FULL; i++)
        assert_true(s.full[i] >= 0 && s.full[i] <= 1);
    return s;
}

static scores rate_text(const ems_text *t, const char *text)
{
    return rate(t, text, strlen(text));
}

/* ---- Any weights -------------------------------------------------------- */

static void nothing_is_neutral(void **state)
{
    (void)state;
    ems_text *t = random_model();
    static const char *const TEXT[] = {"", " \n ", "//", "\xe2\x80\x8b"};
    for (size_t i = 0; i < 4; i++) {
        const scores s = rate_text(t, TEXT[i]);
        assert_true(s.ekman[EMS_TEXT_NEUTRAL] == 1);
        assert_true(s.ekman[EMS_JOY] == 0);
        assert_true(s.full[20] == 1);
        assert_string_equal(ems_text_label_name(20), "neutral");
    }
    ems_text_free(t);
}

static void long_texts_are_averaged(void **state)
{
    (void)state;
    ems_text *t = random_model();
    char line[] = "oh how i love you my dear one and only friend of mine and"
                  " all of yours\n"; /* 16 words: a chunk */
    const size_t size = strlen(line), times = 200000;
    char *text = malloc(size * times);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * size, line, size);
    const scores one = rate(t, line, size), all = rate(t, text, size * times);
    for (size_t i = 0; i < EMS_TEXT_EKMAN; i++)
        assert_true(fabsf(one.ekman[i] - all.ekman[i]) < 1e-5f);
    free(text);
    ems_text_free(t);
}

static void point_of_scores(void **state)
{
    (void)state;
    double v, a;
    const float joy[EMS_TEXT_EKMAN] = {[EMS_JOY] = 0.4f};
    ems_text_affect(&v, &a, joy);
    assert_true(fabs(v - 0.8) < 1e-6 && fabs(a - 0.4766) < 1e-4);
    const float half[EMS_TEXT_EKMAN] = {[EMS_JOY] = 0.5f,
                                        [EMS_TEXT_NEUTRAL] = 0.5f};
    ems_text_affect(&v, &a, half);
    assert_true(fabs(v - 0.4) < 1e-6);
    const float none[EMS_TEXT_EKMAN] = {0};
    ems_text_affect(&v, &a, none);
    assert_true(v == 0 && a == 0);
    assert_null(ems_text_label_name(EMS_TEXT_OUTPUTS));
}

/* Instruction sets with FMA give the same bits; base nearly. */
static void same_scores_everywhere(void **state)
{
    (void)state;
    static const char *const TEXT[] = {
        "hi", "I am so happy for you, my friend!", "one two three four five",
        "It was the best of times, it was the worst of times, it was the age"
        " of wisdom, it was the age of foolishness, it was the epoch of"
        " belief"};
    ems_text *t = random_model();
    const ems_cpu_level best = ems_cpu_best();
    static const ems_cpu_level LEVEL[] = {EMS_CPU_BASE, EMS_CPU_AVX2,
                                          EMS_CPU_AVX512, EMS_CPU_WIDE};
    for (size_t k = 0; k < 4; k++)
        for (size_t i = 0; ems_cpu_can(LEVEL[k]) && i < 4; i++) {
            t->kern = ems_text_kern_get(best);
            const scores want = rate_text(t, TEXT[i]);
            t->kern = ems_text_kern_get(LEVEL[k]);
            const scores got = rate_text(t, TEXT[i]);
            if (LEVEL[k] != EMS_CPU_BASE && best != EMS_CPU_BASE)
                assert_memory_equal(&got, &want, sizeof got);
            for (size_t o = 0; o < EMS_TEXT_FULL; o++)
                assert_true(fabsf(got.full[o] - want.full[o]) < 1e-4f);
        }
    ems_text_free(t);
}

/* ---- Files -------------------------------------------------------------- */

#define FILE_PATH EMS_SCRATCH "/any.safetensors"

static void saved_and_opened(void **state)
{
    (void)state;
    ems_text *t = random_model(), *again;
    t->threshold[3] = 0.25f;
    assert_int_equal(ems_text_save(t, FILE_PATH, "nothing", NULL), EMS_OK);
    again = ems_text_open(FILE_PATH, NULL);
    assert_non_null(again);
    const scores a = rate_text(t, "What a day!"),
                 b = rate_text(again, "What a day!");
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(again->threshold[3] == 0.25f);
    ems_text_free(again);
    ems_text_free(t);
}

/* Every cut and every changed byte of the header is refused or harmless. */
static void hostile_files(void **state)
{
    (void)state;
    ems_text *t = random_model();
    ems_bytes b;
    assert_int_equal(ems_text_save(t, FILE_PATH, "nothing", NULL), EMS_OK);
    assert_int_equal(ems_bytes_map(&b, FILE_PATH, 0, NULL), EMS_OK);
    uint8_t *copy = malloc(b.size);
    ems_error err;
    for (size_t size = 0; size < b.size; size += size < 2000 ? 13 : 9001)
        assert_null(ems_text_parse(b.data, size, "cut", &err));
    for (size_t at = 0; at < 1400; at++) {
        memcpy(copy, b.data, b.size);
        copy[at] ^= (uint8_t)(1u << at % 8);
        ems_text *x = ems_text_parse(copy, b.size, "changed", &err);
        if (x)
            rate_text(x, "It could be worse.");
        ems_text_free(x);
    }
    free(copy);
    ems_bytes_unmap(&b);
    ems_text_free(t);
}

static void numbers_that_are_none(void **state)
{
    (void)state;
    ems_text *t = random_model();
    ems_error err;
    float *const place[] = {t->params.query + 5, t->scale + 7, t->threshold,
                            t->params.output_b + 34};
    for (size_t i = 0; i < 4; i++) {
        const float kept = *place[i];
        *place[i] = i & 1 ? INFINITY : NAN;
        assert_int_equal(ems_text_save(t, FILE_PATH, "nothing", NULL), 0);
        *place[i] = kept;
        assert_null(ems_text_open(FILE_PATH, &err));
        assert_int_equal(err.code, EMS_EFORMAT);
        assert_non_null(strstr(err.text, "not finite"));
    }
    assert_null(ems_text_open(EMS_SCRATCH "/is-not-there", &err));
    assert_int_equal(err.code, EMS_EIO);
    ems_text_free(t);
}

/* ---- The classifier that ships ------------------------------------------ */

static const char *const KNOWN[][2] = {
    {"I love this so much, thank you!", "joy"},
    {"You are the best friend ever :)", "joy"},
    {"What the fuck is wrong with you, you idiot", "anger"},
    {"I hate you. Shut up!", "anger"},
    {"Ew, that is disgusting", "disgust"},
    {"I am terrified, this is so scary", "fear"},
    {"I'm so sorry for your loss, that is heartbreaking", "sadness"},
    {"I am so sad and I cried all night", "sadness"},
    {"Wow, I did not expect that!", "surprise"},
    {"Why would they do that? I wonder how it works.", "surprise"},
    {"The train leaves at ten from platform three.", "neutral"},
    {"SO SAD, SO LONE-LY / I CRIED AND CRIED", "sadness"},
};

static void known_sentences(void **state)
{
    (void)state;
    ems_error err;
    ems_text *t = ems_text_open(NULL, &err);
    if (!t)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        const scores s = rate_text(t, KNOWN[i][0]);
        size_t best = 0;
        for (size_t k = 1; k < EMS_TEXT_EKMAN; k++)
            best = s.ekman[k] > s.ekman[best] ? k : best;
        if (strcmp(ems_text_ekman_names[best], KNOWN[i][1]) != 0)
            fail_msg("\"%s\" is %s, not %s", KNOWN[i][0], KNOWN[i][1],
                     ems_text_ekman_names[best]);
    }
    ems_text_free(t);
}

typedef struct crowd {
    const ems_text *text;
    scores *out;
} crowd;

static void rate_known(void *ctx, size_t i)
{
    const crowd *c = ctx;
    const char *text = KNOWN[i % 12][0];
    ems_text_rate(c->text, text, strlen(text), c->out[i].ekman,
                  c->out[i].full);
}

static void many_threads(void **state)
{
    (void)state;
    enum { N = 1200 };
    ems_text *t = ems_text_open(NULL, NULL);
    assert_non_null(t);
    ems_pool *pool = ems_pool_new(3, NULL);
    const crowd c = {t, ems_alloc(N, sizeof *c.out)};
    ems_pool_for(pool, N, rate_known, (void *)&c);
    for (size_t i = 12; i < N; i++)
        assert_memory_equal(&c.out[i], &c.out[i % 12], sizeof *c.out);
    ems_free(c.out);
    ems_pool_free(pool);
    ems_text_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_neutral),
        cmocka_unit_test(long_texts_are_averaged),
        cmocka_unit_test(point_of_scores),
        cmocka_unit_test(same_scores_everywhere),
        cmocka_unit_test(saved_and_opened),
        cmocka_unit_test(hostile_files),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(known_sentences),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

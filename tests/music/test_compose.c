/* Whole pieces from a small model with random weights. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/sha256.h"
#include "music/model_io.h"
#include "music/piece.h"
#include "music/plan.h"
#include "nn/cpu.h"

#include <math.h>

#define MODEL EMS_SCRATCH "/compose.safetensors"

static void make_model(const char *path, int vocab)
{
    const ems_model_shape shape = {32, 2, 2, 48, 64, vocab};
    ems_params *p = ems_alloc(1, sizeof *p);
    float *block = ems_alloc(ems_params_count(&shape), sizeof *block);
    ems_params_place(p, &shape, block);
    ems_params_init(p, 1);
    assert_int_equal(ems_params_save(p, path, NULL, 0, NULL), EMS_OK);
    ems_free(block);
    ems_free(p);
}

static const ems_cut CUTS[] = {
    {1.001, EMS_CUT, 0.5}, {2.127, EMS_CUT, 0.4}, {4.505, EMS_CUT, 0.9},
    {5.923, EMS_DISSOLVE, 0.3}, {8.175, EMS_CUT, 0.4},
};
static const ems_knot CURVE[] = {{0, -0.5, 0.2}, {4, 0.5, 0.8}, {9, 0, 0}};

static ems_plan *make_plan(double duration, ems_sync sync, uint64_t seed)
{
    ems_plan_options o = ems_plan_defaults();
    o.sync = sync;
    o.seed = seed;
    size_t cuts = 0, knots = 1;
    while (cuts < 5 && CUTS[cuts].time < duration - 0.5)
        cuts++;
    while (knots < 3 && CURVE[knots].time < duration)
        knots++;
    ems_error err = {0};
    ems_plan *plan = ems_plan_from(duration, 24, CUTS, cuts, CURVE, knots, &o,
                                   &err);
    assert_string_equal(err.text, "");
    return plan;
}

static ems_piece *compose(double duration, ems_sync sync, uint64_t seed,
                          int hop, int threads)
{
    ems_error err = {0};
    ems_plan *plan = make_plan(duration, sync, seed);
    ems_compose_options o = ems_compose_defaults();
    const ems_run run = {.threads = threads};
    o.model = MODEL;
    o.hop = hop;
    ems_piece *p = ems_compose(plan, &o, &run, &err);
    assert_string_equal(err.text, "");
    assert_non_null(p);
    ems_plan_free(plan);
    return p;
}

static void hash_notes(const ems_piece *p, char out[65])
{
    ems_sha256 s;
    uint8_t digest[32];
    ems_sha256_begin(&s);
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        const int64_t at[] = {llrint(n->start * 1e6), llrint(n->length * 1e6),
                              n->family, n->pitch, n->velocity};
        ems_sha256_add(&s, at, sizeof at);
    }
    ems_sha256_end(&s, digest);
    for (int i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* Every hit has an onset within a millisecond, half a MIDI tick or so, that is
 * no drum. */
static void test_hits(void **state)
{
    (void)state;
    ems_piece *p = compose(12, EMS_SYNC_EXACT, 1, 0, 1);
    ems_plan *plan = make_plan(12, EMS_SYNC_EXACT, 1);
    assert_true(plan->hit_count >= 4);
    for (size_t h = 0; h < plan->hit_count; h++) {
        int met = 0;
        for (size_t i = 0; i < p->note_count; i++)
            met += fabs(p->notes[i].start - plan->hits[h]) < 0.001 &&
                   p->notes[i].family != EMS_DRUMS;
        assert_true(met > 0);
    }
    /* The ending: nothing begins after its chord, which stands to the end. */
    const double ending = 12 - 2.5, tick = 0.002;
    int held = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        assert_true(n->start <= ending + tick && n->length > 0);
        assert_true(n->start + n->length <= 12 + 1e-9);
        held += fabs(n->start - ending) < tick && n->family != EMS_DRUMS &&
                fabs(n->start + n->length - 12) < tick;
    }
    assert_true(held > 0);
    assert_true(p->bar_count > 3);
    assert_true(strncmp(p->text, "emsync ", 7) == 0);
    ems_plan_free(plan);
    ems_piece_free(p);
}

/* Guided: hits are met and are bar lines, though no bars were planned. What
 * tokens cost is told when it is asked for, and changes no note. */
static void test_guided(void **state)
{
    (void)state;
    ems_plan *plan = make_plan(12, EMS_SYNC_GUIDED, 1);
    ems_compose_options o = ems_compose_defaults();
    o.model = MODEL;
    ems_piece *p = ems_compose(plan, &o, NULL, NULL);
    o.likelihood = 1;
    ems_piece *weighed = ems_compose(plan, &o, NULL, NULL);
    assert_non_null(p);
    assert_non_null(weighed);
    assert_true(plan->hit_count >= 4);
    for (size_t h = 0; h < plan->hit_count; h++) {
        int met = 0, line = 0;
        for (size_t i = 0; i < p->note_count; i++)
            met += fabs(p->notes[i].start - plan->hits[h]) < 0.001 &&
                   p->notes[i].family != EMS_DRUMS;
        for (size_t i = 0; i < p->bar_count; i++)
            line += fabs(p->bars[i].start - plan->hits[h]) < 0.001;
        assert_true(met > 0);
        assert_int_equal(line, 1);
    }
    assert_int_equal(p->note_count, weighed->note_count);
    assert_memory_equal(p->notes, weighed->notes,
                        p->note_count * sizeof *p->notes);
    const ems_likelihood *l = &weighed->likelihood;
    assert_true(p->likelihood.tokens == 0 && l->tokens > 100);
    assert_true(l->nats / l->tokens > 1 && l->nats / l->tokens < 30);
    assert_true(l->rules > 0 && l->due >= 2 * (double)plan->hit_count);
    assert_true(l->ons[1] >= (double)plan->hit_count);
    ems_plan_free(plan);
    ems_piece_free(p);
    ems_piece_free(weighed);
}

/* The same notes from every thread count, compiler and vector width. The hash
 * changes whenever the rules of composing do. */
static void test_same_notes(void **state)
{
    (void)state;
    char hash[65], other[65];
    for (int threads = 1; threads <= 3; threads++) {
        ems_piece *p = compose(9, EMS_SYNC_EXACT, 5, 0, threads);
        hash_notes(p, hash);
        ems_piece_free(p);
        if (ems_cpu_best() != EMS_CPU_BASE)
            assert_string_equal(hash, "d3481289d3f303e0");
    }
    setenv("EMSYNC_CPU", "ref", 1);
    ems_piece *p = compose(9, EMS_SYNC_EXACT, 5, 0, 1);
    unsetenv("EMSYNC_CPU");
    hash_notes(p, other);
    ems_piece_free(p);
    assert_string_equal(hash, other);
    p = compose(9, EMS_SYNC_EXACT, 6, 0, 1);
    hash_notes(p, other);
    ems_piece_free(p);
    assert_string_not_equal(hash, other);
}

static void test_lengths(void **state)
{
    (void)state;
    static const double durations[] = {0.05, 1, 2.9, 6.1};
    for (int i = 0; i < 4; i++)
        for (int sync = EMS_SYNC_EXACT; sync <= EMS_SYNC_GUIDED; sync++) {
            ems_piece *p = compose(durations[i], (ems_sync)sync, 2, 0, 1);
            assert_true(ems_piece_duration(p) == durations[i]);
            for (size_t n = 0; n < p->note_count; n++)
                assert_true(p->notes[n].start + p->notes[n].length <=
                            durations[i] + 1e-9);
            ems_piece_free(p);
        }
}

/* A window of 61 is full soon: hop 1 is the authors' way. */
static void test_hop(void **state)
{
    (void)state;
    ems_piece *p = compose(4, EMS_SYNC_PAPER, 3, 1, 2);
    assert_true(p->note_count > 0);
    ems_piece_free(p);
    p = compose(4, EMS_SYNC_EXACT, 3, 60, 2);
    assert_true(p->note_count > 0);
    ems_piece_free(p);
}

/* Notes of one plan's best of so many. */
static void hash_best(int candidates, uint64_t seed, int threads,
                      char hash[65])
{
    const ems_run run = {.threads = threads};
    ems_error err = {0};
    ems_plan *plan = make_plan(9, EMS_SYNC_EXACT, seed);
    ems_compose_options o = ems_compose_defaults();
    o.model = MODEL;
    o.candidates = candidates;
    ems_piece *p = ems_compose(plan, &o, &run, &err);
    assert_string_equal(err.text, "");
    hash_notes(p, hash);
    ems_piece_free(p);
    ems_plan_free(plan);
}

/* The best of several is the same every time, and not always the first. */
static void test_candidates(void **state)
{
    (void)state;
    ems_error err = {0};
    char one[65], three[65], again[65];
    int others = 0;
    hash_best(3, 5, 1, three);
    hash_best(3, 5, 2, again);
    assert_string_equal(three, again);
    for (uint64_t seed = 5; seed < 10; seed++) {
        hash_best(1, seed, 1, one);
        hash_best(3, seed, 1, three);
        others += strcmp(one, three) != 0;
    }
    assert_true(others > 0);
    ems_plan *plan = make_plan(9, EMS_SYNC_EXACT, 5);
    ems_compose_options o = ems_compose_defaults();
    o.model = MODEL;
    o.candidates = 0;
    assert_null(ems_compose(plan, &o, NULL, &err));
    assert_int_equal(err.code, EMS_EINVAL);
    ems_plan_free(plan);
}

static int asked;
static int cancel_soon(void *user)
{
    (void)user;
    return ++asked > 20;
}

static void refused(const ems_compose_options *o, const ems_run *run,
                    ems_code code, const char *says)
{
    ems_error err = {0};
    ems_plan *plan = make_plan(8, EMS_SYNC_EXACT, 1);
    assert_null(ems_compose(plan, o, run, &err));
    assert_int_equal(err.code, code);
    if (!strstr(err.text, says))
        print_error("%s\n", err.text);
    assert_non_null(strstr(err.text, says));
    ems_plan_free(plan);
}

static void test_refusals(void **state)
{
    (void)state;
    ems_compose_options o = ems_compose_defaults();
    o.model = EMS_SCRATCH "/none.safetensors";
    refused(&o, NULL, EMS_EIO, "none.safetensors");
    o.model = EMS_SCRATCH "/odd.safetensors";
    make_model(o.model, 1000);
    refused(&o, NULL, EMS_EFORMAT, "1011");
    o.model = MODEL;
    o.hop = 61;
    refused(&o, NULL, EMS_EINVAL, "hop 61");
    o.hop = 0, o.temperature = 0;
    refused(&o, NULL, EMS_EINVAL, "temperature");
    o.temperature = 1, o.top_p = 0;
    refused(&o, NULL, EMS_EINVAL, "top-p");
    o.top_p = 0.5;
    const ems_run run = {.threads = 1, .cancelled = cancel_soon};
    refused(&o, &run, EMS_ECANCELLED, "cancelled");
}

/* A file cut off anywhere near its end or header is refused. */
static void test_damaged(void **state)
{
    (void)state;
    ems_compose_options o = ems_compose_defaults();
    o.model = EMS_SCRATCH "/cut.safetensors";
    FILE *in = fopen(MODEL, "rb"), *out = fopen(o.model, "wb");
    static char block[20000];
    assert_int_equal(fread(block, 1, sizeof block, in), sizeof block);
    fwrite(block, 1, sizeof block, out);
    fclose(in), fclose(out);
    refused(&o, NULL, EMS_EFORMAT, "cut.safetensors");
}

int main(void)
{
    make_model(MODEL, 1011);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hits),    cmocka_unit_test(test_same_notes),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_hop),
        cmocka_unit_test(test_candidates), cmocka_unit_test(test_guided),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

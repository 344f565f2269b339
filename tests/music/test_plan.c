#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "music/metre.h"
#include "music/plan.h"

#include <math.h>

static const ems_knot FLAT[] = {{0, 0.5, -0.5}};

static ems_plan *plan(const ems_cut *cuts, size_t n, double duration,
                      const ems_plan_options *o)
{
    ems_error err = {0};
    ems_plan *p = ems_plan_from(duration, 25, cuts, n, FLAT, 1, o, &err);
    if (!p)
        fail_msg("%s", err.text);
    return p;
}

static void expect_hits(const ems_plan *p, const double *want, size_t n)
{
    size_t count;
    const double *hits = ems_plan_hits(p, &count);
    assert_int_equal(count, n);
    for (size_t i = 0; i < n; i++)
        assert_true(hits[i] == want[i]);
}

/* docs/MODEL.md 1: the authors' sample film */
static void thinning_matches_the_paper(void **state)
{
    (void)state;
    const double all[] = {
        2.127, 4.505, 5.923, 8.175, 9.593, 10.594, 12.638, 14.389, 16.433,
        18.602, 21.980, 29.571, 31.406, 35.369, 38.622, 42.709, 45.003,
        47.214, 49.383, 55.347,
    };
    const double want[] = {2.127, 8.175, 12.638, 18.602, 29.571, 35.369,
                           42.709, 47.214, 55.347};
    double kept[20];
    assert_int_equal(ems_thin(kept, all, 20, 4), 9);
    assert_memory_equal(kept, want, sizeof want);
    ems_cut cuts[20];
    for (int i = 0; i < 20; i++)
        cuts[i] = (ems_cut){all[i], EMS_CUT, 0.5};
    ems_plan_options o = ems_plan_defaults();
    o.sync = EMS_SYNC_PAPER;
    ems_plan *p = plan(cuts, 20, 59.935, &o);
    expect_hits(p, want, 9);
    ems_plan_free(p);
    const double equal[] = {1, 5, 9};
    assert_int_equal(ems_thin(kept, equal, 3, 4), 3);
    assert_int_equal(ems_thin(kept, equal, 0, 4), 0);
}

static int is_hit(const ems_plan *p, double time)
{
    for (size_t i = 0; i < p->hit_count; i++)
        if (p->hits[i] == time)
            return 1;
    return 0;
}

static void exact_takes_what_is_worth_most(void **state)
{
    (void)state;
    const ems_cut cuts[] = {
        {0.2, EMS_CUT, 1},         /* too early */
        {1.9, EMS_CUT, 0.1},       /* loses to 2.25 */
        {2.25, EMS_CUT, 0.9},
        {4.7, EMS_DISSOLVE, 1},    /* loses to a hard cut */
        {5.25, EMS_CUT, 0.9},
        {8.25, EMS_FADE_OUT, 0.9}, /* nothing better near */
        {10.2, EMS_CUT, 1},        /* too late */
    };
    const double want[] = {2.25, 5.25, 8.25}; /* three, seven, eleven beats */
    ems_plan *p = plan(cuts, 7, 10.5, NULL);
    expect_hits(p, want, 3);
    assert_int_equal(p->cut_count, 7); /* all of them, as markers */
    ems_plan_free(p);
    ems_plan_options o = ems_plan_defaults();
    o.min_gap = 4;
    p = plan(cuts, 7, 10.5, &o);
    for (size_t i = 1; i < p->hit_count; i++)
        assert_true(p->hits[i] - p->hits[i - 1] >= 4);
    ems_plan_free(p);
}

/* Of tempo, from bar to bar. */
static double largest_change(const ems_plan *p)
{
    ems_metre m;
    double most = 0;
    assert_int_equal(ems_metre_plan(&m, p, p->hits, p->hit_count, NULL), 0);
    for (size_t i = 1; i < m.count; i++) {
        const double end = i + 1 < m.count ? m.line[i + 1] : p->duration;
        const double a = (m.line[i] - m.line[i - 1]) / m.beats[i - 1];
        const double b = (end - m.line[i]) / m.beats[i];
        most = fmax(most, a > b ? a / b - 1 : b / a - 1);
    }
    ems_metre_clear(&m);
    return most;
}

/* Random montages of 15 and 40 cuts a minute: most cuts at least a second from
 * their neighbours are hits, and hits keep their distance. */
static void most_cuts_are_met(void **state)
{
    (void)state;
    static const double every[] = {4, 1.5};
    for (int speed = 0; speed < 2; speed++) {
        size_t fair = 0, taken = 0;
        for (uint64_t seed = 0; seed < 20; seed++) {
            ems_rng r = ems_rng_seed(seed, 0);
            ems_cut cuts[200];
            size_t n = 0;
            for (double t = 0.5; t < 119 && n < 200; n++) {
                cuts[n] = (ems_cut){t, EMS_CUT, 0.3 + 0.7 *
                                                    ems_rng_uniform(&r)};
                t += 0.25 - log(1 - ems_rng_uniform(&r)) *
                                (every[speed] - 0.25);
            }
            ems_plan *p = plan(cuts, n, 120, NULL);
            for (size_t i = 1; i + 1 < n; i++)
                if (cuts[i].time - cuts[i - 1].time >= 1 &&
                    cuts[i + 1].time - cuts[i].time >= 1) {
                    fair++;
                    taken += (size_t)is_hit(p, p->cuts[i].time);
                }
            for (size_t i = 1; i < p->hit_count; i++)
                assert_true(p->hits[i] - p->hits[i - 1] >= 0.8);
            assert_true(largest_change(p) < 0.15);
            ems_plan_free(p);
        }
        assert_true((double)taken / (double)fair > 0.8);
    }
}

/* A sad half and a glad one: two sections in related keys. */
static void sections_follow_the_emotion(void **state)
{
    (void)state;
    const ems_knot turn[] = {{0, -0.7, -0.7}, {29.9, -0.7, -0.7},
                             {30.1, 0.7, 0.5}};
    const ems_cut cuts[] = {{14, EMS_CUT, 1}, {30, EMS_CUT, 1},
                            {45, EMS_CUT, 1}};
    ems_plan *p = ems_plan_from(60, 25, cuts, 3, turn, 3, NULL, NULL);
    assert_non_null(p);
    assert_int_equal(p->section_count, 2);
    const ems_section *s = p->sections;
    assert_true(s[0].from == 0 && s[1].from == 30);
    assert_true(s[0].minor && !s[1].minor);
    /* relative keys, a whole tone up as arousal rises */
    assert_int_equal((s[1].tonic - s[0].tonic + 24) % 12, (3 + 2) % 12);
    assert_int_equal(s[0].families, 1u << EMS_PIANO | 1u << EMS_STRINGS);
    assert_int_equal(s[1].families, 31);
    assert_true(s[0].seed == 1 && s[1].seed != 1);
    assert_int_equal(p->ending, EMS_ENDING_CHORD);
    assert_true(p->ending_time == 57.5);
    /* takes of 14 to 16 s are two phrases each */
    assert_int_equal(p->phrase_count, 4);
    assert_int_equal(ems_plan_section_at(p, 29.9), 0);
    assert_int_equal(ems_plan_section_at(p, 30), 1);
    ems_plan_free(p);
}

static void no_cuts_no_hits(void **state)
{
    (void)state;
    ems_plan *p = plan(NULL, 0, 0.3, NULL);
    expect_hits(p, NULL, 0);
    assert_true(ems_plan_duration(p) == 0.3);
    ems_plan_free(p);
}

/* A hundred thousand cuts in a breath: linear time. */
static void many_cuts_are_quick(void **state)
{
    (void)state;
    enum { N = 500000 };
    ems_cut *cuts = ems_alloc(N, sizeof *cuts);
    for (int i = 0; i < N; i++)
        cuts[i] = (ems_cut){1 + i * 1e-5, EMS_CUT, (double)(i * 7919L % N) / N};
    size_t n;
    ems_plan *p = plan(cuts, N, 100, NULL);
    const double *hits = ems_plan_hits(p, &n);
    assert_true(n >= 3 && n <= 6);
    for (size_t i = 1; i < n; i++)
        assert_true(hits[i] - hits[i - 1] >= 1);
    ems_plan_free(p);
    ems_free(cuts);
}

static void curve_is_linear_and_flat_outside(void **state)
{
    (void)state;
    const ems_knot k[] = {{1, -1, 0}, {3, 1, 0.5}, {3.001, 0, 0}};
    static const double WANT[][3] = {
        {0, -1, 0}, {1, -1, 0}, {2, 0, 0.25}, {3, 1, 0.5},
        {3.0005, 0.5, 0.25}, {3.001, 0, 0}, {9, 0, 0},
    };
    for (size_t i = 0; i < sizeof WANT / sizeof *WANT; i++) {
        double v, a;
        ems_curve_at(k, 3, WANT[i][0], &v, &a);
        assert_true(fabs(v - WANT[i][1]) < 1e-9);
        assert_true(fabs(a - WANT[i][2]) < 1e-9);
    }
}

static void wishes_replace_the_curve(void **state)
{
    (void)state;
    ems_plan_options o = ems_plan_defaults();
    o.arousal = 0.9;
    ems_plan *p = plan(NULL, 0, 5, &o);
    assert_true(p->curve[0].valence == 0.5 && p->curve[0].arousal == 0.9);
    ems_plan_free(p);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    ems_error err;
    const ems_cut late[] = {{11, EMS_CUT, 1}};
    const ems_cut twice[] = {{3, EMS_CUT, 1}, {3, EMS_CUT, 1}};
    const ems_cut nan_cut[] = {{NAN, EMS_CUT, 1}};
    const ems_knot wild[] = {{0, 1.5, 0}};
    ems_plan_options o[5];
    for (int i = 0; i < 5; i++)
        o[i] = ems_plan_defaults();
    o[0].seed = EMS_PLAN_SEED_MOST + 1;
    o[1].min_gap = 0.01;
    o[2].valence = -1.01;
    o[3].arousal = INFINITY;
    o[4].sync = (ems_sync)7;
    for (int i = 0; i < 5; i++) {
        assert_null(ems_plan_from(10, 25, NULL, 0, FLAT, 1, &o[i], &err));
        assert_int_equal(err.code, EMS_EINVAL);
    }
    assert_null(ems_plan_from(10, 25, late, 1, FLAT, 1, NULL, &err));
    assert_null(ems_plan_from(10, 25, twice, 2, FLAT, 1, NULL, &err));
    assert_null(ems_plan_from(10, 25, nan_cut, 1, FLAT, 1, NULL, &err));
    assert_null(ems_plan_from(10, 25, NULL, 0, wild, 1, NULL, &err));
    assert_null(ems_plan_from(10, 25, NULL, 0, FLAT, 0, NULL, &err));
    assert_null(ems_plan_from(0, 25, NULL, 0, FLAT, 1, NULL, &err));
    assert_null(ems_plan_from(NAN, 25, NULL, 0, FLAT, 1, NULL, NULL));
    assert_null(ems_plan_make(NULL, NULL, &err));
}

static void file_keeps_everything(void **state)
{
    (void)state;
    const ems_cut cuts[] = {{1.0000004, EMS_CUT, 0.7},
                            {2.123456789, EMS_DISSOLVE, 0.3}};
    ems_plan_options o = ems_plan_defaults();
    ems_error err;
    char before[17], after[17], other[17];
    o.seed = EMS_PLAN_SEED_MOST;
    ems_plan *p = plan(cuts, 2, 10, &o);
    assert_int_equal(ems_plan_save(p, EMS_SCRATCH "/plan.json", &err), 0);
    ems_plan *q = ems_plan_load(EMS_SCRATCH "/plan.json", &err);
    assert_non_null(q);
    assert_int_equal(q->hit_count, p->hit_count);
    assert_memory_equal(q->hits, p->hits, p->hit_count * sizeof *p->hits);
    for (int i = 0; i < 2; i++)
        assert_true(q->cuts[i].time == p->cuts[i].time &&
                    q->cuts[i].kind == p->cuts[i].kind &&
                    q->cuts[i].strength == p->cuts[i].strength);
    assert_true(q->seed == p->seed && q->sync == p->sync && q->fps == 25);
    ems_plan_hash(p, before);
    ems_plan_hash(q, after);
    assert_string_equal(before, after);
    assert_int_equal(strlen(before), 16);
    q->hits[0] += 1e-6;
    ems_plan_hash(q, other);
    assert_string_not_equal(before, other);
    ems_plan_free(p);
    ems_plan_free(q);
}

#define PLAN(seed, sync, hits, cuts, curve)                                 \
    "{\"format\": \"emsync-plan\", \"version\": 1, \"duration\": 10,"       \
    " \"fps\": 25, \"seed\": " seed ", \"sync\": " sync ", \"hits\": " hits \
    ", \"cuts\": " cuts ", \"curve\": " curve "}"
#define KNOT "[{\"time\": 0, \"valence\": 0, \"arousal\": 0}]"

static void bad_files_are_refused_by_place(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"{", "line 1"},
        {"{\"format\": \"emsync-analysis\"}", "format"},
        {PLAN("-1", "\"exact\"", "[]", "[]", KNOT), "seed"},
        {PLAN("9007199254740992", "\"exact\"", "[]", "[]", KNOT), "seed"},
        {PLAN("1.5", "\"exact\"", "[]", "[]", KNOT), "seed"},
        {PLAN("1", "\"loose\"", "[]", "[]", KNOT), "exact, paper"},
        {PLAN("1", "\"exact\"", "[{\"time\": 10}]", "[]", KNOT), "hits[0]"},
        {PLAN("1", "\"exact\"", "[{\"time\": 0}]", "[]", KNOT), "hits[0]"},
        {PLAN("1", "\"exact\"", "[{\"time\": 12}]", "[]", KNOT),
         "hits[0].time"},
        {PLAN("1", "\"exact\"", "[{\"time\": 2}, {\"time\": 1}]", "[]",
              KNOT), "hits[1]"},
        {PLAN("1", "\"exact\"", "[{\"time\": 2}, {\"time\": 2.04}]", "[]",
              KNOT), "0.05"},
        {PLAN("1", "\"exact\"", "[{\"time\": \"2\"}]", "[]", KNOT),
         "hits[0].time"},
        {PLAN("1", "\"exact\"", "[3]", "[]", KNOT), "hits[0]"},
        {PLAN("1", "\"exact\"", "{}", "[]", KNOT), "hits"},
        {PLAN("1", "\"exact\"", "[]",
              "[{\"time\": 1, \"kind\": \"x\", \"strength\": 0}]", KNOT),
         "cut, dissolve, fade_in, fade_out"},
        {PLAN("1", "\"exact\"", "[]", "[]", "[]"), "curve"},
        {PLAN("1", "\"exact\"", "[]", "[]",
              "[{\"time\": 0, \"valence\": 2, \"arousal\": 0}]"),
         "curve[0].valence"},
        {PLAN("1", "\"exact\"", "[]", "[]",
              "[{\"time\": 1e400, \"valence\": 0, \"arousal\": 0}]"),
         "line 1"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ems_error err = {0};
        assert_null(ems_plan_parse(BAD[i][0], strlen(BAD[i][0]), "p.json",
                                   &err));
        assert_int_equal(err.code, EMS_EFORMAT);
        if (!strstr(err.text, BAD[i][1]))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, BAD[i][1]);
    }
    static const char GOOD[] =
        PLAN("1", "\"paper\"", "[{\"time\": 2}]", "[]", KNOT);
    ems_plan *p = ems_plan_parse(GOOD, strlen(GOOD), "p.json", NULL);
    assert_non_null(p);
    ems_plan_free(p);
}

#define PLAN2(more)                                                         \
    "{\"format\": \"emsync-plan\", \"version\": 2, \"duration\": 20,"       \
    " \"fps\": 25, \"seed\": 1, \"sync\": \"exact\", " more ", \"cuts\": []," \
    " \"curve\": " KNOT "}"

static void wishes_are_read(void **state)
{
    (void)state;
    static const char text[] = PLAN2(
        "\"hits\": [{\"time\": 3}], \"tempo\": {\"wanted\": 80, \"least\": 70,"
        " \"most\": 90}, \"sections\": [{\"from\": 0}, {\"from\": 9, \"seed\": 7,"
        " \"key\": \"Bb minor\", \"families\": [\"piano\", \"bass\"]}],"
        " \"speech\": [{\"from\": 1, \"to\": 2}], \"phrases\": [{\"time\": 4}],"
        " \"ending\": {\"kind\": \"chord\", \"time\": 18}, \"locks\":"
        " [{\"section\": 2, \"families\": [\"bass\"]}]");
    ems_error err = {0};
    ems_plan *p = ems_plan_parse(text, strlen(text), "p", &err);
    if (!p)
        fail_msg("%s", err.text);
    assert_true(p->tempo.wanted == 80 && ems_tempo_of(p).most == 90);
    assert_int_equal(p->section_count, 2);
    assert_true(p->sections[0].tonic == -1 && p->sections[0].families == 0);
    assert_int_equal(p->sections[1].tonic, 10);
    assert_true(p->sections[1].minor && p->sections[1].seed == 7);
    assert_int_equal(p->sections[1].families,
                     1u << EMS_PIANO | 1u << EMS_BASS);
    assert_true(p->speech[0].to == 2 && p->phrases[0] == 4);
    assert_true(p->ending_time == 18 && p->locks[0].section == 2);
    char before[17], after[17];
    ems_plan_hash(p, before);
    assert_int_equal(ems_plan_save(p, EMS_SCRATCH "/wishes.json", NULL), 0);
    ems_plan *q = ems_plan_load(EMS_SCRATCH "/wishes.json", NULL);
    assert_non_null(q);
    ems_plan_hash(q, after);
    assert_string_equal(before, after);
    ems_plan_free(q);
    ems_plan_free(p);
}

static void contradictions_are_refused_by_place(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {PLAN2("\"tempo\": {\"wanted\": 40, \"least\": 38, \"most\": 44},"
               " \"hits\": [{\"time\": 3}, {\"time\": 3.1}]"), "hits[1]"},
        {PLAN2("\"hits\": [], \"tempo\": {\"wanted\": 80, \"least\": 90,"
               " \"most\": 100}"), "tempo.least"},
        {PLAN2("\"hits\": [], \"sections\": [{\"from\": 1}]"), "sections[0]"},
        {PLAN2("\"hits\": [], \"sections\": [{\"from\": 0, \"key\":"
               " \"H minor\"}]"), "sections[0].key"},
        {PLAN2("\"hits\": [], \"sections\": [{\"from\": 0, \"families\":"
               " [\"oboe\"]}]"), "sections[0].families[0]"},
        {PLAN2("\"hits\": [], \"sections\": [{\"from\": 0, \"families\":"
               " []}]"), "sections[0].families"},
        {PLAN2("\"hits\": [], \"sections\": [{\"from\": 0}, {\"from\":"
               " 0.1}]"), "sections[0]"},
        {PLAN2("\"hits\": [], \"locks\": [{\"section\": 2, \"families\":"
               " [\"bass\"]}]"), "locks[0].section"},
        {PLAN2("\"hits\": [], \"speech\": [{\"from\": 4, \"to\": 3}]"),
         "speech[0]"},
        {PLAN2("\"hits\": [{\"time\": 19}], \"ending\": {\"kind\":"
               " \"chord\", \"time\": 10}"), "ending"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ems_error err = {0};
        assert_null(ems_plan_parse(BAD[i][0], strlen(BAD[i][0]), "p.json",
                                   &err));
        assert_int_equal(err.code, EMS_EFORMAT);
        if (!strstr(err.text, BAD[i][1]))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, BAD[i][1]);
    }
}

static void count_sentences(void *user, const char *sentence)
{
    assert_true(strstr(sentence, "wrong.json: ") == sentence ||
                strstr(sentence, "/wrong.json"));
    ++*(int *)user;
}

/* Every mistake is told, not the first only. */
static void a_check_finds_them_all(void **state)
{
    (void)state;
    static const char text[] = PLAN2(
        "\"hits\": [{\"time\": 3}, {\"time\": 2}, {\"time\": 3.1},"
        " {\"time\": 99}], \"sections\": [{\"from\": 0, \"key\": \"X\"},"
        " {\"from\": 5}], \"locks\": [{\"section\": 9, \"families\":"
        " [\"bass\"]}]");
    static const char path[] = EMS_SCRATCH "/wrong.json";
    int told = 0;
    ems_error err;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    const int found = ems_plan_check(path, count_sentences, &told, &err);
    /* two hits, one of them twice as near as a beat, key, first section
     * missing, lock */
    assert_int_equal(found, told);
    assert_int_equal(found, 6);
    assert_true(ems_plan_check(EMS_SCRATCH "/no-such.json", count_sentences,
                               &told, &err) < 0);
}

static void allocation_failures_are_clean(void **state)
{
    (void)state;
    const ems_cut cuts[] = {{1, EMS_CUT, 0.7}, {3, EMS_CUT, 0.3}};
    ems_plan *p = NULL;
    long nth = 1;
    for (; !p && nth < 100; nth++) {
        ems_error err = {0};
        ems_alloc_fail_at(nth);
        p = ems_plan_from(10, 25, cuts, 2, FLAT, 1, NULL, &err);
        ems_alloc_fail_at(0);
        if (!p)
            assert_int_equal(err.code, EMS_ENOMEM);
    }
    assert_true(p && nth > 5);
    ems_plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thinning_matches_the_paper),
        cmocka_unit_test(exact_takes_what_is_worth_most),
        cmocka_unit_test(most_cuts_are_met),
        cmocka_unit_test(sections_follow_the_emotion),
        cmocka_unit_test(no_cuts_no_hits),
        cmocka_unit_test(many_cuts_are_quick),
        cmocka_unit_test(curve_is_linear_and_flat_outside),
        cmocka_unit_test(wishes_replace_the_curve),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(file_keeps_everything),
        cmocka_unit_test(bad_files_are_refused_by_place),
        cmocka_unit_test(wishes_are_read),
        cmocka_unit_test(contradictions_are_refused_by_place),
        cmocka_unit_test(a_check_finds_them_all),
        cmocka_unit_test(allocation_failures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

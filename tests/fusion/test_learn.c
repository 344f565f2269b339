/* Learning on clips made by rule: what can be learned is, weights are the
 * same on any number of threads, metrics are right, files keep a fusion. */
#include "ems_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "fusion/learn.h"

#include <math.h>

enum { CLIPS = 120, DIM = 6, ROWS = 4 };

static const char *const FILE_NAME = EMS_SCRATCH "/fusion.safetensors";

typedef struct made {
    ems_clip clip[CLIPS];
    uint8_t role[CLIPS];
    float scene[CLIPS][ROWS][DIM], tone[CLIPS][ROWS][DIM];
} made;

/* The emotion lies in both experts, valence in scene, genres in tone. One in
 * four clips lacks an expert. */
static made *make(void)
{
    made *m = ems_alloc(1, sizeof *m);
    ems_rng rng = ems_rng_seed(8, 0);
    for (size_t c = 0; c < CLIPS; c++) {
        ems_clip *x = &m->clip[c];
        const size_t e = c % EMS_EKMAN;
        x->known = EMS_KNOWN_EMOTION | EMS_KNOWN_AFFECT | EMS_KNOWN_GENRES;
        x->emotion[e] = 1;
        x->affect[0] = (float)(ems_rng_uniform(&rng) * 2 - 1);
        x->affect[1] = -x->affect[0] / 2;
        x->genre[c % 3] = 1;
        x->group = c;
        for (size_t r = 0; r < ROWS; r++)
            for (size_t j = 0; j < DIM; j++) {
                m->scene[c][r][j] = (float)(ems_rng_normal(&rng) * 0.3 + 5);
                m->tone[c][r][j] = (float)(ems_rng_normal(&rng) * 0.3);
            }
        for (size_t r = 0; r < ROWS; r++) {
            m->scene[c][r][e] += 1.5f;
            m->tone[c][r][e] += 1.5f;
            m->scene[c][r][(e + 1) % DIM] += 1.5f * x->affect[0];
            m->tone[c][r][(e + 1 + c % 3) % DIM] -= 2;
        }
        x->part[0] = (ems_fusion_rows){m->scene[c][0], c % 8 == 3 ? 0 : ROWS};
        x->part[1] = (ems_fusion_rows){m->tone[c][0], c % 8 == 7 ? 0 : ROWS};
        m->role[c] = c % 5 == 0 ? EMS_ROLE_TEST
                   : c % 5 == 1 ? EMS_ROLE_VALID : EMS_ROLE_TRAIN;
    }
    return m;
}

static ems_fusion_shape shape(ems_fusion_kind kind)
{
    return (ems_fusion_shape){
        .kind = kind, .experts = 2,
        .expert = {{"scene", DIM, ROWS}, {"tone", DIM, ROWS}}, .width = 24,
        .heads = 4, .inner = 32, .emotions = EMS_EKMAN, .affect = 2,
        .genres = 3};
}

static ems_fusion *teach(const made *m, ems_fusion_kind kind, int threads,
                         int epochs)
{
    const ems_fusion_shape s = shape(kind);
    ems_fusion *f = ems_fusion_new(&s, NULL);
    ems_pool *pool = ems_pool_new(threads, NULL);
    int epoch;
    const ems_fusion_lesson l = {
        .clips = m->clip, .role = m->role, .count = CLIPS, .batch = 16,
        .epochs = epochs, .patience = epochs, .lr = 5e-3, .decay = 0.01,
        .dropout = 0.1, .absent = 0.1, .mix = 0.3, .seed = 2, .pool = pool,
        .from = 0, .to = 1};
    assert_int_equal(ems_fusion_teach(f, &l, &epoch, NULL), EMS_OK);
    assert_in_range(epoch, 1, epochs);
    ems_pool_free(pool);
    return f;
}

static ems_fusion_scores test_scores(const made *m, const ems_fusion *f)
{
    ems_fusion_said said[CLIPS];
    ems_fusion_scores s;
    assert_int_equal(ems_fusion_rate(f, m->clip, CLIPS, said, NULL), EMS_OK);
    assert_int_equal(ems_fusion_measure(&s, &f->shape, m->clip, said, m->role,
                                        EMS_ROLE_TEST, CLIPS), EMS_OK);
    return s;
}

static void learns(void **state)
{
    (void)state;
    made *m = make();
    for (int kind = 0; kind < 2; kind++) {
        ems_fusion *f = teach(m, (ems_fusion_kind)kind, 1, 40);
        const ems_fusion_scores s = test_scores(m, f);
        if (!(s.accuracy > 0.7 && s.r[0] > 0.6 && s.map > 0.6))
            fail_msg("kind %d: accuracy %g, r %g, mAP %g", kind, s.accuracy,
                     s.r[0], s.map);
        ems_fusion_free(f);
    }
    ems_free(m);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    made *m = make();
    ems_fusion *a = teach(m, EMS_FUSION_CROSS, 1, 3);
    ems_fusion *b = teach(m, EMS_FUSION_CROSS, 3, 3);
    assert_memory_equal(a->block, b->block, a->floats * sizeof(float));
    ems_fusion_free(a);
    ems_fusion_free(b);
    ems_free(m);
}

/* Columns that never change must not become infinite. */
static void constant_columns(void **state)
{
    (void)state;
    made *m = make();
    for (size_t c = 0; c < CLIPS; c++)
        for (size_t r = 0; r < ROWS; r++) {
            m->scene[c][r][0] = 7;
            m->tone[c][r][2] = NAN;
        }
    ems_fusion *f = teach(m, EMS_FUSION_CROSS, 1, 2);
    assert_true(f->unit[0][0] == 0 && f->unit[1][2] == 0);
    for (size_t i = 0; i < f->floats; i++)
        assert_true(isfinite(f->block[i]));
    ems_fusion_free(f);
    ems_free(m);
}

static void nobody_to_learn_from(void **state)
{
    (void)state;
    made *m = make();
    ems_error err;
    int epoch;
    const ems_fusion_shape s = shape(EMS_FUSION_CROSS);
    ems_fusion *f = ems_fusion_new(&s, NULL);
    memset(m->role, EMS_ROLE_TEST, sizeof m->role);
    const ems_fusion_lesson l = {.clips = m->clip, .role = m->role,
                                 .count = CLIPS, .batch = 8, .epochs = 1,
                                 .patience = 1, .lr = 1e-3};
    assert_int_equal(ems_fusion_teach(f, &l, &epoch, &err), EMS_EINVAL);
    ems_fusion_free(f);
    ems_free(m);
}

/* ---- Metrics ------------------------------------------------------------ */

/* Hand-made: average precision of ranks 1, 3 of 4 is (1 + 2/3) / 2; a tie of
 * all is the share of the positives. */
static void metrics(void **state)
{
    (void)state;
    const ems_fusion_shape s = {.experts = 1, .emotions = EMS_EKMAN,
                                .affect = 2, .genres = 2};
    ems_clip clip[4] = {{.known = 7}, {.known = 7}, {.known = 7},
                        {.known = 7}};
    ems_fusion_said said[4] = {{.genre = {0.9f, 0.5f}},
                               {.genre = {0.8f, 0.5f}},
                               {.genre = {0.3f, 0.5f}},
                               {.genre = {0.2f, 0.5f}}};
    ems_fusion_scores out;
    clip[0].genre[0] = clip[2].genre[0] = clip[1].genre[1] = 1;
    for (size_t i = 0; i < 4; i++) {
        clip[i].emotion[i < 2 ? EMS_JOY : EMS_FEAR] = 1;
        said[i].emotion[i < 3 ? EMS_JOY : EMS_FEAR] = 1;
        clip[i].affect[0] = (float)i;
        said[i].affect[0] = 2 * (float)i + 1;
        clip[i].affect[1] = said[i].affect[1] = (float)(i % 2);
    }
    assert_int_equal(ems_fusion_measure(&out, &s, clip, said, NULL, 0, 4), 0);
    assert_float_equal(out.ap[0], (1 + 2.0 / 3) / 2, 1e-6);
    assert_float_equal(out.ap[1], 0.25, 1e-6);
    assert_float_equal(out.genre_precision[0], 0.5, 1e-6);
    assert_float_equal(out.genre_recall[0], 0.5, 1e-6);
    assert_float_equal(out.accuracy, 0.75, 1e-6);
    assert_float_equal(out.macro_f1, (0.8 + 2.0 / 3) / 2, 1e-6);
    assert_int_equal(out.confusion[EMS_FEAR][EMS_JOY], 1);
    assert_float_equal(out.r[0], 1, 1e-6);
    assert_true(out.ccc[0] < 0.7);
    assert_float_equal(out.ccc[1], 1, 1e-6);
    assert_float_equal(out.rmse[0], sqrt((1 + 4 + 9 + 16) / 4.0), 1e-6);
}

/* ---- Files -------------------------------------------------------------- */

static void keeps_everything(void **state)
{
    (void)state;
    made *m = make();
    ems_error err;
    ems_fusion *f = teach(m, EMS_FUSION_JOINT, 1, 1);
    snprintf(f->id[0], sizeof f->id[0], "abc");
    snprintf(f->genre[1], sizeof f->genre[1], "Drama");
    f->deviation[1] = 0.4f;
    assert_int_equal(ems_fusion_save(f, FILE_NAME, "a test", &err), EMS_OK);
    ems_fusion *g = ems_fusion_load(FILE_NAME, &err);
    if (!g)
        fail_msg("%s", err.text);
    assert_memory_equal(&f->shape, &g->shape, sizeof f->shape);
    assert_string_equal(g->id[0], "abc");
    assert_string_equal(g->genre[1], "Drama");
    assert_true(g->deviation[1] == 0.4f);
    ems_fusion_said a, b;
    assert_int_equal(ems_fusion_rate(f, m->clip, 1, &a, NULL), EMS_OK);
    assert_int_equal(ems_fusion_rate(g, m->clip, 1, &b, NULL), EMS_OK);
    assert_memory_equal(&a.affect, &b.affect, sizeof a.affect);
    ems_fusion_free(f);
    ems_fusion_free(g);
    ems_free(m);
}

/* Same name, other network: a sentence that says so. */
static void refuses_other_experts(void **state)
{
    (void)state;
    const ems_fusion_shape s = shape(EMS_FUSION_CROSS);
    ems_fusion *f = ems_fusion_new(&s, NULL);
    size_t place[EMS_FUSION_EXPERTS];
    ems_error err;
    snprintf(f->id[0], sizeof f->id[0], "1111");
    snprintf(f->id[1], sizeof f->id[1], "2222");
    const ems_fusion_offer good[] = {{"tone", "2222", DIM},
                                     {"other", "9", 3}};
    assert_int_equal(ems_fusion_match(f, "f.st", good, 2, place, &err), 0);
    assert_true(place[0] == SIZE_MAX && place[1] == 0);
    const ems_fusion_offer changed[] = {{"scene", "3333", DIM}};
    assert_int_equal(ems_fusion_match(f, "f.st", changed, 1, place, &err),
                     EMS_EFORMAT);
    assert_non_null(strstr(err.text, "f.st learned from another expert"
                           " \"scene\""));
    const ems_fusion_offer wider[] = {{"scene", "1111", DIM + 1}};
    assert_int_equal(ems_fusion_match(f, "f.st", wider, 1, place, &err),
                     EMS_EFORMAT);
    assert_int_equal(ems_fusion_match(f, "f.st", good + 1, 1, place, &err),
                     EMS_EFORMAT);
    assert_non_null(strstr(err.text, "none of them is installed"));
    ems_fusion_free(f);
}

static void broken_files(void **state)
{
    (void)state;
    ems_error err;
    const ems_fusion_shape s = shape(EMS_FUSION_CROSS);
    ems_fusion *f = ems_fusion_new(&s, NULL);
    f->params.output.b[0] = NAN;
    assert_int_equal(ems_fusion_save(f, FILE_NAME, "a test", &err), EMS_OK);
    assert_null(ems_fusion_load(FILE_NAME, &err));
    assert_non_null(strstr(err.text, "output.bias"));
    f->params.output.b[0] = 0;
    f->shape.expert[1].name[0] = 'a'; /* no longer ascending */
    assert_int_equal(ems_fusion_save(f, FILE_NAME, "a test", &err), EMS_OK);
    assert_null(ems_fusion_load(FILE_NAME, &err));
    assert_non_null(strstr(err.text, "ascend"));
    assert_null(ems_fusion_parse("12345678{}", 10, "x", &err));
    ems_fusion_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(constant_columns),
        cmocka_unit_test(nobody_to_learn_from),
        cmocka_unit_test(metrics),
        cmocka_unit_test(keeps_everything),
        cmocka_unit_test(refuses_other_experts),
        cmocka_unit_test(broken_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

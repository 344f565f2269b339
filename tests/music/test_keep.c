/* Change one thing in a score, keep the rest. */
#include "ems_test.h"

#include "base/mem.h"
#include "music/model_io.h"
#include "music/piece.h"
#include "music/plan.h"

#include <math.h>

#define MODEL EMS_SCRATCH "/keep.safetensors"
#define OLD EMS_SCRATCH "/keep-old.mid"

enum { SECONDS = 40, CUTS = 9 };

static void make_model(void)
{
    const ems_model_shape shape = {32, 2, 2, 48, 64, 1011};
    ems_params *p = ems_alloc(1, sizeof *p);
    float *block = ems_alloc(ems_params_count(&shape), sizeof *block);
    ems_params_place(p, &shape, block);
    ems_params_init(p, 1);
    assert_int_equal(ems_params_save(p, MODEL, NULL, 0, NULL), EMS_OK);
    ems_free(block);
    ems_free(p);
}

/* A cut every four seconds; the second half is another mood. */
static ems_plan *make_plan(void)
{
    static const ems_knot turn[] = {{0, -0.6, 0}, {19.9, -0.6, 0},
                                    {20.1, 0.6, 0.3}};
    ems_cut cuts[CUTS];
    for (int i = 0; i < CUTS; i++)
        cuts[i] = (ems_cut){4 * (i + 1), EMS_CUT, 0.9};
    ems_plan *p = ems_plan_from(SECONDS, 25, cuts, CUTS, turn, 3, NULL, NULL);
    assert_non_null(p);
    assert_int_equal(p->section_count, 2);
    assert_true(p->hit_count >= 8);
    return p;
}

static ems_compose_options options(const char *keep, const char *sections,
                                   const char *lock)
{
    ems_compose_options o = ems_compose_defaults();
    o.model = MODEL;
    o.candidates = 1;
    o.keep = keep;
    o.sections = sections;
    o.lock = lock;
    return o;
}

static ems_piece *compose(const ems_plan *plan, const char *keep,
                          const char *sections, const char *lock)
{
    const ems_compose_options o = options(keep, sections, lock);
    ems_error err = {0};
    ems_piece *p = ems_compose(plan, &o, NULL, &err);
    if (!p)
        fail_msg("%s", err.text);
    return p;
}

/* A note that sounds on into new bars ends on a tick of another tempo. */
static int same_note(const ems_note *a, const ems_note *b)
{
    return fabs(a->start - b->start) < 1e-5 &&
           fabs(a->length - b->length) < 1e-3 && a->family == b->family &&
           a->pitch == b->pitch && a->velocity == b->velocity;
}

/* How many notes of one that begin in [from, to) the other has not. */
static size_t missing(const ems_piece *one, const ems_piece *other,
                      double from, double to, unsigned families)
{
    size_t n = 0;
    for (size_t i = 0; i < one->note_count; i++) {
        const ems_note *a = &one->notes[i];
        int found = a->start < from - 1e-4 || a->start >= to - 1e-4 ||
                    !(families >> a->family & 1);
        for (size_t k = 0; k < other->note_count && !found; k++)
            found = same_note(a, &other->notes[k]);
        n += !found;
    }
    return n;
}

static size_t differ(const ems_piece *a, const ems_piece *b, double from,
                     double to, unsigned families)
{
    return missing(a, b, from, to, families) +
           missing(b, a, from, to, families);
}

static void a_section_changes_and_the_rest_stays(void **state)
{
    ems_plan *plan = make_plan();
    ems_piece *old = *state, *p = compose(plan, OLD, "2", NULL);
    const double turn = plan->sections[1].from;
    assert_int_equal(differ(old, p, 0, turn, 31), 0);
    assert_true(differ(old, p, turn, SECONDS, 31) > 20);
    assert_int_equal(p->bar_count, old->bar_count);
    for (size_t i = 0; i < plan->hit_count; i++) { /* still met */
        int met = 0;
        for (size_t k = 0; k < p->note_count; k++)
            met += fabs(p->notes[k].start - plan->hits[i]) < 0.001 &&
                   p->notes[k].family != EMS_DRUMS;
        assert_true(met > 0);
    }
    ems_piece_free(p);
    p = compose(plan, OLD, "1", NULL);
    assert_int_equal(differ(old, p, turn, SECONDS, 31), 0);
    assert_true(differ(old, p, 0, turn, 31) > 20);
    ems_piece_free(p);
    ems_plan_free(plan);
}

static void locked_families_stay(void **state)
{
    ems_plan *plan = make_plan();
    const unsigned locked = 1u << EMS_DRUMS | 1u << EMS_BASS;
    ems_piece *old = *state, *p = compose(plan, OLD, "2", "drums,bass");
    assert_int_equal(differ(old, p, 0, SECONDS, locked), 0);
    assert_true(differ(old, p, 20, SECONDS, 31 & ~locked) > 10);
    ems_piece_free(p);
    ems_plan_free(plan);
}

/* New drums for what the others play: at its hits they have a bass drum. */
static void drums_alone_change(void **state)
{
    ems_plan *plan = make_plan();
    const unsigned drums = 1u << EMS_DRUMS;
    ems_piece *old = *state;
    ems_piece *p = compose(plan, OLD, "2", "bass,guitar,piano,strings");
    assert_int_equal(differ(old, p, 0, SECONDS, 31 & ~drums), 0);
    for (size_t i = 0; i < plan->hit_count; i++) {
        const double hit = plan->hits[i];
        int kicks = 0, struck = 0;
        for (size_t k = 0; k < p->note_count; k++) {
            const ems_note *n = &p->notes[k];
            const int now = fabs(n->start - hit) < 0.001;
            struck += now && n->family == EMS_DRUMS;
            kicks += now && n->family == EMS_DRUMS &&
                     (n->pitch == 35 || n->pitch == 36);
        }
        assert_true(struck < 8);
        assert_true(hit < plan->sections[1].from || kicks == 1);
    }
    ems_piece_free(p);
    ems_plan_free(plan);
}

/* Move a hit: some seconds around it are new, and it is met. */
static void a_moved_hit_changes_its_neighbourhood(void **state)
{
    ems_plan *plan = make_plan();
    const ems_piece *old = *state;
    const size_t hit = 3;
    plan->hits[hit] += 0.4;
    const double time = plan->hits[hit];
    ems_piece *p = compose(plan, OLD, NULL, NULL);
    assert_int_equal(differ(old, p, 0, plan->hits[hit - 1], 31), 0);
    assert_int_equal(differ(old, p, plan->hits[hit + 1], SECONDS, 31), 0);
    assert_true(differ(old, p, plan->hits[hit - 1], plan->hits[hit + 1], 31) >
                4);
    int met = 0;
    for (size_t k = 0; k < p->note_count; k++)
        met += fabs(p->notes[k].start - time) < 0.001 &&
               p->notes[k].family != EMS_DRUMS;
    assert_true(met > 0);
    ems_piece_free(p);
    ems_plan_free(plan);
}

static void nothing_asked_nothing_changed(void **state)
{
    ems_plan *plan = make_plan();
    ems_piece *old = *state, *p = compose(plan, OLD, NULL, NULL);
    assert_int_equal(p->note_count, old->note_count);
    assert_int_equal(differ(old, p, 0, SECONDS, 31), 0);
    assert_int_equal(p->marker_count, old->marker_count);
    ems_piece_free(p);
    ems_plan_free(plan);
}

static void wrong_wishes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"3", NULL, "1 to 2"}, {"0", NULL, "section"},
        {"x", NULL, "section"}, {"1,,2", NULL, "section"},
        {"2", "oboe", "oboe"},
    };
    ems_plan *plan = make_plan();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const ems_compose_options o = options(OLD, wrong[i][0], wrong[i][1]);
        ems_error err = {0};
        assert_null(ems_compose(plan, &o, NULL, &err));
        assert_int_equal(err.code, EMS_EINVAL);
        assert_non_null(strstr(err.text, wrong[i][2]));
    }
    plan->duration = 50;
    const ems_compose_options o = options(OLD, "1", NULL);
    ems_error err = {0};
    assert_null(ems_compose(plan, &o, NULL, &err));
    assert_non_null(strstr(err.text, "40.000"));
    ems_plan_free(plan);
}

static int set_up(void **state)
{
    make_model();
    ems_plan *plan = make_plan();
    *state = compose(plan, NULL, NULL, NULL);
    assert_int_equal(ems_piece_save(*state, OLD, NULL), 0);
    ems_plan_free(plan);
    return 0;
}

static int tear_down(void **state)
{
    ems_piece_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_changes_and_the_rest_stays),
        cmocka_unit_test(locked_families_stay),
        cmocka_unit_test(drums_alone_change),
        cmocka_unit_test(a_moved_hit_changes_its_neighbourhood),
        cmocka_unit_test(nothing_asked_nothing_changed),
        cmocka_unit_test(wrong_wishes_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* True changes: read, refused by line, and counted as bench/cuts says. */
#include "ems_test.h"

#include "lists/truth.h"

#include <math.h>

static void read_list(ems_truth *t, const char *text)
{
    ems_error err;
    assert_true(ems_truth_is(text, strlen(text)));
    assert_int_equal(ems_truth_parse(t, text, strlen(text), "t.csv", &err),
                     EMS_OK);
}

static void score(ems_cut_report *r, const char *truth, const char *found)
{
    ems_truth t, d;
    read_list(&t, truth);
    read_list(&d, found);
    ems_truth_score(r, &t, &d, 1);
    ems_truth_clear(&t);
    ems_truth_clear(&d);
}

static void counts_hard_cuts(void **state)
{
    (void)state;
    ems_cut_report r;
    score(&r, "cut,10,10\ncut,50,50\ncut,90,90\n",
          "cut,10,10\r\ncut,51,51\r\ncut,90,90");
    assert_int_equal(r.hard.found, 2); /* 51 is not the very frame */
    assert_int_equal(r.hard.wrong, 1);
    assert_int_equal(r.hard.missed, 1);
    assert_true(fabs(r.hard.f1 - 2.0 / 3) < 1e-12);
    assert_true(isnan(r.gradual.f1) && isnan(r.gradual.recall));
    assert_int_equal(r.wrong_at[EMS_TRUE_CUT], 1);
}

static void counts_gradual_changes(void **state)
{
    (void)state;
    ems_cut_report r;
    /* A frame before and after is near enough; two for one is one too many;
     * a fade where a dissolve is found counts. */
    score(&r, "dissolve,20,30\nfade_out,60,70\nfade_in,100,110\n",
          "dissolve,19,19\nfade_out,71,71\ncut,65,65\ndissolve,112,112\n");
    assert_int_equal(r.gradual.found, 2);
    assert_int_equal(r.gradual.missed, 1);
    assert_int_equal(r.gradual.wrong, 2); /* 65 inside, 112 by its word */
    assert_int_equal(r.hard.wrong, 0);
    assert_int_equal(r.wrong_at[EMS_TRUE_FADE_OUT], 1);
    assert_int_equal(r.wrong_at[EMS_TRUTH_KINDS], 1);
    score(&r, "fade_in,100,110\n", "cut,104,104\nfade_in,105,105\n");
    assert_int_equal(r.gradual.found, 1); /* its own kind is preferred */
    assert_int_equal(r.gradual.wrong, 1);
}

static void tells_what_fooled(void **state)
{
    (void)state;
    ems_cut_report r;
    score(&r, "flash,40,42\npan,80,120\nshake,200,300\n",
          "cut,41,41\ncut,100,100\ncut,250,250\ncut,400,400\n");
    assert_int_equal(r.hard.wrong, 4);
    assert_int_equal(r.wrong_at[EMS_TRUE_FLASH], 1);
    assert_int_equal(r.wrong_at[EMS_TRUE_PAN], 1);
    assert_int_equal(r.wrong_at[EMS_TRUE_SHAKE], 1);
    assert_int_equal(r.wrong_at[EMS_TRUTH_KINDS], 1);
    assert_true(r.hard.precision == 0 && isnan(r.hard.recall));
}

static void refuses_by_line(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"cut,1,1\nwipe,2,2\n", "line 2"},
        {"cut,1\n", "line 1"},
        {"cut,1,1\n\n", "line 2"},
        {"cut,-1,1\n", "line 1"},
        {"dissolve,9,8\n", "line 1"},
        {"cut,1,1,1\n", "line 1"},
        {"cut,99999999999,99999999999\n", "line 1"},
    };
    ems_error err;
    ems_truth t;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(ems_truth_parse(&t, BAD[i][0], strlen(BAD[i][0]),
                                         "t.csv", &err), EMS_EFORMAT);
        assert_non_null(strstr(err.text, BAD[i][1]));
        assert_null(t.items);
    }
    assert_false(ems_truth_is("1.5\n2.5\n", 8));
    assert_false(ems_truth_is("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_hard_cuts),
        cmocka_unit_test(counts_gradual_changes),
        cmocka_unit_test(tells_what_fooled),
        cmocka_unit_test(refuses_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

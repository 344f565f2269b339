/* The picture of a score holds its notes, bars and marks. */
#include "ems_test.h"

#include "base/file.h"
#include "base/mem.h"
#include "music/plan.h"
#include "music/roll.h"

#include <math.h>

static const char path[] = EMS_SCRATCH "/roll.svg";

static ems_piece *make_piece(void)
{
    ems_piece *p = ems_piece_new(16, NULL);
    for (int i = 0; i < 8; i++)
        ems_piece_add_bar(p, (ems_bar){2.0 * i, 4}, NULL);
    for (int i = 0; i < 40; i++)
        ems_piece_add_note(p, (ems_note){0.4 * i, 0.3, (uint8_t)(i % 5),
                                         (uint8_t)(40 + i), 90}, NULL);
    ems_piece_add_marker(p, (ems_marker){4, EMS_MARK_HIT, "<1>"}, NULL);
    ems_piece_add_marker(p, (ems_marker){7, EMS_MARK_CUT, "cut"}, NULL);
    ems_piece_sort(p);
    return p;
}

static size_t count_in(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static char *draw(const ems_piece *p, const ems_plan *plan, double from,
                  double to)
{
    ems_bytes b;
    assert_int_equal(ems_piece_draw(p, plan, path, from, to, NULL), 0);
    assert_int_equal(ems_bytes_map(&b, path, 0, NULL), 0);
    char *text = ems_alloc(b.size + 1, 1);
    memcpy(text, b.data, b.size);
    ems_bytes_unmap(&b);
    return text;
}

static void every_note_is_there_once(void **state)
{
    (void)state;
    ems_piece *p = make_piece();
    char *text = draw(p, NULL, 0, 0);
    for (int f = 0; f < EMS_FAMILIES; f++) /* and once in the legend */
        assert_int_equal(count_in(text, ems_family_colour[f]), 8 + 1);
    assert_non_null(strstr(text, "&lt;1&gt;"));
    assert_null(strstr(text, "valence"));
    ems_free(text);
    text = draw(p, NULL, 4, 8.05);
    size_t notes = 0;
    for (int f = 0; f < EMS_FAMILIES; f++)
        notes += count_in(text, ems_family_colour[f]) - 1;
    assert_int_equal(notes, 11); /* 4.0 .. 8.0 */
    ems_free(text);
    ems_piece_free(p);
}

static void a_plan_adds_its_curve(void **state)
{
    (void)state;
    ems_knot knots[2] = {{0, -0.5, 0.5}, {16, 0.5, -0.5}};
    ems_plan plan = {.duration = 16, .curve = knots, .knot_count = 2};
    ems_piece *p = make_piece();
    char *text = draw(p, &plan, 0, 0);
    assert_non_null(strstr(text, "valence"));
    ems_free(text);
    ems_piece_free(p);
}

static void nothing_to_draw_is_an_error(void **state)
{
    (void)state;
    ems_error err;
    ems_piece *p = make_piece();
    assert_int_equal(ems_piece_draw(p, NULL, path, 20, 30, &err), EMS_EINVAL);
    assert_int_equal(ems_piece_draw(p, NULL, EMS_SCRATCH "/no/roll.svg", 0, 0,
                                    &err), EMS_EIO);
    p->note_count = p->bar_count = 0; /* an empty piece can be drawn */
    char *text = draw(p, NULL, 0, 0);
    ems_free(text);
    ems_piece_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_note_is_there_once),
        cmocka_unit_test(a_plan_adds_its_curve),
        cmocka_unit_test(nothing_to_draw_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

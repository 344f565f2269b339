#include "ems_test.h"

#include "base/mem.h"
#include "base/svg.h"

#include <math.h>

static const char path[] = EMS_SCRATCH "/svg_test.svg";

/* The file as text; freed by the caller. */
static char *drawn(void)
{
    ems_bytes b;
    assert_int_equal(ems_bytes_map(&b, path, 0, NULL), 0);
    char *text = ems_alloc(b.size + 1, 1);
    assert_non_null(text);
    memcpy(text, b.data, b.size);
    ems_bytes_unmap(&b);
    return text;
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void text_cannot_break_out(void **state)
{
    (void)state;
    ems_svg s;
    assert_int_equal(ems_svg_open(&s, path, 100, 50, NULL), 0);
    ems_svg_text(&s, 1, 2, 10, EMS_SVG_START, "#000", "</text><a b=\"&\n");
    assert_int_equal(ems_svg_close(&s, NULL), 0);
    char *text = drawn();
    assert_non_null(strstr(text, ">&lt;/text&gt;&lt;a b=&quot;&amp; </text>"));
    assert_int_equal(times(text, "<"), 5);
    ems_free(text);
}

static void lines_break_where_values_are_missing(void **state)
{
    (void)state;
    ems_svg s;
    assert_int_equal(ems_svg_open(&s, path, 100, 50, NULL), 0);
    const double x[] = {0, 1, 2, 3, 4, 5};
    const double y[] = {0, -1.5, NAN, 3, INFINITY, NAN};
    ems_svg_polyline(&s, x, y, 6, "#123", 1);
    ems_svg_rect(&s, NAN, 0, 1, 1, "#456", 1);
    ems_svg_circle(&s, 0, NAN, 1, "#456", 1);
    assert_int_equal(ems_svg_close(&s, NULL), 0);
    char *text = drawn();
    assert_non_null(strstr(text, "points=\"0.00,0.00 1.00,-1.50\""));
    assert_non_null(strstr(text, "points=\"3.00,3.00\""));
    assert_int_equal(times(text, "<polyline"), 2);
    assert_int_equal(times(text, "#456"), 0);
    ems_free(text);
}

static void plots_have_round_grid_values(void **state)
{
    (void)state;
    ems_svg s;
    assert_int_equal(ems_svg_open(&s, path, 400, 300, NULL), 0);
    const ems_plot p = {.svg = &s, .left = 50, .top = 20, .width = 300,
                        .height = 200, .x1 = 1000, .y0 = -0.3, .y1 = 0.3};
    ems_plot_frame(&p, "title", "steps", NULL);
    static double x[10000], y[10000];
    for (size_t i = 0; i < 10000; i++)
        x[i] = (double)i / 10;
    ems_plot_curve(&p, x, y, 10000, "#c33");
    ems_plot_curve(&p, x, y, 0, "#c33");
    ems_plot_bar(&p, 500, 100, 0.3, "#33c");
    assert_int_equal(ems_svg_close(&s, NULL), 0);
    char *text = drawn();
    assert_non_null(strstr(text, ">200</text>"));
    assert_non_null(strstr(text, ">-0.2</text>"));
    assert_non_null(strstr(text, ">0.1</text>"));
    assert_non_null(strstr(text, "x=\"200.00\" y=\"20.00\" width=\"30.00\""
                                 " height=\"200.00\""));
    assert_int_equal(times(text, ",120.00"), 4000 + 2);
    ems_free(text);
}

static void pictures_appear_whole_or_not_at_all(void **state)
{
    (void)state;
    ems_svg s;
    ems_error err;
    remove(path);
    assert_int_equal(ems_svg_open(&s, path, 100, 50, NULL), 0);
    ems_svg_discard(&s);
    ems_svg_discard(&s);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(ems_svg_open(&s, path, NAN, 50, &err), EMS_EINVAL);
    assert_int_equal(ems_svg_open(&s, EMS_SCRATCH "/no/such/folder/x.svg", 9,
                                  9, &err), EMS_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_cannot_break_out),
        cmocka_unit_test(lines_break_where_values_are_missing),
        cmocka_unit_test(plots_have_round_grid_values),
        cmocka_unit_test(pictures_appear_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

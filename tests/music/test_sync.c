#include "ems_test.h"

#include "base/file.h"
#include "base/mem.h"
#include "music/sync.h"

#include <math.h>

/* Quiet piano eighths at 120 beats a minute and, `late` after every time in
 * `at`, a loud chord of bass and piano. */
static ems_piece *music(const double *at, size_t count, double late)
{
    ems_piece *p = ems_piece_new(32, NULL);
    assert_non_null(p);
    for (int i = 0; i < 128; i++)
        ems_piece_add_note(p, (ems_note){i * 0.25, 0.2, EMS_PIANO, 60, 60},
                           NULL);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 4; k++)
            ems_piece_add_note(
                p, (ems_note){at[i] + late, 1.5, k ? EMS_PIANO : EMS_BASS,
                              (uint8_t)(40 + 5 * k), 110}, NULL);
    for (int i = 0; i < 16; i++)
        ems_piece_add_bar(p, (ems_bar){2 * i, 4}, NULL);
    ems_piece_sort(p);
    return p;
}

static ems_plan film(ems_cut *cuts, size_t count, double *hits,
                     size_t hit_count)
{
    static ems_knot middle = {0, 0, 0};
    return (ems_plan){.duration = 32, .fps = 25, .cuts = cuts,
                      .cut_count = count, .hits = hits,
                      .hit_count = hit_count, .curve = &middle,
                      .knot_count = 1};
}

enum { CUTS = 6 };
static double times[CUTS] = {3.1, 7.4, 12.2, 17.7, 18.3, 26.1};

static ems_sync_report measured(double late, size_t hits)
{
    ems_cut cuts[CUTS];
    for (int i = 0; i < CUTS; i++)
        cuts[i] = (ems_cut){times[i], EMS_CUT, 1};
    const ems_plan f = film(cuts, CUTS, times, hits);
    ems_piece *p = music(times, CUTS, late);
    ems_sync_music m;
    ems_sync_report r;
    assert_int_equal(ems_sync_listen(&m, p, NULL), 0);
    assert_int_equal(ems_sync_measure(&r, &f, 1, p, &m, 100, 7, NULL), 0);
    ems_sync_music_clear(&m);
    ems_piece_free(p);
    return r;
}

static void accents_on_the_cuts_are_found(void **state)
{
    (void)state;
    ems_sync_report r = measured(0, 4);
    assert_int_equal(r.cut_count, CUTS);
    assert_int_equal(r.accents, CUTS);
    assert_true(r.all.median_ms < 1e-6 && r.all.frame == 1);
    assert_true(r.all.tbiou_accents == 1);
    /* 16 bar lines; the cuts within 0.5 s of one: 12.2 with 12, 17.7 or 18.3
     * with 18, 26.1 with 26 */
    assert_true(fabs(r.all.tbiou_bars - 3.0 / 19) < 1e-9);
    assert_true(fabs(r.all.tbiou_beats - 6.0 / 64) < 1e-9);
    assert_int_equal(r.hits.moments, 4);
    /* 17.7 and 18.3 are too near each other; three of the other four are hits */
    assert_true(fabs(r.accepted - 3.0 / 4) < 1e-9);
    assert_true(r.largest_change < 1e-9 && r.smooth_bars == 1);
    assert_true(fabs(r.on_grid - 128.0 / 152) < 1e-9); /* no chord is on it */
    ems_sync_clear(&r);
}

static void errors_have_their_size_and_sign(void **state)
{
    (void)state;
    ems_sync_report r = measured(0.08, 0);
    for (size_t i = 0; i < r.cut_count; i++) {
        assert_true(fabs(r.cuts[i].error_ms - 80) < 1e-6);
        assert_true(fabs(r.cuts[i].error_frames - 2) < 1e-6);
    }
    assert_true(r.all.frame == 0 && r.all.within_100ms == 1);
    assert_true(fabs(r.all.p95_ms - 80) < 1e-6);
    assert_int_equal(r.hits.moments, 0);
    ems_sync_clear(&r);
}

/* Six accents in 32 s: the windows of a frame cover 6 * 2 * 40 ms, those of a
 * second hardly 11 s. */
static void chance_is_what_windows_cover(void **state)
{
    (void)state;
    ems_sync_report r = measured(0, 4), again = measured(0, 4);
    assert_true(r.chance.frame < 0.08);
    assert_true(r.chance.within_1s > 0.25 && r.chance.within_1s < 0.45);
    assert_true(r.chance.frame == again.chance.frame &&
                r.chance.median_ms == again.chance.median_ms);
    ems_sync_clear(&r);
    ems_sync_clear(&again);
}

static void tempo_changes_are_seen(void **state)
{
    (void)state;
    ems_piece *p = music(times, CUTS, 0);
    p->bars[4].start += 0.1; /* 2.1 s after 2 s, 1.9 s after 2.1 s */
    const ems_plan f = film(NULL, 0, NULL, 0);
    ems_sync_music m;
    ems_sync_report r;
    assert_int_equal(ems_sync_listen(&m, p, NULL), 0);
    assert_int_equal(ems_sync_measure(&r, &f, 0, p, &m, 10, 1, NULL), 0);
    assert_true(fabs(r.largest_change - (2.1 / 1.9 - 1)) < 1e-9);
    assert_true(isnan(r.accepted));
    ems_sync_clear(&r);
    ems_sync_music_clear(&m);
    ems_piece_free(p);
}

static void silence_meets_nothing(void **state)
{
    (void)state;
    ems_piece *p = ems_piece_new(32, NULL);
    ems_cut cut = {3, EMS_CUT, 1};
    const ems_plan f = film(&cut, 1, NULL, 0);
    ems_sync_music m;
    ems_sync_report r;
    assert_int_equal(ems_sync_listen(&m, p, NULL), 0);
    assert_int_equal(ems_sync_measure(&r, &f, 0, p, &m, 10, 1, NULL), 0);
    assert_true(isnan(r.cuts[0].note) && r.all.within_1s == 0);
    assert_true(r.all.tbiou_accents == 0 && isinf(r.all.median_ms));
    ems_sync_clear(&r);
    ems_sync_music_clear(&m);
    ems_piece_free(p);
}

static void it_is_drawn_and_saved(void **state)
{
    (void)state;
    static const char svg[] = EMS_SCRATCH "/sync.svg";
    static const char json[] = EMS_SCRATCH "/sync.json";
    ems_piece *p = music(times, CUTS, 0.05);
    ems_cut cuts[2] = {{3.1, EMS_CUT, 1}, {7.4, EMS_DISSOLVE, 1}};
    const ems_plan f = film(cuts, 2, times, 1);
    ems_sync_music m;
    ems_sync_report r;
    ems_error err;
    assert_int_equal(ems_sync_listen(&m, p, &err), 0);
    assert_int_equal(ems_sync_measure(&r, &f, 1, p, &m, 10, 1, &err), 0);
    size_t count;
    ems_sync_tile *tiles = ems_sync_tiles(&f, &count);
    assert_true(count > 3); /* three shots, the last one long */
    for (size_t i = 1; i < count; i++)
        assert_true(fabs(tiles[i].from - tiles[i - 1].to) < 1e-9);
    uint8_t picture[5] = "JPEG";
    tiles[1].jpeg = picture, tiles[1].size = 4;
    assert_int_equal(ems_sync_draw(svg, &f, 1, tiles, count, p, &m, &r, &err),
                     0);
    ems_bytes b;
    assert_int_equal(ems_bytes_map(&b, svg, 0, &err), 0);
    assert_non_null(memmem(b.data, b.size, "base64,SlBFRw==\"/>", 18));
    ems_bytes_unmap(&b);
    ems_free(tiles);
    assert_int_equal(ems_sync_save(&r, json, &err), 0);
    assert_int_equal(access(svg, R_OK), 0);
    assert_int_equal(access(json, R_OK), 0);
    ems_sync_clear(&r);
    ems_sync_music_clear(&m);
    ems_piece_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accents_on_the_cuts_are_found),
        cmocka_unit_test(errors_have_their_size_and_sign),
        cmocka_unit_test(chance_is_what_windows_cover),
        cmocka_unit_test(tempo_changes_are_seen),
        cmocka_unit_test(silence_meets_nothing),
        cmocka_unit_test(it_is_drawn_and_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

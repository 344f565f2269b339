#include "ems_test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "music/critic_data.h"
#include "music/piece.h"

#include <math.h>
#include <unistd.h>

/* An arpeggio of a triad over its root, `gap` seconds from note to note. */
static size_t arpeggio(ems_note *out, size_t count, int root, int third,
                       double gap, uint8_t family)
{
    const int step[4] = {12, 12 + third, 19, 24};
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const double t = (double)i * gap;
        if (i % 8 == 0)
            out[n++] = (ems_note){t, gap * 7, family, (uint8_t)root, 80};
        out[n++] = (ems_note){t, gap * 0.9, family,
                              (uint8_t)(root + step[i % 4]), 80};
    }
    return n;
}

static ems_affect_point rate(const ems_critic *c, int third, double gap)
{
    ems_note notes[400];
    const size_t n = arpeggio(notes, 300, 48, third, gap, EMS_PIANO);
    return ems_critic_rate(c, notes, n, 2, 18);
}

static void what_ships_tells_glad_from_sad_and_calm_from_wild(void **state)
{
    const ems_critic *c = *state;
    const ems_affect_point glad = rate(c, 4, 0.2), sad = rate(c, 3, 0.2),
                           wild = rate(c, 3, 0.1), calm = rate(c, 3, 0.8);
    assert_true(glad.valence > sad.valence + 0.3);
    assert_true(wild.arousal > sad.arousal + 0.1);
    assert_true(sad.arousal > calm.arousal + 0.3);
}

static void silence_and_drums_alone_are_unknown(void **state)
{
    const ems_critic *c = *state;
    const ems_note drum = {1, 0.1, EMS_DRUMS, 36, 90};
    assert_true(isnan(ems_critic_rate(c, NULL, 0, 0, 16).valence));
    assert_true(isnan(ems_critic_rate(c, &drum, 1, 0, 16).arousal));
    assert_true(isnan(ems_critic_rate(c, &drum, 1, 5, 5).arousal));
    ems_affect_point p;
    assert_int_equal(ems_critic_piece(c, &drum, 1, &p, NULL), 0);
    assert_true(isnan(p.valence) && isnan(p.arousal));
}

/* What a family doubles is heard once. */
static void a_doubled_voice_changes_nothing(void **state)
{
    const ems_critic *c = *state;
    ems_note one[200], two[400];
    const size_t n = arpeggio(one, 150, 45, 3, 0.25, EMS_PIANO);
    for (size_t i = 0; i < n; i++) {
        two[2 * i] = two[2 * i + 1] = one[i];
        two[2 * i + 1].family = EMS_STRINGS;
    }
    const ems_affect_point a = ems_critic_rate(c, one, n, 0, 16);
    const ems_affect_point b = ems_critic_rate(c, two, 2 * n, 0, 16);
    assert_memory_equal(&a, &b, sizeof a);
}

static void only_the_window_counts(void **state)
{
    const ems_critic *c = *state;
    ems_note notes[800];
    const size_t n = arpeggio(notes, 160, 48, 4, 0.2, EMS_PIANO);
    const size_t more = arpeggio(notes + n, 300, 48, 3, 0.1, EMS_PIANO);
    for (size_t i = n; i < n + more; i++)
        notes[i].start += 32;
    const ems_affect_point a = ems_critic_rate(c, notes, n, 8, 24);
    const ems_affect_point b = ems_critic_rate(c, notes, n + more, 8, 24);
    assert_memory_equal(&a, &b, sizeof a);
}

static void the_curve_follows_the_music(void **state)
{
    const ems_critic *c = *state;
    ems_note notes[800];
    size_t n = arpeggio(notes, 75, 40, 3, 0.8, EMS_PIANO);
    const size_t slow = n;
    n += arpeggio(notes + n, 400, 52, 4, 0.15, EMS_PIANO);
    for (size_t i = slow; i < n; i++)
        notes[i].start += 60;
    const double times[3] = {20, 90, 500};
    ems_affect_point p[3];
    assert_int_equal(ems_critic_curve(c, notes, n, times, 3, p, NULL), 0);
    assert_true(p[1].valence > p[0].valence && p[1].arousal > p[0].arousal);
    assert_true(isnan(p[2].valence));
    ems_affect_point all;
    assert_int_equal(ems_critic_piece(c, notes, n, &all, NULL), 0);
    assert_true(all.arousal > p[0].arousal && all.arousal < p[1].arousal);
}

static void velocity_counts_when_asked(void **state)
{
    (void)state;
    ems_note notes[400];
    const size_t n = arpeggio(notes, 300, 48, 4, 0.2, EMS_PIANO);
    ems_critic *c = ems_critic_open(NULL, NULL);
    const ems_affect_point soft = ems_critic_rate(c, notes, n, 0, 16);
    for (size_t i = 0; i < n; i++)
        notes[i].velocity = 120;
    const ems_affect_point deaf = ems_critic_rate(c, notes, n, 0, 16);
    assert_memory_equal(&soft, &deaf, sizeof soft);
    ems_critic_hear_velocity(c);
    const ems_affect_point loud = ems_critic_rate(c, notes, n, 0, 16);
    assert_true(loud.arousal > soft.arousal);
    ems_critic_free(c);
}

/* Random notes, also such as nobody plays; random weights; all bits. */
static void the_bits_are_the_same_everywhere(void **state)
{
    (void)state;
    ems_critic *c = ems_alloc(1, sizeof *c);
    ems_rng r = ems_rng_seed(7, 0);
    ems_critic_head *h[2] = {&c->window, &c->piece};
    for (int k = 0; k < 2; k++) {
        h[k]->features = k ? EMS_HEARD_WHOLE : EMS_HEARD_FEATURES;
        for (size_t i = 0; i < h[k]->features; i++) {
            h[k]->mean[i] = (float)ems_rng_uniform(&r);
            h[k]->scale[i] = 1;
            h[k]->weight[0][i] = (float)ems_rng_uniform(&r) / 8 - 0.0625F;
            h[k]->weight[1][i] = (float)ems_rng_uniform(&r) / 8 - 0.0625F;
        }
        h[k]->gain[0] = h[k]->gain[1] = 0.25F;
    }
    enum { NOTES = 2000, POINTS = 50 };
    ems_note notes[NOTES];
    double at = 0, times[POINTS];
    for (int i = 0; i < NOTES; i++) {
        at += ems_rng_uniform(&r) / 5;
        notes[i] = (ems_note){at, 0.01 + 3 * ems_rng_uniform(&r),
                              (uint8_t)ems_rng_below(&r, EMS_FAMILIES),
                              (uint8_t)ems_rng_below(&r, 128), 80};
    }
    ems_affect_point p[POINTS];
    for (int i = 0; i < POINTS; i++)
        times[i] = i * 4;
    assert_int_equal(ems_critic_curve(c, notes, NOTES, times, POINTS, p,
                                      NULL), 0);
    uint64_t hash = 1469598103934665603U; /* FNV-1a */
    for (size_t i = 0; i < sizeof p; i++)
        hash = (hash ^ ((const uint8_t *)p)[i]) * 1099511628211U;
    assert_true(fabs(p[3].valence) < 1 && fabs(p[3].arousal) < 1);
    assert_int_equal(hash, 0x1c92126f93aa84b9U);
    ems_critic_free(c);
}

/* ---- Weights ------------------------------------------------------------- */

#define WEIGHTS EMS_SCRATCH "/critic.safetensors"

static void refuse(const ems_critic *c, const char *because)
{
    ems_error err;
    assert_int_equal(ems_critic_save(c, WEIGHTS, NULL, 0, &err), 0);
    assert_null(ems_critic_open(WEIGHTS, &err));
    assert_int_equal(err.code, EMS_EFORMAT);
    assert_non_null(strstr(err.text, because));
}

static void odd_weights_are_refused(void **state)
{
    const ems_critic *shipped = *state;
    ems_critic c = *shipped;
    ems_error err;
    assert_int_equal(ems_critic_save(&c, WEIGHTS, NULL, 0, &err), 0);
    ems_critic *same = ems_critic_open(WEIGHTS, &err);
    assert_memory_equal(&same->window.weight, &c.window.weight,
                        sizeof c.window.weight);
    assert_memory_equal(&same->piece, &c.piece, sizeof c.piece);
    ems_critic_free(same);
    c.window.scale[5] = 0;
    refuse(&c, "window.scale");
    c = *shipped;
    c.piece.weight[1][300] = NAN;
    refuse(&c, "piece.weight");
    c = *shipped;
    c.piece.features--;
    refuse(&c, "another version");
    assert_null(ems_critic_open(EMS_SCRATCH "/none", &err));
    assert_int_equal(err.code, EMS_EIO);
    unlink(WEIGHTS);
}

static void running_out_of_memory_is_an_error(void **state)
{
    const ems_critic *c = *state;
    ems_note notes[400];
    ems_affect_point p;
    ems_error err;
    const size_t n = arpeggio(notes, 300, 48, 4, 0.2, EMS_PIANO);
    int failed = 0;
    for (long nth = 1; nth < 100; nth++) {
        ems_alloc_fail_at(nth);
        ems_critic *own = ems_critic_open(NULL, &err);
        const int code = own ? ems_critic_piece(c, notes, n, &p, &err) : -1;
        ems_alloc_fail_at(0);
        ems_critic_free(own);
        if (code == 0)
            break;
        failed++;
    }
    assert_in_range(failed, 3, 90);
}

/* ---- Training -------------------------------------------------------------- */

#define FOLDER EMS_SCRATCH "/rated"

static void write_piece(const char *name, double gap, int third)
{
    ems_note notes[400];
    const size_t n = arpeggio(notes, 200, 48, third, gap, EMS_PIANO);
    ems_piece *p = ems_piece_new(200 * gap, NULL);
    for (size_t i = 0; i < n; i++)
        ems_piece_add_note(p, notes[i], NULL);
    for (int b = 0; b < (int)(100 * gap + 0.5); b++)
        ems_piece_add_bar(p, (ems_bar){b * 2, 4}, NULL);
    ems_piece_sort(p);
    char *path = ems_path_join(FOLDER "/midi", name);
    assert_int_equal(ems_piece_save(p, path, NULL), 0);
    ems_free(path);
    ems_piece_free(p);
}

static void write_ratings(void)
{
    char text[4096] = "{\"pieces\":{", *end = text + strlen(text);
    const char *comma = "";
    for (int i = 0; i < 8; i++, comma = ",")
        end += sprintf(end, "%s\"piece%d\":{\"midi\":\"S%d_%d.mid\","
                       "\"measures\":3}", comma, i, i / 2, i);
    end += sprintf(end, "},\"annotations\":{");
    comma = "";
    for (int i = 0; i < 8; i++, comma = ",") {
        const double v = i % 2 ? 0.5 : -0.5, a = i < 4 ? 0.4 : -0.4;
        end += sprintf(end, "%s\"piece%d_0\":{\"valence\":[%g,%g,%g],"
                       "\"arousal\":[%g,%g,%g]}", comma, i, v, v, v, a, a, a);
    }
    sprintf(end, "}}");
    assert_int_equal(ems_file_write(FOLDER "/annotations/r.json", text,
                                    strlen(text), NULL), 0);
}

static void write_collection(void)
{
    assert_int_equal(ems_folder_make(FOLDER "/midi", NULL), 0);
    assert_int_equal(ems_folder_make(FOLDER "/annotations", NULL), 0);
    for (int i = 0; i < 8; i++) {
        char name[24];
        snprintf(name, sizeof name, "S%d_%d.mid", i / 2, i);
        write_piece(name, (i < 4 ? 0.15 : 0.5) + 0.01 * i, i % 2 ? 4 : 3);
    }
    write_ratings();
}

static void training_learns_and_repeats_itself(void **state)
{
    (void)state;
    write_collection();
    ems_critic_options o = ems_critic_defaults();
    o.data = FOLDER;
    o.out = WEIGHTS;
    o.ridge = 1;
    o.evaluate = 0;
    ems_error err;
    ems_bytes one, two;
    const ems_run alone = {.threads = 1}, pair = {.threads = 2};
    assert_int_equal(ems_train_critic(&o, &alone, &err), 0);
    ems_critic *c = ems_critic_open(WEIGHTS, &err);
    const ems_affect_point glad = rate(c, 4, 0.2), sad = rate(c, 3, 0.6);
    ems_critic_free(c);
    assert_true(glad.valence > 0.2 && glad.arousal > 0.2);
    assert_true(sad.valence < -0.2 && sad.arousal < -0.2);
    o.calibrate = FOLDER "/midi";
    assert_int_equal(ems_train_critic(&o, &alone, &err), 0);
    assert_int_equal(ems_bytes_map(&one, WEIGHTS, 0, &err), 0);
    o.out = WEIGHTS "2";
    o.evaluate = 1;
    assert_int_equal(ems_train_critic(&o, &pair, &err), 0);
    assert_int_equal(ems_bytes_map(&two, o.out, 0, &err), 0);
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
    ems_bytes_unmap(&one);
    ems_bytes_unmap(&two);
    o.half = 3;
    assert_int_equal(ems_train_critic(&o, NULL, &err), EMS_EINVAL);
    o.half = 0;
    o.data = FOLDER "/midi";
    assert_true(ems_train_critic(&o, NULL, &err) < 0);
    unlink(WEIGHTS);
    unlink(WEIGHTS "2");
}

static void ratings_are_compared_with_a_table(void **state)
{
    (void)state;
    write_collection();
    char text[512] = "file,valence,arousal\n", *end = text + strlen(text);
    for (int i = 0; i < 8; i++)
        end += sprintf(end, "S%d_%d.mid,%d,%s\n", i / 2, i, i % 2 ? 1 : -1,
                       i < 4 ? "0.5" : i < 7 ? "-0.5" : "");
    ems_error err;
    const char *table = FOLDER "/labels.csv";
    assert_int_equal(ems_file_write(table, text, strlen(text), &err), 0);
    ems_rate_options o = ems_rate_defaults();
    ems_critic_axis axis[2];
    assert_int_equal(ems_critic_check(FOLDER "/midi", table, 0, &o, axis,
                                      NULL, &err), 0);
    assert_int_equal(axis[0].pieces, 8);
    assert_int_equal(axis[1].pieces, 7);
    assert_int_equal(axis[0].signs, 8);
    assert_true(axis[0].in_order == 1 && axis[1].in_order == 1);
    assert_true(axis[0].r > 0.8 && axis[1].rho > 0.7);
    assert_int_equal(ems_critic_check(FOLDER "/annotations", table, 0, &o,
                                      axis, NULL, &err), EMS_EFORMAT);
    o.critic = EMS_SCRATCH "/none";
    assert_int_equal(ems_critic_check(FOLDER "/midi", table, 8, &o, axis,
                                      NULL, &err), EMS_EIO);
}

static void series_and_halves_follow_names(void **state)
{
    (void)state;
    char *name[] = {"A_x_1_a.mid", "A_y_2_b.mid", "Other_PC_Sims_c.mid",
                    "Other_PC_Doom_d.mid", "Other_N64_Doom_e.mid", "B.mid"};
    uint32_t group[6];
    ems_rated r = {.pieces = 6, .group = group, .name = name};
    ems_rated_group(&r);
    const uint32_t want[6] = {0, 0, 1, 2, 3, 4};
    assert_int_equal(r.groups, 5);
    assert_memory_equal(group, want, sizeof want);
    uint8_t half[5];
    assert_int_equal(ems_rated_halve(&r, half, NULL), 0);
    size_t second = 0;
    for (size_t i = 0; i < 6; i++)
        second += half[group[i]];
    assert_int_equal(second, 3);
}

static int open_shipped(void **state)
{
    ems_error err;
    *state = ems_critic_open(NULL, &err);
    return *state ? 0 : -1;
}

static int close_shipped(void **state)
{
    ems_critic_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ships_tells_glad_from_sad_and_calm_from_wild),
        cmocka_unit_test(silence_and_drums_alone_are_unknown),
        cmocka_unit_test(a_doubled_voice_changes_nothing),
        cmocka_unit_test(only_the_window_counts),
        cmocka_unit_test(the_curve_follows_the_music),
        cmocka_unit_test(velocity_counts_when_asked),
        cmocka_unit_test(the_bits_are_the_same_everywhere),
        cmocka_unit_test(odd_weights_are_refused),
        cmocka_unit_test(running_out_of_memory_is_an_error),
        cmocka_unit_test(training_learns_and_repeats_itself),
        cmocka_unit_test(ratings_are_compared_with_a_table),
        cmocka_unit_test(series_and_halves_follow_names),
    };
    return cmocka_run_group_tests(tests, open_shipped, close_shipped);
}

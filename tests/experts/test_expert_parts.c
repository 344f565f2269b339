/* Pictures fitted, sound resampled, faces decoded, the cache. */
#include "ems_test.h"

#include "base/file.h"
#include "base/mem.h"
#include "experts/cache.h"
#include "experts/expert_parts.h"
#include "experts/registry.h"
#include "experts/resample.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

/* ---- Pictures ------------------------------------------------------------ */

/* Red grows to the right, green downwards, blue is 200. */
static uint8_t *ramp(int width, int height)
{
    uint8_t *p = ems_alloc((size_t)(3 * width * height), 1);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            p[3 * (y * width + x)] = (uint8_t)(255 * x / (width - 1));
            p[3 * (y * width + x) + 1] = (uint8_t)(255 * y / (height - 1));
            p[3 * (y * width + x) + 2] = 200;
        }
    return p;
}

static ems_picture_input input(int width, int height, ems_fit fit)
{
    return (ems_picture_input){.width = width, .height = height,
                               .channels = 3, .type = EMS_TENSOR_FLOAT,
                               .fit = fit, .high = 255, .std = {1, 1, 1}};
}

static void check_pixel(const float *out, int width, int x, int y, double r,
                        double g, double b)
{
    const float *p = out + 3 * (y * width + x);
    assert_true(fabs((double)p[0] - r) < 3);
    assert_true(fabs((double)p[1] - g) < 3);
    assert_true(fabs((double)p[2] - b) < 3);
}

static void pictures_are_fitted(void **state)
{
    (void)state;
    ems_fitter f = {0};
    ems_error err;
    uint8_t *data = ramp(320, 160);
    const ems_rgb p = {320, 160, data};
    float out[3 * 40 * 40];
    ems_picture_input in = input(40, 40, EMS_FIT_STRETCH);
    assert_int_equal(ems_fit_picture(&f, &in, &p, NULL, out, &err), EMS_OK);
    check_pixel(out, 40, 0, 0, 3, 3, 200);
    check_pixel(out, 40, 39, 20, 252, 131, 200);
    in.fit = EMS_FIT_CROP; /* columns 80 to 240 */
    assert_int_equal(ems_fit_picture(&f, &in, &p, NULL, out, &err), EMS_OK);
    check_pixel(out, 40, 0, 20, 65, 131, 200);
    check_pixel(out, 40, 39, 20, 190, 131, 200);
    in.fit = EMS_FIT_PAD; /* rows 10 to 30 */
    assert_int_equal(ems_fit_picture(&f, &in, &p, NULL, out, &err), EMS_OK);
    check_pixel(out, 40, 20, 5, 0, 0, 0);
    check_pixel(out, 40, 20, 10, 131, 6, 200);
    check_pixel(out, 40, 20, 29, 131, 249, 200);
    const ems_box back = ems_fit_back(&in, &p);
    assert_true(fabs(back.x + 20 * back.width - 160) < 1e-9);
    assert_true(fabs(back.y + 20 * back.height - 80) < 1e-9);
    ems_fitter_clear(&f);
    ems_free(data);
}

static void parts_layouts_and_types(void **state)
{
    (void)state;
    ems_fitter f = {0};
    ems_error err;
    uint8_t *data = ramp(200, 100);
    const ems_rgb p = {200, 100, data};
    const ems_box part = {150, 40, 100, 20}; /* over the right edge */
    float out[3 * 16 * 8];
    ems_picture_input in = input(16, 8, EMS_FIT_STRETCH);
    in.first = in.bgr = 1;
    in.mean[0] = 100; /* of what is first: blue */
    in.std[0] = 50;
    assert_int_equal(ems_fit_picture(&f, &in, &p, &part, out, &err), EMS_OK);
    assert_true(fabs((double)out[0] - 2) < 0.01);
    assert_true(out[2 * 128 + 15] > 254); /* red, far right */
    int32_t whole[16 * 8];
    in = input(16, 8, EMS_FIT_STRETCH);
    in.type = EMS_TENSOR_INT32;
    in.channels = 1;
    assert_int_equal(ems_fit_bytes(&in), sizeof whole);
    assert_int_equal(ems_fit_picture(&f, &in, &p, NULL, whole, &err), EMS_OK);
    const double grey = 0.2989 * 135 + 0.587 * 143 + 0.114 * 200;
    assert_in_range(whole[4 * 16 + 8], (int)grey - 4, (int)grey + 4);
    ems_fitter_clear(&f);
    ems_free(data);
}

/* ---- Sound --------------------------------------------------------------- */

static void a_tone_stays_a_tone(void **state)
{
    (void)state;
    enum { N = 22050 };
    static float in[N], out[N];
    ems_error err;
    ems_resampler *r = ems_resampler_new(22050, 16000, &err);
    size_t all = 0, made;
    for (int i = 0; i < N; i++)
        in[i] = (float)(sin(2 * M_PI * 1000 * i / 22050) +
                        sin(2 * M_PI * 9500 * i / 22050));
    for (size_t i = 0; i < N; i += 997) {
        const size_t n = N - i < 997 ? N - i : 997;
        assert_true(all + ems_resampler_most(r, n) < N);
        assert_int_equal(
            ems_resampler_add(r, in + i, n, out + all, &made, &err), EMS_OK);
        all += made;
    }
    assert_in_range(all, 15950, 16000);
    double worst = 0; /* 9.5 kHz cannot be held and must be gone */
    for (size_t i = 100; i < all - 100; i++)
        worst = fmax(worst, fabs((double)out[i] -
                                 sin(2 * M_PI * 1000 * (double)i / 16000)));
    assert_true(worst < 0.003);
    ems_resampler_free(r);
}

/* ---- Faces --------------------------------------------------------------- */

static void faces_are_decoded(void **state)
{
    (void)state;
    static float fine[512], coarse[384], fine_box[16 * 512],
        coarse_box[16 * 384];
    ems_face faces[4];
    for (int i = 0; i < 512; i++)
        fine[i] = -10;
    for (int i = 0; i < 384; i++)
        coarse[i] = -10;
    const int cell = 2 * (5 * 16 + 3); /* centre 56, 88 */
    fine[cell] = 2;
    fine[cell + 1] = 3; /* the same face, surer */
    for (int i = cell; i < cell + 2; i++) {
        fine_box[16 * i] = 4;
        fine_box[16 * i + 2] = fine_box[16 * i + 3] = 40;
    }
    coarse[6 * (7 * 8 + 7)] = 0.5f; /* centre 240, 240 */
    coarse_box[16 * 6 * 63 + 2] = coarse_box[16 * 6 * 63 + 3] = 80;
    assert_int_equal(ems_blazeface(fine, coarse, fine_box, coarse_box, faces,
                                   4), 2);
    assert_true(fabs(faces[0].score - 1 / (1 + exp(-3))) < 1e-6);
    assert_float_equal(faces[0].box.x, 56 + 4 - 20, 1e-5);
    assert_float_equal(faces[0].box.y, 88 - 20, 1e-5);
    assert_float_equal(faces[1].box.x, 240 - 40, 1e-5);
    assert_int_equal(ems_blazeface(fine, coarse, fine_box, coarse_box, faces,
                                   1), 1);
    assert_float_equal(faces[0].box.width, 40, 1e-5);
}

/* ---- Cache ---------------------------------------------------------------*/

static ems_matrix sample(size_t rows, size_t dim)
{
    ems_matrix m = {dim, rows, ems_alloc(rows, sizeof(double)),
                    ems_alloc(rows * dim, sizeof(float))};
    for (size_t i = 0; i < rows; i++)
        m.times[i] = (double)i * 0.1;
    for (size_t i = 0; i < rows * dim; i++)
        m.values[i] = (float)i / 7;
    return m;
}

static void name_key(char key[65], char digit)
{
    memset(key, digit, 64);
    key[64] = '\0';
}

static char *only_entry(void)
{
    static char path[600];
    const char *folder = EMS_SCRATCH "/cache/emsync/experts";
    DIR *d = opendir(folder);
    const struct dirent *e;
    path[0] = '\0';
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (d)
        closedir(d);
    return path;
}

static void clear_cache(void)
{
    while (only_entry()[0])
        assert_int_equal(unlink(only_entry()), 0);
}

static void what_is_kept_comes_back(void **state)
{
    (void)state;
    char film[65], expert[65], other[65];
    ems_error err;
    ems_matrix m = sample(5, 3), back;
    name_key(film, 'a');
    name_key(expert, 'b');
    name_key(other, 'c');
    clear_cache();
    assert_int_equal(ems_cache_put(film, expert, &m, &err), EMS_OK);
    assert_int_equal(ems_cache_get(film, expert, 3, &back, &err), EMS_OK);
    assert_int_equal(back.rows, 5);
    assert_memory_equal(back.values, m.values, 15 * sizeof(float));
    assert_memory_equal(back.times, m.times, 5 * sizeof(double));
    ems_matrix_clear(&back);
    assert_int_equal(ems_cache_get(film, other, 3, &back, &err), EMS_EIO);
    assert_int_equal(ems_cache_get(expert, film, 3, &back, &err), EMS_EIO);
    ems_matrix_clear(&m);
}

/* One changed byte, a cut-off file, another dimension: not taken, removed. */
static void broken_entries_are_forgotten(void **state)
{
    (void)state;
    char film[65], expert[65];
    ems_error err;
    ems_matrix m = sample(5, 3), back;
    name_key(film, 'a');
    name_key(expert, 'b');
    for (int kind = 0; kind < 3; kind++) {
        clear_cache();
        assert_int_equal(ems_cache_put(film, expert, &m, &err), EMS_OK);
        const char *path = only_entry();
        FILE *f = fopen(path, "r+b");
        assert_non_null(f);
        fseek(f, 70, SEEK_SET);
        if (kind == 0)
            fputc(0x55, f);
        fclose(f);
        if (kind == 1)
            assert_int_equal(truncate(path, 100), 0);
        assert_int_equal(ems_cache_get(film, expert, kind == 2 ? 4 : 3,
                                       &back, &err), EMS_EFORMAT);
        assert_null(back.values);
        assert_string_equal(only_entry(), "");
    }
    ems_matrix_clear(&m);
}

static size_t entries(size_t *bytes)
{
    DIR *d = opendir(EMS_SCRATCH "/cache/emsync/experts");
    const struct dirent *e;
    size_t n = 0;
    *bytes = 0;
    while (d && (e = readdir(d))) {
        struct stat st;
        if (e->d_name[0] == '.')
            continue;
        assert_int_equal(fstatat(dirfd(d), e->d_name, &st, 0), 0);
        *bytes += (size_t)st.st_size;
        n++;
    }
    if (d)
        closedir(d);
    return n;
}

static void the_oldest_go(void **state)
{
    (void)state;
    ems_error err;
    char film[65], expert[65];
    size_t bytes;
    ems_matrix m = sample(1000, 100); /* 408 kB */
    name_key(expert, 'b');
    clear_cache();
    setenv("EMSYNC_CACHE_MB", "1", 1);
    for (char c = '1'; c <= '6'; c++) {
        name_key(film, c);
        assert_int_equal(ems_cache_put(film, expert, &m, &err), EMS_OK);
        usleep(20000);
    }
    assert_int_equal(entries(&bytes), 2);
    assert_true(bytes <= 1 << 20);
    ems_matrix back;
    assert_int_equal(ems_cache_get(film, expert, 100, &back, &err), EMS_OK);
    ems_matrix_clear(&back);
    name_key(film, '1');
    assert_int_equal(ems_cache_get(film, expert, 100, &back, &err), EMS_EIO);
    setenv("EMSYNC_CACHE_MB", "0", 1);
    assert_int_equal(ems_cache_put(film, expert, &m, &err), EMS_EIO);
    unsetenv("EMSYNC_CACHE_MB");
    ems_matrix_clear(&m);
}

static void folders_follow_the_environment(void **state)
{
    (void)state;
    ems_registry r;
    ems_error err;
    setenv("EMSYNC_EXPERTS", "", 1);
    assert_int_equal(ems_registry_open(&r, &err), EMS_OK);
    assert_int_equal(r.count, 0);
    assert_null(r.roots[0]);
    ems_registry_clear(&r);
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/reg/emsync/experts/b",
                                     &err), EMS_OK);
    assert_int_equal(ems_folder_make(EMS_SCRATCH "/reg/emsync/experts/a",
                                     &err), EMS_OK);
    assert_int_equal(ems_file_write(EMS_SCRATCH
                                    "/reg/emsync/experts/b/manifest.json",
                                    "{}", 2, &err), EMS_OK);
    unsetenv("EMSYNC_EXPERTS");
    setenv("XDG_DATA_HOME", EMS_SCRATCH "/reg", 1);
    assert_int_equal(ems_registry_open(&r, &err), EMS_OK);
    assert_int_equal(r.count, 1); /* a has no manifest */
    assert_string_equal(r.places[0].name, "b");
    ems_registry_clear(&r);
}

int main(void)
{
    setenv("XDG_CACHE_HOME", EMS_SCRATCH "/cache", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_fitted),
        cmocka_unit_test(parts_layouts_and_types),
        cmocka_unit_test(a_tone_stays_a_tone),
        cmocka_unit_test(faces_are_decoded),
        cmocka_unit_test(what_is_kept_comes_back),
        cmocka_unit_test(broken_entries_are_forgotten),
        cmocka_unit_test(the_oldest_go),
        cmocka_unit_test(folders_follow_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The scene score against its definition, on pictures made here. */
#include "ems_test.h"

#include "base/rng.h"
#include "media/scene.h"

#include <libavutil/pixdesc.h>
#include <math.h>

static AVFrame *picture(int format, int width, int height, uint64_t seed)
{
    AVFrame *f = av_frame_alloc();
    f->format = format;
    f->width = width;
    f->height = height;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    ems_rng rng = ems_rng_seed(seed, 0);
    const int mask = av_pix_fmt_desc_get(format)->comp[0].depth > 8 ? 3 : 255;
    for (int p = 0; p < 4 && f->data[p]; p++) {
        const int rows = p && format != AV_PIX_FMT_YUV444P ? (height + 1) / 2
                                                           : height;
        const int bytes = f->linesize[p];
        for (int i = 0; i < rows * bytes; i++)
            f->data[p][i] = (uint8_t)(ems_rng_next(&rng) &
                                      (uint64_t)(i & 1 ? mask : 255));
    }
    return f;
}

/* As the definition says: pixel by pixel. */
static double naive(const AVFrame *a, const AVFrame *b, int per_pixel,
                    int deep)
{
    double sum = 0;
    for (int y = 0; y < a->height; y++)
        for (int x = 0; x < a->width * per_pixel; x++) {
            const uint8_t *pa = a->data[0] + y * a->linesize[0];
            const uint8_t *pb = b->data[0] + y * b->linesize[0];
            sum += deep ? abs(((const uint16_t *)(const void *)pa)[x] -
                              ((const uint16_t *)(const void *)pb)[x]) / 4.0
                        : abs(pa[x] - pb[x]);
        }
    return sum / (a->width * per_pixel) / a->height;
}

static void compare(int format, int width, int height, int per_pixel)
{
    const int deep = av_pix_fmt_desc_get(format)->comp[0].depth > 8;
    ems_scene s = {0};
    ems_error err;
    double last = 0;
    AVFrame *before = NULL;
    for (uint64_t i = 0; i < 5; i++) {
        /* frames 2 and 3 are equal: mafd 0 */
        AVFrame *f = picture(format, width, height, i == 3 ? 2 : i);
        double mafd, score;
        assert_int_equal(ems_scene_add(&s, f, &mafd, &score, &err), EMS_OK);
        const double want = before ? naive(before, f, per_pixel, deep) : 0;
        assert_true(fabs(mafd - want) < 1e-9);
        const double rise = fabs(want - last);
        const double least = want < rise ? want : rise;
        assert_true(fabs(score - (least > 100 ? 1 : least / 100)) < 1e-7);
        if ((i == 1 || i == 4) && width > 30 && height > 10)
            assert_true(score > 0.2);
        last = want;
        av_frame_free(&before);
        before = f;
    }
    av_frame_free(&before);
    ems_scene_clear(&s);
}

static void scores_follow_the_definition(void **state)
{
    (void)state;
    static const int sizes[][2] = {{64, 36}, {33, 17}, {1, 1}, {31, 2},
                                   {160, 90}, {127, 5}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        compare(AV_PIX_FMT_YUV420P, sizes[i][0], sizes[i][1], 1);
        compare(AV_PIX_FMT_NV12, sizes[i][0], sizes[i][1], 1);
        compare(AV_PIX_FMT_YUV444P, sizes[i][0], sizes[i][1], 1);
        compare(AV_PIX_FMT_GRAY8, sizes[i][0], sizes[i][1], 1);
        compare(AV_PIX_FMT_YUV420P10, sizes[i][0], sizes[i][1], 1);
        compare(AV_PIX_FMT_RGB24, sizes[i][0], sizes[i][1], 3);
        compare(AV_PIX_FMT_BGRA, sizes[i][0], sizes[i][1], 4);
    }
}

static void new_sizes_start_anew(void **state)
{
    (void)state;
    ems_scene s = {0};
    ems_error err;
    double mafd, score;
    static const int widths[] = {64, 64, 32, 32, 64};
    for (uint64_t i = 0; i < 5; i++) {
        AVFrame *f = picture(AV_PIX_FMT_YUV420P, widths[i], 32, i);
        assert_int_equal(ems_scene_add(&s, f, &mafd, &score, &err), EMS_OK);
        assert_int_equal(mafd > 0, i == 1 || i == 3);
        assert_int_equal(score > 0, i == 1 || i == 3);
        av_frame_free(&f);
    }
    ems_scene_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_follow_the_definition),
        cmocka_unit_test(new_sizes_start_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

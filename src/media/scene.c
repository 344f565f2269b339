#include "media/scene.h"

#include "media/source.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What the filter takes as it is; anything else is converted to the nearest
 * of these. */
static const enum AVPixelFormat accepted[] = {
    AV_PIX_FMT_RGB24, AV_PIX_FMT_BGR24, AV_PIX_FMT_RGBA, AV_PIX_FMT_ABGR,
    AV_PIX_FMT_BGRA, AV_PIX_FMT_GRAY8, AV_PIX_FMT_YUV420P,
    AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUVJ422P,
    AV_PIX_FMT_YUV420P10, AV_PIX_FMT_NONE,
};

static uint64_t row_sad8(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint64_t sum = 0;
    size_t i = 0;
#ifdef __SSE2__
    __m128i even = _mm_setzero_si128(), odd = even;
    for (; i + 32 <= n; i += 32) {
        const __m128i *pa = (const void *)(a + i), *pb = (const void *)(b + i);
        even = _mm_add_epi64(even, _mm_sad_epu8(_mm_loadu_si128(pa),
                                                _mm_loadu_si128(pb)));
        odd = _mm_add_epi64(odd, _mm_sad_epu8(_mm_loadu_si128(pa + 1),
                                              _mm_loadu_si128(pb + 1)));
    }
    even = _mm_add_epi64(even, odd);
    sum = (uint64_t)_mm_cvtsi128_si64(even) +
          (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(even, even));
#endif
    for (; i < n; i++)
        sum += (uint64_t)abs(a[i] - b[i]);
    return sum;
}

static uint64_t row_sad16(const uint8_t *a, const uint8_t *b, size_t n)
{
    const uint16_t *pa = (const void *)a, *pb = (const void *)b;
    uint32_t sum = 0; /* 4 million pixels of 10 bits fit */
    for (size_t i = 0; i < n; i++)
        sum += (uint32_t)abs(pa[i] - pb[i]);
    return sum;
}

/* Can the first plane be compared as it lies in memory? */
static int is_direct(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    const AVComponentDescriptor *luma = &d->comp[0];
    const uint64_t not_luma = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL |
                              AV_PIX_FMT_FLAG_BITSTREAM |
                              AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BE |
                              AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_FLOAT;
    if (format == AV_PIX_FMT_RGB24 || format == AV_PIX_FMT_BGR24 ||
        format == AV_PIX_FMT_RGBA || format == AV_PIX_FMT_ABGR ||
        format == AV_PIX_FMT_BGRA)
        return 1;
    if (d->flags & not_luma || luma->plane != 0 || luma->offset != 0 ||
        luma->shift != 0)
        return 0;
    return luma->depth == 8 ? luma->step == 1
                            : luma->depth == 10 && luma->step == 2 &&
                                  d->nb_components >= 3;
}

static int convert(AVFrame *out, ems_scene *s, const AVFrame *frame,
                   ems_error *err)
{
    out->width = frame->width;
    out->height = frame->height;
    out->format = avcodec_find_best_pix_fmt_of_list(accepted, frame->format,
                                                    0, NULL);
    int r = av_frame_get_buffer(out, 0);
    s->convert = sws_getCachedContext(
        s->convert, frame->width, frame->height, frame->format, frame->width,
        frame->height, out->format, SWS_BICUBIC, NULL, NULL, NULL);
    if (!s->convert)
        r = AVERROR(ENOSYS);
    if (r >= 0)
        r = sws_scale(s->convert, (const uint8_t *const *)frame->data,
                      frame->linesize, 0, frame->height, out->data,
                      out->linesize);
    return r < 0 ? ems_fail_av(err, EMS_EUNSUPPORTED, r,
                               "cannot convert pictures of the format %s",
                               av_get_pix_fmt_name(frame->format))
                 : EMS_OK;
}

/* Mean absolute difference of the first planes on a scale of 0..255. */
static double difference(const AVFrame *a, const AVFrame *b)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(a->format);
    const int depth = d->comp[0].depth;
    const int bytes = av_image_get_linesize(a->format, a->width, 0);
    const size_t n = (size_t)(depth > 8 ? bytes / 2 : bytes);
    uint64_t sad = 0;
    for (int y = 0; y < a->height; y++) {
        const uint8_t *pa = a->data[0] + (ptrdiff_t)y * a->linesize[0];
        const uint8_t *pb = b->data[0] + (ptrdiff_t)y * b->linesize[0];
        sad += depth > 8 ? row_sad16(pa, pb, n) : row_sad8(pa, pb, n);
    }
    const uint64_t count = (uint64_t)n * (uint64_t)a->height;
    return (double)sad / (double)count / (double)(1u << (depth - 8));
}

/* Sum of n bytes. */
static unsigned row_sum8(const uint8_t *p, size_t n)
{
    unsigned sum = 0;
    size_t i = 0;
#ifdef __SSE2__
    for (; i + 16 <= n; i += 16) {
        const __m128i x = _mm_sad_epu8(_mm_loadu_si128((const void *)(p + i)),
                                       _mm_setzero_si128());
        sum += (unsigned)_mm_cvtsi128_si32(x) +
               (unsigned)_mm_extract_epi16(x, 4);
    }
#endif
    for (; i < n; i++)
        sum += p[i];
    return sum;
}

static unsigned row_sum16(const uint8_t *p, size_t n)
{
    const uint16_t *x = (const void *)p;
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / 4; /* of 10 bits */
}

/* One cell: at most ROWS of its rows, at most 64 samples of each. */
static int cell_mean(const AVFrame *f, int wide, size_t from, size_t n,
                     int top, int rows)
{
    enum { ROWS = 4, MOST = 64 };
    const int taken = rows < ROWS ? rows : ROWS;
    const size_t used = n < MOST ? n : MOST;
    from += (n - used) / 2;
    unsigned sum = 0;
    for (int r = 0; r < taken; r++) {
        const int y = top + (2 * r + 1) * rows / (2 * taken);
        const uint8_t *row = f->data[0] + (ptrdiff_t)y * f->linesize[0];
        sum += wide ? row_sum16(row + 2 * from, used)
                    : row_sum8(row + from, used);
    }
    const unsigned count = (unsigned)used * (unsigned)taken;
    return (int)((sum + count / 2) / count);
}

void ems_scene_grid(const ems_scene *s, uint8_t *grid)
{
    const AVFrame *f = s->previous;
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    const int wide = d->comp[0].depth > 8;
    const size_t n = (size_t)av_image_get_linesize(f->format, f->width, 0) /
                     (wide ? 2 : 1);
    const int full = f->color_range == AVCOL_RANGE_JPEG ||
                     d->flags & AV_PIX_FMT_FLAG_RGB ||
                     f->format == AV_PIX_FMT_YUVJ420P ||
                     f->format == AV_PIX_FMT_YUVJ422P;
    for (int j = 0; j < EMS_THUMB_H; j++) {
        const int top = j * f->height / EMS_THUMB_H;
        const int rows = (j + 1) * f->height / EMS_THUMB_H - top;
        for (int i = 0; i < EMS_THUMB_W; i++) {
            const size_t from = (size_t)i * n / EMS_THUMB_W;
            const size_t to = ((size_t)i + 1) * n / EMS_THUMB_W;
            int y = cell_mean(f, wide, from < n ? from : n - 1,
                              to > from ? to - from : 1, top,
                              rows > 0 ? rows : 1);
            if (!full)
                y = (y - 16) * 255 / 219;
            *grid++ = (uint8_t)(y < 0 ? 0 : y > 255 ? 255 : y);
        }
    }
}

int ems_scene_add(ems_scene *s, const AVFrame *frame, double *mafd,
                  double *score, ems_error *err)
{
    *mafd = *score = 0;
    AVFrame *now = av_frame_alloc();
    if (!now)
        return ems_out_of_memory(err);
    int code = EMS_OK;
    if (!is_direct(frame->format))
        code = convert(now, s, frame, err);
    else if (av_frame_ref(now, frame) < 0)
        code = ems_out_of_memory(err);
    if (code < 0) {
        av_frame_free(&now);
        return code;
    }
    const AVFrame *p = s->previous;
    if (p && p->width == now->width && p->height == now->height &&
        p->format == now->format) {
        *mafd = difference(now, p);
        const double change = fmin(*mafd, fabs(*mafd - s->previous_mafd));
        /* The filter clips through a float. */
        *score = (float)fmin(fmax((float)(change / 100), 0), 1);
    }
    s->previous_mafd = *mafd;
    av_frame_free(&s->previous);
    s->previous = now;
    return EMS_OK;
}

void ems_scene_clear(ems_scene *s)
{
    av_frame_free(&s->previous);
    sws_freeContext(s->convert);
    *s = (ems_scene){0};
}

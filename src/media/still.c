#include "media/still.h"

#include "base/mem.h"

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <string.h>

/* A picture as narrow as a ribbon is cut down to this many times its width. */
enum { LONGEST = 6 * EMS_STILL_SIDE };

/* The size as shown: the sample aspect ratio counts. */
static void fit(const AVFrame *f, int *width, int *height)
{
    const AVRational sar = f->sample_aspect_ratio;
    double w = f->width, h = f->height;
    if (sar.num > 0 && sar.den > 0)
        w *= fmin(fmax(av_q2d(sar), 0.1), 10);
    const double shorter = fmin(w, h), longer = fmax(w, h);
    double scale = fmin(EMS_STILL_SIDE / shorter, 1);
    scale = fmin(scale, LONGEST / longer);
    *width = (int)fmax(rint(w * scale), 1);
    *height = (int)fmax(rint(h * scale), 1);
}

static int open_shrink(ems_still_maker *m, const AVFrame *f, int width,
                       int height, const char *path, ems_error *err)
{
    m->shrink = sws_getCachedContext(
        m->shrink, f->width, f->height, f->format, width, height,
        AV_PIX_FMT_RGB24, SWS_AREA | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
    if (!m->shrink)
        return ems_fail(err, EMS_EUNSUPPORTED, "\"%s\" has pictures of %dx%d"
                        " in the format %s, which cannot be scaled", path,
                        f->width, f->height,
                        av_get_pix_fmt_name(f->format));
    const int space = f->colorspace == AVCOL_SPC_UNSPECIFIED
                          ? SWS_CS_DEFAULT : (int)f->colorspace;
    sws_setColorspaceDetails(
        m->shrink, sws_getCoefficients(space),
        f->color_range == AVCOL_RANGE_JPEG,
        sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    return EMS_OK;
}

static int make_room(ems_still_maker *m, size_t size, ems_error *err)
{
    if (m->size >= size)
        return EMS_OK;
    ems_free(m->rgb);
    ems_free(m->turned);
    m->size = 0;
    m->rgb = ems_alloc_aligned(size, 1);
    m->turned = ems_alloc_aligned(size, 1);
    if (!m->rgb || !m->turned)
        return ems_out_of_memory(err);
    m->size = size;
    return EMS_OK;
}

static void turn(const ems_still_maker *m, int width, int height,
                 int rotation, ems_still *out)
{
    const int side = rotation != 180;
    *out = (ems_still){.width = side ? height : width,
                       .height = side ? width : height, .rgb = m->turned};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int to_x = rotation == 90 ? height - 1 - y
                             : rotation == 180 ? width - 1 - x : y;
            const int to_y = rotation == 90 ? x
                             : rotation == 180 ? height - 1 - y
                                               : width - 1 - x;
            memcpy(m->turned + 3 * (to_y * out->width + to_x),
                   m->rgb + 3 * (y * width + x), 3);
        }
}

int ems_still_make(ems_still_maker *m, const AVFrame *frame, int rotation,
                   ems_still *out, const char *path, ems_error *err)
{
    int width, height;
    fit(frame, &width, &height);
    /* swscale may write a few bytes beyond a row */
    int code = make_room(m, 3 * (size_t)width * (size_t)height + 64, err);
    if (code == EMS_OK)
        code = open_shrink(m, frame, width, height, path, err);
    if (code < 0)
        return code;
    uint8_t *to[1] = {m->rgb};
    const int stride[1] = {3 * width};
    sws_scale(m->shrink, (const uint8_t *const *)frame->data,
              frame->linesize, 0, frame->height, to, stride);
    if (rotation == 0)
        *out = (ems_still){.width = width, .height = height, .rgb = m->rgb};
    else
        turn(m, width, height, rotation, out);
    return EMS_OK;
}

void ems_still_clear(ems_still_maker *m)
{
    sws_freeContext(m->shrink);
    ems_free(m->rgb);
    ems_free(m->turned);
    *m = (ems_still_maker){0};
}

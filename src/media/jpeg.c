#include "media/jpeg.h"

#include "base/mem.h"
#include "media/source.h"

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
#include <string.h>

static int scale(AVFrame *out, const ems_still *s, ems_error *err)
{
    struct SwsContext *sws = sws_getContext(
        s->width, s->height, AV_PIX_FMT_RGB24, out->width, out->height,
        AV_PIX_FMT_YUV420P, SWS_AREA | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!sws || av_frame_get_buffer(out, 0) < 0) {
        sws_freeContext(sws);
        return ems_out_of_memory(err);
    }
    /* The full range of JPEG: by name (YUVJ) swscale would complain. */
    sws_setColorspaceDetails(sws, sws_getCoefficients(SWS_CS_ITU601), 1,
                             sws_getCoefficients(SWS_CS_ITU601), 1, 0,
                             1 << 16, 1 << 16);
    const uint8_t *from[1] = {s->rgb};
    const int stride[1] = {3 * s->width};
    sws_scale(sws, from, stride, 0, s->height, out->data, out->linesize);
    sws_freeContext(sws);
    return EMS_OK;
}

static int open_encoder(AVCodecContext **codec, const AVFrame *frame,
                        ems_error *err)
{
    enum { QUALITY = 5 }; /* of 2 (best) .. 31 */
    const AVCodec *encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (!encoder)
        return ems_fail(err, EMS_EUNSUPPORTED, "this FFmpeg cannot write JPEG"
                        " pictures");
    AVCodecContext *c = *codec = avcodec_alloc_context3(encoder);
    if (!c)
        return ems_out_of_memory(err);
    c->width = frame->width;
    c->height = frame->height;
    c->pix_fmt = AV_PIX_FMT_YUVJ420P;
    c->color_range = AVCOL_RANGE_JPEG;
    c->time_base = (AVRational){1, 25};
    c->thread_count = 1;
    c->flags |= AV_CODEC_FLAG_QSCALE;
    c->global_quality = FF_QP2LAMBDA * QUALITY;
    const int r = avcodec_open2(c, encoder, NULL);
    return r < 0 ? ems_fail_av(err, EMS_EUNSUPPORTED, r,
                               "cannot write JPEG pictures")
                 : EMS_OK;
}

static int encode(AVCodecContext *c, AVFrame *frame, uint8_t **data,
                  size_t *size, ems_error *err)
{
    AVPacket *packet = av_packet_alloc();
    if (!packet)
        return ems_out_of_memory(err);
    frame->quality = c->global_quality;
    int r = avcodec_send_frame(c, frame);
    if (r >= 0)
        r = avcodec_receive_packet(c, packet);
    int code = r < 0 ? ems_fail_av(err, EMS_EINTERNAL, r,
                                   "cannot write a JPEG picture")
                     : EMS_OK;
    if (code == EMS_OK) {
        *size = (size_t)packet->size;
        *data = ems_alloc(*size, 1);
        if (*data)
            memcpy(*data, packet->data, *size);
        else
            code = ems_out_of_memory(err);
    }
    av_packet_free(&packet);
    return code;
}

int ems_jpeg_encode(const ems_still *still, int width, uint8_t **data,
                    size_t *size, ems_error *err)
{
    AVCodecContext *codec = NULL;
    AVFrame *frame = av_frame_alloc();
    *data = NULL;
    if (!frame)
        return ems_out_of_memory(err);
    const int height = (int)((int64_t)width * still->height / still->width);
    frame->format = AV_PIX_FMT_YUVJ420P;
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->width = (width + 1) & ~1;
    frame->height = height < 2 ? 2 : (height + 1) & ~1;
    int code = scale(frame, still, err);
    if (code == EMS_OK)
        code = open_encoder(&codec, frame, err);
    if (code == EMS_OK)
        code = encode(codec, frame, data, size, err);
    avcodec_free_context(&codec);
    av_frame_free(&frame);
    return code;
}

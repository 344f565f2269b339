#include "media/outfile.h"

#include "base/mem.h"
#include "base/run.h"
#include "media/media.h"

#include <stdio.h>
#include <string.h>

static int is_container(const ems_outfile *o, const char *name)
{
    return strcmp(o->format->oformat->name, name) == 0;
}

static const AVOutputFormat *container_of(const char *name, ems_error *err)
{
    const char *slash = strrchr(name, '/');
    const AVOutputFormat *f = av_guess_format(NULL, slash ? slash + 1 : name,
                                              NULL);
    if (f && !(f->flags & AVFMT_NOFILE) && f->audio_codec != AV_CODEC_ID_NONE)
        return f;
    ems_fail(err, EMS_EINVAL, "\"%s\": the suffix names no container for "
             "sound; use .mp4, .mov, .mkv or .webm", name);
    return NULL;
}

/* "file:" keeps FFmpeg from taking a name for an address. */
static int open_format(ems_outfile *o, const AVOutputFormat *container,
                       ems_error *err)
{
    const size_t bytes = strlen(o->file.temporary) + sizeof "file:";
    char *url = ems_alloc(bytes, 1);
    if (!url)
        return ems_out_of_memory(err);
    snprintf(url, bytes, "file:%s", o->file.temporary);
    int r = avformat_alloc_output_context2(&o->format, container, NULL, url);
    if (r >= 0)
        r = avio_open(&o->format->pb, url, AVIO_FLAG_WRITE);
    ems_free(url);
    if (r < 0)
        return ems_fail_av(err, EMS_EIO, r, "cannot write \"%s\"", o->name);
    /* No random numbers, no version stamps: same input, same bytes. */
    o->format->flags |= AVFMT_FLAG_BITEXACT;
    o->format->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    return EMS_OK;
}

int ems_outfile_open(ems_outfile *o, const char *name, const ems_source *in,
                     ems_error *err)
{
    *o = (ems_outfile){.name = name};
    const AVOutputFormat *container = container_of(name, err);
    if (!container)
        return EMS_EINVAL;
    const size_t n = in->format->nb_streams;
    o->map = ems_alloc(n, sizeof *o->map);
    o->next_dts = ems_alloc(n, sizeof *o->next_dts);
    if (!o->map || !o->next_dts)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < n; i++) {
        o->map[i] = -1;
        o->next_dts[i] = AV_NOPTS_VALUE;
    }
    if (in->format->start_time != AV_NOPTS_VALUE)
        o->shift = in->format->start_time;
    const int code = ems_output_reserve(&o->file, name, err);
    return code < 0 ? code : open_format(o, container, err);
}

static int has_cover_art(const ems_outfile *o)
{
    return is_container(o, "mp4") || is_container(o, "ipod") ||
           is_container(o, "mov") || is_container(o, "mp3") ||
           is_container(o, "flac");
}

/* Can this stream be copied into the container? AVI keeps no time stamps, so
 * pictures that are not shown in their order of coding lose theirs. */
static int fits(const ems_outfile *o, const ems_source *in,
                const AVStream *st)
{
    const AVCodecParameters *par = st->codecpar;
    if (par->codec_type == AVMEDIA_TYPE_ATTACHMENT)
        return is_container(o, "matroska");
    if (par->codec_id == AV_CODEC_ID_NONE ||
        st->discard == AVDISCARD_ALL) /* chapters that are a stream, too */
        return 0;
    if (st->disposition & AV_DISPOSITION_ATTACHED_PIC)
        return has_cover_art(o);
    if (is_container(o, "avi") && strcmp(in->format->iformat->name, "avi") &&
        (par->video_delay > 0 || par->codec_id == AV_CODEC_ID_VP9 ||
         par->codec_id == AV_CODEC_ID_AV1 || par->codec_id == AV_CODEC_ID_HEVC))
        return 0;
    return avformat_query_codec(o->format->oformat, par->codec_id,
                                FF_COMPLIANCE_EXPERIMENTAL) == 1;
}

static int copy_side_data(AVStream *to, const AVStream *from)
{
    for (int i = 0; i < from->nb_side_data; i++) {
        const AVPacketSideData *s = &from->side_data[i];
        uint8_t *data = av_stream_new_side_data(to, s->type, s->size);
        if (!data)
            return AVERROR(ENOMEM);
        memcpy(data, s->data, s->size);
    }
    return 0;
}

/* A codec tag of one container means nothing in another. */
static void keep_tag(const ems_outfile *o, AVCodecParameters *par)
{
    const struct AVCodecTag *const *tags = o->format->oformat->codec_tag;
    unsigned wanted = 0;
    if (tags && av_codec_get_id(tags, par->codec_tag) != par->codec_id &&
        av_codec_get_tag2(tags, par->codec_id, &wanted))
        par->codec_tag = 0;
}

static int copy_stream(ems_outfile *o, AVStream *to, const AVStream *from)
{
    int r = avcodec_parameters_copy(to->codecpar, from->codecpar);
    if (r >= 0)
        r = av_dict_copy(&to->metadata, from->metadata, 0);
    if (r >= 0)
        r = copy_side_data(to, from);
    keep_tag(o, to->codecpar);
    to->time_base = from->time_base;
    to->avg_frame_rate = from->avg_frame_rate;
    to->r_frame_rate = from->r_frame_rate;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    to->disposition = from->disposition;
    return r;
}

/* Matroska keeps cover art as an attached file. */
static int attach_cover(AVStream *to, const AVStream *from)
{
    const int is_png = from->codecpar->codec_id == AV_CODEC_ID_PNG;
    const AVPacket *picture = &from->attached_pic;
    AVCodecParameters *par = to->codecpar;
    par->codec_type = AVMEDIA_TYPE_ATTACHMENT;
    par->codec_id = from->codecpar->codec_id;
    par->extradata = av_mallocz((size_t)picture->size +
                                AV_INPUT_BUFFER_PADDING_SIZE);
    if (!par->extradata)
        return AVERROR(ENOMEM);
    memcpy(par->extradata, picture->data, (size_t)picture->size);
    par->extradata_size = picture->size;
    const int r = av_dict_set(&to->metadata, "filename",
                              is_png ? "cover.png" : "cover.jpg", 0);
    return r < 0 ? r : av_dict_set(&to->metadata, "mimetype",
                                   is_png ? "image/png" : "image/jpeg", 0);
}

static int refuse(const ems_outfile *o, const ems_source *in,
                  const AVStream *st, ems_error *err)
{
    return ems_fail(err, EMS_EUNSUPPORTED, "the %s stream of \"%s\" cannot be "
                    "copied into \"%s\": write a .mkv file instead",
                    avcodec_get_name(st->codecpar->codec_id), in->path,
                    o->name);
}

int ems_outfile_copy(ems_outfile *o, const ems_source *in, int index,
                     int required, const ems_run *run, ems_error *err)
{
    const AVStream *from = in->format->streams[index];
    const int is_cover = (from->disposition & AV_DISPOSITION_ATTACHED_PIC) &&
                         from->attached_pic.size > 0 &&
                         (from->codecpar->codec_id == AV_CODEC_ID_PNG ||
                          from->codecpar->codec_id == AV_CODEC_ID_MJPEG) &&
                         is_container(o, "matroska");
    if (!is_cover && !fits(o, in, from)) {
        if (required)
            return refuse(o, in, from, err);
        const enum AVMediaType type = from->codecpar->codec_type;
        if (from->discard != AVDISCARD_ALL)
            ems_log(run, type == AVMEDIA_TYPE_DATA ? EMS_LOG_INFO
                                                   : EMS_LOG_WARNING,
                    "stream %d of \"%s\" (%s, %s) does not fit into \"%s\" "
                    "and is left out; a .mkv file may keep it", index,
                    in->path, type == AVMEDIA_TYPE_UNKNOWN
                                  ? "unknown" : av_get_media_type_string(type),
                    avcodec_get_name(from->codecpar->codec_id), o->name);
        return EMS_OK;
    }
    AVStream *to = avformat_new_stream(o->format, NULL);
    if (!to || (is_cover ? attach_cover(to, from)
                         : copy_stream(o, to, from)) < 0)
        return ems_out_of_memory(err);
    if (!is_cover)
        o->map[index] = to->index;
    return EMS_OK;
}

AVStream *ems_outfile_add(ems_outfile *o, const AVCodecContext *codec,
                          const AVStream *like, ems_error *err)
{
    AVStream *to = avformat_new_stream(o->format, NULL);
    int r = to ? avcodec_parameters_from_context(to->codecpar, codec)
               : AVERROR(ENOMEM);
    if (r >= 0 && like) {
        to->disposition = like->disposition;
        r = av_dict_copy(&to->metadata, like->metadata, 0);
    }
    if (r < 0) {
        ems_out_of_memory(err);
        return NULL;
    }
    to->time_base = codec->time_base;
    return to;
}

static int copy_chapters(ems_outfile *o, const AVFormatContext *in)
{
    for (unsigned i = 0; i < in->nb_chapters; i++) {
        const AVChapter *from = in->chapters[i];
        AVChapter *to = av_mallocz(sizeof *to);
        if (!to)
            return AVERROR(ENOMEM);
        const int64_t shift = av_rescale_q(o->shift, AV_TIME_BASE_Q,
                                           from->time_base);
        int n = (int)o->format->nb_chapters;
        to->id = from->id;
        to->time_base = from->time_base;
        to->start = from->start > shift ? from->start - shift : 0;
        to->end = from->end > shift ? from->end - shift : 0;
        int r = av_dict_copy(&to->metadata, from->metadata, 0);
        if (r >= 0)
            r = av_dynarray_add_nofree(&o->format->chapters, &n, to);
        if (r < 0) {
            av_dict_free(&to->metadata);
            av_free(to);
            return r;
        }
        o->format->nb_chapters = (unsigned)n;
    }
    return 0;
}

static int copy_metadata(ems_outfile *o, const AVFormatContext *in,
                         const char *comment)
{
    static const char *const of_the_container[] = {
        "major_brand", "minor_version", "compatible_brands", "encoder",
    };
    int r = av_dict_copy(&o->format->metadata, in->metadata, 0);
    for (size_t i = 0; i < 4 && r >= 0; i++)
        r = av_dict_set(&o->format->metadata, of_the_container[i], NULL, 0);
    if (r >= 0 && comment)
        r = av_dict_set(&o->format->metadata, "comment", comment, 0);
    return r;
}

int ems_outfile_begin(ems_outfile *o, const ems_source *in,
                      const char *comment, ems_error *err)
{
    if (copy_chapters(o, in->format) < 0 ||
        copy_metadata(o, in->format, comment) < 0)
        return ems_out_of_memory(err);
    AVDictionary *options = NULL;
    /* The finer clock is for edit lists: where sound and pictures begin. */
    if (av_dict_set(&options, "movflags", "+faststart", 0) < 0 ||
        av_dict_set(&options, "movie_timescale", "48000", 0) < 0) {
        av_dict_free(&options);
        return ems_out_of_memory(err);
    }
    const int r = avformat_write_header(o->format, &options);
    av_dict_free(&options);
    if (r >= 0)
        return EMS_OK;
    if (o->format->pb->error < 0)
        return ems_fail_av(err, EMS_EIO, o->format->pb->error,
                           "cannot write \"%s\"", o->name);
    return ems_fail_av(err, EMS_EUNSUPPORTED, r, "the streams of \"%s\" do "
                       "not fit into \"%s\"; write a .mkv file instead",
                       in->path, o->name);
}

int64_t ems_outfile_delay(const ems_outfile *o, const AVStream *to,
                          AVRational base)
{
    if (to->codecpar->codec_id != AV_CODEC_ID_OPUS ||
        !(is_container(o, "matroska") || is_container(o, "webm")))
        return 0;
    return av_rescale_q(to->codecpar->initial_padding,
                        (AVRational){1, 48000}, base);
}

int ems_outfile_write(ems_outfile *o, AVPacket *packet, ems_error *err)
{
    packet->pos = -1;
    const int r = av_interleaved_write_frame(o->format, packet);
    return r < 0 ? ems_fail_av(err, EMS_EIO, r, "cannot write \"%s\"",
                               o->name)
                 : EMS_OK;
}

/* Muxers want decoding times that never run back, and nothing shown before
 * it is decoded; files from strangers have neither for certain. */
static void mend_stamps(AVPacket *p, int64_t *next)
{
    if (p->dts == AV_NOPTS_VALUE)
        p->dts = *next != AV_NOPTS_VALUE   ? *next
                 : p->pts != AV_NOPTS_VALUE ? p->pts
                                            : 0;
    if (*next != AV_NOPTS_VALUE && p->dts < *next)
        p->dts = *next;
    if (p->pts == AV_NOPTS_VALUE || p->pts < p->dts)
        p->pts = p->dts;
    *next = p->dts + 1;
}

int ems_outfile_copy_packet(ems_outfile *o, const ems_source *in,
                            AVPacket *packet, ems_error *err)
{
    const int from = packet->stream_index;
    if (from < 0 || from >= (int)in->format->nb_streams || o->map[from] < 0)
        return EMS_OK;
    const AVRational base = in->format->streams[from]->time_base;
    const AVStream *to = o->format->streams[o->map[from]];
    const int64_t shift = av_rescale_q(o->shift, AV_TIME_BASE_Q, base) -
                          ems_outfile_delay(o, to, base);
    if (packet->pts != AV_NOPTS_VALUE)
        packet->pts -= shift;
    if (packet->dts != AV_NOPTS_VALUE)
        packet->dts -= shift;
    av_packet_rescale_ts(packet, base, to->time_base);
    packet->stream_index = to->index;
    mend_stamps(packet, &o->next_dts[from]);
    return ems_outfile_write(o, packet, err);
}

int ems_outfile_commit(ems_outfile *o, ems_error *err)
{
    int r = av_write_trailer(o->format);
    if (r >= 0 && o->format->pb->error < 0)
        r = o->format->pb->error;
    const int closed = avio_closep(&o->format->pb);
    if (r >= 0)
        r = closed;
    if (r < 0)
        return ems_fail_av(err, EMS_EIO, r, "cannot write \"%s\"", o->name);
    return ems_output_commit(&o->file, err);
}

void ems_outfile_discard(ems_outfile *o)
{
    if (o->format)
        avio_closep(&o->format->pb);
    avformat_free_context(o->format);
    ems_output_discard(&o->file);
    ems_free(o->map);
    ems_free(o->next_dts);
    *o = (ems_outfile){0};
}

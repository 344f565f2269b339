#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "media/encode.h"
#include "media/media.h"
#include "media/outfile.h"
#include "media/track.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* A mix is limited to -1 dBTP, or to what the original sound reaches anyway:
 * that stays as loud as it is. */
static const double ceiling_db = -1, highest_peak = 0.98;
/* WCAG 2.2, criterion 1.4.7: how far speech lies above what is behind it. */
static const double accessible_db = 20, reserve_db = 0.5;
/* Stamps beyond this many seconds are nonsense or an attack. */
static const int64_t longest = 24 * 3600;

static const AVRational sound_base = {1, EMS_ENCODE_RATE};

typedef struct muxing {
    const char *video, *wav;
    ems_mux_options options;
    const ems_sound_filter *filter;
    const ems_run *run;
    ems_error *err;
    ems_source in;
    ems_outfile out;
    ems_encoder encoder;
    ems_track track;
    ems_duck duck;
    ems_speech_ratio ratio;
    AVStream *sound;       /* the new one, in the output */
    AVPacket *packet;
    int mixed;             /* input stream that becomes the mix, or -1 */
    int main;              /* input stream that sets beginning and end */
    int64_t first, origin; /* on the output's clock, in samples: where music
                              and new stream begin */
    int64_t end;           /* of the main stream so far, in samples */
    double expected;       /* seconds */
    int warned;            /* of frames that will no longer be hidden */
    float block[EMS_TRACK_BLOCK * 8];
} muxing;

ems_mux_options ems_mux_defaults(void)
{
    return (ems_mux_options){.audio = EMS_AUDIO_MIX, .music_db = -6,
                             .duck_db = 11};
}

/* Time on the file's clock -> samples on the output's, which begins at 0. */
static int64_t to_samples(const muxing *m, int64_t stamp, AVRational base)
{
    return av_rescale_q(stamp, base, sound_base) -
           av_rescale_q(m->out.shift, AV_TIME_BASE_Q, sound_base);
}

/* Where the first frame is shown: decoding tells for certain, what the
 * container says is the second best. */
static int find_first(muxing *m)
{
    const AVStream *st = m->in.format->streams[m->main];
    int64_t stamp = st->start_time;
    if (m->in.video >= 0) {
        ems_stream s;
        int code = ems_stream_open(&s, m->video, AVMEDIA_TYPE_VIDEO, m->run,
                                   m->err);
        if (code == EMS_OK)
            code = ems_stream_next(&s, m->err);
        if (code > 0 && s.frame->best_effort_timestamp != AV_NOPTS_VALUE)
            stamp = s.frame->best_effort_timestamp;
        ems_stream_close(&s);
        if (code == EMS_ECANCELLED || code == EMS_ENOMEM)
            return code;
    }
    m->first = stamp == AV_NOPTS_VALUE
                   ? 0 : to_samples(m, stamp, st->time_base);
    if (m->first < 0)
        m->first = 0;
    if (m->first > longest * EMS_ENCODE_RATE)
        return ems_fail(m->err, EMS_EUNSUPPORTED, "\"%s\" claims to begin "
                        "more than 24 hours in", m->video);
    return EMS_OK;
}

static int open_input(muxing *m)
{
    const int code = ems_source_open(&m->in, m->video, AVFMT_FLAG_GENPTS,
                                     m->run, m->err);
    if (code < 0)
        return code;
    m->main = m->in.video >= 0 ? m->in.video : m->in.audio;
    if (m->main < 0)
        return ems_fail(m->err, EMS_EFORMAT, "\"%s\" holds neither moving "
                        "pictures nor sound", m->video);
    if (m->in.audio < 0)
        m->options.audio = EMS_AUDIO_REPLACE;
    m->mixed = m->options.audio == EMS_AUDIO_MIX ? m->in.audio : -1;
    const AVFormatContext *f = m->in.format;
    m->expected = f->duration > 0 ? (double)f->duration / AV_TIME_BASE : 0;
    return EMS_OK;
}

static int is_same_file(const ems_source *in, const char *out)
{
    struct stat a, b;
    return fstat(in->fd, &a) == 0 && stat(out, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int refuse_same_file(const muxing *m, const char *out)
{
    struct stat a, b;
    const int is_wav = m->wav && stat(m->wav, &a) == 0 &&
                       stat(out, &b) == 0 &&
                       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    if (!is_wav && !is_same_file(&m->in, out))
        return EMS_OK;
    return ems_fail(m->err, EMS_EINVAL, "\"%s\" is read and cannot be written "
                    "at the same time: choose another name", out);
}

static int channels_of_sound(const muxing *m)
{
    if (m->mixed < 0)
        return 2;
    const int n = m->in.format->streams[m->mixed]->codecpar->ch_layout
                      .nb_channels;
    return n <= 2 ? 2 : n <= 6 ? 6 : 8;
}

static int open_track(muxing *m, double ceiling, ems_filter_use use)
{
    ems_track_options o = {
        .music = m->wav,
        .original = m->mixed >= 0 ? m->video : NULL,
        .origin = m->out.shift,
        .base = AV_TIME_BASE_Q,
        .lead = m->first - m->origin,
        .music_gain = m->mixed >= 0
                          ? (float)pow(10, m->options.music_db / 20) : 1,
        .duck = &m->duck,
        .ceiling = ceiling,
        .filter = m->filter,
        .use = use,
        .layout = &m->encoder.codec->ch_layout,
        .run = m->run,
    };
    return ems_track_open(&m->track, &o, m->err);
}

/* What the first reading found: how far the music must step back. */
static void set_duck(muxing *m, const ems_track *t)
{
    ems_speech_ratio *r = &m->ratio;
    if (!t->duck)
        return;
    const double music = ems_speech_meter_lufs(&t->meter, EMS_HEAR_MUSIC);
    r->seconds = ems_duck_seconds(&m->duck);
    r->speech = ems_speech_meter_lufs(&t->meter, EMS_HEAR_SPEECH);
    r->before = r->speech - music;
    m->duck.db = m->options.duck_db;
    if (m->options.accessible)
        m->duck.db = fmax(m->duck.db, fmin(accessible_db + reserve_db -
                                               r->before, 60));
    r->duck = m->duck.db;
}

/* A mix is read twice: first to find out how loud it gets, and how loud
 * speech and music are while people speak. */
static int open_sound(muxing *m)
{
    m->origin = m->mixed >= 0 ? 0 : m->first;
    int code = ems_duck_open(&m->duck, m->options.speech,
                             m->options.speech_count, 0, m->err);
    if (code == EMS_OK)
        code = open_track(m, 0, m->filter ? EMS_FILTER_HEARS
                                          : EMS_FILTER_OFF);
    if (code < 0 || m->mixed < 0)
        return code;
    code = ems_track_survey(&m->track, m->err);
    set_duck(m, &m->track);
    const double own = fmin((double)m->track.own_peak, highest_peak);
    const double ceiling = fmax(pow(10, ceiling_db / 20), own);
    const int limited = (double)m->track.peak > 0.5 * ceiling;
    ems_track_close(&m->track);
    if (code < 0)
        return code;
    const int changes = m->filter ? m->filter->begin(m->filter->user, m->err)
                                  : 0;
    if (changes < 0)
        return changes;
    return open_track(m, limited || changes ? ceiling : 0,
                      changes ? EMS_FILTER_WORKS : EMS_FILTER_OFF);
}

/* What was done, once it is done. */
static void tell(muxing *m)
{
    ems_speech_ratio *r = &m->ratio;
    const double limited = ems_track_limited(&m->track);
    if (limited > 0.05)
        ems_log(m->run, EMS_LOG_INFO, "the limiter takes at most %.1f dB off "
                "the mix", limited);
    if (!m->track.duck)
        return;
    r->after = r->speech - ems_speech_meter_lufs(&m->track.meter,
                                                 EMS_HEAR_MUSIC);
    ems_log(m->run, EMS_LOG_INFO, "speech lies %.1f LU above the music, %.1f "
            "without ducking", r->after, r->before);
    if (m->options.accessible && r->after < accessible_db)
        ems_log(m->run, EMS_LOG_WARNING, "speech lies only %.1f LU above the "
                "music, not 20", r->after);
}

static int add_sound_stream(muxing *m)
{
    const AVStream *like = m->mixed >= 0 ? m->in.format->streams[m->mixed]
                                         : NULL;
    m->sound = ems_outfile_add(&m->out, m->encoder.codec, like, m->err);
    if (!m->sound)
        return m->err->code;
    const int beside = m->options.audio == EMS_AUDIO_TRACK;
    if (beside)
        m->sound->disposition &= ~AV_DISPOSITION_DEFAULT;
    else
        m->sound->disposition |= AV_DISPOSITION_DEFAULT;
    if (like)
        return EMS_OK;
    if (av_dict_set(&m->sound->metadata, "title", "EMSYNC music", 0) < 0 ||
        av_dict_set(&m->sound->metadata, "handler_name", "EMSYNC music", 0) <
            0 ||
        av_dict_set(&m->sound->metadata, "language", "zxx", 0) < 0)
        return ems_out_of_memory(m->err);
    return EMS_OK;
}

/* Output streams in the order of the input; the new sound takes the place of
 * the main one, or comes last. */
static int add_streams(muxing *m)
{
    const AVFormatContext *f = m->in.format;
    for (int i = 0; i < (int)f->nb_streams; i++) {
        const int is_sound =
            f->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
        int code = EMS_OK;
        if (i == m->in.audio && m->options.audio != EMS_AUDIO_TRACK)
            code = add_sound_stream(m);
        else if (!is_sound || m->options.audio != EMS_AUDIO_REPLACE)
            code = ems_outfile_copy(&m->out, &m->in, i, i == m->main, m->run,
                                    m->err);
        if (code < 0)
            return code;
        if (m->mixed >= 0 && is_sound && i != m->mixed && m->out.map[i] >= 0)
            m->out.format->streams[m->out.map[i]]->disposition &=
                ~AV_DISPOSITION_DEFAULT;
    }
    return m->sound ? EMS_OK : add_sound_stream(m);
}

static int write_encoded(muxing *m)
{
    const int64_t begin =
        m->origin + ems_outfile_delay(&m->out, m->sound, sound_base);
    int code;
    while ((code = ems_encoder_receive(&m->encoder, m->packet, m->err)) > 0) {
        AVPacket *p = m->packet;
        p->stream_index = m->sound->index;
        p->pts += begin;
        p->dts += begin;
        av_packet_rescale_ts(p, sound_base, m->sound->time_base);
        code = ems_outfile_write(&m->out, p, m->err);
        if (code < 0)
            break;
    }
    return code;
}

/* Write new sound up to `until`, in samples on the output's clock. */
static int pump(muxing *m, int64_t until)
{
    const int block = m->encoder.block;
    int code = EMS_OK;
    while (code == EMS_OK && m->origin + m->encoder.sent + block <= until) {
        const int64_t n = ems_track_read(&m->track, m->block, block, m->err);
        if (n < 0)
            return (int)n;
        code = ems_encoder_send(&m->encoder, m->block, block, m->err);
        if (code == EMS_OK)
            code = write_encoded(m);
    }
    return code;
}

/* The rest, once it is known where the pictures end: music to there, the
 * original to its own end. */
static int finish_sound(muxing *m)
{
    const int block = m->encoder.block;
    m->track.music_end = m->end - m->origin;
    int code = EMS_OK, more = 1;
    while (code == EMS_OK && more) {
        const int64_t n = ems_track_read(&m->track, m->block, block, m->err);
        if (n < 0)
            return (int)n;
        const int64_t wanted = m->end - m->origin - m->encoder.sent;
        int64_t frames = wanted > n ? wanted : n;
        more = frames >= block;
        frames = more ? block : frames;
        if (frames > 0)
            code = ems_encoder_send(&m->encoder, m->block, (int)frames,
                                    m->err);
        if (code == EMS_OK)
            code = write_encoded(m);
    }
    if (code == EMS_OK)
        code = ems_encoder_send(&m->encoder, NULL, 0, m->err);
    return code == EMS_OK ? write_encoded(m) : code;
}

/* MP4 can hide what comes before a cut; elsewhere it will be seen. */
static void warn_of_hidden(muxing *m, const AVPacket *p)
{
    static const char *const hiding[] = {"mp4", "mov", "ipod", "3gp", "3g2",
                                         "psp", "f4v", "ismv"};
    if (!(p->flags & AV_PKT_FLAG_DISCARD) || m->warned)
        return;
    m->warned = 1;
    for (size_t i = 0; i < sizeof hiding / sizeof *hiding; i++)
        if (strcmp(m->out.format->oformat->name, hiding[i]) == 0)
            return;
    ems_log(m->run, EMS_LOG_WARNING, "\"%s\" hides pictures before its first "
            "one, which \"%s\" cannot: they will be seen, without music; "
            "write a .mp4 file to keep them hidden", m->video, m->out.name);
}

/* Keep up with the main stream: its end, the sound beside it, progress. */
static int follow(muxing *m, const AVPacket *p)
{
    const AVStream *st = m->in.format->streams[m->main];
    warn_of_hidden(m, p);
    const int64_t from = p->pts == AV_NOPTS_VALUE ? p->dts : p->pts;
    if (from == AV_NOPTS_VALUE)
        return EMS_OK;
    int64_t length = av_rescale_q(p->duration, st->time_base, sound_base);
    if (length <= 0 && st->avg_frame_rate.num > 0)
        length = av_rescale_q(1, av_inv_q(st->avg_frame_rate), sound_base);
    const int64_t begin = to_samples(m, from, st->time_base);
    if (begin > longest * EMS_ENCODE_RATE)
        return ems_fail(m->err, EMS_EUNSUPPORTED, "\"%s\" claims to be longer "
                        "than 24 hours", m->video);
    if (begin + length > m->end)
        m->end = begin + length;
    if (m->expected > 0)
        ems_progress(m->run, "mux", fmin(1, (double)begin / EMS_ENCODE_RATE /
                                                m->expected));
    const int64_t at = p->dts == AV_NOPTS_VALUE
                           ? begin : to_samples(m, p->dts, st->time_base);
    return pump(m, at);
}

static int copy_packets(muxing *m)
{
    int code;
    while ((code = ems_source_packet(&m->in, m->packet, m->err)) > 0) {
        AVPacket *p = m->packet;
        if (ems_cancelled(m->run))
            return ems_fail_cancelled(m->err);
        AVPacket *mine = NULL;
        if (p->stream_index == m->main) {
            /* m->packet serves the encoder meanwhile */
            mine = av_packet_alloc();
            if (!mine)
                return ems_out_of_memory(m->err);
            av_packet_move_ref(mine, p);
            code = follow(m, mine);
        }
        if (code >= 0)
            code = ems_outfile_copy_packet(&m->out, &m->in, mine ? mine : p,
                                           m->err);
        av_packet_free(&mine);
        av_packet_unref(m->packet);
        if (code < 0)
            return code;
    }
    return code;
}

/* All that tells whether `out` can hold these streams. */
static int prepare(muxing *m, const char *out)
{
    int code = open_input(m);
    if (code == EMS_OK)
        code = refuse_same_file(m, out);
    if (code == EMS_OK)
        code = ems_outfile_open(&m->out, out, &m->in, m->err);
    if (code == EMS_OK)
        code = ems_encoder_open(&m->encoder, m->out.format->oformat,
                                channels_of_sound(m), 16, out, m->err);
    if (code == EMS_OK && m->encoder.block > EMS_TRACK_BLOCK)
        code = ems_fail(m->err, EMS_EINTERNAL, "the encoder %s wants blocks "
                        "of %d", m->encoder.codec->codec->name,
                        m->encoder.block);
    return code == EMS_OK ? add_streams(m) : code;
}

static int mux(muxing *m, const char *out)
{
    int code = prepare(m, out);
    if (code == EMS_OK)
        code = find_first(m);
    if (code == EMS_OK)
        code = open_sound(m);
    if (code == EMS_OK)
        code = ems_outfile_begin(&m->out, &m->in, m->options.comment,
                                 m->err);
    if (code == EMS_OK)
        code = copy_packets(m);
    if (code == EMS_OK)
        code = finish_sound(m);
    if (code == EMS_OK)
        code = ems_outfile_commit(&m->out, m->err);
    if (code == EMS_OK)
        tell(m);
    if (code == EMS_OK)
        ems_progress(m->run, "mux", 1);
    return code;
}

static int check_options(const ems_mux_options *o, ems_error *err)
{
    if (!isfinite(o->music_db) || o->music_db > 40)
        return ems_fail(err, EMS_EINVAL, "mux: the music's gain must be a "
                        "number of at most 40 dB");
    if (!(o->duck_db >= 0 && o->duck_db <= 60))
        return ems_fail(err, EMS_EINVAL, "mux: music can be lowered by 0 to "
                        "60 dB under speech, not by %g", o->duck_db);
    if (o->enhance_original && o->audio != EMS_AUDIO_MIX)
        return ems_fail(err, EMS_EINVAL, "mux: the original sound is restored "
                        "on its way into a mix: choose to mix");
    return EMS_OK;
}

static int begin(muxing *m, const char *video, const ems_mux_options *options,
                 const ems_run *run, ems_error *err)
{
    m->video = video;
    m->options = options ? *options : ems_mux_defaults();
    m->run = run;
    m->err = err;
    m->packet = av_packet_alloc();
    m->ratio = (ems_speech_ratio){.speech = NAN, .before = NAN, .after = NAN};
    return m->packet ? check_options(&m->options, err)
                     : ems_out_of_memory(err);
}

static void end(muxing *m)
{
    av_packet_free(&m->packet);
    ems_track_close(&m->track);
    ems_duck_close(&m->duck);
    ems_encoder_close(&m->encoder);
    ems_outfile_discard(&m->out);
    ems_source_close(&m->in);
    ems_free(m);
}

int ems_mux_possible(const char *video, const char *out,
                     const ems_mux_options *options, ems_error *err)
{
    muxing *m = ems_alloc(1, sizeof *m);
    if (!m)
        return ems_out_of_memory(err);
    int code = begin(m, video, options, NULL, err);
    if (code == EMS_OK)
        code = prepare(m, out);
    end(m);
    return code;
}

int ems_mux_filtered(const char *video, const char *wav, const char *out,
                     const ems_mux_options *options,
                     const ems_sound_filter *filter, ems_speech_ratio *speech,
                     const ems_run *run, ems_error *err)
{
    ems_error own;
    err = err ? err : &own;
    if (!video || !wav || !out)
        return ems_fail(err, EMS_EINVAL, "mux: a file name is missing");
    muxing *m = ems_alloc(1, sizeof *m);
    if (!m)
        return ems_out_of_memory(err);
    m->wav = wav;
    m->filter = filter;
    int code = begin(m, video, options, run, err);
    if (code == EMS_OK)
        code = mux(m, out);
    if (speech)
        *speech = m->ratio;
    end(m);
    return code;
}

#include "media/source.h"

#include "base/mem.h"
#include "base/run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IO_BYTES = 1 << 16, MAX_READ_ERRORS = 64 };

int ems_fail_av(ems_error *err, ems_code code, int averror,
                const char *format, ...)
{
    if (averror == AVERROR(ENOMEM))
        return ems_out_of_memory(err);
    if (averror == AVERROR_EXIT)
        return ems_fail(err, EMS_ECANCELLED, "cancelled");
    char text[400], reason[AV_ERROR_MAX_STRING_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    av_strerror(averror, reason, sizeof reason);
    return ems_fail(err, code, "%s: %s (FFmpeg %d)", text, reason, averror);
}

/* FFmpeg prints to stderr unless told otherwise, and a library must not. A
 * host program that has chosen a level of its own keeps it. */
static void hush(void)
{
    if (av_log_get_level() == AV_LOG_INFO)
        av_log_set_level(AV_LOG_QUIET);
}

static int read_bytes(void *user, uint8_t *data, int size)
{
    const ems_source *s = user;
    ssize_t n;
    do
        n = read(s->fd, data, (size_t)size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return AVERROR(errno);
    return n > 0 ? (int)n : AVERROR_EOF;
}

static int64_t seek_bytes(void *user, int64_t at, int whence)
{
    const ems_source *s = user;
    if (whence == AVSEEK_SIZE) {
        struct stat st;
        return fstat(s->fd, &st) < 0 ? AVERROR(errno) : st.st_size;
    }
    const off_t where = lseek(s->fd, at, whence & ~AVSEEK_FORCE);
    return where < 0 ? AVERROR(errno) : where;
}

static int interrupted(void *user)
{
    const ems_source *s = user;
    return ems_cancelled(s->run);
}

/* Playlists and the like name other files: never. */
static int refuse_open(AVFormatContext *format, AVIOContext **io,
                       const char *url, int flags, AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

static int open_file(ems_source *s, const char *path, ems_error *err)
{
    /* Nonblocking: a named pipe must not stop us before it is refused. */
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0)
        return ems_fail_errno(err, EMS_EIO, "cannot open \"%s\"", path);
    struct stat st;
    if (fstat(s->fd, &st) < 0)
        return ems_fail_errno(err, EMS_EIO, "cannot open \"%s\"", path);
    if (!S_ISREG(st.st_mode))
        return ems_fail(err, EMS_EFORMAT,
                        "\"%s\" is %s, not a media file", path,
                        S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    if (st.st_size == 0)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" is empty", path);
    return EMS_OK;
}

/* Probing looks at the suffix only; the rest of the name stays out of it. */
static void probing_name(char name[16], const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    snprintf(name, 16, "x%s", dot && strlen(dot) < 10 ? dot : "");
}

static int open_format(ems_source *s, int flags, ems_error *err)
{
    uint8_t *buffer = av_malloc(IO_BYTES);
    s->io = buffer ? avio_alloc_context(buffer, IO_BYTES, 0, s, read_bytes,
                                        NULL, seek_bytes)
                   : NULL;
    s->format = avformat_alloc_context();
    if (!s->io || !s->format) {
        if (!s->io)
            av_free(buffer);
        return ems_out_of_memory(err);
    }
    s->format->pb = s->io;
    s->format->io_open = refuse_open;
    s->format->flags |= flags;
    s->format->interrupt_callback = (AVIOInterruptCB){interrupted, s};
    s->format->protocol_whitelist = av_strdup("file");
    char name[16];
    probing_name(name, s->path);
    int r = avformat_open_input(&s->format, name, NULL, NULL);
    if (r >= 0)
        r = avformat_find_stream_info(s->format, NULL);
    if (ems_cancelled(s->run))
        return ems_fail_cancelled(err);
    if (r < 0)
        return ems_fail_av(err, EMS_EFORMAT, r,
                           "\"%s\" is no media file that can be read",
                           s->path);
    return EMS_OK;
}

/* Demuxers of single pictures: image2 and png_pipe, jpeg_pipe, ... */
static int is_still(const AVFormatContext *format)
{
    const char *name = format->iformat->name;
    const size_t length = strlen(name);
    return strncmp(name, "image2", 6) == 0 ||
           (length > 5 && strcmp(name + length - 5, "_pipe") == 0);
}

/* How much a stream looks like the main one: as the ffmpeg program ranks
 * them, so that both see the same pictures. 0: cannot be. */
static int64_t rank(const AVFormatContext *format, const AVStream *st,
                    enum AVMediaType type)
{
    const AVCodecParameters *par = st->codecpar;
    if (par->codec_type != type || par->codec_id == AV_CODEC_ID_NONE)
        return 0;
    const int64_t preferred =
        st->disposition & AV_DISPOSITION_DEFAULT ? (int64_t)1 << 50 : 0;
    if (type == AVMEDIA_TYPE_AUDIO)
        return par->ch_layout.nb_channels > 0
                   ? preferred + par->ch_layout.nb_channels
                   : 0;
    if (st->disposition & (AV_DISPOSITION_ATTACHED_PIC |
                           AV_DISPOSITION_TIMED_THUMBNAILS) ||
        par->width <= 0 || par->height <= 0 || is_still(format))
        return 0;
    return preferred + (int64_t)par->width * par->height;
}

static int main_stream(const AVFormatContext *format, enum AVMediaType type)
{
    int best = -1;
    int64_t most = 0;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        const int64_t r = rank(format, format->streams[i], type);
        if (r > most) {
            most = r;
            best = (int)i;
        }
    }
    return best;
}

int ems_source_open(ems_source *s, const char *path, int flags,
                    const ems_run *run, ems_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, hush);
    *s = (ems_source){.fd = -1, .path = path, .run = run};
    int code = open_file(s, path, err);
    if (code == EMS_OK)
        code = open_format(s, flags, err);
    if (code < 0) {
        ems_source_close(s);
        return code;
    }
    s->video = main_stream(s->format, AVMEDIA_TYPE_VIDEO);
    s->audio = main_stream(s->format, AVMEDIA_TYPE_AUDIO);
    return EMS_OK;
}

int ems_source_picture(const ems_source *s)
{
    if (s->format->nb_streams != 1 || !is_still(s->format))
        return -1;
    const AVCodecParameters *par = s->format->streams[0]->codecpar;
    return par->codec_type == AVMEDIA_TYPE_VIDEO && par->width > 0 &&
           par->height > 0 ? 0 : -1;
}

int ems_source_packet(ems_source *s, AVPacket *packet, ems_error *err)
{
    for (int errors = 0; errors < MAX_READ_ERRORS; errors++) {
        const int r = av_read_frame(s->format, packet);
        if (r >= 0) {
            s->damaged += (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
            return 1;
        }
        if (r == AVERROR_EXIT || ems_cancelled(s->run))
            return ems_fail_cancelled(err);
        if (r == AVERROR(ENOMEM))
            return ems_out_of_memory(err);
        if (r == AVERROR_EOF)
            return 0;
        s->damaged++;
        if (s->io->eof_reached || s->io->error)
            return 0;
    }
    return 0;
}

void ems_source_close(ems_source *s)
{
    avformat_close_input(&s->format);
    if (s->io)
        av_freep(&s->io->buffer);
    avio_context_free(&s->io);
    if (s->path && s->fd >= 0)
        close(s->fd);
    *s = (ems_source){0};
}

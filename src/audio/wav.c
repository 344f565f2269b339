#include "audio/wav.h"

#include "audio/audio.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum {
    FRAME_FLOAT = EMS_CHANNELS * 4,
    FRAME_PCM = EMS_CHANNELS * 3,
    PLAIN_HEADER = 68, /* RIFF 12, fmt 48, data 8 */
    DS64 = 36,         /* the chunk RF64 has more */
    FORMAT_EXTENSIBLE = 0xfffe,
};

int ems_wav_create(ems_wav *w, const char *path, uint64_t frames,
                   ems_error *err)
{
    *w = (ems_wav){.fd = -1, .frames = frames};
    const int large = frames * FRAME_PCM > UINT32_MAX - PLAIN_HEADER;
    w->header = large ? PLAIN_HEADER + DS64 : PLAIN_HEADER;
    const int code = ems_output_reserve(&w->output, path, err);
    if (code < 0)
        return code;
    w->fd = open(w->output.temporary, O_RDWR | O_CLOEXEC);
    if (w->fd < 0) {
        ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"", path);
        ems_wav_discard(w);
        return EMS_EIO;
    }
    return EMS_OK;
}

static int write_at(ems_wav *w, uint64_t at, const void *data, size_t bytes,
                    ems_error *err)
{
    const char *from = data;
    while (bytes > 0) {
        const ssize_t put = pwrite(w->fd, from, bytes, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"",
                                  w->output.path);
        from += put;
        at += (uint64_t)put;
        bytes -= (size_t)put;
    }
    return EMS_OK;
}

int ems_wav_put(ems_wav *w, uint64_t at, const float *x, size_t n,
                ems_error *err)
{
    return write_at(w, w->header + at * FRAME_FLOAT, x, n * FRAME_FLOAT, err);
}

int ems_wav_get(ems_wav *w, uint64_t at, float *x, size_t n, ems_error *err)
{
    char *to = (char *)x;
    uint64_t from = w->header + at * FRAME_FLOAT;
    size_t bytes = n * FRAME_FLOAT;
    while (bytes > 0) {
        const ssize_t got = pread(w->fd, to, bytes, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ems_fail(err, EMS_EIO, "cannot read \"%s\" again",
                            w->output.temporary);
        to += got;
        from += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return EMS_OK;
}

static int32_t sample24(float x)
{
    const long v = lrintf(x * 8388608.0f);
    return (int32_t)(v > 8388607 ? 8388607 : v < -8388608 ? -8388608 : v);
}

float ems_wav_round(float x)
{
    return (float)sample24(x) / 8388608.0f;
}

int ems_wav_seal(ems_wav *w, uint64_t at, float *x, size_t n, ems_error *err)
{
    uint8_t *to = (uint8_t *)x; /* 3 bytes take the place of 4 */
    for (size_t i = 0; i < n * EMS_CHANNELS; i++) {
        const uint32_t v = (uint32_t)sample24(x[i]);
        to[3 * i] = (uint8_t)v;
        to[3 * i + 1] = (uint8_t)(v >> 8);
        to[3 * i + 2] = (uint8_t)(v >> 16);
    }
    return write_at(w, w->header + at * FRAME_PCM, x, n * FRAME_PCM, err);
}

static void little(uint8_t **p, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*p)++ = (uint8_t)(value >> 8 * i);
}

static void text(uint8_t **p, const char *id)
{
    memcpy(*p, id, 4);
    *p += 4;
}

static void put_format(uint8_t **p)
{
    static const uint8_t pcm[14] = {0, 0, 0, 0, 0x10, 0, 0x80,
                                    0, 0, 0xaa, 0, 0x38, 0x9b, 0x71};
    text(p, "fmt ");
    little(p, 40, 4);
    little(p, FORMAT_EXTENSIBLE, 2);
    little(p, EMS_CHANNELS, 2);
    little(p, EMS_RATE, 4);
    little(p, EMS_RATE * FRAME_PCM, 4);
    little(p, FRAME_PCM, 2);
    little(p, 24, 2);
    little(p, 22, 2);
    little(p, 24, 2);
    little(p, 3, 4); /* front left, front right */
    little(p, 1, 2); /* PCM, followed by the rest of the GUID */
    memcpy(*p, pcm, sizeof pcm);
    *p += sizeof pcm;
}

static size_t make_header(const ems_wav *w, uint8_t *header)
{
    const uint64_t data = w->frames * FRAME_PCM, riff = w->header + data - 8;
    const int large = w->header > PLAIN_HEADER;
    uint8_t *p = header;
    text(&p, large ? "RF64" : "RIFF");
    little(&p, large ? UINT32_MAX : riff, 4);
    text(&p, "WAVE");
    if (large) {
        text(&p, "ds64");
        little(&p, DS64 - 8, 4);
        little(&p, riff, 8);
        little(&p, data, 8);
        little(&p, w->frames, 8);
        little(&p, 0, 4);
    }
    put_format(&p);
    text(&p, "data");
    little(&p, large ? UINT32_MAX : data, 4);
    return (size_t)(p - header);
}

int ems_wav_commit(ems_wav *w, ems_error *err)
{
    uint8_t header[PLAIN_HEADER + DS64];
    const size_t bytes = make_header(w, header);
    int code = write_at(w, 0, header, bytes, err);
    const off_t size = (off_t)(w->header + w->frames * FRAME_PCM);
    if (code == EMS_OK && ftruncate(w->fd, size) < 0)
        code = ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"",
                              w->output.path);
    if (close(w->fd) < 0 && code == EMS_OK)
        code = ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"",
                              w->output.path);
    w->fd = -1;
    if (code < 0) {
        ems_wav_discard(w);
        return code;
    }
    return ems_output_commit(&w->output, err);
}

void ems_wav_discard(ems_wav *w)
{
    if (w->output.path && w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    ems_output_discard(&w->output);
}

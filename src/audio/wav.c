#include "audio/wav.h"

#include "audio/audio.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum {
    RAW = EMS_CHANNELS * 4, /* bytes of a raw frame */
    DESCRIPTION = 256, ORIGINATOR = 32,
    BEXT = 602,
    /* RIFF 12, bext, fmt 48, fact 12, data 8 */
    PLAIN_HEADER = 12 + 8 + BEXT + 48 + 12 + 8,
    DS64 = 36,         /* the chunk RF64 has more */
    FORMAT_EXTENSIBLE = 0xfffe,
    UNKNOWN = 0x7fff,  /* of a loudness in bext */
};

static unsigned sample_bytes(ems_sample_type s)
{
    return s == EMS_PCM16 ? 2 : s == EMS_PCM24 ? 3 : 4;
}

static uint64_t frame_bytes(const ems_wav *w)
{
    return EMS_CHANNELS * sample_bytes(w->spec.sample);
}

int ems_wav_create(ems_wav *w, const ems_wav_spec *spec, ems_error *err)
{
    *w = (ems_wav){.fd = -1, .spec = *spec, .lufs = NAN, .true_peak = NAN};
    const int large =
        spec->frames * frame_bytes(w) > UINT32_MAX - PLAIN_HEADER;
    w->header = large ? PLAIN_HEADER + DS64 : PLAIN_HEADER;
    const int code = ems_output_reserve(&w->output, spec->path, err);
    if (code < 0)
        return code;
    w->fd = open(w->output.temporary, O_RDWR | O_CLOEXEC);
    if (w->fd < 0) {
        ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"", spec->path);
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
    return write_at(w, w->header + at * RAW, x, n * RAW, err);
}

int ems_wav_get(ems_wav *w, uint64_t at, float *x, size_t n, ems_error *err)
{
    char *to = (char *)x;
    uint64_t from = w->header + at * RAW;
    size_t bytes = n * RAW;
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

/* ---- Samples ------------------------------------------------------------ */

/* Two even numbers in [-1/2, 1/2) from the place of a sample, added up
 * (splitmix64's mixer: Steele, Lea, Flood 2014). */
static float dither(uint64_t place)
{
    uint64_t z = (place + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z ^= z >> 27;
    return ((float)(int32_t)z + (float)(int32_t)(z >> 32)) * 0x1p-32f;
}

void ems_wav_round(ems_sample_type sample, uint64_t at, float *x, size_t n)
{
    if (sample == EMS_FLOAT32)
        return;
    const float full = sample == EMS_PCM16 ? 32768.0f : 8388608.0f;
    for (size_t i = 0; i < n * EMS_CHANNELS; i++) {
        if (x[i] == 0)
            continue;
        const float wide = x[i] * full + dither(at * EMS_CHANNELS + i);
        const float v = rintf(wide);
        x[i] = fminf(fmaxf(v, -full), full - 1) / full;
    }
}

static void pack(uint8_t *to, const float *x, size_t samples, unsigned bytes)
{
    const float full = bytes == 2 ? 32768.0f : 8388608.0f;
    for (size_t i = 0; i < samples; i++) {
        const uint32_t v = (uint32_t)(int32_t)(x[i] * full);
        for (unsigned b = 0; b < bytes; b++)
            to[i * bytes + b] = (uint8_t)(v >> 8 * b);
    }
}

int ems_wav_seal(ems_wav *w, uint64_t at, float *x, size_t n, ems_error *err)
{
    const unsigned bytes = sample_bytes(w->spec.sample);
    if (w->spec.sample != EMS_FLOAT32) /* fewer bytes take their place */
        pack((uint8_t *)x, x, n * EMS_CHANNELS, bytes);
    return write_at(w, w->header + at * frame_bytes(w), x,
                    n * EMS_CHANNELS * bytes, err);
}

/* ---- The header --------------------------------------------------------- */

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

static void field(uint8_t **p, const char *value, size_t room)
{
    const size_t n = value ? strlen(value) : 0;
    memset(*p, 0, room);
    if (value)
        memcpy(*p, value, n < room ? n : room);
    *p += room;
}

/* Hundredths, as bext has them. */
static uint64_t hundredths(double value)
{
    return isnan(value) ? UNKNOWN : (uint64_t)(int64_t)lround(100 * value);
}

static void put_bext(uint8_t **p, const ems_wav *w)
{
    text(p, "bext");
    little(p, BEXT, 4);
    uint8_t *const end = *p + BEXT;
    field(p, w->spec.about, DESCRIPTION);
    field(p, "EMSYNC " EMS_VERSION, ORIGINATOR);
    field(p, NULL, 32 + 10 + 8); /* reference, date, time: equal input gives
                                    equal bytes */
    little(p, w->spec.origin, 8);
    little(p, 2, 2); /* version */
    field(p, NULL, 64); /* UMID */
    little(p, hundredths(w->lufs), 2);
    little(p, UNKNOWN, 2); /* range */
    little(p, hundredths(w->true_peak), 2);
    little(p, UNKNOWN, 2); /* momentary */
    little(p, UNKNOWN, 2); /* short-term */
    field(p, NULL, (size_t)(end - *p));
}

static void put_format(uint8_t **p, const ems_wav *w)
{
    static const uint8_t guid[14] = {0, 0, 0, 0, 0x10, 0, 0x80,
                                     0, 0, 0xaa, 0, 0x38, 0x9b, 0x71};
    const unsigned bits = 8 * sample_bytes(w->spec.sample);
    text(p, "fmt ");
    little(p, 40, 4);
    little(p, FORMAT_EXTENSIBLE, 2);
    little(p, EMS_CHANNELS, 2);
    little(p, EMS_RATE, 4);
    little(p, EMS_RATE * frame_bytes(w), 4);
    little(p, frame_bytes(w), 2);
    little(p, bits, 2);
    little(p, 22, 2);
    little(p, bits, 2);
    little(p, 3, 4); /* front left, front right */
    little(p, w->spec.sample == EMS_FLOAT32 ? 3 : 1, 2);
    memcpy(*p, guid, sizeof guid);
    *p += sizeof guid;
    const uint64_t frames = w->spec.frames;
    text(p, "fact");
    little(p, 4, 4);
    little(p, frames < UINT32_MAX ? frames : UINT32_MAX, 4);
}

static size_t make_header(const ems_wav *w, uint8_t *header)
{
    const uint64_t data = w->spec.frames * frame_bytes(w);
    const uint64_t riff = w->header + data - 8;
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
        little(&p, w->spec.frames, 8);
        little(&p, 0, 4);
    }
    put_bext(&p, w);
    put_format(&p, w);
    text(&p, "data");
    little(&p, large ? UINT32_MAX : data, 4);
    return (size_t)(p - header);
}

int ems_wav_commit(ems_wav *w, ems_error *err)
{
    uint8_t header[PLAIN_HEADER + DS64];
    const size_t bytes = make_header(w, header);
    int code = write_at(w, 0, header, bytes, err);
    const off_t size = (off_t)(w->header + w->spec.frames * frame_bytes(w));
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

#include "enhance/wave_out.h"

#include <math.h>
#include <string.h>

enum { HEADER = 80, BYTES = 3 }; /* RIFF 12, JUNK or ds64 36, fmt 24, data 8 */

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

static int put_header(ems_wave_out *w, ems_error *err)
{
    const unsigned frame = (unsigned)w->channels * BYTES;
    const uint64_t data = w->frames * frame;
    const uint64_t riff = HEADER - 8 + data + (data & 1);
    const int large = riff > UINT32_MAX;
    uint8_t header[HEADER], *p = header;
    text(&p, large ? "RF64" : "RIFF");
    little(&p, large ? UINT32_MAX : riff, 4);
    text(&p, "WAVE");
    text(&p, large ? "ds64" : "JUNK");
    little(&p, 28, 4);
    little(&p, large ? riff : 0, 8);
    little(&p, large ? data : 0, 8);
    little(&p, large ? w->frames : 0, 8);
    little(&p, 0, 4);
    text(&p, "fmt ");
    little(&p, 16, 4);
    little(&p, 1, 2); /* PCM */
    little(&p, (unsigned)w->channels, 2);
    little(&p, (unsigned)w->rate, 4);
    little(&p, (unsigned)w->rate * frame, 4);
    little(&p, frame, 2);
    little(&p, 8 * BYTES, 2);
    text(&p, "data");
    little(&p, large ? UINT32_MAX : data, 4);
    if (fseeko(w->output.file, 0, SEEK_SET) < 0 ||
        fwrite(header, 1, HEADER, w->output.file) != HEADER)
        return ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"",
                              w->output.path);
    return EMS_OK;
}

int ems_wave_out_open(ems_wave_out *w, const char *path, int rate,
                      int channels, ems_error *err)
{
    *w = (ems_wave_out){.rate = rate, .channels = channels};
    int code = ems_output_open(&w->output, path, err);
    if (code == EMS_OK)
        code = put_header(w, err);
    if (code < 0)
        ems_output_discard(&w->output);
    return code;
}

static int32_t sample(float x)
{
    const long v = lrintf(x * 8388608.0f);
    return (int32_t)(v > 8388607 ? 8388607 : v < -8388608 ? -8388608 : v);
}

int ems_wave_out_add(ems_wave_out *w, const float *x, size_t frames,
                     ems_error *err)
{
    enum { ROOM = 1024 };
    uint8_t bytes[ROOM * BYTES];
    const size_t count = frames * (size_t)w->channels;
    for (size_t at = 0; at < count; at += ROOM) {
        const size_t n = count - at < ROOM ? count - at : ROOM;
        uint8_t *p = bytes;
        for (size_t i = 0; i < n; i++)
            little(&p, (uint64_t)(int64_t)sample(x[at + i]), BYTES);
        if (fwrite(bytes, BYTES, n, w->output.file) != n)
            return ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"",
                                  w->output.path);
    }
    w->frames += frames;
    return EMS_OK;
}

int ems_wave_out_commit(ems_wave_out *w, ems_error *err)
{
    const int odd = (w->frames * (uint64_t)w->channels * BYTES) & 1;
    int code = EMS_OK;
    if (odd && fputc(0, w->output.file) == EOF)
        code = ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"",
                              w->output.path);
    if (code == EMS_OK)
        code = put_header(w, err);
    if (code == EMS_OK)
        return ems_output_commit(&w->output, err);
    ems_output_discard(&w->output);
    return code;
}

void ems_wave_out_discard(ems_wave_out *w)
{
    ems_output_discard(&w->output);
}

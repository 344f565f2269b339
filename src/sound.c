/* From notes to a finished sound file of any kind, and the proof. */
#include "audio/audio.h"
#include "audio/loudness.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "media/media.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LOSSY 0.8 /* dB: what Opus may put on a peak */

typedef enum kind { WAV, FLAC, OPUS, UNKNOWN } kind;

static kind kind_of(const char *path)
{
    static const struct {
        const char *suffix;
        kind kind;
    } known[] = {{".wav", WAV}, {".wave", WAV}, {".bwf", WAV},
                 {".flac", FLAC}, {".opus", OPUS}, {".ogg", OPUS}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++)
        if (strcasecmp(dot, known[i].suffix) == 0)
            return known[i].kind;
    return UNKNOWN;
}

/* ---- The proof ---------------------------------------------------------- */

static int hear(void *user, const float *x, size_t frames, ems_error *err)
{
    return ems_meter_add(user, x, frames) < 0 ? ems_out_of_memory(err)
                                              : EMS_OK;
}

/* Read the file as anyone would, and measure it. */
static int prove(const char *path, ems_loudness *l, const ems_run *run,
                 ems_error *err)
{
    ems_meter *m = ems_meter_new(1, err);
    if (!m)
        return EMS_ENOMEM;
    const ems_run quiet = {.cancelled = run ? run->cancelled : NULL,
                           .user = run ? run->user : NULL};
    const int code = ems_media_listen(path, hear, m, &quiet, err);
    if (code == EMS_OK) {
        const double before = l->lufs;
        l->lufs = ems_meter_lufs(m);
        l->true_peak = ems_meter_true_peak(m);
        if (fabs(l->lufs - before) > 0.1)
            ems_log(run, EMS_LOG_WARNING, "\"%s\" has %.2f LUFS, not the %.2f "
                    "it was given", path, l->lufs, before);
    }
    ems_meter_free(m);
    return code;
}

/* ---- Rendering ---------------------------------------------------------- */

/* Lossy coding raises peaks a little, so they get room; what the decoder gives
 * is told. */
static int render_coded(const ems_piece *piece, const char *out, kind k,
                        const ems_render_options *o, ems_loudness *l,
                        const ems_run *run, ems_error *err)
{
    ems_output reserved;
    if (ems_output_reserve(&reserved, out, err) < 0)
        return err->code;
    const size_t bytes = strlen(reserved.temporary) + 5;
    char *wav = ems_alloc(bytes, 1);
    int code = wav ? EMS_OK : ems_out_of_memory(err);
    if (code == EMS_OK) {
        snprintf(wav, bytes, "%s.wav", reserved.temporary);
        ems_render_options own = *o;
        if (k == OPUS) {
            own.sample = EMS_FLOAT32;
            own.peak -= LOSSY;
        } else if (own.sample == EMS_FLOAT32) {
            own.sample = EMS_PCM24;
        }
        code = ems_render_wav(piece, wav, &own, run, l, err);
        if (code == EMS_OK)
            code = ems_media_convert(wav, out, own.sample == EMS_PCM16 ? 16
                                                                       : 24,
                                     run, err);
        remove(wav);
    }
    ems_free(wav);
    ems_output_discard(&reserved);
    return code;
}

int ems_render(const ems_piece *piece, const char *out,
               const ems_render_options *options, ems_loudness *measured,
               const ems_run *run, ems_error *err)
{
    const ems_render_options o = options ? *options : ems_render_defaults();
    ems_error own;
    err = err ? err : &own;
    if (!piece || !out || !*out)
        return ems_fail(err, EMS_EINVAL, "render needs a piece and a file");
    const kind k = kind_of(out);
    if (k == UNKNOWN)
        return ems_fail(err, EMS_EINVAL, "\"%s\": the name should end in "
                        ".wav, .flac or .opus", out);
    ems_loudness l = {0};
    int code = k == WAV ? ems_render_wav(piece, out, &o, run, &l, err)
                        : render_coded(piece, out, k, &o, &l, run, err);
    if (code == EMS_OK)
        code = prove(out, &l, run, err);
    if (code == EMS_OK && measured)
        *measured = l;
    return code;
}

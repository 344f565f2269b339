#include "media/audio_in.h"

#include "base/mem.h"
#include "media/pcm.h"

struct ems_audio_in {
    ems_pcm pcm;
};

ems_audio_in *ems_audio_in_open(const char *path, int rate, int channels,
                          const ems_run *run, ems_error *err)
{
    if (rate < 1000 || rate > 768000 || channels < 1 || channels > 2) {
        ems_fail(err, EMS_EINVAL, "sound of %d channels at %d Hz: take one or"
                 " two at 1 to 768 kHz", channels, rate);
        return NULL;
    }
    ems_audio_in *s = ems_alloc(1, sizeof *s);
    if (!s) {
        ems_out_of_memory(err);
        return NULL;
    }
    AVChannelLayout layout;
    av_channel_layout_default(&layout, channels);
    if (ems_pcm_open(&s->pcm, path, rate, &layout, AV_NOPTS_VALUE,
                     (AVRational){1, rate}, run, err) < 0) {
        ems_free(s);
        s = NULL;
    }
    av_channel_layout_uninit(&layout);
    return s;
}

int64_t ems_audio_in_read(ems_audio_in *s, float *out, int64_t frames,
                       ems_error *err)
{
    return ems_pcm_read(&s->pcm, out, frames, err);
}

void ems_audio_in_close(ems_audio_in *s)
{
    if (!s)
        return;
    ems_pcm_close(&s->pcm);
    ems_free(s);
}

/* ems_mux: src/media mixes, src/enhance restores what it mixes into. */
#include "enhance/revive.h"
#include "media/encode.h"

int ems_mux(const char *video, const char *wav, const char *out,
            const ems_mux_options *options, ems_speech_ratio *speech,
            const ems_run *run, ems_error *err)
{
    ems_error local;
    err = err ? err : &local;
    if (!options || !options->enhance_original)
        return ems_mux_filtered(video, wav, out, options, NULL, speech, run,
                                err);
    ems_revive r;
    int code = ems_revive_open(&r, options->enhancer, EMS_ENCODE_RATE, run,
                               err);
    if (code < 0)
        return code;
    const ems_sound_filter filter = ems_revive_filter(&r);
    code = ems_mux_filtered(video, wav, out, options, &filter, speech, run,
                            err);
    ems_revive_close(&r);
    return code;
}

/* What a SoundFont has for the five families, and how loud. */
#include "audio/audio.h"
#include "audio/synth.h"
#include "base/mem.h"
#include "music/piece.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void survey(ems_bank_voice *v, const ems_bank *bank,
                   const ems_piece *silent, ems_family family)
{
    ems_strip strip[EMS_FAMILIES];
    ems_error err = {0};
    ems_mixer_parse(strip, NULL, NULL);
    const ems_stem_options o = {.frames = 1, .strip = &strip[family],
                                .touch = {.release = INFINITY}};
    *v = (ems_bank_voice){.family = family,
                          .program = silent->program[family],
                          .lufs = NAN, .correction = NAN};
    ems_stem *s = ems_stem_new(bank, silent, family, &o, &err);
    if (!s) {
        snprintf(v->problem, sizeof v->problem, "%.255s", err.text);
        return;
    }
    ems_stem_state state;
    ems_stem_tell(s, &state);
    v->lufs = state.loudness;
    v->correction = state.correction;
    if (state.loudness <= -69)
        snprintf(v->problem, sizeof v->problem, "it gives no sound");
    ems_stem_free(s);
}

int ems_bank_survey(const char *soundfont, ems_bank_voice out[EMS_FAMILIES],
                    ems_error *err)
{
    static const uint8_t program[EMS_FAMILIES] = {32, 0, 25, 0, 48};
    ems_piece silent = {.duration = 1};
    memcpy(silent.program, program, sizeof program);
    const char *path = ems_soundfont_find(soundfont, err);
    if (!path)
        return EMS_EIO;
    ems_bank bank = {0};
    const int code = ems_bank_open(&bank, path, err);
    for (int f = 0; f < EMS_FAMILIES && code == EMS_OK; f++)
        survey(&out[f], &bank, &silent, (ems_family)f);
    ems_bank_close(&bank);
    return code;
}

/* SoundFonts that pass the check go through FluidSynth (not instrumented),
 * for a program and for a drum kit. */
#include "audio/bank.h"
#include "audio/synth.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void play(const ems_bank *bank, ems_family family)
{
    static float sound[8 * EMS_BLOCK * 2];
    static ems_note notes[] = {{0, 0.002, 0, 60, 100}, {0.001, 1, 0, 30, 20},
                               {0.002, 1, 0, 100, 127}};
    ems_piece piece = {.duration = 1, .notes = notes, .note_count = 3};
    for (size_t i = 0; i < piece.note_count; i++)
        notes[i].family = (uint8_t)family;
    ems_strip strip[EMS_FAMILIES];
    ems_mixer_parse(strip, NULL, NULL);
    const ems_stem_options o = {.frames = 48000, .strip = &strip[family],
                                .touch = {.release = 1e9}};
    ems_stem *s = ems_stem_new(bank, &piece, family, &o, NULL);
    for (int i = 0; s && i < 4; i++)
        ems_stem_render(s, sound, 8 * EMS_BLOCK);
    ems_stem_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ems_bank bank = {
        .source = {.size = size, .fd = -1, .data = data}, .path = "fuzz"};
    ems_error err;
    if (ems_bank_check(&bank.source, "fuzz", &err) == EMS_OK) {
        play(&bank, EMS_PIANO);
        play(&bank, EMS_DRUMS);
    }
    return 0;
}

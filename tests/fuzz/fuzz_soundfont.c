/* SoundFonts: the check that FluidSynth's input has to pass. */
#include "audio/bank.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ems_source source = {.size = size, .fd = -1, .data = data};
    ems_error err;
    ems_bank_check(&source, "fuzz", &err);
    return 0;
}

/* The text of --mixer. */
#include "audio/mixer.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    ems_strip strip[EMS_FAMILIES];
    ems_error err;
    if (ems_mixer_parse(strip, text, &err) == EMS_OK)
        for (int f = 0; f < EMS_FAMILIES; f++)
            if (!(fabs(strip[f].pan) <= 1 && strip[f].level <= 24))
                abort();
    free(text);
    return 0;
}

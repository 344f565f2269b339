/* The log of a training, read back for its picture. */
#include "music/train.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_curve c;
    if (ems_curve_parse(&c, (const char *)data, size, NULL) < 0)
        return 0;
    for (size_t i = 1; i < c.count; i++)
        if (!(c.step[i - 1] <= c.step[i]))
            abort();
    for (size_t i = 1; i < c.held_count; i++)
        if (!(c.held_step[i - 1] <= c.held_step[i]))
            abort();
    ems_curve_clear(&c);
    return 0;
}

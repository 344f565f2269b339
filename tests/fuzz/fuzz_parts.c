/* Kept features of a film, as somebody may have changed them. */
#include "emotion/parts.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_parts p;
    if (ems_parts_parse(&p, data, size, "fuzz", NULL) < 0)
        return 0;
    for (size_t i = 0; i < p.count; i++)
        for (size_t k = 0; k < p.part[i].rows * p.part[i].dim; k++)
            if (fabsf(p.part[i].values[k]) > 1e6f)
                abort();
    ems_parts_clear(&p);
    return 0;
}

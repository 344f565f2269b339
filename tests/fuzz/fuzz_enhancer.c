/* Weights of an enhancer from strangers; what can be loaded runs. */
#include "enhance/restore.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_enhancer e;
    ems_safetensors *st = ems_safetensors_parse(data, size, "fuzz", NULL);
    if (st && ems_enhancer_parse(&e, st, "fuzz", NULL, NULL) == EMS_OK) {
        float x[2 * 64], y[2 * 64];
        for (size_t i = 0; i < 128; i++)
            x[i] = (float)i / 128;
        ems_restore(&e, y, x, 64, NULL);
        ems_enhancer_close(&e);
    }
    ems_safetensors_free(st);
    return 0;
}

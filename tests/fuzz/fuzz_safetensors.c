#include "nn/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_error err;
    ems_safetensors *st = ems_safetensors_parse(data, size, "fuzz", &err);
    size_t count = 0;
    const ems_st_tensor *t = st ? ems_safetensors_all(st, &count) : NULL;
    float out[256];
    for (size_t i = 0; i < count; i++) /* touch what is promised */
        if (ems_st_count(&t[i]) <= sizeof out / sizeof *out)
            ems_st_read_f32(&t[i], out);
    ems_safetensors_free(st);
    return 0;
}

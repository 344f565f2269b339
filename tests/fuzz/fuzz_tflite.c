/* Any bytes as a TensorFlow Lite model. What can be read is converted. */
#include "base/mem.h"
#include "experts/tflite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_error err;
    size_t onnx_size;
    ems_lite *m = ems_lite_parse(data, size, "fuzz", &err);
    if (m)
        ems_free(ems_lite_convert(m, NULL, "fuzz", &onnx_size, &err));
    ems_lite_free(m);
    return 0;
}

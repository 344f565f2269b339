/* Any bytes as a TensorFlow.js model: a length, model.json, the weights. What
 * can be read is converted. */
#include "base/mem.h"
#include "experts/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_error err;
    if (size < 2)
        return 0;
    size_t text = data[0] | (size_t)data[1] << 8, onnx_size;
    text = text < size - 2 ? text : size - 2;
    ems_tf_model *m = ems_tf_parse((const char *)data + 2, text,
                                   data + 2 + text, size - 2 - text, "fuzz",
                                   &err);
    if (m)
        ems_free(ems_convert(m, NULL, "fuzz", &onnx_size, &err));
    ems_tf_free(m);
    return 0;
}

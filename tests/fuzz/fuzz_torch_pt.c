#include "base/mem.h"
#include "nn/torch_pickle.h"
#include "nn/torch_pt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes are a whole file; then a pickle beside one storage of 64 bytes,
 * so that the machine is reached without a valid zip around it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[64];
    ems_error err;
    ems_torch_pt_free(ems_torch_pt_parse(data, size, "fuzz", &err));
    ems_zip_record record[] = {
        {"m/data/0", 8, zeros, sizeof zeros, 0, 1},
        {"m/data.pkl", 10, data, size, 0, 1},
    };
    ems_zip zip = {"fuzz", record, 2};
    ems_torch_dict dict = {0};
    if (size <= EMS_MAX_PICKLE)
        ems_torch_unpickle(&dict, &zip, "m", &record[1], &err);
    float out[256];
    for (size_t i = 0; i < dict.count; i++)
        if (ems_st_count(&dict.tensor[i]) <= sizeof out / sizeof *out)
            ems_st_read_f32(&dict.tensor[i], out);
    ems_free(dict.tensor);
    ems_free(dict.names);
    return 0;
}

/* Any bytes as an expert's manifest.json: read or refused, never worse. */
#include "experts/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_error err;
    ems_manifest_free(
        ems_manifest_parse((const char *)data, size, "fuzz", &err));
    return 0;
}

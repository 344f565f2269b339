/* Any bytes as analysis.json: read or refused, never worse. */
#include "emotion/analysis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_error err;
    ems_analysis_free(ems_analysis_parse((const char *)data, size, "fuzz", &err));
    return 0;
}

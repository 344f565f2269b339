/* Any bytes as plan.json: read or refused, never worse. */
#include "music/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_error err;
    ems_plan_free(ems_plan_parse((const char *)data, size, "fuzz", &err));
    return 0;
}

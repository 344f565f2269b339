/* installed.h - the experts and the ONNX Runtime of this machine, for tests
 * that can use them: $EMSYNC_TEST_EXPERTS or where make experts puts them. */
#ifndef EMS_INSTALLED_H
#define EMS_INSTALLED_H
#include "experts/ort.h"

#include <stdio.h>
#include <stdlib.h>

static inline const char *ems_test_experts(void)
{
    static char path[512];
    const char *set = getenv("EMSYNC_TEST_EXPERTS");
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (set)
        snprintf(path, sizeof path, "%s", set);
    else if (data && *data)
        snprintf(path, sizeof path, "%s/emsync/experts", data);
    else
        snprintf(path, sizeof path, "%s/.local/share/emsync/experts",
                 home ? home : "");
    return path;
}

/* NULL: there is none, what needs it is skipped. */
static inline ems_ort *ems_test_ort(ems_error *err)
{
    const char *folders[] = {ems_test_experts(), NULL};
    return ems_ort_open(folders, 1, err);
}
#endif

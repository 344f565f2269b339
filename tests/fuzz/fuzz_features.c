/* A CSV file of songs' features from strangers, and names to match. */
#include "music/features.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes after the first zero byte are a path. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    const size_t n = zero ? (size_t)(zero - data) : size;
    char path[128] = "";
    if (zero) {
        const size_t left = size - n - 1;
        memcpy(path, zero + 1, left < sizeof path ? left : sizeof path - 1);
    }
    ems_features *f = ems_features_parse((const char *)data, n, "fuzz",
                                         NULL);
    if (!f)
        return 0;
    const double v = ems_features_find(f, path, NULL);
    if (v < -1 || v > 1)
        abort();
    ems_features_free(f);
    return 0;
}

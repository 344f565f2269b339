/* Any bytes as a file of the experts' cache. The checksum is put right, so
 * that what stands behind it is read too. */
#include "base/mem.h"
#include "base/sha256.h"
#include "experts/cache.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_error err;
    ems_matrix m;
    const size_t dim = size > 8 ? data[8] : 1;
    uint8_t *copy = ems_alloc(size + 1, 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (size > 56) {
        ems_sha256 s;
        ems_sha256_begin(&s);
        ems_sha256_add(&s, copy + 56, size - 56);
        ems_sha256_end(&s, copy + 24);
    }
    if (ems_matrix_parse(copy, size, dim, &m, &err) == EMS_OK)
        ems_matrix_clear(&m);
    ems_free(copy);
    return 0;
}

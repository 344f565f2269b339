#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20, LARGE = 4 * LARGE_PAGE };

static atomic_long fail_countdown; /* test hook; 0 means off */

void ems_alloc_fail_at(long nth)
{
    atomic_store(&fail_countdown, nth);
}

static int must_fail(void)
{
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0)
        return 0;
    return atomic_fetch_sub(&fail_countdown, 1) == 1;
}

void *ems_alloc(size_t count, size_t size)
{
    if (must_fail() || (size && count > SIZE_MAX / size))
        return NULL;
    if (count == 0 || size == 0)
        return calloc(1, 1);
    return calloc(count, size);
}

void *ems_alloc_aligned(size_t count, size_t size)
{
    if (must_fail() || (size && count > (SIZE_MAX - 63) / size))
        return NULL;
    /* Large blocks get large pages where the system has them: what is
     * streamed through then misses the page tables less. */
    const size_t unit = count * size >= LARGE ? LARGE_PAGE : 64;
    if (count * size > SIZE_MAX - unit)
        return NULL;
    const size_t bytes = (count * size + unit - 1) & ~(unit - 1);
    void *block = aligned_alloc(unit, bytes ? bytes : unit);
    if (!block)
        return NULL;
    if (unit == LARGE_PAGE)
        madvise(block, bytes, MADV_HUGEPAGE);
    return memset(block, 0, bytes ? bytes : unit);
}

void *ems_realloc(void *block, size_t count, size_t size)
{
    if (must_fail() || (size && count > SIZE_MAX / size))
        return NULL;
    const size_t bytes = count * size;
    return realloc(block, bytes ? bytes : 1);
}

void ems_free(void *block)
{
    free(block);
}

char *ems_strdup(const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = ems_alloc(bytes, 1);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

int ems_reserve(void **block, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return 0;
    size_t larger = *capacity ? *capacity : 16;
    while (larger < needed) {
        if (larger > SIZE_MAX / 2)
            return -1;
        larger *= 2;
    }
    void *grown = ems_realloc(*block, larger, size);
    if (!grown)
        return -1;
    *block = grown;
    *capacity = larger;
    return 0;
}

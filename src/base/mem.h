/* mem.h - the one place that allocates. Blocks come zeroed. */
#ifndef EMS_MEM_H
#define EMS_MEM_H
#include <stddef.h>

/* count * size zeroed bytes; NULL when out of memory or on overflow.
 * A zero-byte request gives a block that may be freed. */
void *ems_alloc(size_t count, size_t size);
/* As ems_alloc, at a multiple of 64 bytes; free with ems_free. */
void *ems_alloc_aligned(size_t count, size_t size);
/* Grow `block` to count * size bytes (content kept, new bytes undefined);
 * NULL leaves it as it was. */
void *ems_realloc(void *block, size_t count, size_t size);
void ems_free(void *block); /* accepts NULL */
char *ems_strdup(const char *text);

/* Make room for one more element in a growing array: doubles *capacity.
 * Returns 0, or -1 with everything as it was. */
int ems_reserve(void **block, size_t *capacity, size_t needed, size_t size);

/* Tests: let the nth allocation from now fail (0: none). */
void ems_alloc_fail_at(long nth);
#endif

/* arena.h - scratch memory laid out by the code that uses it: run the same
 * placing code once with a NULL base to measure, once to take. */
#ifndef EMS_ARENA_H
#define EMS_ARENA_H
#include <stddef.h>

typedef struct ems_arena {
    char *base;   /* NULL: measuring */
    size_t used;
} ems_arena;

/* 64-byte aligned; NULL while measuring. The caller knows the size fits,
 * because it measured. */
static inline void *ems_take(ems_arena *a, size_t count, size_t size)
{
    const size_t at = (a->used + 63) & ~(size_t)63;
    a->used = at + count * size;
    return a->base ? a->base + at : NULL;
}
#endif

/* reader.h - a bounds-checked cursor over bytes from strangers. After a read
 * past the end `failed` stays set and every read gives 0. */
#ifndef EMS_READER_H
#define EMS_READER_H
#include <stddef.h>
#include <stdint.h>

typedef struct ems_reader {
    const uint8_t *data;
    size_t size, at;
    int failed;
} ems_reader;

static inline size_t ems_reader_left(const ems_reader *r)
{
    return r->size - r->at;
}

/* The next n bytes, or NULL. */
static inline const uint8_t *ems_read_bytes(ems_reader *r, size_t n)
{
    if (r->failed || n > ems_reader_left(r)) {
        r->failed = 1;
        return NULL;
    }
    const uint8_t *p = r->data + r->at;
    r->at += n;
    return p;
}

static inline uint8_t ems_read_u8(ems_reader *r)
{
    const uint8_t *p = ems_read_bytes(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t ems_read_u16be(ems_reader *r)
{
    const uint8_t *p = ems_read_bytes(r, 2);
    return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t ems_read_u32be(ems_reader *r)
{
    const uint8_t *p = ems_read_bytes(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
                   (uint32_t)p[2] << 8 | p[3]
             : 0;
}

static inline uint16_t ems_read_u16le(ems_reader *r)
{
    const uint8_t *p = ems_read_bytes(r, 2);
    return p ? (uint16_t)(p[1] << 8 | p[0]) : 0;
}

static inline uint32_t ems_read_u32le(ems_reader *r)
{
    const uint8_t *p = ems_read_bytes(r, 4);
    return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
                   (uint32_t)p[1] << 8 | p[0]
             : 0;
}

static inline uint64_t ems_read_u64le(ems_reader *r)
{
    const uint64_t low = ems_read_u32le(r);
    return low | (uint64_t)ems_read_u32le(r) << 32;
}
#endif

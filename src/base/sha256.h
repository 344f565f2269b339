/* sha256.h - FIPS 180-4 SHA-256. */
#ifndef EMS_SHA256_H
#define EMS_SHA256_H
#include <stddef.h>
#include <stdint.h>

typedef struct ems_sha256 {
    uint32_t h[8];
    uint64_t length; /* bytes so far */
    uint8_t block[64];
    int fast; /* with the processor's SHA extensions; 0 gives the same */
} ems_sha256;

void ems_sha256_begin(ems_sha256 *s);
void ems_sha256_add(ems_sha256 *s, const void *data, size_t size);
void ems_sha256_end(ems_sha256 *s, uint8_t digest[32]);
/* 64 hexadecimal digits and a NUL. */
void ems_sha256_hex(const void *data, size_t size, char out[65]);
#endif

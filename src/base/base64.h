/* base64.h - bytes inside text files (RFC 4648, padded). */
#ifndef EMS_BASE64_H
#define EMS_BASE64_H
#include <stdint.h>
#include <stdio.h>

/* Write errors are the stream's. */
void ems_base64_write(FILE *out, const uint8_t *data, size_t size);
#endif

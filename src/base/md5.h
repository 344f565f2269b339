/* md5.h - RFC 1321 MD5: collections of MIDI name their files by it. Not for
 * anything that must be safe. */
#ifndef EMS_MD5_H
#define EMS_MD5_H
#include <stddef.h>

/* 32 small hexadecimal digits and a NUL. */
void ems_md5_hex(const void *data, size_t size, char out[33]);
#endif

/* tiny_bank.h - a SoundFont of a few kilobytes made in memory, so that the
 * sound can be tested without any package: a cosine, which is loud from its
 * first sample on, and a sample of zeros. */
#ifndef EMS_TINY_BANK_H
#define EMS_TINY_BANK_H
#include <stddef.h>
#include <stdint.h>

typedef struct tiny_preset {
    uint16_t bank, program;
    uint8_t silent;          /* nonzero: plays the zeros */
    uint8_t low, high;       /* keys it has sound for */
} tiny_preset;

enum { TINY_MAX = 65536 };

/* Returns the number of bytes; `out` has room for TINY_MAX. */
size_t tiny_bank(uint8_t *out, const tiny_preset *presets, size_t count);
/* A bank with a loud preset for every program the tests play. */
size_t tiny_bank_usual(uint8_t *out);
/* Offset of the first `id` (chunk name) in the bank. */
size_t tiny_find(const uint8_t *bank, size_t size, const char *id);
#endif

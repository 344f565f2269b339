/* bank.h - a SoundFont file that has been checked before FluidSynth sees it.
 * FluidSynth reads it through the same open file, so that what was checked is
 * what is used. Read-only once open: any number of synths may share it. */
#ifndef EMS_BANK_H
#define EMS_BANK_H
#include "base/error.h"

typedef struct ems_source { /* bytes at an offset, from a file or memory */
    uint64_t size;
    int fd;              /* used when `data` is NULL */
    const uint8_t *data;
} ems_source;

typedef struct ems_bank {
    ems_source source;
    const char *path; /* borrowed */
    int open;         /* nonzero: source.fd is ours */
} ems_bank;

/* n bytes at `at`; 0, or -1 when they are not all there. */
int ems_source_read(const ems_source *s, uint64_t at, void *out, size_t n);

/* Walk the RIFF structure and the record tables of a SoundFont 2 or 3:
 * EMS_EFORMAT with a byte offset for anything that is not one, EMS_EUNSUPPORTED
 * for one too large to load safely. `name` stands for the file in errors. */
int ems_bank_check(const ems_source *s, const char *name, ems_error *err);

int ems_bank_open(ems_bank *b, const char *path, ems_error *err);
void ems_bank_close(ems_bank *b);
#endif

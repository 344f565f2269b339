/* torch_zip.h - the part of zip that torch.save uses: stored records, below
 * 4 GiB, every length checked. */
#ifndef EMS_TORCH_ZIP_H
#define EMS_TORCH_ZIP_H
#include "base/error.h"

typedef struct ems_zip_record {
    const char *name;    /* not terminated */
    size_t name_length;
    const uint8_t *data;
    size_t size;
    uint32_t crc;
    int checked;         /* the sum was found right */
} ems_zip_record;

typedef struct ems_zip {
    const char *file;    /* for errors */
    ems_zip_record *record;
    size_t count;
} ems_zip;

/* Release with ems_zip_clear, also after a failure. */
int ems_zip_parse(ems_zip *z, const void *data, size_t size, const char *file,
                  ems_error *err);
void ems_zip_clear(ems_zip *z);
/* The record of that name with its checksum verified, or NULL. */
ems_zip_record *ems_zip_find(ems_zip *z, const char *name, ems_error *err);
#endif

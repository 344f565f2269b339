#include "nn/torch_zip.h"

#include "base/mem.h"
#include "base/reader.h"

#include <string.h>

enum { END_BYTES = 22, MAX_COMMENT = 65535, MAX_RECORDS = 16384 };
#define LOCAL_MARK 0x04034b50u
#define CENTRAL_MARK 0x02014b50u
#define END_MARK 0x06054b50u

static int bad(const ems_zip *z, ems_error *err, const char *what)
{
    return ems_fail(err, EMS_EFORMAT, "%s is not a file from torch.save: %s",
                    z->file, what);
}

/* Byte of the end record, searched from the end; -1: none. */
static long find_end(const uint8_t *data, size_t size)
{
    if (size < END_BYTES)
        return -1;
    const size_t last = size - END_BYTES;
    const size_t first = last > MAX_COMMENT ? last - MAX_COMMENT : 0;
    for (size_t at = last + 1; at-- > first;) {
        ems_reader r = {data, size, at, 0};
        if (ems_read_u32le(&r) == END_MARK)
            return (long)at;
    }
    return -1;
}

/* The data behind a local header: its names may differ in length. */
static int locate(const ems_zip *z, ems_zip_record *rec, const uint8_t *data,
                  size_t size, uint32_t offset, ems_error *err)
{
    ems_reader r = {data, size, offset < size ? offset : size, 0};
    const uint32_t mark = ems_read_u32le(&r);
    ems_read_bytes(&r, 22);
    const uint16_t name = ems_read_u16le(&r), extra = ems_read_u16le(&r);
    ems_read_bytes(&r, (size_t)name + extra);
    rec->data = ems_read_bytes(&r, rec->size);
    if (r.failed || mark != LOCAL_MARK)
        return bad(z, err, "a record lies outside the file; it may be cut"
                           " off");
    return EMS_OK;
}

static int read_central(const ems_zip *z, ems_reader *r, ems_zip_record *rec,
                        const uint8_t *data, size_t size, ems_error *err)
{
    const uint32_t mark = ems_read_u32le(r);
    ems_read_u32le(r); /* versions */
    const uint16_t flags = ems_read_u16le(r), method = ems_read_u16le(r);
    ems_read_u32le(r); /* time */
    rec->crc = ems_read_u32le(r);
    const uint32_t packed = ems_read_u32le(r), plain = ems_read_u32le(r);
    const uint16_t name = ems_read_u16le(r), extra = ems_read_u16le(r);
    const uint16_t comment = ems_read_u16le(r);
    ems_read_u32le(r); /* disk, internal attributes */
    ems_read_u32le(r); /* external attributes */
    const uint32_t offset = ems_read_u32le(r);
    rec->name = (const char *)ems_read_bytes(r, name);
    rec->name_length = name;
    ems_read_bytes(r, (size_t)extra + comment);
    rec->size = plain;
    if (r->failed || mark != CENTRAL_MARK)
        return bad(z, err, "the zip directory is damaged");
    if (method != 0 || packed != plain || (flags & 1))
        return bad(z, err, "records are compressed or encrypted");
    if (plain == UINT32_MAX || offset == UINT32_MAX)
        return bad(z, err, "records of 4 GiB or more cannot be read here");
    return locate(z, rec, data, size, offset, err);
}

int ems_zip_parse(ems_zip *z, const void *data, size_t size, const char *file,
                  ems_error *err)
{
    *z = (ems_zip){.file = file};
    const long end = find_end(data, size);
    if (end < 0)
        return bad(z, err, "no zip directory (files of PyTorch before 1.6"
                           " must be saved anew)");
    ems_reader r = {data, size, (size_t)end + 8, 0};
    ems_read_u16le(&r); /* records on this disk */
    const uint16_t count = ems_read_u16le(&r);
    ems_read_u32le(&r); /* bytes of the directory */
    const uint32_t start = ems_read_u32le(&r);
    if (count > MAX_RECORDS || start > size)
        return bad(z, err, "too many records, or a damaged directory");
    z->record = ems_alloc(count, sizeof *z->record);
    if (!z->record)
        return ems_out_of_memory(err);
    r.at = start;
    size_t total = 0;
    for (; z->count < count; z->count++) {
        const int code = read_central(z, &r, &z->record[z->count], data, size,
                                      err);
        if (code < 0)
            return code;
        total += z->record[z->count].size;
    }
    return total > size ? bad(z, err, "records overlap") : EMS_OK;
}

void ems_zip_clear(ems_zip *z)
{
    ems_free(z->record);
    *z = (ems_zip){0};
}

/* CRC-32 of IEEE 802.3, a byte at a time. */
static uint32_t crc32_of(const uint8_t *data, size_t size)
{
    uint32_t table[256], crc = UINT32_MAX;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
    }
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ table[(crc ^ data[i]) & 255];
    return ~crc;
}

ems_zip_record *ems_zip_find(ems_zip *z, const char *name, ems_error *err)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < z->count; i++) {
        ems_zip_record *r = &z->record[i];
        if (r->name_length != length || memcmp(r->name, name, length) != 0)
            continue;
        if (!r->checked && crc32_of(r->data, r->size) != r->crc) {
            ems_fail(err, EMS_EFORMAT, "%s: record \"%.80s\" is damaged (its"
                     " checksum is wrong)", z->file, name);
            return NULL;
        }
        r->checked = 1;
        return r;
    }
    ems_fail(err, EMS_EFORMAT, "%s is not a file from torch.save: it has no"
             " record \"%.80s\"", z->file, name);
    return NULL;
}

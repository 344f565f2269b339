#include "experts/cache.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/reader.h"
#include "base/sha256.h"
#include "experts/registry.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Layout, little-endian: "EMSENSE1", dim and rows (u64), SHA-256 of what
 * follows (32 bytes), times (f64), values (f32). */
static const char MAGIC[9] = "EMSENSE1";
enum { HEAD = 8 + 16 + 32 };
static const size_t MOST_FILE = (size_t)1 << 30;

void ems_matrix_clear(ems_matrix *m)
{
    ems_free(m->times);
    ems_free(m->values);
    *m = (ems_matrix){0};
}

/* ---- Reading --------------------------------------------------------------*/

static int broken(ems_error *err, const char *why)
{
    return ems_fail(err, EMS_EFORMAT, "a file of the expert cache is broken:"
                    " %s", why);
}

static int check_values(const ems_matrix *m, ems_error *err)
{
    for (size_t i = 0; i < m->rows; i++)
        if (!(m->times[i] >= 0 && m->times[i] <= 1e6) ||
            (i && m->times[i] < m->times[i - 1]))
            return broken(err, "its times do not ascend");
    for (size_t i = 0; i < m->rows * m->dim; i++)
        if (!isfinite(m->values[i]))
            return broken(err, "a value is not finite");
    return EMS_OK;
}

static int read_values(ems_reader *r, size_t dim, size_t rows,
                       ems_matrix *out, ems_error *err)
{
    *out = (ems_matrix){dim, rows, ems_alloc(rows, sizeof *out->times),
                        ems_alloc(rows * dim, sizeof *out->values)};
    if (!out->times || !out->values)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < rows; i++) {
        const uint64_t bits = ems_read_u64le(r);
        memcpy(&out->times[i], &bits, 8);
    }
    for (size_t i = 0; i < rows * dim; i++) {
        const uint32_t bits = ems_read_u32le(r);
        memcpy(&out->values[i], &bits, 4);
    }
    return check_values(out, err);
}

static void hash(const uint8_t *data, size_t size, uint8_t digest[32])
{
    ems_sha256 s;
    ems_sha256_begin(&s);
    ems_sha256_add(&s, data, size);
    ems_sha256_end(&s, digest);
}

int ems_matrix_parse(const uint8_t *data, size_t size, size_t dim,
                     ems_matrix *out, ems_error *err)
{
    *out = (ems_matrix){0};
    ems_reader r = {.data = data, .size = size};
    const uint8_t *magic = ems_read_bytes(&r, 8);
    const uint64_t columns = ems_read_u64le(&r), rows = ems_read_u64le(&r);
    const uint8_t *sum = ems_read_bytes(&r, 32);
    uint8_t digest[32];
    if (!magic || memcmp(magic, MAGIC, 8) != 0 || !sum)
        return broken(err, "it has no head");
    if (columns != dim || dim == 0 || dim > MOST_FILE ||
        rows > MOST_FILE / (8 + 4 * dim) ||
        ems_reader_left(&r) != rows * (8 + 4 * dim))
        return broken(err, "its size is not what its head says");
    hash(data + HEAD, size - HEAD, digest);
    if (memcmp(digest, sum, 32) != 0)
        return broken(err, "its checksum differs");
    const int code = read_values(&r, dim, (size_t)rows, out, err);
    if (code < 0)
        ems_matrix_clear(out);
    return code;
}

/* ---- Writing --------------------------------------------------------------*/

static void put_le(uint8_t **at, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (uint8_t)(x >> 8 * i);
}

static uint8_t *pack(const ems_matrix *m, size_t *size)
{
    *size = HEAD + m->rows * (8 + 4 * m->dim);
    uint8_t *data = ems_alloc(*size, 1), *at = data;
    if (!data)
        return NULL;
    memcpy(at, MAGIC, 8);
    at += 8;
    put_le(&at, m->dim, 8);
    put_le(&at, m->rows, 8);
    at += 32;
    for (size_t i = 0; i < m->rows; i++) {
        uint64_t bits;
        memcpy(&bits, &m->times[i], 8);
        put_le(&at, bits, 8);
    }
    for (size_t i = 0; i < m->rows * m->dim; i++) {
        uint32_t bits;
        memcpy(&bits, &m->values[i], 4);
        put_le(&at, bits, 4);
    }
    hash(data + HEAD, *size - HEAD, data + 24);
    return data;
}

/* ---- The folder ---------------------------------------------------------- */

static size_t limit_bytes(void)
{
    const char *set = getenv("EMSYNC_CACHE_MB");
    const long megabytes = set ? strtol(set, NULL, 10) : 1024;
    return megabytes <= 0 ? 0 : (size_t)megabytes << 20;
}

/* folder/<hash of both>.sense in new memory. */
static char *entry_path(const char *folder, const char film[65],
                        const char expert[65])
{
    char both[129], name[80], key[65];
    snprintf(both, sizeof both, "%.64s%.64s", film, expert);
    ems_sha256_hex(both, strlen(both), key);
    snprintf(name, sizeof name, "%s.sense", key);
    return ems_path_join(folder, name);
}

typedef struct entry {
    char *path;
    size_t size;
    struct timespec used;
} entry;

static int oldest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const entry *)a)->used;
    const struct timespec *y = &((const entry *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static int is_ours(const char *name)
{
    const size_t n = strlen(name);
    return n == 70 && !strcmp(name + 64, ".sense");
}

static size_t list_entries(const char *folder, entry **all, size_t *bytes)
{
    DIR *dir = opendir(folder);
    const struct dirent *d;
    size_t count = 0, room = 0;
    *bytes = 0;
    while (dir && (d = readdir(dir))) {
        struct stat st;
        if (!is_ours(d->d_name) ||
            ems_reserve((void **)all, &room, count + 1, sizeof **all) < 0)
            continue;
        char *path = ems_path_join(folder, d->d_name);
        if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            (*all)[count++] = (entry){path, (size_t)st.st_size, st.st_mtim};
            *bytes += (size_t)st.st_size;
        } else {
            ems_free(path);
        }
    }
    if (dir)
        closedir(dir);
    return count;
}

static void evict(const char *folder, size_t limit)
{
    entry *all = NULL;
    size_t bytes;
    const size_t count = list_entries(folder, &all, &bytes);
    if (count)
        qsort(all, count, sizeof *all, oldest_first);
    for (size_t i = 0; i < count; i++) {
        if (bytes > limit && unlink(all[i].path) == 0)
            bytes -= all[i].size;
        ems_free(all[i].path);
    }
    ems_free(all);
}

/* Where an entry lies; NULL: there is no cache. *folder too is new memory. */
static char *place(const char film[65], const char expert[65], char **folder)
{
    *folder = limit_bytes() ? ems_user_folder("XDG_CACHE_HOME", ".cache",
                                              "experts")
                            : NULL;
    return *folder ? entry_path(*folder, film, expert) : NULL;
}

static int open_entry(ems_bytes *b, const char *path, ems_error *err)
{
    *b = (ems_bytes){0};
    return path && access(path, R_OK) == 0
               ? ems_bytes_map(b, path, MOST_FILE, err)
               : ems_fail(err, EMS_EIO, "not in the cache");
}

/* Used just now, or broken. */
static void mark(const char *path, int code)
{
    if (code == EMS_OK)
        utimensat(AT_FDCWD, path, NULL, 0);
    else if (code == EMS_EFORMAT)
        unlink(path);
}

int ems_cache_get(const char film[65], const char expert[65], size_t dim,
                  ems_matrix *out, ems_error *err)
{
    char *folder, *path = place(film, expert, &folder);
    ems_bytes b;
    *out = (ems_matrix){0};
    int code = open_entry(&b, path, err);
    if (code == EMS_OK) {
        code = ems_matrix_parse(b.data, b.size, dim, out, err);
        mark(path, code);
    }
    ems_bytes_unmap(&b);
    ems_free(path);
    ems_free(folder);
    return code;
}

/* A file without data is for want of memory. */
static int write_entry(const char film[65], const char expert[65],
                       const uint8_t *data, size_t size, ems_error *err)
{
    const size_t limit = limit_bytes();
    char *folder, *path = place(film, expert, &folder);
    int code = !folder ? ems_fail(err, EMS_EIO, "there is no cache")
               : path && data ? ems_folder_make(folder, err)
                              : ems_out_of_memory(err);
    if (code == EMS_OK && size <= limit / 2) {
        code = ems_file_write(path, data, size, err);
        evict(folder, limit);
    }
    ems_free(path);
    ems_free(folder);
    return code;
}

int ems_cache_put(const char film[65], const char expert[65],
                  const ems_matrix *m, ems_error *err)
{
    size_t size = 0;
    uint8_t *data = limit_bytes() ? pack(m, &size) : NULL;
    const int code = write_entry(film, expert, data, size, err);
    ems_free(data);
    return code;
}

/* ---- Texts: "EMSTEXT1", SHA-256 of what follows, the text ---------------- */

static const char TEXT_MAGIC[9] = "EMSTEXT1";
enum { TEXT_HEAD = 8 + 32 };

int ems_cache_get_text(const char film[65], const char key[65], char **text,
                       size_t *size)
{
    char *folder, *path = place(film, key, &folder);
    ems_bytes b;
    uint8_t digest[32];
    *text = NULL;
    *size = 0;
    int code = open_entry(&b, path, NULL);
    if (code == EMS_OK) {
        code = EMS_EFORMAT;
        if (b.size >= TEXT_HEAD && memcmp(b.data, TEXT_MAGIC, 8) == 0) {
            hash(b.data + TEXT_HEAD, b.size - TEXT_HEAD, digest);
            if (memcmp(digest, b.data + 8, 32) == 0)
                code = EMS_OK;
        }
        mark(path, code);
    }
    if (code == EMS_OK) {
        *size = b.size - TEXT_HEAD;
        *text = ems_alloc(*size + 1, 1);
        if (*text)
            memcpy(*text, b.data + TEXT_HEAD, *size);
        code = *text ? EMS_OK : EMS_ENOMEM;
    }
    ems_bytes_unmap(&b);
    ems_free(path);
    ems_free(folder);
    return code;
}

int ems_cache_put_text(const char film[65], const char key[65],
                       const char *text, size_t size)
{
    uint8_t *data = limit_bytes() ? ems_alloc(TEXT_HEAD + size, 1) : NULL;
    if (data) {
        memcpy(data, TEXT_MAGIC, 8);
        memcpy(data + TEXT_HEAD, text, size);
        hash(data + TEXT_HEAD, size, data + 8);
    }
    const int code = write_entry(film, key, data, TEXT_HEAD + size, NULL);
    ems_free(data);
    return code;
}

int ems_file_key(const char *path, char key[65], ems_error *err)
{
    enum { BLOCK = 1 << 18 };
    FILE *in = fopen(path, "rb");
    uint8_t *block = in ? ems_alloc(BLOCK, 1) : NULL, digest[32];
    int code = in ? EMS_OK
                  : ems_fail_errno(err, EMS_EIO, "cannot open \"%s\"", path);
    if (code == EMS_OK && !block)
        code = ems_out_of_memory(err);
    ems_sha256 s;
    ems_sha256_begin(&s);
    size_t n;
    while (code == EMS_OK && (n = fread(block, 1, BLOCK, in)) > 0)
        ems_sha256_add(&s, block, n);
    if (code == EMS_OK && ferror(in))
        code = ems_fail_errno(err, EMS_EIO, "cannot read \"%s\"", path);
    ems_sha256_end(&s, digest);
    for (int i = 0; i < 32; i++)
        snprintf(key + 2 * i, 3, "%02x", digest[i]);
    ems_free(block);
    if (in)
        fclose(in);
    return code;
}

#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int ems_bytes_map(ems_bytes *b, const char *path, size_t limit,
                  ems_error *err)
{
    *b = (ems_bytes){0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ems_fail_errno(err, EMS_EIO, "cannot open \"%s\"", path);
    struct stat st;
    int code = EMS_OK;
    if (fstat(fd, &st) < 0)
        code = ems_fail_errno(err, EMS_EIO, "cannot stat \"%s\"", path);
    else if (!S_ISREG(st.st_mode))
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" is not a regular file",
                        path);
    else if (limit && (uint64_t)st.st_size > limit)
        code = ems_fail(err, EMS_EFORMAT,
                        "\"%s\" has %lld bytes, more than the %zu allowed",
                        path, (long long)st.st_size, limit);
    else if (st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
                          fd, 0);
        if (data == MAP_FAILED)
            code = ems_fail_errno(err, EMS_EIO, "cannot map \"%s\"", path);
        else
            *b = (ems_bytes){data, (size_t)st.st_size};
    }
    close(fd);
    return code;
}

void ems_bytes_unmap(ems_bytes *b)
{
    if (b->data)
        munmap((void *)(uintptr_t)b->data, b->size);
    *b = (ems_bytes){0};
}

/* "dir/.emsync-XXXXXX.mp4" for "dir/film.mp4": libraries look at the suffix.
 * A suffix of more than 8 characters is taken for a part of the name. */
static char *temporary_name(const char *path, int *suffix_length)
{
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    const char *dot = strrchr(path + folder, '.');
    const char *suffix = dot && strlen(dot) <= 8 ? dot : "";
    const size_t bytes = folder + strlen(".emsync-XXXXXX") + strlen(suffix) + 1;
    char *name = ems_alloc(bytes, 1);
    if (!name)
        return NULL;
    snprintf(name, bytes, "%.*s.emsync-XXXXXX%s", (int)folder, path, suffix);
    *suffix_length = (int)strlen(suffix);
    return name;
}

int ems_output_reserve(ems_output *o, const char *path, ems_error *err)
{
    *o = (ems_output){0};
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* never /dev/full */
        return ems_fail(err, EMS_EIO, "cannot write \"%s\": it is %s", path,
                        S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    int suffix = 0;
    char *temporary = temporary_name(path, &suffix);
    char *copy = ems_strdup(path);
    if (!temporary || !copy) {
        ems_free(temporary);
        ems_free(copy);
        return ems_out_of_memory(err);
    }
    const int fd = mkstemps(temporary, suffix);
    if (fd < 0) {
        ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"", path);
        ems_free(temporary);
        ems_free(copy);
        return EMS_EIO;
    }
    const mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    close(fd);
    o->path = copy;
    o->temporary = temporary;
    return EMS_OK;
}

int ems_output_open(ems_output *o, const char *path, ems_error *err)
{
    const int code = ems_output_reserve(o, path, err);
    if (code < 0)
        return code;
    o->file = fopen(o->temporary, "wbe");
    if (!o->file) {
        ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"", path);
        ems_output_discard(o);
        return EMS_EIO;
    }
    return EMS_OK;
}

int ems_output_commit(ems_output *o, ems_error *err)
{
    int failed = 0;
    if (o->file) {
        failed = fflush(o->file) != 0 || ferror(o->file);
        failed |= fclose(o->file) != 0;
        o->file = NULL;
    }
    if (failed || rename(o->temporary, o->path) < 0) {
        ems_fail_errno(err, EMS_EIO, "cannot write \"%s\"", o->path);
        ems_output_discard(o);
        return EMS_EIO;
    }
    ems_free(o->temporary);
    ems_free(o->path);
    *o = (ems_output){0};
    return EMS_OK;
}

void ems_output_discard(ems_output *o)
{
    if (o->file)
        fclose(o->file);
    if (o->temporary)
        unlink(o->temporary);
    ems_free(o->temporary);
    ems_free(o->path);
    *o = (ems_output){0};
}

int ems_file_write(const char *path, const void *data, size_t size,
                   ems_error *err)
{
    ems_output o;
    const int code = ems_output_open(&o, path, err);
    if (code < 0)
        return code;
    fwrite(data, 1, size, o.file); /* commit sees a write error */
    return ems_output_commit(&o, err);
}

int ems_folder_make(const char *path, ems_error *err)
{
    char *copy = ems_strdup(path);
    if (!copy)
        return ems_out_of_memory(err);
    int failed = 0;
    for (char *p = copy + 1; *copy && !failed; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        const char end = *p;
        *p = '\0';
        failed = mkdir(copy, 0777) < 0 && errno != EEXIST;
        *p = end;
        if (end == '\0')
            break;
    }
    ems_free(copy);
    struct stat st;
    if (!failed && stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        failed = 1;
        errno = ENOTDIR;
    }
    return failed ? ems_fail_errno(err, EMS_EIO, "cannot make folder \"%s\"",
                                   path)
                  : EMS_OK;
}

char *ems_path_join(const char *folder, const char *name)
{
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = ems_alloc(bytes, 1);
    if (path)
        snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

char *ems_path_suffix(const char *path, const char *suffix)
{
    const size_t n = strlen(path), m = strlen(suffix) + 1;
    char *out = ems_alloc(n + m, 1);
    if (out) {
        memcpy(out, path, n);
        memcpy(out + n, suffix, m);
    }
    return out;
}

int ems_path_ends(const char *path, const char *suffix)
{
    const size_t n = strlen(path), m = strlen(suffix);
    return n >= m && strcmp(path + n - m, suffix) == 0;
}

static int take_log(FILE *log, const char *path, int keep, ems_error *err)
{
    /* A file system without locks is no reason not to work. */
    if (flock(fileno(log), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return ems_fail(err, EMS_EIO, "another training is writing \"%s\";"
                        " give this one another output", path);
    if (!keep && ftruncate(fileno(log), 0) < 0)
        return ems_fail_errno(err, EMS_EIO, "cannot empty the log \"%s\"",
                              path);
    setvbuf(log, NULL, _IOLBF, 0);
    return EMS_OK;
}

FILE *ems_log_file_open(const char *path, int keep, ems_error *err)
{
    FILE *log = fopen(path, "ae");
    if (!log) {
        ems_fail_errno(err, EMS_EIO, "cannot write the log \"%s\"", path);
        return NULL;
    }
    if (take_log(log, path, keep, err) < 0) {
        fclose(log);
        log = NULL;
    }
    return log;
}

char *ems_models_find(const char *name, ems_error *err)
{
    const char *const folder[] = {getenv("EMSYNC_MODELS"), EMS_MODELS_SOURCE,
                                  EMS_MODELS_INSTALLED};
    for (size_t i = 0; i < sizeof folder / sizeof *folder; i++) {
        char *path = folder[i] ? ems_path_join(folder[i], name) : NULL;
        if (path && access(path, R_OK) == 0)
            return path;
        ems_free(path);
    }
    ems_fail(err, EMS_EIO, "%s is neither in the folder $EMSYNC_MODELS nor in"
             " %s", name, EMS_MODELS_INSTALLED);
    return NULL;
}

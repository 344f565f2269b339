#include "music/midi_files.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct queue { /* folders still to be read */
    char **paths;
    size_t count, capacity;
} queue;

static int has_suffix(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcasecmp(dot, ".mid") == 0 ||
                   strcasecmp(dot, ".midi") == 0 ||
                   strcasecmp(dot, ".kar") == 0);
}

static int add_folder(queue *q, char *path)
{
    if (ems_reserve((void *)&q->paths, &q->capacity, q->count + 1,
                    sizeof *q->paths) < 0)
        return -1;
    q->paths[q->count++] = path;
    return 0;
}

static int add_file(ems_midi_files *f, ems_midi_file file)
{
    if (ems_reserve((void *)&f->items, &f->capacity, f->count + 1,
                    sizeof *f->items) < 0)
        return -1;
    f->items[f->count++] = file;
    return 0;
}

/* Takes `path` over. */
static int add_entry(ems_midi_files *f, queue *q, char *path,
                     const char *name, size_t folder, size_t relative)
{
    struct stat st;
    int failed = 0;
    if (lstat(path, &st) < 0)
        st.st_mode = 0; /* gone since: passed over */
    if (S_ISDIR(st.st_mode))
        failed = add_folder(q, path);
    else if (S_ISREG(st.st_mode) && has_suffix(name))
        failed = add_file(f, (ems_midi_file){path, folder, relative});
    else
        ems_free(path);
    if (failed)
        ems_free(path);
    return failed;
}

static int read_folder(ems_midi_files *f, queue *q, const char *path,
                       size_t folder, size_t relative, ems_error *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return ems_fail_errno(err, EMS_EIO, "cannot read folder \"%s\"",
                              path);
    int failed = 0;
    const struct dirent *entry;
    while (!failed && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        char *below = ems_path_join(path, entry->d_name);
        failed = !below || add_entry(f, q, below, entry->d_name, folder,
                                     relative) < 0;
    }
    closedir(dir);
    return failed ? ems_out_of_memory(err) : EMS_OK;
}

static int pass_over(ems_midi_files *f, const char *path, ems_error *err)
{
    f->unread++;
    if (!f->first_unread && !(f->first_unread = ems_strdup(path)))
        return ems_out_of_memory(err);
    return EMS_OK;
}

static int walk(ems_midi_files *f, const char *root, size_t folder,
                ems_error *err)
{
    queue q = {0};
    char *copy = ems_strdup(root);
    if (!copy || add_folder(&q, copy) < 0) {
        ems_free(copy);
        return ems_out_of_memory(err);
    }
    int code = EMS_OK;
    for (size_t i = 0; code == EMS_OK && i < q.count; i++) {
        code = read_folder(f, &q, q.paths[i], folder, strlen(root) + 1, err);
        if (code == EMS_EIO && i > 0)
            code = pass_over(f, q.paths[i], err);
    }
    for (size_t i = 0; i < q.count; i++)
        ems_free(q.paths[i]);
    ems_free(q.paths);
    return code;
}

static int file_order(const void *a, const void *b)
{
    const ems_midi_file *x = a, *y = b;
    const int c = (x->folder > y->folder) - (x->folder < y->folder);
    return c ? c : strcmp(x->path + x->relative, y->path + y->relative);
}

int ems_midi_files_find(ems_midi_files *f, const char *const *folders,
                        size_t folder_count, ems_error *err)
{
    *f = (ems_midi_files){0};
    int code = EMS_OK;
    for (size_t i = 0; code == EMS_OK && i < folder_count; i++)
        code = walk(f, folders[i], i, err);
    if (code == EMS_OK && f->count > 1)
        qsort(f->items, f->count, sizeof *f->items, file_order);
    if (code < 0)
        ems_midi_files_clear(f);
    return code;
}

void ems_midi_files_clear(ems_midi_files *f)
{
    for (size_t i = 0; i < f->count; i++)
        ems_free(f->items[i].path);
    ems_free(f->items);
    ems_free(f->first_unread);
    *f = (ems_midi_files){0};
}

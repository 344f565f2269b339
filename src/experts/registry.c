#include "experts/registry.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_EXPERTS = 256 };

static char *join3(const char *a, const char *b, const char *c)
{
    char *ab = ems_path_join(a, b);
    char *abc = ab ? ems_path_join(ab, c) : NULL;
    ems_free(ab);
    return abc;
}

char *ems_user_folder(const char *variable, const char *otherwise,
                      const char *name)
{
    const char *set = getenv(variable);
    const char *home = getenv("HOME");
    if (set && set[0] == '/')
        return join3(set, "emsync", name);
    if (!home || home[0] != '/')
        return NULL;
    char *base = ems_path_join(home, otherwise);
    char *folder = base ? join3(base, "emsync", name) : NULL;
    ems_free(base);
    return folder;
}

static int find_roots(ems_registry *r, ems_error *err)
{
    const char *set = getenv("EMSYNC_EXPERTS");
    size_t n = 0;
    if (set) {
        r->roots[0] = *set ? ems_strdup(set) : NULL;
        return !*set || r->roots[0] ? EMS_OK : ems_out_of_memory(err);
    }
    r->roots[n] = ems_user_folder("XDG_DATA_HOME", ".local/share",
                                  "experts");
    n += r->roots[n] != NULL;
    r->roots[n] = ems_strdup(EMS_EXPERTS_INSTALLED);
    return r->roots[n] ? EMS_OK : ems_out_of_memory(err);
}

char *ems_registry_home(ems_error *err)
{
    ems_registry r = {0};
    if (find_roots(&r, err) == EMS_OK && !r.roots[0])
        ems_fail(err, EMS_EIO, "EMSYNC_EXPERTS is empty: there is no folder"
                 " for experts");
    char *home = r.roots[0];
    r.roots[0] = NULL;
    for (size_t i = 1; i < 4; i++)
        ems_free(r.roots[i]);
    return home;
}

static int known(const ems_registry *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->places[i].name, name))
            return 1;
    return 0;
}

/* Take root/name if there is a manifest in it. */
static int add_place(ems_registry *r, size_t *room, const char *root,
                     const char *name, ems_error *err)
{
    char *manifest = join3(root, name, "manifest.json");
    const int there = manifest && access(manifest, F_OK) == 0;
    ems_free(manifest);
    if (!there || known(r, name) || r->count >= MOST_EXPERTS)
        return EMS_OK;
    if (ems_reserve((void **)&r->places, room, r->count + 1,
                    sizeof *r->places) < 0)
        return ems_out_of_memory(err);
    ems_expert_place *p = &r->places[r->count++];
    *p = (ems_expert_place){ems_strdup(name), ems_path_join(root, name)};
    return p->name && p->folder ? EMS_OK : ems_out_of_memory(err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ems_expert_place *)a)->name,
                  ((const ems_expert_place *)b)->name);
}

int ems_registry_open(ems_registry *r, ems_error *err)
{
    *r = (ems_registry){0};
    size_t room = 0;
    int code = find_roots(r, err);
    for (size_t i = 0; i < 4 && r->roots[i] && code == EMS_OK; i++) {
        DIR *folder = opendir(r->roots[i]);
        const struct dirent *entry;
        while (folder && code == EMS_OK && (entry = readdir(folder)))
            if (entry->d_name[0] != '.')
                code = add_place(r, &room, r->roots[i], entry->d_name, err);
        if (folder)
            closedir(folder);
    }
    if (r->count)
        qsort(r->places, r->count, sizeof *r->places, by_name);
    if (code < 0)
        ems_registry_clear(r);
    return code;
}

void ems_registry_clear(ems_registry *r)
{
    for (size_t i = 0; i < 4; i++)
        ems_free(r->roots[i]);
    for (size_t i = 0; i < r->count; i++) {
        ems_free(r->places[i].name);
        ems_free(r->places[i].folder);
    }
    ems_free(r->places);
    *r = (ems_registry){0};
}

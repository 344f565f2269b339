#include "music/dataset_origin.h"

#include "base/csv.h"
#include "base/mem.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WEIGHT = 1000, LOOK = 400 /* bytes of a licence */ };

/* ---- The table -------------------------------------------------------------- */

static int add_row(ems_origins *o, const ems_csv *c, const int column[3],
                   ems_error *err)
{
    ems_origin_row row;
    if (ems_csv_number(c, column[2], 0.001, MAX_WEIGHT, &row.weight, err) < 0)
        return EMS_EFORMAT;
    const char *source = ems_csv_text(c, column[0]);
    const char *licence = ems_csv_text(c, column[1]);
    const size_t n = strlen(source) + 1, k = strlen(licence) + 1;
    if (ems_reserve((void *)&o->rows, &o->capacity, o->count + 1,
                    sizeof *o->rows) < 0 ||
        !(row.source = ems_alloc(n + k, 1)))
        return ems_out_of_memory(err);
    memcpy(row.source, source, n);
    row.licence = memcpy(row.source + n, licence, k);
    o->rows[o->count++] = row;
    return EMS_OK;
}

int ems_origins_parse(ems_origins *o, const char *data, size_t size,
                      const char *name, ems_error *err)
{
    *o = (ems_origins){0};
    ems_csv c;
    int code = ems_csv_open(&c, data, size, name, err), more = 1;
    if (code < 0)
        return code;
    int column[3] = {ems_csv_column(&c, "source"),
                     ems_csv_column(&c, "licence"),
                     ems_csv_column(&c, "weight")};
    if (column[1] < 0)
        column[1] = ems_csv_column(&c, "license");
    if (column[0] < 0 || (column[1] < 0 && column[2] < 0))
        code = ems_csv_fail(&c, "columns named source, and licence or weight,"
                                " are needed", err);
    while (code == EMS_OK && (more = ems_csv_next(&c, err)) > 0)
        code = add_row(o, &c, column, err);
    code = code < 0 ? code : more;
    ems_csv_close(&c);
    if (code < 0)
        ems_origins_clear(o);
    return code;
}

int ems_origins_load(ems_origins *o, const char *path, ems_error *err)
{
    *o = (ems_origins){0};
    ems_bytes b;
    if (!path)
        return EMS_OK;
    int code = ems_bytes_map(&b, path, EMS_CSV_BYTES, err);
    if (code < 0)
        return code;
    code = ems_origins_parse(o, b.data ? (const char *)b.data : "", b.size,
                             path, err);
    ems_bytes_unmap(&b);
    return code;
}

void ems_origins_clear(ems_origins *o)
{
    for (size_t i = 0; i < o->count; i++)
        ems_free(o->rows[i].source);
    ems_free(o->rows);
    ems_free(o->scattered);
    ems_free(o->folder);
    *o = (ems_origins){0};
}

int ems_origins_look(ems_origins *o, const ems_midi_files *files,
                     size_t folder_count, ems_error *err)
{
    o->scattered = ems_alloc(folder_count, 1);
    if (!o->scattered)
        return ems_out_of_memory(err);
    const char *before = "";
    size_t folder = SIZE_MAX, count = 0;
    for (size_t i = 0; i < files->count; i++) {
        const ems_midi_file *f = &files->items[i];
        const char *name = f->path + f->relative;
        const size_t n = strcspn(name, "/");
        if (f->folder != folder)
            count = 0;
        if (name[n] && (f->folder != folder ||
                        strncmp(name, before, n + 1) != 0))
            count++;
        folder = f->folder;
        before = name;
        o->scattered[folder] |= count > EMS_ORIGIN_FOLDERS;
    }
    return EMS_OK;
}

static const ems_origin_row *row_of(const ems_origins *o, const char *source)
{
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->rows[i].source, source) == 0)
            return &o->rows[i];
    return NULL;
}

/* ---- Licences that lie beside the music ------------------------------------- */

static int is_licence(const struct dirent *entry)
{
    return strncasecmp(entry->d_name, "licen", 5) == 0 ||
           strncasecmp(entry->d_name, "copying", 7) == 0;
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One line without what may not be shown and without marks at its ends. */
static void copy_line(char *out, size_t room, const char *line, size_t size)
{
    size_t i = 0, n = 0;
    while (i < size && !is_letter(line[i]))
        i++;
    for (; i < size && n + 1 < room; i++)
        out[n++] = (unsigned char)line[i] < ' ' || line[i] == 127 ? ' '
                                                                  : line[i];
    while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == '='))
        n--;
    out[n] = '\0';
}

/* The first line with words that does not name an owner: "GNU GENERAL PUBLIC
 * LICENSE". */
static void heading(char *out, size_t room, const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t n = end ? (size_t)(end - text) - at : size - at;
        copy_line(out, room, text + at, n);
        if (*out && !strcasestr(out, "copyright") &&
            !strcasestr(out, "rights reserved"))
            return;
        at += n + 1;
    }
    *out = '\0';
}

static void look_into(char *out, size_t room, const char *folder)
{
    struct dirent **names;
    const int n = scandir(folder, &names, is_licence, alphasort);
    for (int i = 0; i < n; i++) {
        char *path = out[0] ? NULL : ems_path_join(folder, names[i]->d_name);
        ems_bytes b;
        if (path && ems_bytes_map(&b, path, 1 << 20, NULL) == EMS_OK) {
            heading(out, room, (const char *)b.data,
                    b.size < LOOK ? b.size : LOOK);
            ems_bytes_unmap(&b);
        }
        ems_free(path);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

/* Of the first folder below the one named, else of that. */
static const char *licence_beside(ems_origins *o, const ems_midi_file *f,
                                  const char *slash)
{
    const size_t n = slash ? (size_t)(slash - f->path) : f->relative - 1;
    if (o->folder && strlen(o->folder) == n &&
        strncmp(o->folder, f->path, n) == 0)
        return o->licence;
    ems_free(o->folder);
    o->folder = ems_alloc(n + 1, 1);
    o->licence[0] = '\0';
    if (!o->folder)
        return NULL;
    memcpy(o->folder, f->path, n);
    look_into(o->licence, sizeof o->licence, o->folder);
    if (slash && !o->licence[0]) {
        o->folder[f->relative - 1] = '\0';
        look_into(o->licence, sizeof o->licence, o->folder);
        memcpy(o->folder, f->path, n);
    }
    return o->licence;
}

/* ---- One piece -------------------------------------------------------------- */

static char *name_of_source(const ems_midi_file *f, const char *slash)
{
    const char *from = f->path + f->relative;
    const char *to = slash;
    if (!slash) { /* the folder's own name */
        to = from;
        while (to > f->path && to[-1] == '/')
            to--;
        for (from = to; from > f->path && from[-1] != '/';)
            from--;
    }
    const size_t n = (size_t)(to - from);
    char *name = ems_alloc(n + 1, 1);
    if (name)
        memcpy(name, from, n);
    return name;
}

static int add_word(uint32_t *out, ems_build *b, const char *text)
{
    const size_t at = text ? ems_words_add(&b->words, text) : SIZE_MAX;
    *out = (uint32_t)at;
    return at == SIZE_MAX ? -1 : 0;
}

int ems_origin_set(ems_built_piece *p, ems_build *b, ems_origins *o,
                   const ems_midi_file *file, const ems_label *label,
                   ems_error *err)
{
    const char *slash = o->scattered && o->scattered[file->folder]
                            ? NULL
                            : strchr(file->path + file->relative, '/');
    char *own = label && *label->source ? NULL : name_of_source(file, slash);
    const char *source = own ? own : label ? label->source : NULL;
    int failed = !source || add_word(&p->source, b, source) < 0;
    const ems_origin_row *row = failed ? NULL : row_of(o, source);
    ems_free(own);
    const char *licence = label ? label->licence : "";
    if (!*licence && row)
        licence = row->licence;
    if (!*licence)
        licence = licence_beside(o, file, slash);
    failed = failed || add_word(&p->licence, b, licence) < 0 ||
             add_word(&p->style, b, label ? label->style : "") < 0;
    p->weight = row && !isnan(row->weight) ? (float)row->weight : 1;
    return failed ? ems_out_of_memory(err) : EMS_OK;
}

size_t ems_words_add(ems_words *w, const char *text)
{
    if (w->count == 0 && *text && ems_words_add(w, "") == SIZE_MAX)
        return SIZE_MAX;
    for (size_t i = w->count; i-- > 0;)
        if (strcmp(w->items[i], text) == 0)
            return i;
    if (ems_reserve((void *)&w->items, &w->capacity, w->count + 1,
                    sizeof *w->items) < 0 ||
        !(w->items[w->count] = ems_strdup(text)))
        return SIZE_MAX;
    return w->count++;
}

void ems_words_clear(ems_words *w)
{
    for (size_t i = 0; i < w->count; i++)
        ems_free(w->items[i]);
    ems_free(w->items);
    *w = (ems_words){0};
}

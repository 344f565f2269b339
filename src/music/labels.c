#include "music/labels.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 5 };

typedef struct columns {
    int text[TEXTS], valence, arousal; /* -1: not there */
} columns;

static int either(const ems_csv *c, const char *name, const char *other)
{
    const int at = ems_csv_column(c, name);
    return at >= 0 ? at : ems_csv_column(c, other);
}

static int find_columns(columns *at, const ems_csv *c, ems_error *err)
{
    *at = (columns){
        .text = {ems_csv_column(c, "file"), either(c, "song", "title"),
                 either(c, "source", "collection"),
                 either(c, "licence", "license"),
                 either(c, "style", "groove")},
        .valence = ems_csv_column(c, "valence"),
        .arousal = ems_csv_column(c, "arousal"),
    };
    if (at->text[0] >= 0)
        return EMS_OK;
    return ems_csv_fail(c, "a column named file is needed, and valence or"
                           " arousal", err);
}

/* The texts of one record in one block, the first at its start. */
static char *copy_texts(const char *texts[TEXTS], const ems_csv *c,
                        const columns *at)
{
    size_t size = 0, used = 0;
    for (int i = 0; i < TEXTS; i++)
        size += strlen(ems_csv_text(c, at->text[i])) + 1;
    char *block = ems_alloc(size, 1);
    for (int i = 0; block && i < TEXTS; i++) {
        const char *text = ems_csv_text(c, at->text[i]);
        if (i == 0 && strncmp(text, "./", 2) == 0)
            text += 2;
        const size_t n = strlen(text) + 1;
        texts[i] = memcpy(block + used, text, n);
        used += n;
    }
    return block;
}

static int add_record(ems_labels *l, const ems_csv *c, const columns *at,
                      ems_error *err)
{
    ems_label label;
    const char *texts[TEXTS];
    if (!*ems_csv_text(c, at->text[0]))
        return ems_csv_fail(c, "no file is named", err);
    if (ems_csv_number(c, at->valence, -1, 1, &label.valence, err) < 0 ||
        ems_csv_number(c, at->arousal, -1, 1, &label.arousal, err) < 0)
        return EMS_EFORMAT;
    if (ems_reserve((void *)&l->items, &l->capacity, l->count + 1,
                    sizeof *l->items) < 0 ||
        !(label.file = copy_texts(texts, c, at)))
        return ems_out_of_memory(err);
    label.song = texts[1];
    label.source = texts[2];
    label.licence = texts[3];
    label.style = texts[4];
    l->items[l->count++] = label;
    return EMS_OK;
}

static int label_order(const void *a, const void *b)
{
    return strcmp(((const ems_label *)a)->file,
                  ((const ems_label *)b)->file);
}

static int read_all(ems_labels *l, ems_csv *c, ems_error *err)
{
    columns at;
    int code = find_columns(&at, c, err), more = 1;
    while (code == EMS_OK && (more = ems_csv_next(c, err)) > 0)
        code = add_record(l, c, &at, err);
    if (l->count > 1)
        qsort(l->items, l->count, sizeof *l->items, label_order);
    return code < 0 ? code : more;
}

int ems_labels_parse(ems_labels *l, const char *data, size_t size,
                     const char *name, ems_error *err)
{
    *l = (ems_labels){0};
    ems_csv c;
    int code = ems_csv_open(&c, data, size, name, err);
    if (code < 0)
        return code;
    code = read_all(l, &c, err);
    ems_csv_close(&c);
    if (code < 0)
        ems_labels_clear(l);
    return code;
}

int ems_labels_load(ems_labels *l, const char *path, ems_error *err)
{
    *l = (ems_labels){0};
    ems_bytes b;
    int code = ems_bytes_map(&b, path, EMS_CSV_BYTES, err);
    if (code < 0)
        return code;
    code = ems_labels_parse(l, b.data ? (const char *)b.data : "", b.size,
                            path, err);
    ems_bytes_unmap(&b);
    return code;
}

const ems_label *ems_labels_find(const ems_labels *l, const char *file)
{
    const ems_label key = {.file = (char *)(uintptr_t)file};
    return l->count ? bsearch(&key, l->items, l->count, sizeof key,
                              label_order)
                    : NULL;
}

void ems_labels_clear(ems_labels *l)
{
    for (size_t i = 0; i < l->count; i++)
        ems_free(l->items[i].file);
    ems_free(l->items);
    *l = (ems_labels){0};
}

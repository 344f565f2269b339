#include "music/labels.h"

#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 256, MAX_LABEL_BYTES = 256 << 20, MAX_FIELD = 4095 };

typedef struct csv {
    const char *at, *end, *name;
    size_t line;
    ems_error *err;
    char *field;  /* MAX_FIELD + 1 bytes, the last field read */
    size_t length;
} csv;

static int bad_csv(const csv *c, const char *what)
{
    return ems_fail(c->err, EMS_EFORMAT, "\"%s\" line %zu: %s", c->name,
                    c->line, what);
}

static int put(csv *c, char ch)
{
    if (c->length >= MAX_FIELD)
        return bad_csv(c, "a field longer than 4095 bytes");
    if (ch == '\0')
        return bad_csv(c, "a zero byte");
    c->field[c->length++] = ch;
    return EMS_OK;
}

static int quoted(csv *c)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '"') {
            if (c->at + 1 == c->end || c->at[1] != '"') {
                c->at++;
                return EMS_OK;
            }
            c->at++;
        }
        c->line += *c->at == '\n';
        if (put(c, *c->at) < 0)
            return EMS_EFORMAT;
    }
    return bad_csv(c, "a quote that does not end");
}

/* The next field. Returns 1 when the record goes on, 0 when that was its
 * last, or an error. */
static int field(csv *c)
{
    c->length = 0;
    if (c->at < c->end && *c->at == '"' && quoted(c) < 0)
        return EMS_EFORMAT;
    while (c->at < c->end && *c->at != ',' && *c->at != '\n') {
        if (*c->at != '\r' && put(c, *c->at) < 0)
            return EMS_EFORMAT;
        c->at++;
    }
    c->field[c->length] = '\0';
    const int more = c->at < c->end && *c->at == ',';
    c->line += c->at < c->end && *c->at == '\n';
    c->at += c->at < c->end;
    return more;
}

/* A decimal number without the locale's help. */
static int parse_decimal(const char *s, double *out)
{
    const double sign = *s == '-' ? -1 : 1;
    s += *s == '-' || *s == '+';
    double value = 0, scale = 1;
    int digits = 0;
    for (; *s >= '0' && *s <= '9'; s++, digits++)
        value = value * 10 + (*s - '0');
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++, digits++)
            value += (*s - '0') * (scale /= 10);
    *out = sign * value;
    return digits > 0 && digits < 30 && *s == '\0';
}

static int parse_label(csv *c, double *out)
{
    if (c->length == 0 || strcasecmp(c->field, "nan") == 0) {
        *out = NAN;
        return EMS_OK;
    }
    if (!parse_decimal(c->field, out) || *out < -1 || *out > 1)
        return bad_csv(c, "valence and arousal must be numbers in [-1,1]");
    return EMS_OK;
}

typedef struct columns {
    int file, valence, arousal; /* -1: not there */
} columns;

static int read_heading(csv *c, columns *at)
{
    *at = (columns){-1, -1, -1};
    for (int i = 0;; i++) {
        const int more = field(c);
        if (more < 0)
            return more;
        if (i >= MAX_FIELDS)
            return bad_csv(c, "more than 256 columns");
        if (strcmp(c->field, "file") == 0)
            at->file = i;
        if (strcmp(c->field, "valence") == 0)
            at->valence = i;
        if (strcmp(c->field, "arousal") == 0)
            at->arousal = i;
        if (!more)
            break;
    }
    if (at->file < 0 || (at->valence < 0 && at->arousal < 0)) {
        c->line = 1;
        return bad_csv(c, "columns named file, valence and arousal are"
                          " needed");
    }
    return EMS_OK;
}

static int read_record(csv *c, const columns *at, ems_label *out)
{
    *out = (ems_label){NULL, NAN, NAN};
    for (int i = 0;; i++) {
        const int more = field(c);
        int code = more < 0 ? more : EMS_OK;
        if (code == EMS_OK && i >= MAX_FIELDS)
            code = bad_csv(c, "more than 256 columns");
        if (code == EMS_OK && i == at->file) {
            const int dot = strncmp(c->field, "./", 2) == 0;
            out->file = ems_strdup(c->field + 2 * dot);
            code = out->file ? EMS_OK : ems_out_of_memory(c->err);
        }
        if (code == EMS_OK && i == at->valence)
            code = parse_label(c, &out->valence);
        if (code == EMS_OK && i == at->arousal)
            code = parse_label(c, &out->arousal);
        if (code < 0) {
            ems_free(out->file);
            return code;
        }
        if (!more)
            return EMS_OK;
    }
}

static int label_order(const void *a, const void *b)
{
    return strcmp(((const ems_label *)a)->file,
                  ((const ems_label *)b)->file);
}

static int read_all(ems_labels *l, csv *c)
{
    columns at;
    int code = read_heading(c, &at);
    while (code == EMS_OK && c->at < c->end) {
        if (*c->at == '\n' || *c->at == '\r') { /* an empty line */
            c->line += *c->at++ == '\n';
            continue;
        }
        ems_label label;
        code = read_record(c, &at, &label);
        if (code < 0 || !label.file)
            continue;
        if (ems_reserve((void *)&l->items, &l->capacity, l->count + 1,
                        sizeof *l->items) < 0) {
            ems_free(label.file);
            return ems_out_of_memory(c->err);
        }
        l->items[l->count++] = label;
    }
    if (code == EMS_OK && l->count > 1)
        qsort(l->items, l->count, sizeof *l->items, label_order);
    return code;
}

int ems_labels_parse(ems_labels *l, const char *data, size_t size,
                     const char *name, ems_error *err)
{
    *l = (ems_labels){0};
    csv c = {data, data + size, name, 1, err, NULL, 0};
    c.field = ems_alloc(MAX_FIELD + 1, 1);
    if (!c.field)
        return ems_out_of_memory(err);
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        c.at += 3; /* the mark some spreadsheets begin with */
    const int code = read_all(l, &c);
    ems_free(c.field);
    if (code < 0)
        ems_labels_clear(l);
    return code;
}

int ems_labels_load(ems_labels *l, const char *path, ems_error *err)
{
    *l = (ems_labels){0};
    ems_bytes b;
    int code = ems_bytes_map(&b, path, MAX_LABEL_BYTES, err);
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

#include "affect/text_data.h"

#include "affect/text.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FILE = 1 << 28 };

/* ---- Names of labels ---------------------------------------------------- */

/* The next line without its end; advances *data. */
static int next_line(const char **data, const char *end, const char **line,
                     size_t *size)
{
    if (*data == end)
        return 0;
    const char *stop = memchr(*data, '\n', (size_t)(end - *data));
    *line = *data;
    *size = (size_t)((stop ? stop : end) - *data);
    *data = stop ? stop + 1 : end;
    if (*size && (*line)[*size - 1] == '\r')
        --*size;
    return 1;
}

static size_t output_of(const char *label, size_t size, int ekman)
{
    const char *const *names = ekman ? ems_text_ekman_names
                                     : ems_text_full_names;
    const size_t count = ekman ? EMS_TEXT_EKMAN : EMS_TEXT_FULL;
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == size && memcmp(names[i], label, size) == 0)
            return i + (ekman ? EMS_TEXT_FULL : 0);
    return SIZE_MAX;
}

int ems_text_labels_parse(ems_text_labels *l, int ekman, const char *data,
                          size_t size, const char *name, ems_error *err)
{
    const size_t wanted = ekman ? EMS_TEXT_EKMAN : EMS_TEXT_FULL;
    const char *end = data + size, *line;
    uint64_t seen = 0;
    size_t length;
    l->count = 0;
    while (next_line(&data, end, &line, &length)) {
        if (length == 0)
            continue;
        const size_t o = output_of(line, length, ekman);
        if (o == SIZE_MAX || (seen >> o & 1))
            return ems_fail(err, EMS_EFORMAT, "%s: label %zu, \"%.*s\", is"
                            " unknown or stands there twice (wanted: the %zu"
                            " names of GoEmotions)", name, l->count + 1,
                            length < 40 ? (int)length : 40, line, wanted);
        seen |= (uint64_t)1 << o;
        l->output[l->count++] = (uint8_t)o;
    }
    if (l->count != wanted)
        return ems_fail(err, EMS_EFORMAT, "%s: %zu labels; there should be"
                        " %zu", name, l->count, wanted);
    return EMS_OK;
}

/* ---- Rows --------------------------------------------------------------- */

typedef struct table {
    ems_text_set *set;
    const ems_text_labels *labels;
    const char *name;
    size_t row;         /* from 1 */
    int adds;           /* labels to texts that are there */
    ems_error *err;
} table;

static int read_ids(table *t, const char *at, const char *end, uint64_t *out)
{
    *out = 0;
    while (at < end) {
        size_t id = 0;
        const char *from = at;
        while (at < end && *at >= '0' && *at <= '9' && id < 1000)
            id = id * 10 + (size_t)(*at++ - '0');
        if (at == from || (at < end && *at != ','))
            return ems_fail(t->err, EMS_EFORMAT, "%s: line %zu: the second"
                            " column should be label numbers with commas"
                            " between them", t->name, t->row);
        if (id >= t->labels->count)
            return ems_fail(t->err, EMS_EFORMAT, "%s: line %zu: label number"
                            " %zu; labels.txt knows 0 to %zu", t->name, t->row,
                            id, t->labels->count - 1);
        *out |= (uint64_t)1 << t->labels->output[id];
        at += at < end;
    }
    return EMS_OK;
}

static int append(table *t, const ems_words *w, uint64_t labels)
{
    ems_text_set *s = t->set;
    const size_t words = s->count ? s->line[s->count] : 0;
    const size_t hashes = words ? s->word[words] : 0;
    const size_t more = w->count ? w->end[w->count - 1] : 0;
    if (ems_reserve((void **)&s->line, &s->line_room, s->count + 2,
                    sizeof *s->line) < 0 ||
        ems_reserve((void **)&s->word, &s->word_room, words + w->count + 1,
                    sizeof *s->word) < 0 ||
        ems_reserve((void **)&s->hash, &s->hash_room, hashes + more + 1,
                    sizeof *s->hash) < 0 ||
        ems_reserve((void **)&s->labels, &s->label_room, s->count + 1,
                    sizeof *s->labels) < 0)
        return ems_out_of_memory(t->err);
    s->line[0] = s->word[0] = 0;
    for (size_t i = 0; i < w->count; i++)
        s->word[words + i + 1] = hashes + w->end[i];
    memcpy(s->hash + hashes, w->hash, more * sizeof *s->hash);
    s->labels[s->count++] = labels;
    s->line[s->count] = words + w->count;
    return EMS_OK;
}

/* Are these the words that line `row` of the set has? */
static int same_words(const table *t, const ems_words *w)
{
    const ems_text_set *s = t->set;
    const size_t from = s->line[t->row - 1];
    const size_t hashes = w->count ? w->end[w->count - 1] : 0;
    return s->line[t->row] - from == w->count &&
           s->word[from + w->count] - s->word[from] == hashes &&
           memcmp(s->hash + s->word[from], w->hash,
                  hashes * sizeof *s->hash) == 0;
}

static int read_row(table *t, const char *line, size_t size)
{
    const char *end = line + size, *tab = memchr(line, '\t', size);
    const char *ids = tab ? tab + 1 : NULL;
    const char *stop = ids ? memchr(ids, '\t', (size_t)(end - ids)) : NULL;
    uint64_t labels;
    ems_words w;
    if (!ids)
        return ems_fail(t->err, EMS_EFORMAT, "%s: line %zu has no tab: wanted"
                        " are text, label numbers and a name", t->name,
                        t->row);
    if (read_ids(t, ids, stop ? stop : end, &labels) < 0)
        return EMS_EFORMAT;
    w.count = w.letters = 0;
    ems_words_read(&w, line, (size_t)(tab - line));
    if (!t->adds)
        return append(t, &w, labels);
    if (t->row > t->set->count || !same_words(t, &w))
        return ems_fail(t->err, EMS_EFORMAT, "%s: line %zu is another text"
                        " than in the table with the other labels", t->name,
                        t->row);
    t->set->labels[t->row - 1] |= labels;
    return EMS_OK;
}

int ems_text_set_parse(ems_text_set *s, const ems_text_labels *l,
                       const char *data, size_t size, const char *name,
                       ems_error *err)
{
    ems_error own;
    table t = {.set = s, .labels = l, .name = name, .adds = s->count > 0,
               .err = err ? err : &own};
    const char *end = data + size, *line;
    size_t length;
    while (next_line(&data, end, &line, &length)) {
        t.row++;
        const int code = read_row(&t, line, length);
        if (code < 0)
            return code;
    }
    if (t.row == 0)
        return ems_fail(err, EMS_EFORMAT, "%s is empty", name);
    if (t.row < s->count)
        return ems_fail(err, EMS_EFORMAT, "%s ends after line %zu; the table"
                        " with the other labels has %zu", name, t.row,
                        s->count);
    return EMS_OK;
}

/* ---- Folders ------------------------------------------------------------ */

static int load_file(ems_text_set *s, ems_text_labels *l, const char *folder,
                     int ekman, const char *file, ems_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%s", ekman ? "ekman" : "original", file);
    char *path = ems_path_join(folder, name);
    if (!path)
        return ems_out_of_memory(err);
    ems_bytes b;
    int code = ems_bytes_map(&b, path, MAX_FILE, err);
    if (code == EMS_OK) {
        const char *data = b.data ? (const char *)b.data : "";
        code = s ? ems_text_set_parse(s, l, data, b.size, path, err)
                 : ems_text_labels_parse(l, ekman, data, b.size, path, err);
        ems_bytes_unmap(&b);
    }
    ems_free(path);
    return code;
}

int ems_text_set_load(ems_text_set *s, const char *folder, const char *part,
                      ems_error *err)
{
    char file[16];
    snprintf(file, sizeof file, "%s.tsv", part);
    *s = (ems_text_set){0};
    int code = EMS_OK;
    for (int ekman = 0; ekman < 2 && code == EMS_OK; ekman++) {
        ems_text_labels l;
        code = load_file(NULL, &l, folder, ekman, "labels.txt", err);
        if (code == EMS_OK)
            code = load_file(s, &l, folder, ekman, file, err);
    }
    if (code < 0)
        ems_text_set_clear(s);
    return code;
}

void ems_text_set_clear(ems_text_set *s)
{
    ems_free(s->line);
    ems_free(s->word);
    ems_free(s->hash);
    ems_free(s->labels);
    *s = (ems_text_set){0};
}

void ems_text_set_words(const ems_text_set *s, size_t i, ems_words *w)
{
    const size_t from = s->line[i], first = s->word[from];
    w->count = w->letters = s->line[i + 1] - from;
    for (size_t t = 0; t < w->count; t++)
        w->end[t] = (uint16_t)(s->word[from + t + 1] - first);
    const size_t hashes = s->word[from + w->count] - first;
    memcpy(w->hash, s->hash + first, hashes * sizeof *w->hash);
    if (w->count == 0) { /* a text of blanks */
        *w->hash = 0;
        w->end[0] = 1;
        w->count = 1;
    }
}

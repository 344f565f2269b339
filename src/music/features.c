#include "music/features.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/csv.h"
#include "music/names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRACK_ID = 18, TEXTS = 40, HAYSTACK = 4096, MAX_TEXT = 200 };

typedef struct row {
    char *title;         /* plain, in one block with the artist */
    const char *artist;
    char track[TRACK_ID + 1];
    float valence;       /* [-1,1] */
} row;

struct ems_features {
    row *rows;           /* ascending title, then artist, valence */
    const row **by_track; /* of those with a track id */
    size_t count, capacity, tracks;
};

/* ---- Reading -------------------------------------------------------------- */

static int row_order(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int c = strcmp(x->title, y->title);
    if (!c)
        c = strcmp(x->artist, y->artist);
    return c ? c : (x->valence > y->valence) - (x->valence < y->valence);
}

static int track_order(const void *a, const void *b)
{
    return strcmp((*(const row *const *)a)->track,
                  (*(const row *const *)b)->track);
}

static int is_id_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* "TR" and 16 capital letters or digits, as the Million Song Dataset has. */
static int is_track_id(const char *s)
{
    if (s[0] != 'T' || s[1] != 'R')
        return 0;
    for (int i = 2; i < TRACK_ID; i++)
        if (!is_id_letter(s[i]))
            return 0;
    return !is_id_letter(s[TRACK_ID]);
}

static char *copy_names(const char **artist, const char *artist_in,
                        const char *title_in)
{
    char title[EMS_NAME_ROOM], name[EMS_NAME_ROOM];
    const size_t t = ems_name_plain(title, sizeof title, title_in,
                                    strlen(title_in), 0);
    const size_t a = ems_name_plain(name, sizeof name, artist_in,
                                    strlen(artist_in), 0);
    char *block = ems_alloc(t + a + 2, 1);
    if (block) {
        memcpy(block, title, t + 1);
        *artist = memcpy(block + t + 1, name, a + 1);
    }
    return block;
}

typedef struct columns {
    int artist, title, track, valence;
} columns;

static int add_row(ems_features *f, const ems_csv *c, const columns *at,
                   ems_error *err)
{
    double valence;
    if (ems_csv_number(c, at->valence, 0, 1, &valence, err) < 0)
        return EMS_EFORMAT;
    if (isnan(valence) || valence == 0)
        return EMS_OK;
    row r = {.valence = (float)(2 * valence - 1)};
    const char *track = ems_csv_text(c, at->track);
    if (strlen(track) == TRACK_ID && is_track_id(track))
        memcpy(r.track, track, TRACK_ID);
    if (ems_reserve((void *)&f->rows, &f->capacity, f->count + 1,
                    sizeof *f->rows) < 0 ||
        !(r.title = copy_names(&r.artist, ems_csv_text(c, at->artist),
                               ems_csv_text(c, at->title))))
        return ems_out_of_memory(err);
    f->rows[f->count++] = r;
    return EMS_OK;
}

static int sort_rows(ems_features *f, ems_error *err)
{
    if (f->count > 1)
        qsort(f->rows, f->count, sizeof *f->rows, row_order);
    f->by_track = ems_alloc(f->count, sizeof *f->by_track);
    if (!f->by_track)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].track[0])
            f->by_track[f->tracks++] = &f->rows[i];
    if (f->tracks > 1)
        qsort(f->by_track, f->tracks, sizeof *f->by_track, track_order);
    return EMS_OK;
}

static int read_rows(ems_features *f, ems_csv *c, ems_error *err)
{
    const columns at = {ems_csv_column(c, "artist"),
                        ems_csv_column(c, "title"),
                        ems_csv_column(c, "track_id"),
                        ems_csv_column(c, "valence")};
    if (at.valence < 0 || (at.track < 0 && (at.artist < 0 || at.title < 0)))
        return ems_csv_fail(c, "columns named valence and track_id, or artist"
                               " and title, are needed", err);
    int code = EMS_OK, more = 1;
    while (code == EMS_OK && (more = ems_csv_next(c, err)) > 0)
        code = add_row(f, c, &at, err);
    code = code < 0 ? code : more;
    return code < 0 ? code : sort_rows(f, err);
}

ems_features *ems_features_parse(const char *data, size_t size,
                                 const char *name, ems_error *err)
{
    ems_csv c;
    if (ems_csv_open(&c, data, size, name, err) < 0)
        return NULL;
    ems_features *f = ems_alloc(1, sizeof *f);
    const int code = f ? read_rows(f, &c, err) : ems_out_of_memory(err);
    ems_csv_close(&c);
    if (code < 0) {
        ems_features_free(f);
        return NULL;
    }
    return f;
}

ems_features *ems_features_load(const char *path, ems_error *err)
{
    ems_bytes b;
    if (ems_bytes_map(&b, path, EMS_CSV_BYTES, err) < 0)
        return NULL;
    ems_features *f = ems_features_parse(b.data ? (const char *)b.data : "",
                                         b.size, path, err);
    ems_bytes_unmap(&b);
    return f;
}

void ems_features_free(ems_features *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        ems_free(f->rows[i].title);
    ems_free(f->rows);
    ems_free(f->by_track);
    ems_free(f);
}

size_t ems_features_count(const ems_features *f)
{
    return f->count;
}

/* ---- Finding -------------------------------------------------------------- */

static const row *find_track(const ems_features *f, const char *path)
{
    for (const char *s = strstr(path, "TR"); s; s = strstr(s + 1, "TR")) {
        if (!is_track_id(s) || (s > path && is_id_letter(s[-1])))
            continue;
        row key = {0};
        memcpy(key.track, s, TRACK_ID);
        const row *k = &key;
        const row **found = f->tracks
                                ? bsearch(&k, f->by_track, f->tracks,
                                          sizeof *f->by_track, track_order)
                                : NULL;
        if (found)
            return *found;
    }
    return NULL;
}

/* The first row with that title, or `count`. */
static size_t first_title(const ems_features *f, const char *title)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (strcmp(f->rows[middle].title, title) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The mean valence of the rows with this title whose artist `all` names
 * beside the title. */
static double by_title(const ems_features *f, const char *title,
                       const char *all)
{
    double sum = 0, count = 0;
    for (size_t i = first_title(f, title);
         i < f->count && strcmp(f->rows[i].title, title) == 0; i++) {
        const row *r = &f->rows[i];
        if (!*r->artist || ems_name_within(title, r->artist) ||
            !ems_name_within(all, r->artist))
            continue;
        sum += (double)r->valence;
        count++;
    }
    return count > 0 ? sum / count : NAN;
}

static double by_plain(const ems_features *f, const char *text, size_t length,
                       const char *all)
{
    char title[EMS_NAME_ROOM];
    size_t n = ems_name_plain(title, sizeof title, text, length, 0);
    double valence = n > 1 ? by_title(f, title, all) : NAN;
    /* "dancing queen 2": another arrangement */
    if (isnan(valence) && n > 2 && title[n - 2] == ' ' &&
        title[n - 1] >= '0' && title[n - 1] <= '9') {
        title[n - 2] = '\0';
        valence = by_title(f, title, all);
    }
    return valence;
}

/* A text is a title, or parts of it are: "ABBA - Dancing Queen",
 * "Dancing_Queen-ABBA", "Dancing Queen by ABBA". */
static double by_text(const ems_features *f, const char *text, size_t length,
                      const char *all)
{
    double valence = by_plain(f, text, length, all);
    size_t from = 0;
    for (size_t i = 0; isnan(valence) && i <= length; i++) {
        const int by = i + 4 <= length && memcmp(text + i, " by ", 4) == 0;
        if (i < length && text[i] != '-' && !by)
            continue;
        if (i - from < length)
            valence = by_plain(f, text + from, i - from, all);
        if (isnan(valence) && i < length && text[i] == '-')
            valence = by_plain(f, text + i, length - i, all);
        from = i + (by ? 4 : 1);
    }
    return valence;
}

/* A text that may name the song or those who made it; NULL: not this one.
 * Karaoke files put "@T" before both. */
static const char *clue(const ems_midi *m, size_t i, size_t *length)
{
    const ems_midi_text *t = &m->text_events[i];
    if (t->kind != EMS_MIDI_NAME && t->kind != EMS_MIDI_TEXT &&
        t->kind != EMS_MIDI_COPYRIGHT)
        return NULL;
    if (t->length == 0)
        return NULL;
    const char *text = m->texts + t->at;
    const size_t skip = t->length > 2 && text[0] == '@' && text[1] == 'T'
                            ? 2 : 0;
    *length = t->length - skip < MAX_TEXT ? t->length - skip : MAX_TEXT;
    return text + skip;
}

/* All names there are in one plain text. */
static void gather(char *all, size_t room, const char *path,
                   const ems_midi *m)
{
    size_t n = ems_name_plain(all, room, path, strlen(path), 1);
    size_t texts = 0;
    for (size_t i = 0; m && i < m->text_count && texts < TEXTS; i++) {
        size_t length;
        const char *text = clue(m, i, &length);
        if (!text || n + 2 >= room)
            continue;
        all[n++] = ' ';
        n += ems_name_plain(all + n, room - n, text, length, 1);
        texts++;
    }
}

double ems_features_find(const ems_features *f, const char *path,
                         const ems_midi *m)
{
    const row *r = find_track(f, path);
    if (r)
        return (double)r->valence;
    char all[HAYSTACK];
    gather(all, sizeof all, path, m);
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const size_t n = dot ? (size_t)(dot - name) : strlen(name);
    double valence = by_text(f, name, n < MAX_TEXT ? n : MAX_TEXT, all);
    size_t texts = 0;
    for (size_t i = 0; m && isnan(valence) && i < m->text_count &&
                       texts < TEXTS; i++) {
        size_t length;
        const char *text = clue(m, i, &length);
        if (!text)
            continue;
        valence = by_text(f, text, length, all);
        texts++;
    }
    return valence;
}

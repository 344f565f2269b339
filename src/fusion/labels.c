#include "fusion/labels.h"

#include "affect/mapping.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Columns ------------------------------------------------------------ */

typedef struct columns {
    int file, emotion, share[EMS_EKMAN], affect[2], genres, split, group;
    int rated; /* nonzero: affect is a mean rating of 1..7, as OASIS has it */
} columns;

static int any(const ems_csv *c, const char *const *names)
{
    for (; *names; names++)
        if (ems_csv_column(c, *names) >= 0)
            return ems_csv_column(c, *names);
    return -1;
}

static int find_columns(columns *k, const ems_csv *c, int genres,
                        ems_error *err)
{
    static const char *const FILES[] = {"file", "video", "youtube_id",
                                        "Theme", NULL};
    static const char *const EMOTION[] = {"emotion", "label", NULL};
    static const char *const AFFECT[2] = {"valence", "arousal"};
    static const char *const RATED[2] = {"Valence_mean", "Arousal_mean"};
    k->file = any(c, FILES);
    k->emotion = any(c, EMOTION);
    k->genres = ems_csv_column(c, "genres");
    k->split = ems_csv_column(c, "split");
    k->group = ems_csv_column(c, "group");
    k->rated = ems_csv_column(c, RATED[0]) >= 0;
    int told = k->emotion >= 0;
    for (int i = 0; i < 2; i++) {
        k->affect[i] = ems_csv_column(c, (k->rated ? RATED : AFFECT)[i]);
        told |= k->affect[i] >= 0;
    }
    for (int i = 0; i < EMS_EKMAN; i++) {
        k->share[i] = ems_csv_column(c, ems_emotion_names[i]);
        told |= k->share[i] >= 0;
    }
    if (k->file < 0)
        return ems_csv_fail(c, "no column \"file\" that names the films",
                            err);
    if (genres && k->genres < 0)
        return ems_csv_fail(c, "no column \"genres\"", err);
    if (!genres && !told)
        return ems_csv_fail(c, "no column \"emotion\", \"valence\" or"
                            " \"arousal\", nor one for each emotion", err);
    if (!genres && (k->affect[0] < 0) != (k->affect[1] < 0))
        return ems_csv_fail(c, "valence and arousal go together; one of the"
                            " two columns is missing", err);
    return EMS_OK;
}

/* ---- Cells -------------------------------------------------------------- */

/* `text` without blanks around it, into `to`; -1: it does not fit. */
static int trim(char *to, size_t size, const char *text, size_t n)
{
    while (n && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        n--;
    }
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    if (n >= size)
        return -1;
    memcpy(to, text, n);
    to[n] = '\0';
    return 0;
}

static int fail_word(const ems_csv *c, const char *word, const char *what,
                     ems_error *err)
{
    char text[200];
    snprintf(text, sizeof text, "\"%.60s\" is %s", word, what);
    return ems_csv_fail(c, text, err);
}

static int read_emotion(ems_clip *clip, const columns *k, const ems_csv *c,
                        ems_error *err)
{
    char word[64];
    const char *text = ems_csv_text(c, k->emotion);
    if (trim(word, sizeof word, text, strlen(text)) < 0)
        word[0] = '?';
    if (!word[0])
        return EMS_OK;
    for (char *p = word; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    for (int i = 0; i < EMS_EKMAN; i++)
        if (strcmp(word, ems_emotion_names[i]) == 0) {
            clip->emotion[i] = 1;
            clip->known |= EMS_KNOWN_EMOTION;
            return EMS_OK;
        }
    return fail_word(c, text, "none of anger, disgust, fear, joy, sadness"
                     " and surprise", err);
}

/* A number for each emotion: shares of their sum. */
static int read_shares(ems_clip *clip, const columns *k, const ems_csv *c,
                       ems_error *err)
{
    double x[EMS_EKMAN], sum = 0;
    for (int i = 0; i < EMS_EKMAN; i++) {
        if (ems_csv_number(c, k->share[i], 0, 1e6, &x[i], err) < 0)
            return EMS_EFORMAT;
        sum += isnan(x[i]) ? 0 : x[i];
    }
    if (!(sum > 0))
        return EMS_OK;
    for (int i = 0; i < EMS_EKMAN; i++)
        clip->emotion[i] = isnan(x[i]) ? 0 : (float)(x[i] / sum);
    clip->known |= EMS_KNOWN_EMOTION;
    return EMS_OK;
}

static int read_affect(ems_clip *clip, const columns *k, const ems_csv *c,
                       ems_error *err)
{
    const double low = k->rated ? 1 : -1, high = k->rated ? 7 : 1;
    double x[2];
    for (int i = 0; i < 2; i++)
        if (ems_csv_number(c, k->affect[i], low, high, &x[i], err) < 0)
            return EMS_EFORMAT;
    if (isnan(x[0]) || isnan(x[1]))
        return EMS_OK;
    for (int i = 0; i < 2; i++)
        clip->affect[i] = (float)(k->rated ? (x[i] - 4) / 3 : x[i]);
    clip->known |= EMS_KNOWN_AFFECT;
    return EMS_OK;
}

static int read_split(ems_clip *clip, const columns *k, const ems_csv *c,
                      ems_error *err)
{
    static const struct {
        const char *word;
        ems_clip_split split;
    } WORDS[] = {{"", EMS_SPLIT_ANY}, {"train", EMS_SPLIT_TRAIN},
                 {"valid", EMS_SPLIT_VALID}, {"val", EMS_SPLIT_VALID},
                 {"validation", EMS_SPLIT_VALID}, {"dev", EMS_SPLIT_VALID},
                 {"test", EMS_SPLIT_TEST}};
    const char *text = ems_csv_text(c, k->split);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strcmp(text, WORDS[i].word) == 0) {
            clip->split = (int)WORDS[i].split;
            return EMS_OK;
        }
    return fail_word(c, text, "no split: train, valid or test", err);
}

/* ---- Genres ------------------------------------------------------------- */

/* Place of a genre in the ascending list; a new one moves those behind it,
 * in the clips, too. */
static int genre_index(ems_label_set *s, const char *name)
{
    size_t at = 0;
    while (at < s->genres && strcmp(s->genre[at], name) < 0)
        at++;
    if (at < s->genres && strcmp(s->genre[at], name) == 0)
        return (int)at;
    if (s->genres == EMS_FUSION_GENRES)
        return -1;
    memmove(s->genre + at + 1, s->genre + at,
            (s->genres - at) * sizeof *s->genre);
    snprintf(s->genre[at], sizeof s->genre[at], "%s", name);
    for (size_t i = 0; i < s->count; i++) {
        float *g = s->label[i].clip.genre;
        memmove(g + at + 1, g + at, (s->genres - at) * sizeof *g);
        g[at] = 0;
    }
    s->genres++;
    return (int)at;
}

/* "Drama|History", "Drama, History" or "['Drama', 'History']"; the label must
 * already be counted. */
static int read_genres(ems_label_set *s, ems_clip *clip, const columns *k,
                       const ems_csv *c, ems_error *err)
{
    const char *text = ems_csv_text(c, k->genres);
    while (*text) {
        char name[EMS_FUSION_GENRE_NAME];
        const size_t skip = strspn(text, "|,;[]'\" ");
        const size_t n = strcspn(text + skip, "|,;[]'\"");
        text += skip;
        if (!n)
            continue;
        if (trim(name, sizeof name, text, n) < 0)
            return fail_word(c, text, "too long for a genre", err);
        text += n;
        const int at = genre_index(s, name);
        if (at < 0)
            return fail_word(c, name, "one genre too many: 32 are the most",
                             err);
        clip->genre[at] = 1;
        clip->known |= EMS_KNOWN_GENRES;
    }
    return EMS_OK;
}

/* ---- Rows --------------------------------------------------------------- */

/* A name of its own for a row: the group, or what OASIS' themes share
 * ("Acorns 1", "Acorns 2"), or the file. */
static int group_name(char *to, size_t size, const columns *k,
                      const ems_csv *c, const char *file)
{
    const char *group = ems_csv_text(c, k->group);
    size_t n = strlen(group);
    if (n)
        return trim(to, size, group, n);
    n = strlen(file);
    while (k->rated && n > 1 && file[n - 1] >= '0' && file[n - 1] <= '9')
        n--;
    return trim(to, size, file, n);
}

typedef struct reading {
    ems_label_set *set;
    columns k;
    ems_csv csv;
    char **group; /* [count], the same room as the labels */
    size_t group_capacity;
} reading;

static int read_labels(reading *r, ems_clip *clip, int genres, ems_error *err)
{
    int code = read_split(clip, &r->k, &r->csv, err);
    if (code == EMS_OK && genres)
        return read_genres(r->set, clip, &r->k, &r->csv, err);
    if (code == EMS_OK && r->k.emotion >= 0)
        code = read_emotion(clip, &r->k, &r->csv, err);
    else if (code == EMS_OK)
        code = read_shares(clip, &r->k, &r->csv, err);
    return code == EMS_OK ? read_affect(clip, &r->k, &r->csv, err) : code;
}

static int read_row(reading *r, int genres, ems_error *err)
{
    ems_label_set *s = r->set;
    char file[1024], group[1024];
    const char *text = ems_csv_text(&r->csv, r->k.file);
    if (trim(file, sizeof file, text, strlen(text)) < 0 || !file[0])
        return ems_csv_fail(&r->csv, "this row names no file", err);
    if (group_name(group, sizeof group, &r->k, &r->csv, file) < 0)
        return ems_csv_fail(&r->csv, "the group's name is too long", err);
    if (s->count == EMS_LABELS_MOST)
        return ems_csv_fail(&r->csv, "more than a million rows", err);
    if (ems_reserve((void **)&s->label, &s->capacity, s->count + 1,
                    sizeof *s->label) < 0 ||
        ems_reserve((void **)&r->group, &r->group_capacity, s->count + 1,
                    sizeof *r->group) < 0)
        return ems_out_of_memory(err);
    ems_label *l = &s->label[s->count];
    *l = (ems_label){.file = ems_strdup(file)};
    r->group[s->count++] = ems_strdup(group);
    if (!l->file || !r->group[s->count - 1])
        return ems_out_of_memory(err);
    const int code = read_labels(r, &l->clip, genres, err);
    s->has_emotion |= (l->clip.known & EMS_KNOWN_EMOTION) != 0;
    s->has_affect |= (l->clip.known & EMS_KNOWN_AFFECT) != 0;
    s->has_split |= l->clip.split != EMS_SPLIT_ANY;
    return code;
}

/* ---- The whole ---------------------------------------------------------- */

typedef struct named {
    const char *name;
    size_t index;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static int number_groups(reading *r, ems_error *err)
{
    ems_label_set *s = r->set;
    named *n = ems_alloc(s->count, sizeof *n);
    if (!n)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < s->count; i++)
        n[i] = (named){r->group[i], i};
    qsort(n, s->count, sizeof *n, by_name);
    for (size_t i = 0; i < s->count; i++) {
        s->groups += i == 0 || strcmp(n[i].name, n[i - 1].name) != 0;
        s->label[n[i].index].clip.group = s->groups - 1;
    }
    ems_free(n);
    return EMS_OK;
}

static int refuse_twins(const ems_label_set *s, const char *name,
                        ems_error *err)
{
    named *n = ems_alloc(s->count, sizeof *n);
    int code = n ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; n && i < s->count; i++)
        n[i] = (named){s->label[i].file, i};
    if (n)
        qsort(n, s->count, sizeof *n, by_name);
    for (size_t i = 1; n && i < s->count && code == EMS_OK; i++)
        if (strcmp(n[i].name, n[i - 1].name) == 0)
            code = ems_fail(err, EMS_EFORMAT, "%s: \"%.200s\" is there twice",
                            name, n[i].name);
    ems_free(n);
    return code;
}

static int read_rows(reading *r, int genres, const char *name, ems_error *err)
{
    int code = find_columns(&r->k, &r->csv, genres, err);
    while (code == EMS_OK && (code = ems_csv_next(&r->csv, err)) > 0)
        code = read_row(r, genres, err);
    if (code < 0)
        return code;
    size_t known = 0;
    for (size_t i = 0; i < r->set->count; i++)
        known += r->set->label[i].clip.known != 0;
    if (!known)
        return ems_fail(err, EMS_EFORMAT, "%s: not a single label", name);
    code = refuse_twins(r->set, name, err);
    return code < 0 ? code : number_groups(r, err);
}

int ems_label_set_parse(ems_label_set *s, const char *data, size_t size,
                        const char *name, int genres, ems_error *err)
{
    reading r = {.set = s};
    *s = (ems_label_set){0};
    int code = ems_csv_open(&r.csv, data, size, name, err);
    if (code == EMS_OK)
        code = read_rows(&r, genres, name, err);
    ems_csv_close(&r.csv);
    for (size_t i = 0; i < s->count; i++)
        ems_free(r.group[i]);
    ems_free(r.group);
    if (code < 0)
        ems_label_set_clear(s);
    return code;
}

int ems_label_set_load(ems_label_set *s, const char *path, int genres,
                       ems_error *err)
{
    ems_bytes b;
    *s = (ems_label_set){0};
    const int code = ems_bytes_map(&b, path, EMS_CSV_BYTES, err);
    if (code < 0)
        return code;
    const int parsed = ems_label_set_parse(s, (const char *)b.data, b.size,
                                           path, genres, err);
    ems_bytes_unmap(&b);
    return parsed;
}

void ems_label_set_clear(ems_label_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        ems_free(s->label[i].file);
    ems_free(s->label);
    *s = (ems_label_set){0};
}

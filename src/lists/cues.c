#include "lists/cues.h"
#include "lists/kinds.h"

#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct format {
    const char *suffix;
    int (*parse)(ems_cues *, const char *, size_t, const ems_cues_film *,
                 ems_error *);
    int (*write)(FILE *, const ems_cues *, const ems_cues_film *,
                 ems_error *);
} format;

static const format formats[] = {
    [EMS_CUES_SECONDS] = {".txt", ems_cues_parse_seconds,
                          ems_cues_write_seconds},
    [EMS_CUES_AUDACITY] = {NULL, ems_cues_parse_audacity,
                           ems_cues_write_audacity},
    [EMS_CUES_SCENES] = {".csv", ems_cues_parse_scenes,
                         ems_cues_write_scenes},
    [EMS_CUES_EDL] = {".edl", ems_cues_parse_edl, ems_cues_write_edl},
    [EMS_CUES_OTIO] = {".otio", ems_cues_parse_otio, ems_cues_write_otio},
    [EMS_CUES_FCPXML] = {".fcpxml", ems_cues_parse_fcpxml,
                         ems_cues_write_fcpxml},
    [EMS_CUES_CHAPTERS] = {NULL, NULL, ems_cues_write_chapters},
    [EMS_CUES_MLT] = {".mlt", NULL, ems_cues_write_mlt},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static int begins(const char *data, size_t size, const char *with)
{
    return size >= strlen(with) && memcmp(data, with, strlen(with)) == 0;
}

/* Text with a tab in its first line is Audacity's, else plain seconds. */
static ems_cues_kind kind_of_text(const char *data, size_t size)
{
    const char *end = memchr(data, '\n', size);
    const size_t line = end ? (size_t)(end - data) : size;
    if (begins(data, size, "TITLE:") || begins(data, size, "FCM:"))
        return EMS_CUES_EDL;
    if (begins(data, size, "Timecode List:") ||
        begins(data, size, "Scene Number,"))
        return EMS_CUES_SCENES;
    return memchr(data, '\t', line) ? EMS_CUES_AUDACITY : EMS_CUES_SECONDS;
}

static int by_suffix(const char *path, ems_cues_kind *kind)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < FORMATS; i++)
        if (formats[i].suffix && strcasecmp(dot, formats[i].suffix) == 0) {
            *kind = (ems_cues_kind)i;
            return 1;
        }
    return 0;
}

int ems_cues_kind_by_suffix(const char *path, ems_cues_kind *kind,
                            ems_error *err)
{
    if (by_suffix(path, kind))
        return EMS_OK;
    return ems_fail(err, EMS_EINVAL, "the suffix of \"%s\" tells no kind of"
                    " list; use .txt, .csv, .edl, .otio, .fcpxml or .mlt, or"
                    " name the kind", path);
}

ems_cues_kind ems_cues_kind_of(const char *name, const char *data,
                               size_t size)
{
    ems_cues_kind kind;
    if (by_suffix(name, &kind) && kind != EMS_CUES_SECONDS)
        return kind;
    size_t at = begins(data, size, "\xEF\xBB\xBF") ? 3 : 0;
    while (at < size && (data[at] == ' ' || data[at] == '\n' ||
                         data[at] == '\r'))
        at++;
    if (at < size && data[at] == '{')
        return EMS_CUES_OTIO;
    if (at < size && data[at] == '<')
        return EMS_CUES_FCPXML;
    return size ? kind_of_text(data + at, size - at) : EMS_CUES_SECONDS;
}

int ems_cues_add(ems_cues *c, double time, const char *name, size_t length,
                 ems_error *err)
{
    if (c->count >= EMS_CUES_MOST)
        return ems_fail(err, EMS_EFORMAT, "the list has more than %d entries",
                        EMS_CUES_MOST);
    if (ems_reserve((void *)&c->items, &c->capacity, c->count + 1,
                    sizeof *c->items) < 0)
        return ems_out_of_memory(err);
    ems_cue *cue = &c->items[c->count++];
    if (length >= EMS_CUE_NAME)
        for (length = EMS_CUE_NAME - 1; /* no half of a UTF-8 letter */
             length && ((unsigned char)name[length] & 0xC0) == 0x80; length--)
            ;
    cue->time = time;
    memcpy(cue->name, name, length);
    cue->name[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)cue->name[i] < ' ')
            cue->name[i] = ' ';
    return EMS_OK;
}

void ems_cues_clear(ems_cues *c)
{
    ems_free(c->items);
    *c = (ems_cues){0};
}

static int by_time(const void *a, const void *b)
{
    const double x = ((const ems_cue *)a)->time;
    const double y = ((const ems_cue *)b)->time;
    return (x > y) - (x < y);
}

/* Ascending, once each, inside the film. The film's first frame is no cut,
 * and a list may end with the film's end. */
static int settle(ems_cues *c, const ems_cues_film *film, ems_error *err)
{
    const double frame =
        film->rate.num ? ems_frame_seconds(film->rate, 1) : 0;
    if (c->count)
        qsort(c->items, c->count, sizeof *c->items, by_time);
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        const double t = c->items[i].time;
        if (t < -frame / 2 ||
            (film->duration > 0 && t > film->duration + frame))
            return ems_fail(err, EMS_EFORMAT, "\"%s\": %.3f s lies outside the"
                            " film, which has %.3f s; if the list's timecode"
                            " starts elsewhere, say where", film->name, t,
                            film->duration);
        if (t <= frame / 2 || (film->duration > 0 &&
                               t >= film->duration - frame / 2))
            continue;
        if (kept == 0 || t - c->items[kept - 1].time > 1e-6)
            c->items[kept++] = c->items[i];
    }
    c->count = kept;
    return EMS_OK;
}

int ems_cues_parse(ems_cues *c, ems_cues_kind kind, const char *data,
                   size_t size, const ems_cues_film *film, ems_error *err)
{
    *c = (ems_cues){0};
    if (!formats[kind].parse)
        return ems_fail(err, EMS_EUNSUPPORTED, "\"%s\": lists of this kind"
                        " are written, not read", film->name);
    int code = formats[kind].parse(c, data, size, film, err);
    if (code == EMS_OK)
        code = settle(c, film, err);
    if (code < 0)
        ems_cues_clear(c);
    return code;
}

int ems_cues_load(ems_cues *c, const char *path, const ems_cues_film *film,
                  ems_error *err)
{
    ems_bytes b;
    *c = (ems_cues){0};
    int code = ems_bytes_map(&b, path, EMS_CUES_BYTES, err);
    if (code < 0)
        return code;
    ems_cues_film named = *film;
    if (!named.name)
        named.name = path;
    const char *data = b.data ? (const char *)b.data : "";
    code = ems_cues_parse(c, ems_cues_kind_of(path, data, b.size), data,
                          b.size, &named, err);
    ems_bytes_unmap(&b);
    return code;
}

int ems_cues_save(const ems_cues *c, ems_cues_kind kind, const char *path,
                  const ems_cues_film *film, ems_error *err)
{
    ems_output o;
    int code = ems_output_open(&o, path, err);
    if (code < 0)
        return code;
    code = formats[kind].write(o.file, c, film, err);
    if (code == EMS_OK)
        return ems_output_commit(&o, err);
    ems_output_discard(&o);
    return code;
}

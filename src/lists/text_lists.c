/* Plain seconds, Audacity's labels, YouTube's chapters. */
#include "lists/kinds.h"

#include <math.h>
#include <string.h>

int ems_list_next(ems_list_line *l)
{
    if (l->at >= l->end)
        return 0;
    const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
    l->text = l->at;
    l->length = (size_t)((stop ? stop : l->end) - l->at);
    l->at = stop ? stop + 1 : l->end;
    if (l->length && l->text[l->length - 1] == '\r')
        l->length--;
    if (l->number++ == 0 && l->length >= 3 &&
        memcmp(l->text, "\xEF\xBB\xBF", 3) == 0) {
        l->text += 3;
        l->length -= 3;
    }
    return 1;
}

int ems_list_number(const char **text, const char *end, double *out)
{
    const char *p = *text;
    const int minus = p < end && *p == '-';
    double value = 0, scale = 1;
    int digits = 0, decimals = 0;
    for (p += minus; p < end && *p >= '0' && *p <= '9'; p++, digits++)
        value = value * 10 + (*p - '0');
    if (p < end && *p == '.')
        for (p++; p < end && *p >= '0' && *p <= '9'; p++, decimals++) {
            value = value * 10 + (*p - '0');
            scale *= 10;
        }
    *text = p;
    *out = (minus ? -value : value) / scale;
    return digits + decimals > 0 && digits <= 15 && decimals <= 15;
}

int ems_list_bad(const ems_cues_film *film, const ems_list_line *l,
                 const char *what, ems_error *err)
{
    return ems_fail(err, EMS_EFORMAT, "\"%s\" line %zu: %s", film->name,
                    l->number, what);
}

static int blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == ',' || ch == ';';
}

/* "83.25", "1:23.25" or "0:01:23.25". */
static int clock_time(const char **text, const char *end, double *out)
{
    double sum = 0, part;
    for (int i = 0; i < 3; i++) {
        if (!ems_list_number(text, end, &part))
            return 0;
        sum = sum * 60 + part;
        if (*text >= end || **text != ':') {
            *out = sum;
            return 1;
        }
        (*text)++;
    }
    return 0;
}

EMS_CUES_READER(seconds)
{
    ems_list_line l = ems_list_lines(data, size);
    while (ems_list_next(&l)) {
        const char *p = l.text, *end = l.text + l.length;
        double time;
        while (p < end && blank(*p))
            p++;
        if (p == end || *p == '#')
            continue;
        if (!clock_time(&p, end, &time) || (p < end && !blank(*p)))
            return ems_list_bad(film, &l, "a time in seconds or h:mm:ss.mmm"
                                " is expected first", err);
        while (p < end && blank(*p))
            p++;
        const int code = ems_cues_add(c, time, p, (size_t)(end - p), err);
        if (code < 0)
            return code;
    }
    return EMS_OK;
}

EMS_CUES_READER(audacity)
{
    ems_list_line l = ems_list_lines(data, size);
    while (ems_list_next(&l)) {
        const char *p = l.text, *end = l.text + l.length;
        double start, stop;
        if (l.length == 0 || *p == '\\') /* a spectral selection */
            continue;
        if (!ems_list_number(&p, end, &start) || p == end || *p++ != '\t' ||
            !ems_list_number(&p, end, &stop) || (p < end && *p++ != '\t'))
            return ems_list_bad(film, &l, "start, end and name of a label are"
                                " expected, with tabs between them", err);
        const int code = ems_cues_add(c, start, p, (size_t)(end - p), err);
        if (code < 0)
            return code;
    }
    return EMS_OK;
}

/* Six decimals whatever the locale's point is. */
static void seconds(FILE *f, double time)
{
    const long long micro = llround(time * 1e6);
    fprintf(f, "%lld.%06lld", micro / 1000000, micro % 1000000);
}

EMS_CUES_WRITER(seconds)
{
    (void)film;
    (void)err;
    for (size_t i = 0; i < c->count; i++) {
        seconds(f, c->items[i].time);
        fprintf(f, "%s%s\n", *c->items[i].name ? " " : "", c->items[i].name);
    }
    return EMS_OK;
}

EMS_CUES_WRITER(audacity)
{
    (void)film;
    (void)err;
    for (size_t i = 0; i < c->count; i++) {
        seconds(f, c->items[i].time);
        fputc('\t', f);
        seconds(f, c->items[i].time);
        fprintf(f, "\t%s\n", c->items[i].name);
    }
    return EMS_OK;
}

/* YouTube wants three chapters at least, ten seconds each, the first at 0. */
enum { LEAST_CHAPTERS = 3, LEAST_SECONDS = 10 };

static void chapter(FILE *f, double time, const char *name, size_t number)
{
    const long long s = (long long)time;
    if (s >= 3600)
        fprintf(f, "%lld:%02lld:%02lld ", s / 3600, s / 60 % 60, s % 60);
    else
        fprintf(f, "%lld:%02lld ", s / 60, s % 60);
    if (*name)
        fprintf(f, "%s\n", name);
    else
        fprintf(f, "Part %zu\n", number);
}

EMS_CUES_WRITER(chapters)
{
    size_t written = 1;
    double last = 0;
    chapter(f, 0, "", 1);
    for (size_t i = 0; i < c->count; i++) {
        const double time = floor(c->items[i].time);
        if (time - last < LEAST_SECONDS ||
            film->duration - time < LEAST_SECONDS)
            continue;
        chapter(f, time, c->items[i].name, ++written);
        last = time;
    }
    if (written < LEAST_CHAPTERS)
        return ems_fail(err, EMS_EINVAL, "the film gives %zu chapters of ten"
                        " seconds; YouTube takes no fewer than three",
                        written);
    return EMS_OK;
}

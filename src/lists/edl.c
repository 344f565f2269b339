/* CMX 3600 edit decision lists. An event is a line
 *
 *     001  AX  V  C        00:00:00:00 00:00:02:00 01:00:00:00 01:00:02:00
 *
 * number, reel, track, transition (with a length in frames unless a cut), then
 * source in and out, record in and out. Record in is where the shot begins. */
#include "lists/kinds.h"

#include <string.h>

enum { WORDS = 10 };

typedef struct edl {
    ems_cues *c;
    const ems_cues_film *film;
    const ems_list_line *line;
    ems_error *err;
    int64_t origin;       /* frame of the film's start; < 0: not known yet */
    int drop;
} edl;

typedef struct word {
    const char *text;
    size_t length;
} word;

static int words_of(const ems_list_line *l, word w[WORDS])
{
    const char *p = l->text, *end = p + l->length;
    int n = 0;
    while (n < WORDS) {
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (p == end)
            break;
        w[n].text = p;
        while (p < end && *p != ' ' && *p != '\t')
            p++;
        w[n].length = (size_t)(p - w[n].text);
        n++;
    }
    return n;
}

static int is(word w, const char *text)
{
    return w.length == strlen(text) && memcmp(w.text, text, w.length) == 0;
}

static int begins(const ems_list_line *l, const char *text)
{
    return l->length >= strlen(text) &&
           memcmp(l->text, text, strlen(text)) == 0;
}

static int frame_of(const edl *e, const char *text, size_t length,
                    int64_t *frame)
{
    char code[EMS_TIMECODE_TEXT] = "";
    ems_error why;
    memcpy(code, text, length < sizeof code ? length : sizeof code - 1);
    if (ems_timecode_parse(code, e->film->rate, e->drop, frame, &why) < 0)
        return ems_list_bad(e->film, e->line, why.text, e->err);
    return EMS_OK;
}

/* Timelines start at a whole hour more often than at 0. */
static void find_origin(edl *e, int64_t frame)
{
    char code[EMS_TIMECODE_TEXT];
    ems_timecode_format(frame, e->film->rate, e->drop, code);
    memcpy(code + 2, ":00:00", 6);
    code[8] = e->drop ? ';' : ':';
    memcpy(code + 9, "00", 3);
    if (ems_timecode_parse(code, e->film->rate, e->drop, &e->origin, NULL) < 0)
        e->origin = 0;
}

static int add(edl *e, int64_t frame, const char *name, size_t length)
{
    if (e->origin < 0)
        find_origin(e, frame);
    return ems_cues_add(e->c,
                        ems_frame_seconds(e->film->rate, frame - e->origin),
                        name, length, e->err);
}

static int event(edl *e, const word *w, int count)
{
    int64_t in;
    if (count < 8)
        return ems_list_bad(e->film, e->line, "an event has too few words",
                            e->err);
    if (w[2].text[0] == 'A' && !memchr(w[2].text, 'V', w[2].length))
        return EMS_OK; /* sound alone */
    const int code = frame_of(e, w[count - 2].text, w[count - 2].length, &in);
    return code < 0 ? code : add(e, in, "", 0);
}

/* "* LOC: 01:00:04:12 RED name": a marker, which names its moment. */
static int marker(edl *e, const word *w, int count)
{
    int64_t at;
    if (count < 3)
        return EMS_OK;
    const int code = frame_of(e, w[2].text, w[2].length, &at);
    if (code < 0)
        return code;
    const char *end = e->line->text + e->line->length;
    const char *name = count > 4 ? w[4].text : end;
    return add(e, at, name, (size_t)(end - name));
}

static int read_line(edl *e)
{
    word w[WORDS];
    const int count = words_of(e->line, w);
    if (count == 0)
        return EMS_OK;
    if (begins(e->line, "FCM:")) {
        e->drop = ems_rate_drops(e->film->rate) && count > 1 &&
                  !is(w[1], "NON-DROP");
        return EMS_OK;
    }
    if (w[0].text[0] == '*' && count > 1 && is(w[1], "LOC:"))
        return marker(e, w, count);
    if (w[0].text[0] >= '0' && w[0].text[0] <= '9')
        return event(e, w, count);
    return EMS_OK; /* titles, comments, speeds */
}

EMS_CUES_READER(edl)
{
    ems_list_line l = ems_list_lines(data, size);
    edl e = {.c = c, .film = film, .line = &l, .err = err, .origin = -1};
    if (film->rate.num == 0)
        return ems_fail(err, EMS_EINVAL, "\"%s\" counts frames, but the film"
                        " has none", film->name);
    while (ems_list_next(&l)) {
        if (film->start && e.origin < 0 &&
            ems_timecode_parse(film->start, film->rate, e.drop, &e.origin,
                               err) < 0)
            return EMS_EFORMAT;
        const int code = read_line(&e);
        if (code < 0)
            return code;
    }
    return EMS_OK;
}

EMS_CUES_WRITER(edl)
{
    const int drop = ems_rate_drops(film->rate);
    char start[EMS_TIMECODE_TEXT];
    int64_t origin = 0;
    snprintf(start, sizeof start, "%s",
             film->start ? film->start : "01:00:00:00");
    const int code =
        ems_timecode_parse(start, film->rate, drop, &origin, err);
    if (code < 0)
        return code;
    fprintf(f, "TITLE: EMSYNC\nFCM: %s\n\n",
            drop ? "DROP FRAME" : "NON-DROP FRAME");
    for (size_t i = 0; i <= c->count; i++) {
        const int64_t in = ems_seconds_frame(film->rate, ems_shot_start(c, i));
        const int64_t out =
            ems_seconds_frame(film->rate, ems_shot_end(c, i, film));
        char text[4][EMS_TIMECODE_TEXT];
        ems_timecode_format(in, film->rate, drop, text[0]);
        ems_timecode_format(out, film->rate, drop, text[1]);
        ems_timecode_format(origin + in, film->rate, drop, text[2]);
        ems_timecode_format(origin + out, film->rate, drop, text[3]);
        fprintf(f, "%03zu  AX       V     C        %s %s %s %s\n", i + 1,
                text[0], text[1], text[2], text[3]);
        if (film->video)
            fprintf(f, "* FROM CLIP NAME: %s\n", film->video);
        if (i && *c->items[i - 1].name)
            fprintf(f, "* LOC: %s GREEN   %s\n", text[2],
                    c->items[i - 1].name);
    }
    return EMS_OK;
}

/* Final Cut Pro X: XML in which every item says where it lies (offset, in its
 * parent's time), where its own time starts (start) and how long it is. The
 * items of the sequence's spine are the shots; markers lie in an item's own
 * time and count where the spine has one item only. */
#include "lists/kinds.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

typedef enum role { OTHER, SEQUENCE, SPINE, ITEM } role;

typedef struct level {
    role role;
    double zero;     /* where the element's time 0 lies in the film */
    double next;     /* a spine's: where an item without offset begins */
} level;

typedef struct fcpxml {
    XML_Parser parser;
    const ems_cues_film *film;
    ems_error *err;
    ems_cues *cuts, markers;
    size_t items;
    level stack[DEEPEST + 1];
    int depth, code;
} fcpxml;

static int stop(fcpxml *x, int code)
{
    x->code = code;
    XML_StopParser(x->parser, XML_FALSE);
    return code;
}

static int bad(fcpxml *x, const char *what)
{
    return stop(x, ems_fail(x->err, EMS_EFORMAT, "\"%s\" line %lu: %s",
                            x->film->name,
                            XML_GetCurrentLineNumber(x->parser), what));
}

/* "1001/24000s" or "5s"; `otherwise` where the attribute is missing. */
static double seconds(fcpxml *x, const XML_Char **attributes,
                      const char *name, double otherwise)
{
    for (; *attributes; attributes += 2) {
        if (strcmp(*attributes, name) != 0)
            continue;
        const char *p = attributes[1], *end = p + strlen(p);
        double value, under = 1;
        int good = ems_list_number(&p, end, &value);
        if (good && *p == '/') {
            p++;
            good = ems_list_number(&p, end, &under) && under > 0;
        }
        if (good && strcmp(p, "s") == 0)
            return value / under;
        bad(x, "a time is written like 1001/24000s or 5s");
        return otherwise;
    }
    return otherwise;
}

static const char *text(const XML_Char **attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (strcmp(*attributes, name) == 0)
            return attributes[1];
    return "";
}

static int is_item(const char *name)
{
    static const char *const items[] = {
        "asset-clip", "clip", "video", "title", "gap", "ref-clip",
        "sync-clip", "mc-clip", "audition", "audio",
    };
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (strcmp(name, items[i]) == 0)
            return 1;
    return 0;
}

static void open_item(fcpxml *x, level *up, level *now,
                      const XML_Char **attributes)
{
    const double expected = up->role == SPINE ? up->next : up->zero;
    const double offset = seconds(x, attributes, "offset", expected - up->zero);
    const double at = up->zero + offset;
    now->role = ITEM;
    now->zero = at - seconds(x, attributes, "start", 0);
    if (up->role != SPINE || up == x->stack || up[-1].role != SEQUENCE)
        return;
    up->next = at + seconds(x, attributes, "duration", 0);
    if (x->items++ > 0 && x->code == EMS_OK) {
        const int code = ems_cues_add(x->cuts, at, "", 0, x->err);
        if (code < 0)
            stop(x, code);
    }
}

static void open_marker(fcpxml *x, const level *up,
                        const XML_Char **attributes)
{
    const char *name = text(attributes, "value");
    const double at = up->zero + seconds(x, attributes, "start", 0);
    const int code = x->code < 0 ? x->code
                                 : ems_cues_add(&x->markers, at, name,
                                                strlen(name), x->err);
    if (code < 0)
        stop(x, code);
}

static void XMLCALL opened(void *user, const XML_Char *name,
                           const XML_Char **attributes)
{
    fcpxml *x = user;
    if (x->code < 0)
        return;
    if (x->depth >= DEEPEST) {
        bad(x, "elements are nested too deeply");
        return;
    }
    level *up = &x->stack[x->depth], *now = &x->stack[++x->depth];
    *now = (level){OTHER, up->zero, 0};
    if (strcmp(name, "sequence") == 0) {
        now->role = SEQUENCE;
        now->zero = -seconds(x, attributes, "tcStart", 0);
    } else if (strcmp(name, "spine") == 0) {
        now->role = SPINE;
        now->zero += up->role == SEQUENCE
                         ? 0 : seconds(x, attributes, "offset", 0);
    } else if (is_item(name)) {
        open_item(x, up, now, attributes);
    } else if (strcmp(name, "marker") == 0 ||
               strcmp(name, "chapter-marker") == 0) {
        open_marker(x, up, attributes);
    }
}

static void XMLCALL closed(void *user, const XML_Char *name)
{
    (void)name;
    fcpxml *x = user;
    if (x->depth > 0)
        x->depth--;
}

static int choose(fcpxml *x)
{
    if (x->items == 0)
        return ems_fail(x->err, EMS_EFORMAT, "\"%s\": no sequence with a spine"
                        " of clips; a Final Cut Pro X project is expected",
                        x->film->name);
    if (x->items > 1)
        return EMS_OK;
    const ems_cues kept = *x->cuts;
    *x->cuts = x->markers;
    x->markers = kept;
    return EMS_OK;
}

EMS_CUES_READER(fcpxml)
{
    fcpxml x = {.film = film, .err = err, .cuts = c};
    x.parser = XML_ParserCreate(NULL);
    if (!x.parser)
        return ems_out_of_memory(err);
    XML_SetUserData(x.parser, &x);
    XML_SetElementHandler(x.parser, opened, closed);
    if (XML_Parse(x.parser, data, (int)size, 1) != XML_STATUS_OK &&
        x.code == EMS_OK)
        bad(&x, XML_ErrorString(XML_GetErrorCode(x.parser)));
    XML_ParserFree(x.parser);
    if (x.code == EMS_OK)
        x.code = choose(&x);
    ems_cues_clear(&x.markers);
    return x.code;
}

/* ---- Writing ------------------------------------------------------------ */

static void put_time(FILE *f, const char *name, ems_rate rate, int64_t frame)
{
    fprintf(f, " %s=\"%lld/%llds\"", name, (long long)(frame * rate.den),
            (long long)rate.num);
}

EMS_CUES_WRITER(fcpxml)
{
    (void)err;
    const ems_rate r = film->rate;
    const int64_t end = ems_seconds_frame(r, film->duration);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE fcpxml>\n"
          "<fcpxml version=\"1.8\">\n  <resources>\n    <format id=\"r1\"", f);
    put_time(f, "frameDuration", r, 1);
    fputs("/>\n    <asset id=\"r2\" hasVideo=\"1\" format=\"r1\" src=\"", f);
    ems_list_xml(f, film->video ? film->video : "");
    fputs("\" start=\"0s\"", f);
    put_time(f, "duration", r, end);
    fputs("/>\n  </resources>\n  <library><event name=\"EMSYNC\">"
          "<project name=\"EMSYNC\">\n    <sequence format=\"r1\""
          " tcStart=\"0s\" tcFormat=\"", f);
    fputs(ems_rate_drops(r) ? "DF\"" : "NDF\"", f);
    put_time(f, "duration", r, end);
    fputs(">\n      <spine>\n", f);
    for (size_t i = 0; i <= c->count; i++) {
        const int64_t from = ems_seconds_frame(r, ems_shot_start(c, i));
        const int64_t to = ems_seconds_frame(r, ems_shot_end(c, i, film));
        fprintf(f, "        <asset-clip name=\"Shot %zu\" ref=\"r2\"", i + 1);
        put_time(f, "offset", r, from);
        put_time(f, "start", r, from);
        put_time(f, "duration", r, to - from);
        fputs(">", f);
        if (i && *c->items[i - 1].name) {
            fputs("<marker", f);
            put_time(f, "start", r, from);
            put_time(f, "duration", r, 1);
            fputs(" value=\"", f);
            ems_list_xml(f, c->items[i - 1].name);
            fputs("\"/>", f);
        }
        fputs("</asset-clip>\n", f);
    }
    fputs("      </spine>\n    </sequence>\n  </project></event></library>\n"
          "</fcpxml>\n", f);
    return EMS_OK;
}

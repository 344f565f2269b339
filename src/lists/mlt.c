/* A project for Shotcut and Kdenlive (MLT XML): the film cut into its shots on
 * one track, the music on a track of its own, a marker at every cue. */
#include "lists/kinds.h"

#include <string.h>

void ems_list_xml(FILE *f, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        case '"': fputs("&quot;", f); break;
        default: fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
        }
    }
}

static void property(FILE *f, const char *name, const char *value)
{
    fprintf(f, "    <property name=\"%s\">", name);
    ems_list_xml(f, value);
    fputs("</property>\n", f);
}

/* In and out are frames, both inside. */
static void producer(FILE *f, const char *id, const char *resource,
                     int64_t frames)
{
    fprintf(f, "  <producer id=\"%s\" in=\"0\" out=\"%lld\">\n", id,
            (long long)frames - 1);
    property(f, "mlt_service", "avformat");
    property(f, "resource", resource);
    fputs("  </producer>\n", f);
}

static void shots(FILE *f, const ems_cues *c, const ems_cues_film *film)
{
    fputs("  <playlist id=\"playlist0\">\n", f);
    property(f, "shotcut:name", "Film");
    property(f, "shotcut:video", "1");
    for (size_t i = 0; i <= c->count; i++)
        fprintf(f, "    <entry producer=\"film\" in=\"%lld\" out=\"%lld\"/>\n",
                (long long)ems_seconds_frame(film->rate, ems_shot_start(c, i)),
                (long long)ems_seconds_frame(film->rate,
                                             ems_shot_end(c, i, film)) - 1);
    fputs("  </playlist>\n", f);
}

static void clock(FILE *f, double time)
{
    const long long ms = (long long)(time * 1000 + 0.5);
    fprintf(f, "%02lld:%02lld:%02lld.%03lld", ms / 3600000, ms / 60000 % 60,
            ms / 1000 % 60, ms % 1000);
}

static void markers(FILE *f, const ems_cues *c)
{
    fputs("    <properties name=\"shotcut:markers\">\n", f);
    for (size_t i = 0; i < c->count; i++) {
        fprintf(f, "      <properties name=\"%zu\">\n"
                "        <property name=\"text\">", i);
        ems_list_xml(f, c->items[i].name);
        for (int end = 0; end < 2; end++) {
            fprintf(f, "</property>\n        <property name=\"%s\">",
                    end ? "end" : "start");
            clock(f, c->items[i].time);
        }
        fputs("</property>\n        <property name=\"color\">#008000"
              "</property>\n      </properties>\n", f);
    }
    fputs("    </properties>\n", f);
}

EMS_CUES_WRITER(mlt)
{
    const int64_t frames = ems_seconds_frame(film->rate, film->duration);
    if (!film->video || !film->music)
        return ems_fail(err, EMS_EINVAL, "an MLT project needs the names of"
                        " film and music");
    fputs("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
          "<mlt LC_NUMERIC=\"C\" producer=\"main_bin\" title=\"EMSYNC\">\n",
          f);
    fprintf(f, "  <profile description=\"automatic\" frame_rate_num=\"%lld\""
            " frame_rate_den=\"%lld\" progressive=\"1\"/>\n",
            (long long)film->rate.num, (long long)film->rate.den);
    producer(f, "film", film->video, frames);
    producer(f, "music", film->music, frames);
    shots(f, c, film);
    fputs("  <playlist id=\"playlist1\">\n", f);
    property(f, "shotcut:name", "Music");
    property(f, "shotcut:audio", "1");
    fprintf(f, "    <entry producer=\"music\" in=\"0\" out=\"%lld\"/>\n"
            "  </playlist>\n  <tractor id=\"tractor0\" in=\"0\" out=\"%lld\">\n",
            (long long)frames - 1, (long long)frames - 1);
    property(f, "shotcut", "1");
    markers(f, c);
    fputs("    <track producer=\"playlist0\"/>\n"
          "    <track producer=\"playlist1\" hide=\"video\"/>\n"
          "  </tractor>\n</mlt>\n", f);
    return EMS_OK;
}

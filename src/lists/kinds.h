/* kinds.h - one reader and one writer per kind of list. Readers add moments
 * in any order; writers leave write errors to the file's closing. */
#ifndef EMS_LIST_KINDS_H
#define EMS_LIST_KINDS_H
#include "lists/cues.h"

#include <stdio.h>

#define EMS_CUES_READER(kind)                                                 \
    int ems_cues_parse_##kind(ems_cues *c, const char *data, size_t size,     \
                              const ems_cues_film *film, ems_error *err)
#define EMS_CUES_WRITER(kind)                                                 \
    int ems_cues_write_##kind(FILE *f, const ems_cues *c,                     \
                              const ems_cues_film *film, ems_error *err)
EMS_CUES_READER(seconds);
EMS_CUES_READER(audacity);
EMS_CUES_READER(scenes);
EMS_CUES_READER(edl);
EMS_CUES_READER(otio);
EMS_CUES_READER(fcpxml);
EMS_CUES_WRITER(seconds);
EMS_CUES_WRITER(audacity);
EMS_CUES_WRITER(scenes);
EMS_CUES_WRITER(edl);
EMS_CUES_WRITER(otio);
EMS_CUES_WRITER(fcpxml);
EMS_CUES_WRITER(chapters);
EMS_CUES_WRITER(mlt);

/* A line of text: `text` of `length` bytes, without its end. */
typedef struct ems_list_line {
    const char *text;
    size_t length, number;      /* number from 1 */
    const char *at, *end;       /* what follows */
} ems_list_line;

static inline ems_list_line ems_list_lines(const char *data, size_t size)
{
    return (ems_list_line){.at = data, .end = data + size};
}
/* 0: no more lines. */
int ems_list_next(ems_list_line *l);
/* A decimal number of at most 15 digits before and after the point, in
 * *text..end; *text moves behind it. 0: there is none. */
int ems_list_number(const char **text, const char *end, double *out);
/* "name" line 3: what. */
int ems_list_bad(const ems_cues_film *film, const ems_list_line *l,
                 const char *what, ems_error *err);

/* Shots are what lies between cues: shot i of count + 1 begins here. */
static inline double ems_shot_start(const ems_cues *c, size_t i)
{
    return i ? c->items[i - 1].time : 0;
}
static inline double ems_shot_end(const ems_cues *c, size_t i,
                                  const ems_cues_film *film)
{
    return i < c->count ? c->items[i].time : film->duration;
}
/* Text for XML content and attributes. */
void ems_list_xml(FILE *f, const char *text);
#endif

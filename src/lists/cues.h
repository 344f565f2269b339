/* cues.h - lists of moments as other programs write them, in and out.
 *
 * A list is read against a film: times are seconds from its first frame, and
 * timecode counts its frames. Reading finds the kind from the content. */
#ifndef EMS_CUES_H
#define EMS_CUES_H
#include "lists/timecode.h"

enum { EMS_CUE_NAME = 64, EMS_CUES_MOST = 1000000,
       EMS_CUES_BYTES = 64 << 20 };

typedef struct ems_cue {
    double time;              /* seconds */
    char name[EMS_CUE_NAME];  /* UTF-8; may be empty */
} ems_cue;

typedef struct ems_cues {
    ems_cue *items;           /* ascending, no two at one time */
    size_t count, capacity;
} ems_cues;

typedef struct ems_cues_film {
    const char *name;         /* of the list, for errors */
    double duration;          /* seconds; 0: unknown, times are not checked */
    ems_rate rate;        /* num 0: the film has no frames */
    const char *start;        /* timecode of the film's first frame; NULL: the
                                 list's own, else its first whole hour */
    const char *video, *music; /* files, for the lists that name them */
} ems_cues_film;

typedef enum ems_cues_kind {
    EMS_CUES_SECONDS,   /* a number, or h:mm:ss.mmm, a line; then a name */
    EMS_CUES_AUDACITY,  /* label track: start, end, name, with tabs */
    EMS_CUES_SCENES,    /* PySceneDetect's list of scenes, CSV */
    EMS_CUES_EDL,       /* CMX 3600 */
    EMS_CUES_OTIO,      /* OpenTimelineIO, JSON */
    EMS_CUES_FCPXML,    /* Final Cut Pro X, XML 1.x */
    EMS_CUES_CHAPTERS,  /* YouTube; written only */
    EMS_CUES_MLT,       /* Shotcut and Kdenlive project; written only */
} ems_cues_kind;

/* What a list is for shows in its name or else its first bytes. */
ems_cues_kind ems_cues_kind_of(const char *name, const char *data,
                               size_t size);
/* For writing, by suffix alone. EMS_EINVAL when it tells nothing. */
int ems_cues_kind_by_suffix(const char *path, ems_cues_kind *kind,
                            ems_error *err);
/* Moments inside (0, duration): the first frames of shots, or markers where a
 * list has one shot only. EMS_EFORMAT names line or path. Release with
 * ems_cues_clear. */
int ems_cues_parse(ems_cues *c, ems_cues_kind kind, const char *data,
                   size_t size, const ems_cues_film *film, ems_error *err);
int ems_cues_load(ems_cues *c, const char *path, const ems_cues_film *film,
                  ems_error *err);
/* film->duration > 0 and a rate. Whole or not at all. EMS_EINVAL when the list cannot
 * say this (fewer than three chapters of ten seconds). */
int ems_cues_save(const ems_cues *c, ems_cues_kind kind, const char *path,
                  const ems_cues_film *film, ems_error *err);
int ems_cues_add(ems_cues *c, double time, const char *name, size_t length,
                 ems_error *err);
void ems_cues_clear(ems_cues *c);
#endif

/* experts.h - what frozen pretrained networks say of a film: for each expert
 * a matrix with a row per moment that it looked or listened at.
 *
 *     ems_senses *s = ems_senses_new("all", &run, &err);
 *     ... ems_senses_still / ems_senses_sound, in order of time ...
 *     ems_senses_end(s, duration, &err);
 *     for (size_t i = 0; i < ems_senses_count(s); i++) {
 *         const ems_sense *e = ems_senses_at(s, i);
 *         if (!e->why[0]) ... e->rows x e->dim at e->values ...
 *     }
 *
 * An expert that cannot be used is never an error: it stays in the list with
 * a sentence in `why` and no rows. docs/EXPERTS.md says what ships, what each
 * column means and how to add one. */
#ifndef EMS_EMOTION_EXPERTS_H
#define EMS_EMOTION_EXPERTS_H
#include "media/media.h"

typedef enum ems_modality {
    EMS_SEE_FRAME,  /* the whole picture */
    EMS_SEE_FACE,   /* the largest faces in it, averaged; a row only where
                       there is one */
    EMS_SEE_BODY,   /* the whole picture, for the people in it */
    EMS_HEAR_SOUND, /* a window of sound */
    EMS_HEAR_SPEECH, /* a window of sound; one column, probability of speech */
    EMS_READ_TEXT,  /* words */
    EMS_MODALITIES,
} ems_modality;

typedef struct ems_sense { /* everything belongs to the ems_senses */
    const char *name;      /* unique: "scene", "faces", "speech", ... */
    ems_modality modality;
    size_t dim, rows;      /* dim is known even when there are no rows */
    const double *times;   /* [rows] seconds, ascending: a frame's time, the
                              middle of a window */
    const float *values;   /* [rows, dim], finite, after the manifest's
                              scaling */
    const char *const *labels; /* [dim]; NULL, or NULL for a column without
                                  a name */
    char sha256[65];       /* of network and manifest: what a fusion that
                              learned from it must find again */
    double seconds;        /* of work in this run */
    int cached;            /* nonzero: from the cache, nothing was run */
    char why[256];         /* why it was left out; "": it was used. Used with
                              no rows: it found nothing */
} ems_sense;

typedef struct ems_senses ems_senses;

/* Open experts. `list`: names with commas between them, "all" (or NULL), or
 * "none"; a name that is not installed gets a `why`. `run` gives the number
 * of threads and the log and must outlive the senses. NULL: out of memory, or
 * a `list` that is no list (EMS_EINVAL). */
ems_senses *ems_senses_new(const char *list, const ems_run *run,
                           ems_error *err);
/* Is `name` in "a,b,c"? In such a list "words" is no network but what is
 * written in the pictures (titles.h), which the senses leave to others. */
int ems_senses_listed(const char *list, const char *name);
/* Look for what the experts said of this film before; `film` is a file whose
 * content is the key. Those that are found need no more feeding. Never
 * fails: without a cache all experts work. */
void ems_senses_recall(ems_senses *s, const char *film);
/* The key of its content; "": none was needed. */
const char *ems_senses_film(const ems_senses *s);
/* Seconds between the stills that are wanted; 0: none are. */
double ems_senses_still_seconds(const ems_senses *s);
int ems_senses_wants_sound(const ems_senses *s);
/* A picture; stills come in order of time and may come more often than
 * wanted. Fails only for want of memory. */
int ems_senses_still(ems_senses *s, const ems_still *still, ems_error *err);
/* Mono at EMS_MEDIA_RATE from time 0, without gaps. */
int ems_senses_sound(ems_senses *s, const float *samples, size_t count,
                     ems_error *err);
/* No more will come. Puts what was not recalled into the cache. */
int ems_senses_end(ems_senses *s, ems_error *err);

size_t ems_senses_count(const ems_senses *s);
const ems_sense *ems_senses_at(const ems_senses *s, size_t index);
/* By name; NULL: no such expert. */
const ems_sense *ems_senses_find(const ems_senses *s, const char *name);

/* Where someone speaks, as analysis.json has it: *spans is new memory
 * (ems_free), NULL with *count 0 when nobody does. *known becomes 0 when no
 * expert listened for speech. */
int ems_senses_speech(const ems_senses *s, double duration,
                      ems_stretch **spans, size_t *count, int *known,
                      ems_error *err);
void ems_senses_free(ems_senses *s);

/* Decode a film for its experts alone (for training): recall, decode what is
 * needed, end. */
int ems_senses_watch(ems_senses *s, const char *film, ems_error *err);
#endif

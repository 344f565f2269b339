/* film.h - pictures and sound of a film together: what a stretch of it is
 * like, and the emotion curve. */
#ifndef EMS_FILM_H
#define EMS_FILM_H
#include "emotion/features.h"
#include "emotion/sound.h"
#include "media/media.h"

typedef struct ems_film ems_film;

typedef struct ems_shot {
    double start, end;
    double valence, arousal;
    double feeling_sd[2]; /* what the two may be off by */
    double emotion[EMS_EKMAN];
    ems_features features;
} ems_shot;

ems_film *ems_film_new(ems_error *err);
int ems_film_frame(ems_film *film, const ems_frame *frame, ems_error *err);
int ems_film_sound(ems_film *film, const float *samples, size_t count,
                   ems_error *err);
/* After the last picture and sound. */
int ems_film_end(ems_film *film, ems_error *err);
/* The film's sound; belongs to it. */
ems_sound *ems_film_sounds(ems_film *film);
/* Measure one shot whose start and end are set. */
void ems_film_shot(const ems_film *film, ems_shot *shot);
/* Around `time`: pictures of this shot only, sound across the cuts. What a
 * window holds nothing of is as in the whole (measured) shot. */
ems_features ems_film_around(const ems_film *film, const ems_shot *shot,
                             double time);
/* How many knots the curve needs inside a shot of this length. */
size_t ems_film_knots(double length);
/* Write those knots: from the shot's start to just before its end (or to its
 * end if it is the last), at most a second apart. */
void ems_film_curve(const ems_film *film, const ems_shot *shot, int last,
                    ems_knot *knots);
void ems_film_free(ems_film *film);
#endif

#include "emotion/film.h"

#include "affect/mapping.h"
#include "base/mem.h"
#include "emotion/affect.h"
#include "emotion/picture.h"
#include "emotion/sound.h"

#include <math.h>

/* Half-widths in seconds of what is measured around a point of the curve. */
static const double PICTURE_REACH = 1.5, SOUND_REACH = 1.5, MODE_REACH = 6;
static const double KNOT_GAP = 1.0;
/* A shot's last knot stands this long before the cut, where the next shot's
 * first knot may be anywhere. */
static const double JUMP = 0.001;

struct ems_film {
    ems_picture *picture;
    ems_sound *sound;
};

ems_film *ems_film_new(ems_error *err)
{
    ems_film *film = ems_alloc(1, sizeof *film);
    if (!film) {
        ems_out_of_memory(err);
        return NULL;
    }
    film->picture = ems_picture_new(err);
    film->sound = film->picture ? ems_sound_new(err) : NULL;
    if (!film->sound) {
        ems_film_free(film);
        return NULL;
    }
    return film;
}

void ems_film_free(ems_film *film)
{
    if (!film)
        return;
    ems_picture_free(film->picture);
    ems_sound_free(film->sound);
    ems_free(film);
}

int ems_film_frame(ems_film *film, const ems_frame *frame, ems_error *err)
{
    return ems_picture_add(film->picture, frame, err);
}

int ems_film_sound(ems_film *film, const float *samples, size_t count,
                   ems_error *err)
{
    return ems_sound_add(film->sound, samples, count, err);
}

int ems_film_end(ems_film *film, ems_error *err)
{
    return ems_sound_end(film->sound, err);
}

ems_sound *ems_film_sounds(ems_film *film)
{
    return film->sound;
}

static ems_features nothing(void)
{
    ems_features f;
    for (int i = 0; i < EMS_FEATURES; i++)
        *ems_feature_at(&f, i) = NAN;
    return f;
}

/* A silent sound track says as little as none. */
static void measure_sound(const ems_film *film, double from, double to,
                          double reach, ems_features *f)
{
    if (!ems_sound_heard(film->sound))
        return;
    ems_sound_measure(film->sound, from, to, f);
    ems_sound_measure_mode(film->sound, from - reach, to + reach, f);
}

void ems_film_shot(const ems_film *film, ems_shot *shot)
{
    shot->features = nothing();
    ems_picture_measure(film->picture, shot->start, shot->end,
                        &shot->features);
    if (ems_picture_slices(film->picture) > 0)
        shot->features.length = shot->end - shot->start;
    measure_sound(film, shot->start, shot->end, MODE_REACH / 2,
                  &shot->features);
    ems_affect(&shot->valence, &shot->arousal, &shot->features);
    ems_va_to_emotion(shot->emotion, shot->valence, shot->arousal);
}

size_t ems_film_knots(double length)
{
    return (size_t)ceil(length / KNOT_GAP) + 1;
}

ems_features ems_film_around(const ems_film *film, const ems_shot *shot,
                             double time)
{
    ems_features f = shot->features;
    ems_picture_measure(film->picture, fmax(time - PICTURE_REACH, shot->start),
                        fmin(time + PICTURE_REACH, shot->end), &f);
    measure_sound(film, time - SOUND_REACH, time + SOUND_REACH,
                  MODE_REACH - SOUND_REACH, &f);
    return f;
}

void ems_film_curve(const ems_film *film, const ems_shot *shot, int last,
                    ems_knot *knots)
{
    const size_t n = ems_film_knots(shot->end - shot->start);
    const double length = shot->end - shot->start;
    const double end = last ? shot->end : shot->end - fmin(JUMP, length / 2);
    for (size_t i = 0; i < n; i++) {
        const double share = (double)i / (double)(n - 1);
        knots[i].time = shot->start + (end - shot->start) * share;
        const ems_features f = ems_film_around(film, shot, knots[i].time);
        ems_affect(&knots[i].valence, &knots[i].arousal, &f);
    }
}

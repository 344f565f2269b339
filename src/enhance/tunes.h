/* tunes.h - the sound of a folder, in memory, to train and to measure with:
 * 44.1 kHz stereo, 16 bits (10.6 MB a minute). */
#ifndef EMS_TUNES_H
#define EMS_TUNES_H
#include "enhance/filters.h"

enum { EMS_TUNE_RATE = 44100 };

typedef struct ems_tune {
    char *name;    /* path below the folder */
    int16_t *x;    /* [frames, 2] */
    size_t frames;
} ems_tune;

typedef struct ems_tunes {
    ems_tune *tune; /* by name */
    size_t count, capacity;
    double seconds; /* of all */
} ems_tunes;

/* Every file below `folder` (eight levels deep) that has sound, up to
 * `seconds` of each from second `from` on (or from its beginning, if it is
 * shorter than that). Others are passed over with a line in the log.
 * EMS_EFORMAT: there is none. */
int ems_tunes_read(ems_tunes *t, const char *folder, double from,
                   double seconds, const ems_run *run, ems_error *err);
void ems_tunes_clear(ems_tunes *t);

/* Frames [at, at + frames) of a tune as float, [frames, 2]; silence beyond its
 * end. */
void ems_tune_get(const ems_tune *t, float *out, size_t at, size_t frames);

/* The frames as they are and as they sound through `f` (NULL: unchanged),
 * filtered with EMS_TUNE_MARGIN frames around them so that edges do not
 * matter. EMS_ENOMEM. */
enum { EMS_TUNE_MARGIN = 8192 };
int ems_tune_filtered(const ems_tune *t, const ems_filter *f, float *whole,
                      float *dull, size_t at, size_t frames, ems_error *err);
#endif

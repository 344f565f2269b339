/* sense.h - one expert at work on one film; inside of senses*.c. */
#ifndef EMS_SENSE_H
#define EMS_SENSE_H
#include "emotion/experts.h"
#include "experts/cache.h"
#include "experts/expert.h"
#include "experts/resample.h"

typedef struct ems_worker_still { /* a copy of a still */
    ems_still still;
    uint8_t *rgb;
    size_t room;
} ems_worker_still;

typedef struct ems_sense_job { /* an expert and what it has said so far */
    ems_sense out;
    char *name;
    ems_expert *expert;
    const char **labels;
    ems_matrix rows;
    size_t time_room, value_room;
    double every, next;    /* of pictures, seconds */
    ems_resampler *resampler;
    float *sound;          /* not heard yet, at the expert's rate */
    size_t held, sound_room;
    int64_t heard;         /* samples before sound[0] */
    int usable;            /* still to be asked */
} ems_sense_job;

/* Give up: the sentence becomes `why`, the rows go. */
void ems_sense_drop(ems_sense_job *j, const char *why);
/* Room for one more row at `time`; NULL: out of memory (dropped). Too many
 * rows: every second one goes and pictures are looked at half as often. */
float *ems_sense_row(ems_sense_job *j, double time);

/* Ask it about those of the stills that are due. `detector` may be NULL. */
void ems_sense_see(ems_sense_job *j, const ems_worker_still *stills,
                   size_t count, ems_expert *detector);
/* Take sound and ask about every window that is complete; `last`: fill the
 * last one up with silence if at least half of it sounds. */
void ems_sense_hear(ems_sense_job *j, const float *samples, size_t count,
                    int last);
#endif

/* events.h - a family's notes and controllers as what a synthesiser shall do,
 * block by block. */
#ifndef EMS_EVENTS_H
#define EMS_EVENTS_H
#include "music/piece.h"

/* FluidSynth acts on notes at multiples of this many frames: an onset is off
 * by at most half of it, 0.67 ms. */
enum { EMS_BLOCK = 64 };

typedef enum ems_event_kind { /* in the order they come within a block */
    EMS_EVENT_OFF, EMS_EVENT_CONTROL, EMS_EVENT_ON,
} ems_event_kind;

typedef struct ems_event {
    int64_t block;
    uint8_t kind, a, b; /* pitch and velocity; controller and value */
} ems_event;

typedef struct ems_events { /* ascending */
    ems_event *items;
    size_t count, capacity;
    size_t notes;
} ems_events;

/* How the notes are played. */
typedef struct ems_touch {
    double humanize; /* standard deviation of onsets, ms; drums: half of it */
    uint64_t seed;
    double release;  /* seconds: what sounds then is let go */
} ems_touch;

/* Those of `family` that begin before frame `frames`. Onsets move by at most
 * twice `humanize`, each by what its time, pitch and the seed say, whatever
 * else is played; notes at a marker (a cut, a hit) stay. EMS_ENOMEM. */
int ems_events_collect(ems_events *e, const ems_piece *piece,
                       ems_family family, uint64_t frames,
                       const ems_touch *touch, ems_error *err);
void ems_events_clear(ems_events *e); /* harmless on a zeroed one */
#endif

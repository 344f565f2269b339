/* room.h - a reverberation for one stem: a feedback delay network of eight
 * lines (Jot and Chaigne 1991). Linear, so that the rooms of all stems add up
 * to the room of the mix. */
#ifndef EMS_ROOM_H
#define EMS_ROOM_H
#include <stddef.h>

enum { EMS_ROOM_STEP = 64 };

typedef struct ems_room ems_room;

/* NULL: out of memory. */
ems_room *ems_room_new(void);
/* x += send * reverberation of x; n interleaved stereo frames, a multiple of
 * EMS_ROOM_STEP. A send of 1 makes the reverberation of noise as loud as the
 * noise. */
void ems_room_add(ems_room *r, float *x, size_t n, float send);
void ems_room_free(ems_room *r);
#endif

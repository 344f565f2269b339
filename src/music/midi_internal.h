/* midi_internal.h - what the two halves of the MIDI reader share. */
#ifndef EMS_MIDI_INTERNAL_H
#define EMS_MIDI_INTERNAL_H
#include "music/midi.h"

typedef struct ems_midi_program { /* a program change, on any track */
    uint64_t tick;
    size_t order;
    uint8_t channel, program;
} ems_midi_program;

typedef struct ems_midi_programs {
    ems_midi_program *items;
    size_t count, capacity;
} ems_midi_programs;

/* Sort what was read, give notes without a program on their own track the
 * channel's, and turn ticks into seconds. smpte: seconds of a tick, or 0. */
int ems_midi_settle(ems_midi *m, ems_midi_programs *programs, double smpte,
                    const char *name, ems_error *err);
#endif

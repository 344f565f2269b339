/* piece_midi.h - a piece to the bytes of a MIDI file and back. What is
 * written, read and written again has the same bytes. */
#ifndef EMS_PIECE_MIDI_H
#define EMS_PIECE_MIDI_H
#include "music/midi.h"
#include "music/piece.h"

enum { EMS_PIECE_DIVISION = 480 };
/* A text event of track 0 with the film's exact length: ticks are coarse. */
#define EMS_DURATION_TEXT "duration_us="

/* "cut", "hit", "section": the first word of a marker in a file. A "cue" has no
 * first word: it is a cue point there. */
extern const char *const ems_marker_name[4];

/* The bytes belong to the caller (ems_free). EMS_EINVAL when the piece is not
 * sorted or a bar's tempo cannot be written (see ems_bars_fit). */
int ems_piece_to_midi(const ems_piece *p, uint8_t **data, size_t *size,
                      ems_error *err);
/* Any MIDI file with notes of the five families; other notes are left out. */
ems_piece *ems_piece_from_midi(const ems_midi *m, const char *name,
                               ems_error *err);
#endif

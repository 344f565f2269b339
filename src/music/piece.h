/* piece.h - music as data: what the composer makes, the MIDI file stores and
 * the synthesiser plays. */
#ifndef EMS_PIECE_H
#define EMS_PIECE_H
#include "base/error.h"

typedef struct ems_bar {
    double start;  /* seconds */
    int beats;     /* quarter notes, 1..32 */
} ems_bar;

enum { EMS_CC_EXPRESSION = 11, EMS_CC_SUSTAIN = 64 };

typedef struct ems_control { /* a controller of a family's track */
    double time;             /* seconds */
    uint8_t family, number, value; /* EMS_CC_*; 0..127 */
} ems_control;

typedef enum ems_marker_kind { EMS_MARK_CUT, EMS_MARK_HIT, EMS_MARK_SECTION }
    ems_marker_kind;

typedef struct ems_marker {
    double time;
    ems_marker_kind kind;
    char text[48];
} ems_marker;

/* General MIDI program per family; drums: kit 0 on channel 10. */
extern const uint8_t ems_family_program[EMS_FAMILIES];
extern const char *const ems_family_name[EMS_FAMILIES];

struct ems_piece {
    double duration;             /* seconds; the film's */
    ems_note *notes;             /* ascending start, then family, pitch */
    size_t note_count, note_capacity;
    ems_bar *bars;               /* ascending; tempo of bar i follows from
                                    its beats and the start of bar i+1 */
    size_t bar_count, bar_capacity;
    ems_marker *markers;         /* ascending */
    size_t marker_count, marker_capacity;
    ems_control *controls;       /* ascending time, then family, number */
    size_t control_count, control_capacity;
    uint8_t program[EMS_FAMILIES];
    int key_sharps, key_minor;   /* MIDI key signature: -7..7, 0 or 1 */
    char text[160];              /* program, version, seed, plan hash */
};

ems_piece *ems_piece_new(double duration, ems_error *err);
int ems_piece_add_note(ems_piece *p, ems_note note, ems_error *err);
int ems_piece_add_control(ems_piece *p, ems_control control, ems_error *err);
int ems_piece_add_bar(ems_piece *p, ems_bar bar, ems_error *err);
int ems_piece_add_marker(ems_piece *p, ems_marker marker, ems_error *err);
/* Sort notes, bars, controls and markers as stated above. */
void ems_piece_sort(ems_piece *p);
#endif

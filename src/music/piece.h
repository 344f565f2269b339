/* piece.h - music as data: what the composer makes, the MIDI file stores and
 * the synthesiser plays. */
#ifndef EMS_PIECE_H
#define EMS_PIECE_H
#include "base/error.h"
#include "music/likelihood.h"

typedef struct ems_bar {
    double start;  /* seconds */
    int beats;     /* quarter notes, 1..32 */
} ems_bar;

enum { EMS_CC_VOLUME = 7, EMS_CC_PAN = 10, EMS_CC_EXPRESSION = 11,
       EMS_CC_SUSTAIN = 64 };

typedef struct ems_control { /* a controller of a family's track */
    double time;             /* seconds */
    uint8_t family, number, value; /* expression or sustain; 0..127 */
} ems_control;

typedef struct ems_signature { /* a key from here on, as MIDI says it */
    double time;
    int sharps, minor;
} ems_signature;

typedef enum ems_marker_kind {
    EMS_MARK_CUT, EMS_MARK_HIT, EMS_MARK_SECTION,
    EMS_MARK_CUE, /* what happens in the picture: a cue point in a file */
} ems_marker_kind;

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
    uint8_t volume[EMS_FAMILIES], pan[EMS_FAMILIES]; /* 0..127, pan 64: middle */
    int key_sharps, key_minor;   /* MIDI key signature: -7..7, 0 or 1 */
    ems_signature *keys;         /* later ones, ascending */
    size_t key_count, key_capacity;
    int smpte;                   /* frames a second, as in ems_midi */
    char text[160];              /* program, version, seed, plan hash */
    ems_likelihood likelihood;   /* zero, unless composed and asked for */
};

ems_piece *ems_piece_new(double duration, ems_error *err);
int ems_piece_add_note(ems_piece *p, ems_note note, ems_error *err);
int ems_piece_add_control(ems_piece *p, ems_control control, ems_error *err);
int ems_piece_add_key(ems_piece *p, ems_signature key, ems_error *err);
int ems_piece_add_bar(ems_piece *p, ems_bar bar, ems_error *err);
int ems_piece_add_marker(ems_piece *p, ems_marker marker, ems_error *err);
/* Sort notes, bars, controls and markers as stated above. */
void ems_piece_sort(ems_piece *p);
#endif

/* lines.h - melodies inside a piece: the top voice of each instrument family,
 * cut into phrases that are compared without regard to key and tempo. */
#ifndef EMS_LINES_H
#define EMS_LINES_H
#include "base/error.h"

enum { EMS_PHRASE = 10 }; /* notes of a phrase */

typedef struct ems_line_note {
    double start, end; /* seconds */
    uint8_t pitch;
    uint8_t under[2]; /* pitches struck with it, the highest; 0: none */
    uint8_t harmony;  /* the top of a chord in close position, or a bass note
                         that stands */
    uint8_t other;    /* used while the line is taken */
} ems_line_note;

typedef struct ems_line {
    ems_line_note *notes; /* ascending start, at least 20 ms apart */
    size_t count, capacity;
} ems_line;

/* The highest of the notes that `family` strikes together, unless a higher
 * one goes on sounding above it; without what lies far below a voice that
 * goes on (but for the bass). `notes` ascend by start; `l` is overwritten,
 * its memory used again; zero it first, and release it with ems_line_clear. */
int ems_line_take(ems_line *l, const ems_note *notes, size_t count,
                  int family, ems_error *err);
void ems_line_clear(ems_line *l);

/* A hash of EMS_PHRASE notes from their intervals and from whether each note
 * lasts a third, a half, two thirds, as long, once and a half, twice or three
 * times as long as the one before. 0: a phrase that is nobody's: a repeated
 * note, a scale, a figure of at most four notes over and over, a rest of more
 * than six seconds, or mostly harmony. */
uint64_t ems_phrase_hash(const ems_line_note *n);
#endif

/* tokens.h - music to EMSYNC's events and back (vocab.h; docs/MODEL.md 2).
 *
 * Times are rounded to the grid of 8 ms once, from the true time, so that no
 * error adds up: decoded notes lie within 4 ms of the written ones. (The
 * authors round each shift by itself; their cursor drifts when decoded.)
 * At one moment the order is <BAR>, <CHORD>, ONs, OFFs; notes by family
 * DRUMS, BASS, GUITAR, PIANO, STRINGS, then pitch. A moment has <CHORD> when
 * GUITAR or PIANO begins three pitches at once that last two beats each, and
 * the <CHORD> before is a second away: before all ONs, so that it calls the
 * whole band to a hit. */
#ifndef EMS_TOKENS_H
#define EMS_TOKENS_H
#include "music/midi.h"
#include "music/piece.h"
#include "music/vocab.h"

/* ---- Music on the grid ---- */

typedef struct ems_song_note {
    uint32_t start, end;      /* ticks of 8 ms, start < end */
    uint8_t family, pitch;    /* pitch 21..108 */
    uint8_t velocity;
    uint8_t sustained;        /* lasts two beats */
} ems_song_note;

typedef struct ems_song {
    ems_song_note *notes;     /* ascending start; of one family and pitch
                                 never two at a time */
    size_t note_count;
    uint32_t *bars;           /* ticks of 8 ms; bars[0] = 0; ascending */
    size_t bar_count;
    uint32_t end;             /* the last note's end */
    double beat;              /* seconds of a quarter note, mean */
    size_t dropped;           /* notes of other families or out of range */
} ems_song;

/* The five families' notes of a file. The song begins at the bar of the first
 * note; of more than two empty bars in a row two stay; drums last at most
 * half a second, other notes EMS_LONGEST_NOTE. EMS_EFORMAT when no
 * note is left or bars make no sense (shorter than 0.2 s in the middle).
 * Release with ems_song_clear. */
int ems_song_from_midi(ems_song *s, const ems_midi *m, const char *name,
                       ems_error *err);
void ems_song_clear(ems_song *s);
/* Take out small timing: onsets within 24 ms become one moment, bar lines
 * attract them, notes end at a moment within 40 ms if there is one, drums at
 * the next. For training data. */
int ems_song_tidy(ems_song *s, ems_error *err);
/* Several tracks make one family: a pitch struck while it sounds begins anew
 * and lasts as long as the longer of both. Notes ascend by start. */
void ems_song_part(ems_song *s);
/* Families that sound, 1..5. */
int ems_song_families(const ems_song *s);

typedef struct ems_tokens {
    uint16_t *tokens;
    size_t count, capacity;
    uint32_t *bars;           /* indices of the <BAR> tokens */
    size_t bar_count, bar_capacity;
    size_t chords;            /* <CHORD> tokens */
} ems_tokens;

/* Without <START> and instrument-count token. */
int ems_tokens_from_song(ems_tokens *t, const ems_song *s, ems_error *err);
void ems_tokens_clear(ems_tokens *t);

/* ---- Tokens to a piece, one at a time ---- */

enum {
    EMS_VELOCITY = 80, EMS_CHORD_VELOCITY = 120, /* as in EMSYNC */
    EMS_BAR_ACCENT = 8, /* louder on a bar's first moment, not in paper mode */
};
#define EMS_LONGEST_NOTE 16.0 /* seconds; a model may forget an OFF */
#define EMS_LONGEST_DRUM 2.0

typedef struct ems_sounding {
    double start;
    uint8_t on, restruck, velocity;
} ems_sounding;

typedef struct ems_token_decoder {
    ems_piece *piece;     /* not owned */
    int paper;            /* two velocities, no limit to a note's length */
    int chord;            /* since the last <CHORD> no time has passed */
    double bar;           /* time of the last <BAR>, or negative */
    size_t dropped;       /* OFFs without a note, notes without length */
    ems_sounding sounding[EMS_FAMILIES][EMS_PITCHES];
} ems_token_decoder;

/* Adds notes and bars (of 4 beats; see ems_bars_fit) to `piece`. */
void ems_decoder_start(ems_token_decoder *d, ems_piece *piece, int paper);
/* The next token. `time` is the cursor in seconds, for a TIMESHIFT after it;
 * it never falls, and may be moved by the caller to land on a hit. Tokens
 * that are no music (<START>, <PAD>, instrument counts) do nothing. */
int ems_decoder_feed(ems_token_decoder *d, int token, double time,
                     ems_error *err);
/* Close what still sounds at the piece's end and sort the piece. */
int ems_decoder_finish(ems_token_decoder *d, ems_error *err);
#endif

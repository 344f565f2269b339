/* midi.h - Standard MIDI Files: what strangers write, as plain arrays; and
 * our own pieces as type 1 files.
 *
 * Reading takes types 0, 1 and 2 (the patterns of type 2 follow one another),
 * running status, sysex, SMPTE division, RIFF wrapping, and what broken
 * writers leave: lengths beyond the end, missing ends of tracks, hanging
 * notes, note-offs without a note. Such repairs are counted as warnings.
 * Anything that cannot be read safely is refused with its byte offset. */
#ifndef EMS_MIDI_H
#define EMS_MIDI_H
#include "base/error.h"

enum {
    EMS_MIDI_MAX_BYTES = 64 << 20,
    EMS_MIDI_MAX_NOTES = 4 << 20,
    EMS_MIDI_MAX_EVENTS = 1 << 20, /* of each other kind that is kept */
    EMS_MIDI_MAX_SECONDS = 24 * 3600,
    EMS_MIDI_MAX_BARS = 1 << 18,
};

typedef struct ems_midi_note {
    uint64_t on, off;   /* ticks, on < off */
    double start, end;  /* seconds */
    uint32_t track;
    uint8_t channel;    /* 0..15; 9: drums */
    uint8_t program, pitch, velocity;
} ems_midi_note;

typedef struct ems_midi_control { /* ascending; EMS_CC_* of piece.h */
    uint64_t tick;
    double time;        /* seconds */
    uint32_t order;     /* of reading */
    uint8_t channel, number, value;
} ems_midi_control;

typedef struct ems_midi_tempo { /* ascending, the first at tick 0 */
    uint64_t tick;
    double time;       /* seconds */
    uint32_t quarter;  /* microseconds per quarter note */
} ems_midi_tempo;

typedef struct ems_midi_metre { /* ascending */
    uint64_t tick;
    uint8_t beats, unit; /* 6/8: 6 and 8 */
} ems_midi_metre;

typedef struct ems_midi_key { /* ascending */
    uint64_t tick;
    int8_t sharps, minor; /* -7..7, 0 or 1 */
} ems_midi_key;

typedef enum ems_midi_text_kind { /* the meta event's number */
    EMS_MIDI_TEXT = 1, EMS_MIDI_COPYRIGHT, EMS_MIDI_NAME,
    EMS_MIDI_INSTRUMENT, EMS_MIDI_LYRIC, EMS_MIDI_MARKER, EMS_MIDI_CUE,
} ems_midi_text_kind;

typedef struct ems_midi_text { /* ascending */
    uint64_t tick;
    double time;
    uint32_t track;
    ems_midi_text_kind kind;
    size_t at, length; /* bytes [at, at + length) of texts; any encoding */
} ems_midi_text;

typedef struct ems_midi {
    int type;
    uint32_t tracks;       /* read, not declared */
    uint32_t division;     /* ticks per quarter note */
    int timecode;          /* nonzero: the file counts frames, not beats */
    ems_midi_note *notes;  /* ascending on, then channel, pitch, track */
    size_t note_count, note_capacity;
    ems_midi_control *controls;
    size_t control_count, control_capacity;
    ems_midi_tempo *tempos; /* at least one */
    size_t tempo_count, tempo_capacity;
    ems_midi_metre *metres; /* may be empty: 4/4 */
    size_t metre_count, metre_capacity;
    ems_midi_key *keys;
    size_t key_count, key_capacity;
    ems_midi_text *text_events;
    size_t text_count, text_capacity;
    char *texts;
    size_t texts_size, texts_capacity;
    int smpte;             /* frames a second of a SMPTE offset: 24, 25, 29
                              (30 with drop frame) or 30; 0: there is none */
    uint64_t end_tick;
    double duration;       /* seconds, of end_tick */
    size_t warnings;       /* repairs made while reading */
} ems_midi;

/* Read a file's bytes; `name` is used in errors. EMS_EFORMAT with the byte
 * offset, EMS_ENOMEM; *m is then empty. Release with ems_midi_clear. */
int ems_midi_parse(ems_midi *m, const void *data, size_t size,
                   const char *name, ems_error *err);
void ems_midi_clear(ems_midi *m); /* harmless on a zeroed one */

/* Seconds of a tick. */
double ems_midi_time(const ems_midi *m, uint64_t tick);

/* Ticks of all bar lines from 0 on, the last one at or after end_tick, in new
 * memory (ems_free). A new metre begins a new bar. */
int ems_midi_bars(const ems_midi *m, uint64_t **bars, size_t *count,
                  ems_error *err);

/* Move everything to a clock that the 8 ms of the token grid divide: every
 * quarter note becomes a multiple of 12 of them (the nearest by ratio: at most
 * 10 % away from 52 to 208 beats a minute), every note begins and ends on a
 * twelfth of a beat. Small timing goes, and so does the jitter of rounding.
 * Files that count frames stay as they are. */
void ems_midi_to_grid(ems_midi *m);

/* The family that plays a program, as in LPD-5: piano 0-7, guitar 24-31, bass
 * 32-39, strings all other pitched ones; synth effects, ethnic, percussive
 * and sound effects (96-127) give -1. Channel 9: drums. */
int ems_midi_family(int channel, int program);
#endif

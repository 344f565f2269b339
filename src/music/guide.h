/* guide.h - leads sampling so that the music lands on every hit, and keeps it
 * from a few things no listener wants. Used for EMS_SYNC_EXACT only.
 *
 * Hits: no TIMESHIFT crosses one; less than a tick before it counts as there
 * and the cursor moves to the exact time, so nothing adds up. At a hit come
 * <BAR> and <CHORD>, then note-ONs of which three are for guitar, piano or
 * strings as long as these carry CHORD_SHARE of the probability, and at least
 * one is no drum; then everything older that still sounds is released (drums
 * ring out); only then does time go on. The last hit is the ending: after its
 * chord nothing follows.
 *
 * Bars: where the metre is planned (metre.h) <BAR> comes at its lines, and
 * time stops at sixteenths and triplet eighths only, as in nearly all music
 * that the model learned from (midi_grid.c).
 *
 * Taste:
 * 1. no ON twice in one moment, no OFF of a silent pitch or of a note of no
 *    length; <BAR> and <CHORD> once a moment;
 * 2. a pitch held for LONGEST seconds is released;
 *    at a bar line of another chord what does not belong to it is, too;
 * 3. no more than SILENCE seconds without any sound;
 * 4. at most CROWD note-ONs in one moment, PART of them of one family;
 * 5. about `rush` note-ONs a second, except at hits;
 * 6. new notes keep to the key that is asked for, or else, once a few have
 *    made one, to its seven pitches; at a hit most of it is forgotten, so that
 *    a scene may bring its own key;
 * 7. the bass stays below its highest pitch;
 * 8. no <CHORD> in the last second, no <BAR> in the last half second before a
 *    hit, which brings its own. */
#ifndef EMS_GUIDE_H
#define EMS_GUIDE_H
#include "music/vocab.h"

enum { EMS_GUIDE_CHORD = 3, EMS_GUIDE_CROWD = 12,
       EMS_GUIDE_PART = 5, EMS_GUIDE_BASS = 60 /* a C: its highest pitch */ };
#define EMS_GUIDE_CHORD_SHARE 0.02
#define EMS_GUIDE_RUSH 20.0
#define EMS_GUIDE_LONGEST 4.0
#define EMS_GUIDE_SILENCE 1.5

typedef enum ems_guide_phase {
    EMS_GUIDE_FREE,    /* between hits */
    EMS_GUIDE_LINE,    /* at a bar line that is no hit: <BAR> is due */
    EMS_GUIDE_BAR,     /* at a hit: <BAR> is due */
    EMS_GUIDE_CALL,    /* <CHORD> is due */
    EMS_GUIDE_ONS,     /* note-ONs are due */
    EMS_GUIDE_AFTER,   /* more may come; TIMESHIFT waits for the releases */
    EMS_GUIDE_RELEASE, /* OFFs of what is older than the hit are due */
    EMS_GUIDE_LEAVE,   /* a TIMESHIFT is due */
    EMS_GUIDE_DONE,    /* the ending's chord stands */
} ems_guide_phase;

typedef struct ems_guide {
    const double *hit;   /* ascending; borrowed */
    size_t hits, next;
    const double *line;  /* bar lines, ascending; borrowed */
    const int *step;     /* ticks in a twelfth of a beat of each bar; borrowed;
                            NULL: any tick will do */
    size_t lines, next_line;
    int ending;          /* nonzero: the last hit ends the piece */
    ems_guide_phase phase;
    double cursor;
    double silent_since; /* last moment with sound */
    int bars, calls, ons; /* <BAR>, <CHORD>, note-ONs in this moment */
    int part[EMS_FAMILIES]; /* the note-ONs by family */
    int chord_notes, pitched; /* ONs since the hit's <CHORD> */
    double recent;       /* note-ONs, fading with a second */
    double struck[EMS_FAMILIES][EMS_PITCHES]; /* notes, fading with MEMORY */
    double pitch_class[12]; /* the same but drums, fading with KEY_MEMORY */
    unsigned scale;      /* a bit for each pitch class that may be struck */
    unsigned leaving;    /* pitch classes that shall not sound on; bits */
    unsigned key;        /* the scale that is asked for; 0: as the notes say */
    double rush;         /* note-ONs a second, at most about */
    unsigned families;   /* that may begin notes, bits */
    int sounding;        /* pitches that sound, drums not counted */
    int low;             /* of these, below EMS_GROUND */
    double grounded;     /* last moment with such a one */
    double start[EMS_FAMILIES][EMS_PITCHES]; /* < 0: silent */
    double older[EMS_FAMILIES][EMS_PITCHES]; /* a restruck note's first
                                                start; < 0: none */
} ems_guide;

void ems_guide_start(ems_guide *g, const double *hit, size_t hits,
                     int ending);
/* Bars are planned: <BAR> comes at these lines (the first, at 0, is the
 * caller's) and nowhere else, and no TIMESHIFT crosses one. Every hit but
 * those nearer than a tick to another lies on a line. step[i]: ticks of a
 * twelfth of a beat after line[i]; NULL: time may stop anywhere. */
void ems_guide_bars(ems_guide *g, const double *line, const int *step,
                    size_t lines);
/* Ticks since the bar line; *step: ticks of a twelfth of a beat, 0 where no
 * bars are planned. */
int ems_guide_tick(const ems_guide *g, int *step);
/* A token that must come now, or -1: sample. */
int ems_guide_due(ems_guide *g);
/* Fill banned[EMS_VOCAB] for sampling from these logits. */
void ems_guide_ban(ems_guide *g, const float *logits, uint8_t *banned);
/* 0: the sampled token must wait, because something is due before it; ask
 * ems_guide_due again and sample anew later. */
int ems_guide_accept(ems_guide *g, int token);
/* The token is part of the piece now. Returns the cursor after it. */
double ems_guide_step(ems_guide *g, int token);
#endif

/* mixer.h - what a mixing desk does to one instrument: level, pan, equaliser,
 * send to the room; and to all of them: the compressor of the bus. A channel
 * belongs to one thread at a time. */
#ifndef EMS_MIXER_H
#define EMS_MIXER_H
#include "base/error.h"

#include <emsync/emsync.h>

typedef struct ems_strip { /* settings of one instrument */
    double level;     /* dB beside the house balance */
    double pan;       /* -1 left to 1 right */
    double low, high; /* shelves at 200 and 5000 Hz, dB */
    double room;      /* send: 0 dry; 1 as much room as sound */
} ems_strip;

/* The house's settings, changed by `text` (NULL: not): instruments separated
 * by ';' or ',', each a name and what is to be different: "piano level=-3
 * pan=0.2; drums room=0". EMS_EINVAL tells the word that is wrong. */
int ems_mixer_parse(ems_strip strip[EMS_FAMILIES], const char *text,
                    ems_error *err);
/* "bass", "drums", "guitar", "piano", "strings". */
const char *ems_mixer_name(ems_family family);
/* How loud a family shall be in the probe of calibrate.h, LUFS: the balance
 * of the house, whatever the bank. */
double ems_mixer_target(ems_family family);

/* Second-order sections (direct form 1, double): a high-pass at 25 Hz, for
 * some banks' samples carry a constant, and the shelves. */
typedef struct ems_channel {
    double b[3][3], a[3][2];
    double x[3][2][2], y[3][2][2]; /* [section][delay][side] */
    double gain;
} ems_channel;

/* gain: linear, beside the strip's level. */
void ems_channel_begin(ems_channel *c, const ems_strip *strip, double gain);
void ems_channel_run(ems_channel *c, float *x, size_t frames);

/* Feed-forward, 2:1 above -20 dBFS with a soft knee of 12 dB; attack 15 ms,
 * release 180 ms; one gain for both sides. */
typedef struct ems_compressor {
    double power;  /* smoothed mean square */
    double gain;   /* at the end of the last step, linear */
    double most;   /* deepest reduction so far, dB >= 0 */
} ems_compressor;

void ems_compressor_begin(ems_compressor *c);
/* Calls must cover multiples of 32 frames, except the last. */
void ems_compressor_run(ems_compressor *c, float *x, size_t frames);
#endif

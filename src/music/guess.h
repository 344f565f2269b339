/* guess.h - numbers of a whole song, and an emotion guessed from them. */
#ifndef EMS_GUESS_H
#define EMS_GUESS_H
#include "music/tokens.h"

typedef struct ems_song_features {
    double seconds;
    double density;    /* notes per second and sounding family */
    double bpm;
    double mode;       /* fit of the best major key - of the best minor */
    double key_fit;
    double pitch;      /* mean MIDI pitch without drums, by time */
    double dissonance; /* share of seconds, sevenths and tritones among the
                          intervals that begin together or meet */
    double pitched;    /* seconds of pitched sound */
} ems_song_features;

ems_song_features ems_song_measure(const ems_song *s);
/* A guess in [-1,1], or NaN when the mode is not clear. */
double ems_guess_valence(const ems_song_features *f);
#endif

/* labels.h - what emotion a song is labelled with: by people, in a CSV file,
 * or guessed from its notes. */
#ifndef EMS_LABELS_H
#define EMS_LABELS_H
#include "music/tokens.h"

typedef struct ems_label {
    char *file;              /* as in the CSV, without "./" */
    double valence, arousal; /* [-1,1] or NaN: unknown */
} ems_label;

typedef struct ems_labels {
    ems_label *items;        /* ascending file */
    size_t count, capacity;
} ems_labels;

/* A CSV with the columns file, valence, arousal (RFC 4180; other columns are
 * passed over; an empty value is unknown). EMS_EIO; EMS_EFORMAT with the
 * line. Release with ems_labels_clear. */
int ems_labels_load(ems_labels *l, const char *path, ems_error *err);
/* As above from memory; `name` stands for the file in errors. */
int ems_labels_parse(ems_labels *l, const char *data, size_t size,
                     const char *name, ems_error *err);
const ems_label *ems_labels_find(const ems_labels *l, const char *file);
void ems_labels_clear(ems_labels *l);

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

/* grammar.h - the two experts that this program is itself: how a film is
 * shot and how it sounds, a row a second. They are always there. */
#ifndef EMS_GRAMMAR_H
#define EMS_GRAMMAR_H
#include "emotion/film.h"

enum { EMS_GRAMMAR_DIM = 8, EMS_TONE_DIM = 8 };
/* What a fusion must find again: changes when a column does. */
#define EMS_GRAMMAR_ID "emsync-grammar-1"
#define EMS_TONE_ID "emsync-tone-1"

typedef struct ems_grammar { /* owned: ems_grammar_clear */
    size_t rows;
    double *times;  /* [rows]: the middle of each second */
    float *picture; /* [rows, 8] brightness, contrast, saturation, warm, cool,
                       colourfulness / 100, log2(1 + motion), log2(1 + length
                       of the shot); NaN: no pictures there */
    float *sound;   /* [rows, 8] loudness / 10, log2 of centroid / 1 kHz,
                       flatness, low, onsets, silence, mode, clarity; NaN: no
                       sound there */
    int has_picture, has_sound; /* anywhere */
} ems_grammar;

/* Of a film between its shots; at most EMS_GRAMMAR_ROWS rows, evenly. */
enum { EMS_GRAMMAR_ROWS = 20000 };
int ems_grammar_of(ems_grammar *g, const ems_film *film, const ems_shot *shots,
                   size_t count, double duration, ems_error *err);
/* The two rows of these features. */
void ems_grammar_row(float picture[EMS_GRAMMAR_DIM], float sound[EMS_TONE_DIM],
                     const ems_features *f);
/* A single row of these features. */
int ems_grammar_one(ems_grammar *g, const ems_features *f, ems_error *err);
/* Decode a film for it. */
int ems_grammar_watch(ems_grammar *g, const char *video, const ems_run *run,
                      ems_error *err);
void ems_grammar_clear(ems_grammar *g);
#endif

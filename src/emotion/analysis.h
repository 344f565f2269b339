/* analysis.h - analysis.json in memory. */
#ifndef EMS_ANALYSIS_H
#define EMS_ANALYSIS_H
#include "emotion/feel.h"
#include "emotion/titles.h"

enum { EMS_ANALYSIS_MOST = 1000000 }; /* elements of any array in the file */

/* Everything is rounded as it is written, so that going through the file
 * changes nothing. */
struct ems_analysis {
    double duration, fps;
    int width, height; /* 0 without pictures */
    char *source;      /* file name without folders */
    ems_cut *cuts;
    size_t cut_count;
    ems_shot *shots;
    size_t shot_count;
    ems_knot *curve;   /* at least one */
    size_t knot_count;
    ems_feeling *feelings; /* of the knots; NULL: a file that has none */
    double emotion[EMS_EKMAN];
    ems_stretch *speech, *music; /* ascending, apart; NULL: none */
    size_t speech_count, music_count;
    float *loudness;   /* LUFS of every loudness_step seconds; NULL: no sound */
    size_t loudness_count;
    double loudness_step, loudness_whole;
    ems_title *titles; /* ascending, apart; their texts are owned */
    size_t title_count;
    ems_expert_said *experts; /* their texts are owned */
    size_t expert_count;
};

/* Write down what the experts said (experts.h); speech as a network heard it
 * takes the place of what was there. */
struct ems_senses;
int ems_analysis_take_senses(ems_analysis *a, const struct ems_senses *s,
                             ems_error *err);
/* What was written in the pictures, and its line among the experts. */
int ems_analysis_take_titles(ems_analysis *a, ems_titles *t, ems_error *err);
/* The array "words" of analysis.json; absent: none. */
struct json_t;
struct json_t *ems_titles_json(const ems_analysis *a);
struct ems_json_at;
int ems_titles_json_read(ems_analysis *a, const struct json_t *root,
                         const struct ems_json_at *at);
/* The array "experts" of analysis.json; absent: none. */
struct json_t *ems_experts_json(const ems_analysis *a);
int ems_experts_read(ems_analysis *a, const struct json_t *root,
                     const struct ems_json_at *at);
void ems_experts_clear(ems_analysis *a);

/* Put speech that was found by other means (spans.h) in the place of what the
 * analysis has: `spans` becomes its own. */
void ems_analysis_set_speech(ems_analysis *a, ems_stretch *spans,
                             size_t count);

/* As it is written; NULL: out of memory. */
struct json_t *ems_analysis_json(const ems_analysis *a);
/* analysis.json from memory; `name` stands for the file in errors. */
ems_analysis *ems_analysis_parse(const char *data, size_t size,
                                 const char *name, ems_error *err);
#endif

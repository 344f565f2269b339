/* feel.h - what a film feels like over time, from a fusion of experts where
 * there is one: valence and arousal with an uncertainty, and Ekman's six. */
#ifndef EMS_FEEL_H
#define EMS_FEEL_H
#include "emotion/experts.h"
#include "emotion/film.h"

typedef struct ems_feeling { /* of one moment or shot */
    double valence_sd, arousal_sd; /* how far off it may be */
    double emotion[EMS_EKMAN];
} ems_feeling;

typedef struct ems_feel ems_feel;

/* `fusion`: weights; NULL: those that ship. NULL when it cannot be used, with
 * the reason in err (EMS_EFORMAT: it learned from other experts). The senses
 * must outlive it. */
ems_feel *ems_feel_new(const char *fusion, const ems_senses *senses,
                       ems_error *err);
/* Correct the shots' valence, arousal and emotion and the knots' valence and
 * arousal, which come from features alone, by what the experts said, and
 * fill a feeling for every knot. `feel` NULL: only fill the feelings. Within
 * a shot the curve is smoothed, across cuts it may jump. */
int ems_feel_film(ems_feel *feel, const ems_film *film, ems_shot *shots,
                  size_t shot_count, ems_knot *knots, ems_feeling *feelings,
                  ems_error *err);
void ems_feel_free(ems_feel *feel);
#endif

/* titles.h - the words that are written in a film's pictures: titles, signs,
 * subtitles burnt in. Tesseract reads where text_find.h thinks that there is
 * something to read, on a thread of its own, each writing once.
 *
 *     ems_titles *t = ems_titles_new(&run, &err);
 *     ... ems_titles_still, in order of time ...
 *     ems_titles_end(t, cuts, cut_count, duration, &titles, &count, &err);
 *
 * Nothing here stops an analysis but want of memory: without the library the
 * sentence stands in ems_titles_why. */
#ifndef EMS_TITLES_H
#define EMS_TITLES_H
#include "emotion/feel.h"

typedef struct ems_titles ems_titles;

/* Seconds between the stills that are wanted. */
extern const double ems_titles_seconds;

ems_titles *ems_titles_new(const ems_run *run, ems_error *err);
int ems_titles_still(ems_titles *t, const ems_still *still, ems_error *err);
/* What was read, ascending, with the feeling that the classifier of texts
 * finds in it; the array and its texts are the caller's
 * (ems_titles_clear). */
int ems_titles_end(ems_titles *t, const ems_cut *cuts, size_t cut_count,
                   double duration, ems_title **titles, size_t *count,
                   ems_error *err);
/* How often it looked closely, and the seconds that took. */
size_t ems_titles_looks(const ems_titles *t);
double ems_titles_work(const ems_titles *t);
/* Why nothing could be read; "": it could. */
const char *ems_titles_why(const ems_titles *t);
void ems_titles_free(ems_titles *t);
void ems_titles_clear(ems_title *titles, size_t count);
void ems_titles_drop(ems_title *title);

/* How much of valence, arousal and emotions the words take while they are to
 * be seen; times the share of them that is not neutral. */
extern const double ems_titles_share;
/* Mix what the words say into shots, curve and its feelings. */
void ems_titles_feel(const ems_title *titles, size_t count, ems_shot *shots,
                     size_t shot_count, ems_knot *knots,
                     ems_feeling *feelings, size_t knot_count);
#endif

/* known.h - whole analyses of earlier runs, kept beside what the experts said
 * (experts/cache.h), so that a second look at a film need not decode it. */
#ifndef EMS_KNOWN_H
#define EMS_KNOWN_H
#include "emotion/analysis.h"

/* What an analysis hangs on besides the film: this program's own bytes, the
 * options, the weights of the fusion and of the text classifier, every expert
 * with its network or why it is left out, and whether words can be read
 * (`words_why`: ems_titles_why; NULL: none are wanted). "": not to be had. */
void ems_known_key(char key[65], const ems_analyze_options *options,
                   const ems_senses *senses, const char *words_why);
/* The analysis of the film with this key as an earlier run left it, or NULL.
 * `video` gives its name. */
ems_analysis *ems_known_get(const char *film, const char key[65],
                            const char *video);
/* Keep it; if that fails the next run works again. */
void ems_known_put(const char *film, const char key[65],
                   const ems_analysis *a);
#endif

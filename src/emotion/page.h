/* page.h - how the pieces of the HTML report are written; ems_analysis_page of
 * emsync.h is in page.c. */
#ifndef EMS_PAGE_H
#define EMS_PAGE_H
#include "emotion/analysis.h"

#include <stdio.h>

/* UTF-8 text, escaped for HTML and XML, inside and outside of attributes; what
 * is no text becomes '?'. */
void ems_page_text(FILE *out, const char *text);
/* With a point whatever the locale; NaN as a dash. */
void ems_page_number(FILE *out, double x, int digits);
/* "1:02:03" or "2:03.4". */
void ems_page_time(FILE *out, double seconds);

/* The timeline: shots, emotions, valence and arousal, sound. */
void ems_page_charts(FILE *out, const ems_analysis *a);
/* Index of the most probable emotion. */
int ems_page_strongest(const double p[EMS_EKMAN]);
extern const char *const ems_page_colours[EMS_EKMAN];
#endif

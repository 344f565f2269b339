/* spans.h - stretches of time out of a row of probabilities: the seam between
 * whatever hears speech or music (hear.c, or a network) and the analysis. */
#ifndef EMS_SPANS_H
#define EMS_SPANS_H
#include "base/error.h"

typedef struct ems_span_rule {
    double enter, leave; /* probability that begins a span, that ends it;
                            enter >= leave */
    double shortest;     /* seconds a span must last */
    double gap;          /* seconds of a pause that is bridged */
    double pad;          /* seconds put before and after each span */
} ems_span_rule;

/* What suits voice activity, and music under a film. */
extern const ems_span_rule ems_speech_rule, ems_music_rule;

/* p[i] in 0..1 holds for [start + i step, start + (i + 1) step); NaN counts
 * as 0. Spans are ascending, apart from each other, inside [0, duration],
 * their ends rounded to milliseconds. *spans is the caller's (ems_free); NULL
 * with *count 0 when there is none. EMS_ENOMEM. */
int ems_spans_find(const float *p, size_t n, double start, double step,
                   double duration, const ems_span_rule *rule,
                   ems_stretch **spans, size_t *count, ems_error *err);
#endif

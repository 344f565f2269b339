/* resample.h - mono sound at another rate, block by block (windowed sinc,
 * Kaiser; polyphase). */
#ifndef EMS_RESAMPLE_H
#define EMS_RESAMPLE_H
#include "base/error.h"

typedef struct ems_resampler ems_resampler;

/* Rates in Hz, 1000 to 192000. Sample i of the output lies at i / to seconds,
 * as sample 0 of the input does at 0. */
ems_resampler *ems_resampler_new(int from, int to, ems_error *err);
/* How many samples `count` more can give at most. */
size_t ems_resampler_most(const ems_resampler *r, size_t count);
/* Take samples; the output's count goes to *made. */
int ems_resampler_add(ems_resampler *r, const float *in, size_t count,
                      float *out, size_t *made, ems_error *err);
void ems_resampler_free(ems_resampler *r);
#endif

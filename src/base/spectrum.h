/* spectrum.h - power spectra with the same bits on every machine. */
#ifndef EMS_SPECTRUM_H
#define EMS_SPECTRUM_H
#include <stddef.h>

typedef struct ems_spectrum {
    size_t size;             /* a power of two */
    float *window;           /* [size] Hann */
    float *cosine, *sine;    /* [size/2] */
    float *re, *im;          /* [size] scratch */
} ems_spectrum;

/* 0, or -1 when out of memory. */
int ems_spectrum_init(ems_spectrum *s, size_t size);
/* power[0 .. size/2] of size samples; a full-scale sine gives about 1. */
void ems_spectrum_run(ems_spectrum *s, float *power, const float *samples);
void ems_spectrum_clear(ems_spectrum *s);
#endif

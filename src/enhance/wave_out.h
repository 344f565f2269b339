/* wave_out.h - a 24-bit WAV of one or two channels, written from front to
 * back; RF64 when it passes 4 GiB (EBU Tech 3306). */
#ifndef EMS_WAVE_OUT_H
#define EMS_WAVE_OUT_H
#include "base/file.h"

typedef struct ems_wave_out {
    ems_output output;
    int rate, channels;
    uint64_t frames;
} ems_wave_out;

int ems_wave_out_open(ems_wave_out *w, const char *path, int rate,
                      int channels, ems_error *err);
/* Samples beyond full scale are clipped. */
int ems_wave_out_add(ems_wave_out *w, const float *x, size_t frames,
                     ems_error *err);
int ems_wave_out_commit(ems_wave_out *w, ems_error *err);
void ems_wave_out_discard(ems_wave_out *w); /* harmless when zeroed */
#endif

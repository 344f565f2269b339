/* measure.h - how near a sound is to the true one. Both are [frames, 2]. */
#ifndef EMS_MEASURE_H
#define EMS_MEASURE_H
#include "base/error.h"

/* 10 log10 of the mean square of the truth over that of the difference, dB;
 * at most 150. */
double ems_measure_snr(const float *truth, const float *x, size_t frames);
/* Log-spectral distance, dB: of frames of 2048 samples (Hann, half
 * overlapping) the root of the mean square, over the bins, of the difference
 * between the two power spectra in dB (each no lower than -120 dB of full
 * scale); the mean over all frames and channels. Negative: out of memory. */
double ems_measure_lsd(const float *truth, const float *x, size_t frames);
#endif

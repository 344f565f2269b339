/* muon.h - steps of equal size in every direction of a kernel (K. Jordan et
 * al., "Muon: An optimizer for hidden layers in neural networks", 2024): the
 * momentum of its gradient, with all singular values brought close to one by
 * five Newton-Schulz steps. What a low-pass filter took lies 40 to 80 dB
 * below the rest of what a kernel hears; a plain gradient, and Adam, look into
 * those directions last. */
#ifndef EMS_MUON_H
#define EMS_MUON_H
#include "enhance/net.h"

/* Floats of scratch for the widest kernel of a network. */
size_t ems_muon_floats(const ems_cnet *n);
/* One step of all convolutions' kernels: parameters p, their gradient g,
 * momentum m (zero before the first step), work[ems_muon_floats]. Norms and
 * biases are left alone. 0, or -1 when a gradient is not finite. */
int ems_muon_step(const ems_cnet *n, float *p, const float *g, float *m,
                  double lr, float *work);
/* The matrix [rows, cols] made (nearly) orthogonal in place: its singular
 * values end between 0.6 and 1.3, tiny ones below. work: rows * cols floats and
 * twice the square of the lesser of both. */
void ems_muon_orthogonal(ems_gemm_pool *gemm, float *x, size_t rows,
                         size_t cols, float *work);
#endif

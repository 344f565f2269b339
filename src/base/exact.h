/* exact.h - exp and log with the same bits on every machine: libm's differ
 * between versions, and one unit in the last place can change a sampled note.
 * Built from + - * / and sqrt, which IEEE 754 defines exactly; the files that
 * use floating point outside the kernels are compiled with contraction off. */
#ifndef EMS_EXACT_H
#define EMS_EXACT_H
#include <stddef.h>

double ems_exact_exp(double x); /* relative error < 1e-15; 0 below -745 */
double ems_exact_log(double x); /* x > 0, else -infinity; error < 1e-15 */
/* x[i] = e^x[i] for many x <= 0, quickly: relative error < 1e-14, 0 below
 * -700. The last bits are not those of ems_exact_exp. */
void ems_exact_exps(double *x, size_t count);
#endif

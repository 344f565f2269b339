#include "base/exact.h"

#include <math.h>
#include <stdint.h>

/* ln 2 in two parts: the first has trailing zeros, so n * LN2_HIGH is exact
 * for the |n| <= 1100 that occur. */
static const double LN2_HIGH = 0x1.62e42fee00000p-1;
static const double LN2_LOW = 0x1.a39ef35793c76p-33;

double ems_exact_exp(double x)
{
    if (isnan(x))
        return x;
    if (x < -745.2)
        return 0;
    if (x > 709.8)
        return INFINITY;
    const double n = rint(x * 1.4426950408889634);
    const double r = (x - n * LN2_HIGH) - n * LN2_LOW; /* |r| <= 0.347 */
    double sum = 1;
    for (int k = 17; k > 0; k--) /* Taylor, Horner: r^18/18! < 1e-24 */
        sum = 1 + r * sum / k;
    return ldexp(sum, (int)n);
}

/* No calls, divisions or branches: compilers work at several at once. */
void ems_exact_exps(double *x, size_t count)
{
    static const double round = 0x1.8p52; /* adding it rounds to integers */
    static const double c[] = { /* 1/k! */
        1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800,
        1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
    };
    for (size_t i = 0; i < count; i++) {
        const double v = x[i] > -700 ? x[i] : -700;
        union { double d; uint64_t u; } shifted, power;
        shifted.d = v * 1.4426950408889634 + round;
        const double n = shifted.d - round;
        const double r = (v - n * LN2_HIGH) - n * LN2_LOW;
        power.d = c[13];
        for (int k = 12; k >= 0; k--) /* r^14/14! < 5e-18 */
            power.d = power.d * r + c[k];
        power.u += shifted.u << 52;
        x[i] = x[i] > -700 ? power.d : 0;
    }
}

double ems_exact_log(double x)
{
    if (isnan(x) || x == INFINITY)
        return x;
    if (!(x > 0))
        return -INFINITY;
    int e;
    double m = frexp(x, &e); /* [0.5, 1) */
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    /* ln m = 2 artanh(s), s = (m-1)/(m+1), |s| <= 0.172 */
    const double s = (m - 1) / (m + 1);
    const double s2 = s * s;
    double sum = 0;
    for (int k = 23; k >= 1; k -= 2) /* s^24/25 < 2e-20 */
        sum = 1.0 / k + s2 * sum;
    return e * LN2_HIGH + (2 * s * sum + e * LN2_LOW);
}

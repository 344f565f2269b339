/* filter_design.c - analogue prototypes with a pass band up to 1 rad/s, and
 * their way to digital sections.
 *
 * Sources: Parks and Burrus, "Digital Filter Design" (1987), for Butterworth
 * and Chebyshev; Orfanidis, "Lecture Notes on Elliptic Filter Design" (2006);
 * Abramowitz and Stegun 16.4, 16.38, 17.2, 17.3, 17.6 for Jacobi's functions;
 * Grosswald, "Bessel Polynomials" (1978). */
#include "enhance/filters.h"

#include <complex.h>
#include <math.h>

#define PASS_RIPPLE 0.05  /* dB */
#define STOP_BAND   20.0  /* dB */
#define MARGIN      1e-6  /* of the rate */
#define EPS         4e-16 /* two means that agree to the last bit or so */

enum { PAIRS = EMS_FILTER_ORDER / 2, AGM_STEPS = 16, ABERTH_STEPS = 100 };

typedef double complex cplx;
typedef long double complex wide;

/* Poles in the upper half plane, from the most damped on, then their partners
 * implied; zeros at +-j zero[i], INFINITY for none. */
typedef struct prototype {
    cplx pole[PAIRS];
    double zero[PAIRS];
    double real; /* an odd order's real pole */
    double gain; /* at 0 rad/s */
} prototype;

/* 10^(dB/10) - 1: the squared ripple factor. */
static double ripple(double db)
{
    return expm1(db * (M_LN10 / 10));
}

/* Even orders start at the bottom of the ripple. */
static double rippled_gain(int order)
{
    return order % 2 ? 1 : 1 / sqrt(1 + ripple(PASS_RIPPLE));
}

/* Angle of pair i from the negative real axis, i = 0 the closest to it. */
static double angle(int order, int i)
{
    return M_PI * (2 * i + 1 + order % 2) / (2 * order);
}

/* On an ellipse with half axes (across, along): the unit circle for
 * Butterworth. */
static void ellipse(prototype *p, int order, double across, double along)
{
    p->real = -across;
    for (int i = 0; i < order / 2; i++) {
        const double t = angle(order, i);
        p->pole[i] = -across * cos(t) + I * along * sin(t);
    }
}

static void cheby1(prototype *p, int order)
{
    const double mu = asinh(1 / sqrt(ripple(PASS_RIPPLE))) / order;
    ellipse(p, order, sinh(mu), cosh(mu));
    p->gain = rippled_gain(order);
}

/* The reverse Bessel polynomial by its recurrence,
 * t[n] = (2n - 1) t[n-1] + s^2 t[n-2], divided by its derivative,
 * t'[n] = t[n] - s t[n-1]. Near the roots of high orders the recurrence loses
 * half of a double's digits: hence long double. */
static wide bessel_newton(int order, wide s)
{
    wide last = 1, t = s + 1;
    for (int n = 2; n <= order; n++) {
        const wide next = (2 * n - 1) * t + s * s * last;
        last = t;
        t = next;
    }
    return t / (t - s * last);
}

/* One round of Aberth's method: Newton's step, with the other roots taken
 * out of the polynomial. Returns the longest step. */
static long double bessel_round(wide *root, int order)
{
    long double most = 0;
    for (int i = 0; i < order; i++) {
        const wide newton = bessel_newton(order, root[i]);
        wide others = 0;
        for (int k = 0; k < order; k++)
            if (k != i)
                others += 1 / (root[i] - root[k]);
        const wide step = newton / (1 - newton * others);
        root[i] -= step;
        most = fmaxl(most, cabsl(step));
    }
    return most;
}

/* The frequency where poles with gain 1 at 0 rad/s have fallen to half their
 * power. A Bessel filter falls all the way, so halving intervals finds it. */
static double half_power(const prototype *p, int order)
{
    double low = 0, high = 2 * order;
    for (int n = 0; n < 64; n++) {
        const double w = (low + high) / 2;
        double gain = order % 2 ? hypot(1, w / p->real) : 1;
        for (int i = 0; i < order / 2; i++)
            gain *= cabs(1 - I * w / p->pole[i]) * cabs(1 + I * w / p->pole[i]);
        *(gain > M_SQRT2 ? &high : &low) = w;
    }
    return (low + high) / 2;
}

/* From the lower half plane to the upper: conjugates mirror each other. */
static void sort_by_height(wide *root, int order)
{
    for (int i = 1; i < order; i++) {
        const wide r = root[i];
        int k = i;
        for (; k > 0 && cimagl(root[k - 1]) > cimagl(r); k--)
            root[k] = root[k - 1];
        root[k] = r;
    }
}

static void bessel(prototype *p, int order)
{
    wide root[EMS_FILTER_ORDER];
    for (int i = 0; i < order; i++) { /* begin on half a circle */
        const double t = M_PI * (2 * i + 1 - order) / (2 * order);
        root[i] = -0.8 * order * cexp(I * t);
    }
    /* Until rounding is all that moves them. */
    long double last = INFINITY;
    for (int n = 0; n < ABERTH_STEPS; n++) {
        const long double most = bessel_round(root, order);
        if (most < 1e-6 && most >= last / 2)
            break;
        last = most;
    }
    sort_by_height(root, order);
    p->real = (double)creall(root[order / 2]);
    for (int i = 0; i < order / 2; i++)
        p->pole[i] = (cplx)root[(order + 1) / 2 + i];
    const double w = half_power(p, order);
    p->real /= w;
    for (int i = 0; i < order / 2; i++)
        p->pole[i] /= w;
}

/* An elliptic modulus k, its complement and their quarter periods. */
typedef struct modulus {
    double k, kc, quarter, quarter_c;
} modulus;

/* Gauss's arithmetic-geometric mean: K(k) = pi / (2 agm(1, k')). */
static double agm(double a, double b)
{
    for (int i = 0; i < AGM_STEPS && fabs(a - b) > EPS * a; i++) {
        const double mean = (a + b) / 2;
        b = sqrt(a * b);
        a = mean;
    }
    return a;
}

static modulus modulus_of(double k, double kc)
{
    return (modulus){k, kc, M_PI / (2 * agm(1, kc)), M_PI / (2 * agm(1, k))};
}

/* The modulus of theta functions with nome q: k = (theta2 / theta3)^2. */
static double modulus_of_nome(double q)
{
    double num = 0, den = 0.5;
    for (int n = 0; n < 24; n++) {
        num += pow(q, n * (n + 1));
        den += pow(q, (n + 1) * (n + 1));
    }
    return sqrt(q) * (num / den) * (num / den);
}

/* The degree equation N K'/K = K1'/K1 says q = q1^(1/N). The complement has
 * its own nome, ln q' = pi^2 / ln q: neither is a difference from 1. */
static modulus degree(const modulus *m1, int order)
{
    const double log_q = -M_PI * m1->quarter_c / (m1->quarter * order);
    return modulus_of(modulus_of_nome(exp(log_q)),
                      modulus_of_nome(exp(M_PI * M_PI / log_q)));
}

/* sn, cn, dn of u for the modulus k with complement kc (A&S 16.4). */
static void jacobi(double u, double k, double kc, double out[3])
{
    double a[AGM_STEPS + 1] = {1}, c[AGM_STEPS + 1] = {k}, b = kc;
    int n = 0;
    while (n < AGM_STEPS && fabs(c[n]) > EPS * a[n]) {
        a[n + 1] = (a[n] + b) / 2;
        c[n + 1] = (a[n] - b) / 2;
        b = sqrt(a[n] * b);
        n++;
    }
    double phi = ldexp(a[n] * u, n);
    for (; n > 0; n--)
        phi = (phi + asin(c[n] / a[n] * sin(phi))) / 2;
    out[0] = sin(phi);
    out[1] = cos(phi);
    out[2] = hypot(kc, k * out[1]);
}

/* The incomplete integral F(atan(t)) for the modulus with complement kc
 * (A&S 17.6.8, on the branch that grows with every step). */
static double inverse_sc(double t, double kc)
{
    double phi = atan(t), a = 1, b = kc;
    int n = 0;
    for (; n < AGM_STEPS && fabs(a - b) > EPS * a; n++) {
        phi += atan(b / a * tan(phi)) + M_PI * round(phi / M_PI);
        const double mean = (a + b) / 2;
        b = sqrt(a * b);
        a = mean;
    }
    return ldexp(phi, -n) / a;
}

static void elliptic(prototype *p, int order)
{
    const double pass = ripple(PASS_RIPPLE), stop = ripple(STOP_BAND);
    const modulus m1 = modulus_of(sqrt(pass / stop), sqrt(1 - pass / stop));
    const modulus m = degree(&m1, order);
    /* Where the poles lie: v0 from sc(v0 N K1 / K, k1') = 1 / epsilon. */
    const double v0 = inverse_sc(1 / sqrt(pass), m1.k) * m.quarter /
                      (m1.quarter * order);
    double v[3], u[3];
    jacobi(v0, m.kc, m.k, v);
    p->real = -v[0] / v[1];
    p->gain = rippled_gain(order);
    for (int i = 0; i < order / 2; i++) {
        const double at = (2 * i + 1 + order % 2) * m.quarter / order;
        jacobi(at, m.k, m.kc, u);
        const double den = v[1] * v[1] +
                           (m.k * u[0] * v[0]) * (m.k * u[0] * v[0]);
        p->pole[i] = (-u[1] * u[2] * v[0] * v[1] + I * u[0] * v[2]) / den;
        p->zero[i] = 1 / (m.k * u[0]);
    }
}

/* The bilinear transform z = (1 + s) / (1 - s) of a pair of poles and the
 * zeros at +-j zero; gain 1 at 0 Hz. */
static ems_section pair_section(cplx pole, double zero)
{
    const cplx z = (1 + pole) / (1 - pole);
    const double b1 = isinf(zero) ? 2
                                  : -2 * (1 - zero * zero) / (1 + zero * zero);
    const double a1 = -2 * creal(z);
    const double a2 = creal(z) * creal(z) + cimag(z) * cimag(z);
    const double g = (1 + a1 + a2) / (2 + b1);
    return (ems_section){g, g * b1, g, a1, a2};
}

static ems_section real_section(double pole)
{
    const double a1 = -(1 + pole) / (1 - pole);
    const double g = (1 + a1) / 2;
    return (ems_section){g, g, 0, a1, 0};
}

static void prototype_of(prototype *p, ems_filter_family family, int order)
{
    p->gain = 1;
    for (int i = 0; i < PAIRS; i++)
        p->zero[i] = INFINITY;
    switch (family) {
    case EMS_CHEBY1:
        cheby1(p, order);
        break;
    case EMS_ELLIPTIC:
        elliptic(p, order);
        break;
    case EMS_BESSEL:
        bessel(p, order);
        break;
    default:
        ellipse(p, order, 1, 1);
    }
}

static int check_spec(const ems_filter_spec *spec, double rate, ems_error *err)
{
    if ((unsigned)spec->family >= EMS_FILTER_FAMILIES)
        return ems_fail(err, EMS_EINVAL, "no filter family %d: 0 to %d",
                        (int)spec->family, EMS_FILTER_FAMILIES - 1);
    if (spec->order < 1 || spec->order > EMS_FILTER_ORDER)
        return ems_fail(err, EMS_EINVAL,
                        "a filter of order %d: orders are 1 to %d", spec->order,
                        EMS_FILTER_ORDER);
    if (!(rate > 0) || isinf(rate) || !(spec->cutoff >= rate * MARGIN) ||
        !(spec->cutoff <= rate * (0.5 - MARGIN)))
        return ems_fail(err, EMS_EINVAL,
                        "a low-pass filter at %g Hz for %g samples per "
                        "second: the cut-off must lie between 0 and half "
                        "the rate",
                        spec->cutoff, rate);
    return 0;
}

int ems_filter_design(ems_filter *f, const ems_filter_spec *spec, double rate,
                      ems_error *err)
{
    const int failed = check_spec(spec, rate, err);
    if (failed)
        return failed;
    prototype p = {0};
    prototype_of(&p, spec->family, spec->order);
    const double warp = tan(M_PI * spec->cutoff / rate);
    *f = (ems_filter){.order = spec->order};
    if (spec->order % 2)
        f->section[f->sections++] = real_section(p.real * warp);
    for (int i = 0; i < spec->order / 2; i++)
        f->section[f->sections++] =
            pair_section(p.pole[i] * warp, p.zero[i] * warp);
    f->section[0].b0 *= p.gain;
    f->section[0].b1 *= p.gain;
    f->section[0].b2 *= p.gain;
    return 0;
}

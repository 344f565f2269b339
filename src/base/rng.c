#include "base/rng.h"

#include "base/exact.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

ems_rng ems_rng_seed(uint64_t seed, uint64_t stream)
{
    uint64_t x = seed;
    x = splitmix(&x) ^ (stream * 0xd1342543de82ef95u);
    ems_rng r;
    for (int i = 0; i < 4; i++)
        r.s[i] = splitmix(&x);
    return r;
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t ems_rng_next(ems_rng *r)
{
    uint64_t *s = r->s;
    const uint64_t result = rotate(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double ems_rng_uniform(ems_rng *r)
{
    return (double)(ems_rng_next(r) >> 11) * 0x1p-53;
}

uint64_t ems_rng_below(ems_rng *r, uint64_t n)
{
    /* Reject the incomplete last run of n values. */
    const uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t x;
    do
        x = ems_rng_next(r);
    while (x >= limit);
    return x % n;
}

double ems_rng_normal(ems_rng *r)
{
    /* Marsaglia's polar method; the second value is dropped so that the
     * generator has no hidden state. */
    for (;;) {
        const double u = 2 * ems_rng_uniform(r) - 1;
        const double v = 2 * ems_rng_uniform(r) - 1;
        const double s = u * u + v * v;
        if (s > 0 && s < 1)
            return u * sqrt(-2 * ems_exact_log(s) / s);
    }
}

/* rng.h - random numbers that are the same everywhere (xoshiro256**, seeded
 * by splitmix64: Blackman and Vigna, 2018). */
#ifndef EMS_RNG_H
#define EMS_RNG_H
#include <stdint.h>

typedef struct ems_rng {
    uint64_t s[4];
} ems_rng;

/* `stream` tells apart generators of one seed: sections, threads, samples. */
ems_rng ems_rng_seed(uint64_t seed, uint64_t stream);
uint64_t ems_rng_next(ems_rng *r);
double ems_rng_uniform(ems_rng *r);               /* [0,1) with 53 bits */
uint64_t ems_rng_below(ems_rng *r, uint64_t n);   /* [0,n), n > 0, unbiased */
double ems_rng_normal(ems_rng *r);                /* mean 0, deviation 1 */
#endif

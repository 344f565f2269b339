#include "music/harmony.h"

#include "base/rng.h"

enum {
    CHORDS = 6, PHRASE = 4, FORM = 4, BRIDGE = 2, /* A A B A */
    STREAM = 0x68617200,
    TONIC = 0, MAJOR_DOMINANT = 4, MINOR_DOMINANT = 3,
    MAJOR = 0xab5,       /* bits 0 2 4 5 7 9 11 */
    NATURAL = 0x5ad,     /* 0 2 3 5 7 8 10 */
    HARMONIC = 0x9ad,    /* 0 2 3 5 7 8 11 */
    LEADING = 1 << 11,
};

typedef struct function {
    int root, third, fifth; /* semitones: above the tonic, above the root */
    int next[CHORDS];       /* weights of what follows */
    int bridge;             /* weight as the first of B */
} function;

/* What follows what: the usual strengths of root movement, in our own weights;
 * no chord follows itself. */
static const function FUNCTION[2][CHORDS] = {
    {{0, 4, 7, {0, 2, 1, 4, 3, 4}, 0},   /* I */
     {2, 3, 7, {1, 0, 1, 2, 6, 1}, 3},   /* ii */
     {4, 3, 7, {0, 1, 0, 4, 1, 5}, 1},   /* iii */
     {5, 4, 7, {3, 2, 1, 0, 5, 1}, 5},   /* IV */
     {7, 4, 7, {5, 0, 1, 2, 0, 4}, 1},   /* V */
     {9, 3, 7, {1, 3, 1, 5, 2, 0}, 4}},  /* vi */
    {{0, 3, 7, {0, 1, 4, 1, 4, 3}, 0},   /* i */
     {3, 4, 7, {1, 0, 2, 0, 4, 3}, 2},   /* III */
     {5, 3, 7, {4, 1, 0, 4, 1, 2}, 4},   /* iv */
     {7, 4, 7, {6, 0, 0, 0, 3, 0}, 1},   /* V */
     {8, 4, 7, {2, 2, 3, 1, 0, 4}, 5},   /* VI */
     {10, 4, 7, {4, 3, 1, 0, 3, 0}, 2}}, /* VII */
};

static int draw(ems_rng *rng, const int weight[CHORDS])
{
    int total = 0, i = 0;
    for (int k = 0; k < CHORDS; k++)
        total += weight[k];
    int at = (int)ems_rng_below(rng, (uint64_t)total);
    while (at >= weight[i])
        at -= weight[i++];
    return i;
}

/* Chord `at` of phrase A or B. */
static int walk(uint64_t seed, int minor, int bridge, size_t at)
{
    ems_rng rng = ems_rng_seed(seed, STREAM + 2 * (uint64_t)minor +
                                         (uint64_t)bridge);
    int first[CHORDS];
    for (int k = 0; k < CHORDS; k++)
        first[k] = FUNCTION[minor][k].bridge;
    int chord = bridge ? draw(&rng, first) : TONIC;
    for (size_t i = 0; i < at; i++)
        chord = draw(&rng, FUNCTION[minor][chord].next);
    return chord;
}

ems_chord ems_harmony_at(uint64_t seed, int minor, size_t bar,
                         ems_cadence cadence)
{
    minor = minor != 0;
    const int dominant = minor ? MINOR_DOMINANT : MAJOR_DOMINANT;
    const int chord =
        cadence == EMS_CADENCE_CLOSE     ? TONIC
        : cadence == EMS_CADENCE_PREPARE ? dominant
                                         : walk(seed, minor,
                                                bar / PHRASE % FORM == BRIDGE,
                                                bar % PHRASE);
    const function *f = &FUNCTION[minor][chord];
    const unsigned pitches = 1u << f->root | 1u << (f->root + f->third) % 12 |
                             1u << (f->root + f->fifth) % 12;
    const unsigned scale = !minor              ? MAJOR
                           : pitches & LEADING ? HARMONIC
                                               : NATURAL;
    return (ems_chord){f->root, pitches, scale};
}

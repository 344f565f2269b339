#include "music/harmony.h"

#include "base/rng.h"
#include "music/vocab.h"

#include <math.h>

enum {
    CHORDS = 9, BRIDGE = 2, /* of the form, from 0 */
    STREAM = 0x68617200,
    TONIC = 0, MAJOR_DOMINANT = 4, MINOR_DOMINANT = 3,
    MAJOR = 0xab5,       /* bits 0 2 4 5 7 9 11 */
    LYDIAN = 0xad5,      /* 0 2 4 6 7 9 11: for the dominant's dominant */
    RAISED = 0xb35,      /* 0 2 4 5 8 9 11: for the relative's dominant */
    DARKENED = 0x9b5,    /* 0 2 4 5 7 8 11: harmonic major */
    NATURAL = 0x5ad,     /* 0 2 3 5 7 8 10 */
    HARMONIC = 0x9ad,    /* 0 2 3 5 7 8 11 */
    PHRYGIAN = 0x5ab,    /* 0 1 3 5 7 8 10 */
    DORIAN = 0x6ad,      /* 0 2 3 5 7 9 10 */
};

typedef struct function {
    int root;            /* semitones above the tonic */
    unsigned above;      /* the chord's pitches above the root, bits */
    unsigned scale;      /* pitches above the tonic while it lasts, bits */
    int next[CHORDS];    /* weights of what follows */
    int bridge;          /* weight as the first of B */
} function;

enum { MAJ = 0x091, MIN = 0x089, DIM = 0x049, /* 0 4 7, 0 3 7, 0 3 6 */
       MAJ7 = 0x491, MIN7 = 0x489 };          /* and 10 */

/* What follows what: the usual strengths of root movement, in our own weights;
 * no chord follows itself. The last three of a mode are colours that come now
 * and then and want to go home. */
static const function FUNCTION[2][CHORDS] = {
    {{0, MAJ, MAJOR, {0, 2, 1, 4, 3, 4, 1, 1, 0}, 0},     /* I */
     {2, MIN7, MAJOR, {1, 0, 1, 2, 6, 1, 0, 0, 0}, 3},    /* ii7 */
     {4, MIN, MAJOR, {0, 1, 0, 4, 1, 5, 0, 0, 0}, 1},     /* iii */
     {5, MAJ, MAJOR, {3, 2, 1, 0, 5, 1, 1, 0, 2}, 5},     /* IV */
     {7, MAJ7, MAJOR, {5, 0, 1, 2, 0, 4, 0, 1, 0}, 1},    /* V7 */
     {9, MIN, MAJOR, {1, 3, 1, 5, 2, 0, 2, 0, 0}, 4},     /* vi */
     {2, MAJ7, LYDIAN, {0, 1, 0, 0, 6, 0, 0, 0, 0}, 1},   /* V7 of V */
     {4, MAJ7, RAISED, {0, 0, 0, 2, 0, 6, 0, 0, 0}, 2},   /* V7 of vi */
     {5, MIN, DARKENED, {5, 0, 0, 0, 2, 0, 0, 0, 0}, 0}}, /* iv, borrowed */
    {{0, MIN, NATURAL, {0, 1, 4, 1, 4, 3, 1, 1, 1}, 0},   /* i */
     {3, MAJ, NATURAL, {1, 0, 2, 0, 4, 3, 0, 1, 0}, 2},   /* III */
     {5, MIN, NATURAL, {4, 1, 0, 4, 1, 2, 0, 0, 1}, 4},   /* iv */
     {7, MAJ7, HARMONIC, {6, 0, 0, 0, 3, 0, 0, 0, 0}, 1}, /* V7 */
     {8, MAJ, NATURAL, {2, 2, 3, 1, 0, 4, 2, 0, 0}, 5},   /* VI */
     {10, MAJ, NATURAL, {4, 3, 1, 0, 3, 0, 0, 1, 0}, 2},  /* VII */
     {1, MAJ, PHRYGIAN, {0, 0, 0, 6, 0, 0, 0, 0, 2}, 1},  /* II flat */
     {5, MAJ, DORIAN, {4, 0, 0, 0, 0, 3, 0, 0, 0}, 0},    /* IV */
     {11, DIM, HARMONIC, {6, 0, 0, 1, 0, 0, 0, 0, 0}, 0}}, /* vii */
};

enum { SHADES = 5, NEUTRAL = 16 };

/* What minor chords weigh beside major ones, in sixteenths, at valence -1,
 * -0.8 ... 1: e^(-1.5 (valence - 0.3)). */
static const int DARK[2 * SHADES + 1] = {112, 83, 62, 46, 34, 25,
                                         19,  14, 10, 8,  6};

static int shade_of(double valence)
{
    const int shade = (int)floor(SHADES * valence + 0.5);
    return shade < -SHADES ? -SHADES : shade > SHADES ? SHADES : shade;
}

static int is_dark(const function *f)
{
    return f->above == MIN || f->above == MIN7 || f->above == DIM;
}

/* The scene's mode and light: what chords are drawn by. */
typedef struct light {
    int minor, shade;
} light;

static int draw(ems_rng *rng, light l, const int weight[CHORDS])
{
    int lit[CHORDS], total = 0, i = 0;
    for (int k = 0; k < CHORDS; k++) {
        const int dark = is_dark(&FUNCTION[l.minor][k]);
        lit[k] = weight[k] * (dark ? DARK[SHADES + l.shade] : NEUTRAL);
        total += lit[k];
    }
    /* One throw between 0 and 1: a little more or less light moves few. */
    int at = (int)(ems_rng_uniform(rng) * total);
    while (at >= lit[i])
        at -= lit[i++];
    return i;
}

/* What may follow `chord` at the end of a phrase: the next begins on the tonic
 * as a rule, so what leads there, if anything does. */
static const int *homeward(int minor, int chord, int weight[CHORDS])
{
    const function *f = FUNCTION[minor];
    int any = 0;
    for (int k = 0; k < CHORDS; k++) {
        weight[k] = f[k].next[TONIC] ? f[chord].next[k] : 0;
        any |= weight[k];
    }
    return any ? weight : f[chord].next;
}

/* Chord `at` of phrase A or B. */
static int walk(uint64_t seed, light l, int bridge, size_t at)
{
    ems_rng rng = ems_rng_seed(seed, STREAM + 2 * (uint64_t)l.minor +
                                         (uint64_t)bridge);
    int first[CHORDS];
    for (int k = 0; k < CHORDS; k++)
        first[k] = FUNCTION[l.minor][k].bridge;
    int last[CHORDS], chord = bridge ? draw(&rng, l, first) : TONIC;
    for (size_t i = 1; i <= at; i++)
        chord = draw(&rng, l, i + 1 < EMS_PHRASE
                                  ? FUNCTION[l.minor][chord].next
                                  : homeward(l.minor, chord, last));
    return chord;
}

int ems_in_bridge(size_t bar)
{
    return bar / EMS_PHRASE % EMS_FORM == BRIDGE;
}

ems_chord ems_harmony_at(uint64_t seed, int minor, double valence, size_t bar,
                         ems_cadence cadence)
{
    const light l = {minor != 0, shade_of(valence)};
    const int dominant = minor ? MINOR_DOMINANT : MAJOR_DOMINANT;
    const int chord =
        cadence == EMS_CADENCE_CLOSE     ? TONIC
        : cadence == EMS_CADENCE_PREPARE ? dominant
                                         : walk(seed, l, ems_in_bridge(bar),
                                                bar % EMS_PHRASE);
    const function *f = &FUNCTION[l.minor][chord];
    return (ems_chord){f->root, ems_classes_up(f->above, f->root), f->scale};
}

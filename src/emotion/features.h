/* features.h - what is measured of a stretch of film. NaN: not known (no
 * pictures, no sound, or too little of either). */
#ifndef EMS_FEATURES_H
#define EMS_FEATURES_H

/* name, decimals in files, least, most */
#define EMS_FEATURE_LIST(X)                                                 \
    X(brightness, 3, 0, 1)      /* mean luma */                             \
    X(contrast, 3, 0, 1)        /* standard deviation of luma */            \
    X(saturation, 3, 0, 1)      /* of HSV; very dark pixels count 0 */      \
    X(warm, 3, 0, 1)            /* share of pixels clearly redder than blue */ \
    X(cool, 3, 0, 1)            /* the other way round */                   \
    X(colourfulness, 1, 0, 300) /* Hasler and Suesstrunk 2003 */            \
    X(motion, 2, 0, 100000)     /* luma difference per 1/24 s, no cuts */   \
    X(length, 3, 0, 1e6)        /* of the shot, seconds */                  \
    X(loudness, 1, -120, 20)    /* K-weighted dB below full scale */        \
    X(centroid, 0, 0, 11025)    /* of the spectrum, Hz */                   \
    X(flatness, 3, 0, 1)        /* 0 a tone, 1 white noise */               \
    X(low, 3, 0, 1)             /* share of energy below 250 Hz */          \
    X(onsets, 2, 0, 100)        /* per second */                            \
    X(silence, 3, 0, 1)         /* share of time below -60 dB */            \
    X(mode, 3, -2, 2)           /* best major minus best minor key fit */   \
    X(clarity, 3, -1, 1)        /* fit of the best key, a correlation */

typedef struct ems_features {
#define X(name, digits, low, high) double name;
    EMS_FEATURE_LIST(X)
#undef X
} ems_features;

enum {
#define X(name, digits, low, high) EMS_FEATURE_##name,
    EMS_FEATURE_LIST(X)
#undef X
    EMS_FEATURES
};

/* Seen as an array, in the order of the list. */
static inline double *ems_feature_at(ems_features *f, int index)
{
    return (double *)(void *)f + index;
}
#endif

/* key.h - which key music is in (Krumhansl and Kessler's profiles, 1982). */
#ifndef EMS_KEY_H
#define EMS_KEY_H
#include "music/piece.h"

typedef struct ems_key {
    int tonic, minor;      /* 0..11 from C; 1: minor */
    int sharps;            /* MIDI key signature, -7..7 */
    double fit;            /* correlation with the key's profile, -1..1 */
    double major_fit, minor_fit; /* of the best major and minor key */
} ems_key;

/* weight: of each pitch class from C, such as seconds of sound. All fits are
 * 0 when the weights are all equal. */
ems_key ems_key_find(const double weight[12]);
/* Find the key of a piece from the seconds its pitch classes sound, and set
 * its key signature. */
/* Signature of a key. */
int ems_key_sharps(int tonic, int minor);
ems_key ems_piece_find_key(ems_piece *p);
#endif

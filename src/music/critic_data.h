/* critic_data.h - what the critic learns from: VGMIDI's folder. */
#ifndef EMS_CRITIC_DATA_H
#define EMS_CRITIC_DATA_H
#include "music/critic_fit.h"

/* folder/annotations/ holds the ratings (JSON), folder/midi/ the MIDI files
 * they name. A row is a point at which people rated: the features of the
 * music around it, as heard some seconds before, and the mean rating. Pieces
 * whose file is missing or broken are left out with a warning. EMS_EIO,
 * EMS_EFORMAT (also when no piece is left), EMS_ENOMEM. Release with
 * ems_rated_clear. */
int ems_rated_load(ems_rated *r, const char *folder, const ems_run *run,
                   ems_error *err);
void ems_rated_clear(ems_rated *r);
/* The series is what stands before the first "_" of a file's name; for
 * "Other" the game, after the second. Number the series of all pieces. */
void ems_rated_group(ems_rated *r);
/* half[group]: 0 or 1, so that the halves have about as many pieces. 0 or
 * EMS_ENOMEM. */
int ems_rated_halve(const ems_rated *r, uint8_t *half, ems_error *err);
#endif

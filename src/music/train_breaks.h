/* train_breaks.h - music that breaks off for a cut.
 *
 * In music chords come on the grid of its bars, so a model that is told of a
 * chord to come need not believe it: its sense of metre says nearly as much.
 * A film's cuts lie on no grid. Here some of what precedes a chord is left
 * out, from some moment of the last two seconds or so on; the offset alone
 * then says when the chord comes. */
#ifndef EMS_TRAIN_BREAKS_H
#define EMS_TRAIN_BREAKS_H
#include "base/rng.h"
#include "music/dataset.h"

/* Copy the tokens of p from `from` on to out[*count], until it holds nearly
 * `length` or the piece ends. Most chords come early, but a second or more after
 * the one before, by leaving out whole moments and
 * shortening one shift; notes that were to end there end with the chord.
 * Returns the index of the token after the last one used. */
size_t ems_copy_with_breaks(const ems_dataset_piece *p, size_t from,
                            ems_rng *rng, uint16_t *out, size_t *count,
                            size_t length);
#endif

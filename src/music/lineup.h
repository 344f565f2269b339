/* lineup.h - who plays in a phrase, before a note is written.
 *
 * A small model left to itself lets instruments wander in and out note by
 * note. A band does not: a part plays a phrase or rests for it. So every
 * family has its say by arousal and chance, one throw for the phrases A of a
 * song's form and one for B (harmony.h), anew every sixteen bars: drums, bass
 * and guitar come in as arousal rises past what was thrown, piano and strings
 * as it falls. Those who play have shares of the notes
 * that are usual at that arousal. They enter the music as a prior only
 * (mood.h). */
#ifndef EMS_LINEUP_H
#define EMS_LINEUP_H
#include "music/vocab.h"

#include <stddef.h>
#include <stdint.h>

/* Fill share[EMS_FAMILIES], sum 1, 0: rests. Of those who are allowed (bits; none:
 * all shares 0) at least two of guitar, piano and strings play, or at least
 * somebody. `bar` as for ems_harmony_at; arousal in [-1,1]. The same for the
 * same arguments everywhere. */
void ems_lineup_at(uint64_t seed, size_t bar, double arousal, unsigned allowed,
                   double share[EMS_FAMILIES]);
#endif

/* lyrics.h - the words that are sung in a MIDI file. */
#ifndef EMS_LYRICS_H
#define EMS_LYRICS_H
#include "music/midi.h"

enum { EMS_LYRICS_LETTERS = 60 }; /* fewer say nothing: "no words" */

/* The lyric events of the track that has most of them, or the text events of
 * a karaoke file, joined: new memory (ems_free) with a zero byte after
 * `size` bytes of any encoding, a line per line sung. *out is NULL when the
 * file has no words. EMS_ENOMEM or 0. */
int ems_lyrics_take(char **out, size_t *size, const ems_midi *m,
                    ems_error *err);
#endif

/* names.h - names of songs and people as they can be compared: without
 * accents, case and punctuation. */
#ifndef EMS_NAMES_H
#define EMS_NAMES_H
#include <stddef.h>

enum { EMS_NAME_ROOM = 256 };

/* "The Beatles" and "beatles" -> "beatles"; "Déjà Vu (Live) feat. X" ->
 * "deja vu". UTF-8 or Latin-1 in; small ASCII letters, digits and single
 * blanks out, cut at room - 1. `whole`: brackets and guests stay. Returns the
 * length. */
size_t ems_name_plain(char *out, size_t room, const char *text, size_t length,
                      int whole);
/* Are the words of `part` (plain, not empty) among those of `text` (plain),
 * one after another? */
int ems_name_within(const char *text, const char *part);
#endif

/* words.h - text to numbers: words and their pieces as hashes.
 *
 * Every word gives one hash of itself and one of each run of 3, 4 and 5 of
 * its letters, its ends marked ("<he", "hel", .. "lo>"), as in fastText
 * (Bojanowski et al., TACL 2017). Made for what people type and for lyrics of
 * MIDI files alike: case is folded, hyphens inside words go ("won- der-ful"),
 * marks of karaoke files are blanks, a letter repeats at most three times. */
#ifndef EMS_WORDS_H
#define EMS_WORDS_H
#include <stddef.h>
#include <stdint.h>

enum {
    EMS_WORDS_MAX = 48,       /* words of a chunk */
    EMS_WORD_LETTERS = 20,    /* of a word; the rest is not looked at */
    EMS_WORD_PIECES = 1 + 3 * EMS_WORD_LETTERS, /* hashes of a word at most */
    EMS_CHUNK_ENOUGH = 16,    /* words after which a line's end ends a chunk */
};

typedef struct ems_words { /* a chunk: a few lines, or a part of a long one */
    size_t count, letters;    /* words; those that have letters or digits */
    uint16_t end[EMS_WORDS_MAX]; /* word w: hash[end[w-1]] .. hash[end[w]-1] */
    uint32_t hash[EMS_WORDS_MAX * EMS_WORD_PIECES];
} ems_words;

/* Read the next chunk and return how many bytes it took: 0 only when size is
 * 0. A chunk may hold no word. Bytes that are not UTF-8 count as Latin-1. */
size_t ems_words_read(ems_words *w, const char *text, size_t size);
#endif

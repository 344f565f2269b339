/* text_data.h - labelled lines of text: GoEmotions as published, in a folder
 *
 *     original/labels.txt train.tsv dev.tsv test.tsv     28 labels
 *     ekman/labels.txt    train.tsv dev.tsv test.tsv      7 labels
 *
 * A row is: text, tab, label numbers with commas, tab, anything. Both folders
 * hold the same texts in the same order. */
#ifndef EMS_TEXT_DATA_H
#define EMS_TEXT_DATA_H
#include "affect/words.h"
#include "base/error.h"

typedef struct ems_text_set {
    size_t count;         /* lines */
    size_t *line;         /* [count + 1]: words line[i] .. line[i+1] - 1 */
    size_t *word;         /* [words + 1]: hashes word[w] .. word[w+1] - 1 */
    uint32_t *hash;
    uint64_t *labels;     /* bit o: output o of the classifier holds */
    size_t line_room, word_room, hash_room, label_room;
} ems_text_set;

/* Names to outputs: label number i of a table is output[i]. */
typedef struct ems_text_labels {
    size_t count;
    uint8_t output[64];
} ems_text_labels;

/* One name per line; the names are those of ems_text_full_names (`ekman` 0)
 * or ems_text_ekman_names, in any order, all of them. */
int ems_text_labels_parse(ems_text_labels *l, int ekman, const char *data,
                          size_t size, const char *name, ems_error *err);
/* Rows of a table. An empty set is filled with texts and labels; to one that
 * is filled only labels are added, and the texts must be the same. */
int ems_text_set_parse(ems_text_set *s, const ems_text_labels *l,
                       const char *data, size_t size, const char *name,
                       ems_error *err);
/* `part`: "train", "dev" or "test", from both folders. */
int ems_text_set_load(ems_text_set *s, const char *folder, const char *part,
                      ems_error *err);
void ems_text_set_clear(ems_text_set *s);
/* Line i as the classifier reads it, with at least one word. */
void ems_text_set_words(const ems_text_set *s, size_t i, ems_words *w);
#endif

/* dataset_build.h - the steps of building a token file: read a file
 * (dataset_read.c), combine what is known of its emotion (dataset_mix.c),
 * tell songs apart (dataset_songs.c), write (dataset_write.c), report
 * (dataset_report.c, dataset_picture.c). */
#ifndef EMS_DATASET_BUILD_H
#define EMS_DATASET_BUILD_H
#include "base/file.h"
#include "music/critic.h"
#include "music/emotions.h"
#include "music/features.h"
#include "music/labels.h"
#include "music/listeners.h"
#include "music/midi_files.h"
#include "music/tokens.h"

typedef enum ems_skip {
    EMS_KEPT, EMS_SKIP_UNREADABLE, EMS_SKIP_NO_NOTES, EMS_SKIP_ODD_BARS,
    EMS_SKIP_SHORT, EMS_SKIP_LONG, EMS_SKIP_DUPLICATE, EMS_SKIP_EXCLUDED,
    EMS_SKIPS,
} ems_skip;
extern const char *const ems_skip_name[EMS_SKIPS];

typedef enum ems_said { /* who says how a piece feels */
    EMS_SAID_LISTENERS, /* people, along the piece */
    EMS_SAID_LABELS,    /* the user's table */
    EMS_SAID_FEATURES,  /* a table of songs; valence only */
    EMS_SAID_LYRICS,    /* the words or a table of their emotions */
    EMS_SAID_DENSITY,   /* notes a second and family; arousal only */
    EMS_SAID_CRITIC,    /* along the piece */
    EMS_SAID,
} ems_said;
extern const char *const ems_said_name[EMS_SAID];
/* Weights of [valence, arousal]; dataset_mix.c says why. */
extern const double ems_said_weight[EMS_SAID][2];

typedef struct ems_built_piece {
    uint64_t first_token, first_bar;
    uint32_t tokens, bars, chords;
    float said[EMS_SAID][2];   /* valence, arousal; NaN: nothing */
    float valence, arousal;    /* of all together */
    float weight;              /* 0: not set by anybody */
    uint8_t families;          /* bit f: ems_family f sounds */
    uint8_t held_out;
    uint8_t listened;          /* its bars' curve is the listeners' */
    uint8_t titled;            /* `title` is known */
    float density, seconds, bpm;
    uint64_t hash, title;      /* of the notes; of the song's title */
    uint32_t song, name;       /* name: offset into names */
    uint32_t source, licence, style; /* indices of words; 0: "" */
} ems_built_piece;

typedef struct ems_words { /* texts, each once */
    char **items;          /* items[0] = "" */
    size_t count, capacity;
} ems_words;

typedef struct ems_scale { /* what became -1 and 1; equal: left as it was */
    double low[2], high[2];
} ems_scale;

typedef struct ems_build {
    ems_built_piece *pieces;
    size_t count, capacity;
    uint32_t *bars;
    size_t bar_count, bar_capacity;
    float *affect;             /* [bar_count, 2] */
    size_t affect_capacity;
    char *names;
    size_t names_size, names_capacity;
    ems_words words;
    uint64_t token_count;
    size_t files, warnings, songs, skipped[EMS_SKIPS];
    size_t labels, labels_used; /* rows of the user's table */
    size_t unread_folders;
    ems_scale scale;
} ems_build;

/* ---- Reading one file ------------------------------------------------------ */

typedef struct ems_knowledge { /* shared by all files; NULL: not there */
    int free_timing;
    const ems_critic *critic;
    const ems_features *features;
    const ems_emotions *emotions;
    const ems_listeners *listeners;
    const ems_text *text;
} ems_knowledge;

typedef struct ems_reading { /* one file on its way */
    const ems_midi_file *file;
    const ems_label *label;
    const ems_knowledge *known;
    int excluded;
    ems_skip skip;
    int code;           /* an error that ends the build */
    ems_error error;    /* also: why the file was skipped */
    ems_tokens tokens;
    float *curve;       /* [bars, 2] listeners' or critic's, NaN: silence */
    ems_built_piece piece;
    size_t warnings;
    int has_words;
    float ekman[EMS_TEXT_EKMAN], full[EMS_TEXT_FULL]; /* of the words */
} ems_reading;

/* For ems_pool_for: readings[i] from .file, .label, .known on. */
void ems_read_file(void *readings, size_t i);
void ems_reading_clear(ems_reading *r);

/* ---- All files ------------------------------------------------------------- */

/* The index of a text, added if it is new; SIZE_MAX: out of memory. */
size_t ems_words_add(ems_words *w, const char *text);
void ems_words_clear(ems_words *w);

/* Bring all that was said to one scale and combine it: pieces' valence and
 * arousal, bars' affect. `spread`: share of the time that fills -1..1, 0:
 * the critic's scale stays. */
int ems_build_mix(ems_build *b, double spread, ems_error *err);
/* Number the songs and hold out whole ones until `share` is reached. */
int ems_build_songs(ems_build *b, double share, ems_error *err);
/* Write the token file (dataset.h); `tokens` holds token_count u16. */
int ems_build_write(const ems_build *b, ems_output *out, FILE *tokens,
                    ems_error *err);
/* The report as text (to the log too), JSON and picture. */
int ems_build_report(const ems_build *b, const ems_dataset_options *o,
                     const ems_run *run, ems_error *err);
#endif

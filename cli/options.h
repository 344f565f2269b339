/* options.h - the words of the command line.
 *
 * Every sub-command is one `cli_command` with one table of `cli_option` rows.
 * Parsing, --help, the man page and the shell completions are all read from
 * these tables; a default is read from the command's own settings, where the
 * library's *_defaults() put it, so that nothing is said twice. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <emsync/emsync.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef enum cli_type {
    CLI_HEADING, /* no option: a title in the help */
    CLI_FLAG,    /* int field = value */
    CLI_CHOICE,  /* int or enum field = index of the word */
    CLI_INT,     /* int field, within min..max */
    CLI_SEED,    /* uint64_t field */
    CLI_REAL,    /* double field, within min..max */
    CLI_TEXT,    /* const char * field, as are the rest */
    CLI_INPUT,   /* a file to read */
    CLI_OUTPUT,  /* a file to write: asks before it replaces one */
    CLI_FOLDER,  /* a folder to write to */
} cli_type;

typedef struct cli_option {
    cli_type type;
    const char *name; /* without dashes; a heading's title */
    const char *arg;  /* its argument in the help; NULL for a flag */
    const char *help;
    size_t field;     /* offset in the command's settings */
    double min, max;  /* of numbers */
    const char *const *words; /* of a choice, NULL at the end */
    const char *unset; /* the default in words, where the field cannot tell */
    int value;        /* what a flag stores */
    bool required;
    char key;         /* the short option; 0: none */
} cli_option;

typedef struct cli_operand {
    cli_type type; /* CLI_INPUT, CLI_OUTPUT or CLI_FOLDER */
    const char *name, *help;
    bool optional, repeats; /* at the end of the list only */
} cli_operand;

typedef struct cli_example {
    const char *line, *meaning;
} cli_example;

typedef enum cli_progress {
    CLI_PROGRESS_AUTO, CLI_PROGRESS_TTY, CLI_PROGRESS_JSON, CLI_PROGRESS_NONE,
} cli_progress;

typedef enum cli_replace {
    CLI_REPLACE_ASK, CLI_REPLACE_YES, CLI_REPLACE_NEVER,
} cli_replace;

/* The first field of every command's settings. */
typedef struct cli_common {
    int threads, verbosity, json, help; /* verbosity: -1, 0, 1 */
    cli_progress progress;
    cli_replace replace;
    char **operands;
    size_t operand_count;
} cli_common;

struct cli_ui;

typedef struct cli_command {
    const char *name; /* one word, or "group word" */
    const char *summary, *details;
    const cli_operand *operands; /* name NULL after the last */
    const cli_option *options;   /* name NULL after the last */
    const cli_example *examples; /* line NULL after the last */
    size_t settings; /* bytes of its struct, which begins with cli_common */
    void (*defaults)(void *settings); /* NULL: all zero */
    int (*run)(void *settings, struct cli_ui *ui); /* gives the exit code */
    /* May outputs exist, since this call does not replace them? */
    bool (*continues)(const void *settings);
    bool writes; /* takes -y and -n */
    bool works;  /* takes --threads and --progress */
    bool pipes;  /* takes "-" for standard input */
    bool chatty; /* shows the library's information without --verbose */
} cli_command;

/* Rows of a table; f is a field of the command's struct, which is always
 * called `settings`. */
#define CLI_TITLE(text) {.type = CLI_HEADING, .name = text}
#define CLI_ROW_OF(S, t, f, n, a, h)                                          \
    .type = t, .name = n, .arg = a, .help = h, .field = offsetof(S, f)
#define CLI_ROW(t, f, n, a, h) CLI_ROW_OF(settings, t, f, n, a, h)
#define CLI_SWITCH(f, v, n, h) {CLI_ROW(CLI_FLAG, f, n, NULL, h), .value = v}
#define CLI_NUMBER(f, lo, hi, n, a, h)                                        \
    {CLI_ROW(CLI_REAL, f, n, a, h), .min = lo, .max = hi}
#define CLI_COUNT(f, lo, hi, n, h)                                            \
    {CLI_ROW(CLI_INT, f, n, "N", h), .min = lo, .max = hi}
#define CLI_WORDS(f, w, n, a, h)                                              \
    {CLI_ROW(CLI_CHOICE, f, n, a, h), .words = w}
#define CLI_RESULT(f, h)                                                      \
    {CLI_ROW(CLI_OUTPUT, f, "output", "FILE", h), .required = true, .key = 'o'}

/* All commands, in the order of the help; NULL after the last. */
extern const cli_command *const cli_commands[];
/* What every command takes beside its own table; the rows that do not apply
 * are left out by cli_option_at. */
const cli_option *cli_option_at(const cli_command *c, size_t i);

/* The command that argv names; `used` gets how many words of it. NULL: none. */
const cli_command *cli_find(int argc, char **argv, int *used);
/* Is `word` the first word of a two-word command? */
bool cli_is_group(const char *word);

/* Fresh settings with the defaults; free() them. NULL: out of memory. */
void *cli_settings_new(const cli_command *c);
/* Fill the settings. CLI_DONE, or CLI_USAGE with one line in `problem`.
 * Operands and texts stay in argv. */
int cli_parse(const cli_command *c, void *settings, int argc, char **argv,
              char *problem, size_t size);
/* The default of an option as the help shows it; "" when there is none. */
void cli_default(const cli_option *o, const void *settings, char *text,
                 size_t size);
/* The text a file option holds; NULL when it was not given. */
const char *cli_text_at(const cli_option *o, const void *settings);
/* How many typing mistakes lie between two words. */
size_t cli_distance(const char *a, const char *b);

/* What stands after the option in help: "FILE", "exact|paper", "". */
void cli_argument(const cli_option *o, char *text, size_t size);
/* "find cuts" -> "Find cuts." */
void cli_sentence(const char *summary, char *text, size_t size);
/* "emsync plan ANALYSIS -o FILE [options]" and a newline. */
void cli_print_usage(FILE *out, const cli_command *c);
void cli_print_menu(FILE *out);
void cli_print_group(FILE *out, const char *group);
void cli_print_help(FILE *out, const cli_command *c);
/* man, bash, zsh or fish to `out`; CLI_USAGE for any other word. */
int cli_generate(FILE *out, const char *what);
#endif

/* ui.h - what a person or a program sees while a command runs, and how it is
 * stopped. Results go to standard output, everything else to standard error.
 */
#ifndef CLI_UI_H
#define CLI_UI_H
#include "options.h"

typedef struct cli_ui {
    const cli_command *command;
    const cli_common *common;
    ems_run run; /* to hand to the library */
    cli_progress progress; /* never AUTO */
    char stage[24];
    double stage_begin, last_draw; /* seconds of the monotonic clock */
    bool drawn; /* a progress line stands on the terminal */
    bool json;
} cli_ui;

void cli_ui_begin(cli_ui *ui, const cli_command *command,
                  const cli_common *common);
/* Take the progress line away. */
void cli_ui_clear(cli_ui *ui);

/* Catch SIGINT, SIGTERM and SIGHUP: the first asks the work to stop, so that
 * unfinished files are removed; the second ends the process at once. */
void cli_catch_signals(void);
/* 128 + the signal that came, 0 before that. */
int cli_interrupted(void);

/* One line on standard error; CLI_FAILED (128 + signal when interrupted). */
int cli_fail(cli_ui *ui, const ems_error *err);
int cli_error(cli_ui *ui, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "emsync: text", control characters made visible, colour on a terminal. */
void cli_complain(const char *text);

/* Should a result for people be printed? */
bool cli_talks(const cli_ui *ui);
/* "3:07.250" or "1:03:07.250". */
const char *cli_time(double seconds, char *text, size_t size);
/* Is the terminal on this stream for colours? */
bool cli_colour(FILE *stream);

/* May every output of the settings be written? Asks where a file exists.
 * CLI_DONE, or CLI_FAILED after saying why not. */
int cli_check_outputs(cli_ui *ui, const void *settings);
#endif

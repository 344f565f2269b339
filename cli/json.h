/* json.h - a result as one line of JSON, written as it comes. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct cli_json {
    FILE *out;
    bool comma; /* something stands before on this level */
} cli_json;

/* `key` is NULL inside an array and at the top; text may be NULL: null. */
void cli_json_open(cli_json *j, const char *key, char bracket);
void cli_json_close(cli_json *j, char bracket);
void cli_json_text(cli_json *j, const char *key, const char *text);
void cli_json_real(cli_json *j, const char *key, double value); /* NaN: null */
void cli_json_whole(cli_json *j, const char *key, uint64_t value);
void cli_json_bool(cli_json *j, const char *key, bool value);
#endif

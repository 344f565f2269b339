/* json.h - strict reading of our JSON files on top of jansson. Every error
 * names the file and the JSON path ("plan.json: hits[3].time: ..."). */
#ifndef EMS_JSON_H
#define EMS_JSON_H
#include "base/error.h"

#include <jansson.h>

/* Where we are in a document; live on the stack, linked to the parent. */
typedef struct ems_json_at {
    const char *file;
    char path[160];
    ems_error *err;
} ems_json_at;

/* Parse a file of at most 64 MiB (duplicate keys refused). NULL on failure;
 * else release with json_decref. */
json_t *ems_json_load(const char *path, ems_error *err);
/* As above from memory; `name` stands for the file in errors. */
json_t *ems_json_parse(const char *data, size_t size, const char *name,
                       ems_error *err);
/* Write with sorted-by-insertion keys, two-space indent, newline at the end. */
int ems_json_save(const json_t *root, const char *path, ems_error *err);

ems_json_at ems_json_root(const char *file, ems_error *err);
/* at.path + ".key" / "[index]" */
ems_json_at ems_json_key(const ems_json_at *at, const char *key);
ems_json_at ems_json_index(const ems_json_at *at, size_t index);
int ems_json_fail(const ems_json_at *at, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Members of an object. Missing or of a wrong type: an EMS_EFORMAT sentence.
 * Numbers must lie in [low, high]; NaN cannot occur in JSON. */
int ems_json_number(const json_t *object, const ems_json_at *at,
                    const char *key, double low, double high, double *out);
int ems_json_integer(const json_t *object, const ems_json_at *at,
                     const char *key, json_int_t low, json_int_t high,
                     json_int_t *out);
/* Borrowed from the document; never holds NUL. */
int ems_json_string(const json_t *object, const ems_json_at *at,
                    const char *key, const char **out);
int ems_json_array(const json_t *object, const ems_json_at *at,
                   const char *key, size_t max, json_t **out);
int ems_json_object(const json_t *object, const ems_json_at *at,
                    const char *key, json_t **out);
/* "format" must be `name` and "version" an integer in [1, newest]. */
int ems_json_format(const json_t *root, const ems_json_at *at,
                    const char *name, int newest);

/* A real rounded to `digits` decimals, so that files do not carry noise. */
json_t *ems_json_real(double value, int digits);
#endif

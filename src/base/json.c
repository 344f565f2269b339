#include "base/json.h"

#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 64 << 20 };

json_t *ems_json_parse(const char *data, size_t size, const char *name,
                       ems_error *err)
{
    json_error_t where;
    json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        ems_fail(err, EMS_EFORMAT, "%s: line %d, column %d: %s", name,
                 where.line, where.column, where.text);
    return root;
}

json_t *ems_json_load(const char *path, ems_error *err)
{
    ems_bytes b;
    if (ems_bytes_map(&b, path, MAX_FILE, err) < 0)
        return NULL;
    json_t *root = ems_json_parse((const char *)b.data, b.size, path, err);
    ems_bytes_unmap(&b);
    return root;
}

int ems_json_save(const json_t *root, const char *path, ems_error *err)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    if (!text)
        return ems_fail(err, EMS_ENOMEM, "cannot write \"%s\": out of memory",
                        path);
    ems_output o;
    int code = ems_output_open(&o, path, err);
    if (code == EMS_OK) {
        fputs(text, o.file);
        fputc('\n', o.file);
        code = ems_output_commit(&o, err);
    }
    free(text); /* jansson's own allocation */
    return code;
}

ems_json_at ems_json_root(const char *file, ems_error *err)
{
    return (ems_json_at){.file = file, .err = err};
}

ems_json_at ems_json_key(const ems_json_at *at, const char *key)
{
    ems_json_at next = *at;
    const size_t used = strlen(next.path);
    snprintf(next.path + used, sizeof next.path - used, "%s%.40s",
             used ? "." : "", key);
    return next;
}

ems_json_at ems_json_index(const ems_json_at *at, size_t index)
{
    ems_json_at next = *at;
    const size_t used = strlen(next.path);
    snprintf(next.path + used, sizeof next.path - used, "[%zu]", index);
    return next;
}

int ems_json_fail(const ems_json_at *at, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ems_fail(at->err, EMS_EFORMAT, "%s: %s: %s", at->file,
                    at->path[0] ? at->path : "top level", text);
}

static int member(const json_t *object, const ems_json_at *at,
                  const char *key, const char *type, json_t **out)
{
    if (!json_is_object(object))
        return ems_json_fail(at, "must be an object");
    *out = json_object_get(object, key);
    if (!*out) {
        const ems_json_at here = ems_json_key(at, key);
        return ems_json_fail(&here, "missing; it must be %s", type);
    }
    return EMS_OK;
}

static int wrong_type(const ems_json_at *at, const char *key,
                      const char *type)
{
    const ems_json_at here = ems_json_key(at, key);
    return ems_json_fail(&here, "must be %s", type);
}

int ems_json_number(const json_t *object, const ems_json_at *at,
                    const char *key, double low, double high, double *out)
{
    json_t *value;
    const int code = member(object, at, key, "a number", &value);
    if (code < 0)
        return code;
    if (!json_is_number(value))
        return wrong_type(at, key, "a number");
    const double number = json_number_value(value);
    if (!(number >= low && number <= high)) {
        const ems_json_at here = ems_json_key(at, key);
        return ems_json_fail(&here, "is %g; it must lie in [%g, %g]", number,
                             low, high);
    }
    *out = number;
    return EMS_OK;
}

int ems_json_integer(const json_t *object, const ems_json_at *at,
                     const char *key, json_int_t low, json_int_t high,
                     json_int_t *out)
{
    json_t *value;
    const int code = member(object, at, key, "an integer", &value);
    if (code < 0)
        return code;
    if (!json_is_integer(value))
        return wrong_type(at, key, "an integer");
    const json_int_t number = json_integer_value(value);
    if (number < low || number > high) {
        const ems_json_at here = ems_json_key(at, key);
        return ems_json_fail(&here, "is %lld; it must lie in [%lld, %lld]",
                             (long long)number, (long long)low,
                             (long long)high);
    }
    *out = number;
    return EMS_OK;
}

int ems_json_string(const json_t *object, const ems_json_at *at,
                    const char *key, const char **out)
{
    json_t *value;
    const int code = member(object, at, key, "a string", &value);
    if (code < 0)
        return code;
    if (!json_is_string(value))
        return wrong_type(at, key, "a string");
    *out = json_string_value(value);
    return EMS_OK;
}

int ems_json_array(const json_t *object, const ems_json_at *at,
                   const char *key, size_t max, json_t **out)
{
    const int code = member(object, at, key, "an array", out);
    if (code < 0)
        return code;
    if (!json_is_array(*out))
        return wrong_type(at, key, "an array");
    if (json_array_size(*out) > max) {
        const ems_json_at here = ems_json_key(at, key);
        return ems_json_fail(&here, "has %zu elements, more than the %zu"
                             " allowed", json_array_size(*out), max);
    }
    return EMS_OK;
}

int ems_json_object(const json_t *object, const ems_json_at *at,
                    const char *key, json_t **out)
{
    const int code = member(object, at, key, "an object", out);
    if (code < 0)
        return code;
    return json_is_object(*out) ? EMS_OK : wrong_type(at, key, "an object");
}

int ems_json_format(const json_t *root, const ems_json_at *at,
                    const char *name, int newest)
{
    const char *format = NULL;
    int code = ems_json_string(root, at, "format", &format);
    if (code < 0)
        return code;
    if (strcmp(format, name) != 0) {
        const ems_json_at here = ems_json_key(at, "format");
        return ems_json_fail(&here, "is \"%.40s\"; this must be \"%s\"",
                             format, name);
    }
    json_int_t version;
    return ems_json_integer(root, at, "version", 1, newest, &version);
}

json_t *ems_json_real(double value, int digits)
{
    const double scale = pow(10, digits);
    const double rounded = rint(value * scale) / scale;
    return json_real(rounded == 0 ? 0 : rounded); /* no "-0.0" */
}

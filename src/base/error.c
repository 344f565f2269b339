#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void write_text(ems_error *err, ems_code code, const char *format,
                       va_list args)
{
    err->code = code;
    vsnprintf(err->text, sizeof err->text, format, args);
}

int ems_fail(ems_error *err, ems_code code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        write_text(err, code, format, args);
        va_end(args);
    }
    return code;
}

int ems_fail_errno(ems_error *err, ems_code code, const char *format, ...)
{
    const int saved = errno;
    if (err) {
        va_list args;
        va_start(args, format);
        write_text(err, code, format, args);
        va_end(args);
        const size_t used = strlen(err->text);
        char buffer[128]; /* the GNU strerror_r: thread-safe */
        const char *reason = strerror_r(saved, buffer, sizeof buffer);
        snprintf(err->text + used, sizeof err->text - used, ": %s", reason);
    }
    return code;
}

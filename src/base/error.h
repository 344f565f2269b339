/* error.h - a code and a sentence, in a struct on the caller's stack. */
#ifndef EMS_ERROR_H
#define EMS_ERROR_H
#include <emsync/emsync.h>

/* Fill *err (may be NULL) and return `code`. The sentence says what failed,
 * on what, and what to do; it has no full stop or newline at its end. */
int ems_fail(ems_error *err, ems_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As above with ": <text of errno>" appended. */
int ems_fail_errno(ems_error *err, ems_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline int ems_out_of_memory(ems_error *err)
{
    return ems_fail(err, EMS_ENOMEM, "out of memory");
}
#endif

/* ems_test.h - cmocka with its includes in the order it wants, and what our
 * tests share. */
#ifndef EMS_TEST_H
#define EMS_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { EMS_TEST_SKIP = 77 };

/* Development data that users do not have: a test that needs it begins
 * its main() with this. */
#define EMS_NEEDS_SHARED(path)                                              \
    do {                                                                    \
        if (access(EMS_SHARED "/" path, R_OK) != 0) {                       \
            printf("skipped: needs the development data %s\n", path);       \
            return EMS_TEST_SKIP;                                           \
        }                                                                   \
    } while (0)
#endif

#include "base/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void ems_log(const ems_run *run, ems_log_level level, const char *format, ...)
{
    if (!run || !run->log)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    run->log(run->user, level, text);
}

double ems_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

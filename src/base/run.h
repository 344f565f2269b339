/* run.h - ask an ems_run, which may be NULL. */
#ifndef EMS_RUN_H
#define EMS_RUN_H
#include "base/error.h"

static inline int ems_run_threads(const ems_run *run)
{
    return run ? run->threads : 0;
}

static inline void ems_progress(const ems_run *run, const char *stage,
                                double done)
{
    if (run && run->progress)
        run->progress(run->user, stage, done);
}

static inline int ems_cancelled(const ems_run *run)
{
    return run && run->cancelled && run->cancelled(run->user);
}

/* Return this when ems_cancelled() says so. */
static inline int ems_fail_cancelled(ems_error *err)
{
    return ems_fail(err, EMS_ECANCELLED, "cancelled");
}

void ems_log(const ems_run *run, ems_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

double ems_now(void); /* monotonic clock, seconds */
#endif

/* report.h - the proof that comes with every result. */
#ifndef EMS_REPORT_H
#define EMS_REPORT_H
#include "base/error.h"

/* Fill hits, duration, notes, bars and peak_rss from plan and piece. */
int ems_report_fill(ems_report *r, const ems_plan *plan,
                    const ems_piece *piece, ems_error *err);
#endif

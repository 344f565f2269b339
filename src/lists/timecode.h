/* timecode.h - frames, hours:minutes:seconds:frames, and the rates between
 * them (SMPTE ST 12-1). */
#ifndef EMS_TIMECODE_H
#define EMS_TIMECODE_H
#include "base/error.h"

typedef struct ems_rate {
    int64_t num, den; /* frames in den seconds, both > 0: 30000/1001 */
} ems_rate;

enum { EMS_TIMECODE_TEXT = 64 };

/* The rate that a rounded number of frames per second stands for: 29.97 is
 * 30000/1001. Others are taken to a thousandth. `fps` in [1, 1000]. */
ems_rate ems_rate_of(double fps);
/* Frames in a second of timecode: 30 for 29.97. */
int64_t ems_rate_nominal(ems_rate r);
/* May timecode drop numbers at this rate? Those of 29.97 and 59.94 do. */
int ems_rate_drops(ems_rate r);
double ems_frame_seconds(ems_rate r, int64_t frame);
/* The frame that begins nearest to `seconds` (|seconds| <= 1e6). */
int64_t ems_seconds_frame(ems_rate r, double seconds);

/* hh:mm:ss:ff; a semicolon (or point) before the frames, or `drop`, means
 * drop-frame, which leaves out the first two (four) numbers of every minute
 * but each tenth. 0, or EMS_EFORMAT without touching `err`'s caller: the
 * sentence tells what is wrong with `text`, not where it stands. */
int ems_timecode_parse(const char *text, ems_rate r, int drop,
                       int64_t *frame, ems_error *err);
/* `frame` >= 0. */
void ems_timecode_format(int64_t frame, ems_rate r, int drop,
                         char out[EMS_TIMECODE_TEXT]);
#endif

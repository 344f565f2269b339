/* still.h - a decoded frame as a small upright RGB picture. */
#ifndef EMS_STILL_H
#define EMS_STILL_H
#include "media/media.h"

#include <libavutil/frame.h>

struct SwsContext;

typedef struct ems_still_maker { /* zeroed to begin with */
    struct SwsContext *shrink;
    uint8_t *rgb, *turned; /* as decoded; upright */
    size_t size;           /* bytes of each */
} ems_still_maker;

/* Make *out (all but its time) of a frame to be turned clockwise by
 * `rotation` degrees. The pixels belong to the maker and stay until the next
 * call. `path` is for the error: EMS_EUNSUPPORTED, a format that cannot be
 * scaled. */
int ems_still_make(ems_still_maker *m, const AVFrame *frame, int rotation,
                   ems_still *out, const char *path, ems_error *err);
void ems_still_clear(ems_still_maker *m);
#endif

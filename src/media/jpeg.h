/* jpeg.h - small pictures for pages. */
#ifndef EMS_JPEG_H
#define EMS_JPEG_H
#include "media/media.h"

/* Baseline JPEG of `still`, `width` pixels wide (2 .. 4096, made even), its
 * height in proportion. *data is the caller's (ems_free). EMS_ENOMEM;
 * EMS_EUNSUPPORTED: this FFmpeg has no JPEG encoder. */
int ems_jpeg_encode(const ems_still *still, int width, uint8_t **data,
                    size_t *size, ems_error *err);
#endif

/* scene.h - how much a picture differs from the one before: the scene score
 * of FFmpeg 5.1's `select` filter, number for number. */
#ifndef EMS_SCENE_H
#define EMS_SCENE_H
#include "base/error.h"
#include "media/media.h"

#include <libavutil/frame.h>

struct SwsContext;

typedef struct ems_scene {
    AVFrame *previous; /* NULL before the first frame */
    double previous_mafd;
    struct SwsContext *convert;
} ems_scene;

/* 8-bit YUV: mafd = SAD of the luma / pixels (0..255), score =
 * min(mafd, |mafd - previous mafd|) / 100 in 0..1. More bits are scaled to
 * 8; packed RGB counts every byte; other formats are converted as the filter
 * would. A change of size or format starts anew with 0. */
int ems_scene_add(ems_scene *s, const AVFrame *frame, double *mafd,
                  double *score, ems_error *err);
/* The newest frame in EMS_THUMB_H rows of EMS_THUMB_W cells: mean brightness on
 * 0..255 of up to four rows of pixels of each cell. Costs a hundredth of
 * decoding. */
void ems_scene_grid(const ems_scene *s, uint8_t *grid);
void ems_scene_clear(ems_scene *s);
#endif

/* picture_fit.h - a part of a picture as the numbers that a network wants. */
#ifndef EMS_PICTURE_FIT_H
#define EMS_PICTURE_FIT_H
#include "experts/manifest.h"

typedef struct ems_rgb { /* rows of 3 * width bytes; borrowed */
    int width, height;
    const uint8_t *data;
} ems_rgb;

typedef struct ems_box { double x, y, width, height; } ems_box; /* pixels */

/* Scratch that is reused from picture to picture; zeroed to begin with. */
typedef struct ems_fitter {
    float *rows, *out, *weights;
    size_t row_room, out_room, weight_room;
} ems_fitter;

/* Bytes of one picture as the network wants it. */
size_t ems_fit_bytes(const ems_picture_input *in);
/* Write them. `part` (NULL: the whole picture) may reach over the edge, whose
 * pixels then go on. Shrinking averages (triangle filter). */
int ems_fit_picture(ems_fitter *f, const ems_picture_input *in,
                    const ems_rgb *picture, const ems_box *part, void *out,
                    ems_error *err);
/* Where a point of the network's picture lies in the whole picture: how the
 * fit moved and scaled it. x = a.x + network_x * a.width, likewise y. */
ems_box ems_fit_back(const ems_picture_input *in, const ems_rgb *picture);
void ems_fitter_clear(ems_fitter *f);
#endif

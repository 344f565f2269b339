/* picture.h - colour, light and motion of a film, kept in short slices that
 * begin anew at every sudden change, so that no slice lies across a cut.
 * When there are too many slices neighbours are joined: memory is bounded
 * (below 8 MB) at any length. */
#ifndef EMS_PICTURE_H
#define EMS_PICTURE_H
#include "emotion/features.h"
#include "media/media.h"

typedef struct ems_picture ems_picture;

ems_picture *ems_picture_new(ems_error *err);
int ems_picture_add(ems_picture *p, const ems_frame *frame, ems_error *err);
/* Fill the features of pictures between two times (all but `length`);
 * untouched where there are none. */
void ems_picture_measure(const ems_picture *p, double from, double to,
                         ems_features *out);
size_t ems_picture_slices(const ems_picture *p);
void ems_picture_free(ems_picture *p);
#endif

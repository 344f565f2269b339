/* text_find.h - does a picture look as if something were written in it?
 *
 * Letters are many strong edges, dark to light and light to dark, in cells
 * that stand beside each other in a row while the rest of the picture has
 * few. A fraction of a millisecond a picture; it lets pictures without text
 * pass, so that the slow reader (tesseract.h) is rarely asked. */
#ifndef EMS_TEXT_FIND_H
#define EMS_TEXT_FIND_H
#include "media/media.h"

enum {
    EMS_TEXT_CELL = 8,   /* pixels */
    EMS_TEXT_CELLS = 64, /* columns and rows that are looked at, at most */
};

typedef struct ems_text_place {
    int x, y, width, height; /* of the picture, around all that is written */
    uint64_t cells[EMS_TEXT_CELLS]; /* bit x of row y: letters here */
} ems_text_place;

/* Nonzero: yes, and *place says where. */
int ems_text_find(const ems_still *still, ems_text_place *place);
/* Do two places look like one writing that stays? */
int ems_text_same(const ems_text_place *a, const ems_text_place *b);
#endif

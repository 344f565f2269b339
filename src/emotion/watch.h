/* watch.h - ask all experts, networks and this program itself, about films
 * and pictures. */
#ifndef EMS_WATCH_H
#define EMS_WATCH_H
#include "emotion/parts.h"

enum { EMS_WATCH_PICTURES = 16 }; /* looked at together */

typedef struct ems_watching { /* one film, or some pictures */
    const char *path[EMS_WATCH_PICTURES];
    ems_parts *parts[EMS_WATCH_PICTURES]; /* empty at first */
    ems_error *why[EMS_WATCH_PICTURES];   /* filled where one failed */
    int done[EMS_WATCH_PICTURES];         /* nonzero: parts are there */
    size_t count;
} ems_watching;

/* Is it a picture, by its suffix? */
int ems_is_picture(const char *path);
/* `experts`: names with commas between them, NULL: all. At most `rows` rows
 * of each. A picture is looked at twice: the whole, then three quarters
 * towards one of its corners, as if a camera closed in and drifted. Never fails as a whole. */
void ems_watch(ems_watching *w, const char *experts, size_t rows,
               const ems_run *run);
/* The experts that would be asked, as parts without rows. */
int ems_watch_list(ems_parts *p, const char *experts, const ems_run *run,
                   ems_error *err);
#endif

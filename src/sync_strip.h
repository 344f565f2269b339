/* sync_strip.h - the pictures of a film strip. */
#ifndef EMS_SYNC_STRIP_H
#define EMS_SYNC_STRIP_H
#include "music/sync.h"

/* Decode `video` once and give each tile a picture of its stretch; those that
 * the film has no picture for stay without. */
int ems_sync_strip_fill(ems_sync_tile *tiles, size_t count, const char *video,
                        const ems_run *run, ems_error *err);
/* Harmless on NULL. */
void ems_sync_strip_clear(ems_sync_tile *tiles, size_t count);
#endif

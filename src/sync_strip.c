/* The pictures of a film strip. */
#include "base/mem.h"
#include "media/jpeg.h"
#include "sync_strip.h"

#include <math.h>

enum { WIDTH = 180 }; /* pixels */
static const double QUICKEST = 0.04, SLOWEST = 2; /* seconds between stills */

typedef struct strip {
    ems_sync_tile *tiles;
    size_t count, next; /* the tile that waits for its picture */
} strip;

/* The first still from the middle of the tile on, or before its end. */
static int on_still(void *user, const ems_still *still, ems_error *err)
{
    strip *s = user;
    while (s->next < s->count) {
        ems_sync_tile *t = &s->tiles[s->next];
        if (still->time < (t->from + t->to) / 2)
            return EMS_OK;
        s->next++;
        if (still->time < t->to)
            return ems_jpeg_encode(still, WIDTH, &t->jpeg, &t->size, err);
    }
    return EMS_OK;
}

static int on_video(void *user, const ems_frame *frame, ems_error *err)
{
    (void)user, (void)frame, (void)err;
    return EMS_OK;
}

int ems_sync_strip_fill(ems_sync_tile *tiles, size_t count, const char *video,
                        const ems_run *run, ems_error *err)
{
    strip s = {tiles, count, 0};
    double shortest = 2 * SLOWEST;
    for (size_t i = 0; i < count; i++)
        shortest = fmin(shortest, tiles[i].to - tiles[i].from);
    const ems_media_sink sink = {
        .user = &s, .video = on_video, .still = on_still,
        .still_seconds = fmax(QUICKEST, shortest / 2), .thumb_seconds = 1e9,
    };
    ems_media_info info;
    return count ? ems_media_decode(video, &sink, &info, run, err) : EMS_OK;
}

void ems_sync_strip_clear(ems_sync_tile *tiles, size_t count)
{
    for (size_t i = 0; tiles && i < count; i++)
        ems_free(tiles[i].jpeg);
    ems_free(tiles);
}

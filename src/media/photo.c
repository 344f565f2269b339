/* A single picture as a still. */
#include "media/media.h"
#include "media/source.h"
#include "media/still.h"

int ems_media_picture(const char *path,
                      int (*give)(void *user, const ems_still *still,
                                  ems_error *err),
                      void *user, const ems_run *run, ems_error *err)
{
    ems_stream s;
    ems_still_maker maker = {0};
    ems_still still;
    int code = ems_stream_open_picture(&s, path, run, err);
    if (code < 0)
        return code;
    code = ems_stream_next(&s, err);
    if (code == 0)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" is a broken picture", path);
    else if (code > 0)
        code = ems_still_make(&maker, s.frame, 0, &still, path, err);
    if (code == EMS_OK)
        code = give(user, &still, err);
    ems_still_clear(&maker);
    ems_stream_close(&s);
    return code;
}
